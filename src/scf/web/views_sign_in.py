"""Signing in and out, and the language of the pages."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from scf.api.access import SESSION_COOKIE, caller_at, current, same_origin, token_address
from scf.api.language import COOKIE, known
from scf.api.routes_other import set_session
from scf.api.routes_records import roles_of
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor

router = APIRouter()
_LANGUAGE_SECONDS = 365 * 86_400


def own_path(path: str | None) -> str:
    """A path of this server, never another site: `/` for anything else."""
    plain = path or "/"
    return plain if plain.startswith("/") and not plain.startswith(("//", "/\\")) else "/"


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
    return pages.render(request, "sign_in.html", caller, firms=firms, next=own_path(next))


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
    with pages.app.reading() as session:
        if token:
            address = token_address(pages.app, session, token.strip())
        elif not pages.app.settings.demo:
            raise Problem("demo_only")
        caller = caller_at(pages.app, session, address)
    response = RedirectResponse(own_path(next), status_code=303)
    set_session(response, pages.sessions, caller.address, secure=request.url.scheme == "https")
    return response


@router.post("/sign-out")
def leave(request: Request) -> Response:
    """Sign out."""
    same_origin(request)
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.get("/language")
def language(to: str, back: str = "/") -> Response:
    """Remember a language and go back."""
    response = RedirectResponse(own_path(back), status_code=303)
    response.set_cookie(COOKIE, known(to) or "zh-CN", max_age=_LANGUAGE_SECONDS, samesite="lax")
    return response
