"""From the facts of one order to the case the rule judges: added up once, however many sources said the same thing.

Two sources that speak of the same shipment, invoice or payment are corroboration, not more goods or more money; where
they differ, the better source counts and the difference is a contradiction. Pure functions of facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from scf.kernel.money import currency as currency_of
from scf.kernel.money import round_half_up
from scf.reconciliation.facts import Fact, FactLine, Kind, normalise, normalise_account
from scf.reconciliation.rule import SAME_DELIVERY_DAYS, Case

SAME_PAYMENT_DAYS = 3
"""Two banks tell of one payment within so many days of each other."""
LINE_PRICE_PER_MILLE = 5


@dataclass(frozen=True, slots=True)
class Part:
    """A fact as far as it belongs to one case: of a payment for several orders, only this order's share."""

    fact_id: int
    fact: Fact
    amount_minor: int | None
    payable_minor: int | None = None
    confidence: int = 1000

    @property
    def rank(self) -> tuple[int, bool, int, int]:
        """Better sources sort higher: trust, then out of the applicant's hands, then later, then newer."""
        fact = self.fact
        return fact.trust, not fact.applicant_can_write, fact.day, self.fact_id


@dataclass(slots=True)
class Folded:
    """The case, what was noticed on the way (field -> left and right in words), and who is in it."""

    case: Case
    notes: dict[str, tuple[str, str]]
    currency: str | None
    buyer: str | None
    seller: str | None
    account: str | None
    confidence: int


@dataclass(slots=True)
class _Sums:
    notes: dict[str, tuple[str, str]] = field(default_factory=dict)
    contradictions: int = 0

    def contradict(self, left: str, right: str) -> None:
        self.contradictions += 1
        self.notes.setdefault("contradictions", (left, right))


def fold(parts: Sequence[Part]) -> Folded:
    """Add up the facts of one case. The order of `parts` does not matter."""
    parts = sorted(parts, key=lambda part: part.fact_id)
    by: dict[Kind, list[Part]] = {}
    for part in parts:
        by.setdefault(part.fact.kind, []).append(part)
    sums = _Sums()
    order = _order(by.get(Kind.ORDER, []), sums)
    goods = _goods(by.get(Kind.DELIVERY, []), by.get(Kind.INSPECTION, []), sums)
    invoices, duplicates = _invoices(by.get(Kind.INVOICE, []), sums)
    credits, _ = _invoices(by.get(Kind.CREDIT_NOTE, []), sums)
    payments = _payments(by.get(Kind.PAYMENT, []))
    billed = invoices + credits
    currency, conflicts = _currency(([order] if order else []) + goods.kept + billed + payments, sums)
    unit = order.fact.unit if order else next((p.fact.unit for p in goods.kept + billed), None)
    ordered_quantity = order.fact.quantity_milli if order else None
    ordered_minor = order.amount_minor if order and order.fact.currency == currency else None
    delivered_quantity = goods.quantity(unit)
    invoiced_quantity = _total_quantity(invoices + _returned(credits, order, invoices), unit)
    delivered_minor = _delivered_value(goods, currency, delivered_quantity, ordered_quantity, ordered_minor)
    expected_accounts, account_conflicts = _accounts(order, invoices, payments, sums)
    price_conflicts, quantity_conflicts = _compare_lines(order, invoices, sums)
    days = [p.fact.day for p in goods.kept]
    paid_days = [p.fact.day for p in payments if (p.amount_minor or 0) > 0]
    due_days = [p.fact.due_day for p in invoices if p.fact.due_day is not None]
    legs = [leg for leg in ([order] if order else [], goods.all, by.get(Kind.INVOICE, []), payments) if leg]
    case = Case(
        orders=1 if order else 0,
        deliveries=len(goods.kept),
        invoices=len(invoices),
        payments=len(payments),
        ordered_quantity=ordered_quantity,
        delivered_quantity=delivered_quantity,
        invoiced_quantity=invoiced_quantity if invoices else None,
        ordered_minor=ordered_minor,
        delivered_minor=delivered_minor,
        invoiced_minor=_total(billed, currency, lambda p: p.amount_minor) if invoices else None,
        payable_minor=_total(billed, currency, _payable) if invoices else None,
        paid_minor=_total(payments, currency, lambda p: p.amount_minor),
        ordered_price=order.fact.price_micro if order else None,
        invoiced_price=_one(p.fact.price_micro for p in invoices),
        order_day=order.fact.day if order else None,
        promised_day=order.fact.promised_day if order else None,
        first_delivered_day=min(days, default=None),
        last_delivered_day=max(days, default=None),
        due_day=max(due_days) if due_days and len(due_days) == len(invoices) else None,
        first_paid_day=min(paid_days, default=None),
        last_paid_day=max(paid_days, default=None),
        contradictions=sums.contradictions,
        account_conflicts=account_conflicts,
        duplicate_invoices=duplicates,
        equal_invoices=len(invoices) - len({_payable(p) for p in invoices}),
        currency_conflicts=conflicts,
        price_conflicts=price_conflicts,
        quantity_conflicts=quantity_conflicts,
        weakest_trust=min((max(p.fact.trust for p in leg) for leg in legs), default=None),
    )
    lead = sorted(parts, key=lambda p: p.fact.kind != Kind.ORDER)
    return Folded(
        case,
        sums.notes,
        currency,
        next((p.fact.buyer for p in lead if p.fact.buyer), None),
        next((p.fact.seller for p in lead if p.fact.seller), None),
        expected_accounts[0] if expected_accounts else None,
        min((p.confidence for p in parts), default=1000),
    )


def _order(parts: list[Part], sums: _Sums) -> Part | None:
    if not parts:
        return None
    best = max(parts, key=lambda p: p.rank)
    for other in parts:
        if other.fact.source != best.fact.source:
            _compare(best, other, sums, with_day=False)
    return best


def _compare(best: Part, other: Part, sums: _Sums, *, with_day: bool) -> None:
    """Note a contradiction between two facts about one thing, from different sources."""
    left, right = best.fact, other.fact
    for name, one, two in (
        ("quantity_milli", left.quantity_milli, right.quantity_milli if right.unit == left.unit else None),
        ("amount_minor", best.amount_minor, other.amount_minor if right.currency == left.currency else None),
    ):
        if one is not None and two is not None and one != two:
            sums.contradict(f"{left.source}: {name} {one}", f"{right.source}: {name} {two}")
            return
    if with_day and abs(left.day - right.day) > SAME_DELIVERY_DAYS:
        sums.contradict(f"{left.source}: day {left.day}", f"{right.source}: day {right.day}")


@dataclass(slots=True)
class _Goods:
    kept: list[Part]
    all: list[Part]
    refused_milli: int = 0

    def quantity(self, unit: str | None) -> int | None:
        total = _total_quantity(self.kept, unit)
        return None if total is None else total - self.refused_milli


def _goods(deliveries: list[Part], inspections: list[Part], sums: _Sums) -> _Goods:
    shipments: dict[str, list[Part]] = {}
    for part in deliveries:
        name = part.fact.despatch_reference or part.fact.reference
        shipments.setdefault((normalise(name) or "") if name else "", []).append(part)
    kept: list[Part] = []
    for name, told in shipments.items():
        if name:
            kept += _best_source(told, sums)
    unnamed = shipments.get("", [])
    if unnamed and kept:
        # A carrier's event without a delivery note speaks of goods that others name: it confirms or contradicts them.
        strangers = [p for p in unnamed if p.fact.source not in {k.fact.source for k in kept}]
        kept += [p for p in unnamed if p.fact.source in {k.fact.source for k in kept}]
        _confirm(kept, strangers, sums)
    elif unnamed:
        kept = _best_source(unnamed, sums)
    goods = _Goods(kept, deliveries + [p for p in inspections if p.fact.passed])
    for part in inspections:
        if part.fact.passed is False:
            if part.fact.quantity_milli is None:
                sums.contradict(f"{part.fact.source}: inspection refused", "delivered")
            else:
                goods.refused_milli += part.fact.quantity_milli
    return goods


def _best_source(told: list[Part], sums: _Sums) -> list[Part]:
    """The parts of the best source that speaks of one shipment; the others confirm or contradict."""
    if len(told) == 1:
        return told
    sources: dict[str, list[Part]] = {}
    for part in told:
        sources.setdefault(part.fact.source, []).append(part)
    ranked = sorted(sources.values(), key=_first_told)  # of two that are trusted alike, who had the goods first
    best = next((g for g in ranked if all(p.fact.quantity_milli is not None for p in g)), ranked[0])
    for group in ranked:
        if group is not best:
            _confirm(best, group, sums)
    return best


def _first_told(group: list[Part]) -> tuple[int, bool, int, str]:
    trust, free, _, _ = max(p.rank for p in group)
    return -trust, not free, max(p.fact.day for p in group), group[0].fact.source


def _confirm(best: list[Part], others: list[Part], sums: _Sums) -> None:
    by_source: dict[str, list[Part]] = {}
    for part in others:
        by_source.setdefault(part.fact.source, []).append(part)
    for source, group in by_source.items():
        mine, theirs = _plain_total(best), _plain_total(group)
        units = {p.fact.unit for p in [*best, *group]}
        if mine is not None and theirs is not None and len(units) == 1 and mine != theirs:
            sums.contradict(f"{best[0].fact.source}: quantity_milli {mine}", f"{source}: quantity_milli {theirs}")
        elif abs(max(p.fact.day for p in best) - max(p.fact.day for p in group)) > SAME_DELIVERY_DAYS:
            left, right = max(p.fact.day for p in best), max(p.fact.day for p in group)
            sums.contradict(f"{best[0].fact.source}: day {left}", f"{source}: day {right}")


def _invoices(parts: list[Part], sums: _Sums) -> tuple[list[Part], int]:
    """One part for each invoice number, and how often a number was used for another invoice."""
    if len(parts) < 2:
        return parts, 0
    numbers: dict[str, list[Part]] = {}
    for part in parts:
        reference = part.fact.reference
        numbers.setdefault((normalise(reference) if reference else None) or f"#{part.fact_id}", []).append(part)
    kept, duplicates = [], 0
    for told in numbers.values():
        best = max(told, key=lambda p: p.rank)
        kept.append(best)
        for other in told:
            if other is best:
                continue
            if other.fact.source == best.fact.source:
                duplicates += 1
                sums.notes.setdefault("duplicate_invoices", (best.fact.reference or "", other.fact.reference or ""))
            else:
                _compare(best, other, sums, with_day=False)
    equal = [p for p in kept if sum(_payable(p) == _payable(q) for q in kept) > 1]
    if len(equal) > 1:
        sums.notes.setdefault("equal_invoices", (equal[0].fact.reference or "", equal[1].fact.reference or ""))
    return kept, duplicates


def _payments(parts: list[Part]) -> list[Part]:
    """Each payment once: the payer's and the payee's bank tell of the same one under one id, or one amount and day."""
    if len(parts) < 2:
        return parts
    kept: list[Part] = []
    for part in sorted(parts, key=lambda p: p.rank, reverse=True):
        fact = part.fact
        if not any(_same_payment(fact, part.amount_minor, other) for other in kept):
            kept.append(part)
    return sorted(kept, key=lambda p: p.fact_id)


def _same_payment(fact: Fact, amount: int | None, other: Part) -> bool:
    told = other.fact
    if told.source == fact.source or other.amount_minor != amount or told.currency != fact.currency:
        return False
    if fact.end_to_end_id and told.end_to_end_id:
        return fact.end_to_end_id == told.end_to_end_id
    return abs(told.day - fact.day) <= SAME_PAYMENT_DAYS


def _currency(parts: list[Part], sums: _Sums) -> tuple[str | None, int]:
    known = [p.fact.currency for p in parts if p.fact.currency]
    if not known:
        return None, 0
    others = sorted(set(known) - {known[0]})
    if others:
        sums.notes["currency_conflicts"] = (known[0], ", ".join(others))
    return known[0], len(others)


def _payable(part: Part) -> int | None:
    return part.payable_minor if part.payable_minor is not None else part.amount_minor


def _total(parts: list[Part], currency: str | None, value: Callable[[Part], int | None]) -> int | None:
    """Sum of the values, unknown when there are none or any is unknown or in another currency."""
    values = [value(p) if p.fact.currency == currency else None for p in parts]
    return None if not values or None in values else sum(v for v in values if v is not None)


def _plain_total(parts: Iterable[Part]) -> int | None:
    values = [p.fact.quantity_milli for p in parts]
    return None if not values or None in values else sum(v for v in values if v is not None)


def _total_quantity(parts: list[Part], unit: str | None) -> int | None:
    return _plain_total(parts) if all(p.fact.unit in (unit, None) or unit is None for p in parts) else None


def _returned(credits: list[Part], order: Part | None, invoices: list[Part]) -> list[Part]:
    """Credit notes for goods that went back. One that credits a fraction of a price grants a rebate and returns none.

    The standards want a quantity on every line, also on that of a rebate.
    """
    told = [p.fact for p in invoices + ([order] if order else [])]
    prices = [
        price for fact in told for price in (fact.price_micro, *(line.price_micro for line in fact.lines)) if price
    ]
    lowest = min(prices, default=None)
    return [
        p
        for p in credits
        if not (lowest and _each_micro(p.fact) is not None and 2 * (_each_micro(p.fact) or 0) < lowest)
    ]


def _each_micro(fact: Fact) -> int | None:
    """What a credit note gives back for one piece, in millionths."""
    if not fact.quantity_milli or fact.amount_minor is None or fact.currency is None:
        return None
    scale = int(10 ** (9 - currency_of(fact.currency).digits))
    return abs(fact.amount_minor) * scale // abs(fact.quantity_milli)


def _delivered_value(
    goods: _Goods, currency: str | None, delivered: int | None, ordered: int | None, ordered_minor: int | None
) -> int | None:
    """What the delivered goods are worth: as stated, else the order's value in proportion to the quantity."""
    stated = _total(goods.kept, currency, lambda p: p.amount_minor)
    if stated is not None and goods.refused_milli == 0:
        return stated
    if goods.kept and delivered is not None and ordered and ordered_minor is not None:
        return round_half_up(Fraction(ordered_minor * delivered, ordered))
    return None


def _accounts(order: Part | None, invoices: list[Part], payments: list[Part], sums: _Sums) -> tuple[list[str], int]:
    """Accounts that may be paid, and how many facts name another one."""
    agreed = normalise_account(order.fact.account) if order else None
    billed = [a for a in (normalise_account(p.fact.account) for p in invoices) if a]
    allowed = [agreed] if agreed else list(dict.fromkeys(billed))
    conflicts = 0
    for account in [a for a in billed if agreed] + [normalise_account(p.fact.account) or "" for p in payments]:
        if account and allowed and account not in allowed:
            conflicts += 1
            sums.notes.setdefault("account_conflicts", (account, allowed[0]))
    for fact in (p.fact for p in invoices if p.fact.payee):  # sold to somebody else, who is to be paid
        conflicts += 1
        sums.notes.setdefault("account_conflicts", (fact.payee or "", fact.seller or "?"))
    if not agreed and len(set(billed)) > 1:
        conflicts += len(set(billed)) - 1
        sums.notes.setdefault("account_conflicts", (billed[1], billed[0]))
    return allowed, conflicts


def _compare_lines(order: Part | None, invoices: list[Part], sums: _Sums) -> tuple[int, int]:
    """Lines of the invoices against lines of the order: other prices, and more of an item than was ordered."""
    if order is None or not order.fact.lines:
        return 0, 0
    agreed = {_item(line): line for line in order.fact.lines}
    billed: dict[str, list[FactLine]] = {}
    for part in invoices:
        for line in part.fact.lines:
            billed.setdefault(_item(line), []).append(line)
    prices = quantities = 0
    for item, lines in billed.items():
        want = agreed.get(item)
        total = sum(line.quantity_milli or 0 for line in lines)
        if want is None or (want.quantity_milli is not None and total > want.quantity_milli):
            quantities += 1
            asked = f"{want.quantity_milli} of {item}" if want else f"no {item}"
            sums.notes.setdefault("quantity_conflicts", (f"{total} of {item}", asked))
            continue
        for line in lines:
            asked_price, price = want.price_micro, line.price_micro
            if asked_price is None or price is None:
                continue
            if abs(price - asked_price) * 1000 > LINE_PRICE_PER_MILLE * asked_price:
                prices += 1
                sums.notes.setdefault("price_conflicts", (f"{price} for {item}", f"{asked_price}"))
    return prices, quantities


def _item(line: FactLine) -> str:
    return normalise(line.item) or line.item


def _one(values: Iterable[int | None]) -> int | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None
