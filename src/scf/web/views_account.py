"""The person behind a session: firms, passkeys, devices; switching firm; signing out everywhere."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from scf.api.access import SESSION_COOKIE, current, let_in, let_out, same_origin
from scf.identity.contacts import masked
from scf.identity.models import SignedIn
from scf.kernel.problems import Problem
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.pages import go, own_path

router = APIRouter()


@router.get("/account")
def account(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Who is signed in, for which firms, by which passkeys, on which devices."""
    people = pages.app.people
    with pages.app.reading() as session:
        person = people.person(session, caller.person_id) if caller.person_id else None
        passkeys = people.passkeys(session, person.id) if person else []
        here = session.get(SignedIn, caller.session_id) if caller.session_id else None
        devices = people.sessions(session, here, int(time.time())) if here else []
    return pages.render(
        request,
        "you.html",
        caller,
        person=person,
        contact=masked(person.contact) if person else "",
        passkeys=passkeys,
        devices=devices,
        this=here.id if here else "",
        rp=pages.passkey_site(request),
    )


@router.get("/key")
def key(request: Request, pages: PagesDoor) -> Response:
    """Make a signing key in this browser; for people who are to be enrolled, so nobody has to be signed in."""
    return pages.render(request, "key.html", current(pages.app, pages.sessions, request))


@router.post("/switch")
def switch(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    address: Annotated[str, Form()],
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Act for another firm of the same person, in a new session; the old one ends."""
    with pages.app.reading() as session:
        if caller.person_id is None or address not in pages.app.people.seats(session, caller.person_id):
            raise Problem("not_your_seat")
    let_out(pages.app, pages.sessions, request)
    response = RedirectResponse(own_path(back), status_code=303)
    let_in(
        pages.app,
        pages.sessions,
        request,
        response,
        address,
        method="switch",
        person_id=caller.person_id,
        proved_at=caller.proved_at,
    )
    return response


@router.post("/sign-out")
def leave(request: Request, pages: PagesDoor) -> Response:
    """Sign out here."""
    same_origin(request)
    return _out(request, pages, everywhere=False)


@router.post("/sign-out-everywhere")
def leave_everywhere(request: Request, pages: PagesDoor) -> Response:
    """Sign out on every device, this one included."""
    same_origin(request)
    return _out(request, pages, everywhere=True)


@router.post("/account/passkeys/remove")
def remove_passkey(pages: PagesDoor, caller: Fresh, credential: Annotated[str, Form()]) -> Response:
    """Forget a passkey of one's own."""
    try:
        credential_id = bytes.fromhex(credential)
    except ValueError as error:
        raise Problem("passkey_refused") from error
    with pages.app.desk.session() as session:
        pages.app.people.remove_passkey(session, caller.person_id or "", credential_id)
    return go("/account")


def _out(request: Request, pages: PagesDoor, *, everywhere: bool) -> Response:
    let_out(pages.app, pages.sessions, request, everywhere=everywhere)
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE)
    return response
