"""The door of the room: take facts, ask what agrees, and work the queue of exceptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.kernel.clock import Clock, today
from scf.kernel.problems import Problem
from scf.reconciliation import undoing
from scf.reconciliation.exceptions import explain
from scf.reconciliation.facts import Fact, Kind, day_number, from_json, normalise
from scf.reconciliation.intake import Intake, Taken
from scf.reconciliation.keyless import NAMED_GRACE_DAYS, Waiting
from scf.reconciliation.models import Allocation, CaseRow, ExceptionRow, FactRow, VerdictRow, WaitingPayment
from scf.reconciliation.rule import Terms
from scf.reconciliation.undoing import orders_of, standing
from scf.reconciliation.undone import Known
from scf.store.evidence import EvidenceBytes

BATCH = 2_000
"""Facts read and written at once; a larger batch is not faster and holds the database longer."""
DECISIONS = ("accept", "reject", "correct", "refer")
Cursor = tuple[int, int]

__all__ = [
    "DECISIONS",
    "ExceptionView",
    "Known",
    "Match",
    "Page",
    "Step",
    "Taken",
    "allocate",
    "assign",
    "case_of",
    "counts",
    "decide",
    "exception",
    "exceptions",
    "matches",
    "orders_of",
    "standing",
    "sweep",
    "take",
    "timeline",
    "waiting_payments",
    "withdraw",
]


def take(
    session: Session,
    facts: Sequence[Fact],
    *,
    clock: Clock,
    terms: Terms | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Taken:
    """Join facts with what is there, in the caller's transaction. The same facts again change nothing.

    `told` hears after each batch how many are joined, of how many. Raises Problem `fact_unusable`, and then the caller
    must not commit.
    """
    at = terms_of(clock, terms)
    done: list[Taken] = []
    for start in range(0, len(facts), BATCH):
        done.append(Intake(session, at, clock.now()).take(facts[start : start + BATCH]))
        if told is not None:
            told(min(start + BATCH, len(facts)), len(facts))
    return Taken(
        sum(t.new for t in done),
        sum(t.known for t in done),
        sum(t.unplaced for t in done),
        tuple(dict.fromkeys(case_id for t in done for case_id in t.cases)),
        sum(t.opened for t in done),
        sum(t.resolved for t in done),
    )


def withdraw(
    session: Session, digests: Collection[str], *, since: int, clock: Clock, terms: Terms | None = None
) -> Taken:
    """Take back the facts said under these digests, as if they had not come; what they replaced stands again.

    `since` is when they came (unix seconds). The rows of what was said stay. In the caller's transaction. Raises
    Problem `undo_after_allocation`, `undo_after_decision` or `undo_after_change` when something rests on them, and then
    the caller must not commit.
    """
    return undoing.withdraw(session, digests, since=since, clock=clock, terms=terms_of(clock, terms))


def sweep(session: Session, *, clock: Clock, terms: Terms | None = None, limit: int = BATCH) -> Taken:
    """Once a day: judge again the cases that time alone may have changed; what was expected may be late by now.

    Payments that have waited long enough for the document they name are matched like those that name none.
    """
    at = terms_of(clock, terms)
    due = select(col(CaseRow.id)).where(col(CaseRow.review_day) <= at.as_of_day).order_by(col(CaseRow.id)).limit(limit)
    ripe = at.as_of_day - NAMED_GRACE_DAYS
    late = select(WaitingPayment).where(col(WaitingPayment.day) <= ripe).order_by(col(WaitingPayment.fact_id).desc())
    rows = session.exec(late.limit(limit)).all()
    waiting = [Waiting(**row.model_dump()) for row in rows]
    return Intake(session, at, clock.now()).review(session.exec(due).all(), waiting)


def allocate(
    session: Session,
    fact_id: int,
    shares: Sequence[tuple[str, int]],
    *,
    by: str,
    clock: Clock,
    terms: Terms | None = None,
) -> Taken:
    """Give a waiting payment to orders by hand: (order reference, amount in minor units) each.

    The shares must add up to the payment. Raises Problem `allocation_refused` or `order_unknown`.
    """
    waiting = session.get(WaitingPayment, fact_id)
    if waiting is None:
        raise Problem("allocation_refused", reason=f"payment {fact_id} is not waiting / 该付款不在待分配状态")
    total = sum(amount for _, amount in shares)
    if total != waiting.amount_minor or any(amount <= 0 for _, amount in shares):
        raise Problem("allocation_refused", reason=f"{total} ≠ {waiting.amount_minor}")
    cases = [(case_of(session, reference).id, amount) for reference, amount in shares]
    if len({case_id for case_id, _ in cases}) != len(cases):
        raise Problem("allocation_refused", reason="one order twice / 同一订单重复")
    return Intake(session, terms_of(clock, terms), clock.now()).allocate(fact_id, cases, f"by {by}"[:32])


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


# exceptions


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
    after: Cursor | None = None,
    limit: int = 50,
) -> Page:
    """The queue, the most urgent first, in pages by key: `after` is the `next` of the page before."""
    row = ExceptionRow
    query = select(row).order_by(col(row.deadline_day), col(row.id)).limit(limit + 1)
    for column, value in ((row.state, state), (row.code, code), (row.owner, owner), (row.severity, severity)):
        if value is not None:
            query = query.where(col(column) == value)
    if order_reference is not None:
        query = query.where(col(row.case_id) == case_of(session, order_reference).id)
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


def assign(session: Session, exception_id: int, *, owner: str, deadline_day: int | None = None) -> ExceptionView:
    """Hand an open exception to somebody. Raises Problem `exception_not_found` or `exception_closed`."""
    row = _open_exception(session, exception_id)
    row.owner = owner
    row.deadline_day = row.deadline_day if deadline_day is None else deadline_day
    session.add(row)
    return _view(row)


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

    Raises Problem `exception_not_found`, `exception_closed`, `exception_needs_reason` or `exception_evidence_unknown`.
    """
    row = _open_exception(session, exception_id)
    if decision not in DECISIONS or not reason.strip():
        raise Problem("exception_needs_reason", allowed=", ".join(DECISIONS))
    if evidence_id is not None and session.get(EvidenceBytes, evidence_id) is None:
        raise Problem("exception_evidence_unknown", evidence=evidence_id[:64])
    row.state, row.decision, row.decision_reason = "decided", decision, reason.strip()[:600]
    row.decision_evidence, row.decided_by, row.closed_at = evidence_id, by, clock.now()
    session.add(row)
    return _view(row)


def _open_exception(session: Session, exception_id: int) -> ExceptionRow:
    row = session.get(ExceptionRow, exception_id)
    if row is None:
        raise Problem("exception_not_found", id=exception_id)
    if row.state != "open":
        raise Problem("exception_closed", id=exception_id, state=row.state)
    return row


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


# matches


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an order, in the goods lane or the money lane of its picture."""

    day: int
    lane: Literal["contract", "goods", "money"]
    kind: str
    reference: str | None
    source: str
    trust: int
    evidence_id: str
    quantity_milli: int | None
    amount_minor: int | None
    currency: str | None
    method: str
    confidence: int
    fact_id: int


@dataclass(frozen=True, slots=True)
class Match:
    """What the rule said of an order at one moment; `superseded` when a later fact changed it."""

    verdict_id: int
    supersedes: int | None
    superseded: bool
    rule_id: str
    rule_version: int
    reason: str
    confidence: int
    evidence_ids: tuple[str, ...]
    judged_at: int


_LANES: dict[Kind, Literal["contract", "goods", "money"]] = {
    Kind.ORDER: "contract",
    Kind.DESPATCH: "goods",
    Kind.DELIVERY: "goods",
    Kind.INSPECTION: "goods",
}


def timeline(session: Session, order_reference: str) -> list[Step]:
    """Everything that belongs to an order, oldest first: goods against money. Raises Problem `order_unknown`."""
    return [step(fact, row, allocation) for fact, row, allocation in belonging(session, order_reference)]


def matches(session: Session, order_reference: str) -> list[Match]:
    """Every verdict on an order, the current one last. Raises Problem `order_unknown`."""
    case = case_of(session, order_reference)
    query = select(VerdictRow).where(col(VerdictRow.case_id) == case.id).order_by(col(VerdictRow.id))
    verdicts = session.exec(query).all()
    ids = {fact_id for verdict in verdicts for fact_id in json.loads(verdict.fact_ids)}
    rows = session.exec(select(col(FactRow.id), col(FactRow.evidence_id)).where(col(FactRow.id).in_(ids))).all()
    evidence = dict(rows)
    return [
        Match(
            v.id,
            v.supersedes,
            v.id != case.verdict_id,
            v.rule_id,
            v.rule_version,
            v.reason,
            v.confidence,
            tuple(dict.fromkeys(evidence[i] for i in json.loads(v.fact_ids))),
            v.judged_at,
        )
        for v in verdicts
    ]


def waiting_payments(session: Session, *, limit: int = 100) -> list[tuple[int, Fact]]:
    """Payments that belong to no order yet, oldest first."""
    query = (
        select(FactRow)
        .join(WaitingPayment, col(WaitingPayment.fact_id) == col(FactRow.id))
        .order_by(col(FactRow.id))
        .limit(limit)
    )
    return [(row.id, from_json(row.content)) for row in session.exec(query)]


def belonging(session: Session, order_reference: str) -> list[tuple[Fact, FactRow, Allocation]]:
    """Facts that belong to an order with their rows and allocations, oldest first. Raises Problem `order_unknown`."""
    case = case_of(session, order_reference)
    query = (
        select(FactRow, Allocation)
        .join(Allocation, col(Allocation.fact_id) == col(FactRow.id))
        .where(col(Allocation.case_id) == case.id, col(Allocation.ended_by).is_(None))
    )
    found = [(from_json(row.content), row, allocation) for row, allocation in session.exec(query)]
    return sorted(found, key=lambda item: (item[0].day, item[1].id))


def step(fact: Fact, row: FactRow, allocation: Allocation) -> Step:
    """A fact as a step of the order's picture."""
    return Step(
        fact.day,
        _LANES.get(fact.kind, "money"),
        fact.kind.value,
        fact.reference or fact.end_to_end_id or fact.key,
        row.source,
        row.trust,
        row.evidence_id,
        fact.quantity_milli,
        allocation.amount_minor,
        fact.currency,
        allocation.method,
        allocation.confidence,
        row.id,
    )


def terms_of(clock: Clock, terms: Terms | None) -> Terms:
    """The terms as of the clock's day."""
    day = day_number(today(clock))
    return Terms(as_of_day=day) if terms is None else replace(terms, as_of_day=day)
