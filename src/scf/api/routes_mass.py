"""Routes of mass passes: the shares a recipient can take, and how far a giver's list has been taken up."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from scf.api.doors import Scf, Who
from scf.api.shapes import ADDRESS, NOTE, amount
from scf.api.views import moment
from scf.receivables.mass import Progress

router = APIRouter(tags=["mass passes"])
_MONEY = {"minor": "12000", "currency": "CNY", "text": "120.00"}
_WHO = {"address": ADDRESS, "name": "Green Valley Cooperative"}
_SHARE = {"note": NOTE, "receivable": 1, "to": ADDRESS, "giver": _WHO, "amount": _MONEY,
          "until": "2026-03-09T09:00:00Z", "leaf": 41, "proof": ["0x5d1c…"]}  # fmt: skip
_LIST = {"note": NOTE, "state": "mass", "recipients": 10_000, "taken": 1, "total": _MONEY, "taken_amount": _MONEY,
         "left": _MONEY, "until": "2026-03-09T09:00:00Z", "next": None,
         "items": [{"leaf": 41, "recipient": _WHO, "amount": _MONEY, "note": None}]}  # fmt: skip


def progress_shown(progress: Progress) -> dict[str, Any]:
    """How far a mass pass has been taken up, as answers show it."""
    code = progress.currency
    return {
        "note": progress.mass_id,
        "state": progress.state,
        "recipients": progress.recipients,
        "taken": progress.taken,
        "total": amount(progress.total_minor, code),
        "taken_amount": amount(progress.taken_minor, code),
        "left": amount(progress.left_minor, code),
        "until": moment(progress.until),
    }


@router.get("/shares", responses={200: {"content": {"application/json": {"example": {"items": [_SHARE]}}}}})
def shares(app: Scf, caller: Who) -> dict[str, Any]:
    """Shares of mass passes the caller can take now, each with its proof: who has it needs nobody else to take it."""
    with app.reading() as session:
        found = app.mass.open_shares(session, sorted(caller.addresses))
        items = [
            {
                "note": share.mass_id,
                "receivable": share.receivable_id,
                "to": share.recipient,
                "giver": {"address": share.giver, "name": app.parties.name_of(session, share.giver)},
                "amount": amount(share.amount_minor, share.currency),
                "until": moment(share.until),
                "leaf": share.leaf,
                "proof": [f"0x{word:064x}" for word in app.mass.proof(session, share.mass_id, share.leaf)],
            }
            for share in found
        ]
    return {"items": items}


@router.get("/notes/{note_id}/recipients", responses={200: {"content": {"application/json": {"example": _LIST}}}})
def recipients(
    app: Scf,
    caller: Who,
    note_id: str,
    after: Annotated[int, Query(ge=-1, description="The last place seen")] = -1,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """Everybody on the list of a mass pass with what each took; for its giver and who oversees all."""
    note_id = note_id.lower()
    with app.reading() as session:
        app.mass.require_seen(session, note_id, None if caller.sees_all else caller.addresses)
        names = app.parties.names(session)
        rows = app.mass.shares(session, note_id, after=after, limit=limit + 1)
        shown = progress_shown(app.mass.progress(session, note_id))
    items = [
        {
            "leaf": row.leaf,
            "recipient": {"address": row.recipient, "name": names.get(row.recipient, row.recipient)},
            "amount": amount(row.amount_minor, row.currency),
            "note": row.note_id,
        }
        for row in rows[:limit]
    ]
    return {**shown, "items": items, "next": rows[limit - 1].leaf if len(rows) > limit else None}
