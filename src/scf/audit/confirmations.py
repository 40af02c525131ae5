"""External confirmations (ISA 505): the auditor asks, the counterparty answers in its own signed words.

Obligors are asked what they owe, holders what they hold, banks what they keep locked. The answer is signed by the
counterparty's key over question and figure (a statement a wallet can show), so that nobody between can change it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from scf.audit.matters import MATTERS, OWED, ConfirmationMatter, questions
from scf.desk.service import Desk
from scf.kernel.problems import Problem
from scf.ledger.contracts import account_signed
from scf.ledger.intents import sort_signatures
from scf.ledger.signing import recover_digest
from scf.ledger.statements import Statement, statement
from scf.parties.models import Member
from scf.store import evidence
from scf.store.evidence import Trust


class Confirmation(SQLModel, table=True):
    """One question to one counterparty and its answer. Amounts in minor units, times in unix seconds."""

    __tablename__ = "audit_confirmation"

    id: int | None = Field(default=None, primary_key=True)
    auditor: str = Field(max_length=42)
    respondent: str = Field(index=True, max_length=42)
    currency: str = Field(max_length=3)
    as_of: int = Field(sa_type=BigInteger)
    books_minor: int = Field(sa_type=BigInteger, description="What the books say; never shown to it")
    nonce: str = Field(max_length=64)
    sent_at: int = Field(sa_type=BigInteger)
    answer_minor: int | None = Field(default=None, sa_type=BigInteger)
    remark: str | None = Field(default=None, sa_type=sa.Text)
    signature: str | None = Field(default=None, sa_type=sa.Text, description="Hex; parts joined by commas")
    answered_at: int | None = Field(default=None, sa_type=BigInteger)
    evidence_id: str | None = Field(default=None, max_length=64)

    @property
    def differs(self) -> bool:
        """Whether the answer is another figure than the books'."""
        return self.answer_minor is not None and self.answer_minor != self.books_minor


class Confirmations:
    """The door to confirmations."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def send(self, session: Session, auditor: str, matters: Collection[str] = MATTERS) -> list[Confirmation]:
        """Ask every counterparty the books name about these matters; what is asked and open is not asked again.

        Raises Problem `confirmation_nothing_to_ask` when the books give rise to no question about them.
        """
        asked = list(questions(session, matters))
        if not asked:
            raise Problem("confirmation_nothing_to_ask")
        rows = session.exec(select(Confirmation).where(col(Confirmation.answered_at).is_(None))).all()
        about = self.matters(session, rows)
        open_ones = {(row.respondent, row.currency, *about[row.id or 0]) for row in rows}
        made = []
        for one in asked:
            if (one.respondent, one.currency, one.matter, one.subject) in open_ones:
                continue
            row = Confirmation(
                auditor=auditor,
                respondent=one.respondent,
                currency=one.currency,
                as_of=self._desk.clock.now(),
                books_minor=one.books_minor,
                nonce=secrets.token_hex(32),
                sent_at=self._desk.clock.now(),
            )
            session.add(row)
            session.flush()
            assert row.id is not None  # the flush gave it one
            session.add(ConfirmationMatter(confirmation_id=row.id, matter=one.matter, subject=one.subject))
            made.append(row)
        session.flush()
        return made

    def matters(self, session: Session, rows: Sequence[Confirmation]) -> dict[int, tuple[str, str]]:
        """(matter, subject) of each question by its number."""
        ids = [row.id or 0 for row in rows]
        found = dict.fromkeys(ids, (OWED, ""))
        for start in range(0, len(ids), 400):
            some = col(ConfirmationMatter.confirmation_id).in_(ids[start : start + 400])
            for one in session.exec(select(ConfirmationMatter).where(some)):
                found[one.confirmation_id] = (one.matter, one.subject)
        return found

    def statement(self, session: Session, row: Confirmation, answer_minor: int, remark: str) -> Statement:
        """What the counterparty signs: the question and its own figure, as a document a wallet can show."""
        return statement(
            self._desk.contracts.chain_id, "Confirmation", self.message(session, row, answer_minor, remark)
        )

    def message(self, session: Session, row: Confirmation, answer_minor: int, remark: str) -> dict[str, object]:
        """The fields of that document."""
        matter, subject = self.matters(session, [row])[row.id or 0]
        return {
            "question": "0x" + row.nonce,
            "respondent": row.respondent,
            "about": f"{matter} {subject}".strip(),
            "currency": row.currency,
            "asOf": row.as_of,
            "answer": answer_minor,
            "remark": remark,
        }

    def answer(
        self, session: Session, confirmation_id: int, *, answer_minor: int, remark: str, signatures: Sequence[bytes]
    ) -> Confirmation:
        """Keep a signed answer, once, as evidence of trust T2.

        Raises Problem `confirmation_unknown`, `confirmation_answered`, or `signature_not_of_signer`.
        """
        row = session.get(Confirmation, confirmation_id)
        if row is None:
            raise Problem("confirmation_unknown", confirmation=confirmation_id)
        if row.answered_at is not None:
            raise Problem("confirmation_answered")
        said = remark.strip()[:600]
        signed = self.statement(session, row, answer_minor, said)
        if not self._signed_by(session, row.respondent, signed.digest, signatures):
            raise Problem("signature_not_of_signer", act="confirmation", who=row.respondent)
        row.answer_minor, row.remark, row.answered_at = answer_minor, said, self._desk.clock.now()
        row.signature = ",".join(part.hex() for part in signatures)
        facts = {**row.model_dump(exclude={"evidence_id", "books_minor"}), "statement": signed.typed_data}
        row.evidence_id = evidence.record(
            session,
            json.dumps(facts, sort_keys=True, ensure_ascii=False).encode(),
            kind="confirmation",
            source="counterparty",
            sender=row.respondent,
            trust=Trust.T2,
            received_at=row.answered_at,
            name=f"confirmation {row.id}",
        ).evidence_id
        session.add(row)
        session.flush()
        return row

    def all(self, session: Session, *, limit: int = 500) -> Sequence[Confirmation]:
        """Every question, those that differ first, then the unanswered, then the rest."""
        rows = session.exec(select(Confirmation).order_by(col(Confirmation.id).desc()).limit(limit)).all()
        return sorted(rows, key=lambda row: (not row.differs, row.answered_at is not None, -(row.id or 0)))

    def of(self, session: Session, addresses: Collection[str]) -> Sequence[Confirmation]:
        """Questions to these addresses, newest first."""
        query = select(Confirmation).where(col(Confirmation.respondent).in_(addresses))
        return session.exec(query.order_by(col(Confirmation.id).desc()).limit(50)).all()

    def _signed_by(self, session: Session, address: str, signed: bytes, parts: Sequence[bytes]) -> bool:
        """Whether the member's key, a person's or a two-key account, made these signatures."""
        member = session.get(Member, address)
        if member is None or not parts:
            return False
        try:
            if len(parts) == 1 and recover_digest(signed, parts[0]) == member.key:
                return True
            joined = b"".join(sort_signatures(signed, parts))
            return account_signed(self._desk.ledger, member.key, signed, joined)
        except Problem:
            return False
