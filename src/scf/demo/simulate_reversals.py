"""Payments the bank takes back in a simulated year: some before they were attested, some after holders were paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlmodel import Session

from scf.bank.calendar import business_day_from
from scf.financing.collecting import Finding, make_good_id
from scf.financing.models import CollectedLine

if TYPE_CHECKING:
    from scf.demo.simulate_year import Year


class Reversals:
    """What the bank will take back, and what is paid again for it.

    Before the attestation the debt simply stands again and is paid on the next business day. After it the holders keep
    what they have; the bank carries the difference on the repayment account until the obligor makes it good.
    """

    def __init__(self, year: Year) -> None:
        self._year = year
        self._at_once: dict[str, int] = {}
        self._later: list[tuple[date, str, int]] = []
        self._again: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to be taken back."""
        return bool(self._at_once or self._later)

    def forget(self, name: str) -> None:
        """A payment that never arrived is not taken back."""
        self._at_once.pop(name, None)
        self._later = [one for one in self._later if one[1] != name]

    def paid(self, day: date, name: str, receivable_id: int, fate: str) -> None:
        """A payment went out under this end-to-end id; remember it where its fate is to come back."""
        if fate == "reversed":
            self._at_once[name] = receivable_id
        elif fate == "reversed_late":
            back = day + timedelta(days=self._year.random.randint(2, 6))
            self._later.append((business_day_from(self._year.app.maturity.calendar, back), name, receivable_id))

    def take_back_at_once(self) -> None:
        """Take back what arrived today; where nobody attested it yet, it is paid again on the next business day."""
        for name in self._reversed(list(self._at_once)):
            self._at_once.pop(name)

    def take_back_late(self, day: date) -> None:
        """Take back what holders were paid from."""
        gone = self._reversed([name for when, name, _ in self._later if when <= day])
        self._later = [one for one in self._later if one[1] not in gone]

    def found(self, session: Session, day: date, lines: Sequence[CollectedLine]) -> None:
        """What the bank took back, as the installation understood it: the debt stands again, or is made good."""
        year = self._year
        for line in lines:
            name = line.end_to_end_id or ""
            if line.finding == Finding.REVERSED and line.receivable_id is not None and name not in self._again:
                self._again.add(name)
                year.plan_payment(day + timedelta(days=1), line.receivable_id, "rest")
            elif line.finding == Finding.REVERSED_AFTER_SETTLEMENT and line.receivable_id is not None:
                core = year.obligor_of(session, line.receivable_id)
                name = make_good_id(line.receivable_id, line.line_id)
                year.bank.pay(session, name, core.account, year.bank.repayment, -line.amount_minor)

    def _reversed(self, names: list[str]) -> set[str]:
        """Reverse the credits of these payments that arrived; returns which."""
        if not names:
            return set()
        bank = self._year.bank
        with self._year.app.desk.session() as session:
            found = bank.credits(session, names, bank.repayment)
        for line in found.values():
            bank.simulator.reverse(str(line.bank_reference))
            self._year.tally.counts["reversals"] += 1
        if found:
            bank.exchange()
        return set(found)
