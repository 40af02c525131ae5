"""Amounts are whole minor units: read exactly, rounded once, shared without losing a cent."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scf.kernel.money import (
    MAX_MINOR,
    currency,
    format_money,
    format_plain,
    parse_minor,
    pro_rata,
    pro_rata_cut,
    round_half_up,
    sum_minor,
    to_decimal,
)
from scf.kernel.problems import Problem


@pytest.mark.parametrize(
    ("text", "code", "minor"),
    [
        ("1234.50", "CNY", 123450),
        ("1,234.50", "CNY", 123450),
        ("1,234,567", "USD", 123456700),
        (" 7 ", "EUR", 700),
        ("+0.01", "CNY", 1),
        ("-0.01", "CNY", -1),
        ("1.500", "CNY", 150),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        (12, "CNY", 1200),
        (Decimal("12.34"), "CNY", 1234),
        ("１２.５", "CNY", 1250),  # as a Chinese keyboard writes it
        ("184467440737095516.15", "CNY", MAX_MINOR),
    ],
)
def test_amounts_are_read_exactly(text: str | int | Decimal, code: str, minor: int) -> None:
    assert parse_minor(text, code) == minor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "1,23.00",
        "1.2.3",
        "1e5",
        "0x10",
        "--1",
        "1 000",
        "12,34",
        "NaN",
        "Infinity",
        "184467440737095516.16",
    ],
)
def test_what_is_not_an_amount_is_refused_not_guessed(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_minor(text, "CNY")
    assert refusal.value.code == "unreadable_amount"


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_numbers_that_are_no_amounts_are_refused(value: Decimal) -> None:
    with pytest.raises(Problem) as refusal:
        parse_minor(value, "CNY")
    assert refusal.value.code == "unreadable_amount"


def test_more_decimals_than_the_currency_has_are_refused_or_rounded_once_on_request() -> None:
    with pytest.raises(Problem) as refusal:
        parse_minor("1.005", "CNY")
    assert refusal.value.code == "too_many_decimals"
    assert [parse_minor(t, "CNY", exact=False) for t in ("1.005", "1.0049", "-1.005")] == [101, 100, -101]
    assert parse_minor("0.5", "JPY", exact=False) == 1


def test_currencies_are_known_by_letters_and_numbers() -> None:
    assert currency("cny") == currency(156)
    assert (currency("JPY").digits, currency("BHD").digits, currency("CNY").year_basis_days) == (0, 3, 360)
    assert (currency("GBP").year_basis_days, currency("INR").year_basis_days) == (365, 365)
    for unknown in ("RMB", "", 999):
        with pytest.raises(Problem) as refusal:
            currency(unknown)
        assert refusal.value.code == "unknown_currency"


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_what_is_written_is_read_back(minor: int, code: str) -> None:
    assert parse_minor(format_plain(minor, code), code) == minor
    assert parse_minor(format_money(minor, code).split(" ")[1], code) == minor
    assert parse_minor(to_decimal(minor, code), code) == minor


def test_amounts_are_written_with_the_digits_of_their_currency() -> None:
    assert format_money(123450, "CNY") == "CNY 1,234.50"
    assert format_plain(5, "CNY") == "0.05"
    assert format_plain(5, "JPY") == "5"
    assert format_plain(-5, "KWD") == "-0.005"


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        (Fraction(1, 2), 1),
        (Fraction(-1, 2), -1),
        (Fraction(3, 2), 2),
        (Fraction(5, 2), 3),
        (Fraction(49, 100), 0),
        (Fraction(-149, 100), -1),
        (Fraction(0), 0),
    ],
)
def test_halves_are_rounded_away_from_zero(value: Fraction, whole: int) -> None:
    assert round_half_up(value) == whole


@pytest.mark.parametrize(
    ("face", "rate", "days", "discount"),
    [
        (1_000_000_00, "0.055", 60, 9_166_67),
        (1_000_000_00, "0.06", 180, 30_000_00),
        (100_000_00, "0.0385", 181, 1_935_69),
    ],
)
def test_bank_discount_vectors_round_once(face: int, rate: str, days: int, discount: int) -> None:
    assert round_half_up(face * Fraction(rate) * days / currency("CNY").year_basis_days) == discount


def test_pro_rata_vectors() -> None:
    assert pro_rata(1_000_000_00, {1: 1, 2: 1, 3: 1}) == {1: 333_333_34, 2: 333_333_33, 3: 333_333_33}
    assert pro_rata(1_000_000_00, {3: 1, 2: 1, 1: 1}) == {1: 333_333_34, 2: 333_333_33, 3: 333_333_33}
    assert pro_rata(333_333_33, {1: 40, 2: 35, 3: 25}) == {1: 133_333_33, 2: 116_666_67, 3: 83_333_33}
    assert pro_rata(0, {1: 5, 2: 0}) == {1: 0, 2: 0}


@pytest.mark.parametrize(("total", "weights"), [(1, {}), (1, {1: 0}), (-1, {1: 1}), (1, {1: -1, 2: 5})])
def test_pro_rata_of_nothing_is_an_error(total: int, weights: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="pro_rata"):
        pro_rata(total, weights)


_note_ids = st.integers(0, 2**256 - 1)
_weights = st.dictionaries(_note_ids, st.integers(0, 10**12), min_size=1, max_size=40).filter(lambda w: sum(w.values()))
_even_weights = st.dictionaries(_note_ids, st.sampled_from([1, 2, 3]), min_size=1, max_size=40)


@given(st.integers(0, 10**14), _weights | _even_weights)
def test_shares_sum_to_the_total_and_none_is_a_cent_off(total: int, weights: dict[int, int]) -> None:
    shares, base = pro_rata(total, weights), sum(weights.values())
    assert sum(shares.values()) == total
    for note, share in shares.items():
        assert abs(Fraction(total * weights[note], base) - share) < 1
        assert share <= weights[note] or total > base  # nobody gets more than its note when the payment is short


@given(st.integers(0, 10**14), _weights | _even_weights)
def test_nobody_jumps_the_queue_for_the_left_over_cent(total: int, weights: dict[int, int]) -> None:
    """A larger remainder is served first, an equal one by the lower id."""
    shares, base = pro_rata(total, weights), sum(weights.values())
    got = {note: share - total * weights[note] // base for note, share in shares.items()}
    rank = sorted(weights, key=lambda note: (-(total * weights[note] % base), note))
    assert [got[note] for note in rank] == sorted(got.values(), reverse=True)


@given(st.integers(0, 10**14), _weights | _even_weights)
def test_the_cut_lets_anyone_compute_one_share_alone(total: int, weights: dict[int, int]) -> None:
    cut_remainder, cut_id = pro_rata_cut(total, weights)
    base = sum(weights.values())
    alone = {}
    for note, weight in weights.items():
        share, remainder = divmod(total * weight, base)
        alone[note] = share + (remainder > cut_remainder or (remainder == cut_remainder and note <= cut_id))
    assert alone == pro_rata(total, weights)


@given(st.integers(1, 10**12), st.integers(1, 10**12), _even_weights)
def test_paying_in_two_parts_gives_the_full_amount_to_each_in_the_end(
    first: int, second: int, weights: dict[int, int]
) -> None:
    """What is still owed is the weight of the next payment: after the last one every note is paid exactly."""
    face = {note: weight * (first + second) for note, weight in weights.items()}
    total = sum(face.values())
    paid = pro_rata(min(first, total), face)
    owed = {note: face[note] - paid[note] for note in face}
    rest = pro_rata(total - sum(paid.values()), owed)
    assert {note: paid[note] + rest[note] for note in face} == face


def test_sums_stay_within_what_the_ledger_can_hold() -> None:
    assert sum_minor([MAX_MINOR - 1, 1]) == MAX_MINOR
    with pytest.raises(Problem):
        sum_minor([MAX_MINOR, 1])
