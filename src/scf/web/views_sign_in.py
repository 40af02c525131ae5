"""Signing in and out, and the language of the pages."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from scf.api.access import caller_at, current, let_in, same_origin, token_address
from scf.api.language import COOKIE, known
from scf.api.routes_records import roles_of
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor
from scf.web.pages import Pages, own_path
from scf.web.views_oidc import Provider

router = APIRouter()
_LANGUAGE_SECONDS = 365 * 86_400
_NOT_KEPT = ("code", "token", "prove")


@router.get("/sign-in")
def sign_in(request: Request, pages: PagesDoor, next: str = "/") -> Response:
    """Choose a demo identity, or give a token."""
    with pages.app.reading() as session:
        parties = pages.app.parties
        rows = [*parties.participants(session), *parties.people(session)] if pages.app.settings.demo else []
        rows.sort(key=lambda row: row.organisation_id)
    firms = [
        {
            "name": name,
            "seats": [{"address": row.address, "duty": row.duty, "roles": roles_of(row.roles)} for row in seats],
        }
        for (_, name), seats in groupby(rows, key=lambda row: (row.organisation_id, row.name))
    ]
    caller = current(pages.app, pages.sessions, request)
    return pages.render(request, "sign_in.html", caller, firms=firms, next=own_path(next), oidc=Provider.configured())


@router.post("/sign-in")
def enter(
    request: Request,
    pages: PagesDoor,
    address: Annotated[str, Form()] = "",
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Act as a demo identity (demo installations only), or as whom an API token names."""
    same_origin(request)
    if token:
        pages.admit(request, "enter")
    with pages.app.reading() as session:
        if token:
            address = token_address(pages.app, session, token.strip())
        elif not pages.app.settings.demo:
            raise Problem("demo_only")
        caller = caller_at(pages.app, session, address)
    response = RedirectResponse(own_path(next), status_code=303)
    method = "token" if token else "demo"
    let_in(pages.app, pages.sessions, request, response, caller.address, method=method)
    return response


async def keep_typed(request: Request) -> Response:
    """What was sent without a session, kept on a page: sign in in another tab, and send it again from there.

    Files cannot be kept; codes and tokens are not.
    """
    pages: Pages = request.app.state.pages
    typed = [(name, value) for name, value in (await request.form()).multi_items() if name not in _NOT_KEPT]
    return pages.render(
        request,
        "signed_out.html",
        None,
        status=401,
        typed=[(name, value) for name, value in typed if isinstance(value, str)],
        files=any(not isinstance(value, str) and value.filename for _, value in typed),
        action=request.url.path,
    )


@router.get("/language")
def language(to: str, back: str = "/") -> Response:
    """Remember a language and go back."""
    response = RedirectResponse(own_path(back), status_code=303)
    response.set_cookie(COOKIE, known(to) or "zh-CN", max_age=_LANGUAGE_SECONDS, samesite="lax")
    return response
