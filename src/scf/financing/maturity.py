"""Maturity: reminders, money in, overdue, cure, recourse, waterfall, write-off. The second door of this room.

Bank lines become prepared attestations for the paying bank to sign; nothing here says that money moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from scf.bank.calendar import BankCalendar, ChinaCalendar
from scf.bank.models import BankLine
from scf.desk.service import Desk, Done, Prepared
from scf.financing.collecting import Finding, divide, due_day, match, owed
from scf.financing.competing import claim_rank, claims_on
from scf.financing.models import BuyBackDemand, CollectedLine, WriteOff
from scf.financing.price import late_days, late_interest_minor
from scf.financing.priority import distribute
from scf.financing.undoing import is_payout_back, reversed_before
from scf.financing.waterfall import Allocation, Owed, allocate
from scf.kernel.clock import today
from scf.kernel.dates import day_of, days_between
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.types import Call
from scf.parties.models import Member
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Financing, Note, NoteState, Receivable
from scf.receivables.service import Receivables, plain, reference_hash
from scf.rulebook.decisions import Decisions, LateTerms
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

BUY_BACK_DAYS = 10
REMIND_DAYS_BEFORE = (7, 3, 1, 0)


@dataclass(frozen=True, slots=True)
class Reminder:
    """A receivable that falls due in `days_left` days, with what is still owed in minor units."""

    receivable_id: int
    obligor: str
    due_on: date
    days_left: int
    outstanding_minor: int
    currency: str


class Maturity:
    """What happens when receivables fall due."""

    def __init__(
        self,
        desk: Desk,
        parties: Parties,
        receivables: Receivables,
        decisions: Decisions,
        *,
        calendar: BankCalendar | None = None,
    ) -> None:
        self._desk = desk
        self._decisions = decisions
        self._parties = parties
        self._receivables = receivables
        self.calendar = calendar or ChinaCalendar(beyond="weekdays")
        self._reported: set[int] = set()

    def due_day(self, maturity: int) -> date:
        """Last day on which payment is in time."""
        return due_day(maturity, self.calendar)

    def lateness(self, row: Receivable) -> LateTerms:
        """What each day of delay of a receivable costs, as the rulebook says for the day it fell due."""
        return self._decisions.late_terms(self.due_day(row.maturity), row.currency)

    # Before maturity -------------------------------------------------------------------------------------------------

    def reminders(self, session: Session, days_before: Sequence[int] = REMIND_DAYS_BEFORE) -> list[Reminder]:
        """Receivables that fall due in exactly so many days, soonest first."""
        now = today(self._desk.clock)
        rows = session.exec(
            select(Receivable)
            .where(Receivable.state == "live", Receivable.outstanding_minor > 0)
            .order_by(col(Receivable.maturity), col(Receivable.id))
        )
        found = []
        for row in rows:
            due = due_day(row.maturity, self.calendar)
            left = days_between(now, due)
            if left in days_before:
                found.append(Reminder(row.id, row.obligor, due, left, row.outstanding_minor, row.currency))
        return found

    # Money in --------------------------------------------------------------------------------------------------------

    def take_lines(self, session: Session, account: str) -> list[CollectedLine]:
        """Say what each new line of a repayment account means; a line is looked at once. Reversals flag, never undo."""
        seen = select(CollectedLine.line_id).where(CollectedLine.account == account)
        undone = col(BankLine.is_reversal) | col(BankLine.return_reason).is_not(None)
        lines = session.exec(
            select(BankLine)
            .where(
                BankLine.account == account,
                BankLine.trust >= Trust.T3,
                ~col(BankLine.is_superseded),
                (col(BankLine.amount_minor) > 0) | undone,  # not our own payments out
                col(BankLine.id).not_in(seen),
            )
            .order_by(col(BankLine.booked_on), col(BankLine.id))
        ).all()
        fresh = []
        for line in lines:
            is_credit = line.amount_minor > 0 and not line.is_reversal
            row = self._credit(session, line) if is_credit else self._reversal(session, line)
            session.add(row)
            session.flush()
            fresh.append(row)
        return fresh

    def exceptions(self, session: Session) -> Sequence[CollectedLine]:
        """Lines a person has to look at: matched to nothing, to several, too much, or reversed; oldest first."""
        return session.exec(
            select(CollectedLine)
            .where((CollectedLine.state == "exception") | (CollectedLine.surplus_minor > 0))
            .order_by(col(CollectedLine.line_id))
        ).all()

    def prepare_attestation(self, line_id: int) -> Prepared:
        """The payment a line proves, for the paying bank to sign.

        Raises Problem `line_not_payable`, or of the rule on late interest or on competing claims that refuses it.
        """
        with self._desk.session() as session:
            row = session.get(CollectedLine, line_id)
            if row is None or row.state != "prepared" or row.receivable_id is None:
                raise Problem("line_not_payable", line=line_id, finding=row.finding if row else "-")
            receivable = queries.receivable(session, row.receivable_id)
            decisions = [self._decisions.require("settle_claim", {"claim_rank": claim_rank(session, receivable)})]
            if row.interest_minor:
                late = self._decisions.late_facts(self.due_day(receivable.maturity), receivable.currency)
                decisions.append(self._decisions.require("late_interest", late))
            for decision in decisions:
                if decision.findings:
                    self._decisions.keep(session, decision, f"receivable {receivable.id} line {line_id}")
        return self._receivables.prepare_payment(
            row.receivable_id, row.principal_minor, row.bank_reference, interest_minor=row.interest_minor
        )

    def assign(self, session: Session, line_id: int, receivable_id: int) -> CollectedLine:
        """A person says which receivable an unexplained credit pays. Raises Problem `line_not_payable`."""
        row = session.get(CollectedLine, line_id)
        if row is None or row.finding not in (Finding.UNMATCHED, Finding.AMBIGUOUS):
            raise Problem("line_not_payable", line=line_id, finding=row.finding if row else "-")
        self._divide(session, row, queries.receivable(session, receivable_id))
        row.found_by = "person"
        session.add(row)
        session.flush()
        return row

    def _credit(self, session: Session, line: BankLine) -> CollectedLine:
        row = self._row(line)
        if is_payout_back(session, line):
            row.found_by, row.finding = "end_to_end", Finding.PAYOUT_BACK
            return row
        receivable, row.found_by, wrong = match(session, line, self.calendar, self.lateness)
        gone = reversed_before(session, line)  # files come in any order
        if gone is not None:
            row.receivable_id = gone.receivable_id = receivable.id if receivable else None
            row.state = gone.state = "cancelled"
            row.finding = gone.finding = Finding.REVERSED
            session.add(gone)
            return row
        if receivable is None:
            row.finding, row.state = wrong or Finding.UNMATCHED, "exception"
        else:
            self._divide(session, row, receivable)
        return row

    def _divide(self, session: Session, row: CollectedLine, receivable: Receivable) -> None:
        principal, interest = owed(session, receivable, row.value_on, self.calendar, self.lateness)
        days = late_days(due_day(receivable.maturity, self.calendar), row.value_on)
        division = divide(row.amount_minor, principal, interest, days)
        row.receivable_id = receivable.id
        row.finding = division.finding
        row.principal_minor, row.interest_minor = division.principal_minor, division.interest_minor
        row.surplus_minor, row.days_late = division.surplus_minor, division.days_late
        row.state = "prepared" if division.principal_minor else "exception"

    def _reversal(self, session: Session, line: BankLine) -> CollectedLine:
        """The bank took a credit back: an unattested payment is cancelled; money already settled stays evidence."""
        row = self._row(line)
        row.found_by, row.state, row.finding = "reversal", "exception", Finding.UNMATCHED
        query = select(CollectedLine).where(
            CollectedLine.account == line.account,
            CollectedLine.amount_minor == -line.amount_minor,
            CollectedLine.state == "prepared",
        )
        if line.end_to_end_id:
            query = query.where(CollectedLine.end_to_end_id == line.end_to_end_id)
        credit = session.exec(query.order_by(col(CollectedLine.line_id).desc())).first()
        if credit is None:
            return row
        row.receivable_id = credit.receivable_id
        attested = {one.bank_reference for one in queries.payments_of(session, credit.receivable_id or 0)}
        if credit.reference_hash in attested:
            row.finding = Finding.REVERSED_AFTER_SETTLEMENT
        else:
            credit.state, row.state, row.finding = "cancelled", "cancelled", Finding.REVERSED
            session.add(credit)
        return row

    def _row(self, line: BankLine) -> CollectedLine:
        reference = line.bank_reference or f"line {line.id}"
        return CollectedLine(
            line_id=line.id or 0,
            account=line.account,
            found_by="nothing",
            finding=Finding.UNMATCHED,
            state="exception",
            amount_minor=line.amount_minor,
            value_on=line.value_on or line.booked_on,
            bank_reference=reference,
            reference_hash=reference_hash(reference),
            end_to_end_id=line.end_to_end_id,
            evidence_id=line.evidence_id,
            noted_at=self._desk.clock.now(),
        )

    # Overdue ---------------------------------------------------------------------------------------------------------

    def overdue(self, session: Session) -> list[Receivable]:
        """Receivables unpaid after the last day on which payment was in time."""
        now, day = self._desk.clock.now(), today(self._desk.clock)
        return [row for row in queries.overdue(session, now) if due_day(row.maturity, self.calendar) < day]

    def overdue_of(self, session: Session, obligor: str) -> list[Receivable]:
        """An obligor's overdue receivables, as `overdue` counts them."""
        return [row for row in self.overdue(session) if row.obligor == obligor]

    def halt_overdue(self) -> list[Done]:
        """Report each overdue receivable to the ledger, which halts its obligor by fact. Each is reported once."""
        with self._desk.session() as session:
            numbers = [row.id for row in self.overdue(session) if row.id not in self._reported]
        members, done = self._desk.contracts.members, []
        for number in numbers:
            reference = f"overdue:{number}"
            if self._desk.sent(reference) is None:
                done += self._desk.relay([(reference, members.call("haltOverdue", number))])
            self._reported.add(number)
        return done

    def prepare_cure(self, obligor: str, evidence_id: str) -> Prepared:
        """Typed data for the operators' quorum that ends a halt, on evidence that everything was paid.

        Raises Problem `obligor_not_halted`, `obligor_still_overdue` or `evidence_not_filed`.
        """
        with self._desk.session() as session:
            member = self._parties.member(session, obligor)
            name = self._parties.name_of(session, obligor)
            if not member.halted:
                raise Problem("obligor_not_halted", who=name)
            unpaid = self.overdue_of(session, obligor)
            if unpaid:
                raise Problem("obligor_still_overdue", who=name, count=len(unpaid), receivable=unpaid[0].id)
            if not evidence.records_of(session, evidence_id):
                raise Problem("evidence_not_filed", evidence=evidence_id[:12] + "…")
        nonce = self._desk.contracts.members.read(self._desk.ledger, "quorumNonce")
        return self._desk.prepare(
            "cure",
            "Members",
            "Cure",
            {"obligor": obligor, "evidence": "0x" + evidence_id, "nonce": nonce},
            signers=(),
            summary={
                "en": f"You let {name} issue again: nothing of it is overdue.",
                "zh-CN": f"您恢复 {name} 的开立资格：其已无逾期。",
            },
        )

    def cure(
        self, message: Mapping[str, Any], signatures: Sequence[bytes], *, key: str, caller: str
    ) -> Mapping[str, Any]:
        """End a halt by operator quorum, once."""

        def build() -> Call:
            call = self._desk.contracts.members.call
            return call("cure", message["obligor"], message["evidence"], list(signatures))

        def reply(done: Done) -> Mapping[str, Any]:
            return {"cured": message["obligor"], "transaction": done.transaction_hash}

        return self._desk.once(key, caller, "cure", plain(message), build, reply)

    # Financed notes --------------------------------------------------------------------------------------------------

    def waterfall(
        self, session: Session, note_id: str, *, on: date | None = None, cost_minor: int = 0, extra_minor: int = 0
    ) -> Allocation:
        """What one financed note brought so far, applied cost → penalty → fees → interest → principal → residual.

        `extra_minor` is money that came outside the ledger (a buy-back). Raises Problem `unknown_financing`.
        """
        terms, note = self._financed(session, note_id)
        row = queries.receivable(session, terms.receivable_id)
        due = due_day(row.maturity, self.calendar)
        days = late_days(due, on or today(self._desk.clock))
        left = note.amount_minor if note.state != NoteState.SETTLED else 0
        claim = Owed(
            cost_minor=cost_minor,
            penalty_minor=note.interest_minor + late_interest_minor(left, days, self.lateness(row).ppm_per_day),
            fees_minor=terms.fees_minor,
            interest_minor=terms.discount_minor,
            principal_minor=terms.net_minor,
        )
        return allocate(note.settled_minor + note.interest_minor + extra_minor, claim, recourse=terms.recourse)

    def demand_buy_backs(self, session: Session, receivable_id: int) -> list[BuyBackDemand]:
        """Ask the assignor of each note financed with recourse, and of that note only, to buy it back; once a note."""
        row = queries.receivable(session, receivable_id)
        if row not in self.overdue(session):
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
        if row not in self.overdue(session) or not note.amount_minor:
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

    def halted(self, session: Session) -> Sequence[Member]:
        """Obligors that may not issue now."""
        return session.exec(select(Member).where(Member.halted).order_by(col(Member.address))).all()

    def overdue_words(self, session: Session, row: Receivable) -> dict[str, str]:
        """What is owed today, in one sentence a language."""
        principal, interest = owed(session, row, today(self._desk.clock), self.calendar, self.lateness)
        name = self._parties.name_of(session, row.obligor)
        debt, late = format_money(principal, row.currency), format_money(interest, row.currency)
        return {
            "en": f"{name} is overdue with {debt}; late interest so far {late}.",
            "zh-CN": f"{name} 逾期未付 {debt}，截至今日逾期利息 {late}。",
        }

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
