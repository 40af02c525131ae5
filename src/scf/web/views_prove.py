"""Prove again who you are, before something of weight is signed: in the form that signs, or on a page of its own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import proving
from scf.api.access import Caller
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor, Signed
from scf.web.pages import Pages, go, own_path

router = APIRouter()


@router.get("/prove")
def look(request: Request, pages: PagesDoor, caller: Signed, next: str = "/") -> Response:
    """The ways to prove it, and back to where one came from."""
    return _page(request, pages, caller, own_path(next))


@router.post("/prove")
def proved(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    next: Annotated[str, Form()] = "/",
    prove: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
) -> Response:
    """Send a code, or take one."""
    try:
        sent = prove_by_form(request, pages, caller, FormData({"prove": prove, "code": code}))
    except Problem as problem:
        return _page(request, pages, caller, own_path(next), problem=problem)
    return _page(request, pages, caller, own_path(next), sent_to=sent) if sent else go(own_path(next))


def prove_by_form(request: Request, pages: Pages, caller: Caller, form: FormData) -> str | None:
    """What a form that signs says about who sends it: None to go on, or to where a code was sent on its wish.

    Raises Problem `proof_needed`, `too_many_attempts`, and what sending or taking a code refuses.
    """
    app, code = pages.app, str(form.get("code") or "").strip()
    if proving.is_fresh(app, caller):
        return None
    if code:  # also when Enter pressed the first button, which sends another one
        pages.doorkeeper.admit("enter", caller.session_id or caller.address)
        proving.prove_by_code(app, caller, code)
        return None
    if form.get("prove") == "send":
        pages.doorkeeper.admit("link", caller.person_id or caller.address)
        return proving.send_code(app, caller, pages.language(request))
    proving.require_fresh(app, caller)
    return None


def prove_box(request: Request, pages: Pages, caller: Caller, sent_to: str | None = None) -> dict[str, Any] | None:
    """What `prove.html` shows in a form that signs; None where nothing has to be proved."""
    app = pages.app
    if proving.is_fresh(app, caller):
        return None
    with app.reading() as session:
        keys = app.people.passkeys(session, caller.person_id) if caller.person_id else []
    return {
        "passkey": bool(keys) and pages.passkey_site(request) is not None,
        "code_to": proving.code_goes_to(app, caller),
        "sent_to": sent_to,
        "person": caller.person_id is not None,
        "minutes": proving.FRESH_SECONDS // 60,
    }


def _page(
    request: Request,
    pages: Pages,
    caller: Caller,
    back: str,
    *,
    problem: Problem | None = None,
    sent_to: str | None = None,
) -> Response:
    return pages.render(
        request,
        "prove_page.html",
        caller,
        status=problem.status if problem else 200,
        prove=prove_box(request, pages, caller, sent_to),
        back=back,
        problem=problem,
    )
