"""XML opened safely: no document type, no entities, no network; bounded size, depth and number of elements.

The text is decoded here, so that a parser and a check can never see two different documents: a document type
declaration is refused before any parser runs, whatever the encoding.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from lxml import etree

from scf.kernel.money import currency, parse_minor
from scf.kernel.problems import Problem
from scf.standards.refusals import refusal

MAX_BYTES = 64 * 2**20
MAX_ELEMENTS = 4_000_000
MAX_DEPTH = 100

_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_DECLARATION = re.compile(r"<\?xml\s+version\s*=\s*[\"'][^\"']{1,8}[\"']([^>]{0,200}?)\?>")
_ENCODING = re.compile(r"encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_MISC = re.compile(r"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,20})?|\.\d{1,20})")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(Z|[+-]\d{2}:\d{2})?")
_DATE_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?",
)
_NAMESPACE = re.compile(r"\{[^}]*\}")
_PARSER_LIMITS = ("huge", "excessive depth", "maximum", "too long", "amplification")


def decode(raw: bytes) -> str:
    """The document as text without its XML declaration. Raises Problem `document_encoding_unreadable`."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif raw[:4] == b"<\x00?\x00":
        encoding = "utf-16-le"
    elif raw[:4] == b"\x00<\x00?":
        encoding = "utf-16-be"
    elif raw.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    else:
        encoding = "utf-8"
        declared = _DECLARATION.match(raw[:300].decode("latin-1").lstrip())
        named = _ENCODING.search(declared.group(1)) if declared else None
        if named:
            known = _ENCODINGS.get(named.group(1).lower())
            if known is None or known.startswith("utf-16"):
                raise refusal("document_encoding_unreadable", "line 1", encoding=named.group(1))
            encoding = known
    try:
        text = raw.decode(encoding).lstrip()
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding=encoding) from error
    declared = _DECLARATION.match(text)
    return text[declared.end() :] if declared else text


def parse(raw: bytes) -> etree._Element:
    """The root element of `raw`.

    Raises Problem `document_too_large`, `document_empty`, `document_encoding_unreadable`, `document_has_doctype`,
    `document_too_deep` or `document_not_xml`.
    """
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    if not raw.strip():
        raise refusal("document_empty", "document")
    text = decode(raw)
    _refuse_doctype(text)
    if text.count("<") > MAX_ELEMENTS or text.count('="') + text.count("='") > MAX_ELEMENTS:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "strict"), parser)
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding="utf-8") from error
    except etree.XMLSyntaxError as error:
        message = str(error.msg or "").lower()
        line = f"line {error.lineno or 1}"
        if "depth" in message:
            raise refusal("document_too_deep", line, limit=MAX_DEPTH) from error
        if any(word in message for word in _PARSER_LIMITS):
            raise refusal("document_too_large", line, limit_mib=MAX_BYTES // 2**20) from error
        raise refusal("document_not_xml", line, detail=str(error.msg or "")) from error
    _refuse_depth(root)
    return root


def _refuse_doctype(text: str) -> None:
    """A document type is legal only before the root element, after blanks, comments and instructions."""
    at = 0
    while (skipped := _MISC.match(text, at)) is not None:
        at = skipped.end()
    if text[at : at + 9].upper() == "<!DOCTYPE" or text[at : at + 8].upper() == "<!ENTITY":
        raise refusal("document_has_doctype", f"line {text.count(chr(10), 0, at) + 1}")


def _refuse_depth(root: etree._Element) -> None:
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise refusal("document_too_deep", f"line {element.sourceline}", limit=MAX_DEPTH)


def strip_namespace(root: etree._Element) -> str:
    """Remove the root's namespace from every element that has it and return it; other namespaces stay.

    For formats whose namespace carries a version (ISO 20022): one reader serves them all.
    """
    namespace = etree.QName(root).namespace or ""
    prefix = f"{{{namespace}}}"
    if namespace:
        for element in root.iter(prefix + "*"):
            element.tag = str(element.tag)[len(prefix) :]
    return namespace


def place(element: etree._Element, below: str = "") -> str:
    """Where `element` stands: its path without namespaces, and its line."""
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
    try:
        return Decimal(text)
    except InvalidOperation as error:  # pragma: no cover - the pattern leaves nothing to fail
        raise refusal("document_number_wrong", place(element), text=text) from error


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


def known_currency(code: str | None, where: str) -> str:
    """An ISO 4217 code this installation knows. Raises Problem `document_currency_unknown`."""
    try:
        return currency(code or "").code
    except Problem as problem:
        raise refusal("document_currency_unknown", where, currency=code or "") from problem


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
