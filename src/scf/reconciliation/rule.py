"""The rule: what an order, its goods, its invoices and its payments say about each other, judged in integers only.

`judge` is the one rule of the house. `rule.sql` says the same in portable SQL for bulk runs; a property test holds the
two together. Nothing here divides: a tolerance is kept as thousandths and compared by cross-multiplying. Missing values
are `None` and never pass a test; whatever cannot be compared ends in `MISSING_EVIDENCE`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

RULE_ID = "order-goods-invoice-money"
RULE_VERSION = 2

SAME_DELIVERY_DAYS = 3
"""Two sources may date one delivery so many days apart before they contradict each other."""
MAX_VALUE = 4_000_000_000_000_000
"""Largest magnitude of an amount (minor units), quantity (thousandths) or price (millionths); x 1000 fits 64 bits."""


class Reason(IntEnum):
    """Why a case is not simply matched. The value is its bit; a lower value is the more serious reason."""

    CONTRADICTING_SOURCES = 0
    WRONG_PAYEE_ACCOUNT = 1
    DUPLICATE_INVOICE = 2
    UNKNOWN_REFERENCE = 3
    CURRENCY_DIFFERENCE = 4
    PAID_BEFORE_DELIVERY = 5
    OVER_INVOICED = 6
    INVOICED_NOT_DELIVERED = 7
    PRICE_DIFFERENCE = 8
    QUANTITY_DIFFERENCE = 9
    PAYMENT_DIFFERENCE = 10
    DELIVERED_NOT_INVOICED = 11
    NOT_DELIVERED = 12
    UNPAID = 13
    MISSING_EVIDENCE = 14
    LATE = 15
    EARLY = 16
    PARTIAL = 17
    EXPECTED = 18


MATCHED = "MATCHED"
EXPECTED_FLAG = 1 << Reason.EXPECTED


@dataclass(frozen=True, slots=True)
class Terms:
    """Tolerances and windows of the rule. Days count from 1970-01-01; tolerances are thousandths of the base value."""

    as_of_day: int
    amount_fixed_minor: int = 100
    amount_per_mille: int = 5
    quantity_per_mille: int = 0
    price_per_mille: int = 5
    late_days: int = 0
    early_days: int = 0
    delivery_window_days: int = 90
    invoice_window_days: int = 30
    payment_window_days: int = 120
    payment_grace_days: int = 0
    invoices_expected: int = 1
    deliveries_expected: int = 1
    payments_expected: int = 1
    required_trust: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One order and all that was said about it, added up. Counts are 0 when nothing came; sums are None when unknown.

    Quantities in thousandths of the unit, amounts in minor units, prices in millionths of the currency unit, days since
    1970-01-01. `ordered_minor`, `delivered_minor` and `invoiced_minor` are net of tax, `payable_minor` and `paid_minor`
    are what moves.
    """

    orders: int = 0
    deliveries: int = 0
    invoices: int = 0
    payments: int = 0
    ordered_quantity: int | None = None
    delivered_quantity: int | None = None
    invoiced_quantity: int | None = None
    ordered_minor: int | None = None
    delivered_minor: int | None = None
    invoiced_minor: int | None = None
    payable_minor: int | None = None
    paid_minor: int | None = None
    ordered_price: int | None = None
    invoiced_price: int | None = None
    order_day: int | None = None
    promised_day: int | None = None
    first_delivered_day: int | None = None
    last_delivered_day: int | None = None
    due_day: int | None = None
    first_paid_day: int | None = None
    last_paid_day: int | None = None
    contradictions: int = 0
    account_conflicts: int = 0
    duplicate_invoices: int = 0
    equal_invoices: int = 0
    currency_conflicts: int = 0
    price_conflicts: int = 0
    quantity_conflicts: int = 0
    weakest_trust: int | None = None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One reason with the two values that disagree. `limit_milli` is the allowed difference in thousandths."""

    reason: Reason
    field: str
    left: int
    right: int
    limit_milli: int = 0

    @property
    def difference(self) -> int:
        """`left` minus `right`."""
        return self.left - self.right


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rule found: every disagreement by seriousness, the flags as one number, and when to look again."""

    flags: int
    disagreements: tuple[Disagreement, ...] = field(default=())
    review_day: int | None = None

    @property
    def reason(self) -> str:
        """Name of the most serious reason, `MATCHED` when there is none."""
        return primary_reason(self.flags)


def primary_reason(flags: int) -> str:
    """Name of the lowest bit set in `flags`; `MATCHED` for 0."""
    return Reason((flags & -flags).bit_length() - 1).name if flags else MATCHED


def reasons_of(flags: int) -> tuple[Reason, ...]:
    """All reasons in `flags`, the most serious first."""
    return tuple(reason for reason in Reason if flags >> reason & 1)


class _Bench:
    """The case on the bench with what follows from it at once."""

    __slots__ = ("case", "found", "goods_minor", "last_due_day", "no_goods_table", "payable_minor", "terms")

    def __init__(self, case: Case, terms: Terms) -> None:
        self.case, self.terms = case, terms
        self.found: dict[Reason, Disagreement] = {}
        complete = case.delivered_quantity is not None and case.delivered_quantity == case.ordered_quantity
        delivered = case.delivered_minor
        self.no_goods_table = terms.deliveries_expected == 0 and case.deliveries == 0
        complete = complete or self.no_goods_table  # then an order is taken as what was delivered
        self.goods_minor = delivered if delivered is not None else (case.ordered_minor if complete else None)
        self.payable_minor = case.payable_minor if case.invoices > 0 else self.goods_minor
        self.last_due_day = case.due_day
        if case.due_day is None and case.last_delivered_day is not None:
            self.last_due_day = case.last_delivered_day + terms.payment_window_days

    def add(self, reason: Reason, name: str, left: int | None, right: int | None, limit_milli: int = 0) -> None:
        """Note a disagreement; the first one noted for a reason stays."""
        if reason not in self.found:
            self.found[reason] = Disagreement(reason, name, left or 0, right or 0, limit_milli)

    def allowed(self, base: int) -> int:
        """Allowed difference of amounts around `base`, in thousandths of a minor unit."""
        return max(self.terms.amount_fixed_minor * 1000, self.terms.amount_per_mille * base)

    def above(self, left: int | None, right: int | None) -> bool:
        """Whether amount `left` exceeds `right` by more than allowed around `right`."""
        return left is not None and right is not None and (left - right) * 1000 > self.allowed(right)

    def below(self, left: int | None, right: int | None) -> bool:
        """Whether amount `left` falls short of `right` by more than allowed around `right`."""
        return left is not None and right is not None and (right - left) * 1000 > self.allowed(right)

    def more(self, left: int | None, right: int | None) -> bool:
        """Whether quantity `left` exceeds `right` by more than allowed around `right`."""
        limit = self.terms.quantity_per_mille
        return left is not None and right is not None and (left - right) * 1000 > limit * right

    def less(self, left: int | None, right: int | None) -> bool:
        """Whether quantity `left` falls short of `right` by more than allowed around `right`."""
        limit = self.terms.quantity_per_mille
        return left is not None and right is not None and (right - left) * 1000 > limit * right

    def after(self, threshold_day: int | None, days: int) -> bool:
        """Whether today lies after `threshold_day` plus `days`; an unknown day is not passed."""
        return threshold_day is not None and self.terms.as_of_day > threshold_day + days


def judge(case: Case, terms: Terms) -> Verdict:
    """Judge one case. Pure: the same case and terms give the same verdict, in Python and in `rule.sql`."""
    bench = _Bench(case, terms)
    _conflicts(bench)
    _goods_and_invoice(bench)
    _price_and_quantity(bench)
    _money(bench)
    _waiting(bench)
    _time(bench)
    _evidence(bench)
    _parts(bench)
    flags = sum(1 << reason for reason in bench.found)
    ordered = tuple(bench.found[reason] for reason in sorted(bench.found))
    return Verdict(flags, ordered, _review_day(bench))


def _conflicts(b: _Bench) -> None:
    c = b.case
    for reason, name, count in (
        (Reason.CONTRADICTING_SOURCES, "contradictions", c.contradictions),
        (Reason.WRONG_PAYEE_ACCOUNT, "account_conflicts", c.account_conflicts),
        (Reason.CURRENCY_DIFFERENCE, "currency_conflicts", c.currency_conflicts),
        (Reason.DUPLICATE_INVOICE, "duplicate_invoices", c.duplicate_invoices),
    ):
        if count > 0:
            b.add(reason, name, count, 0)
    if c.orders == 0:
        b.add(Reason.UNKNOWN_REFERENCE, "orders", 0, 1)


def _goods_and_invoice(b: _Bench) -> None:
    c, t = b.case, b.terms
    if c.invoices == 0:
        return
    invoiced, delivered = c.invoiced_quantity, c.delivered_quantity
    by_quantity = invoiced is not None and delivered is not None
    if c.deliveries > 0 and b.more(invoiced, delivered):
        b.add(Reason.OVER_INVOICED, "invoiced_quantity", invoiced, delivered, t.quantity_per_mille * (delivered or 0))
    elif c.deliveries > 0 and not by_quantity and b.above(c.invoiced_minor, b.goods_minor):
        b.add(Reason.OVER_INVOICED, "invoiced_minor", c.invoiced_minor, b.goods_minor, b.allowed(b.goods_minor or 0))
    elif (
        c.orders > 0
        and b.above(c.invoiced_minor, c.ordered_minor)
        and (invoiced is None or c.ordered_quantity is None or invoiced > c.ordered_quantity)
    ):
        b.add(Reason.OVER_INVOICED, "ordered_minor", c.invoiced_minor, c.ordered_minor, b.allowed(c.ordered_minor or 0))
    if c.equal_invoices > 0 and Reason.OVER_INVOICED in b.found:
        b.add(Reason.DUPLICATE_INVOICE, "equal_invoices", c.equal_invoices, 0)
    goods_due = c.promised_day is None or b.after(c.promised_day, t.late_days)
    if c.orders > 0 and c.deliveries == 0 and t.deliveries_expected == 1 and goods_due:
        b.add(Reason.INVOICED_NOT_DELIVERED, "invoiced_minor", c.invoiced_minor, 0)


def _price_and_quantity(b: _Bench) -> None:
    c, t = b.case, b.terms
    ordered, delivered, invoiced = c.ordered_quantity, c.delivered_quantity, c.invoiced_quantity
    if c.price_conflicts > 0:
        b.add(Reason.PRICE_DIFFERENCE, "price_conflicts", c.price_conflicts, 0)
    price, agreed = c.invoiced_price, c.ordered_price
    if price is not None and agreed is not None and abs(price - agreed) * 1000 > t.price_per_mille * agreed:
        b.add(Reason.PRICE_DIFFERENCE, "invoiced_price", price, agreed, t.price_per_mille * agreed)
    billed = c.invoiced_minor
    if (
        invoiced is not None
        and invoiced == ordered
        and (b.above(billed, c.ordered_minor) or b.below(billed, c.ordered_minor))
    ):
        b.add(Reason.PRICE_DIFFERENCE, "ordered_minor", billed, c.ordered_minor, b.allowed(c.ordered_minor or 0))
    value = c.delivered_minor
    if invoiced is not None and invoiced == delivered and (b.above(billed, value) or b.below(billed, value)):
        b.add(Reason.PRICE_DIFFERENCE, "delivered_minor", billed, value, b.allowed(value or 0))
    if c.quantity_conflicts > 0:
        b.add(Reason.QUANTITY_DIFFERENCE, "quantity_conflicts", c.quantity_conflicts, 0)
    limit = t.quantity_per_mille * (ordered or 0)
    if b.more(delivered, ordered) or (b.less(delivered, ordered) and b.after(c.promised_day, t.late_days)):
        b.add(Reason.QUANTITY_DIFFERENCE, "delivered_quantity", delivered, ordered, limit)
    if b.less(invoiced, delivered) and b.after(c.last_delivered_day, t.invoice_window_days):
        b.add(
            Reason.QUANTITY_DIFFERENCE,
            "invoiced_quantity",
            invoiced,
            delivered,
            t.quantity_per_mille * (delivered or 0),
        )
    if (ordered is None or delivered is None) and b.above(value, c.ordered_minor):
        b.add(Reason.QUANTITY_DIFFERENCE, "delivered_minor", value, c.ordered_minor, b.allowed(c.ordered_minor or 0))


def _money(b: _Bench) -> None:
    c, t = b.case, b.terms
    if c.payments == 0:
        return
    goods, payable, paid = b.goods_minor, b.payable_minor, c.paid_minor
    paid_day, delivered_day = c.first_paid_day, c.first_delivered_day
    if c.orders > 0 and c.deliveries == 0 and t.deliveries_expected == 1:
        b.add(Reason.PAID_BEFORE_DELIVERY, "paid_minor", paid, 0)
    elif paid_day is not None and delivered_day is not None and paid_day < delivered_day:
        b.add(Reason.PAID_BEFORE_DELIVERY, "first_paid_day", paid_day, delivered_day)
    elif c.invoices == 0 and b.above(paid, goods) and b.below(goods, c.ordered_minor):
        b.add(Reason.PAID_BEFORE_DELIVERY, "delivered_minor", paid, goods, b.allowed(goods or 0))
    if c.deliveries > 0 or c.invoices > 0 or b.no_goods_table:
        over = b.above(paid, payable)
        if over or (b.below(paid, payable) and b.after(b.last_due_day, t.payment_grace_days)):
            b.add(Reason.PAYMENT_DIFFERENCE, "paid_minor", paid, payable, b.allowed(payable or 0))


def _waiting(b: _Bench) -> None:
    """What should have come by now and did not, and what may still come."""
    c, t = b.case, b.terms
    if c.orders == 0:
        return
    no_invoice = c.invoices == 0 and t.invoices_expected == 1
    if no_invoice and c.deliveries > 0 and b.after(c.last_delivered_day, t.invoice_window_days):
        b.add(
            Reason.DELIVERED_NOT_INVOICED,
            "last_delivered_day",
            c.last_delivered_day,
            t.as_of_day,
            t.invoice_window_days * 1000,
        )
    no_goods = c.deliveries == 0 and t.deliveries_expected == 1
    if no_goods and c.invoices == 0 and c.payments == 0:
        if b.after(c.promised_day, t.late_days):
            b.add(Reason.NOT_DELIVERED, "promised_day", c.promised_day, t.as_of_day, t.late_days * 1000)
        elif c.promised_day is None and b.after(c.order_day, t.delivery_window_days):
            b.add(Reason.NOT_DELIVERED, "order_day", c.order_day, t.as_of_day, t.delivery_window_days * 1000)
    owed = b.payable_minor is None or b.payable_minor > 0
    unpaid = c.payments == 0 and owed and t.payments_expected == 1
    if c.deliveries > 0 and unpaid and b.after(b.last_due_day, t.payment_grace_days):
        b.add(Reason.UNPAID, "due_day", b.last_due_day, t.as_of_day, t.payment_grace_days * 1000)
    if no_goods or no_invoice or unpaid:
        b.add(Reason.EXPECTED, "payments" if c.deliveries > 0 and not no_invoice else "deliveries", 0, 1)


def _time(b: _Bench) -> None:
    c, t = b.case, b.terms
    promised, last, first = c.promised_day, c.last_delivered_day, c.first_delivered_day
    if promised is not None and last is not None and last > promised + t.late_days:
        b.add(Reason.LATE, "last_delivered_day", last, promised, t.late_days * 1000)
    paid, due = c.last_paid_day, b.last_due_day
    if paid is not None and due is not None and paid > due + t.payment_grace_days:
        b.add(Reason.LATE, "last_paid_day", paid, due, t.payment_grace_days * 1000)
    if promised is not None and first is not None and first < promised - t.early_days:
        b.add(Reason.EARLY, "first_delivered_day", first, promised, t.early_days * 1000)


def _evidence(b: _Bench) -> None:
    c, t = b.case, b.terms
    unsized = c.ordered_quantity is None or c.delivered_quantity is None
    if c.orders > 0 and c.ordered_minor is None and c.ordered_quantity is None:
        b.add(Reason.MISSING_EVIDENCE, "ordered_minor", 0, 1)
    if c.orders > 0 and c.deliveries > 0 and b.goods_minor is None and unsized:
        b.add(Reason.MISSING_EVIDENCE, "delivered_minor", 0, 1)
    if c.invoices > 0 and (c.invoiced_minor is None or c.payable_minor is None):
        b.add(Reason.MISSING_EVIDENCE, "invoiced_minor", 0, 1)
    owing = c.deliveries > 0 or c.invoices > 0 or b.no_goods_table
    if c.payments > 0 and (c.paid_minor is None or (b.payable_minor is None and owing)):
        b.add(Reason.MISSING_EVIDENCE, "payable_minor", 0, 1)
    unlike = c.invoiced_quantity is None or c.delivered_quantity is None
    if c.invoices > 0 and c.deliveries > 0 and unlike and b.goods_minor is None:
        b.add(Reason.MISSING_EVIDENCE, "delivered_quantity", 0, 1)
    if t.required_trust > 0 and (c.weakest_trust is None or c.weakest_trust < t.required_trust):
        b.add(Reason.MISSING_EVIDENCE, "weakest_trust", c.weakest_trust, t.required_trust)


def _parts(b: _Bench) -> None:
    c, t = b.case, b.terms
    if c.orders == 0:
        return
    ordered, delivered, invoiced = c.ordered_quantity, c.delivered_quantity, c.invoiced_quantity
    limit = t.quantity_per_mille
    if b.less(delivered, ordered) and not b.after(c.promised_day, t.late_days):
        b.add(Reason.PARTIAL, "delivered_quantity", delivered, ordered, limit * (ordered or 0))
    elif (ordered is None or delivered is None) and b.below(b.goods_minor, c.ordered_minor):
        b.add(Reason.PARTIAL, "delivered_minor", b.goods_minor, c.ordered_minor, b.allowed(c.ordered_minor or 0))
    elif b.less(invoiced, delivered) and not b.after(c.last_delivered_day, t.invoice_window_days):
        b.add(Reason.PARTIAL, "invoiced_quantity", invoiced, delivered, limit * (delivered or 0))
    elif (
        c.payments > 0 and b.below(c.paid_minor, b.payable_minor) and not b.after(b.last_due_day, t.payment_grace_days)
    ):
        b.add(Reason.PARTIAL, "paid_minor", c.paid_minor, b.payable_minor, b.allowed(b.payable_minor or 0))


def _review_day(b: _Bench) -> int | None:
    """First day after `as_of_day` on which time alone could change the verdict."""
    c, t = b.case, b.terms
    thresholds = (
        (c.promised_day, t.late_days),
        (c.order_day, t.delivery_window_days),
        (c.last_delivered_day, t.invoice_window_days),
        (b.last_due_day, t.payment_grace_days),
    )
    days = [day + window + 1 for day, window in thresholds if day is not None and day + window >= t.as_of_day]
    return min(days, default=None)


def at_day(terms: Terms, day: int) -> Terms:
    """The same terms seen on another day."""
    return replace(terms, as_of_day=day)
