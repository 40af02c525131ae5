"""Which order a payment means when it does not quite say so: online and in bulk the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.reconciliation.conftest import DAY, Desk, fact
from tests.reconciliation.test_agreement import in_bulk, online

from scf.reconciliation.combining import Due, Paid, combine
from scf.reconciliation.facts import Fact, differ

ORDERS = ["PO-001-7", "PO-002-7", "PO-003-7"]
WORTH = dict(zip(ORDERS, (100_000, 70_000, 51_000), strict=True))


def unpaid(order: str, amount: int | None = None, **more: Any) -> list[Fact]:
    """An order delivered and invoiced, due soon."""
    worth, number = amount or WORTH[order], order[3:6]
    return [
        fact("order", order, 10, worth, **more),
        fact("delivery", order, 10, worth, reference=f"D{number}", **more),
        fact("invoice", order, 10, worth, reference=f"INV-{number}", account="CN01", due_day=DAY - 1, **more),
    ]


def money(amount: int, order: str | None = None, **more: Any) -> Fact:
    key = more.pop("key", "P1")
    return fact("payment", order, None, amount, reference=key, key=key, account="CN01", day=DAY - 2, **more)


GOODS = [one for order in ORDERS for one in unpaid(order)]


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        ([money(170_000, "PO-001-7")], ["MATCHED", "MATCHED", "UNPAID"]),  # names one of the two it covers
        ([money(221_000, "PO-002-7")], ["MATCHED", "MATCHED", "MATCHED"]),
        ([money(170_001, "PO-001-7")], ["PAYMENT_DIFFERENCE", "UNPAID", "UNPAID"]),  # to the cent, or not at all
        ([money(70_000)], ["UNPAID", "MATCHED", "UNPAID"]),  # names none, and fits one alone
        ([money(170_000)], ["MATCHED", "MATCHED", "UNPAID"]),  # names none
        ([money(60_000), money(40_000, key="P2")], ["MATCHED", "UNPAID", "UNPAID"]),  # two for one
        ([money(90_000), money(80_000, key="P2")], ["MATCHED", "MATCHED", "UNPAID"]),  # two for two
    ],
)
def test_what_adds_up_in_one_way_is_placed_online_and_in_bulk(
    paid: list[Fact], expected: list[str], tmp_path: Path
) -> None:
    facts = [*GOODS, *paid]
    assert list(online(facts, ORDERS).values()) == expected
    assert list(in_bulk(facts, ORDERS, tmp_path).values()) == expected


def test_a_payment_that_names_one_of_several_waits_for_the_others_invoice(desk: Desk) -> None:
    desk.take(*unpaid("PO-001-7"), money(170_000, "PO-001-7"))
    assert desk.reason("PO-001-7") == "PAYMENT_DIFFERENCE"
    desk.take(*unpaid("PO-002-7"))
    assert [desk.reason(order) for order in ORDERS[:2]] == ["MATCHED", "MATCHED"]
    assert desk.codes() == []
    # A fact that comes later and says otherwise is an exception again, on the order it is about.
    desk.take(fact("credit_note", "PO-002-7", None, -20_000, reference="CN-2"))
    assert [desk.reason(order) for order in ORDERS[:2]] == ["MATCHED", "PAYMENT_DIFFERENCE"]


def test_an_overpayment_that_two_sets_of_orders_explain_stays_with_people(desk: Desk) -> None:
    twice = [*unpaid("PO-002-7"), *unpaid("PO-003-7", 70_000)]
    desk.take(*unpaid("PO-001-7"), *twice, money(170_000, "PO-001-7"))
    assert [desk.reason(order) for order in ORDERS] == ["PAYMENT_DIFFERENCE", "UNPAID", "UNPAID"]


def test_a_number_two_firms_use_leads_to_the_one_that_is_paid(desk: Desk) -> None:
    other = unpaid("PO-002-7", seller="Smelter", buyer="Core")
    other[2] = fact("invoice", "PO-002-7", 10, 70_000, reference="INV-001", account="CN02", seller="Smelter")
    desk.take(*unpaid("PO-001-7"), *other)
    pays = {"invoice_references": ("INV-001",), "seller": "Somebody in other letters"}
    desk.take(fact("payment", None, None, 70_000, key="P1", account="CN02", **pays))
    desk.take(fact("payment", None, None, 100_000, key="P2", account="CN99", **pays))  # diverted: only the amount tells
    assert (desk.reason("PO-002-7"), desk.reason("PO-001-7")) == ("MATCHED", "WRONG_PAYEE_ACCOUNT")


def test_a_typing_error_that_hits_another_number_is_seen_through_by_the_amount(desk: Desk, tmp_path: Path) -> None:
    facts = [*unpaid("PO-012-7", 100_000), *unpaid("PO-021-7", 70_000)]
    facts += [money(70_000, "PO-012-7"), money(100_000, "PO-012-7", key="P2")]
    orders = ["PO-012-7", "PO-021-7"]
    assert list(online(facts, orders).values()) == ["MATCHED", "MATCHED"]
    assert list(in_bulk(facts, orders, tmp_path).values()) == ["MATCHED", "MATCHED"]
    desk.take(*facts[:6], money(69_999, "PO-012-7"))  # not that amount to the cent: a part payment of what it names
    assert [desk.reason(order) for order in orders] == ["PAYMENT_DIFFERENCE", "UNPAID"]


def test_a_rebate_returns_no_goods_and_a_return_does(desk: Desk) -> None:
    price = {"price_micro": 100_000_000}
    for number, (gone, back) in {"PO-001-7": (1, 400), "PO-002-7": (2, 20_000)}.items():
        desk.take(
            fact("order", number, 10, 100_000, **price),
            fact("delivery", number, 10, reference=f"D{number}"),
            fact("invoice", number, 10, 100_000, reference=f"I{number}", due_day=DAY - 1, **price),
            fact("credit_note", number, -gone, -back, reference=f"C{number}"),
            fact("payment", number, None, 100_000 - back, key=number),
        )
    assert (desk.reason("PO-001-7"), desk.codes("PO-002-7")) == ("MATCHED", ["PARTIAL"])


def test_one_that_could_pay_alone_is_not_added_to_another() -> None:
    paid = [Paid("a", 113, 5), Paid("b", 113, 5)]
    assert combine(paid, [Due("x", 226, 1)], window_days=30) != []
    assert combine(paid, [Due("x", 226, 1), Due("y", 113, 1)], window_days=30) == []
    assert combine(paid, [Due("x", 226, 6)], window_days=30) == []  # paid before the goods came
    assert combine(paid, [Due("x", 226, 1)], window_days=3) == []


@pytest.mark.parametrize(
    ("one", "other", "surely"),
    [
        ("coreworks", "coreworks", False),
        ("coreworks", "mill", True),
        ("91330100123456", "coreworks", False),  # a number and a name cannot be compared
        ("91330100123456", "91330100999999", True),
        (None, "mill", False),
    ],
)
def test_parties_that_surely_differ(one: str | None, other: str | None, surely: bool) -> None:
    assert differ(one, other) is surely
