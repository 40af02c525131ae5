"""The search for the one combination that adds up: exact, and bounded whatever the amounts are."""

from __future__ import annotations

import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reconciliation.conftest import DAY, Desk, fact

from scf.reconciliation.subset import MAX_ITEMS, MAX_SIDE, subsets, unique_many_to_many, unique_subset

SECONDS = 2.0
"""Processor time no single search may take; measured ones take hundredths."""


@settings(max_examples=60, deadline=None)
@given(amounts=st.lists(st.integers(1, 12), min_size=1, max_size=9), target=st.integers(1, 60))
def test_the_only_subset_is_found_and_any_second_one_forbids_it(amounts: list[int], target: int) -> None:
    every = [
        chosen
        for size in range(1, len(amounts) + 1)
        for chosen in combinations(range(len(amounts)), size)
        if sum(amounts[i] for i in chosen) == target
    ]
    assert unique_subset(amounts, target) == (every[0] if len(every) == 1 else None)


@pytest.mark.parametrize(
    "amounts",
    [
        [100] * MAX_ITEMS,  # every half of them is an answer
        [100] * (MAX_ITEMS - 1) + [101],
        [2**n for n in range(MAX_ITEMS)],  # every sum is another one
        [10**15 + n for n in range(MAX_ITEMS)],
    ],
)
@pytest.mark.parametrize("share", [1, 2, 3])
def test_amounts_made_to_be_hard_take_bounded_time(amounts: list[int], share: int) -> None:
    began = time.process_time()
    for target in (sum(amounts) // share, sum(amounts) // share + 1, sum(amounts[::2])):
        found = unique_subset(amounts, target)
        assert found is None or sum(amounts[i] for i in found) == target
        assert len(subsets(amounts, target, limit=2)) <= 2
    assert time.process_time() - began < SECONDS


def test_equal_amounts_on_both_sides_are_never_a_pair_and_more_are_not_searched() -> None:
    began = time.process_time()
    assert unique_many_to_many([100] * MAX_SIDE, [100] * MAX_SIDE) is None
    assert unique_many_to_many([100] * (MAX_SIDE + 1), [300] * 3) is None
    assert unique_subset([100] * 5_000, 250_000) is None
    assert time.process_time() - began < SECONDS


def test_a_payment_among_many_equal_open_invoices_stays_with_people(desk: Desk) -> None:
    """Forty alike orders of one supplier, one payment without a reference for twenty: nothing is guessed, and soon."""
    facts = []
    for n in range(40):
        order = f"EQ-{n:04d}-5"
        facts += [
            fact("order", order, 10, 100_000),
            fact("delivery", order, 10, reference=f"D{n}"),
            fact("invoice", order, 10, 100_000, reference=f"B-{n * 37:05d}", account="CN01", due_day=DAY + 30),
        ]
    desk.take(*facts)
    began = time.process_time()
    desk.take(fact("payment", None, None, 2_000_000, key="one", account="CN01"))
    assert time.process_time() - began < SECONDS
    assert {desk.reason(f"EQ-{n:04d}-5") for n in range(40)} == {"EXPECTED"}
