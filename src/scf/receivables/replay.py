"""The current book as the rulebook replays it: each receivable's issue with the facts it had."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session, col, select

from scf.parties.service import Parties
from scf.receivables.judging import SMALL_FIRMS, paper_facts
from scf.receivables.models import Dossier, Receivable, ReceivableState
from scf.receivables.trade_facts import trade_facts
from scf.rulebook.service import ReplayRecord


def book_records(session: Session, parties: Parties) -> Iterator[ReplayRecord]:
    """Every receivable that was not cancelled, as the act `issue`; `reference` is its number.

    It was issued by an obligor that was not halted, so `obligor_overdue` is known to have been false.
    """
    rows = session.exec(
        select(Receivable, Dossier)
        .join(Dossier, col(Dossier.document) == col(Receivable.document), isouter=True)
        .where(Receivable.state != ReceivableState.CANCELLED)
        .order_by(col(Receivable.id))
    )
    for row, dossier in rows:
        owes, is_owed = (parties.organisation_of(session, who) for who in (row.obligor, row.creditor))
        facts = {
            **({} if dossier is None else trade_facts(session, dossier)),
            **paper_facts(row),
            "obligor_overdue": False,
            "min_amount_minor": row.min_minor,
        }
        facts.setdefault("invoice_assigned", False)
        if owes is not None:
            facts["obligor_size"] = owes.size
        if is_owed is not None:
            facts["creditor_is_small"] = is_owed.size in SMALL_FIRMS
        yield ReplayRecord(str(row.id), "issue", facts, row.face_minor, row.currency)
