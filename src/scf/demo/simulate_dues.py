"""What obligors pay in a simulated year: as planned, from their own systems, and once more what did not arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from scf.bank.models import BankInstruction, InstructionState
from scf.financing.collecting import owed, payment_id
from scf.financing.models import CollectedLine
from scf.receivables import queries

if TYPE_CHECKING:
    from scf.demo.simulate_year import Year

DIRECT_SHARE = 0.1
"""In a bad year so many payments are ordered from the obligor's own system and told to the installation a day later."""


class Dues:
    """Payments of obligors under way, by end-to-end id."""

    def __init__(self, year: Year) -> None:
        self._year = year
        self._under_way: dict[str, int] = {}
        self._to_be_told: list[tuple[str, int, int]] = []

    @property
    def is_busy(self) -> bool:
        """Whether a payment has neither arrived nor failed yet."""
        return bool(self._under_way)

    def pay(self, day: date) -> None:
        """Pay what is planned for today."""
        year, calendar = self._year, self._year.app.maturity.calendar
        self._tell()
        for receivable_id, how in year.plan.payments.pop(day, []):
            year.plan.planned[receivable_id] -= 1
            with year.app.desk.session() as session:
                row = queries.receivable(session, receivable_id)
                principal, interest = owed(session, row, day, calendar, self._year.app.maturity.lateness)
                amount = {"half": principal // 2, "over": principal + interest + 77}.get(how, principal + interest)
                core = year.cast.of(row.obligor)
            if not amount:
                continue
            name = payment_id(receivable_id, str(day.toordinal()))
            if year.bank.is_chaotic and year.random.random() < DIRECT_SHARE:
                year.bank.pay_directly(name, core, year.bank.repayment, amount)
                self._to_be_told.append((name, receivable_id, amount))
                year.tally.counts["paid_before_instruction"] += 1
            else:
                self._instruct(name, receivable_id, amount)
            self._under_way[name] = receivable_id
            year.reversals.paid(day, name, receivable_id, how)

    def arrived(self, lines: Sequence[CollectedLine]) -> None:
        """These lines came in on the repayment account."""
        for line in lines:
            self._under_way.pop(line.end_to_end_id or "", None)

    def chase(self, day: date) -> None:
        """What the bank refused, or paid too late to be whole, is paid anew; what nobody will ever pay is left."""
        year = self._year
        with year.app.desk.session() as session:
            for name, receivable_id in list(self._under_way.items()):
                row = session.get(BankInstruction, name)
                if row is not None and row.state == InstructionState.REJECTED:
                    del self._under_way[name]
                    year.reversals.forget(name)
                    year.tally.counts["rejections"] += 1
                    year.plan_payment(day, receivable_id, "rest")
            late = [row.id for row in year.app.maturity.overdue(session)]
        waiting = set(self._under_way.values())
        for number in late:
            if year.fates.get(number) != "never" and number not in waiting and year.plan.planned[number] <= 0:
                year.plan_payment(day, number, "rest")

    def _tell(self) -> None:
        """Yesterday's own orders are written down here too; the bank's line is there before the instruction."""
        told, self._to_be_told = self._to_be_told, []
        for name, receivable_id, amount in told:
            self._instruct(name, receivable_id, amount)

    def _instruct(self, name: str, receivable_id: int, amount: int) -> None:
        year = self._year
        with year.app.desk.session() as session:
            core = year.obligor_of(session, receivable_id)
            year.bank.pay(session, name, core.account, year.bank.repayment, amount)
