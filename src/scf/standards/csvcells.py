"""Single cells: text to typed values by a mapping, and values to harmless text."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scf.kernel.money import currency, parse_minor
from scf.kernel.problems import Problem
from scf.standards.refusals import refusal

if TYPE_CHECKING:
    from scf.standards.csvmapping import Column, Kind, TableMapping

_FORMULA = re.compile(r"[=@＝＠\t\r]|[+\-＋－](?![\d\s.,]*$)(?!\d[\d\s()./-]*$)")
_SHORTENED = re.compile(r"\d([.,]\d+)?E\+\d{2,3}", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")
_GUARD = re.compile(r'="([^"]*)"')
_MARKED = re.compile(r"'\d.*", re.DOTALL)
_TIME = re.compile(r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?$")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xFFE5: 0xA5, 0xFFE1: 0xA3}
_SIGNS: dict[str, tuple[str, ...]] = {
    "¥": ("CNY", "JPY"),
    "元": ("CNY", "HKD", "TWD", "MOP"),
    "圆": ("CNY", "JPY"),
    "RMB": ("CNY",),
    "人民币": ("CNY",),
    "€": ("EUR",),
    "£": ("GBP",),
    "$": ("USD", "HKD", "SGD", "AUD", "CAD", "NZD", "TWD", "MXN", "BRL"),
    "US$": ("USD",),
    "HK$": ("HKD",),
}
"""What is written beside an amount, and the currencies it may mean."""
_NAMES = {
    "人民币": "CNY", "人民币元": "CNY", "RMB": "CNY", "美元": "USD", "欧元": "EUR", "港币": "HKD", "港元": "HKD",
    "日元": "JPY", "英镑": "GBP", "澳元": "AUD", "加元": "CAD", "新加坡元": "SGD", "瑞士法郎": "CHF",
}  # fmt: skip
_SIGNED = re.compile(
    r"(?P<open>\()?\s*(?P<minus>[+-])?\s*(?P<before>¥|RMB|人民币|€|£|US\$|HK\$|\$|[A-Z]{3})?\s*(?P<late>[+-])?\s*"
    r"(?P<number>[\d.][\d.,'’ \u00a0\u202f]*?)\s*(?P<after>元|圆|€|£|\$|[A-Z]{3})?\s*(?P<close>\))?",
    re.IGNORECASE,
)
_EXCEL_EPOCH = date(1899, 12, 30)
_MONTHS = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)  # noqa: SIM905
}


def read(text: str, kind: Kind, column: Column | None, mapping: TableMapping, code: str | None, place: str) -> Any:
    """The value of a cell.

    Raises Problem `cell_formula`, `cell_shortened`, `cell_date_wrong`, `cell_date_ambiguous`, `cell_number_wrong`,
    `cell_amount_wrong` or `document_currency_unknown`.
    """
    if kind == "text":
        if _FORMULA.match(text):
            raise refusal("cell_formula", place, text=text)
        if _SHORTENED.fullmatch(text):
            raise refusal("cell_shortened", place, text=text)
        return text
    if kind == "date":
        return _date(text, column.formats if column and column.formats else ("%Y-%m-%d",), place)
    if kind == "currency":
        return _currency(text, place)
    if kind == "money":
        text = unsigned(text, _currency(code or "", place), place)
    number = _number(_narrow(text), mapping, place)
    if kind == "integer" and number != number.to_integral_value():
        raise refusal("cell_number_wrong", place, text=text)
    if kind == "money":
        return _money(number, code, place)
    return int(number) if kind == "integer" else number


def plain(text: str) -> str:
    """A cell as a person reads it: without blanks around and without what spreadsheets put there to keep it a text.

    That is `="001"`, and an apostrophe before digits.
    """
    text = text.strip()
    guarded = _GUARD.fullmatch(text)
    if guarded is not None:
        return guarded.group(1).strip()
    return text[1:] if _MARKED.fullmatch(text) else text


def _narrow(text: str) -> str:
    """Digits, signs and separators of full width as those of ASCII; nothing else changes."""
    return text.translate(_WIDE)


def unsigned(text: str, code: str | None, place: str) -> str:
    """A number without its currency sign or name, which must be that of `code` where one is known.

    Raises Problem `cell_sign_differs`.
    """
    found = _SIGNED.fullmatch(_narrow(text))
    if found is None or (found["minus"] and found["late"]):
        return text
    sign = (found["before"] or found["after"] or "").strip().upper()
    if code is not None and sign and code not in _SIGNS.get(sign, (sign,)):
        raise refusal("cell_sign_differs", place, text=text, currency=code)
    return f"{found['open'] or ''}{found['minus'] or found['late'] or ''}{found['number']}{found['close'] or ''}"


def _currency(text: str, place: str) -> str:
    text = _NAMES.get(text.strip().upper(), text.strip().upper())
    try:
        return currency(text).code
    except Problem as problem:
        raise refusal("document_currency_unknown", place, currency=text) from problem


def _money(number: Decimal, code: str | None, place: str) -> int:
    known = _currency(code or "", place)
    try:
        return parse_minor(number, known)
    except Problem as problem:
        raise refusal("cell_amount_wrong", place, text=f"{number:f}", currency=known) from problem


def _number(text: str, mapping: TableMapping, place: str) -> Decimal:
    """A number in the mapping's style; separators must stand where they belong, so that 1.234 is never misread.

    In brackets, as accountants write it, it is below zero.
    """
    bracketed = re.fullmatch(r"[(（]\s*([\d.,'’ \u00a0\u202f]+)\s*[)）]", text)
    if bracketed is not None:
        return -_number(bracketed.group(1).strip(), mapping, place)
    point, comma = re.escape(mapping.decimal_separator), re.escape(mapping.thousands_separator)
    grouped = rf"\d{{1,3}}({comma}\d{{3}})+" if comma else r"\d+"
    if not re.fullmatch(rf"[+-]?(\d{{1,24}}|{grouped})({point}\d{{1,12}})?", text) or len(text) > 48:
        raise refusal("cell_number_wrong", place, text=text)
    plain = text.replace(mapping.thousands_separator, "") if mapping.thousands_separator else text
    return Decimal(plain.replace(mapping.decimal_separator, "."))


def _date(text: str, formats: tuple[str, ...], place: str) -> date:
    text = _TIME.sub("", _narrow(text))
    found = {day for pattern in formats if (day := _by_format(text, pattern)) is not None}
    if len(found) > 1:
        raise refusal("cell_date_ambiguous", place, text=text, days=", ".join(day.isoformat() for day in sorted(found)))
    if not found:
        raise refusal("cell_date_wrong", place, text=text, formats=", ".join(formats))
    return found.pop()


def reads_as_date(text: str, pattern: str) -> bool:
    """Whether a cell is a date under this format."""
    return _by_format(_TIME.sub("", _narrow(text)), pattern) is not None


@lru_cache(maxsize=16_384)
def _by_format(text: str, pattern: str) -> date | None:
    """The day of `text` under one format; `excel` is a serial number, `%b` an English month whatever the locale."""
    if pattern == "excel":
        return _EXCEL_EPOCH + timedelta(days=int(text)) if re.fullmatch(r"[1-9]\d{3,4}", text) else None
    if "%b" in pattern:
        name = re.search(r"[A-Za-z]{3,9}", text)
        if name is None or name.group(0)[:3].lower() not in _MONTHS:
            return None
        text = f"{text[: name.start()]}{_MONTHS[name.group(0)[:3].lower()]:02d}{text[name.end() :]}"
        pattern = pattern.replace("%b", "%m")
    if "%Y%m%d" in pattern and not re.search(r"\d{8}", text):
        return None  # `2026111` is the first of November or the eleventh of January
    try:
        return datetime.strptime(text, pattern).date()
    except ValueError:
        return None


def harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe in front."""
    if cell is None:
        return ""
    if isinstance(cell, bool | int | Decimal | date):
        return cell
    text = str(cell).replace("\x00", "")
    is_risky = text[:1] in "=+-@\t\r\n＝＋－＠" and bool(text)
    return f"'{text}" if is_risky and not _PLAIN_NUMBER.fullmatch(text) else text
