"""The server: pages at `/`, the API at `/api/v1`, static files, and the headers that keep browsers strict."""

from __future__ import annotations

from functools import partial
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from scf.api.access import Sessions
from scf.api.application import DEMO_BANNER, create_api
from scf.api.headers import AddHeaders
from scf.api.limits import retry_after
from scf.api.problems import problem_of
from scf.app import App
from scf.kernel.problems import Problem
from scf.web import (
    views_account,
    views_acts,
    views_applications,
    views_desks,
    views_developers,
    views_enrol,
    views_finance,
    views_home,
    views_import,
    views_invite,
    views_join,
    views_links,
    views_live,
    views_month,
    views_notices,
    views_oidc,
    views_opening,
    views_oversight,
    views_passkeys,
    views_payee,
    views_people,
    views_prove,
    views_records,
    views_sign_in,
    views_signing,
    views_suppliers,
    views_tables,
)
from scf.web.pages import Pages, SignInFirst, here_of

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "media-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_YEAR_SECONDS = 31_536_000


def create_server(app: App, *, reading_speed: float = 1.0) -> FastAPI:
    """Pages and API of one installation as one ASGI application.

    `reading_speed` above 1 shortens the least time a text must have been on the screen before it can be confirmed.
    """
    sessions = Sessions(app.settings.data)
    server = FastAPI(title="scf pages", docs_url=None, redoc_url=None, openapi_url=None)
    server.state.pages = Pages(app, sessions)
    server.state.reading_speed = reading_speed
    server.state.pulse = views_live.Pulse(app)
    server.add_middleware(GZipMiddleware, minimum_size=1024)
    server.state.api = create_api(app, sessions)
    server.mount("/api/v1", server.state.api)
    server.mount("/static", StaticFiles(directory=Path(str(resources.files("scf.web").joinpath("static")))))
    rooms = (
        views_sign_in,
        views_account,
        views_home,
        views_import,
        views_invite,
        views_join,
        views_links,
        views_live,
        views_month,
        views_notices,
        views_opening,
        views_records,
        views_signing,
        views_suppliers,
        views_tables,
        views_acts,
        views_applications,
        views_desks,
        views_developers,
        views_enrol,
        views_finance,
        views_oidc,
        views_oversight,
        views_passkeys,
        views_payee,
        views_people,
        views_prove,
    )
    for module in rooms:
        server.include_router(module.router)
    _answer_errors(server)

    server.add_middleware(AddHeaders, headers_of=partial(_headers_of, demo=app.settings.demo))
    return server


def _headers_of(scope: Scope, demo: bool) -> dict[str, str]:
    caching = "no-store"
    if scope["path"].startswith("/static/"):
        lasting = "v" in QueryParams(scope["query_string"])
        caching = f"public, max-age={_YEAR_SECONDS}, immutable" if lasting else "no-cache"
    return {**_HEADERS, "Cache-Control": caching, **({"X-Demo": DEMO_BANNER} if demo else {})}


def _answer_errors(server: FastAPI) -> None:
    async def to_sign_in(request: Request, error: Exception) -> Response:
        if request.method == "POST":
            return await views_sign_in.keep_typed(request)
        return RedirectResponse(f"/sign-in?next={quote(here_of(request))}", status_code=303)

    async def answer(request: Request, error: Exception) -> Response:
        pages: Pages = request.app.state.pages
        try:
            caller = pages.caller(request)
        except (SignInFirst, Problem):
            caller = None
        problem = problem_of(error, request)
        shown = pages.problem(request, problem, caller)
        wait = retry_after(problem)
        if wait is not None:
            shown.headers["Retry-After"] = wait
        for name, value in _headers_of(request.scope, pages.app.settings.demo).items():
            shown.headers.setdefault(name, value)  # what nobody caught is answered outside of the middleware
        return shown

    server.add_exception_handler(SignInFirst, to_sign_in)
    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        server.add_exception_handler(kind, answer)
