"""The API as one application: routes, problems, headers, and an OpenAPI document with examples."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import RedirectResponse

from scf.api import (
    inviting,
    problems,
    routes_acts,
    routes_exceptions,
    routes_holds,
    routes_imports,
    routes_joining,
    routes_limits,
    routes_mass,
    routes_maturity,
    routes_money,
    routes_openings,
    routes_other,
    routes_payees,
    routes_quotes,
    routes_records,
)
from scf.api.access import Sessions
from scf.api.calls import CallLog, LogCalls
from scf.api.headers import AddHeaders
from scf.app import App
from scf.store.session import create_schema

DEMO_BANNER = "demo keys: anyone can sign for these firms"
_ABOUT = """
Receivables signed, split, financed, released on evidence and paid.

**Acts.** `POST /acts/{act}/prepare` gives typed data (EIP-712); each signer signs it with its own key;
`POST /acts/{act}` carries message and signatures to the ledger. Every POST that moves value needs an
`Idempotency-Key`: the same request again gives the same answer and has one effect; another body under the same key is
refused.

**Amounts** are objects: `minor` (whole minor units as text) and `currency`; answers add `text`, requests may give
`text` instead of `minor`. **Moments** are ISO 8601 in UTC, **days** are Beijing calendar days.

**Refusals** are `application/problem+json` (RFC 9457) in the language of `?lang=` or `Accept-Language`, with a stable
`code`, the `facts`, and `money_moved`: `no`, `yes` or `unknown`.

**Lists** are pages: follow `next` as `?cursor=` until it is null.

**Who sees what**: a party sees only what it has a relation to; what it may not see answers as if it did not exist.
"""


def create_api(app: App, sessions: Sessions | None = None) -> FastAPI:
    """The API of one installation, to be mounted under `/api/v1`."""
    create_schema(app.engine)
    sessions = sessions or Sessions(app.settings.data)
    api = FastAPI(
        title="scf",
        version="1",
        summary="Supply-chain finance on receivables",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": "/api/v1"}],
    )

    api.state.scf = app
    api.state.sessions = sessions
    for module in (
        routes_records,
        routes_acts,
        routes_holds,
        routes_limits,
        routes_joining,
        inviting,
        routes_mass,
        routes_maturity,
        routes_money,
        routes_openings,
        routes_payees,
        routes_quotes,
        routes_imports,
        routes_exceptions,
        routes_other,
    ):
        api.include_router(module.router)
    api.add_api_route("/docs", lambda: RedirectResponse("/developers/api"), include_in_schema=False)
    problems.install(api)

    fixed = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Language, Authorization, Cookie",
        **({"X-Demo": DEMO_BANNER} if app.settings.demo else {}),
    }
    api.state.calls = CallLog(app)
    api.add_middleware(LogCalls, log=api.state.calls)
    api.add_middleware(AddHeaders, headers_of=lambda scope: fixed)
    return api
