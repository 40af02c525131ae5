"""The queue of exceptions and one case: the oldest unresolved and what it costs, taken, looked at, decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, UploadFile
from sqlmodel import Session
from starlette.responses import Response

from scf.api import exceptions
from scf.api.access import Caller
from scf.api.shapes import amount
from scf.kernel.clock import today
from scf.kernel.dates import day_of
from scf.kernel.money import format_plain
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.reconciliation import service as reconciliation
from scf.reconciliation.facts import date_of, day_number
from scf.reconciliation.models import CaseRow, ExceptionRow
from scf.reconciliation.service import ExceptionView
from scf.web import words
from scf.web.doors import PagesDoor, Signed
from scf.web.lanes import KINDS, lanes_of, said
from scf.web.pages import Pages, go
from scf.web.tables import csv_answer

router = APIRouter()
_PAGE = 2_000


@router.get("/exceptions")
def queue(
    request: Request, pages: PagesDoor, caller: Signed, cursor: str | None = None, code: str = "", which: str = ""
) -> Response:
    """Facts that contradict or miss each other: the oldest unresolved first of all, then by deadline.

    `which` is `mine`, `overdue` or `decided`; otherwise all that are open.
    """
    now = day_number(today(pages.app.clock))
    with pages.app.reading() as session:
        visible = exceptions.visible(session, caller)
        asked: dict[str, Any] = {
            "code": code or None,
            "owner": exceptions.desk_name(caller) if which == "mine" else None,
            "before_day": now if which == "overdue" else None,
            "state": "decided" if which == "decided" else "open",
        }
        page = reconciliation.exceptions(session, after=exceptions.read_cursor(cursor), references=visible, **asked)
        rows = page.rows
        counts = reconciliation.counts(session) if caller.sees_all else {}
        late = reconciliation.overdue(session, on_day=now) if caller.sees_all else 0
        oldest = _oldest(session, visible)
        cost = _cost(session, oldest) if oldest else None
        costs = {row.id: _cost(session, row) for row in rows}
    return pages.render(
        request,
        "exceptions.html",
        caller,
        items=[_item(row, costs[row.id], now) for row in rows],
        oldest=_item(oldest, cost, now) if oldest else None,
        more=exceptions.cursor_text(page.next),
        counts=counts,
        kind=code,
        which=which if which in ("mine", "overdue", "decided") else "",
        overdue=late,
        mine=exceptions.desk_name(caller),
        may_take=caller.has(Role.OPERATOR),
    )


@router.get("/exceptions.csv")
def queue_csv(pages: PagesDoor, caller: Signed) -> Response:
    """The open exceptions as a table."""
    with pages.app.reading() as session:
        visible = exceptions.visible(session, caller)
        page = reconciliation.exceptions(session, limit=_PAGE, references=visible)
        rows = list(page.rows)
        while page.next is not None:
            page = reconciliation.exceptions(session, limit=_PAGE, after=page.next, references=visible)
            rows += page.rows
        cells = [
            (
                row.id,
                row.code,
                row.severity,
                row.reference,
                row.sentence_en,
                row.sentence_zh,
                row.owner,
                date_of(row.deadline_day),
                (_cost(session, row) or {}).get("text", ""),
                row.currency or "",
            )
            for row in rows
        ]
    header = ("id", "kind", "severity", "reference", "en", "zh-CN", "owner", "decide_by", "at_stake", "currency")
    return csv_answer("exceptions", header, cells)


@router.get("/cases/{exception_id}")
def case(request: Request, pages: PagesDoor, caller: Signed, exception_id: int) -> Response:
    """One case: what disagrees, on three lanes with the break marked, and the way to decide it."""
    return _case_page(request, pages, caller, exception_id, None)


@router.post("/exceptions/{exception_id}/take")
def take(pages: PagesDoor, caller: Signed, exception_id: int) -> Response:
    """Make an open exception one's own."""
    exceptions.require_desk(caller)
    with pages.app.desk.session() as session:
        reconciliation.assign(session, exception_id, owner=exceptions.desk_name(caller))
    return go(f"/cases/{exception_id}", done="taken")


@router.post("/exceptions/{exception_id}")
def decide(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    exception_id: int,
    decision: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    evidence: Annotated[str, Form()] = "",
    file: UploadFile | None = None,
) -> Response:
    """Decide an exception, once, with a reason and, where there is one, the document it rests on or a file with it."""
    exceptions.require_desk(caller)
    written = {"decision": decision, "reason": reason}
    try:
        with pages.app.desk.session() as session:
            if file is not None and file.filename:
                evidence = exceptions.file_evidence(session, caller, file.file, file.filename, pages.app.clock)
            done = reconciliation.decide(
                session,
                exception_id,
                decision=decision,
                reason=reason,
                by=exceptions.desk_name(caller),
                clock=pages.app.clock,
                evidence_id=evidence or None,
            )
    except Problem as problem:
        if problem.code == "exception_not_found":
            raise
        return _case_page(request, pages, caller, exception_id, problem, written)
    return go(f"/cases/{done.id}", done="decide")


# Inside ---------------------------------------------------------------------------------------------------------------


def _oldest(session: Session, visible: set[str] | None) -> ExceptionView | None:
    """The open exception that has waited longest, among those that stop money first."""
    for severity in ("stop", "act", "watch"):
        found = reconciliation.exceptions(session, severity=severity, limit=200, references=visible).rows
        if found:
            return min(found, key=lambda row: (row.opened_at, row.id))
    return None


def _cost(session: Session, row: ExceptionView) -> dict[str, str] | None:
    """Money that waits on an exception: what is still to be paid on its order, else the payment that found no order."""
    stored = session.get(ExceptionRow, row.id)
    found = session.get(CaseRow, stored.case_id) if stored and stored.case_id is not None else None
    if found is not None and found.currency and (found.open_minor or found.payable_minor):
        minor = found.open_minor if found.open_minor is not None and found.open_minor > 0 else found.payable_minor
        return amount(abs(minor or 0), found.currency)
    return None


def _item(row: ExceptionView, cost: dict[str, str] | None, now: int) -> dict[str, Any]:
    return {
        **exceptions.shape(row),
        "cost": cost,
        "since": day_of(row.opened_at),
        "waited": max(0, now - day_number(day_of(row.opened_at))),
        "late": max(0, now - row.deadline_day),
    }


def _case_page(
    request: Request,
    pages: Pages,
    caller: Caller,
    exception_id: int,
    problem: Problem | None,
    written: Mapping[str, str] | None = None,
) -> Response:
    app, language = pages.app, pages.language(request)
    with app.reading() as session:
        row = exceptions.seen(session, caller, exception_id)
        steps: Sequence[Any] = ()
        others: Sequence[ExceptionView] = (row,)
        stored = session.get(ExceptionRow, exception_id)
        if stored and stored.case_id is not None:
            steps = reconciliation.timeline(session, row.reference)
            others = reconciliation.exceptions(session, state=None, order_reference=row.reference).rows
        cost = _cost(session, row)
    papers = list({step.evidence_id: step for step in steps}.values())
    return pages.render(
        request,
        "case.html",
        caller,
        status=problem.status if problem else 200,
        item=_item(row, cost, day_number(today(app.clock))),
        decided=row if row.state == "decided" else None,
        steps=steps,
        papers=papers,
        # Only this break is marked: it is the one that is being decided.
        picture=lanes_of(steps, [row] if row.state == "open" else [], language, beside=others) if steps else "",
        others=[exceptions.shape(one) for one in others if one.id != exception_id and one.state == "open"],
        decisions=reconciliation.DECISIONS,
        mine=row.owner == exceptions.desk_name(caller),
        may_decide=caller.has(Role.OPERATOR),
        day_of=lambda day: date_of(day).isoformat(),
        said=said,
        kinds=KINDS,
        plain=format_plain,
        decision_words=words.DECISIONS,
        problem=problem,
        written=written or {"decision": "", "reason": ""},
    )
