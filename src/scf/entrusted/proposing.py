"""An account is opened by two houses, each on its own: one proposes and signs, the other reads, consents and signs.

The second house's signature carries the opening to the ledger, once. Until then nothing is open, and either may say no.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, or_, select

from scf.desk.service import Desk, Prepared
from scf.entrusted.opening import agreed_text, opening_summary
from scf.entrusted.service import SIGNATURE_VALID_SECONDS, EntrustedAccounts
from scf.kernel.dates import day_of
from scf.kernel.money import currency, format_money
from scf.kernel.problems import Problem
from scf.ledger.signing import recover_digest
from scf.parties.models import Member
from scf.parties.service import Parties
from scf.receivables.service import plain
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

Tell = Callable[[Session, str, str, str, Mapping[str, str], str], object]
"""Tells a member: key, recipient, kind, words, evidence id of the proof."""


class OpeningProposal(SQLModel, table=True):
    """An account one side proposed and signed. Times in unix seconds, amounts in minor units."""

    __tablename__ = "opening_proposal"

    id: str = Field(primary_key=True, max_length=66, description="Digest both sides sign")
    payer: str = Field(index=True, max_length=42)
    beneficiary: str = Field(index=True, max_length=42)
    message: str = Field(sa_type=sa.Text)
    summary_en: str = Field(sa_type=sa.Text)
    summary_zh: str = Field(sa_type=sa.Text)
    currency: str = Field(max_length=3)
    amount_minor: int = Field(sa_type=BigInteger)
    signed: str = Field(sa_type=sa.Text, description="Side -> signer -> signature, JSON")
    made_by: str = Field(max_length=42)
    made_at: int = Field(sa_type=BigInteger)
    valid_until: int = Field(sa_type=BigInteger)
    state: str = Field(
        default="waiting", index=True, max_length=10, description="waiting, opened, refused or withdrawn"
    )
    reason: str | None = Field(default=None, sa_type=sa.Text)
    ended_by: str | None = Field(default=None, max_length=42)
    account: int | None = Field(default=None, sa_type=BigInteger)
    evidence_id: str = Field(max_length=64, description="The text both sides read")


class Openings:
    """The door to proposed accounts."""

    def __init__(self, desk: Desk, parties: Parties, room: EntrustedAccounts, *, tell: Tell | None = None) -> None:
        self._desk = desk
        self._parties = parties
        self._room = room
        self._tell = tell

    def propose(self, session: Session, prepared: Prepared, by: str, signature: bytes) -> OpeningProposal:
        """One side signs what it prepared and lays it before the other; the same again is one proposal.

        Raises Problem `opening_not_yours`, `signature_not_of_signer`.
        """
        name = "0x" + prepared.digest.hex()
        known = session.get(OpeningProposal, name)
        if known is None:
            message, now = prepared.message, self._desk.clock.now()
            text = self.text(session, message)
            kept = evidence.record(
                session,
                canonical_json({"account": text, "digest": name}),
                kind="opening",
                source="scf",
                sender=by,
                trust=Trust.T1,
                received_at=now,
            )
            known = OpeningProposal(
                id=name,
                payer=str(message["payer"]),
                beneficiary=str(message["beneficiary"]),
                message=json.dumps(plain(message)),
                summary_en=prepared.summary["en"],
                summary_zh=prepared.summary["zh-CN"],
                currency=_code(message),
                amount_minor=sum(int(stage["amount"]) for stage in message["stages"]),
                signed="{}",
                made_by=by,
                made_at=now,
                valid_until=now + SIGNATURE_VALID_SECONDS,
                evidence_id=kept.evidence_id,
            )
            session.add(known)
            session.flush()
        self._take(session, known, by, signature)
        for side in self.missing(session, known):
            self._say(
                session,
                known,
                f"opening:{name[2:34]}:{side[2:12]}",
                side,
                f"{self._parties.name_of(session, known.made_by)} asks you to agree to a locked account. "
                + known.summary_en,
                f"{self._parties.name_of(session, known.made_by)} 请您同意开立受托支付账户。" + known.summary_zh,
            )
        return known

    def sign(self, proposal_id: str, by: str, signature: bytes) -> OpeningProposal:
        """The other side (or a second person of the same) signs; once both sides have, the account is opened.

        Raises Problem `opening_unknown`, `opening_over`, `opening_expired`, `opening_not_yours`, `opening_signed`,
        `signature_not_of_signer`, and what the ledger refuses.
        """
        with self._desk.session() as session:
            row = self.one(session, proposal_id)
            if row.state == "opened":
                return row
            self._require_waiting(row)
            self._take(session, row, by, signature)
            if self.missing(session, row):
                return row
            parts = json.loads(row.signed)
            signatures = [
                [bytes.fromhex(part) for part in parts[side].values()] for side in (row.payer, row.beneficiary)
            ]
            message, key = self._message(row), f"opening:{row.id[2:66]}"
        reply = self._room.submit("open", message, signatures, key=key, caller="openings")
        with self._desk.session() as session:
            row = self.one(session, proposal_id)
            row.state, row.account = "opened", int(reply["account"])
            session.add(row)
            for side in (row.payer, row.beneficiary, str(message["bank"])):
                self._say(
                    session,
                    row,
                    f"opened:{row.id[2:34]}:{side[2:12]}",
                    side,
                    f"Entrusted account {row.account} is open; the bank has to confirm that the money is locked.",
                    f"受托支付账户 {row.account} 已开立，等待银行确认资金锁定。",
                )
            session.flush()
            return row

    def refuse(self, session: Session, proposal_id: str, by: str, reason: str) -> OpeningProposal:
        """A side says no, or takes its own proposal back; the other reads why.

        Raises Problem `opening_unknown`, `opening_over`, `opening_not_yours`, `opening_refusal_without_reason`.
        """
        row = self.one(session, proposal_id)
        if row.state != "waiting":
            raise Problem("opening_over", state=row.state)
        side = self._side(session, row, by)
        if not reason.strip():
            raise Problem("opening_refusal_without_reason")
        own = self._parties.organisation_id(session, row.made_by) == self._parties.organisation_id(session, side)
        row.state = "withdrawn" if own else "refused"
        row.reason, row.ended_by = reason.strip()[:1000], by
        session.add(row)
        session.flush()
        who = self._parties.name_of(session, by)
        for other in {row.payer, row.beneficiary} - {side}:
            self._say(
                session,
                row,
                f"no:{row.id[2:34]}:{other[2:12]}",
                other,
                f"{who} {'took back' if own else 'did not agree to'} a locked account: {row.reason}",
                f"{who} {'撤回了' if own else '不同意'}开立受托支付账户：{row.reason}",
            )
        return row

    def of(self, session: Session, addresses: Collection[str] | None) -> Sequence[OpeningProposal]:
        """Proposals of these addresses (None: all), those that wait first, then the newest."""
        query = select(OpeningProposal).order_by(
            col(OpeningProposal.state) != "waiting", col(OpeningProposal.made_at).desc(), col(OpeningProposal.id)
        )
        if addresses is not None:
            query = query.where(
                or_(col(OpeningProposal.payer).in_(addresses), col(OpeningProposal.beneficiary).in_(addresses))
            )
        return session.exec(query).all()

    def sides_of_text(self, session: Session, evidence_id: str) -> set[str]:
        """Both sides of the proposals whose filed text this is."""
        query = select(OpeningProposal).where(OpeningProposal.evidence_id == evidence_id)
        return {side for row in session.exec(query) for side in (row.payer, row.beneficiary)}

    def one(self, session: Session, proposal_id: str) -> OpeningProposal:
        """One proposal. Raises Problem `opening_unknown`."""
        row = session.get(OpeningProposal, proposal_id.lower())
        if row is None:
            raise Problem("opening_unknown", proposal=proposal_id[:14])
        return row

    def prepared(self, row: OpeningProposal) -> Prepared:
        """What a side signs, as it was proposed."""
        return self._desk.prepare(
            "open",
            "EntrustedAccounts",
            "Opening",
            self._message(row),
            signers=(row.payer, row.beneficiary),
            summary={"en": row.summary_en, "zh-CN": row.summary_zh},
        )

    def prepare_again(self, message: Mapping[str, Any]) -> Prepared:
        """An opening prepared here, from its message alone; payee, use and consent are asked again.

        Raises Problem `consent_missing` for words nobody filed, or of the rule that refuses.
        """
        with self._desk.session() as session:
            self._room.rules.opening(session, message)
            names = [self._parties.name_of(session, str(message[side])) for side in ("payer", "beneficiary")]
        total = format_money(sum(int(one["amount"]) for one in message["stages"]), _code(message))
        count = len(message["stages"])
        return self._desk.prepare(
            "open",
            "EntrustedAccounts",
            "Opening",
            dict(message),
            signers=(str(message["payer"]), str(message["beneficiary"])),
            summary=opening_summary(names[0], names[1], total, count),
        )

    def text(self, session: Session, message: Mapping[str, Any]) -> dict[str, list[str]]:
        """Everything that is agreed, line by line, read back from what is signed."""
        return agreed_text(session, self._parties, message)

    def missing(self, session: Session, row: OpeningProposal) -> list[str]:
        """Sides that have not signed yet, payer first."""
        signed, message = json.loads(row.signed), self._message(row)
        sides = (row.payer, row.beneficiary)
        return [side for side in sides if not self._is_whole(session, side, message, signed.get(side))]

    def is_expired(self, row: OpeningProposal) -> bool:
        """Whether its time to be signed is over."""
        return row.state == "waiting" and row.valid_until <= self._desk.clock.now()

    def turn(self, session: Session, row: OpeningProposal) -> dict[str, str]:
        """Whose turn it is, in one sentence a language."""
        day = day_of(row.valid_until).isoformat()
        who = ", ".join(self._parties.name_of(session, side) for side in self.missing(session, row))
        if self.is_expired(row):
            return {"en": f"Nobody's: it ran out on {day}.", "zh-CN": f"无需操作：已于 {day} 过期。"}
        return {
            "waiting": {
                "en": f"{who} has to read and sign until {day}.",
                "zh-CN": f"等待 {who} 于 {day} 前阅读并签署。",
            },
            "opened": {"en": "Nobody's: both sides signed.", "zh-CN": "无需操作：双方已签署。"},
            "refused": {"en": f"Nobody's: refused. {row.reason}", "zh-CN": f"无需操作：已拒绝。{row.reason}"},
            "withdrawn": {"en": f"Nobody's: taken back. {row.reason}", "zh-CN": f"无需操作：已撤回。{row.reason}"},
        }[row.state]

    # Inside ----------------------------------------------------------------------------------------------------------

    def _take(self, session: Session, row: OpeningProposal, by: str, signature: bytes) -> None:
        side = self._side(session, row, by)
        if side not in self.missing(session, row):
            raise Problem("opening_signed", who=self._parties.name_of(session, by))
        digest = bytes.fromhex(row.id[2:])
        member = session.get(Member, by)
        if recover_digest(digest, signature) != (member.key if member else by):
            raise Problem("signature_not_of_signer", act="Opening", who=by)
        signed = json.loads(row.signed)
        signed.setdefault(side, {})[by] = signature.hex()
        row.signed = json.dumps(signed)
        session.add(row)
        session.flush()

    def _is_whole(
        self, session: Session, side: str, message: Mapping[str, Any], parts: Mapping[str, str] | None
    ) -> bool:
        if not parts:
            return False
        key = self._parties.member(session, side).key
        kind = ("EntrustedAccounts", "Opening", message)
        joined = self._desk.join_signatures(*kind, [bytes.fromhex(part) for part in parts.values()])
        try:
            self._desk.require_signature(*kind, key, joined)
        except Problem:
            return False
        return True

    def _side(self, session: Session, row: OpeningProposal, by: str) -> str:
        house = self._parties.organisation_id(session, by)
        for side in (row.payer, row.beneficiary):
            if by == side or (house is not None and house == self._parties.organisation_id(session, side)):
                return side
        raise Problem("opening_not_yours", who=self._parties.name_of(session, by))

    def _require_waiting(self, row: OpeningProposal) -> None:
        if row.state != "waiting":
            raise Problem("opening_over", state=row.state)
        if self.is_expired(row):
            raise Problem("opening_expired", day=day_of(row.valid_until).isoformat())

    def _message(self, row: OpeningProposal) -> dict[str, Any]:
        return dict(json.loads(row.message))

    def _say(self, session: Session, row: OpeningProposal, key: str, who: str, en: str, zh: str) -> None:
        if self._tell is not None:
            self._tell(session, key, who, "opening", {"en": en, "zh-CN": zh}, row.evidence_id)


def _code(message: Mapping[str, Any]) -> str:
    return currency(int(message["currency"])).code
