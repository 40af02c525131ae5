"""Maturity: reminders, money in, overdue and cure; `recourse` is what follows. The second door of this room.

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
from scf.financing.competing import claim_rank
from scf.financing.models import CollectedLine
from scf.financing.payouts import is_given_back, resolved
from scf.financing.price import late_days
from scf.financing.recourse import Recourse
from scf.financing.undoing import is_payout_back, made_good, reversed_before
from scf.kernel.clock import today
from scf.kernel.dates import days_between
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.types import Call
from scf.parties.models import Member
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Payment, Receivable
from scf.receivables.service import Receivables, plain, reference_hash
from scf.rulebook.decisions import Decisions, LateTerms
from scf.store import evidence
from scf.store.evidence import Trust

REMIND_DAYS_BEFORE = (7, 3, 1, 0)


@dataclass(frozen=True, slots=True)
class Reminder:
    """A receivable that falls due in `days_left` days, with what is still owed in minor units.

    `step` is which of the reminders this is: the one planned for so many days before.
    """

    receivable_id: int
    obligor: str
    due_on: date
    days_left: int
    step: int
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
        self.recourse = Recourse(desk, parties, self.overdue, self.due_day, self.lateness)
        self._reported: set[int] = set()

    def due_day(self, maturity: int) -> date:
        """Last day on which payment is in time."""
        return due_day(maturity, self.calendar)

    def lateness(self, row: Receivable) -> LateTerms:
        """What each day of delay of a receivable costs, as the rulebook says for the day it fell due."""
        return self._decisions.late_terms(self.due_day(row.maturity), row.currency)

    # Before maturity -------------------------------------------------------------------------------------------------

    def reminders(self, session: Session, days_before: Sequence[int] = REMIND_DAYS_BEFORE) -> list[Reminder]:
        """Receivables whose reminder of so many days before has come, soonest first.

        A day on which nobody looked loses none: the reminder that came last stands until the next one or the due day.
        """
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
            steps = [one for one in days_before if one >= left]
            if left >= 0 and steps:
                found.append(Reminder(row.id, row.obligor, due, left, min(steps), row.outstanding_minor, row.currency))
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
        """Lines a person has to look at: matched to nothing, to several, too much, or reversed; oldest first.

        What was sent back, made good or paid out anew is over.
        """
        rows = session.exec(
            select(CollectedLine)
            .where((CollectedLine.state == "exception") | (CollectedLine.surplus_minor > 0))
            .order_by(col(CollectedLine.line_id))
        ).all()
        over = resolved(session, rows)
        return [row for row in rows if row.line_id not in over]

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
        is_open = row is not None and row.finding in (Finding.UNMATCHED, Finding.AMBIGUOUS) and row.amount_minor > 0
        if row is None or not is_open or is_given_back(session, line_id):
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
        if self._attested_before(session, row):
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
            return row
        self._divide(session, row, receivable)
        taken_back = made_good(session, receivable.id, line) if row.finding == Finding.NOTHING_OWED else None
        if taken_back is not None:
            row.finding, row.state, row.surplus_minor = Finding.MADE_GOOD, "cancelled", 0
            taken_back.state = "cancelled"
            session.add(taken_back)
        return row

    def _attested_before(self, session: Session, row: CollectedLine) -> bool:
        """Whether the paying bank attested this very line before anybody looked at it here: then it is as it said."""
        payments = session.exec(select(Payment).where(Payment.bank_reference == row.reference_hash)).all()
        if not payments:
            return False
        receivable = queries.receivable(session, payments[0].receivable_id)
        row.receivable_id, row.found_by, row.state = receivable.id, "attestation", "prepared"
        row.principal_minor = sum(one.principal_minor for one in payments)
        row.interest_minor = sum(one.interest_minor for one in payments)
        row.surplus_minor = max(0, row.amount_minor - row.principal_minor - row.interest_minor)
        row.days_late = late_days(due_day(receivable.maturity, self.calendar), row.value_on)
        whole = Finding.FULL if not receivable.outstanding_minor else Finding.PARTIAL
        row.finding = Finding.OVER if row.surplus_minor else whole
        return True

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

    # What is said ----------------------------------------------------------------------------------------------------

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
