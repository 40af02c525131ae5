"""The rule: its reasons, and that Python and every SQL engine at hand judge alike."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, fields

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.reconciliation.portable import explain_sql, rule_sql
from scf.reconciliation.rule import MAX_VALUE, Case, Reason, Terms, judge

COLUMNS = [f.name for f in fields(Case)]
TODAY = 20_500
TERMS = Terms(as_of_day=TODAY, invoices_expected=0)

maybe_amount = st.none() | st.sampled_from(
    [0, 1, 99_899, 99_900, 100_000, 100_100, 100_101, 100_500, 100_501, 200_000, MAX_VALUE]
)
maybe_quantity = st.none() | st.sampled_from([0, 1_000, 4_999, 5_000, 5_001, 10_000, MAX_VALUE])
maybe_day = st.none() | st.sampled_from([TODAY + d for d in (-200, -121, -120, -31, -30, -2, -1, 0, 1, 30, 120)])
count = st.sampled_from([0, 1, 1, 2])
rarely = st.sampled_from([0, 0, 0, 0, 1])

cases = st.builds(
    Case,
    orders=count,
    deliveries=count,
    invoices=count,
    payments=count,
    ordered_quantity=maybe_quantity,
    delivered_quantity=maybe_quantity,
    invoiced_quantity=maybe_quantity,
    ordered_minor=maybe_amount,
    delivered_minor=maybe_amount,
    invoiced_minor=maybe_amount,
    payable_minor=maybe_amount,
    paid_minor=maybe_amount,
    ordered_price=maybe_amount,
    invoiced_price=maybe_amount,
    order_day=maybe_day,
    promised_day=maybe_day,
    first_delivered_day=maybe_day,
    last_delivered_day=maybe_day,
    due_day=maybe_day,
    first_paid_day=maybe_day,
    last_paid_day=maybe_day,
    contradictions=rarely,
    account_conflicts=rarely,
    duplicate_invoices=rarely,
    equal_invoices=rarely,
    currency_conflicts=rarely,
    price_conflicts=rarely,
    quantity_conflicts=rarely,
    weakest_trust=st.none() | st.integers(0, 4),
)
terms = st.builds(
    Terms,
    as_of_day=st.just(TODAY),
    amount_fixed_minor=st.sampled_from([0, 100]),
    amount_per_mille=st.sampled_from([0, 5]),
    quantity_per_mille=st.sampled_from([0, 20]),
    late_days=st.sampled_from([0, 3]),
    early_days=st.sampled_from([0, 3]),
    invoices_expected=st.sampled_from([0, 1]),
    deliveries_expected=st.sampled_from([0, 1, 1]),
    payments_expected=st.sampled_from([0, 1, 1]),
    required_trust=st.sampled_from([0, 3]),
)


def by_sql(engine: str, batch: list[Case], of: Terms) -> list[tuple[int, int, str, int, int, int]]:
    columns = ", ".join(f"{name} BIGINT" for name in ["n", *COLUMNS])
    marks = ", ".join("?" for _ in range(len(COLUMNS) + 1))
    connection = sqlite3.connect(":memory:") if engine == "sqlite" else duckdb.connect()
    with connection:
        connection.execute(f"CREATE TABLE cases ({columns})")
        connection.executemany(f"INSERT INTO cases VALUES ({marks})", [(n, *astuple(c)) for n, c in enumerate(batch)])
        judged = f"({rule_sql('cases', of)})"
        wanted = "flags, reason, field, left_value, right_value, limit_milli"
        query = f"SELECT {wanted} FROM ({explain_sql(judged, of)}) ORDER BY n"
        rows = connection.execute(query).fetchall()
    return [tuple(row) for row in rows]  # type: ignore[misc]


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
@settings(max_examples=12, deadline=None)
@given(batch=st.lists(cases, min_size=20, max_size=80), of=terms)
def test_python_and_sql_judge_alike(engine: str, batch: list[Case], of: Terms) -> None:
    expected = []
    for case in batch:
        verdict = judge(case, of)
        if verdict.disagreements:
            first = verdict.disagreements[0]
            expected.append((verdict.flags, int(first.reason), first.field, first.left, first.right, first.limit_milli))
        else:
            expected.append((0, -1, None, 0, 0, 0))
    assert by_sql(engine, batch, of) == expected


def good(**changes: object) -> Case:
    values: dict[str, object] = {
        "orders": 1,
        "deliveries": 1,
        "invoices": 1,
        "payments": 1,
        "ordered_quantity": 10_000,
        "delivered_quantity": 10_000,
        "invoiced_quantity": 10_000,
        "ordered_minor": 100_000,
        "delivered_minor": 100_000,
        "invoiced_minor": 100_000,
        "payable_minor": 113_000,
        "paid_minor": 113_000,
        "order_day": TODAY - 90,
        "promised_day": TODAY - 60,
        "first_delivered_day": TODAY - 60,
        "last_delivered_day": TODAY - 60,
        "due_day": TODAY - 1,
        "first_paid_day": TODAY - 2,
        "last_paid_day": TODAY - 2,
    }
    return Case(**(values | changes))  # type: ignore[arg-type]


NOTHING_PAID = {"payments": 0, "paid_minor": None, "first_paid_day": None, "last_paid_day": None}
NOTHING_DELIVERED = {
    "deliveries": 0,
    "delivered_quantity": None,
    "delivered_minor": None,
    "first_delivered_day": None,
    "last_delivered_day": None,
}
NOTHING_INVOICED = {"invoices": 0, "invoiced_quantity": None, "invoiced_minor": None, "payable_minor": None}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "MATCHED"),
        ({"paid_minor": 113_565}, "MATCHED"),  # exactly 0.5% too much is still allowed
        ({"paid_minor": 113_566}, "PAYMENT_DIFFERENCE"),
        ({"paid_minor": 112_434}, "PAYMENT_DIFFERENCE"),
        ({"paid_minor": 60_000, "due_day": TODAY}, "PARTIAL"),
        (NOTHING_PAID, "UNPAID"),
        (NOTHING_PAID | {"due_day": TODAY}, "EXPECTED"),
        (NOTHING_DELIVERED, "PAID_BEFORE_DELIVERY"),
        ({"first_paid_day": TODAY - 61}, "PAID_BEFORE_DELIVERY"),
        (NOTHING_DELIVERED | NOTHING_PAID, "INVOICED_NOT_DELIVERED"),
        (NOTHING_DELIVERED | NOTHING_PAID | {"promised_day": TODAY}, "EXPECTED"),
        (NOTHING_DELIVERED | NOTHING_PAID | NOTHING_INVOICED, "NOT_DELIVERED"),
        ({"invoiced_quantity": 11_000, "invoiced_minor": 110_000}, "OVER_INVOICED"),
        ({"invoiced_minor": 101_000}, "PRICE_DIFFERENCE"),
        ({"ordered_price": 1_000_000, "invoiced_price": 1_005_001}, "PRICE_DIFFERENCE"),
        (
            {
                "delivered_quantity": 9_000,
                "invoiced_quantity": 9_000,
                "delivered_minor": 90_000,
                "invoiced_minor": 90_000,
                "payable_minor": 90_000,
                "paid_minor": 90_000,
            },
            "QUANTITY_DIFFERENCE",
        ),
        (
            {
                "delivered_quantity": 9_000,
                "invoiced_quantity": 9_000,
                "delivered_minor": 90_000,
                "invoiced_minor": 90_000,
                "payable_minor": 90_000,
                "paid_minor": 90_000,
                "promised_day": TODAY,
            },
            "EARLY",
        ),
        ({"last_delivered_day": TODAY - 59}, "LATE"),
        ({"account_conflicts": 1}, "WRONG_PAYEE_ACCOUNT"),
        ({"contradictions": 1}, "CONTRADICTING_SOURCES"),
        ({"duplicate_invoices": 1}, "DUPLICATE_INVOICE"),
        ({"equal_invoices": 1}, "MATCHED"),  # instalments of one amount, nothing over-invoiced
        ({"equal_invoices": 1, "invoiced_quantity": 20_000}, "DUPLICATE_INVOICE"),
        ({"orders": 0, "ordered_minor": None, "ordered_quantity": None}, "UNKNOWN_REFERENCE"),
        ({"delivered_quantity": None, "delivered_minor": None}, "MISSING_EVIDENCE"),
    ],
)
def test_each_reason_is_given_for_what_it_names(changes: dict[str, object], reason: str) -> None:
    assert judge(good(**changes), TERMS).reason == reason


def test_delivered_not_invoiced_after_its_window_only() -> None:
    waiting = Terms(as_of_day=TODAY, invoices_expected=1)
    late = good(
        **NOTHING_INVOICED, **NOTHING_PAID, due_day=None, promised_day=TODAY - 31, last_delivered_day=TODAY - 31
    )
    assert judge(late, waiting).reason == "DELIVERED_NOT_INVOICED"
    fresh = good(
        **NOTHING_INVOICED,
        **NOTHING_PAID,
        due_day=None,
        promised_day=TODAY - 30,
        last_delivered_day=TODAY - 30,
        first_delivered_day=TODAY - 30,
    )
    verdict = judge(fresh, waiting)
    assert verdict.reason == "EXPECTED"
    assert verdict.review_day == TODAY + 1
    assert judge(fresh, Terms(as_of_day=TODAY + 1)).reason == "DELIVERED_NOT_INVOICED"


def test_missing_trust_is_never_a_pass() -> None:
    assert judge(good(), Terms(as_of_day=TODAY, required_trust=2)).reason == "MISSING_EVIDENCE"
    assert judge(good(weakest_trust=2), Terms(as_of_day=TODAY, required_trust=2)).reason == "MATCHED"


@settings(deadline=None)
@given(case=cases, of=terms)
def test_time_alone_changes_no_verdict_before_its_review_day(case: Case, of: Terms) -> None:
    from scf.reconciliation.rule import at_day

    verdict = judge(case, of)
    last = (verdict.review_day or of.as_of_day + 400) - 1
    assert judge(case, at_day(of, last)).flags == verdict.flags


def test_the_tolerance_is_exact_at_its_edge() -> None:
    edge = good(payable_minor=2_000_000, paid_minor=2_010_000)
    assert judge(edge, TERMS).reason == "MATCHED"
    beyond = judge(good(payable_minor=2_000_000, paid_minor=2_010_001), TERMS).disagreements[0]
    assert (beyond.reason, beyond.difference, beyond.limit_milli) == (Reason.PAYMENT_DIFFERENCE, 10_001, 10_000_000)
