"""What routes are handed: the installation, the caller, the sessions, the Idempotency-Key."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request

from scf.api.access import Caller, Sessions, current, same_origin
from scf.api.proving import require_fresh
from scf.app import App
from scf.kernel.problems import Problem


def installation(request: Request) -> App:
    """The installation this server serves."""
    app: App = request.app.state.scf
    return app


def sessions_of(request: Request) -> Sessions:
    """Maker and reader of session cookies."""
    sessions: Sessions = request.app.state.sessions
    return sessions


def maybe(request: Request) -> Caller | None:
    """Whoever calls, or None. Raises Problem `other_origin` or `token_not_valid`."""
    same_origin(request)
    return current(installation(request), sessions_of(request), request)


def signed_in(request: Request) -> Caller:
    """Whoever calls. Raises Problem `sign_in_needed`."""
    caller = maybe(request)
    if caller is None:
        raise Problem("sign_in_needed")
    return caller


def fresh(request: Request) -> Caller:
    """Whoever calls, having proved lately who they are. Raises Problem `proof_needed`, and as `signed_in`."""
    caller = signed_in(request)
    require_fresh(installation(request), caller)
    return caller


Scf = Annotated[App, Depends(installation)]
Who = Annotated[Caller, Depends(signed_in)]
Fresh = Annotated[Caller, Depends(fresh)]
Maybe = Annotated[Caller | None, Depends(maybe)]
SessionsDoor = Annotated[Sessions, Depends(sessions_of)]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="1 to 100 characters; the same request again has one effect"),
]
