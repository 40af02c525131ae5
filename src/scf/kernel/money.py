"""Money as integers of a currency's minor unit (ISO 4217), rounded once, half up.

No float ever carries an amount. Parsing refuses what it does not understand instead of guessing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction

from scf.kernel.problems import Problem

MAX_MINOR = 2**64 - 1
"""Largest amount the ledger can hold, in minor units."""


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 currency: alphabetic and numeric code, digits after the point, year basis of discount in days."""

    code: str
    numeric: int
    digits: int
    year_basis_days: int


_CURRENCIES = {
    c.code: c
    for c in (
        Currency("CNY", 156, 2, 360),
        Currency("USD", 840, 2, 360),
        Currency("EUR", 978, 2, 360),
        Currency("GBP", 826, 2, 365),
        Currency("HKD", 344, 2, 365),
        Currency("INR", 356, 2, 365),
        Currency("SGD", 702, 2, 365),
        Currency("CHF", 756, 2, 360),
        Currency("SEK", 752, 2, 360),
        Currency("NOK", 578, 2, 360),
        Currency("DKK", 208, 2, 360),
        Currency("PLN", 985, 2, 365),
        Currency("CZK", 203, 2, 360),
        Currency("AUD", 36, 2, 365),
        Currency("CAD", 124, 2, 365),
        Currency("JPY", 392, 0, 365),
        Currency("KRW", 410, 0, 365),
        Currency("BHD", 48, 3, 360),
        Currency("KWD", 414, 3, 360),
    )
}
_BY_NUMERIC = {c.numeric: c for c in _CURRENCIES.values()}
_AMOUNT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?")


def currency(code: str | int) -> Currency:
    """The currency of an alphabetic or numeric ISO 4217 code. Raises Problem `unknown_currency`."""
    found = _BY_NUMERIC.get(code) if isinstance(code, int) else _CURRENCIES.get(code.strip().upper())
    if found is None:
        raise Problem("unknown_currency", currency=str(code))
    return found


def parse_minor(text: str | int | Decimal, code: str, *, exact: bool = True) -> int:
    """Minor units of a decimal text such as `1,234.50`.

    With `exact`, more digits than the currency has are refused unless they are zeros; otherwise they are rounded half
    up once. Raises Problem `unreadable_amount` or `too_many_decimals`.
    """
    digits = currency(code).digits
    if isinstance(text, str):
        plain = text.strip()
        if not _AMOUNT.fullmatch(plain):
            raise Problem("unreadable_amount", text=plain[:40])
        text = plain.replace(",", "")
    try:
        scaled = Decimal(text).scaleb(digits)
    except InvalidOperation as error:
        raise Problem("unreadable_amount", text=str(text)[:40]) from error
    if not scaled.is_finite() or abs(scaled) > MAX_MINOR:
        raise Problem("unreadable_amount", text=str(text)[:40])
    whole = scaled.to_integral_value(ROUND_HALF_UP)
    if exact and whole != scaled:
        raise Problem("too_many_decimals", text=str(text)[:40], currency=code, digits=digits)
    return int(whole)


def to_decimal(minor: int, code: str) -> Decimal:
    """Exact decimal value of an amount in minor units."""
    return Decimal(minor).scaleb(-currency(code).digits)


def format_plain(minor: int, code: str) -> str:
    """Decimal text without separators, for files: `1234.50`."""
    return f"{to_decimal(minor, code):.{currency(code).digits}f}"


def format_money(minor: int, code: str) -> str:
    """Decimal text for people: `CNY 1,234.50`."""
    return f"{code} {to_decimal(minor, code):,.{currency(code).digits}f}"


def round_half_up(value: Fraction) -> int:
    """Nearest integer, halves away from zero."""
    sign = -1 if value < 0 else 1
    return sign * int((abs(value) * 2 + 1) // 2)


def pro_rata(total: int, weights: Mapping[int, int]) -> dict[int, int]:
    """Split `total` over `weights` (note id -> weight) by largest remainder, ties to the lower id.

    Shares sum to `total` exactly. Raises ValueError when weights are empty, negative or all zero.
    """
    base = sum(weights.values())
    if base <= 0 or min(weights.values()) < 0 or total < 0:
        raise ValueError("pro_rata needs a total >= 0 and weights >= 0 with a positive sum")
    shares = {key: total * weight // base for key, weight in weights.items()}
    left = total - sum(shares.values())
    order = sorted(weights, key=lambda key: (-(total * weights[key] % base), key))
    for key in order[:left]:
        shares[key] += 1
    return shares


def pro_rata_cut(total: int, weights: Mapping[int, int]) -> tuple[int, int]:
    """The cut (remainder, id) that lets anyone compute one note's share of `pro_rata` without knowing the others.

    A note gets one unit more when its remainder is above the cut, or equal to it and its id not above the cut's id.
    Returns (2**64 - 1, 0) when no unit is left over.
    """
    base = sum(weights.values())
    left = total - sum(total * weight // base for weight in weights.values())
    if left == 0:
        return MAX_MINOR, 0
    order = sorted(weights, key=lambda key: (-(total * weights[key] % base), key))
    last = order[left - 1]
    return total * weights[last] % base, last


def sum_minor(amounts: Sequence[int]) -> int:
    """Sum with the ledger's bound checked. Raises Problem `unreadable_amount` above 64 bits."""
    total = sum(amounts)
    if total > MAX_MINOR:
        raise Problem("unreadable_amount", text=str(total))
    return total
