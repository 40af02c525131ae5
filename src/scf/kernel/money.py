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


_TWO_DIGITS = (
    "AED 784 AMD 51 ARS 32 AUD 36 AZN 944 BAM 977 BDT 50 BGN 975 BND 96 BRL 986 BWP 72 BYN 933 CAD 124 CHF 756 CNY 156 "
    "COP 170 CRC 188 CZK 203 DKK 208 DOP 214 DZD 12 EGP 818 ETB 230 EUR 978 GBP 826 GEL 981 GHS 936 GTQ 320 HKD 344 "
    "HNL 340 HUF 348 IDR 360 ILS 376 INR 356 JMD 388 KES 404 KGS 417 KHR 116 KZT 398 LAK 418 LBP 422 LKR 144 MAD 504 "
    "MDL 498 MKD 807 MMK 104 MNT 496 MOP 446 MUR 480 MXN 484 MYR 458 NAD 516 NGN 566 NOK 578 NPR 524 NZD 554 PEN 604 "
    "PHP 608 PKR 586 PLN 985 QAR 634 RON 946 RSD 941 RUB 643 SAR 682 SEK 752 SGD 702 THB 764 TRY 949 TWD 901 TZS 834 "
    "UAH 980 USD 840 UYU 858 UZS 860 ZAR 710 ZMW 967"
)
_NO_DIGITS = "CLP 152 ISK 352 JPY 392 KRW 410 PYG 600 RWF 646 UGX 800 VND 704 XAF 950 XOF 952 XPF 953"
_THREE_DIGITS = "BHD 48 IQD 368 JOD 400 KWD 414 LYD 434 OMR 512 TND 788"
_ACTUAL_365 = "AUD BDT BND CAD GBP HKD INR JPY KRW LKR MYR NZD PKR PLN SGD THB TWD ZAR"
"""Currencies whose money markets count a year of 365 days; all others count 360."""


def _currencies(listed: str, digits: int) -> dict[str, Currency]:
    words, actual_365 = listed.split(), _ACTUAL_365.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return {code: Currency(code, int(number), digits, 365 if code in actual_365 else 360) for code, number in pairs}


_CURRENCIES = {
    **_currencies(_TWO_DIGITS, 2),
    **_currencies(_NO_DIGITS, 0),
    **_currencies(_THREE_DIGITS, 3),
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
