"""A core enterprise invites its suppliers, and what they see when they open the link."""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from scf.api import inviting, messenger
from scf.api.access import Caller, current, let_in
from scf.kernel.dates import day_of
from scf.kernel.identifiers import secret_digest
from scf.kernel.problems import Problem
from scf.parties.onboarding import Application
from scf.parties.service import Role
from scf.web.doors import PagesDoor, Signed
from scf.web.pages import Pages, go
from scf.web.svg.qr import qr_of
from scf.web.views_join import FIELDS, body_of

router = APIRouter()
_COOKIE, _LINK_SECONDS = "scf_supplier", 3600


@router.get("/suppliers")
def suppliers(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """The firm's invitations to suppliers, and a new one."""
    caller.require(Role.OBLIGOR)
    with pages.app.reading() as session:
        found = pages.app.supplier_invitations.of(session, caller.addresses)
        rows = [inviting.shape(pages.app, session, row) for row in found]
    secret = request.cookies.get(_COOKIE, "")
    is_open = any(
        hmac.compare_digest(secret_digest(secret), row.digest) and pages.app.supplier_invitations.stage(row) == "open"
        for row in found
    )
    link = f"{pages.origin(request)}/welcome/{secret}" if is_open else None
    words = f"{caller.name}: {link}" if link else ""
    return pages.render(
        request,
        "suppliers.html",
        caller,
        rows=rows,
        link=link,
        qr=qr_of(link) if link else None,
        mail=f"mailto:?subject={quote(pages.gettext(request, 'Join as a supplier'))}&body={quote(words)}",
        sms=f"sms:?&body={quote(words)}",
    )


@router.post("/suppliers")
def invited(request: Request, pages: PagesDoor, caller: Signed, to_name: Annotated[str, Form()] = "") -> Response:
    """Make a link; it travels in a cookie of that page alone, and is kept nowhere else."""
    _, secret = inviting.invite(pages.app, caller, to_name)
    answer = go("/suppliers", done="invite")
    answer.set_cookie(
        _COOKIE,
        secret,
        max_age=_LINK_SECONDS,
        path="/suppliers",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/suppliers/{invitation_id}/withdraw")
def withdraw(pages: PagesDoor, caller: Signed, invitation_id: str) -> Response:
    """Take an open invitation back."""
    with pages.app.desk.session() as session:
        pages.app.supplier_invitations.withdraw(session, invitation_id, caller.addresses)
    return go("/suppliers", done="supplier_uninvited")


@router.get("/welcome/{secret}")
def look(request: Request, pages: PagesDoor, secret: str) -> Response:
    """Who invites, and the three questions; or where the joining stands. Looking changes nothing."""
    return _page(request, pages, secret, current(pages.app, pages.sessions, request))


@router.post("/welcome/{secret}")
def join(
    request: Request,
    pages: PagesDoor,
    secret: str,
    uscc: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    contact: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
) -> Response:
    """Join with three answers."""
    pages.admit(request, "join")
    given = {"uscc": uscc.strip(), "name": name.strip(), "contact": contact.strip(), "address": address.strip()}
    try:
        came = inviting.join(pages.app, secret, body_of(given), language=pages.language(request))
    except Problem as problem:
        return _page(request, pages, secret, current(pages.app, pages.sessions, request), given, problem)
    if came.state != "enrolled":
        return go(f"/welcome/{secret}")
    response = go("/", done="supplier_joined")
    let_in(pages.app, pages.sessions, request, response, came.address, method="join", person_id=came.person_id)
    return response


def _page(
    request: Request,
    pages: Pages,
    secret: str,
    caller: Caller | None,
    given: dict[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    app = pages.app
    try:
        with app.reading() as session:
            row = app.supplier_invitations.find(session, secret)
            inviter = app.parties.name_of(session, row.inviter)
            application = session.get(Application, row.application_id) if row.application_id else None
            firm = app.parties.name_of(session, row.joined_as) if row.joined_as else None
    except Problem as unknown:
        return pages.render(request, "join_over.html", caller, status=unknown.status, refusal=unknown)
    stage = app.supplier_invitations.stage(row)
    return pages.render(
        request,
        "welcome.html",
        caller,
        status=problem.status if problem else 410 if stage == "expired" else 200,
        secret=secret,
        stage=stage,
        inviter=inviter,
        until=day_of(row.expires_at).isoformat(),
        firm=firm,
        application=application,
        reached=messenger.reaches(application.contact) if application else False,
        turn=app.onboarding.turn(application) if application else None,
        given=given or {},
        field=FIELDS.get(problem.code) if problem else None,
        refusal=problem,
    )
