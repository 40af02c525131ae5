"""Routes that read: status, participants, receivables, notes, entrusted accounts, evidence."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from scf.api import reads
from scf.api.access import Caller
from scf.api.doors import Maybe, Scf, Who
from scf.api.paging import DEFAULT_LIMIT, MOST, Cursor, Limit, after_of, page
from scf.api.shapes import amount
from scf.api.views import Views, moment
from scf.app import App
from scf.entrusted import queries as entrusted_queries
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables import queries
from scf.store import evidence

router = APIRouter()


def _example(value: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": value}}}}


_MONEY = {"minor": "100000000", "currency": "CNY", "text": "1000000.00"}
_WHO = {"address": "0x1111111111111111111111111111111111111111", "name": "Northbridge Motors"}
_TURN = {"en": "Northbridge Motors has to pay on 2026-06-30.", "zh-CN": "北桥汽车应于 2026-06-30 付款。"}
_RECEIVABLE = {
    "id": 1,
    "obligor": _WHO,
    "creditor": _WHO,
    "currency": "CNY",
    "maturity": "2026-06-30",
    "state": "live",
    "face": _MONEY,
    "outstanding": _MONEY,
    "turn": _TURN,
}
_NOTE = {
    "id": "0x0000000000000001a1b2…",
    "receivable": 1,
    "tier": 2,
    "state": "held",
    "holder": _WHO,
    "amount": _MONEY,
    "turn": _TURN,
}
_ACCOUNT = {"id": 1, "payer": _WHO, "beneficiary": _WHO, "amount": _MONEY, "turn": _TURN, "stages": []}


def roles_of(roles: Role) -> list[str]:
    """Role names in lower case."""
    return [str(role.name).lower() for role in Role if role & roles]


def status_of(app: App, caller: Caller | None) -> dict[str, Any]:
    """What this installation is and where its ledger stands; sums only for who oversees all."""
    head = app.desk.head()
    with app.reading() as session:
        log = evidence.head(session)
        shown: dict[str, Any] = {
            "demo": app.settings.demo,
            "chain_id": app.ledger.chain_id,
            "contracts": dict(app.contracts.addresses),
            "head": {"number": head.number, "hash": "0x" + bytes(head.hash).hex(), "at": moment(head.timestamp)},
            "evidence": {"size": log.size, "root": log.root.hex()},
            "time": moment(app.clock.now()),
        }
        if caller is not None and caller.sees_all:
            shown["totals"] = {
                code: {
                    "receivables": sums.receivables,
                    "face": amount(sums.face_minor, code),
                    "outstanding": amount(sums.outstanding_minor, code),
                    "paid": amount(sums.paid_minor, code),
                }
                for code, sums in queries.totals(session).items()
            }
    return shown


@router.get("/status", tags=["installation"], responses=_example({"demo": True, "chain_id": 20260}))
def status(app: Scf, caller: Maybe) -> dict[str, Any]:
    """What this installation is and where its ledger stands. Open to anyone; sums only for overseers."""
    return status_of(app, caller)


@router.get("/participants", tags=["installation"], responses=_example({"items": [{**_WHO, "roles": ["obligor"]}]}))
def participants(app: Scf, caller: Who) -> dict[str, Any]:
    """Everyone enrolled, with roles: whom one can pass a note to or ask for money."""
    with app.reading() as session:
        rows = app.parties.participants(session)
    items = [{"address": row.address, "name": row.name, "duty": row.duty, "roles": roles_of(row.roles)} for row in rows]
    return {"items": items, "next": None}


@router.get("/me", tags=["installation"], responses=_example({**_WHO, "roles": ["supplier"]}))
def me(app: Scf, caller: Who) -> dict[str, Any]:
    """Whom this session or token acts as."""
    return {
        "address": caller.address,
        "name": caller.name,
        "duty": caller.duty,
        "roles": roles_of(caller.roles),
        "organisation_seats": sorted(caller.addresses),
    }


@router.get("/receivables", tags=["receivables"], responses=_example({"items": [_RECEIVABLE], "next": None}))
def receivables(app: Scf, caller: Who, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> dict[str, Any]:
    """Receivables the caller has a relation to, by number."""
    with app.reading() as session:
        views = Views(app, session, caller)
        mine = None if caller.sees_all else caller.addresses
        rows = reads.receivables_related(session, mine, after=after_of(cursor), limit=limit)
        items = [views.receivable(row.id) for row in rows]
    return page(items, rows[-1].id if rows else None, limit, len(rows))


@router.get("/receivables/{receivable_id}", tags=["receivables"], responses=_example(_RECEIVABLE))
def receivable(app: Scf, caller: Who, receivable_id: int) -> dict[str, Any]:
    """One receivable: terms, state, whose turn it is."""
    with app.reading() as session:
        return Views(app, session, caller).receivable(receivable_id)


@router.get("/receivables/{receivable_id}/notes", tags=["receivables"], responses=_example({"items": [_NOTE]}))
def notes(app: Scf, caller: Who, receivable_id: int) -> dict[str, Any]:
    """Its notes as far as the caller may see them, parents before children."""
    with app.reading() as session:
        views = Views(app, session, caller)
        row, sights, _ = views.receivable_row(receivable_id)
        return {"items": [views.shape_note(row, item) for item in sights], "next": None}


@router.get("/notes/offered", tags=["notes"], responses=_example({"items": [_NOTE], "next": None}))
def offered(app: Scf, caller: Who) -> dict[str, Any]:
    """Notes waiting for the caller to accept or refuse."""
    with app.reading() as session:
        views = Views(app, session, caller)
        rows = reads.offered_to(session, caller.addresses, limit=MOST)
        return {"items": [views.note(note.id) for note in rows], "next": None}


@router.get("/notes", tags=["notes"], responses=_example({"items": [_NOTE], "next": None}))
def held(app: Scf, caller: Who, holder: Annotated[str | None, Query(max_length=42)] = None) -> dict[str, Any]:
    """Notes a holder has with value in them. Without `holder`, one's own; another's only for overseers."""
    if holder is not None and holder not in caller.addresses and not caller.sees_all:
        raise Problem("unknown_participant", who=holder)
    with app.reading() as session:
        views = Views(app, session, caller)
        rows = reads.held_by(session, [holder] if holder else caller.addresses, limit=MOST)
        return {"items": [views.note(note.id) for note in rows], "next": None}


@router.get("/notes/{note_id}", tags=["notes"], responses=_example(_NOTE))
def one(app: Scf, caller: Who, note_id: str) -> dict[str, Any]:
    """One note with its way up to the root."""
    with app.reading() as session:
        return Views(app, session, caller).note(note_id)


@router.get("/entrusted", tags=["entrusted accounts"], responses=_example({"items": [_ACCOUNT], "next": None}))
def accounts(app: Scf, caller: Who, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> dict[str, Any]:
    """Entrusted accounts the caller has a relation to, by number."""
    with app.reading() as session:
        views = Views(app, session, caller)
        mine = None if caller.sees_all else caller.addresses
        rows = reads.accounts_related(session, mine, after=after_of(cursor), limit=limit)
        items = [views.account(row.id) for row in rows]
    return page(items, rows[-1].id if rows else None, limit, len(rows))


@router.get("/entrusted/{account_id}", tags=["entrusted accounts"], responses=_example(_ACCOUNT))
def account(app: Scf, caller: Who, account_id: int) -> dict[str, Any]:
    """One entrusted account with its stages and whose turn it is."""
    with app.reading() as session:
        return Views(app, session, caller).account(account_id)


@router.get("/entrusted/{account_id}/stages/{number}", tags=["entrusted accounts"], responses=_example({"stage": 0}))
def stage(app: Scf, caller: Who, account_id: int, number: int) -> dict[str, Any]:
    """One stage (numbered from 0)."""
    with app.reading() as session:
        views = Views(app, session, caller)
        for found in views.account(account_id)["stages"]:
            if found["stage"] == number:
                return dict(found)
        entrusted_queries.stage(session, account_id, number)
    raise Problem("unknown_stage", account=account_id, stage=number)


@router.get("/evidence/{evidence_id}", tags=["evidence"], responses=_example({"id": "5d1c6f0e…", "records": []}))
def metadata(app: Scf, caller: Who, evidence_id: str) -> dict[str, Any]:
    """Who brought a document, when, and how far its source can be trusted."""
    with app.reading() as session:
        return Views(app, session, caller).evidence(evidence_id)


@router.get(
    "/evidence/{evidence_id}/raw",
    tags=["evidence"],
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {"example": "<Invoice …>"}}}},
)
def raw(app: Scf, caller: Who, evidence_id: str) -> Response:
    """The bytes as received. Always a download, never shown as a page."""
    with app.reading() as session:
        Views(app, session, caller).evidence(evidence_id)
        content = evidence.raw_bytes(session, evidence_id.lower())
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{evidence_id.lower()[:16]}.bin"'},
    )
