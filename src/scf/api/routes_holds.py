"""Routes of holds and appeals: why money is kept back, who decides by when, and how somebody disagrees."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlmodel import Session

from scf.api import office
from scf.api.access import Caller
from scf.api.doors import Key, Scf, Who
from scf.api.shapes import Amount, Shape, amount
from scf.api.views import moment
from scf.app import App
from scf.holds.finding import Hold
from scf.holds.models import Appeal, HoldLift
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.service import Role

router = APIRouter(tags=["holds"])


class AppealBody(Shape):
    """Why a hold is wrong, in words."""

    words: str


class OrderBody(Shape):
    """The words of an order to freeze, whose it is, and until when it binds (unix seconds)."""

    words: str
    authority: str
    binds_until: int


class LiftBody(Shape):
    """Why a hold ends, the evidence on file it rests on, and how a disputed part is divided."""

    words: str
    evidence: str = Field(pattern=r"^[0-9a-f]{64}$")
    to_release: Amount | None = None
    to_refund: Amount | None = None


class SignBody(Shape):
    """An operator's signature over the typed data of a lift (of each, apart by spaces); demo keys where `demo`."""

    signature: str | None = None
    demo: bool = False


@router.get("/holds")
def holds(app: Scf, caller: Who) -> dict[str, Any]:
    """Holds that concern the caller (all for overseers): reason, owner, deadline, and the caller's appeal."""
    with app.reading() as session:
        rows = app.holds.all(session) if caller.sees_all else app.holds.of(session, caller.addresses)
        return {"items": [_hold(app, session, caller, one) for one in rows], "next": None}


@router.post("/holds/{hold_id:path}/appeal")
def appeal(app: Scf, caller: Who, hold_id: str, body: AppealBody, key: Key = None) -> dict[str, Any]:
    """Disagree with a hold that concerns the caller; two operators decide within ten days. Again gives the same."""
    office.check_key(key)
    with app.desk.session() as session:
        for one in app.holds.of(session, caller.addresses):
            if one.id == hold_id:
                mine = sorted(one.parties & caller.addresses)
                who = caller.address if caller.address in mine else mine[0]
                return _appeal(app, session, app.holds.appeal(session, hold_id, who, body.words))
    raise Problem("unknown_hold", hold=hold_id[:80])


@router.post("/holds/{hold_id:path}/lift")
def open_lift(app: Scf, caller: Who, hold_id: str, body: LiftBody, key: Key = None) -> dict[str, Any]:
    """Prepare the end of a hold nobody decided in time (operators), on words and evidence; two operators then sign."""
    office.check_key(key)
    caller.require(Role.OPERATOR)
    with app.desk.session() as session:
        row = app.holds.open_lift(
            session,
            hold_id,
            caller.address,
            words=body.words,
            evidence_id=body.evidence,
            to_release_minor=body.to_release.read() if body.to_release else None,
            to_refund_minor=body.to_refund.read() if body.to_refund else None,
        )
        return _lift(app, session, caller, row)


@router.get("/lifts")
def lifts(app: Scf, caller: Who) -> dict[str, Any]:
    """Ends of holds that concern the caller (all for overseers): words, evidence, who signed, whose turn it is.

    Operators also get what they sign.
    """
    with app.reading() as session:
        rows = app.holds.lifts(session)
        seen = [row for row in rows if caller.sees_all or caller.addresses & set(row.parties.split(","))]
        return {"items": [_lift(app, session, caller, row) for row in seen], "next": None}


@router.post("/lifts/{lift_id}/sign")
def sign_lift(app: Scf, caller: Who, lift_id: str, body: SignBody, key: Key = None) -> dict[str, Any]:
    """Sign as an operator; the second one's signature ends the hold on the ledger, once."""
    office.check_key(key)
    caller.require(Role.OPERATOR)
    row = app.holds.sign_lift(lift_id, caller.address, lift_signature(app, caller, lift_id, body.signature, body.demo))
    with app.desk.session() as session:
        return _lift(app, session, caller, row)


@router.get("/appeals")
def appeals(app: Scf, caller: Who) -> dict[str, Any]:
    """The caller's appeals (all for overseers). Operators decide with the change `decide_appeal`."""
    with app.reading() as session:
        rows = app.holds.appeals(session, of=None if caller.sees_all else caller.addresses)
        return {"items": [_appeal(app, session, row) for row in rows], "next": None}


@router.post("/holds/orders")
def order(app: Scf, caller: Who, body: OrderBody, key: Key = None) -> dict[str, Any]:
    """File the words of an order before a note is frozen for it; answers the hash two operators then sign."""
    office.check_key(key)
    with app.desk.session() as session:
        row = app.holds.file_order(
            session, body.words, authority=body.authority, binds_until=body.binds_until, by=caller.address
        )
        return {"reason": row.reason, "evidence": row.evidence_id, "binds_until": moment(row.binds_until)}


def _hold(app: App, session: Session, caller: Caller, one: Hold) -> dict[str, Any]:
    of = None if caller.sees_all else caller.addresses
    return {
        "id": one.id,
        "kind": one.kind,
        "reason": one.reason,
        "owner": one.owner,
        "since": moment(one.since or None),
        "decide_by": moment(one.decide_by),
        "amount": amount(one.amount_minor, one.currency),
        "evidence": one.evidence_id,
        "may_appeal": bool(one.parties & caller.addresses),
        "lifts": [_lift(app, session, caller, row) for row in app.holds.lifts(session, hold=one.id)],
        "appeals": [_appeal(app, session, row) for row in app.holds.appeals(session, of=of, hold=one.id)],
    }


def lift_signature(app: App, caller: Caller, lift_id: str, given: str | None, demo: bool) -> bytes:
    """The caller's signature over a lift: the one given, or a demo key's. Raises Problem `signature_not_hex`."""
    if demo and not given:
        if not app.settings.demo:
            raise Problem("demo_only")
        from scf.demo.cast import demo_signers  # the cast exists only in demo installations

        with app.desk.session() as session:
            prepared = app.holds.lift_acts(session, lift_id)
        if not prepared:
            raise Problem("lift_over", state="done")
        key = demo_signers(app, caller.address)[0].private
        return b"".join(sign_digest(key, one.digest) for one in prepared)
    try:
        return b"".join(bytes.fromhex(part.removeprefix("0x")) for part in (given or "").split())
    except ValueError as error:
        raise Problem("signature_not_hex") from error


def _lift(app: App, session: Session, caller: Caller, row: HoldLift) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row.id,
        "hold": row.hold,
        "appeal": row.appeal,
        "words": row.words,
        "evidence": row.evidence_id,
        "to_release": amount(row.to_release_minor, row.currency),
        "to_refund": amount(row.to_refund_minor, row.currency),
        "state": row.state,
        "turn": app.holds.turn(session, row),
        "opened_at": moment(row.opened_at),
        "signed_by": [who for who in (row.first_by, row.second_by) if who],
        "done_at": moment(row.done_at),
        "transaction": row.transaction,
    }
    if caller.has(Role.OPERATOR) and row.state == "open":
        acts = app.holds.lift_acts(session, row.id)
        if acts:
            shown |= {"typed_data": acts[0].typed_data, "digest": "0x" + acts[0].digest.hex()}
            shown |= {"documents": [one.typed_data for one in acts], "summary": dict(acts[0].summary)}
    return shown


def _appeal(app: App, session: Session, row: Appeal) -> dict[str, Any]:
    return {
        "id": row.id,
        "hold": row.hold,
        "appellant": {"address": row.appellant, "name": app.parties.name_of(session, row.appellant)},
        "words": row.words,
        "made_at": moment(row.made_at),
        "decide_by": moment(row.decide_by),
        "state": row.state,
        "decision": row.decision,
        "decided_at": moment(row.decided_at),
        "evidence": row.evidence_id,
        "decision_evidence": row.decision_evidence_id,
    }
