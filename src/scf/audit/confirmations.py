"""External confirmations (ISA 505): the auditor asks, the counterparty answers in its own signed words.

The answer is signed by the counterparty's key over question and figure, so that nobody between can change it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from scf.desk.service import Desk
from scf.kernel.problems import Problem
from scf.ledger.contracts import account_signed
from scf.ledger.hashing import keccak
from scf.ledger.intents import sort_signatures
from scf.ledger.signing import recover_digest
from scf.parties.models import Member
from scf.receivables.models import Receivable, ReceivableState
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust


class Confirmation(SQLModel, table=True):
    """One question to one counterparty and its answer. Amounts in minor units, times in unix seconds."""

    __tablename__ = "audit_confirmation"

    id: int | None = Field(default=None, primary_key=True)
    auditor: str = Field(max_length=42)
    respondent: str = Field(index=True, max_length=42)
    currency: str = Field(max_length=3)
    as_of: int = Field(sa_type=BigInteger)
    books_minor: int = Field(sa_type=BigInteger, description="What the books say it owes; never shown to it")
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

    def send(self, session: Session, auditor: str) -> list[Confirmation]:
        """Ask every obligor with something outstanding what it owes; who has an open question is not asked again."""
        open_ones = set(session.exec(select(Confirmation.respondent).where(col(Confirmation.answered_at).is_(None))))
        sums = session.execute(
            sa.select(col(Receivable.obligor), col(Receivable.currency), sa.func.sum(col(Receivable.outstanding_minor)))
            .where(col(Receivable.state) != ReceivableState.CANCELLED, col(Receivable.outstanding_minor) > 0)
            .group_by(col(Receivable.obligor), col(Receivable.currency))
        ).all()
        made = []
        for obligor, code, minor in sums:
            if obligor in open_ones:
                continue
            row = Confirmation(
                auditor=auditor,
                respondent=obligor,
                currency=code,
                as_of=self._desk.clock.now(),
                books_minor=int(minor),
                nonce=secrets.token_hex(32),
                sent_at=self._desk.clock.now(),
            )
            session.add(row)
            made.append(row)
        session.flush()
        return made

    def digest(self, row: Confirmation, answer_minor: int, remark: str) -> bytes:
        """What the counterparty signs: keccak-256 of the canonical question and answer."""
        facts = {
            "confirmation": row.nonce,
            "respondent": row.respondent,
            "currency": row.currency,
            "as_of": row.as_of,
            "answer_minor": str(answer_minor),
            "remark": remark,
        }
        return keccak(canonical_json(facts))

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
        if not self._signed_by(session, row.respondent, self.digest(row, answer_minor, said), signatures):
            raise Problem("signature_not_of_signer", act="confirmation", who=row.respondent)
        row.answer_minor, row.remark, row.answered_at = answer_minor, said, self._desk.clock.now()
        row.signature = ",".join(part.hex() for part in signatures)
        facts = {**row.model_dump(exclude={"evidence_id", "books_minor"})}
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
