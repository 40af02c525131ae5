"""What waits for a second person of a firm: acts beside their papers, and changes of the firm's own terms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

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
from scf.parties.approvals import PendingAct
from scf.parties.models import Seat
from scf.parties.service import Role
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go
from scf.web.reading import clauses_of, missing_boxes, seconds_to_read
from scf.web.signing import is_person, keep_signed_reading, sign_read
from scf.web.views_core import counted, limits_of, totals_of
from scf.web.views_prove import prove_box, prove_by_form
from scf.web.views_signing import opened, sign_page

router = APIRouter()
APPROVED = N_("You check %(count)s acceptances of together %(sum)s, as they stand on this page.")
_READING = "approve_batch"


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
    content: dict[str, Any] = {}
    try:
        if form.get("sealed"):
            content = opened(pages, caller, form["sealed"])
            ids = [str(one["id"]) for one in content["acts"]]
        if not ids:
            raise Problem("nothing_chosen")
        with app.reading() as session:
            waiting = {row.id: row for row in _waiting(app, session, caller)}
        rows = [waiting[one] for one in ids if one in waiting]
        if len(rows) != len(ids):
            raise Problem("nothing_chosen")
        if form.get("decision") == "send_back":
            _send_back(pages, request, caller, ids, str(form.get("reason") or ""))
            return go("/to-approve", done="sent_back")
        if not content:
            content = {**opened(pages, caller, form.get("shown")), "acts": [_kept(row) for row in rows]}
        sent = prove_by_form(request, pages, caller, form)
        if sent and "read" in content:
            return _ask_signatures(request, pages, caller, content, None, sent_to=sent)
        if sent:
            return _to_approve_page(request, pages, caller, None, form=form, sent_to=sent)
        made = sign_read(app, caller, content, form, speed=float(request.app.state.reading_speed))
        if made is None:
            return _ask_signatures(request, pages, caller, content, None)
        with app.desk.session() as session:
            keep_signed_reading(session, app, caller, content, made)
    except Problem as problem:
        if "read" in content and not app.settings.demo:
            return _ask_signatures(request, pages, caller, content, problem)
        return _to_approve_page(request, pages, caller, problem, form=form)
    refused = []
    for row, signature in zip(rows, made.acts, strict=True):
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
    form: FormData | None = None,
    sent_to: str | None = None,
) -> Response:
    app, language = pages.app, pages.language(request)
    clauses = clauses_of(_READING, language)
    with app.reading() as session:
        obligor = app.parties.account_of(session, caller.organisation_id, Role.OBLIGOR)
        rows = confirming.checked(app, session, _waiting(app, session, caller), obligor or "")
        limits = limits_of(app, session, obligor) if obligor else []
        changes = list(app.changes.of_firm(session, caller.organisation_id, waiting=True))
        made = {
            who: _duty(app, session, who) for who in {row.act.maker for row in rows} | {one.maker for one in changes}
        }
    now = app.clock.now()
    mine = sum(row.act.maker == caller.address for row in rows)
    to_check = [(row.act.currency, row.face_minor) for row in rows if row.act.maker != caller.address]
    content = {
        "caller": caller.address,
        "act": _READING,
        "language": language,
        "summary": counted(APPROVED, to_check),
    }
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
        mine=mine,
        totals=totals_of((row.act.currency, row.face_minor) for row in rows),
        limits=limits,
        clauses=clauses,
        ticked=missing_boxes(clauses, form),
        needed=seconds_to_read(content, float(request.app.state.reading_speed)),
        shown=pages.sessions.seal(content),
        person=is_person(app, caller),
        prove=prove_box(request, pages, caller, sent_to),
        approved=done,
        refused=refused,
        problem=problem,
    )


def _duty(app: App, session: Session, address: str) -> str:
    seat = session.get(Seat, address)
    return seat.duty if seat else "account"


def _kept(row: PendingAct) -> dict[str, Any]:
    """A proposed act as it travels in the sealed form its checker signs by."""
    return {
        "id": row.id,
        "contract": row.contract,
        "primary_type": row.primary_type,
        "message": json.loads(row.message),
        "digest": row.id.removeprefix("0x"),
        "minor": row.amount_minor,
        "currency": row.currency,
    }


def _ask_signatures(
    request: Request,
    pages: Pages,
    caller: Caller,
    content: dict[str, Any],
    problem: Problem | None,
    *,
    sent_to: str | None = None,
) -> Response:
    content["summary"] = counted(APPROVED, ((one["currency"], one["minor"]) for one in content["acts"]))
    return sign_page(
        request,
        pages,
        caller,
        content,
        problem,
        action="/to-approve",
        back="/to-approve",
        hidden={"decision": "approve"},
        sent_to=sent_to,
    )
