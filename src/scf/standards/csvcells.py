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
    number = _number(text, mapping, place)
    if kind == "integer" and number != number.to_integral_value():
        raise refusal("cell_number_wrong", place, text=text)
    if kind == "money":
        return _money(number, code, place)
    return int(number) if kind == "integer" else number


def _currency(text: str, place: str) -> str:
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
    found = {day for pattern in formats if (day := _by_format(text, pattern)) is not None}
    if len(found) > 1:
        raise refusal("cell_date_ambiguous", place, text=text, days=", ".join(day.isoformat() for day in sorted(found)))
    if not found:
        raise refusal("cell_date_wrong", place, text=text, formats=", ".join(formats))
    return found.pop()


def reads_as_date(text: str, pattern: str) -> bool:
    """Whether a cell is a date under this format."""
    return _by_format(text, pattern) is not None


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
