"""Routes of proposed accounts: one house proposes an opening with its signature, the other reads it and signs too."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlmodel import Session

from scf.api import office, proving
from scf.api.access import Caller
from scf.api.doors import Key, Scf, Who
from scf.api.messages import read_message
from scf.api.shapes import Shape, amount
from scf.api.views import moment
from scf.app import App
from scf.entrusted.proposing import OpeningProposal
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest

router = APIRouter(tags=["entrusted"])


class OpeningBody(Shape):
    """The message `POST /acts/open/prepare` gave, and the signature of the side that proposes it."""

    message: dict[str, Any]
    signature: str | None = Field(default=None, description="Hex; demo keys sign where `demo` is true")
    demo: bool = False


class OwnSignatureBody(Shape):
    """A side's signature over the same digest; demo keys sign where `demo` is true."""

    signature: str | None = None
    demo: bool = False


class NoBody(Shape):
    """Why a side does not agree; the other reads it."""

    reason: str


@router.get("/openings")
def openings(app: Scf, caller: Who) -> dict[str, Any]:
    """Accounts the caller's firm proposed or was asked to agree to (all for overseers), those that wait first."""
    with app.reading() as session:
        rows = app.openings.of(session, None if caller.sees_all else caller.addresses)
        return {"items": [_shape(app, session, row) for row in rows], "next": None}


@router.get("/openings/{opening_id}")
def opening(app: Scf, caller: Who, opening_id: str) -> dict[str, Any]:
    """One of them with every line that is agreed, and the typed data its sides sign."""
    row = _seen(app, caller, opening_id)
    prepared = app.openings.prepared(row)
    with app.reading() as session:
        return {
            **_shape(app, session, row),
            "text": app.openings.text(session, prepared.message),
            "typed_data": prepared.typed_data,
            "digest": row.id,
        }


@router.post("/openings")
def propose(app: Scf, caller: Who, body: OpeningBody, key: Key = None) -> dict[str, Any]:
    """Propose an account with the caller's own signature; the other side is told. Again is one proposal."""
    office.check_key(key)
    proving.require_fresh(app, caller)
    message = read_message("EntrustedAccounts", "Opening", body.message)
    prepared = app.openings.prepare_again(message)
    with app.desk.session() as session:
        signature = _signature(app, caller, body.signature, body.demo, prepared.digest)
        return _shape(app, session, app.openings.propose(session, prepared, caller.address, signature))


@router.post("/openings/{opening_id}/sign")
def sign(app: Scf, caller: Who, opening_id: str, body: OwnSignatureBody, key: Key = None) -> dict[str, Any]:
    """Sign for the caller's side; once both sides have, the account is opened on the ledger, once."""
    office.check_key(key)
    proving.require_fresh(app, caller)
    row = _seen(app, caller, opening_id)
    signature = _signature(app, caller, body.signature, body.demo, bytes.fromhex(row.id[2:]))
    done = app.openings.sign(row.id, caller.address, signature)
    with app.reading() as session:
        return _shape(app, session, done)


@router.post("/openings/{opening_id}/refuse")
def refuse(app: Scf, caller: Who, opening_id: str, body: NoBody, key: Key = None) -> dict[str, Any]:
    """Say no to a proposed account, or take one's own proposal back, with the reason the other side reads."""
    office.check_key(key)
    row = _seen(app, caller, opening_id)
    with app.desk.session() as session:
        return _shape(app, session, app.openings.refuse(session, row.id, caller.address, body.reason))


def _seen(app: App, caller: Caller, opening_id: str) -> OpeningProposal:
    with app.reading() as session:
        row = app.openings.one(session, opening_id)
    if not caller.sees_all and not caller.addresses & {row.payer, row.beneficiary}:
        raise Problem("opening_unknown", proposal=opening_id[:14])
    return row


def _signature(app: App, caller: Caller, given: str | None, demo: bool, digest: bytes) -> bytes:
    if demo and given is None:
        if not app.settings.demo:
            raise Problem("demo_only")
        from scf.demo.cast import demo_signers  # the cast exists only in demo installations

        return sign_digest(demo_signers(app, caller.address)[0].private, digest)
    try:
        return bytes.fromhex((given or "").removeprefix("0x"))
    except ValueError as error:
        raise Problem("signature_not_hex") from error


def _shape(app: App, session: Session, row: OpeningProposal) -> dict[str, Any]:
    def who(address: str) -> dict[str, str]:
        return {"address": address, "name": app.parties.name_of(session, address)}

    return {
        "id": row.id,
        "payer": who(row.payer),
        "beneficiary": who(row.beneficiary),
        "amount": amount(row.amount_minor, row.currency),
        "summary": {"en": row.summary_en, "zh-CN": row.summary_zh},
        "state": "expired" if app.openings.is_expired(row) else row.state,
        "turn": app.openings.turn(session, row),
        "unsigned": [who(side) for side in app.openings.missing(session, row)],
        "reason": row.reason,
        "made_at": moment(row.made_at),
        "valid_until": moment(row.valid_until),
        "account": row.account,
        "evidence": row.evidence_id,
    }
