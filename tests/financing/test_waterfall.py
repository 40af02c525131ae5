"""A payment reaches its claims in order, and what is left goes where the law sends it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scf.financing.price import simple_interest_minor
from scf.financing.waterfall import CUSTOMARY_ORDER, Bucket, Owed, ResidualTo, allocate

amounts = st.integers(0, 10**15)
owed_sums = st.builds(Owed, amounts, amounts, amounts, amounts, amounts)


def test_the_surplus_of_a_recourse_financing_returns_to_the_supplier() -> None:
    interest = simple_interest_minor(80_000_000, 60_000, 60, 360)
    owed = Owed(fees_minor=50_000, interest_minor=interest, principal_minor=80_000_000)
    with_recourse = allocate(100_000_000, owed, recourse=True)
    assert (with_recourse.residual_minor, with_recourse.residual_to) == (19_150_000, ResidualTo.SUPPLIER)
    without = allocate(100_000_000, owed, recourse=False)
    assert (without.residual_minor, without.residual_to) == (19_150_000, ResidualTo.FINANCIER)


def test_a_short_payment_pays_cost_first_and_principal_last() -> None:
    owed = Owed(cost_minor=100, penalty_minor=200, fees_minor=300, interest_minor=400, principal_minor=10_000)
    short = allocate(1_050, owed, recourse=True)
    assert [short.paid[bucket] for bucket in CUSTOMARY_ORDER] == [100, 200, 300, 400, 50]
    assert short.shortfall_minor == short.buy_back_minor == 9_950
    assert allocate(1_050, owed, recourse=False).buy_back_minor == 0


def test_another_signed_order_is_followed() -> None:
    owed = Owed(cost_minor=100, interest_minor=400, principal_minor=1_000)
    order = (Bucket.PRINCIPAL, Bucket.INTEREST, Bucket.FEES, Bucket.PENALTY, Bucket.COST)
    assert allocate(1_200, owed, recourse=True, order=order).still_owed == Owed(cost_minor=100, interest_minor=200)
    with pytest.raises(ValueError, match="exactly once"):
        allocate(1, owed, recourse=True, order=order[1:])


@given(received=amounts, owed=owed_sums, recourse=st.booleans(), order=st.permutations(CUSTOMARY_ORDER))
def test_nothing_is_created_or_lost(received: int, owed: Owed, recourse: bool, order: list[Bucket]) -> None:
    done = allocate(received, owed, recourse=recourse, order=order)
    assert sum(done.paid.values()) + done.residual_minor == received
    assert sum(done.paid.values()) + done.shortfall_minor == owed.total_minor
    assert done.residual_minor == 0 or done.shortfall_minor == 0


@given(first=amounts, second=amounts, owed=owed_sums)
def test_two_payments_reach_what_one_payment_reaches(first: int, second: int, owed: Owed) -> None:
    one = allocate(first + second, owed, recourse=True)
    part = allocate(first, owed, recourse=True)
    rest = allocate(second, part.still_owed, recourse=True)
    assert {b: part.paid[b] + rest.paid[b] for b in Bucket} == dict(one.paid)
    assert part.residual_minor + rest.residual_minor == one.residual_minor
