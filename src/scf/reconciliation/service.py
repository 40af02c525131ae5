"""The door of the room: take facts, ask what agrees, and work the queue of exceptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlmodel import Session, col, select

from scf.kernel.clock import Clock, today
from scf.kernel.problems import Problem
from scf.reconciliation import undoing
from scf.reconciliation.cases import case_of
from scf.reconciliation.facts import Fact, Kind, day_number, from_json
from scf.reconciliation.intake import Intake, Taken
from scf.reconciliation.keyless import NAMED_GRACE_DAYS, Waiting
from scf.reconciliation.models import Allocation, CaseRow, FactRow, VerdictRow, WaitingPayment
from scf.reconciliation.rule import Terms
from scf.reconciliation.undoing import orders_of, standing
from scf.reconciliation.undone import Known
from scf.reconciliation.working import (
    DECISIONS,
    LONGEST_REASON,
    Cursor,
    ExceptionView,
    Page,
    assign,
    counts,
    decide,
    exception,
    exceptions,
    overdue,
)

BATCH = 2_000
"""Facts read and written at once; a larger batch is not faster and holds the database longer."""

__all__ = [
    "DECISIONS",
    "LONGEST_REASON",
    "Cursor",
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
    "overdue",
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
