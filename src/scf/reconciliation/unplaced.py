"""Money that has moved and belongs to no order yet: what of it may have been meant for one."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.reconciliation.models import CaseRow, ExceptionRow, WaitingPayment

_MOST = 500
"""Waiting payments of one party that are looked at; a party with more has a queue to work first."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A payment to the same party: `nameless` names no document; `suggested`: this order is among its candidates."""

    amount_minor: int
    nameless: bool
    suggested: bool


def perhaps_paid(
    session: Session, case_ids: Collection[int], *, seller: str | None, account: str | None, currency: str
) -> list[Stray]:
    """Payments to this seller or account that wait, the newest first. Names and account are normalised."""
    row = WaitingPayment
    ways = [col(c) == value for c, value in ((row.seller, seller), (row.account, account)) if value]
    if not ways:
        return []
    query = select(row).where(sa.or_(*ways), col(row.currency) == currency, col(row.amount_minor) > 0)
    waiting = session.exec(query.order_by(col(row.fact_id).desc()).limit(_MOST)).all()
    if not waiting:
        return []
    orders = set(session.exec(select(col(CaseRow.order_reference)).where(col(CaseRow.id).in_(case_ids))))
    told = select(col(ExceptionRow.fact_id), col(ExceptionRow.suggestion)).where(
        col(ExceptionRow.fact_id).in_([one.fact_id for one in waiting]), col(ExceptionRow.suggestion).is_not(None)
    )
    suggested = {fact_id for fact_id, text in session.exec(told) if orders & set(json.loads(text or "{}")["orders"])}
    return [Stray(one.amount_minor, one.nameless, one.fact_id in suggested) for one in waiting]
