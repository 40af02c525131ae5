"""XML opened safely: no document type, no entities, no network; bounded size, depth and number of elements.

The text is decoded here, so that a parser and a check can never see two different documents: a document type
declaration is refused before any parser runs, whatever the encoding.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Literal

from lxml import etree

from scf.kernel.problems import Problem
from scf.standards.refusals import refusal

MAX_BYTES = 256 * 2**20
MAX_ELEMENTS = 16_000_000
MAX_DEPTH = 100
_BEGINNING = 2**20
_PIECE = 2**17

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
_BARE_DOCTYPE = re.compile(r"<!DOCTYPE\s+[A-Za-z_][\w:.-]{0,80}\s*>")
_PARSER_LIMITS = ("huge", "excessive depth", "maximum", "too long", "amplification")


def decode(raw: bytes, errors: str = "strict") -> str:
    """The document as text without its XML declaration. Raises Problem `document_encoding_unreadable`."""
    encoding = _encoding(raw)
    try:
        return _without_declaration(raw.decode(encoding, errors))
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding=encoding) from error


def _encoding(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if raw[:4] == b"<\x00?\x00":
        return "utf-16-le"
    if raw[:4] == b"\x00<\x00?":
        return "utf-16-be"
    if raw.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    declared = _DECLARATION.match(raw[:300].decode("latin-1").lstrip())
    named = _ENCODING.search(declared.group(1)) if declared else None
    if named is None:
        return "utf-8"
    known = _ENCODINGS.get(named.group(1).lower())
    if known is None or known.startswith("utf-16"):
        raise refusal("document_encoding_unreadable", "line 1", encoding=named.group(1))
    return known


def _without_declaration(text: str) -> str:
    text = text.lstrip()
    declared = _DECLARATION.match(text)
    return text[declared.end() :] if declared else text


def _pieces(raw: bytes) -> Iterator[str]:
    """The text piece by piece, its document type refused before the first; whole where its beginning is a long one."""
    encoding = _encoding(raw)
    decoder = codecs.getincrementaldecoder(encoding)()
    starts = range(0, len(raw), _PIECE)
    try:
        head = _refuse_doctype(_without_declaration(decoder.decode(raw[:_PIECE], len(starts) == 1)))
        at = _after_misc(head, 0)
        if head[at : at + 1] != "<" or head[at + 1 : at + 2] in ("", "!", "?"):
            yield _refuse_doctype(decode(raw))
            return
        yield head
        for start in starts[1:]:
            yield decoder.decode(raw[start : start + _PIECE], start == starts[-1])
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding=encoding) from error


def beginning(raw: bytes) -> etree._Element:
    """The root element with what stands at its beginning; of a small document the whole.

    Enough to tell the kind of a large document without reading all of it. Nothing else may be read from it, because
    only `parse` looks at the rest. Raises Problem as `parse` does.
    """
    if len(raw) <= _BEGINNING:
        return parse(raw)
    text = _refuse_doctype(decode(raw[:_BEGINNING], errors="ignore"))
    parser = _pull_parser("start")
    try:
        parser.feed(text.encode("utf-8", "ignore"))
    except etree.XMLSyntaxError:
        return parse(raw)
    root = next((item for _, item in parser.read_events() if isinstance(item, etree._Element)), None)
    return parse(raw) if root is None else root


def parse(raw: bytes) -> etree._Element:
    """The root element of `raw`.

    Raises Problem `document_too_large`, `document_empty`, `document_encoding_unreadable`, `document_has_doctype`,
    `document_too_deep` or `document_not_xml`.
    """
    text = _refuse_doctype(decode(_bounded(raw)))
    _refuse_many(text.count("<"), text.count('="') + text.count("='"))
    try:
        parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        root = etree.fromstring(text.encode("utf-8", "strict"), parser)
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding="utf-8") from error
    except etree.XMLSyntaxError as error:
        raise _not_xml(error) from error
    _refuse_depth(root)
    return root


def stream(raw: bytes, names: Collection[str], take: Callable[[etree._Element], bool]) -> etree._Element:
    """The root element of `raw`, of which no more is held at a time than `take` leaves.

    Each element of one of the local `names` is handed to `take` when it is complete, and emptied where that says so;
    the empty element stays, so that the places of those after it can be told. Raises Problem as `parse` does, and those
    of `take`.
    """
    parser = _pull_parser("end", [f"{{*}}{name}" for name in names])
    elements = values = 0
    try:
        for text in _pieces(_bounded(raw)):
            elements += text.count("<")
            values += text.count('="') + text.count("='")
            _refuse_many(elements, values)
            parser.feed(text.encode("utf-8", "strict"))
            for _, element in parser.read_events():
                assert isinstance(element, etree._Element)
                _refuse_depth(element)
                if take(element):
                    element.clear()
        root = parser.close()
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding="utf-8") from error
    except etree.XMLSyntaxError as error:
        raise _not_xml(error) from error
    _refuse_depth(root)
    return root


def _pull_parser(event: Literal["start", "end"], tag: list[str] | None = None) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        (event,),
        tag=tag,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _bounded(raw: bytes) -> bytes:
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    if not raw[:_BEGINNING].strip() and not raw.strip():
        raise refusal("document_empty", "document")
    return raw


def _refuse_many(elements: int, values: int) -> None:
    if max(elements, values) > MAX_ELEMENTS:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)


def _not_xml(error: etree.XMLSyntaxError) -> Problem:
    message = str(error.msg or "").lower()
    line = f"line {error.lineno or 1}"
    if "depth" in message:
        return refusal("document_too_deep", line, limit=MAX_DEPTH)
    if any(word in message for word in _PARSER_LIMITS):
        return refusal("document_too_large", line, limit_mib=MAX_BYTES // 2**20)
    return refusal("document_not_xml", line, detail=str(error.msg or ""))


def _refuse_doctype(text: str) -> str:
    """The text without a document type that only names the root and so declares nothing; any other is refused.

    A document type is legal only before the root element, after blanks, comments and instructions.
    """
    at = _after_misc(text, 0)
    bare = _BARE_DOCTYPE.match(text, at)
    if bare is not None:
        text = text[:at] + text[bare.end() :]
        at = _after_misc(text, at)
    if text[at : at + 9].upper() == "<!DOCTYPE" or text[at : at + 8].upper() == "<!ENTITY":
        raise refusal("document_has_doctype", f"line {text.count(chr(10), 0, at) + 1}")
    return text


def _after_misc(text: str, at: int) -> int:
    while (skipped := _MISC.match(text, at)) is not None:
        at = skipped.end()
    return at


def _refuse_depth(element: etree._Element) -> None:
    """Refuse what stands too deep in or below `element`."""
    found = _too_deep(sum(1 for _ in element.iterancestors()))(element)
    if isinstance(found, list) and found:
        line = found[0].sourceline if isinstance(found[0], etree._Element) else 1
        raise refusal("document_too_deep", f"line {line}", limit=MAX_DEPTH)


@cache
def _too_deep(above: int) -> etree.XPath:
    """What of an element with so many above it is deeper than allowed."""
    return etree.XPath("/".join("*" * (MAX_DEPTH - above)) if above < MAX_DEPTH else ".")


def strip_namespaces(root: etree._Element, *namespaces: str) -> None:
    """Remove these namespaces from every element that has one of them; others stay and so remain strangers.

    Paths become plain names, and formats whose namespace carries a version (ISO 20022) need one reader only.
    """
    for namespace in namespaces:
        prefix = f"{{{namespace}}}"
        for element in root.iter(prefix + "*"):
            element.tag = str(element.tag)[len(prefix) :]
