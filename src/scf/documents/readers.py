"""From a document that was read to the facts that reconciliation joins. Pure: nothing is stored here."""

from __future__ import annotations

from dataclasses import replace

from scf.documents import tables
from scf.kernel.problems import Problem
from scf.kernel.sentences import sentence
from scf.reconciliation import convert
from scf.reconciliation.convert import Origin
from scf.reconciliation.facts import Fact
from scf.standards import signatures
from scf.standards.bank_records import Statement
from scf.standards.csvmap import Row, TableMapping
from scf.standards.reading import Document, Record, read
from scf.standards.records import Delivery, DespatchAdvice, DocumentKind, Invoice, LogisticsEvent, Order

IMPORTABLE = (Invoice, Order, DespatchAdvice, Delivery, LogisticsEvent, Statement)
STATEMENTS = (DocumentKind.CAMT_052, DocumentKind.CAMT_053, DocumentKind.CAMT_054)


def read_document(raw: bytes, name: str, mapping: TableMapping | None) -> Document:
    """A document of a kind that is taken here; of a table some rows may be rejected.

    Raises Problem of its reader, or `document_not_importable`.
    """
    document = read(raw, name, mapping)
    document = replace(document, notices=(*document.notices, *signatures.notices(raw)))
    is_table = document.preview is not None
    if not is_table and not (document.records and all(isinstance(record, IMPORTABLE) for record in document.records)):
        raise Problem("document_not_importable", name=name, kind=document.kind.value)
    return document


def read_whole(raw: bytes, name: str, mapping: TableMapping | None) -> Document:
    """A document of which every record was read and is of a kind that is taken here.

    Raises Problem of its reader, `document_not_importable`, or `table_rows_rejected` naming the first bad row.
    """
    document = read_document(raw, name, mapping)
    require_whole(document, name)
    return document


def require_whole(document: Document, name: str) -> None:
    """Raise Problem `table_rows_rejected` when a row was rejected, `document_not_importable` when no row is left."""
    found = document.preview
    if found is None:
        return
    if found.rejected:
        first = found.rejected[0]
        raise TableRefusal(
            "table_rows_rejected",
            name=name,
            rejected=len({item.number for item in found.rejected}),
            total=found.total,
            place=f"{first.number}/{first.column or '-'}",
            reason=first.problem,
        )
    if not found.rows:
        raise Problem("document_not_importable", name=name, kind=document.kind.value)


class TableRefusal(Problem):
    """Rows of a table cannot be read; the reason of the first in the reader's language."""

    def sentence(self, language: str = "en") -> str:
        """The sentence with the first row's reason in `language`."""
        reason = self.facts["reason"]
        said = reason.sentence(language) if isinstance(reason, Problem) else reason
        return sentence(self.code, language, **{**self.facts, "reason": said})


def facts_of(document: Document, origin: Origin) -> list[Fact]:
    """What the document says, as facts with their origin."""
    return [fact for _, facts in said_by(document, origin) if not isinstance(facts, Problem) for fact in facts]


def said_by(document: Document, origin: Origin) -> list[tuple[str, list[Fact] | Problem]]:
    """Each record as people count them, with its name and its facts: an entry, an event, a document, a row.

    In place of facts a row of a table may have the Problem that makes it unusable.
    """
    if document.preview is not None:
        record = document.preview.mapping.record
        return [(tables.label_of_row(row, record), _row(row, record, origin)) for row in document.preview.rows]
    said: list[tuple[str, list[Fact] | Problem]] = []
    for item in document.records:
        if isinstance(item, Statement):
            said += _entries(item, origin)
        else:
            said.append((_label(item), _facts(item, origin)))
    return said


def record_count(document: Document) -> int:
    """How many records a person would count: entries of statements, rows of tables, otherwise records."""
    if document.preview is not None:
        return len(document.preview.rows)
    if document.kind in STATEMENTS:
        return sum(len(record.movements) for record in document.records if isinstance(record, Statement))
    return len(document.records)


def _row(row: Row, record: str, origin: Origin) -> list[Fact] | Problem:
    try:
        return tables.facts_of_row(row, record, origin)
    except Problem as problem:
        return problem


def _entries(statement: Statement, origin: Origin) -> list[tuple[str, list[Fact] | Problem]]:
    said: list[tuple[str, list[Fact] | Problem]] = []
    for entry in statement.movements:
        facts = convert.from_statement(replace(statement, entries=(entry,)), origin, owner=None)
        name = entry.end_to_end_id or entry.bank_transaction_id or entry.reference or entry.remittance
        said.append((f"{statement.id} · {name}" if name else statement.id, facts))
    return said


def _label(record: Record) -> str:
    match record:
        case Invoice() | Order() | DespatchAdvice():
            return record.number
        case LogisticsEvent():
            return record.event_id or record.event_hash or record.kind
        case _:
            return type(record).__name__


def _facts(record: Record, origin: Origin) -> list[Fact]:
    match record:
        case Invoice():
            return convert.from_invoice(record, origin)
        case Order():
            return [convert.from_order(record, origin)]
        case DespatchAdvice():
            return convert.from_despatch(record, origin)
        case LogisticsEvent():
            fact = convert.from_event(record, origin)
            return [] if fact is None else [fact]
        case _:
            return []
