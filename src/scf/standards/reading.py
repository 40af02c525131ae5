"""One door for a file of unknown kind: detect it, read it with its reader, hand back typed records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scf.standards import camt, cii, cn_einvoice, csvmap, dcsa, epcis, pain, pdf, ubl, ubl_orders, x12
from scf.standards.bank_records import PaymentOrder, PaymentStatusReport, Statement
from scf.standards.detect import detect
from scf.standards.records import (
    Delivery,
    DespatchAdvice,
    DocumentKind,
    Invoice,
    InvoiceResponse,
    LogisticsEvent,
    Notice,
    Order,
)
from scf.standards.refusals import refusal

Record = (
    Invoice
    | Order
    | DespatchAdvice
    | InvoiceResponse
    | Delivery
    | LogisticsEvent
    | Statement
    | PaymentOrder
    | PaymentStatusReport
)
_SINGLE: dict[DocumentKind, Callable[[bytes], Record]] = {
    DocumentKind.UBL_INVOICE: ubl.read_invoice,
    DocumentKind.UBL_CREDIT_NOTE: ubl.read_invoice,
    DocumentKind.UBL_ORDER: ubl_orders.read_order,
    DocumentKind.UBL_ORDER_RESPONSE: ubl_orders.read_order_response,
    DocumentKind.UBL_DESPATCH_ADVICE: ubl_orders.read_despatch_advice,
    DocumentKind.UBL_INVOICE_RESPONSE: ubl_orders.read_invoice_response,
    DocumentKind.CII_INVOICE: cii.read_invoice,
    DocumentKind.CN_EINVOICE: cn_einvoice.read,
    DocumentKind.CN_OFD: cn_einvoice.read,
    DocumentKind.PAIN_001: pain.read_001,
    DocumentKind.PAIN_002: pain.read_002,
}


@dataclass(frozen=True)
class Document:
    """A file that was read: its kind, its records, what was odd; for a table also the preview with rejected rows."""

    kind: DocumentKind
    records: tuple[Record, ...]
    notices: tuple[Notice, ...] = ()
    preview: csvmap.Preview | None = None


def read(raw: bytes, name: str | None = None, mapping: csvmap.TableMapping | None = None) -> Document:
    """Detect and read a file. A table needs its `mapping`; its deliveries become records, other rows stay in preview.

    Of a Factur-X or ZUGFeRD PDF the attached invoice is read. Raises Problem of `detect` and of the reader, and
    `table_needs_mapping`.
    """
    raw = pdf.unwrapped(raw)
    kind = detect(raw, name)
    if kind == DocumentKind.CSV:
        if mapping is None:
            raise refusal("table_needs_mapping", name or "document")
        found = csvmap.preview(raw, mapping)
        rows = tuple(csvmap.deliveries(found)) if mapping.record == "delivery" else ()
        return Document(kind, rows, preview=found)
    records = tuple(_records(kind, raw))
    notices = tuple(notice for record in records for notice in getattr(record, "notices", ()))
    return Document(kind, records, notices)


def _records(kind: DocumentKind, raw: bytes) -> list[Record]:
    if kind in _SINGLE:
        return [_SINGLE[kind](raw)]
    if kind in (DocumentKind.CAMT_052, DocumentKind.CAMT_053, DocumentKind.CAMT_054):
        return list(camt.read(raw))
    if kind in (DocumentKind.EPCIS_JSON, DocumentKind.EPCIS_XML):
        return list(epcis.read(raw))
    if kind == DocumentKind.X12:
        return list(x12.read(raw))
    return list(dcsa.read(raw))
