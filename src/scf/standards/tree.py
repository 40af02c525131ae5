"""Elements read one by one: required children, texts, exact numbers, amounts and dates, each refusal with its place."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from lxml import etree

from scf.kernel.money import currency, parse_minor
from scf.kernel.problems import Problem
from scf.standards.refusals import refusal

_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,20})?|\.\d{1,20})")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(Z|[+-]\d{2}:\d{2})?")
_DATE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?")
_NAMESPACE = re.compile(r"\{[^}]*\}")


def place(element: etree._Element, below: str = "") -> str:
    """Where `element` stands: its path without namespaces, and its line.

    It costs a walk over the element's brothers, so of a large document only for what is to be told.
    """
    path = _NAMESPACE.sub("", element.getroottree().getelementpath(element))
    root = etree.QName(element.getroottree().getroot()).localname
    full = root if path == "." else f"{root}/{path}"
    return f"{full}/{below} (line {element.sourceline})" if below else f"{full} (line {element.sourceline})"


def text_of(element: etree._Element | None) -> str | None:
    """Own text of an element without outer blanks; None where absent or empty."""
    if element is None or element.text is None:
        return None
    return element.text.strip() or None


def number(element: etree._Element) -> Decimal:
    """Exact decimal of an element. Raises Problem `document_number_wrong`."""
    text = text_of(element) or ""
    if not _NUMBER.fullmatch(text):
        raise refusal("document_number_wrong", place(element), text=text)
    return Decimal(text)


def money(element: etree._Element, code: str) -> int:
    """Minor units of an element in currency `code`; more decimals than the currency has are refused.

    Raises Problem `document_number_wrong`, `document_amount_too_fine`, `document_amount_too_large`.
    """
    exact = number(element)
    try:
        return parse_minor(exact, code)
    except Problem as problem:
        if problem.code == "too_many_decimals":
            digits = currency(code).digits
            raise refusal(
                "document_amount_too_fine", place(element), text=str(exact), currency=code, digits=digits
            ) from problem
        raise refusal("document_amount_too_large", place(element), text=str(exact)) from problem


def known_currency(code: str | None, where: str | etree._Element) -> str:
    """An ISO 4217 code this installation knows. Raises Problem `document_currency_unknown`."""
    try:
        return currency(code or "").code
    except Problem as problem:
        told = where if isinstance(where, str) else place(where)
        raise refusal("document_currency_unknown", told, currency=code or "") from problem


def day(element: etree._Element) -> date:
    """The calendar day of an ISO date or date-time, as written (its own zone). Raises Problem `document_date_wrong`."""
    text = text_of(element) or ""
    found = _DATE.fullmatch(text) or _DATE_TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        return date.fromisoformat(found.group(1)[:10])
    except ValueError as error:
        raise refusal("document_date_wrong", place(element), text=text) from error


def moment(element: etree._Element) -> datetime:
    """An ISO 8601 date-time, naive where the document gives no zone. Raises Problem `document_date_wrong`."""
    text = text_of(element) or ""
    try:
        return parse_moment(text)
    except ValueError as error:
        raise refusal("document_date_wrong", place(element), text=text) from error


def parse_moment(text: str) -> datetime:
    """An ISO 8601 date-time of seconds or finer. Raises ValueError."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    fraction = (found.group(2) or ".")[:7].ljust(7, "0")
    zone = (found.group(3) or "").replace("Z", "+00:00")
    return datetime.fromisoformat(found.group(1) + fraction + zone)


@dataclass(frozen=True, slots=True)
class _Place:
    """What may stand in an element: names of children, and which of them only once."""

    children: frozenset[str]
    once: frozenset[str]


@cache
def _elements() -> dict[str, Any]:
    return tomllib.loads(resources.files("scf.standards").joinpath("elements.toml").read_text(encoding="utf-8"))


@cache
def _places(standard: str) -> dict[str, _Place]:
    return {
        name: _Place(frozenset(item["children"].split()), frozenset(item.get("once", "").split()))
        for item in _elements()[standard]
        for name in item["at"].split()
    }


@cache
def vocabulary() -> frozenset[str]:
    """Every element name of the ISO 20022 messages read here, over all versions."""
    return frozenset(_elements()["iso20022"]["vocabulary"].split())


@cache
def x12_segments() -> frozenset[str]:
    """Every segment tag of the X12 documents read here."""
    return frozenset(_elements()["x12"]["segments"].split())


def check_names(root: etree._Element, standard: str) -> None:
    """Refuse what the standard does not have at the places that matter, and what stands twice where one is meant.

    A misspelt element would otherwise be skipped in silence, and two readers could each take another of two amounts.
    `standard` is a section of elements.toml. Raises Problem `document_element_unknown`, `document_element_repeated`.
    """
    places = _places(standard)
    for element in root.iter("*"):
        known = places.get(str(element.tag))
        if known is None:
            continue
        seen: set[str] = set()
        for child in element:
            name = str(child.tag)
            if name not in known.children:
                raise refusal("document_element_unknown", place(child), element=etree.QName(child).localname)
            if name in seen and name in known.once:
                raise refusal("document_element_repeated", place(child), element=name)
            seen.add(name)


def need(element: etree._Element, path: str) -> etree._Element:
    """The one child at `path`. Raises Problem `document_element_missing` or `document_element_repeated`."""
    found = element.findall(path)
    if not found:
        raise refusal("document_element_missing", place(element, path), element=path.rsplit("/", 1)[-1])
    if len(found) > 1:
        raise refusal("document_element_repeated", place(found[1]), element=path.rsplit("/", 1)[-1])
    return found[0]


def need_text(element: etree._Element, path: str) -> str:
    """Text of the child at `path`, not empty. Raises Problem `document_element_missing`."""
    found = need(element, path)
    text = text_of(found)
    if text is None:
        raise refusal("document_element_missing", place(found), element=str(found.tag))
    return text


def text(element: etree._Element, *paths: str) -> str | None:
    """Text of the first of `paths` that has any; None where none has."""
    for path in paths:
        found = text_of(element.find(path))
        if found is not None:
            return found
    return None
