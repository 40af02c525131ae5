"""Payments without a usable reference: by payee, currency, amount and day, and only what is mutually unique.

One payment for one case when each is the other's only candidate; one payment for several cases, several payments for
one case, or several for several, when exactly one combination adds up to the cent. Everything else is a suggestion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scf.reconciliation.rule import Terms
from scf.reconciliation.shelf import CASE, WAITING, Shelf, chunks
from scf.reconciliation.subset import MAX_ITEMS, MAX_SIDE, unique_many_to_many, unique_subset

SOLE, MANY = 900, 850
MAX_TRIED = 500
"""Waiting payments looked at in one batch; the rest is looked at when its party speaks again."""


@dataclass(frozen=True, slots=True)
class Share:
    """So much of a waiting payment for this case."""

    fact_id: int
    case_id: int
    amount_minor: int
    method: str
    confidence: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A payment that belongs to no case yet. Party and account are normalised."""

    fact_id: int
    seller: str | None
    buyer: str | None
    account: str | None
    currency: str
    amount_minor: int
    day: int


class Keyless:
    """One look at the waiting payments of some parties."""

    def __init__(self, shelf: Shelf, terms: Terms) -> None:
        self.shelf, self.terms = shelf, terms
        self.suggestions: dict[int, list[int]] = {}
        self._used: set[int] = set()

    def settle(self, payments: Sequence[Waiting]) -> list[Share]:
        """Shares for every payment that can be settled beyond doubt; rivals of the others go to `suggestions`."""
        shares: list[Share] = []
        for payment in sorted(payments, key=lambda p: p.fact_id)[:MAX_TRIED]:
            if payment.fact_id in self._used or payment.amount_minor <= 0:
                continue
            made = self._one_to_one(payment) or self._with_many(payment)
            self._used.update(share.fact_id for share in made)
            self._used.update(-share.case_id for share in made)
            shares += made
        return shares

    def _one_to_one(self, payment: Waiting) -> list[Share]:
        candidates = self._cases_near(payment)
        if len(candidates) > 1:
            self.suggestions[payment.fact_id] = [c["id"] for c in candidates]
        if len(candidates) != 1:
            return []
        case = candidates[0]
        rivals = [w for w in self._waiting_for(case) if self._fits(w, case) and w.fact_id != payment.fact_id]
        if rivals:
            self.suggestions[payment.fact_id] = [case["id"]]
            return []
        return [Share(payment.fact_id, case["id"], payment.amount_minor, "sole_candidate", SOLE)]

    def _with_many(self, payment: Waiting) -> list[Share]:
        if payment.fact_id in self.suggestions:
            return []
        cases = self._open_cases(payment)
        if not cases or len(cases) > MAX_ITEMS:
            return []
        opens = [c["open_minor"] for c in cases]
        chosen = unique_subset(opens, payment.amount_minor, at_least=2)
        if chosen is not None:
            return [Share(payment.fact_id, cases[i]["id"], opens[i], "sole_combination", MANY) for i in chosen]
        payments = [w for w in self._payments_beside(payment) if w.fact_id not in self._used]
        for case in cases:
            amounts = [w.amount_minor for w in payments]
            parts = unique_subset(amounts, case["open_minor"], at_least=2)
            if parts is not None and payment.fact_id in {payments[i].fact_id for i in parts}:
                return [Share(payments[i].fact_id, case["id"], amounts[i], "sole_combination", MANY) for i in parts]
        return self._many_to_many(payment, payments, cases)

    def _many_to_many(self, payment: Waiting, payments: list[Waiting], cases: list[Any]) -> list[Share]:
        if len(payments) > MAX_SIDE or len(cases) > MAX_SIDE:
            return []
        pair = unique_many_to_many([w.amount_minor for w in payments], [c["open_minor"] for c in cases])
        if pair is None or payment.fact_id not in {payments[i].fact_id for i in pair[0]}:
            return []
        shares, need = [], [[cases[i]["id"], cases[i]["open_minor"]] for i in pair[1]]
        for place in pair[0]:
            left = payments[place].amount_minor
            while left:
                part = min(left, need[0][1])
                shares.append(Share(payments[place].fact_id, need[0][0], part, "sole_combination", MANY))
                left -= part
                need[0][1] -= part
                if need[0][1] == 0 and len(need) > 1:
                    need.pop(0)
        return shares

    def _allowed(self, amount: int) -> int:
        """Largest difference, in minor units, that the rule allows around `amount`."""
        return max(self.terms.amount_fixed_minor, self.terms.amount_per_mille * amount // 1000)

    def _fits(self, payment: Waiting, case: Any) -> bool:
        if abs(payment.amount_minor - case["open_minor"]) > self._allowed(case["open_minor"]):
            return False
        if payment.buyer and case["buyer"] and payment.buyer != case["buyer"]:
            return False
        first = case["goods_day"]
        return first is None or first <= payment.day <= first + self.terms.payment_window_days

    def _of_party(self, table: sa.Table, payment: Waiting) -> Any:
        ways = [getattr(table.c, n) == v for n, v in (("seller", payment.seller), ("account", payment.account)) if v]
        return sa.or_(*ways) if ways else sa.false()

    def _cases(self, payment: Waiting, low: int, high: int, limit: int) -> list[Any]:
        query = (
            sa.select(CASE)
            .where(
                self._of_party(CASE, payment),
                CASE.c.currency == payment.currency,
                CASE.c.awaits_payment.is_(True),
                CASE.c.open_minor.between(low, high),
            )
            .order_by(CASE.c.id)
            .limit(limit)
        )
        rows = self.shelf.session.execute(query).mappings().all()
        return [row for row in rows if -row["id"] not in self._used]

    def _cases_near(self, payment: Waiting) -> list[Any]:
        slack = self._allowed(payment.amount_minor * 2)
        near = self._cases(payment, payment.amount_minor - slack, payment.amount_minor + slack, MAX_ITEMS * 4)
        return [case for case in near if self._fits(payment, case)]

    def _open_cases(self, payment: Waiting) -> list[Any]:
        return self._cases(payment, 1, 2**62, MAX_ITEMS + 1)

    def _payments_beside(self, payment: Waiting) -> list[Waiting]:
        query = (
            sa.select(WAITING)
            .where(self._of_party(WAITING, payment), WAITING.c.currency == payment.currency, WAITING.c.amount_minor > 0)
            .order_by(WAITING.c.fact_id)
            .limit(MAX_ITEMS)
        )
        return [Waiting(**row) for row in self.shelf.session.execute(query).mappings()]

    def _waiting_for(self, case: Any) -> list[Waiting]:
        slack = self._allowed(case["open_minor"])
        ways = [getattr(WAITING.c, n) == case[n] for n in ("seller", "account") if case[n]]
        query = sa.select(WAITING).where(
            sa.or_(*ways) if ways else sa.false(),
            WAITING.c.currency == case["currency"],
            WAITING.c.amount_minor.between(case["open_minor"] - slack, case["open_minor"] + slack),
        )
        return [Waiting(**row) for row in self.shelf.session.execute(query.limit(MAX_ITEMS)).mappings()]


def waiting_of(shelf: Shelf, sellers: set[str], accounts: set[str]) -> list[Waiting]:
    """Waiting payments to any of these parties or accounts, oldest first."""
    found: dict[int, Waiting] = {}
    for column, values in ((WAITING.c.seller, sellers), (WAITING.c.account, accounts)):
        for chunk in chunks(sorted(values)):
            query = sa.select(WAITING).where(column.in_(chunk)).order_by(WAITING.c.fact_id).limit(MAX_TRIED)
            for row in shelf.session.execute(query).mappings():
                found[row["fact_id"]] = Waiting(**row)
    return [found[key] for key in sorted(found)]
