"""Payments the bank takes back in a simulated year: some before they were attested, some after holders were paid."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from scf.bank.calendar import business_day_from

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

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to be taken back."""
        return bool(self._at_once or self._later)

    def paid(self, day: date, name: str, receivable_id: int, fate: str) -> None:
        """A payment went out under this end-to-end id; remember it where its fate is to come back."""
        if fate == "reversed":
            self._at_once[name] = receivable_id
        elif fate == "reversed_late":
            back = day + timedelta(days=self._year.random.randint(2, 6))
            self._later.append((business_day_from(self._year.app.maturity.calendar, back), name, receivable_id))

    def take_back_at_once(self, day: date) -> None:
        """Take back what arrived today and nobody attested yet; it is paid again on the next business day."""
        year = self._year
        for name in self._reversed(list(self._at_once)):
            year.plan_payment(day + timedelta(days=1), self._at_once.pop(name), "rest")

    def take_back_late(self, day: date) -> None:
        """Take back what holders were paid from, and have the obligor make it good today."""
        year = self._year
        due = {name: receivable for when, name, receivable in self._later if when <= day}
        gone = self._reversed(list(due))
        self._later = [one for one in self._later if one[1] not in gone]
        with year.app.desk.session() as session:
            for name, amount in gone.items():
                core = year.obligor_of(session, due[name])
                year.bank.pay(session, f"MKG{name}", core.account, year.bank.repayment, amount)

    def _reversed(self, names: list[str]) -> dict[str, int]:
        """Reverse the credits of these payments that arrived; returns their amounts."""
        if not names:
            return {}
        bank = self._year.bank
        with self._year.app.desk.session() as session:
            found = bank.credits(session, dict.fromkeys(names, bank.repayment))
        for line in found.values():
            bank.simulator.reverse(str(line.bank_reference))
            self._year.tally.counts["reversals"] += 1
        if found:
            bank.exchange()
        return {name: line.amount_minor for name, line in found.items()}
