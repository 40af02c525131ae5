"""Payments without a usable reference: by payee, currency, amount and day, and only what is mutually unique.

One payment for one case when each is the other's only candidate; otherwise what adds up in one way only (`combining`),
also with what is left of a payment that names one case and pays more than its due. Everything else is a suggestion. A
payment that names something unknown waits some days for it before it is looked at like this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scf.reconciliation.combining import MAX_ITEMS, Due, Paid, combine
from scf.reconciliation.facts import Fact, Kind, differ, from_json, normalise, normalise_account, normalise_party
from scf.reconciliation.placing import wanted
from scf.reconciliation.rule import Terms
from scf.reconciliation.shelf import ALLOCATION, CASE, FACT, NAME, WAITING, Shelf, chunks
from scf.reconciliation.slips import slip_of_the_pen

SOLE, MANY = 900, 850
COMBINED = "sole_combination"
"""Method of shares that hold only together with the others of their combination."""
NAMED_GRACE_DAYS = 3
"""So long a payment waits for the invoice or order it names."""
MAX_PARTIES = 200
"""Parties whose combinations are searched in one batch."""


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
    """A payment that belongs to no case yet. Party and account are normalised; `nameless` names no document."""

    fact_id: int
    seller: str | None
    buyer: str | None
    account: str | None
    currency: str
    amount_minor: int
    day: int
    nameless: bool


@dataclass(frozen=True, slots=True)
class Surplus:
    """A payment on a case that is overpaid (`open_minor` below zero); `whole` when all of it went there."""

    fact_id: int
    case_id: int
    amount_minor: int
    open_minor: int
    day: int
    whole: bool


class Keyless:
    """One look at the waiting payments of a batch and at those its cases may be waiting for."""

    def __init__(self, shelf: Shelf, terms: Terms) -> None:
        self.shelf, self.terms = shelf, terms
        self.suggestions: dict[int, list[int]] = {}
        self.moved: set[int] = set()
        self._used_payments: set[int] = set()
        self._used_cases: set[int] = set()

    def settle(self, arrived: Iterable[Waiting], awaiting: Iterable[Mapping[str, Any]]) -> list[Share]:
        """Shares for what can be settled beyond doubt: payments just arrived, and payments for cases just judged."""
        judged = list(awaiting)
        cases = [case for case in judged if case["awaits_payment"]]
        looked_at = {w.fact_id: w for w in arrived if self.ripe(w)}
        due = sa.or_(WAITING.c.nameless.is_(True), WAITING.c.day <= self.terms.as_of_day - NAMED_GRACE_DAYS)
        looked_at |= {w.fact_id: w for w in self._payments_near(cases, due)}
        payments = [looked_at[key] for key in sorted(looked_at) if looked_at[key].amount_minor > 0]
        shares = self._one_to_one(payments)
        parties = {(w.seller, w.account, w.currency) for w in payments if w.nameless}
        parties |= {(c["seller"], c["account"], c["currency"]) for c in self._with_money(cases)}
        parties |= {(c["seller"], c["account"], c["currency"]) for c in judged if overpaid(c)}
        for party in sorted(parties, key=repr)[:MAX_PARTIES]:
            shares += self._combinations(*party)
        return shares

    def ripe(self, payment: Waiting) -> bool:
        """Whether the payment names nothing, or has waited long enough for what it names."""
        return payment.nameless or payment.day + NAMED_GRACE_DAYS <= self.terms.as_of_day

    def _one_to_one(self, payments: Sequence[Waiting]) -> list[Share]:
        candidates = self._cases_near(payments)
        sole = {p: found[0] for p in payments if len(found := candidates.get(p.fact_id, [])) == 1}
        sole = self._plausible(sole)
        rivals: dict[int, set[int]] = defaultdict(set)
        for rival in self._payments_near(sole.values()):
            for case in {c["id"]: c for c in sole.values()}.values():
                if self._fits(rival, case):
                    rivals[case["id"]].add(rival.fact_id)
        shares = []
        for payment in payments:
            found = candidates.get(payment.fact_id, [])
            if payment in sole and not rivals[found[0]["id"]] - {payment.fact_id}:
                shares.append(Share(payment.fact_id, found[0]["id"], payment.amount_minor, "sole_candidate", SOLE))
                self._used_payments.add(payment.fact_id)
                self._used_cases.add(found[0]["id"])
            elif found:
                self.suggestions[payment.fact_id] = [case["id"] for case in found]
        return shares

    def _plausible(self, sole: dict[Waiting, Mapping[str, Any]]) -> dict[Waiting, Mapping[str, Any]]:
        """Without the payments that name something else: a named document must be a slip of the pen for this case's."""
        named = {p.fact_id: case["id"] for p, case in sole.items() if not p.nameless}
        if not named:
            return sole
        said: dict[int, list[str]] = defaultdict(list)
        borne: dict[int, list[str]] = defaultdict(list)
        wanted = (NAME.c.owned.is_(False), NAME.c.role != "mention")
        for row in self.shelf.select((NAME.c.fact_id, NAME.c.raw), NAME.c.fact_id, named, *wanted):
            said[row.fact_id].append(row.raw)
        for row in self.shelf.select((NAME.c.case_id, NAME.c.raw), NAME.c.case_id, set(named.values()), NAME.c.owned):
            borne[row.case_id].append(row.raw)
        return {
            p: case
            for p, case in sole.items()
            if p.nameless or any(slip_of_the_pen(a, b) for a in said[p.fact_id] for b in borne[case["id"]])
        }

    def _combinations(self, seller: str | None, account: str | None, currency: str) -> list[Share]:
        """What adds up in one way only among the open cases and the unplaced money of one party."""
        cases = self._open_cases(seller, account, currency)
        payments = self._nameless(seller, account, currency)
        surplus = self._surplus(seller, account, currency)
        if not cases or not (payments or surplus) or len(cases) > MAX_ITEMS or len(payments) > MAX_ITEMS:
            return []
        buyers = {w.buyer for w in payments if w.buyer}
        cases = [c for c in cases if not any(differ(buyer, c["buyer"]) for buyer in buyers)]
        paid = [Paid(w, w.amount_minor, w.day) for w in payments if w.fact_id not in self.suggestions]
        paid += [Paid(rest, -rest.open_minor, rest.day, surplus=True) for rest in surplus]
        due = [Due(c, c["open_minor"], c["goods_day"]) for c in cases]
        shares: list[Share] = []
        for money, order, part in combine(paid, due, window_days=self.terms.payment_window_days):
            fact_id = money.key.fact_id
            self._used_payments.add(fact_id)
            self._used_cases.add(order.key["id"])
            if money.surplus and fact_id not in self.moved:
                self.moved.add(fact_id)
                own = money.key.amount_minor - money.amount_minor
                shares.append(Share(fact_id, money.key.case_id, own, COMBINED, MANY))
            shares.append(Share(fact_id, order.key["id"], part, COMBINED, MANY))
        return shares

    def _surplus(self, seller: str | None, account: str | None, currency: str) -> list[Surplus]:
        """Payments that alone pay the case they name, and more than is due there."""
        query = (
            sa.select(CASE.c.id, CASE.c.open_minor, ALLOCATION.c.fact_id, ALLOCATION.c.amount_minor, FACT.c.content)
            .join_from(CASE, ALLOCATION, ALLOCATION.c.case_id == CASE.c.id)
            .join(FACT, FACT.c.id == ALLOCATION.c.fact_id)
            .where(
                party_is(CASE, seller, account),
                CASE.c.currency == currency,
                sa.text("recon_case.open_minor < 0"),
                ALLOCATION.c.ended_by.is_(None),
                FACT.c.kind == Kind.PAYMENT.value,
            )
            .order_by(CASE.c.id)
            .limit(MAX_ITEMS + 1)
        )
        found: dict[int, list[Surplus]] = defaultdict(list)
        for case_id, left, fact_id, amount, content in self.shelf.session.execute(query):
            fact = self.shelf.facts.get(fact_id) or from_json(content)
            if amount is not None and left is not None:
                found[case_id].append(Surplus(fact_id, case_id, amount, left, fact.day, amount == fact.amount_minor))
        return [
            parts[0]
            for parts in found.values()
            if len(parts) == 1
            and parts[0].whole
            and -parts[0].open_minor < parts[0].amount_minor
            and parts[0].fact_id not in self._used_payments
        ]

    def _allowed(self, amount: int) -> int:
        """Largest difference, in minor units, that the rule allows around `amount`."""
        return max(self.terms.amount_fixed_minor, self.terms.amount_per_mille * amount // 1000)

    def _fits(self, payment: Waiting, case: Mapping[str, Any]) -> bool:
        same_party = (payment.seller and payment.seller == case["seller"]) or (
            payment.account and payment.account == case["account"]
        )
        if not same_party or payment.currency != case["currency"]:
            return False
        if differ(payment.buyer, case["buyer"]):
            return False
        if abs(payment.amount_minor - case["open_minor"]) > self._allowed(case["open_minor"]):
            return False
        first = case["goods_day"]
        return first is None or first <= payment.day <= first + self.terms.payment_window_days

    def _cases_near(self, payments: Sequence[Waiting]) -> dict[int, list[Mapping[str, Any]]]:
        """Open cases that fit each payment."""
        found: dict[int, dict[int, Mapping[str, Any]]] = defaultdict(dict)
        by_id = {p.fact_id: p for p in payments}
        for column in ("seller", "account"):
            asked = [
                (p.fact_id, getattr(p, column), p.currency, *self._range(p.amount_minor * 2, p.amount_minor))
                for p in payments
                if getattr(p, column)
            ]
            for row in self.shelf.near(CASE, column, "open_minor", asked, CASE.c.awaits_payment.is_(True)):
                case = {**row, "id": row["id"]}
                if case["id"] not in self._used_cases and self._fits(by_id[row["asked_for"]], case):
                    found[row["asked_for"]][case["id"]] = case
        return {fact_id: [cases[i] for i in sorted(cases)] for fact_id, cases in found.items()}

    def _payments_near(self, cases: Iterable[Mapping[str, Any]], *more: Any) -> list[Waiting]:
        """Waiting payments that may be meant for these cases."""
        listed = list({case["id"]: case for case in cases}.values())
        found: dict[int, Waiting] = {}
        for column in ("seller", "account"):
            asked = [
                (c["id"], c[column], c["currency"], *self._range(c["open_minor"], c["open_minor"]))
                for c in listed
                if c[column]
            ]
            for row in self.shelf.near(WAITING, column, "amount_minor", asked, *more):
                found[row["fact_id"]] = as_waiting(row)
        return [found[key] for key in sorted(found) if key not in self._used_payments]

    def _range(self, base: int, around: int) -> tuple[int, int]:
        slack = self._allowed(base)
        return around - slack, around + slack

    def _with_money(self, cases: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Cases of parties that have money to be placed: nameless payments, or more than was due on another case."""
        have: set[tuple[str, str]] = set()
        for column in ("seller", "account"):
            values = {case[column] for case in cases if case[column]}
            for chunk in chunks(sorted(values)):
                for query in (
                    sa.select(WAITING.c[column]).where(WAITING.c[column].in_(chunk), WAITING.c.nameless.is_(True)),
                    sa.select(CASE.c[column]).where(CASE.c[column].in_(chunk), sa.text("recon_case.open_minor < 0")),
                ):
                    have |= {(column, row[0]) for row in self.shelf.session.execute(query.distinct())}
        return [c for c in cases if ("seller", c["seller"]) in have or ("account", c["account"]) in have]

    def _open_cases(self, seller: str | None, account: str | None, currency: str) -> list[Mapping[str, Any]]:
        query = (
            sa.select(CASE)
            .where(
                party_is(CASE, seller, account),
                CASE.c.currency == currency,
                CASE.c.awaits_payment.is_(True),
                CASE.c.open_minor > 0,
                CASE.c.id.not_in(self._used_cases),
            )
            .order_by(CASE.c.goods_day, CASE.c.id)
            .limit(MAX_ITEMS + 1)
        )
        return [dict(row) for row in self.shelf.session.execute(query).mappings()]

    def _nameless(self, seller: str | None, account: str | None, currency: str) -> list[Waiting]:
        query = (
            sa.select(WAITING)
            .where(
                party_is(WAITING, seller, account),
                WAITING.c.currency == currency,
                WAITING.c.amount_minor > 0,
                WAITING.c.nameless.is_(True),
                WAITING.c.fact_id.not_in(self._used_payments),
            )
            .order_by(WAITING.c.fact_id)
            .limit(MAX_ITEMS + 1)
        )
        return [as_waiting(dict(row)) for row in self.shelf.session.execute(query).mappings()]


def party_is(table: sa.Table, seller: str | None, account: str | None) -> Any:
    """Condition that a row's seller or account, normalised, is this one."""
    ways = [table.c[name] == value for name, value in (("seller", seller), ("account", account)) if value]
    return sa.or_(*ways) if ways else sa.false()


def as_waiting(row: Mapping[str, Any]) -> Waiting:
    """A row of the waiting payments."""
    return Waiting(**{name: row[name] for name in Waiting.__dataclass_fields__})


def overpaid(case: Mapping[str, Any]) -> bool:
    """Whether more was paid on a case than was due."""
    return case.get("open_minor") is not None and case["open_minor"] < 0


def waiting_of(fact_id: int, fact: Fact) -> Waiting:
    """A payment that belongs nowhere yet."""
    return Waiting(
        fact_id,
        normalise_party(fact.seller),
        normalise_party(fact.buyer),
        normalise_account(fact.account),
        fact.currency or "",
        fact.amount_minor or 0,
        fact.day,
        not any(normalise(text) for role, text in wanted(fact) if role != "mention"),
    )
