"""The people of one's own firm: who acts for it, and what each may check, agreed on by two of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlmodel import Session, col, select
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.shapes import amount
from scf.app import App
from scf.kernel.clock import today
from scf.kernel.dates import day_of, next_day, to_unix
from scf.kernel.money import parse_minor
from scf.kernel.problems import Problem
from scf.parties.approvals import Delegation
from scf.parties.models import Seat
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go

router = APIRouter()
_DAYS = 365
"""For how long a right to check is proposed unless somebody says otherwise."""


@router.get("/people")
def people(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Who acts for the caller's firm, what each may check, and the form to change it."""
    return _page(request, pages, caller)


@router.post("/people")
def delegate(
    request: Request,
    pages: PagesDoor,
    caller: Fresh,
    person: Annotated[str, Form()] = "",
    act: Annotated[str, Form()] = "*",
    limit: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
) -> Response:
    """Ask that a colleague may check up to an amount; it holds once another person of the firm agreed."""
    app = pages.app
    try:
        if not limit.strip():
            raise Problem("form_field_missing", field=pages.gettext(request, N_("Up to which amount")))
        if person == caller.address:
            raise Problem("own_delegation", who=caller.name)
        body = {
            "person": person,
            "act": act,
            "limit_minor": parse_minor(limit, "CNY"),
            "currency": "CNY",
            "valid_until": to_unix(next_day(_day(pages, request, until))) - 1,
        }
        with app.desk.session() as session:
            app.changes.request(session, "delegate", body, caller.address)
    except Problem as problem:
        return _page(request, pages, caller, problem, {"person": person, "act": act, "limit": limit, "until": until})
    return go("/people", done="delegation_asked")


def _day(pages: Pages, request: Request, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Problem("form_field_missing", field=pages.gettext(request, N_("Until"))) from error


def _page(
    request: Request,
    pages: Pages,
    caller: Caller,
    problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    app = pages.app
    with app.reading() as session:
        rows = _rows(app, session, caller)
        waiting = len(app.changes.of_firm(session, caller.organisation_id, waiting=True))
        acts = sorted(app.two_people.amounts(session, caller.address))
    usual = (today(app.clock) + timedelta(days=_DAYS)).isoformat()
    return pages.render(
        request,
        "people.html",
        caller,
        status=problem.status if problem else 200,
        rows=rows,
        colleagues=[row for row in rows if row["duty"] != "account" and row["address"] != caller.address],
        waiting=waiting,
        acts=acts,
        typed=typed or {"person": "", "act": "*", "limit": "", "until": usual},
        problem=problem,
    )


def _rows(app: App, session: Session, caller: Caller) -> list[dict[str, Any]]:
    """Each seat of the firm with its people and what it may check now."""
    seats = session.exec(select(Seat).where(Seat.organisation_id == caller.organisation_id).order_by(col(Seat.duty)))
    found, now = [], app.clock.now()
    for seat in seats.all():
        given = session.exec(select(Delegation).where(Delegation.person == seat.address).order_by(col(Delegation.act)))
        found.append(
            {
                "address": seat.address,
                "duty": seat.duty,
                "names": [one.name for one in app.people.at(session, [seat.address])],
                "me": seat.address == caller.address,
                "may": [
                    {"act": one.act, "limit": amount(one.limit_minor, one.currency), "until": day_of(one.valid_until)}
                    for one in given
                    if one.valid_until > now
                ],
            }
        )
    return found
