"""Payments that name one document and mean another: a typing error may hit a number that exists.

Believed only when the amount is not what the named case is waiting for, and to the cent what one other case of the same
payee is waiting for, whose own documents bear nearly the name that was written.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from scf.reconciliation.facts import Fact, normalise_account, normalise_party
from scf.reconciliation.placing import MENTIONED, NOTHING, Found, wanted
from scf.reconciliation.shelf import CASE, NAME, Shelf
from scf.reconciliation.slips import slip_of_the_pen

METHOD = "mistyped"
_By = dict[tuple[str, str, int], set[int]]


class Misnamed:
    """Looks for the case that a payment means instead of the one it names. One batch, one session."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._fresh: _By | None = None

    def meant(self, fact: Fact, named: Found) -> Found:
        """The case that is meant instead, else `NOTHING`."""
        if len(named.case_ids) != 1 or fact.currency is None or (fact.amount_minor or 0) <= 0:
            return NOTHING
        amount = fact.amount_minor or 0
        case = self.shelf.cases[named.case_ids[0]]
        if case.get("open_minor") is None or case["open_minor"] == amount:
            return NOTHING
        payee = [("seller", normalise_party(fact.seller)), ("account", normalise_account(fact.account))]
        others = {i for column, who in payee if who for i in self._awaiting(column, who, fact.currency, amount)}
        others -= {case["id"]}
        if len(others) != 1:
            return NOTHING
        other = others.pop()
        written = [text for _, text in wanted(fact)]
        if not any(slip_of_the_pen(text, name) for text in written for name in self._names(other)):
            return NOTHING
        return Found((other,), METHOD, MENTIONED)

    def _awaiting(self, column: str, who: str, currency: str, amount: int) -> set[int]:
        """Cases of a payee that wait for exactly this amount."""
        if self._fresh is None:
            self._fresh = self._by_payee()
        found = set(self._fresh.get((column, who, amount), ()))
        query = sa.select(CASE.c.id).where(
            CASE.c[column] == who,
            CASE.c.currency == currency,
            CASE.c.open_minor == amount,
            CASE.c.awaits_payment.is_(True),
        )
        found |= set(self.shelf.session.execute(query.limit(3)).scalars())
        self.shelf.load_cases(found)
        cases = self.shelf.cases
        return {i for i in found if cases[i].get("awaits_payment") and cases[i]["open_minor"] == amount}

    def _by_payee(self) -> _By:
        found: _By = defaultdict(set)
        case: dict[str, Any]
        for case in self.shelf.cases.values():
            if case.get("awaits_payment"):
                for column in ("seller", "account"):
                    if case.get(column):
                        found[column, case[column], case["open_minor"]].add(case["id"])
        return found

    def _names(self, case_id: int) -> set[str]:
        stored = sa.select(NAME.c.raw).where(NAME.c.case_id == case_id, NAME.c.owned.is_(True))
        fresh = {row["raw"] for row in self.shelf.rows[NAME.name] if row["case_id"] == case_id and row["owned"]}
        return fresh | set(self.shelf.session.execute(stored).scalars())
