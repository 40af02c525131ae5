"""The blacklist and the guarantors: every entry has a reason, evidence, an authority and an end.

An entry stands on the ledger too: two operators sign the members' standing. From then on it is a hold like any other:
its appeal and its end are in the room of holds. Nothing here touches a balance: who is listed keeps what it holds and
is paid at maturity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlmodel import Session, col, select

from scf.desk.service import Desk, Prepared
from scf.kernel.clock import today
from scf.kernel.identifiers import parse_uscc
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.intents import sort_signatures
from scf.parties.models import Member, Organisation
from scf.parties.service import Parties, Role
from scf.risk.models import Guarantee, Guarantor, ListEntry
from scf.store.evidence import EvidenceBytes

BLACKLISTED = 2
LONGEST_DAYS = 366
Sign = Callable[[Sequence[Prepared]], Sequence[Sequence[bytes]]]
"""Two operators' signatures over each act."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as people see it."""

    row: ListEntry
    name: str
    days_left: int


class Lists:
    """The door to the blacklist and the guarantors."""

    def __init__(self, desk: Desk, parties: Parties) -> None:
        self._desk = desk
        self._parties = parties

    # Blacklist -------------------------------------------------------------------------------------------------------

    def propose(
        self,
        session: Session,
        organisation_id: int,
        *,
        reason: str,
        evidence_id: str,
        authority: str,
        until: str,
        by: str,
    ) -> ListEntry:
        """Propose an entry; a second operator has to agree.

        Raises Problem `operator_needed`, `unknown_organisation`, `list_entry_incomplete` naming what is missing,
        `list_entry_evidence`, `list_entry_until` or `list_entry_exists`.
        """
        self._operator(session, by)
        if session.get(Organisation, organisation_id) is None:
            raise Problem("unknown_organisation", organisation=organisation_id)
        for field, value in (("reason", reason), ("evidence", evidence_id), ("authority", authority), ("until", until)):
            if not value.strip():
                raise Problem("list_entry_incomplete", field=_FIELDS[field])
        if session.get(EvidenceBytes, evidence_id.strip().lower()) is None:
            raise Problem("list_entry_evidence", evidence=evidence_id[:64])
        last, now = _day(until), today(self._desk.clock)
        if not now < last <= now + timedelta(days=LONGEST_DAYS):
            raise Problem("list_entry_until", latest=(now + timedelta(days=LONGEST_DAYS)).isoformat())
        if self._standing(session, organisation_id) is not None:
            raise Problem("list_entry_exists")
        row = ListEntry(
            organisation_id=organisation_id,
            reason=reason.strip()[:1000],
            evidence_id=evidence_id.strip().lower(),
            authority=authority.strip()[:200],
            until=last.isoformat(),
            proposed_by=by,
            proposed_at=self._desk.clock.now(),
        )
        session.add(row)
        session.flush()
        return row

    def prepare(self, session: Session, entry_id: int) -> list[Prepared]:
        """What two operators sign so that the entry stands on the ledger: one act for each member."""
        row = self._entry(session, entry_id)
        why = "0x" + keccak(f"{row.id}|{row.state}|{row.reason}|{row.evidence_id}".encode()).hex()
        return self.standing_acts(session, row, why, ending=False)

    def standing_acts(self, session: Session, row: ListEntry, reason: str, *, ending: bool) -> list[Prepared]:
        """The acts that put a firm's members on the blacklist or take them off it, each with a nonce of its own."""
        nonce = int(self._desk.contracts.members.read(self._desk.ledger, "quorumNonce"))
        firm = session.get(Organisation, row.organisation_id)
        name = firm.name if firm else str(row.organisation_id)
        acts = []
        for place, member in enumerate(self._members(session, row.organisation_id)):
            standing = member.standing & 1 if ending else (member.standing & 1) | BLACKLISTED
            acts.append(
                self._desk.prepare(
                    "set_standing",
                    "Members",
                    "SetStanding",
                    {"member": member.address, "standing": standing, "reason": reason, "nonce": nonce + place},
                    signers=(),
                    summary={
                        "en": f"{'Take' if ending else 'Put'} {name} {'off' if ending else 'on'} the blacklist.",
                        "zh-CN": f"将 {name} {'移出' if ending else '列入'}黑名单。",
                    },
                )
            )
        return acts

    def entry(self, session: Session, entry_id: int) -> ListEntry:
        """One entry. Raises Problem `list_entry_unknown`."""
        return self._entry(session, entry_id)

    def agree(self, entry_id: int, by: str, sign: Sign) -> ListEntry:
        """A second operator agrees to what the first proposed, and it stands on the ledger.

        Raises Problem `operator_needed`, `same_operator`, `list_entry_over`, and what the ledger refuses.
        """
        with self._desk.session() as session:
            self._operator(session, by)
            row = self._entry(session, entry_id)
            if row.state != "proposed":
                raise Problem("list_entry_over", state=row.state)
            if by == row.proposed_by:
                raise Problem("same_operator")
            acts = self.prepare(session, entry_id)
        signed = sign(acts)
        calls = []
        for act, signatures in zip(acts, signed, strict=True):
            message = act.message
            ordered = sort_signatures(act.digest, signatures)
            call = self._desk.contracts.members.call(
                "setStanding", message["member"], message["standing"], message["reason"], ordered
            )
            calls.append((f"list:{entry_id}:proposed:{message['nonce']}", call))
        done = self._desk.relay(calls, check=len(calls) == 1)
        with self._desk.session() as session:
            row = self._entry(session, entry_id)
            row.state, row.agreed_by, row.agreed_at = "in_force", by, self._desk.clock.now()
            row.ledger_transaction = done[0].transaction_hash if done else None
            session.add(row)
            session.flush()
            return row

    def reject(self, session: Session, entry_id: int, *, reason: str, by: str) -> ListEntry:
        """A second operator does not agree to a proposed entry, or its proposer takes it back; the reason is kept."""
        self._operator(session, by)
        row = self._entry(session, entry_id)
        if row.state != "proposed":
            raise Problem("list_entry_over", state=row.state)
        if not reason.strip():
            raise Problem("list_entry_incomplete", field=_FIELDS["reason"])
        row.end_reason, row.state = reason.strip()[:1000], "rejected"
        session.add(row)
        session.flush()
        return row

    def entries(self, session: Session, *, organisation_id: int | None = None, limit: int = 200) -> list[Entry]:
        """Entries, those that end first on top; all firms', or one's."""
        query = select(ListEntry).order_by(col(ListEntry.until), col(ListEntry.id)).limit(limit)
        if organisation_id is not None:
            query = query.where(ListEntry.organisation_id == organisation_id)
        now = today(self._desk.clock)
        found = []
        for row in session.exec(query):
            firm = session.get(Organisation, row.organisation_id)
            found.append(Entry(row, firm.name if firm else "—", (date.fromisoformat(row.until) - now).days))
        return found

    def members_of_entry(self, session: Session, hold: str) -> Sequence[Member]:
        """Members of the firm an entry (named as a hold, `standing:NUMBER`) is about."""
        return self._members(session, self._entry(session, int(hold.split(":")[1])).organisation_id)

    def ended(self, session: Session, entry_id: int, reason: str, at: int) -> None:
        """Take note that the operators' act that ends an entry stands on the ledger."""
        row = self._entry(session, entry_id)
        row.state, row.end_reason, row.ended_at = "ended", reason[:1000], at
        session.add(row)
        session.flush()

    def is_held(self, session: Session, organisation_id: int) -> bool:
        """Whether an entry on this firm is in force."""
        query = select(ListEntry.id).where(ListEntry.organisation_id == organisation_id, ListEntry.state == "in_force")
        return session.exec(query.limit(1)).first() is not None

    # Guarantors ------------------------------------------------------------------------------------------------------

    def register_guarantor(
        self,
        session: Session,
        *,
        name: str,
        uscc: str,
        licence: str,
        licence_until: str,
        evidence_id: str,
        by: str,
        net_assets_minor: int | None = None,
    ) -> Guarantor:
        """Register a guarantor with its licence; without a valid one it is refused.

        Raises Problem `operator_needed`, `guarantor_without_licence`, `guarantor_licence_over`, `guarantor_exists`,
        `list_entry_incomplete`, `list_entry_evidence` or `wrong_check_digit`.
        """
        self._operator(session, by)
        if not name.strip():
            raise Problem("list_entry_incomplete", field=_FIELDS["name"])
        code = parse_uscc(uscc)
        if not licence.strip() or not licence_until.strip():
            raise Problem("guarantor_without_licence", name=name.strip()[:80])
        if _day(licence_until) <= today(self._desk.clock):
            raise Problem("guarantor_licence_over", name=name.strip()[:80], until=licence_until)
        if session.get(EvidenceBytes, evidence_id.strip().lower()) is None:
            raise Problem("list_entry_evidence", evidence=evidence_id[:64])
        if session.exec(select(Guarantor).where(Guarantor.uscc == code)).first() is not None:
            raise Problem("guarantor_exists", name=name.strip()[:80])
        row = Guarantor(
            name=name.strip()[:200],
            uscc=code,
            licence=licence.strip()[:80],
            licence_until=_day(licence_until).isoformat(),
            net_assets_minor=net_assets_minor,
            evidence_id=evidence_id.strip().lower(),
            registered_by=by,
            registered_at=self._desk.clock.now(),
        )
        session.add(row)
        session.flush()
        return row

    def guarantors(self, session: Session) -> list[tuple[Guarantor, int, int]]:
        """(guarantor, days its licence is still valid, what it stands for in minor units), soonest to lapse first."""
        now = today(self._desk.clock)
        found = []
        for row in session.exec(select(Guarantor).order_by(col(Guarantor.licence_until), col(Guarantor.id))):
            valid = Guarantee.guarantor_id == row.id, col(Guarantee.until) >= now.isoformat()
            limits = session.exec(select(Guarantee.limit_minor).where(*valid)).all()
            found.append((row, (date.fromisoformat(row.licence_until) - now).days, sum(limits)))
        return found

    # Inside ----------------------------------------------------------------------------------------------------------

    def _operator(self, session: Session, who: str) -> None:
        member = session.get(Member, who)
        if member is None or not Role(member.roles) & Role.OPERATOR:
            raise Problem("operator_needed")

    def _entry(self, session: Session, entry_id: int) -> ListEntry:
        found = session.get(ListEntry, entry_id)
        if found is None:
            raise Problem("list_entry_unknown", entry=entry_id)
        return found

    def _standing(self, session: Session, organisation_id: int) -> ListEntry | None:
        return session.exec(
            select(ListEntry).where(
                ListEntry.organisation_id == organisation_id,
                col(ListEntry.state).in_(("proposed", "in_force")),
            )
        ).first()

    def _members(self, session: Session, organisation_id: int) -> Sequence[Member]:
        return session.exec(
            select(Member).where(Member.organisation_id == organisation_id).order_by(col(Member.address))
        ).all()


_FIELDS: dict[str, Any] = {
    "reason": {"en": "the reason", "zh-CN": "理由"},
    "evidence": {"en": "the evidence", "zh-CN": "证据"},
    "authority": {"en": "the authority", "zh-CN": "依据的机关或制度"},
    "until": {"en": "the last day", "zh-CN": "截止日期"},
    "name": {"en": "the name", "zh-CN": "名称"},
}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise Problem("unreadable_date", text=text[:40]) from error
