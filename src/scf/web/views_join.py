"""Join by an invitation: what is offered comes first, three answers suffice, and every state has its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from scf.api import joining, messenger
from scf.api.access import Caller, current, let_in
from scf.api.joining import JoinBody, Joined
from scf.kernel.problems import Problem
from scf.parties.onboarding import Application
from scf.parties.service import Role
from scf.receivables.invitations import Stage
from scf.web.doors import PagesDoor
from scf.web.pages import Pages, go

router = APIRouter()
FIELDS = {
    "uscc_length": "uscc",
    "uscc_character": "uscc",
    "uscc_mistyped": "uscc",
    "invitation_to_self": "uscc",
    "firm_name_missing": "name",
    "contact_unreadable": "contact",
    "ledger_address_needed": "address",
    "address_taken": "address",
}
"""Which answer a refusal is about."""


@router.get("/join/{secret}")
def look(request: Request, pages: PagesDoor, secret: str) -> Response:
    """What is offered, and the three questions; or where the invitation stands. Looking changes nothing."""
    return _page(request, pages, secret, current(pages.app, pages.sessions, request))


@router.post("/join/{secret}")
def join(
    request: Request,
    pages: PagesDoor,
    secret: str,
    uscc: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    contact: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
) -> Response:
    """Join with three answers and go straight to the offer."""
    pages.admit(request, "join")
    caller = current(pages.app, pages.sessions, request)
    given = {"uscc": uscc.strip(), "name": name.strip(), "contact": contact.strip(), "address": address.strip()}
    try:
        joined = joining.join(pages.app, secret, body_of(given), language=pages.language(request))
    except Problem as problem:
        return _page(request, pages, secret, caller, given=given, problem=problem)
    if joined.state != "enrolled" or not pages.app.settings.demo:
        return go(f"/join/{secret}")
    response = _onwards(secret, joined)
    let_in(pages.app, pages.sessions, request, response, joined.address, method="join", person_id=joined.person_id)
    return response


@router.post("/join/{secret}/as-member")
def as_member(request: Request, pages: PagesDoor, secret: str) -> Response:
    """A firm that is signed in takes the offer to its own account."""
    pages.admit(request, "join")
    caller = pages.caller(request)
    try:
        joined = joining.join_as(pages.app, secret, caller)
    except Problem as problem:
        return _page(request, pages, secret, caller, problem=problem)
    return _onwards(secret, joined)


@router.post("/join/{secret}/remind")
def remind(request: Request, pages: PagesDoor, secret: str) -> Response:
    """Tell who sent an expired link, once a day, that a new one is wished for."""
    pages.admit(request, "join")
    joining.ask_again(pages.app, secret)
    return go(f"/join/{secret}", done="reminded")


def body_of(given: Mapping[str, str]) -> JoinBody:
    """The three answers of a form, cut to what may be said."""
    return JoinBody(**{field: text[:40] if field == "uscc" else text[:120] for field, text in given.items()})


def _onwards(secret: str, joined: Joined) -> Response:
    """To the offer; to the waiting page where its holder has to sign first."""
    if joined.note is None:
        return RedirectResponse(f"/join/{secret}", status_code=303)
    return go(f"/act/accept?note={joined.note}", done="joined")


def _page(
    request: Request,
    pages: Pages,
    secret: str,
    caller: Caller | None,
    *,
    given: dict[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    app = pages.app
    try:
        with app.reading() as session:
            row = app.invitations.find(session, secret)
            stage = app.invitations.stage(session, row)
            facts = app.invitations.facts(session, row)
            application = session.get(Application, row.application_id) if row.application_id else None
            passed = app.invitations.passed(session, row)
            firm = app.parties.name_of(session, row.joined_as) if row.joined_as else None
    except Problem as unknown:
        return pages.render(request, "join_over.html", caller, status=unknown.status, refusal=unknown)
    if passed is not None and caller is not None and passed.holder in caller.addresses:
        return RedirectResponse(f"/notes/{passed.id}", status_code=303)
    field = FIELDS.get(problem.code) if problem else None
    return pages.render(
        request,
        "join.html",
        caller,
        status=problem.status if problem else _status(stage),
        secret=secret,
        stage=str(stage),
        offer=facts,
        application=application,
        reached=messenger.reaches(application.contact) if application else False,
        turn=app.onboarding.turn(application) if application else None,
        firm=firm,
        mine=bool(caller and row.joined_as in caller.addresses),
        may_take=bool(caller and caller.has(Role.SUPPLIER) and row.inviter not in caller.addresses),
        given=given or {},
        field=field,
        refusal=problem,
    )


def _status(stage: Stage) -> int:
    return 410 if stage in (Stage.EXPIRED, Stage.WITHDRAWN) else 200
