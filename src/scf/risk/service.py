"""The door of the room: what the books and the joined facts say about a trade, gathered for the signals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.kernel.clock import Clock, today
from scf.kernel.dates import day_of, days_between
from scf.parties.models import Organisation, Seat
from scf.receivables import queries
from scf.receivables.models import Dossier, Note, Receivable, ReceivableState
from scf.reconciliation.facts import Kind, day_number, from_json, normalise_party
from scf.reconciliation.models import Allocation, CaseRow, FactRow, FactWithdrawn, InvoiceRow
from scf.risk.concentration import Concentration, ageing, concentration, if_one_fails
from scf.risk.signals import DAY_WINDOW, Deal, Finding, Paper, Verdict, judge

_MOST_TRADES = 20_000
_YEAR = 365

__all__ = [
    "Concentration",
    "Deal",
    "Finding",
    "Paper",
    "Verdict",
    "ageing",
    "assess",
    "concentration",
    "deal_of",
    "if_one_fails",
    "judge",
    "order_of",
    "recent_trades",
]


def assess(session: Session, note_id: str, *, clock: Clock, trades: Sequence[Paper] | None = None) -> Verdict:
    """What the signals say of the trade behind a note, as of today. Raises Problem `unknown_note`."""
    return judge(deal_of(session, note_id, clock=clock, trades=trades))


def recent_trades(session: Session, *, clock: Clock) -> list[Paper]:
    """Invoices of everybody within the window; read once where several deals are looked at."""
    return _selected(session, day_number(today(clock)))


def order_of(session: Session, note_id: str) -> str | None:
    """The order behind a note: that of its own pass, else that of the issue. Raises Problem `unknown_note`."""
    note = queries.note(session, note_id)
    row = queries.receivable(session, note.receivable_id)
    dossier = session.get(Dossier, note.evidence) or session.get(Dossier, row.document)
    return dossier.order_reference if dossier else None


def deal_of(session: Session, note_id: str, *, clock: Clock, trades: Sequence[Paper] | None = None) -> Deal:
    """The trade behind a note: that of its own pass where it has papers, else that of the issue.

    Raises Problem `unknown_note`.
    """
    note = queries.note(session, note_id)
    row = queries.receivable(session, note.receivable_id)
    as_of = day_number(today(clock))
    dossier = session.get(Dossier, note.evidence) or session.get(Dossier, row.document)
    buyer_address, seller_address = (note.giver, note.holder) if note.parent_id else (row.obligor, row.creditor)
    seller_names, buyer_names = _names(session, seller_address), _names(session, buyer_address)
    papers = _own_papers(session, dossier) if dossier else []
    invoice = next((paper for paper in papers if paper.kind == "invoice"), None)
    known = _invoices(session, as_of, seller_names | ({invoice.seller} if invoice else set()))
    return Deal(
        as_of=as_of,
        seller=invoice.seller if invoice else min(seller_names, default=seller_address),
        buyer=invoice.buyer if invoice else min(buyer_names, default=buyer_address),
        invoice=invoice,
        deliveries=[paper for paper in papers if paper.kind == "delivery"],
        twins=_twins(session, invoice, dossier, row),
        seller_invoices=known,
        credit_notes=_credit_notes(session, as_of, seller_names | ({invoice.seller} if invoice else set())),
        trades=_selected(session, as_of) if trades is None else trades,
        obligor_late_days=_late_days(session, row.obligor, clock),
        obligor_overdue=[str(one.id) for one in queries.overdue_of(session, row.obligor, clock.now())],
    )


# Inside ---------------------------------------------------------------------------------------------------------------


def _names(session: Session, address: str) -> set[str]:
    """How documents may write the organisation behind an address: its identifier and its name, normalised."""
    found = session.exec(
        select(Organisation)
        .join(Seat, col(Seat.organisation_id) == col(Organisation.id))
        .where(Seat.address == address)
    ).first()
    if found is None:
        return set()
    return {name for name in (normalise_party(found.uscc), normalise_party(found.name)) if name}


def _own_papers(session: Session, dossier: Dossier) -> list[Paper]:
    """Facts said by the documents of a dossier, and by whatever else joined the same order."""
    ids = dossier.evidence_ids.split(",")
    rows = list(session.exec(select(FactRow).where(col(FactRow.evidence_id).in_(ids)).order_by(col(FactRow.id))))
    cases = session.exec(
        select(Allocation.case_id)
        .where(col(Allocation.fact_id).in_([row.id for row in rows]), col(Allocation.ended_by).is_(None))
        .distinct()
    ).all()
    joined = session.exec(
        select(FactRow)
        .join(Allocation, col(Allocation.fact_id) == col(FactRow.id))
        .where(col(Allocation.case_id).in_(cases), col(Allocation.ended_by).is_(None), FactRow.kind == Kind.DELIVERY)
        .order_by(col(FactRow.id))
    )
    seen = {row.id for row in rows}
    rows += [row for row in joined if row.id not in seen]
    withdrawn = set(session.exec(select(FactWithdrawn.fact_id).where(col(FactWithdrawn.fact_id).in_(list(seen)))))
    return [_paper(row) for row in rows if row.id not in withdrawn]


def _paper(row: FactRow) -> Paper:
    fact = from_json(row.content)
    kind: Any = fact.kind.value if fact.kind.value in ("invoice", "credit_note", "delivery", "order") else "payment"
    return Paper(
        kind=kind,
        reference=fact.reference or fact.order_reference or fact.key or str(row.id),
        seller=normalise_party(fact.seller) or "",
        buyer=normalise_party(fact.buyer) or "",
        day=fact.day,
        amount_minor=(fact.payable_minor if fact.payable_minor is not None else fact.amount_minor) or 0,
        currency=fact.currency or "",
        trust=row.trust,
        evidence_id=row.evidence_id,
    )


def _selected(session: Session, as_of: int, *where: Any, limit: int = _MOST_TRADES) -> list[Paper]:
    query = (
        sa.select(
            col(InvoiceRow.number),
            col(InvoiceRow.seller),
            col(CaseRow.buyer),
            col(InvoiceRow.day),
            col(InvoiceRow.payable_minor),
            col(InvoiceRow.currency),
            col(FactRow.trust),
            col(InvoiceRow.evidence_id),
        )
        .join(CaseRow, col(CaseRow.id) == col(InvoiceRow.case_id))
        .join(FactRow, col(FactRow.id) == col(InvoiceRow.fact_id))
        .where(col(InvoiceRow.day) > as_of - DAY_WINDOW, col(InvoiceRow.day) <= as_of, *where)
        .order_by(col(InvoiceRow.day).desc(), col(InvoiceRow.fact_id))
        .limit(limit)
    )
    return [
        Paper("invoice", number, seller, buyer or "", day, int(minor), code, trust, evidence)
        for number, seller, buyer, day, minor, code, trust, evidence in session.execute(query)
    ]


def _invoices(session: Session, as_of: int, sellers: set[str]) -> list[Paper]:
    return _selected(session, as_of, col(InvoiceRow.seller).in_(sellers), limit=2_000)


def _twins(session: Session, invoice: Paper | None, dossier: Dossier | None, row: Receivable) -> list[Paper]:
    """Invoices that look like this one, and other receivables that name the same invoice of the same creditor."""
    if invoice is None:
        return []
    facts = select(FactRow.id).where(FactRow.evidence_id == invoice.evidence_id, FactRow.kind == Kind.INVOICE)
    own = set(session.exec(facts))
    alike = session.exec(
        select(FactRow)
        .join(InvoiceRow, col(InvoiceRow.fact_id) == col(FactRow.id))
        .where(sa.or_(col(InvoiceRow.twin_of).in_(own), col(FactRow.id).in_(_earlier(own))))
    )
    found = [_paper(one) for one in alike]
    if dossier is not None and dossier.invoice_number:
        others = session.exec(
            select(Receivable)
            .join(Dossier, col(Dossier.document) == col(Receivable.document))
            .where(
                Dossier.invoice_number == dossier.invoice_number,
                Receivable.id != row.id,
                Receivable.creditor == row.creditor,
                Receivable.state != ReceivableState.CANCELLED,
            )
        )
        found += [
            Paper(
                "receivable",
                str(other.id),
                invoice.seller,
                invoice.buyer,
                day_number(day_of(other.issued_at)),
                other.face_minor,
                other.currency,
                3,
            )
            for other in others
        ]
    return found


def _earlier(own: set[int]) -> Any:
    return select(InvoiceRow.twin_of).where(col(InvoiceRow.fact_id).in_(own), col(InvoiceRow.twin_of).is_not(None))


def _credit_notes(session: Session, as_of: int, sellers: set[str]) -> list[Paper]:
    newest = select(FactRow).where(FactRow.kind == Kind.CREDIT_NOTE).order_by(col(FactRow.id).desc())
    rows = session.exec(newest.limit(5_000))
    papers = [_paper(row) for row in rows]
    return [paper for paper in papers if paper.seller in sellers and as_of - DAY_WINDOW < paper.day <= as_of]


def _late_days(session: Session, obligor: str, clock: Clock) -> Sequence[tuple[str, int]]:
    """Days late of each receivable the obligor paid in full in the last year."""
    since = clock.now() - _YEAR * 86_400
    rows = session.exec(
        select(Receivable).where(
            Receivable.obligor == obligor, Receivable.state == ReceivableState.CLOSED, Receivable.state_since >= since
        )
    ).all()
    found = []
    for row in rows:
        payments = queries.payments_of(session, row.id)
        if payments:
            due, paid = day_of(row.maturity), day_of(max(one.paid_at for one in payments))
            found.append((str(row.id), max(0, days_between(due, paid))))
    return found


def note_age(row: Receivable, on: date) -> int:
    """Days a receivable is past its maturity; 0 or less while it is not due."""
    return days_between(day_of(row.maturity), on)


def exposure_of(session: Session, financier_addresses: Sequence[str]) -> list[tuple[Note, Receivable]]:
    """Notes with value that a financier holds, with their receivables."""
    query = (
        select(Note, Receivable)
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(
            col(Note.holder).in_(financier_addresses), Note.amount_minor > 0, col(Note.state).in_(("held", "locked"))
        )
        .order_by(col(Receivable.maturity), col(Note.id))
    )
    return list(session.exec(query).all())
