"""The case of an order, by the order's reference."""

from __future__ import annotations

from sqlmodel import Session, col, select

from scf.kernel.problems import Problem
from scf.reconciliation.facts import normalise
from scf.reconciliation.models import CaseRow


def case_of(session: Session, order_reference: str, *, buyer: str | None = None) -> CaseRow:
    """The case of an order, by its reference as written, else normalised when that is unique.

    Raises Problem `order_unknown` when there is none or more than one.
    """
    norm = normalise(order_reference)
    query = select(CaseRow).where(col(CaseRow.norm) == (norm or "")[:80])
    if buyer is not None:
        query = query.where(col(CaseRow.buyer) == buyer)
    found = session.exec(query.limit(50)).all()
    exact = [case for case in found if case.order_reference == order_reference]
    chosen = exact or found
    if len(chosen) != 1:
        raise Problem("order_unknown", reference=order_reference[:60])
    return chosen[0]
