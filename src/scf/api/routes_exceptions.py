"""Routes of the exception queue: look through it, take or hand on, decide once with a reason and its evidence."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from scf.api import exceptions
from scf.api.doors import Scf, Who
from scf.api.paging import DEFAULT_LIMIT, Cursor, Limit
from scf.api.shapes import Shape
from scf.kernel.clock import today
from scf.reconciliation import service as reconciliation
from scf.reconciliation.facts import day_number

router = APIRouter(prefix="/exceptions", tags=["documents"])
State = Literal["open", "decided", "resolved", "all"]


class DecisionBody(Shape):
    """What is decided: `accept` as it is, `reject`, `correct` (a new document follows) or `refer` to others."""

    decision: Literal["accept", "reject", "correct", "refer"]
    reason: str = Field(min_length=1, max_length=reconciliation.LONGEST_REASON)
    evidence: str | None = Field(default=None, max_length=64, description="Id of a document in the evidence log")


class OwnerBody(Shape):
    """Who decides from now on, and by when; without a name the caller takes it."""

    owner: str | None = Field(default=None, min_length=1, max_length=80)
    decide_by: date | None = None


@router.get("")
def queue(
    app: Scf,
    caller: Who,
    state: State = "open",
    code: Annotated[str | None, Query(max_length=24, description="Only this kind, e.g. PRICE_DIFFERENCE")] = None,
    owner: Annotated[str | None, Query(max_length=80)] = None,
    severity: Annotated[Literal["stop", "act", "watch"] | None, Query()] = None,
    order: Annotated[str | None, Query(max_length=140, description="Only of this order")] = None,
    overdue: Annotated[bool, Query(description="Only what should have been decided by now")] = False,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """Facts that contradict or miss each other, the most urgent first, each with its sentence."""
    with app.reading() as session:
        items, more = exceptions.open_exceptions(
            session,
            caller,
            after=exceptions.read_cursor(cursor),
            limit=limit,
            state=None if state == "all" else state,
            code=code,
            owner=owner,
            severity=severity,
            order_reference=order,
            before_day=day_number(today(app.clock)) if overdue else None,
        )
    return {"items": items, "next": exceptions.cursor_text(more)}


@router.get("/{exception_id}")
def one(app: Scf, caller: Who, exception_id: int) -> dict[str, Any]:
    """One exception, in any state: what disagrees, who decides by when, and what was decided."""
    with app.reading() as session:
        return exceptions.shape(exceptions.seen(session, caller, exception_id))


@router.post("/{exception_id}/decision")
def decide(app: Scf, caller: Who, exception_id: int, body: DecisionBody) -> dict[str, Any]:
    """Decide an open exception, once; of two who decide at one moment the first is kept. No money moves by it."""
    exceptions.require_desk(caller)
    with app.desk.session() as session:
        exceptions.seen(session, caller, exception_id)
        row = reconciliation.decide(
            session,
            exception_id,
            decision=body.decision,
            reason=body.reason,
            by=exceptions.desk_name(caller),
            clock=app.clock,
            evidence_id=body.evidence,
        )
        return exceptions.shape(row)


@router.post("/{exception_id}/owner")
def hand_on(app: Scf, caller: Who, exception_id: int, body: OwnerBody) -> dict[str, Any]:
    """Take an open exception, or hand it to somebody, with another deadline where one is given."""
    exceptions.require_desk(caller)
    with app.desk.session() as session:
        exceptions.seen(session, caller, exception_id)
        row = reconciliation.assign(
            session,
            exception_id,
            owner=body.owner or exceptions.desk_name(caller),
            deadline_day=None if body.decide_by is None else day_number(body.decide_by),
        )
        return exceptions.shape(row)
