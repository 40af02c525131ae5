"""Routes of documents, the audit bundle, API tokens and the demo session."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response, UploadFile
from pydantic import Field

from scf.api import access, proving
from scf.api.access import Caller
from scf.api.doors import Fresh, Key, Scf, SessionsDoor, Who
from scf.api.language import language_of
from scf.api.shapes import Shape
from scf.api.views import moment
from scf.app import App
from scf.audit import service as audit
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.store.evidence import Trust

router = APIRouter()
MOST_BYTES = 32 * 1024 * 1024


class SessionBody(Shape):
    """Choose a demo identity."""

    address: str


class ProofBody(Shape):
    """The six digits that were sent."""

    code: str = Field(max_length=12)


class TokenBody(Shape):
    """Make an API token for the caller's own seat."""

    name: str
    days: int = access.TOKEN_DAYS


def take_in(app: App, caller: Caller, raw: bytes, name: str, mapping: str | None) -> dict[str, Any]:
    """Import one uploaded file. What a bank or carrier brings itself is its own feed (T3), all else an upload (T1)."""
    if len(raw) > MOST_BYTES:
        raise Problem("upload_too_large", limit_mb=MOST_BYTES // 2**20)
    report = app.documents.import_file(
        raw, name, source=caller.name, sender=caller.name, trust=trust_of(caller), mapping=mapping
    )
    return {**asdict(report), "notices": list(report.notices)}


def trust_of(caller: Caller) -> Trust:
    """How far a file is trusted that this caller uploads."""
    return Trust.T3 if caller.has(Role.BANK | Role.ATTESTOR) else Trust.T1


@router.post("/documents", tags=["documents"])
def documents(
    app: Scf, caller: Who, file: UploadFile, mapping: Annotated[str | None, Form(max_length=80)] = None, key: Key = None
) -> dict[str, Any]:
    """Import a document (UBL, CII, EPCIS, camt, CSV with a saved mapping). The same file twice changes nothing."""
    raw = file.file.read(MOST_BYTES + 1)
    return take_in(app, caller, raw, file.filename or "upload", mapping)


@router.get("/audit/bundle", tags=["audit"], response_class=Response)
def bundle(app: Scf, caller: Who) -> Response:
    """The whole story as one file that `scf audit verify` checks offline. For auditor, operator and regulator."""
    caller.require(Role.OPERATOR | Role.AUDITOR | Role.REGULATOR)
    content = audit_bundle(app)
    headers = {"Content-Disposition": 'attachment; filename="scf-audit.zip"'}
    return Response(content, media_type="application/zip", headers=headers)


def audit_bundle(app: App) -> bytes:
    """A bundle of everything up to the present head, as a zip."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "scf-audit.zip"
        audit.export(app.ledger, app.contracts, target, engine=app.engine)
        return target.read_bytes()


@router.get("/tokens", tags=["access"])
def tokens(app: Scf, caller: Who) -> dict[str, Any]:
    """Tokens of the caller's seat, without their secrets."""
    with app.reading() as session:
        rows = access.tokens_of(session, caller)
    items = [
        {
            "id": row.digest[:16],
            "name": row.name,
            "made_at": moment(row.made_at),
            "expires_at": moment(row.expires_at),
            "revoked_at": moment(row.revoked_at),
        }
        for row in rows
    ]
    return {"items": items, "next": None}


@router.post("/tokens", tags=["access"])
def make(app: Scf, caller: Fresh, body: TokenBody) -> dict[str, Any]:
    """A new token; its secret is shown this once and kept only as a digest."""
    return {"token": access.issue_token(app, caller.address, body.name, days=max(1, min(body.days, 366)))}


@router.delete("/tokens/{token_id}", tags=["access"])
def revoke(app: Scf, caller: Who, token_id: str) -> dict[str, Any]:
    """End a token at once."""
    with app.reading() as session:
        full = [row.digest for row in access.tokens_of(session, caller) if row.digest.startswith(token_id)]
    if len(full) != 1 or len(token_id) < 16:
        raise Problem("token_not_valid")
    access.revoke_token(app, caller, full[0])
    return {"revoked": token_id}


@router.post("/session", tags=["access"])
def choose(app: Scf, sessions: SessionsDoor, body: SessionBody, request: Request, response: Response) -> dict[str, Any]:
    """Act as a demo identity (demo installations only); sets the session cookie."""
    if not app.settings.demo:
        raise Problem("demo_only")
    with app.reading() as session:
        caller = access.caller_at(app, session, body.address)
    access.let_in(app, sessions, request, response, caller.address, method="demo")
    return {"address": caller.address, "name": caller.name}


@router.post("/session/code", tags=["access"])
def send_code(app: Scf, caller: Who, request: Request) -> dict[str, Any]:
    """Send six digits to the person of this session, for `POST /session/proof`; any code before it ends."""
    return {"sent_to": proving.send_code(app, caller, language_of(request))}


@router.post("/session/proof", tags=["access"])
def prove(app: Scf, caller: Who, body: ProofBody) -> dict[str, Any]:
    """Prove by the digits that it is still you: for five minutes this session may sign again."""
    proving.prove_by_code(app, caller, body.code)
    return {"proved": True, "good_for_seconds": proving.FRESH_SECONDS}


@router.delete("/session", tags=["access"])
def leave(app: Scf, sessions: SessionsDoor, request: Request, response: Response) -> dict[str, Any]:
    """Sign out."""
    access.let_out(app, sessions, request)
    response.delete_cookie(access.SESSION_COOKIE)
    return {"signed_in": False}
