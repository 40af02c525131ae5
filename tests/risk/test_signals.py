"""Signals: what is missing is never a pass, planted patterns are found, ordinary business is left alone."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.risk import signals
from scf.risk.concentration import ageing, concentration, if_one_fails
from scf.risk.signals import Deal, Paper

TODAY = 20_500
EMPTY = Deal(as_of=TODAY, seller="s", buyer="b")


def paper(reference: str = "I1", day: int = TODAY - 5, amount: int = 123_456_78, **other: Any) -> Paper:
    given: dict[str, Any] = {"kind": "invoice", "seller": "s", "buyer": "b", "currency": "CNY", "trust": 2, **other}
    return Paper(reference=reference, day=day, amount_minor=amount, **given)


def usual(count: int = 26) -> list[Paper]:
    """A half-year of one invoice a week in odd amounts, to three buyers."""
    return [paper(f"W{n}", TODAY - 7 * n, 100_000_37 + n * 1_013, buyer=("b", "c", "d")[n % 3]) for n in range(count)]


WHOLE = replace(
    EMPTY,
    invoice=paper(),
    deliveries=[paper("D1", TODAY - 6, 0, kind="delivery", trust=3)],
    seller_invoices=usual(),
    trades=usual(),
    obligor_late_days=[("1", 0), ("2", 0)],
    obligor_overdue=[],
)


def test_with_nothing_known_nothing_is_clear() -> None:
    verdict = signals.judge(EMPTY)
    assert verdict.answer == "unknown"
    assert {finding.answer for finding in verdict.findings} == {"unknown"}
    assert len(verdict.strongest) == 3


def test_ordinary_business_with_independent_papers_is_clear() -> None:
    verdict = signals.judge(WHOLE)
    assert verdict.answer == "clear", [(one.signal, one.code) for one in verdict.findings if one.answer != "clear"]


@pytest.mark.parametrize(
    "missing", ["invoice", "deliveries", "seller_invoices", "obligor_late_days", "obligor_overdue"]
)
def test_each_missing_input_leaves_the_whole_unknown(missing: str) -> None:
    blank = getattr(EMPTY, missing)
    assert signals.judge(replace(WHOLE, **{missing: blank})).answer == "unknown"


def test_the_applicants_own_papers_clear_nothing_but_can_flag() -> None:
    own = replace(
        WHOLE,
        invoice=paper(trust=1),
        deliveries=[paper("D1", TODAY - 6, 0, kind="delivery", trust=1)],
        seller_invoices=[replace(one, trust=1) for one in usual()],
        trades=[replace(one, trust=1) for one in usual()],
    )
    by_name = {one.signal: one for one in signals.judge(own).findings}
    assert by_name["early_invoice"].answer == by_name["double_financing"].answer == "unknown"
    assert by_name["early_invoice"].trust == 1
    early = signals.early_invoice(replace(own, deliveries=[paper("D1", TODAY + 9, 0, kind="delivery", trust=1)]))
    assert early.answer == "flag" and early.facts["days"] == 14


def test_each_pattern_is_flagged_with_its_rows() -> None:
    assert signals.double_financing(replace(WHOLE, twins=[paper("I1-COPY")])).evidence[1].reference == "I1-COPY"
    late = signals.early_invoice(replace(WHOLE, deliveries=[paper("D", TODAY, 0, kind="delivery", trust=3)]))
    assert (late.answer, late.facts["days"]) == ("flag", 5)
    noughts = [replace(one, amount_minor=50_000_00) for one in usual()]
    assert signals.round_amounts(replace(WHOLE, seller_invoices=noughts)).answer == "flag"
    many = [*usual(), *(paper(f"B{n}", TODAY - 1, 777_77 + n) for n in range(9))]
    assert signals.burst(replace(WHOLE, seller_invoices=many)).answer == "flag"
    alone = [replace(one, buyer="b") for one in usual()]
    assert signals.repeat_pair(replace(WHOLE, seller_invoices=alone)).answer == "flag"
    back = [paper("C1", TODAY - 9, -400_000_00, kind="credit_note")]
    assert signals.dilution(replace(WHOLE, credit_notes=back)).answer == "flag"
    assert signals.overdue_history(replace(WHOLE, obligor_overdue=["7"])).code == "overdue_now"
    assert signals.overdue_history(replace(WHOLE, obligor_late_days=[("1", 9), ("2", 0)])).code == "often_late"


def test_a_flag_stands_before_what_is_not_known_and_the_gravest_first() -> None:
    deal = replace(WHOLE, twins=[paper("I9")], obligor_overdue=["7"], seller_invoices=[])
    verdict = signals.judge(deal)
    assert verdict.answer == "flag"
    assert [one.signal for one in verdict.strongest[:2]] == ["double_financing", "overdue_history"]


@pytest.mark.parametrize("length", range(3, 7))
def test_a_ring_among_thousands_of_trades_is_found_and_no_other(length: int) -> None:
    dice = random.Random(length)
    firms = [f"f{n}" for n in range(400)]
    noise = []
    for n in range(4_000):
        seller, buyer = dice.sample(firms, 2)
        noise.append(
            paper(
                f"N{n}", TODAY - dice.randrange(170), dice.randrange(1_000_00, 900_000_00), seller=seller, buyer=buyer
            )
        )
    ring = [f"r{n}" for n in range(length)]
    edges = [
        paper(f"R{n}", TODAY - 20 + n, 250_000_00 - n * 1_000_00, seller=ring[n], buyer=ring[(n + 1) % length])
        for n in range(length)
    ]
    deal = replace(EMPTY, seller=ring[0], buyer=ring[1], invoice=edges[0], trades=[*noise, *edges])
    found = signals.circular_trade(deal)
    assert found.answer == "flag" and {one.reference for one in found.evidence} == {one.reference for one in edges}
    outside = replace(deal, invoice=noise[0], seller=noise[0].seller, buyer=noise[0].buyer)
    assert signals.circular_trade(outside).answer == "clear"
    stretched = [replace(one, day=one.day - 60) if one is edges[-1] else one for one in edges]
    assert signals.circular_trade(replace(deal, trades=[*noise, *stretched])).answer == "clear", "too long ago"
    smaller = [replace(one, amount_minor=100_000_00) if one is edges[-1] else one for one in edges]
    assert signals.circular_trade(replace(deal, trades=[*noise, *smaller])).answer == "clear", "value was added"


def test_every_reason_is_a_sentence_in_both_languages() -> None:
    deals = [EMPTY, WHOLE, replace(WHOLE, twins=[paper("I9")], obligor_overdue=["7"], deliveries=[])]
    for deal in deals:
        for finding in signals.judge(deal).findings:
            english, chinese = finding.said("en"), finding.said("zh-CN")
            assert english != chinese and "{" not in english + chinese and not english.startswith("risk_")


def test_the_index_of_concentration_by_hand() -> None:
    assert concentration({}).hhi is None
    assert concentration({"a": 1}).hhi == 10_000
    even = concentration({str(n): 10_00 for n in range(10)})
    assert (even.hhi, even.light) == (1_000, "green")
    third = concentration({"a": 50, "b": 30, "c": 20})
    assert (third.hhi, third.light) == (3_800, "red")
    assert [(s.name, s.permille) for s in third.shares] == [("a", 500), ("b", 300), ("c", 200)]
    assert if_one_fails({"a": 50, "b": 50}, "a") == (50, 500)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**15), max_size=30))
def test_shares_and_index_stay_in_their_bounds(amounts: dict[str, int]) -> None:
    found = concentration(amounts)
    assert found.total_minor == sum(amounts.values()) == sum(share.minor for share in found.shares)
    assert found.hhi is None or 0 < found.hhi <= 10_000 or found.total_minor > 10_000
    assert sum(share.permille for share in found.shares) <= 1_000


def test_every_amount_is_in_one_age() -> None:
    ages = ageing(
        {"a": (-5, 10), "b": (0, 1), "c": (1, 20), "d": (30, 30), "e": (31, 40), "f": (61, 50), "g": (91, 60)}
    )
    assert ages == {"not_due": 11, "d30": 50, "d60": 40, "d90": 50, "older": 60}
