"""What kind of document a file is, judged by its content; the file name only breaks ties."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from lxml import etree

from scf.standards import csvtext, json_text, pdf, tree, xml
from scf.standards.records import DocumentKind
from scf.standards.refusals import refusal

_UBL = re.compile(r"urn:oasis:names:specification:ubl:schema:xsd:(\w+)-2")
_UBL_KINDS = {
    "Invoice": DocumentKind.UBL_INVOICE,
    "CreditNote": DocumentKind.UBL_CREDIT_NOTE,
    "Order": DocumentKind.UBL_ORDER,
    "OrderResponse": DocumentKind.UBL_ORDER_RESPONSE,
    "DespatchAdvice": DocumentKind.UBL_DESPATCH_ADVICE,
    "ApplicationResponse": DocumentKind.UBL_INVOICE_RESPONSE,
}
_ISO_KINDS = {
    "BkToCstmrAcctRpt": DocumentKind.CAMT_052,
    "BkToCstmrStmt": DocumentKind.CAMT_053,
    "BkToCstmrDbtCdtNtfctn": DocumentKind.CAMT_054,
    "CstmrCdtTrfInitn": DocumentKind.PAIN_001,
    "CstmrPmtStsRpt": DocumentKind.PAIN_002,
}
_EPCIS_TYPES = ("EPCISDocument", "EPCISQueryDocument")
_EVENT_TYPES = ("ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent")

_LARGE = 2**20
_EPCIS_HEAD = re.compile(rb'"(?:type|isA)"\s*:\s*"EPCIS(?:Query)?Document"')
"""What a large EPCIS document says of itself before its events, so that it is parsed once, by its reader."""


def detect(raw: bytes, name: str | None = None) -> DocumentKind:
    """The kind of `raw`; `name` is the file's name where known.

    Raises Problem `document_empty`, `document_kind_unknown`, and those of `xml.parse` and `json_text.parse` for a file
    that is broken at the first look.
    """
    head = raw[:4096].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")
    if not head:
        raise refusal("document_empty", name or "document")
    if head.startswith(b"PK\x03\x04"):
        return _archive(raw, name)
    if pdf.is_pdf(raw):
        return of_root(xml.parse(pdf.unwrapped(raw)))
    if head.startswith(b"<"):
        return of_root(xml.beginning(raw))
    if head[:1] == b"{" and len(raw) > _LARGE and _EPCIS_HEAD.search(raw[:_LARGE]):
        return DocumentKind.EPCIS_JSON
    if head[:1] in (b"{", b"["):
        return of_json(json_text.parse(raw), name)
    if head.startswith(b"ISA") and not head[3:4].isalnum():
        return DocumentKind.X12
    if _is_table(_as_text(raw, head), name):
        return DocumentKind.CSV
    raise refusal("document_kind_unknown", name or "document", found=head[:20].decode("latin-1"))


def of_root(root: etree._Element) -> DocumentKind:
    """The kind of an XML document. Raises Problem `document_kind_unknown`."""
    found = etree.QName(root)
    namespace = found.namespace or ""
    ubl = _UBL.fullmatch(namespace)
    if ubl and ubl.group(1) == found.localname and found.localname in _UBL_KINDS:
        return _UBL_KINDS[found.localname]
    if found.localname == "CrossIndustryInvoice":
        return DocumentKind.CII_INVOICE
    if found.localname in ("EInvoice", "eInvoice"):
        return DocumentKind.CN_EINVOICE
    if found.localname in _EPCIS_TYPES and "epcis" in namespace.lower():
        return DocumentKind.EPCIS_XML
    if found.localname in _EVENT_TYPES and (not namespace or "epcis" in namespace.lower()):
        return DocumentKind.EPCIS_XML
    for element in (root, *root.iter("{*}Document")):
        body = next((child for child in element if isinstance(child.tag, str)), None)
        if body is not None and etree.QName(element).localname == "Document":
            kind = _ISO_KINDS.get(re.sub(r"V\d\d$", "", etree.QName(body).localname))
            if kind is not None:
                return kind
    raise refusal("document_kind_unknown", tree.place(root), found=f"{found.localname} {namespace}")


def of_json(value: Any, name: str | None = None) -> DocumentKind:
    """The kind of a JSON document. Raises Problem `document_kind_unknown`."""
    if isinstance(value, dict):
        kinds = value.get("type", value.get("isA"))
        if kinds in _EPCIS_TYPES or kinds in _EVENT_TYPES or "epcisBody" in value:
            return DocumentKind.EPCIS_JSON
    items = value if isinstance(value, list) else value.get("events", [value]) if isinstance(value, dict) else []
    first = items[0] if isinstance(items, list) and items else None
    if isinstance(first, dict) and ("eventClassifierCode" in first or "metadata" in first or "eventDateTime" in first):
        return DocumentKind.DCSA_EVENTS
    if isinstance(first, dict) and first.get("type") in _EVENT_TYPES:
        return DocumentKind.EPCIS_JSON
    raise refusal("document_kind_unknown", name or "document", found="JSON")


def _archive(raw: bytes, name: str | None) -> DocumentKind:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, UnicodeError) as error:
        raise refusal("archive_unreadable", name or "document", detail=type(error).__name__) from error
    if "OFD.xml" in names:
        return DocumentKind.CN_OFD
    raise refusal("document_kind_unknown", name or "document", found=f"zip: {', '.join(names[:3])}")


def _as_text(raw: bytes, head: bytes) -> bytes:
    """The beginning of a file in UTF-16, as spreadsheets save it, in UTF-8; any other as it is."""
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else csvtext.utf16(raw)
    if encoding is None:
        return head
    return raw[: 4096 // 2 * 2].decode(encoding, "ignore").encode("utf-8", "ignore").lstrip()


def _is_table(head: bytes, name: str | None) -> bool:
    if b"\x00" in head[:200]:
        return False
    if name and name.lower().rsplit(".", 1)[-1] in ("csv", "tsv", "txt"):
        return True
    first = re.split(rb"\r\n|\r|\n", head, maxsplit=1)[0]
    return any(first.count(delimiter) >= 2 for delimiter in (b",", b";", b"\t", b"|"))
