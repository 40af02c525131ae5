"""Routes of invitations: make one, see what became of it, take it back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from scf.api import joining
from scf.api.doors import Scf, Who
from scf.api.joining import InvitationBody

router = APIRouter()


@router.get("/invitations", tags=["invitations"])
def invitations(app: Scf, caller: Who) -> dict[str, Any]:
    """The caller's invitations, newest first, each with its stage; links are never shown again."""
    with app.reading() as session:
        items = [joining.shape(app, session, row) for row in app.invitations.of(session, caller.addresses)]
    return {"items": items, "next": None}


@router.post("/invitations", tags=["invitations"])
def invite(app: Scf, caller: Who, body: InvitationBody, request: Request) -> dict[str, Any]:
    """Invite a firm that is not a member yet; its link is in this answer and nowhere else."""
    row, secret = joining.invite(app, caller, body)
    origin = f"{request.url.scheme}://{request.url.netloc}"
    with app.reading() as session:
        return {**joining.shape(app, session, row), "link": f"{origin}/join/{secret}"}


@router.delete("/invitations/{invitation_id}", tags=["invitations"])
def withdraw(app: Scf, caller: Who, invitation_id: str) -> dict[str, Any]:
    """Take an invitation back; nothing left the note."""
    with app.desk.session() as session:
        app.invitations.withdraw(session, invitation_id, caller.addresses)
    return {"withdrawn": invitation_id}
