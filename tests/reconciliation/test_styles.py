"""Payments that name their orders in the many ways of the world: links found online and in bulk, kind by kind."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from tests.reconciliation.conftest import DAY, Desk, fact

from scf.reconciliation import service
from scf.reconciliation.bulk import reconcile_files
from scf.reconciliation.facts import Fact, words_of
from scf.reconciliation.rule import Terms

NUMBERS: tuple[Callable[[int], str], ...] = (
    lambda n: f"PO-2025-{n:06d}",
    lambda n: f"{4_500_000_000 + n * 37}",
    lambda n: f"HT/{n:05d}/A",
    lambda n: f"BESTELLUNG.{n * 7 + 10_000}",
    lambda n: f"XS{n:04d}K{n * 13 % 97:02d}",
)
"""How five purchasers number their orders."""
WRITTEN: dict[str, tuple[str, ...]] = {
    "plain": ("{0}",),
    "among words": ("Payment for order {0}, thank you", "Zahlung zu {0} vom 3.3.", "RE: {0} / our ref 77"),
    "among chinese words": ("支付订单{0}货款", "货款：{0}（尾款）"),
    "lower case": ("{0:lower}",),
    "other separators": ("order {0:spaced}",),
    "several": ("{0} {1}", "{0}, {1}", "订单{0}及{1}货款", "orders {0} and {1} in full"),
    "one of several": ("{0}",),
}
"""What a payer writes, by kind; `{1}` is a second order paid by the same payment."""


@dataclass(frozen=True)
class Paid:
    """One payment: the kind, what was written, the orders it pays and their amounts."""

    kind: str
    text: str
    orders: tuple[str, ...]
    amounts: tuple[int, ...]
    seller: str


def written(template: str, numbers: list[str]) -> str:
    text = template
    for place, number in enumerate(numbers):
        spaced = number.replace("-", " ").replace("/", " ").replace(".", " ")
        for mark, said in (("", number), (":lower", number.lower()), (":spaced", spaced)):
            text = text.replace(f"{{{place}{mark}}}", said)
    return text


def payments(many: int, seed: int) -> list[Paid]:
    r = random.Random(seed)
    made, n = [], 0
    for place in range(many):
        kind = r.choice(list(WRITTEN))
        style = NUMBERS[place % len(NUMBERS)]
        orders = 2 if kind in ("several", "one of several") else 1
        numbers = [style(n + i) for i in range(orders)]
        n += orders
        amounts = tuple(r.randrange(10_000, 9_000_000) for _ in numbers)
        text = written(r.choice(WRITTEN[kind]), numbers)
        made.append(Paid(kind, text, tuple(numbers), amounts, f"Supplier {place % 60}"))
    return made


PAYMENTS = payments(500, 20_26)


def shares_right(found: set[tuple[str, str]]) -> dict[str, tuple[int, int, int]]:
    """By kind: links planted, found rightly, found wrongly. A link is (payment, order)."""
    truth = {(f"B{n}", order): paid.kind for n, paid in enumerate(PAYMENTS) for order in paid.orders}
    kinds = {f"B{n}": paid.kind for n, paid in enumerate(PAYMENTS)}
    planted, right = Counter(truth.values()), Counter(truth[link] for link in found if link in truth)
    wrong = Counter(kinds[payment] for payment, order in found if (payment, order) not in truth)
    return {kind: (planted[kind], right[kind], wrong[kind]) for kind in WRITTEN}


def judge_links(found: set[tuple[str, str]], kinds: set[str]) -> None:
    counted = shares_right(found)
    for kind in kinds:
        planted, right, _ = counted[kind]
        assert right >= 0.98 * planted, counted
    made = sum(right + wrong for _, right, wrong in counted.values())
    assert sum(right for _, right, _ in counted.values()) >= 0.999 * made, counted


def test_bulk_finds_the_orders_a_payment_names(tmp_path: Path) -> None:
    rows: dict[str, list[tuple[object, ...]]] = {"orders": [], "deliveries": [], "payments": []}
    for n, paid in enumerate(PAYMENTS):
        for order, amount in zip(paid.orders, paid.amounts, strict=True):
            rows["orders"].append((order, f"{amount / 100:.2f}", "2026-01-02", paid.seller))
            rows["deliveries"].append((order, f"{amount / 100:.2f}", "2026-01-20", paid.seller, f"D{order}"))
        rows["payments"].append((paid.text, f"{sum(paid.amounts) / 100:.2f}", "2026-02-10", paid.seller, f"B{n}"))
    heads = {
        "orders": ("order_id", "amount", "date", "supplier"),
        "deliveries": ("order_id", "amount", "date", "supplier", "delivery_id"),
        "payments": ("remittance", "amount", "date", "supplier", "payment_id"),
    }
    for name, head in heads.items():
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows[name]])
    orders, goods, money = (tmp_path / f"{name}.csv" for name in heads)
    out = tmp_path / "out"
    summary = reconcile_files(orders, goods, None, money, out, terms=Terms(as_of_day=DAY, invoices_expected=0))
    assert summary["inputs"]["payments"]["amount_minor"] == sum(sum(paid.amounts) for paid in PAYMENTS)
    moves = duckdb.execute(f"SELECT row_id, k_to FROM '{out}/moves.parquet' WHERE side = 'payments'").fetchall()
    judge_links({(f"B{row}", order) for row, order in moves}, set(WRITTEN))


def test_online_finds_the_orders_a_payment_names(desk: Desk) -> None:
    facts: list[Fact] = []
    for n, paid in enumerate(PAYMENTS):
        for order, amount in zip(paid.orders, paid.amounts, strict=True):
            facts.append(fact("order", order, 1, amount, seller=paid.seller))
            facts.append(fact("delivery", order, 1, amount, reference=f"D{order}", seller=paid.seller))
        facts.append(
            fact(
                "payment", None, None, sum(paid.amounts), key=f"B{n}", mentions=words_of(paid.text), seller=paid.seller
            )
        )
    desk.take(*facts)
    links = desk.do(
        lambda s: {
            (step.reference, order)
            for paid in PAYMENTS
            for order in paid.orders
            for step in service.timeline(s, order)
            if step.kind == "payment"
        }
    )
    judge_links({(str(key), order) for key, order in links}, set(WRITTEN) - {"one of several"})
