"""From a document that was read to the facts that reconciliation joins. Pure: nothing is stored here."""

from __future__ import annotations

from scf.kernel.problems import Problem
from scf.reconciliation import convert
from scf.reconciliation.convert import Origin
from scf.reconciliation.facts import Fact
from scf.standards.csvmap import TableMapping
from scf.standards.reading import Document, Record, read
from scf.standards.records import (
    Delivery,
    DespatchAdvice,
    DocumentKind,
    Invoice,
    LogisticsEvent,
    Order,
    Statement,
)

IMPORTABLE = (Invoice, Order, DespatchAdvice, Delivery, LogisticsEvent, Statement)


def read_whole(raw: bytes, name: str, mapping: TableMapping | None) -> Document:
    """A document of which every record was read and is of a kind that is taken here.

    Raises Problem of its reader, `document_not_importable`, or `table_rows_rejected` naming the first bad row.
    """
    document = read(raw, name, mapping)
    found = document.preview
    if found is not None and found.rejected:
        first = found.rejected[0]
        raise Problem(
            "table_rows_rejected",
            name=name,
            rejected=len({item.number for item in found.rejected}),
            total=found.total,
            place=f"{first.number}/{first.column or '-'}",
            reason=first.problem,
        )
    if not document.records or not all(isinstance(record, IMPORTABLE) for record in document.records):
        raise Problem("document_not_importable", name=name, kind=document.kind.value)
    return document


def facts_of(document: Document, origin: Origin) -> list[Fact]:
    """What the document says, as facts with their origin."""
    return [fact for record in document.records for fact in _facts(record, origin)]


def record_count(document: Document) -> int:
    """How many records a person would count: entries of statements, otherwise records."""
    if document.kind in (DocumentKind.CAMT_052, DocumentKind.CAMT_053, DocumentKind.CAMT_054):
        return sum(len(record.entries) for record in document.records if isinstance(record, Statement))
    return len(document.records)


def _facts(record: Record, origin: Origin) -> list[Fact]:
    match record:
        case Invoice():
            return convert.from_invoice(record, origin)
        case Order():
            return [convert.from_order(record, origin)]
        case DespatchAdvice():
            return convert.from_despatch(record, origin)
        case Delivery():
            return convert.from_delivery(record, origin)
        case LogisticsEvent():
            fact = convert.from_event(record, origin)
            return [] if fact is None else [fact]
        case Statement():
            return convert.from_statement(record, origin, owner=record.account)
        case _:
            return []
