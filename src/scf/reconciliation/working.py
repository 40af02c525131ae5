"""Working the queue of exceptions: looking, handing on, deciding once with a reason and its evidence."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.reconciliation.cases import case_of
from scf.reconciliation.exceptions import explain
from scf.reconciliation.models import ExceptionRow
from scf.store.evidence import EvidenceBytes

DECISIONS = ("accept", "reject", "correct", "refer")
LONGEST_REASON = 600
_LONGEST_OWNER = 80
Cursor = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ExceptionView:
    """One exception as people see it."""

    id: int
    code: str
    severity: str
    reference: str
    sentence_en: str
    sentence_zh: str
    field: str
    left: int
    right: int
    difference: int
    limit_milli: int
    currency: str | None
    owner: str
    deadline_day: int
    state: str
    opened_at: int
    fact_id: int | None
    suggestions: tuple[str, ...]
    decision: str | None
    decision_reason: str | None
    decision_evidence: str | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows and where to go on; `next` is None on the last page."""

    rows: tuple[ExceptionView, ...]
    next: Cursor | None


def exceptions(
    session: Session,
    *,
    state: str | None = "open",
    code: str | None = None,
    owner: str | None = None,
    severity: str | None = None,
    order_reference: str | None = None,
    references: Collection[str] | None = None,
    before_day: int | None = None,
    after: Cursor | None = None,
    limit: int = 50,
) -> Page:
    """The queue, the most urgent first, in pages by key: `after` is the `next` of the page before.

    `references` are the orders that may be seen (None for all), `before_day` asks for deadlines before that day.
    """
    row = ExceptionRow
    query = select(row).order_by(col(row.deadline_day), col(row.id)).limit(limit + 1)
    for column, value in ((row.state, state), (row.code, code), (row.owner, owner), (row.severity, severity)):
        if value is not None:
            query = query.where(col(column) == value)
    if order_reference is not None:
        query = query.where(col(row.case_id) == case_of(session, order_reference).id)
    if references is not None:
        query = query.where(col(row.reference).in_(references))
    if before_day is not None:
        query = query.where(col(row.deadline_day) < before_day)
    if after is not None:
        query = query.where(sa.tuple_(col(row.deadline_day), col(row.id)) > sa.tuple_(*after))
    found = session.exec(query).all()
    more = (found[limit - 1].deadline_day, found[limit - 1].id) if len(found) > limit else None
    return Page(tuple(_view(item) for item in found[:limit]), more)


def exception(session: Session, exception_id: int) -> ExceptionView:
    """One exception, whatever its state. Raises Problem `exception_not_found`."""
    row = session.get(ExceptionRow, exception_id)
    if row is None:
        raise Problem("exception_not_found", id=exception_id)
    return _view(row)


def counts(session: Session, *, state: str = "open") -> dict[str, int]:
    """How many exceptions of each kind."""
    row = ExceptionRow
    query = select(col(row.code), sa.func.count()).where(col(row.state) == state).group_by(col(row.code))
    return {code: int(number) for code, number in sorted(session.exec(query).all())}


def overdue(session: Session, *, on_day: int) -> int:
    """How many open exceptions should have been decided before this day."""
    row = ExceptionRow
    query = select(sa.func.count()).where(col(row.state) == "open", col(row.deadline_day) < on_day)
    return int(session.exec(query).one())


def assign(session: Session, exception_id: int, *, owner: str, deadline_day: int | None = None) -> ExceptionView:
    """Hand an open exception to somebody.

    Raises Problem `exception_not_found`, `exception_closed` or `exception_needs_owner`.
    """
    if not owner.strip() or len(owner) > _LONGEST_OWNER:
        raise Problem("exception_needs_owner", most=_LONGEST_OWNER)
    changed: dict[str, Any] = {"owner": owner.strip()}
    if deadline_day is not None:
        changed["deadline_day"] = deadline_day
    return _change_open(session, exception_id, changed)


def decide(
    session: Session,
    exception_id: int,
    *,
    decision: str,
    reason: str,
    by: str,
    clock: Clock,
    evidence_id: str | None = None,
) -> ExceptionView:
    """Decide an open exception, once, with a reason and, where there is one, its evidence.

    Of two people who decide at one moment the first is kept and the other is told. Raises Problem
    `exception_not_found`, `exception_closed`, `exception_needs_reason`, `exception_reason_too_long` or
    `exception_evidence_unknown`.
    """
    exception(session, exception_id)
    if decision not in DECISIONS or not reason.strip():
        raise Problem("exception_needs_reason", allowed=", ".join(DECISIONS))
    if len(reason.strip()) > LONGEST_REASON:
        raise Problem("exception_reason_too_long", length=len(reason.strip()), most=LONGEST_REASON)
    if evidence_id is not None and session.get(EvidenceBytes, evidence_id) is None:
        raise Problem("exception_evidence_unknown", evidence=evidence_id[:64])
    changed = {
        "state": "decided",
        "decision": decision,
        "decision_reason": reason.strip(),
        "decision_evidence": evidence_id,
        "decided_by": by[:_LONGEST_OWNER],
        "closed_at": clock.now(),
    }
    return _change_open(session, exception_id, changed)


def _change_open(session: Session, exception_id: int, changed: dict[str, Any]) -> ExceptionView:
    """Change an exception if it is open at this very moment, whoever else is at it."""
    row = ExceptionRow
    session.flush()
    update = sa.update(row).where(col(row.id) == exception_id, col(row.state) == "open").values(**changed)
    done = session.execute(update.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    session.expire_all()
    now = exception(session, exception_id)
    if done != 1:
        raise Problem("exception_closed", id=exception_id)
    return now


def _view(row: ExceptionRow) -> ExceptionView:
    said: dict[str, Any] = {
        "reference": row.reference,
        "currency": row.currency,
        "left_text": row.left_text,
        "right_text": row.right_text,
    }
    values = (row.code, row.field, row.left_value, row.right_value, row.limit_milli)
    return ExceptionView(
        id=row.id,
        code=row.code,
        severity=row.severity,
        reference=row.reference,
        sentence_en=explain(*values, **said, language="en"),
        sentence_zh=explain(*values, **said, language="zh-CN"),
        field=row.field,
        left=row.left_value,
        right=row.right_value,
        difference=row.left_value - row.right_value,
        limit_milli=row.limit_milli,
        currency=row.currency,
        owner=row.owner,
        deadline_day=row.deadline_day,
        state=row.state,
        opened_at=row.opened_at,
        fact_id=row.fact_id,
        suggestions=tuple(json.loads(row.suggestion)["orders"]) if row.suggestion else (),
        decision=row.decision,
        decision_reason=row.decision_reason,
        decision_evidence=row.decision_evidence,
        decided_by=row.decided_by,
    )
