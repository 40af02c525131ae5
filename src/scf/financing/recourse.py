"""What follows when an obligor does not pay: waterfall, buy-back demands, ranks of claims, write-offs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from scf.desk.service import Desk
from scf.financing.collecting import Lateness
from scf.financing.competing import claims_on
from scf.financing.models import BuyBackDemand, WriteOff
from scf.financing.price import late_days, late_interest_minor
from scf.financing.priority import distribute
from scf.financing.waterfall import Allocation, Owed, allocate
from scf.kernel.clock import today
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Financing, Note, NoteState, Receivable
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

BUY_BACK_DAYS = 10


class Recourse:
    """Claims on what is overdue: what a financed note still brings, from whom, and who comes first."""

    def __init__(
        self,
        desk: Desk,
        parties: Parties,
        overdue: Callable[[Session], list[Receivable]],
        due_day: Callable[[int], date],
        lateness: Lateness,
    ) -> None:
        self._desk = desk
        self._parties = parties
        self._overdue = overdue
        self._due_day = due_day
        self._lateness = lateness

    def waterfall(
        self, session: Session, note_id: str, *, on: date | None = None, cost_minor: int = 0, extra_minor: int = 0
    ) -> Allocation:
        """What one financed note brought so far, applied cost → penalty → fees → interest → principal → residual.

        `extra_minor` is money that came outside the ledger (a buy-back). Raises Problem `unknown_financing`.
        """
        terms, note = self._financed(session, note_id)
        row = queries.receivable(session, terms.receivable_id)
        due = self._due_day(row.maturity)
        days = late_days(due, on or today(self._desk.clock))
        left = note.amount_minor if note.state != NoteState.SETTLED else 0
        claim = Owed(
            cost_minor=cost_minor,
            penalty_minor=note.interest_minor + late_interest_minor(left, days, self._lateness(row).ppm_per_day),
            fees_minor=terms.fees_minor,
            interest_minor=terms.discount_minor,
            principal_minor=terms.net_minor,
        )
        return allocate(note.settled_minor + note.interest_minor + extra_minor, claim, recourse=terms.recourse)

    def demand_buy_backs(self, session: Session, receivable_id: int) -> list[BuyBackDemand]:
        """Ask the assignor of each note financed with recourse, and of that note only, to buy it back; once a note."""
        row = queries.receivable(session, receivable_id)
        if row not in self._overdue(session):
            return []
        now = self._desk.clock.now()
        made = []
        financings = session.exec(
            select(Financing).where(Financing.receivable_id == receivable_id, col(Financing.completed_at).is_not(None))
        ).all()
        for terms in financings:
            allocation = self.waterfall(session, terms.note_id)
            if not allocation.buy_back_minor or session.get(BuyBackDemand, terms.note_id) is not None:
                continue
            facts = {
                "note": terms.note_id,
                "quote": terms.quote_hash,
                "assignor": terms.seller,
                "financier": terms.financier,
                "received_minor": allocation.received_minor,
                "amount_minor": allocation.buy_back_minor,
                "on": day_of(now).isoformat(),
            }
            demand = BuyBackDemand(
                note_id=terms.note_id,
                receivable_id=receivable_id,
                financier=terms.financier,
                assignor=terms.seller,
                received_minor=allocation.received_minor,
                amount_minor=allocation.buy_back_minor,
                demanded_at=now,
                pay_until=now + BUY_BACK_DAYS * 86_400,
                evidence_id=self._keep(session, facts, "buy-back demand", terms.financier),
            )
            session.add(demand)
            made.append(demand)
        session.flush()
        return made

    def priority(self, session: Session, receivable_id: int, available_minor: int) -> dict[str, int]:
        """What each claim on a receivable gets of an amount (Civil Code, Art. 768), by note id or outside number."""
        return distribute(available_minor, claims_on(session, queries.receivable(session, receivable_id)))

    def write_off(self, session: Session, note_id: str, by: str, reason: str) -> WriteOff:
        """Its holder gives up an overdue note for its own accounts; the claim stays on the ledger.

        Raises Problem `not_the_holder`, `note_not_overdue`.
        """
        note = queries.note(session, note_id)
        if note.holder != by:
            raise Problem("not_the_holder", who=self._parties.name_of(session, by))
        known = session.get(WriteOff, note_id)
        if known is not None:
            return known
        row = queries.receivable(session, note.receivable_id)
        if row not in self._overdue(session) or not note.amount_minor:
            raise Problem("note_not_overdue", note=note_id[:12] + "…")
        facts = {"note": note_id, "holder": by, "amount_minor": note.amount_minor, "reason": reason}
        known = WriteOff(
            note_id=note_id,
            receivable_id=row.id,
            holder=by,
            amount_minor=note.amount_minor,
            reason=reason,
            written_at=self._desk.clock.now(),
            evidence_id=self._keep(session, facts, "write-off", by),
        )
        session.add(known)
        session.flush()
        return known

    def _financed(self, session: Session, note_id: str) -> tuple[Financing, Note]:
        terms = session.get(Financing, note_id)
        if terms is None:
            raise Problem("unknown_financing", note=note_id)
        return terms, queries.note(session, note_id)

    def _keep(self, session: Session, facts: Mapping[str, Any], kind: str, sender: str) -> str:
        return evidence.record(
            session,
            canonical_json(dict(facts)),
            kind=kind,
            source="scf",
            sender=sender,
            trust=Trust.T2,
            received_at=self._desk.clock.now(),
        ).evidence_id
