"""Online and bulk give one order one reason, and every kind of exception is reachable both ways."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.reconciliation.conftest import DAY, START, Desk, fact

from scf.kernel.clock import VirtualClock
from scf.reconciliation.bulk import reconcile_files
from scf.reconciliation.facts import Fact
from scf.reconciliation.rule import Terms
from scf.store.engine import open_engine
from scf.store.session import create_schema

TABLES = {"order": "orders", "delivery": "deliveries", "invoice": "invoices", "payment": "payments"}
DOCUMENTS = {"order": "order_id", "delivery": "delivery_reference", "invoice": "invoice_reference",
             "payment": "payment_reference"}  # fmt: skip
COLUMNS = ("order_reference", "quantity_milli", "amount_minor", "payable_minor", "currency", "seller", "day",
           "promised_day", "due_day", "account")  # fmt: skip


def online(facts: list[Fact], orders: list[str]) -> dict[str, str]:
    """The reason of each order after all facts came, one batch."""
    engine = open_engine("sqlite://")
    create_schema(engine)
    desk = Desk(engine, VirtualClock(START))
    desk.take(*facts)
    found = {order: desk.reason(order) for order in orders}
    engine.dispose()
    return found


def in_bulk(facts: list[Fact], orders: list[str], folder: Path, *, sources: bool = False) -> dict[str, str]:
    """The reason of each order from four CSV files that say the same as the facts."""
    for kind, name in TABLES.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            columns = [*COLUMNS, "source", "trust"] if sources else COLUMNS
            writer.writerow([*columns, DOCUMENTS[kind]])
            writer.writerows([*(getattr(f, c) for c in columns), f.reference] for f in facts if f.kind == kind)
    paths = [folder / f"{name}.csv" for name in TABLES.values()]
    out = folder / "out"
    reconcile_files(paths[0], paths[1], paths[2], paths[3], out, terms=Terms(as_of_day=DAY), threads=1)
    found = dict(duckdb.execute(f"SELECT order_reference, reason FROM '{out}/exceptions.parquet'").fetchall())
    for name, said in (("matches", "MATCHED"), ("expected", "EXPECTED")):
        found |= {k: said for (k,) in duckdb.execute(f"SELECT order_reference FROM '{out}/{name}.parquet'").fetchall()}
    return {order: found[order] for order in orders}


written = st.sampled_from(["PO-{:03d}-7", "PO-{:03d}-7", "po {:03d} 7", "P0/{:03d}/7"])
"""An order's own reference, or one that is the same only when normalised."""


@st.composite
def trades(draw: st.DrawFn, number: int) -> list[Fact]:
    """One order and what came of it: parts, restyled references, documents said twice."""
    order, worth = f"PO-{number:03d}-7", 100_000 + number * 13_170
    facts = [fact("order", order, 10, worth)]
    goods = draw(st.sampled_from([[10], [10], [4, 6], [5, 5], [4], [11], []]))
    for n, part in enumerate(goods):
        day = DAY + draw(st.sampled_from([-30, -30, -33, -28]))
        name = draw(written).format(number)
        facts.append(fact("delivery", name, part, worth * part // 10, reference=f"D{number}-{n}", day=day))
    billed = draw(st.sampled_from([[10], [10], [4, 6], [5, 5], [4], [11], []]))
    due = DAY + draw(st.sampled_from([-1, 30]))
    dearer = draw(st.sampled_from([0, 0, 0, 7]))
    owed = 0
    for n, part in enumerate(billed):
        asked = worth * part * (100 + dearer) // 1000
        owed += asked
        account, name = draw(st.sampled_from(["CN01"] * 5 + ["CN66"])), draw(written).format(number)
        facts.append(fact("invoice", name, part, asked, reference=f"I{number}-{n}", account=account, due_day=due))
    paid = draw(st.sampled_from([[100], [100], [30, 70], [30], [110], [100, 100], []]))
    for n, share in enumerate(paid):
        key = f"P{number}-{n}"
        amount, day = (owed or worth) * share // 100, DAY + draw(st.sampled_from([-2, -2, -40]))
        account, name = draw(st.sampled_from(["CN01"] * 5 + ["CN66"])), draw(written).format(number)
        facts.append(fact("payment", name, None, amount, reference=key, key=key, account=account, day=day))
    again = [f for f in facts if f.kind in ("delivery", "payment")]
    return facts + draw(st.lists(st.sampled_from(again), max_size=2) if again else st.just([]))


@st.composite
def logs(draw: st.DrawFn) -> list[Fact]:
    """Several orders, their facts in any order."""
    many = draw(st.integers(1, 8))
    return draw(st.permutations([f for n in range(many) for f in draw(trades(n))]))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(facts=logs())
def test_online_and_bulk_agree_on_random_facts(facts: list[Fact]) -> None:
    orders = sorted({f.order_reference or "" for f in facts if f.kind == "order"})
    with TemporaryDirectory() as folder:
        assert in_bulk(facts, orders, Path(folder)) == online(facts, orders)


def clean_trade(**order: Any) -> list[Fact]:
    """Order, delivery, invoice and payment that agree, each in time."""
    return [
        fact("order", "PO-000-7", 10, 100_000, **order),
        fact("delivery", "PO-000-7", 10, 100_000, reference="D1"),
        fact("invoice", "PO-000-7", 10, 100_000, reference="I1", account="CN01", due_day=DAY - 1),
        fact("payment", "PO-000-7", None, 100_000, reference="P1", key="P1", account="CN01", day=DAY - 2),
    ]


@pytest.mark.parametrize(
    ("again", "reason"),
    [
        (
            fact("invoice", "po 000 7", 10, 100_000, reference="I2", account="CN01", due_day=DAY - 1),
            "DUPLICATE_INVOICE",
        ),
        (fact("payment", "P0/000/7", None, 100_000, reference="P2", key="P2", account="CN01"), "PAYMENT_DIFFERENCE"),
        (fact("delivery", "po0007", 10, 100_000, reference="D2"), "QUANTITY_DIFFERENCE"),
    ],
)
def test_a_second_document_under_another_spelling_reopens_what_agreed(again: Fact, reason: str, tmp_path: Path) -> None:
    facts = [*clean_trade(), again]
    assert in_bulk(facts, ["PO-000-7"], tmp_path) == online(facts, ["PO-000-7"]) == {"PO-000-7": reason}


ORDER, GOODS, BILL, MONEY = range(4)


def changed(*left_out: int, more: tuple[Fact, ...] = (), **changes: dict[str, Any]) -> list[Fact]:
    """The clean trade without some documents, with others changed (`goods={"day": 1}`), and with more."""
    names = {"order": ORDER, "goods": GOODS, "bill": BILL, "money": MONEY}
    facts = clean_trade()
    for name, change in changes.items():
        facts[names[name]] = replace(facts[names[name]], **change)
    return [f for place, f in enumerate(facts) if place not in left_out] + list(more)


SECOND = fact("invoice", "PO-000-7", 10, 100_000, reference="I2", account="CN01", due_day=DAY - 1, day=DAY - 27)
HALF = {"quantity_milli": 5_000, "amount_minor": 50_000, "payable_minor": 50_000}
HALF_GOODS = {"quantity_milli": 5_000, "amount_minor": 50_000}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (changed(GOODS), "PAID_BEFORE_DELIVERY"),
        (changed(money={"day": DAY - 40}), "PAID_BEFORE_DELIVERY"),
        (changed(BILL, MONEY, goods={"day": DAY - 31}), "DELIVERED_NOT_INVOICED"),
        (changed(GOODS, MONEY), "INVOICED_NOT_DELIVERED"),
        (changed(bill={"quantity_milli": 11_000, "amount_minor": 110_000, "payable_minor": 110_000}), "OVER_INVOICED"),
        (changed(bill={"amount_minor": 107_000, "payable_minor": 107_000}), "PRICE_DIFFERENCE"),
        (changed(BILL, MONEY, goods=HALF_GOODS), "QUANTITY_DIFFERENCE"),
        (changed(more=(SECOND,)), "DUPLICATE_INVOICE"),
        (changed(more=(replace(SECOND, reference="I1-COPY"),)), "DUPLICATE_INVOICE"),
        (changed(money={"account": "CN66"}), "WRONG_PAYEE_ACCOUNT"),
        (changed(goods={"day": DAY - 36}), "EARLY"),
        (changed(goods={"day": DAY - 28}), "LATE"),
        (changed(order={"quantity_milli": None, "amount_minor": None, "currency": None}), "MISSING_EVIDENCE"),
        (changed(order={"promised_day": DAY}, goods=HALF_GOODS | {"day": DAY}, bill=HALF | {"due_day": DAY + 30},
                 money={"amount_minor": 50_000, "day": DAY}), "PARTIAL"),
        (changed(money={"amount_minor": 90_000}), "PAYMENT_DIFFERENCE"),
        (changed(MONEY), "UNPAID"),
        (changed(GOODS, BILL, MONEY), "NOT_DELIVERED"),
        (changed(money={"currency": "EUR"}), "CURRENCY_DIFFERENCE"),
        (changed(ORDER), "UNKNOWN_REFERENCE"),
    ],
)  # fmt: skip
def test_every_kind_of_exception_is_reached_online_and_in_bulk(facts: list[Fact], reason: str, tmp_path: Path) -> None:
    # Bulk files may lack the table of orders altogether only when nothing was ordered: another order keeps it there.
    other = fact("order", "XX-999-1", 1, 777)
    assert in_bulk([*facts, other], ["PO-000-7"], tmp_path)["PO-000-7"] == reason
    assert online([*facts, other], ["PO-000-7"])["PO-000-7"] == reason


@pytest.mark.parametrize(
    ("again", "reason"),
    [
        (fact("delivery", "PO-000-7", 8, 80_000, reference="D1", source="warehouse"), "CONTRADICTING_SOURCES"),
        (fact("delivery", "PO-000-7", 10, 100_000, reference="D1", source="warehouse"), "MATCHED"),
        (
            fact("delivery", "PO-000-7", 10, 100_000, reference="D1", source="warehouse", day=DAY - 25),
            "CONTRADICTING_SOURCES",
        ),
        (
            fact("invoice", "PO-000-7", 10, 90_000, reference="I1", account="CN01", due_day=DAY - 1, source="tax"),
            "CONTRADICTING_SOURCES",
        ),
        (fact("order", "PO-000-7", 10, 90_000, source="seller", trust=1), "CONTRADICTING_SOURCES"),
        (fact("order", "PO-000-7", 10, 100_000, source="seller", trust=1), "MATCHED"),
    ],
)  # fmt: skip
def test_two_sources_of_one_document_confirm_or_contradict_in_bulk_as_online(
    again: Fact, reason: str, tmp_path: Path
) -> None:
    facts = [*clean_trade(), again]
    assert in_bulk(facts, ["PO-000-7"], tmp_path, sources=True) == {"PO-000-7": reason}
    assert online(facts, ["PO-000-7"]) == {"PO-000-7": reason}
