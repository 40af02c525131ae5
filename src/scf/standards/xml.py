"""XML opened safely: no document type, no entities, no network; bounded size, depth and number of elements.

The text is decoded here, so that a parser and a check can never see two different documents: a document type
declaration is refused before any parser runs, whatever the encoding.
"""

from __future__ import annotations

import re

from lxml import etree

from scf.standards.refusals import refusal

MAX_BYTES = 256 * 2**20
MAX_ELEMENTS = 16_000_000
MAX_DEPTH = 100
_BEGINNING = 2**20

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
        text = raw.decode(encoding, errors).lstrip()
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding=encoding) from error
    declared = _DECLARATION.match(text)
    return text[declared.end() :] if declared else text


def beginning(raw: bytes) -> etree._Element:
    """The root element with what stands at its beginning; of a small document the whole.

    Enough to tell the kind of a large document without reading all of it. Nothing else may be read from it, because
    only `parse` looks at the rest. Raises Problem as `parse` does.
    """
    if len(raw) <= _BEGINNING:
        return parse(raw)
    text = _refuse_doctype(decode(raw[:_BEGINNING], errors="ignore"))
    parser = etree.XMLPullParser(
        ("start",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
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
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    if not raw.strip():
        raise refusal("document_empty", "document")
    text = decode(raw)
    text = _refuse_doctype(text)
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


def _refuse_depth(root: etree._Element) -> None:
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise refusal("document_too_deep", f"line {element.sourceline}", limit=MAX_DEPTH)


def strip_namespaces(root: etree._Element, *namespaces: str) -> None:
    """Remove these namespaces from every element that has one of them; others stay and so remain strangers.

    Paths become plain names, and formats whose namespace carries a version (ISO 20022) need one reader only.
    """
    for namespace in namespaces:
        prefix = f"{{{namespace}}}"
        for element in root.iter(prefix + "*"):
            element.tag = str(element.tag)[len(prefix) :]
