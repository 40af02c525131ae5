"""The quote is the price, to the cent and to the fourth decimal of a percent."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scf.financing import price as pricing
from scf.kernel.problems import Problem

START = date(2026, 3, 2)


def quoted(face: str, rate_ppm: int, days: int, fee: str = "0", basis: int = 360) -> pricing.Price:
    fees = (pricing.Fee("handling", "financier", int(Decimal(fee) * 100)),)
    return pricing.price(
        int(Decimal(face) * 100), "CNY", rate_ppm, START, START + timedelta(days=days), fees=fees, basis_days=basis
    )


@pytest.mark.parametrize(
    ("face", "rate", "days", "basis", "fee", "discount", "net", "apr", "effective"),
    [
        ("1000000.00", 55_000, 60, 360, "0", "9166.67", "990833.33", "5.6280%", "5.7620%"),
        ("1000000.00", 55_000, 60, 365, "0", "9041.10", "990958.90", "5.5502%", "5.6805%"),
        ("1000000.00", 55_000, 60, 360, "1000", "9166.67", "989833.33", "6.2482%", "6.4137%"),
        ("1000000.00", 60_000, 180, 360, "0", "30000.00", "970000.00", "6.2715%", "6.3712%"),
        ("100000.00", 38_500, 181, 360, "50", "1935.69", "98014.31", "4.0854%", "4.1275%"),
    ],
)
def test_the_agreed_vectors_hold_to_the_cent_and_four_decimals(
    face: str, rate: int, days: int, basis: int, fee: str, discount: str, net: str, apr: str, effective: str
) -> None:
    shown = quoted(face, rate, days, fee, basis)
    assert shown.discount_minor == int(Decimal(discount) * 100)
    assert shown.net_minor == int(Decimal(net) * 100)
    assert (pricing.format_rate(shown.apr_ppm), pricing.format_rate(shown.effective_ppm)) == (apr, effective)
    assert shown.net_minor + shown.discount_minor + shown.fees_minor == shown.face_minor
    assert shown.cost_minor == shown.discount_minor + shown.fees_minor


def test_a_rate_meant_as_yield_costs_less_than_the_same_rate_as_discount() -> None:
    face = 100_000_000
    assert face - pricing.discount_at_yield_minor(face, 55_000, 60, 360) == 99_091_660
    assert face - pricing.discount_at_yield_minor(face, 55_000, 60, 365) == 99_103_991
    assert face - pricing.discount_at_yield_minor(face, 60_000, 180, 360) == 97_087_379
    assert 10_000_000 - pricing.discount_at_yield_minor(10_000_000, 38_500, 181, 360) == 9_810_106


def test_early_payment_terms_are_read_as_the_yearly_rate_they_are() -> None:
    assert pricing.apr_ppm(100_00, 98_00, 50) == 148_980
    assert pricing.effective_ppm(100_00, 98_00, 50) == 158_910


def test_the_year_basis_follows_the_currency() -> None:
    due = START + timedelta(days=60)
    assert pricing.price(100_000_000, "CNY", 55_000, START, due).discount_minor == 916_667
    assert pricing.price(100_000_000, "GBP", 55_000, START, due).discount_minor == 904_110


def test_a_payment_day_moved_by_a_holiday_is_charged_and_said() -> None:
    due = date(2026, 5, 1)
    shown = pricing.price(100_000_000, "CNY", 55_000, START, due, pays_on=date(2026, 5, 6))
    assert (shown.days, shown.moved_days, shown.due_on) == (65, 5, due)


def test_paid_two_days_early_only_the_days_gained_are_charged() -> None:
    charged = quoted("1000000.00", 55_000, 60)
    back = pricing.unearned_discount_minor(charged, charged.due_on - timedelta(days=2))
    assert charged.discount_minor - back == 886_111
    assert pricing.unearned_discount_minor(charged, charged.due_on + timedelta(days=9)) == 0


def test_late_interest_is_half_a_thousandth_a_day_from_the_day_after_due() -> None:
    assert pricing.late_interest_minor(100_000_000, 30, 500) == 1_500_000
    assert pricing.late_days(date(2026, 5, 1), date(2026, 5, 1)) == 0
    assert pricing.late_days(date(2026, 5, 1), date(2026, 5, 31)) == 30
    assert pricing.simple_interest_minor(1_000_000, 80_000, 30, 365) == 6_575  # 10,000 at 8% for 30 days of 365


@pytest.mark.parametrize(
    ("days", "fee", "code"),
    [
        (0, "0", "price_without_days"),
        (-3, "0", "price_without_days"),
        (30, "999999", "price_leaves_nothing"),
        (1, "900000", "price_not_expressible"),
    ],
)
def test_a_price_that_cannot_be_is_refused_in_one_sentence(days: int, fee: str, code: str) -> None:
    with pytest.raises(Problem) as refused:
        quoted("1000000.00", 55_000, days, fee)
    assert refused.value.code == code
    assert refused.value.money_moved == "no"
    assert "{" not in refused.value.sentence("zh-CN") + refused.value.sentence("en")


@given(
    face=st.integers(1_000, 2**62),
    rate=st.integers(0, 240_000),
    days=st.integers(1, 366),
    fee_share=st.integers(0, 20_000),
    basis=st.sampled_from([360, 365]),
)
def test_every_cent_is_named_and_the_yearly_rate_never_hides_the_cost(
    face: int, rate: int, days: int, fee_share: int, basis: int
) -> None:
    fee = pricing.Fee("handling", "financier", face * fee_share // pricing.PPM)
    shown = pricing.price(face, "CNY", rate, START, START + timedelta(days=days), fees=[fee], basis_days=basis)
    assert shown.net_minor + shown.discount_minor + sum(item.amount_minor for item in shown.fees) == face
    exact = face * rate * days
    assert abs(shown.discount_minor * pricing.PPM * basis - exact) * 2 <= pricing.PPM * basis
    if days <= 365:
        assert shown.effective_ppm >= shown.apr_ppm - 1
    if shown.cost_minor * 10**7 > face:
        assert shown.apr_ppm > 0


@given(
    face=st.integers(1_000_000, 10**13),
    rate=st.integers(0, 240_000),
    days=st.integers(1, 400),
    fee=st.integers(0, 50),
    code=st.sampled_from(["CNY", "USD", "EUR"]),
)
def test_a_second_calculation_in_decimals_and_logarithms_gives_the_same_price(
    face: int, rate: int, days: int, fee: int, code: str
) -> None:
    """Not in fractions and powers, as the code does, but as a treasurer's sheet would."""
    funded = date(2026, 3, 2)
    fees = (pricing.Fee("handling", "bank", fee),)
    found = pricing.price(face, code, rate, funded, funded + timedelta(days=days), fees=fees)
    with localcontext() as context:
        context.prec = 45
        basis = Decimal(360)
        discount = Decimal(face) * Decimal(rate).scaleb(-6) * Decimal(days) / basis
        discount_minor = int((discount + Decimal("0.5")).to_integral_value(ROUND_FLOOR))
        net = face - discount_minor - fee
        apr = (Decimal(face - net) / net * Decimal(365) / days * 10**6 + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
        yearly = ((Decimal(face).ln() - Decimal(net).ln()) * 365 / days).exp()
        effective = ((yearly - 1) * 10**6 + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
    assert (found.discount_minor, found.fees_minor, found.net_minor) == (discount_minor, fee, net)
    assert (found.apr_ppm, found.effective_ppm) == (int(apr), int(effective))
