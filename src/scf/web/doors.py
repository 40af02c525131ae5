"""What page routes are handed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from scf.api.access import Caller
from scf.api.proving import require_fresh
from scf.web.pages import Pages


def pages_of(request: Request) -> Pages:
    """The renderer of this server."""
    pages: Pages = request.app.state.pages
    return pages


def caller_of(request: Request) -> Caller:
    """Who is signed in. Raises SignInFirst."""
    return pages_of(request).caller(request)


def fresh_caller_of(request: Request) -> Caller:
    """Who is signed in and proved it lately. Raises SignInFirst or Problem `proof_needed`."""
    caller = caller_of(request)
    require_fresh(pages_of(request).app, caller)
    return caller


PagesDoor = Annotated[Pages, Depends(pages_of)]
Signed = Annotated[Caller, Depends(caller_of)]
Fresh = Annotated[Caller, Depends(fresh_caller_of)]
