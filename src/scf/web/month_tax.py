"""VAT of a firm's invoices in a span of days, from the invoices themselves: what it charged and what it was charged."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlmodel import Session, col, or_, select

from scf.documents.readers import read_whole
from scf.kernel.problems import Problem
from scf.reconciliation.facts import Kind, day_number, normalise_party
from scf.reconciliation.models import Allocation, CaseRow, FactRow, FactWithdrawn
from scf.standards.records import Invoice, Party
from scf.store import evidence


@dataclass(frozen=True, slots=True)
class TaxRow:
    """One invoice or credit note: `out` when the firm is its seller, `in` when its buyer. Credit notes are negative."""

    direction: Literal["in", "out"]
    on: date
    number: str
    other: str
    currency: str
    net_minor: int
    tax_minor: int
    gross_minor: int
    evidence_id: str


def tax_rows(session: Session, names: Collection[str], first: date, last: date) -> tuple[tuple[TaxRow, ...], int]:
    """Invoices with an issue day in the span, each once however often it was brought, and how many could not be read.

    `names` are the firm's name and identifiers; who is not named on an invoice has no part in it.
    """
    me = {known for known in map(normalise_party, names) if known}
    found: dict[tuple[str, str, str], TaxRow] = {}
    unread = 0
    for evidence_id in _files(session, me, first, last):
        try:
            document = read_whole(evidence.raw_bytes(session, evidence_id), evidence_id, None)
        except Problem:
            unread += 1
            continue
        for record in document.records:
            if isinstance(record, Invoice) and first <= record.issue_date <= last:
                for row in _rows(record, me, evidence_id):
                    found.setdefault((row.direction, row.number, normalise_party(row.other) or ""), row)
    return tuple(sorted(found.values(), key=lambda row: (row.direction, row.on, row.number))), unread


def _files(session: Session, me: set[str], first: date, last: date) -> list[str]:
    """Documents with an invoice or credit note in a case the firm buys or sells in; withdrawn ones are left out."""
    gone = select(FactWithdrawn.fact_id)
    query = (
        select(FactRow.evidence_id, FactRow.content)
        .join(Allocation, col(Allocation.fact_id) == col(FactRow.id))
        .join(CaseRow, col(CaseRow.id) == col(Allocation.case_id))
        .where(
            or_(col(CaseRow.seller).in_(me), col(CaseRow.buyer).in_(me)),
            col(FactRow.kind).in_((Kind.INVOICE.value, Kind.CREDIT_NOTE.value)),
            col(FactRow.id).not_in(gone),
        )
        .order_by(col(FactRow.id).desc())
    )
    span = range(day_number(first), day_number(last) + 1)
    own = (evidence_id for evidence_id, content in session.exec(query) if json.loads(content)["day"] in span)
    return list(dict.fromkeys(own))


def _rows(invoice: Invoice, me: set[str], evidence_id: str) -> list[TaxRow]:
    sign = -1 if invoice.kind == "credit_note" else 1
    net, tax, gross = (sign * minor for minor in (invoice.net_minor, invoice.tax_minor, invoice.gross_minor))
    sides: list[tuple[Literal["in", "out"], Party, Party]] = [
        ("out", invoice.seller, invoice.buyer),
        ("in", invoice.buyer, invoice.seller),
    ]
    day, number, code = invoice.issue_date, invoice.number, invoice.currency
    return [
        TaxRow(way, day, number, other.name, code, net, tax, gross, evidence_id)
        for way, one, other in sides
        if _is(one, me)
    ]


def _is(party: Party, me: set[str]) -> bool:
    names = {normalise_party(party.name), *(normalise_party(item.value) for item in party.identifiers)}
    return bool(me & names)
