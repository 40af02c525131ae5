"""From the bytes of each kind of document to the facts that reconciliation joins. Pure: nothing is stored here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scf.kernel.problems import Problem
from scf.reconciliation import convert
from scf.reconciliation.convert import Origin
from scf.reconciliation.facts import Fact
from scf.standards import camt, cii, csvmap, epcis, ubl, ubl_orders
from scf.standards.csvmap import TableMapping
from scf.standards.records import DespatchAdvice, DocumentKind, Invoice, LogisticsEvent, Notice, Order


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document says: facts (given the origin), notices worth telling, how many records it held."""

    records: int
    facts: Callable[[Origin], list[Fact]]
    notices: tuple[Notice, ...] = ()
    rejected: int = 0


def _invoice(record: Invoice) -> Reading:
    return Reading(1, lambda origin: [convert.from_invoice(record, origin)], record.notices)


def _order(record: Order) -> Reading:
    return Reading(1, lambda origin: [convert.from_order(record, origin)], record.notices)


def _despatch(record: DespatchAdvice) -> Reading:
    return Reading(1, lambda origin: convert.from_despatch(record, origin), record.notices)


def _events(events: Sequence[LogisticsEvent]) -> Reading:
    def facts(origin: Origin) -> list[Fact]:
        return [fact for fact in (convert.from_event(event, origin) for event in events) if fact is not None]

    return Reading(len(events), facts)


def _statement(raw: bytes) -> Reading:
    statements = camt.read(raw)

    def facts(origin: Origin) -> list[Fact]:
        return [
            fact
            for statement in statements
            for fact in convert.from_statement(statement, origin, owner=statement.account)
        ]

    notices = tuple(notice for statement in statements for notice in statement.notices)
    return Reading(sum(len(statement.entries) for statement in statements), facts, notices)


def _table(raw: bytes, name: str, mapping: TableMapping) -> Reading:
    found = csvmap.preview(raw, mapping)
    if found.rejected:
        first = found.rejected[0]
        raise Problem(
            "table_rows_rejected",
            name=name,
            rejected=len({item.number for item in found.rejected}),
            total=found.total,
            place=f"{first.number}/{first.column or '-'}",
            reason=first.problem,
        )
    rows = csvmap.deliveries(found)
    return Reading(len(rows), lambda origin: [fact for row in rows for fact in convert.from_delivery(row, origin)])


_READERS: dict[DocumentKind, Callable[[bytes], Reading]] = {
    DocumentKind.UBL_INVOICE: lambda raw: _invoice(ubl.read_invoice(raw)),
    DocumentKind.UBL_CREDIT_NOTE: lambda raw: _invoice(ubl.read_invoice(raw)),
    DocumentKind.CII_INVOICE: lambda raw: _invoice(cii.read_invoice(raw)),
    DocumentKind.UBL_ORDER: lambda raw: _order(ubl_orders.read_order(raw)),
    DocumentKind.UBL_ORDER_RESPONSE: lambda raw: _order(ubl_orders.read_order_response(raw)),
    DocumentKind.UBL_DESPATCH_ADVICE: lambda raw: _despatch(ubl_orders.read_despatch_advice(raw)),
    DocumentKind.EPCIS_JSON: lambda raw: _events(epcis.read(raw)),
    DocumentKind.EPCIS_XML: lambda raw: _events(epcis.read(raw)),
    DocumentKind.CAMT_052: _statement,
    DocumentKind.CAMT_053: _statement,
    DocumentKind.CAMT_054: _statement,
}


def read(raw: bytes, kind: DocumentKind, name: str, mapping: TableMapping | None) -> Reading:
    """Read a document whole. Raises Problem of its reader, or `document_not_importable`."""
    if kind is DocumentKind.CSV and mapping is not None:
        return _table(raw, name, mapping)
    reader = _READERS.get(kind)
    if reader is None:
        raise Problem("document_not_importable", name=name, kind=kind.value)
    return reader(raw)
