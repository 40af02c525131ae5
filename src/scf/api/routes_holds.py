"""Routes of holds and appeals: why money is kept back, who decides by when, and how somebody disagrees."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlmodel import Session

from scf.api import office
from scf.api.access import Caller
from scf.api.doors import Key, Scf, Who
from scf.api.shapes import Shape, amount
from scf.api.views import moment
from scf.app import App
from scf.holds.finding import Hold
from scf.holds.models import Appeal
from scf.kernel.problems import Problem

router = APIRouter(tags=["holds"])


class AppealBody(Shape):
    """Why a hold is wrong, in words."""

    words: str


class OrderBody(Shape):
    """The words of an order to freeze, whose it is, and until when it binds (unix seconds)."""

    words: str
    authority: str
    binds_until: int


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
        "appeals": [_appeal(app, session, row) for row in app.holds.appeals(session, of=of, hold=one.id)],
    }


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
