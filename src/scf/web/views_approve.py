"""What waits for a second person of a firm: acts beside their papers, and changes of the firm's own terms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import approving, confirming
from scf.api.access import Caller
from scf.api.shapes import amount
from scf.app import App
from scf.kernel.problems import Problem
from scf.ledger.intents import digest
from scf.parties.approvals import PendingAct
from scf.parties.models import Seat
from scf.parties.service import Role
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go
from scf.web.two_people import check_reading, is_person, seconds_to_read, signatures_of
from scf.web.views_core import limits_of, totals_of
from scf.web.views_prove import prove_box, prove_by_form

router = APIRouter()
_CONFIRM_SECONDS = 12 * 3600
CHECKER_CLAUSES = (
    N_("I compared each amount with its invoice, its delivery and what is free of the limit."),
    N_("With my signature the firm promises to pay these amounts on the days shown; this cannot be undone alone."),
)


@router.get("/to-approve")
def to_approve(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What makers of the firm proposed, beside the papers as they stand now."""
    return _to_approve_page(request, pages, caller, None)


@router.post("/to-approve")
async def approved(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Sign as checker and send, or send back with a reason."""
    form = await request.form()
    return await run_in_threadpool(_approved, request, pages, caller, form)


def _approved(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    app = pages.app
    ids = list(dict.fromkeys(str(value) for value in form.getlist("pick")))
    back, refused = form.get("decision") == "send_back", []
    try:
        if not ids:
            raise Problem("nothing_chosen")
        with app.reading() as session:
            waiting = {row.id: row for row in _waiting(app, session, caller)}
        rows = [waiting[one] for one in ids if one in waiting]
        if len(rows) != len(ids):
            raise Problem("nothing_chosen")
        if back:
            _send_back(pages, request, caller, ids, str(form.get("reason") or ""))
            return go("/to-approve", done="sent_back")
        sent = prove_by_form(request, pages, caller, form)
        if sent:
            return _to_approve_page(request, pages, caller, None, sent_to=sent)
        content = pages.sessions.open(str(form.get("shown") or ""), seconds=_CONFIRM_SECONDS) or {"at": 2**62}
        check_reading(request, content, form, [pages.gettext(request, text) for text in CHECKER_CLAUSES])
        digests = [digest(app.contracts, row.contract, row.primary_type, json.loads(row.message)) for row in rows]
        signatures = signatures_of(app, caller, digests, form)
    except Problem as problem:
        return _to_approve_page(request, pages, caller, problem)
    for row, signature in zip(rows, signatures, strict=True):
        try:
            approving.approve(app, caller, row.id, signature, "")
        except Problem as problem:
            refused.append((row, problem))
            if problem.code in ("same_person", "delegation_missing", "not_of_firm"):
                break
    if refused:
        return _to_approve_page(request, pages, caller, refused[0][1], done=len(rows) - len(refused), refused=refused)
    return go("/to-approve", done="approved")


@router.post("/to-approve/change")
def change_decided(
    request: Request,
    pages: PagesDoor,
    caller: Fresh,
    change: Annotated[str, Form()],
    decision: Annotated[str, Form()],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Agree to a change of the firm's own terms as second person, or send it back with a reason."""
    app = pages.app
    try:
        with app.desk.session() as session:
            if decision == "approve":
                app.changes.approve(session, change, caller.address)
            else:
                app.changes.send_back(session, change, caller.address, reason)
    except Problem as problem:
        return _to_approve_page(request, pages, caller, problem)
    return go("/to-approve", done="change_agreed" if decision == "approve" else "sent_back")


def _waiting(app: App, session: Session, caller: Caller) -> list[PendingAct]:
    """Signed acts of the caller's firm that wait for a second person, oldest first."""
    rows = app.approvals.of_firm(session, caller.organisation_id, waiting=True, limit=500)
    return sorted(rows, key=lambda row: (row.made_at, row.id))


def _send_back(pages: Pages, request: Request, caller: Caller, ids: Sequence[str], reason: str) -> None:
    if not reason.strip():
        raise Problem("form_field_missing", field=pages.gettext(request, N_("Why it goes back")))
    with pages.app.desk.session() as session:
        for one in ids:
            pages.app.approvals.reject(session, one, caller.address, reason.strip()[:600])


# Inside ---------------------------------------------------------------------------------------------------------------


def _to_approve_page(
    request: Request,
    pages: Pages,
    caller: Caller,
    problem: Problem | None,
    *,
    done: int = 0,
    refused: Sequence[tuple[PendingAct, Problem]] = (),
    sent_to: str | None = None,
) -> Response:
    app, clauses = pages.app, [pages.gettext(request, text) for text in CHECKER_CLAUSES]
    with app.reading() as session:
        obligor = app.parties.account_of(session, caller.organisation_id, Role.OBLIGOR)
        rows = confirming.checked(app, session, _waiting(app, session, caller), obligor or "")
        limits = limits_of(app, session, obligor) if obligor else []
        changes = list(app.changes.of_firm(session, caller.organisation_id, waiting=True))
        made = {
            who: _duty(app, session, who) for who in {row.act.maker for row in rows} | {one.maker for one in changes}
        }
    now = app.clock.now()
    return pages.render(
        request,
        "to_approve.html",
        caller,
        status=problem.status if problem else 200,
        rows=[
            {
                "act": row.act,
                "paper": row.paper,
                "amount": amount(row.face_minor, row.act.currency),
                "invoice": amount(row.paper.invoiced_minor, row.act.currency) if row.paper else None,
                "difference": row.difference_minor,
                "differs": amount(abs(row.difference_minor or 0), row.act.currency),
                "maturity": row.maturity,
                "creditor": row.creditor,
                "notes": row.notes,
                "summary": {"en": row.act.summary_en, "zh-CN": row.act.summary_zh},
                "maker": made[row.act.maker],
                "mine": row.act.maker == caller.address,
                "hours": max(0, (now - row.act.made_at) // 3600),
            }
            for row in rows
        ],
        changes=[
            {
                "row": one,
                "summary": {"en": one.summary_en, "zh-CN": one.summary_zh},
                "mine": one.maker == caller.address,
                "maker": made[one.maker],
                "hours": max(0, (now - one.made_at) // 3600),
            }
            for one in changes
        ],
        mine=sum(row.act.maker == caller.address for row in rows),
        totals=totals_of((row.act.currency, row.face_minor) for row in rows),
        limits=limits,
        clauses=clauses,
        needed=seconds_to_read(request, clauses),
        shown=pages.sessions.seal({"caller": caller.address}),
        person=is_person(app, caller),
        prove=prove_box(request, pages, caller, sent_to),
        approved=done,
        refused=refused,
        problem=problem,
    )


def _duty(app: App, session: Session, address: str) -> str:
    seat = session.get(Seat, address)
    return seat.duty if seat else "account"
