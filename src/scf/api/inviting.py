"""From a core enterprise's link to an enrolled supplier: the same three answers as by a holder's invitation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlmodel import Session
from starlette.requests import Request

from scf.api import shapes
from scf.api.access import Caller
from scf.api.doors import Scf, Who
from scf.api.joining import JoinBody, enrol_with_demo_keys, own_address
from scf.app import App
from scf.demo.cast import joined_key
from scf.identity.contacts import parse_contact
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.parties.inviting import SupplierInvitation
from scf.parties.onboarding import Application, check_uscc
from scf.parties.service import Role

router = APIRouter()


class SupplierInvitationBody(shapes.Shape):
    """Invite a supplier that is not a member yet."""

    to_name: str = Field(default="", max_length=120, description="Whom you have in mind; only you see it")


@dataclass(frozen=True, slots=True)
class Came:
    """What became of a join: `waiting`, `enrolled`, or `member` before; the person is set where it is new."""

    state: str
    address: str
    person_id: str | None = None


def invite(app: App, caller: Caller, to_name: str) -> tuple[SupplierInvitation, str]:
    """Keep an invitation of a core enterprise; returns it with the link's secret. Raises Problem `role_needed`."""
    caller.require(Role.OBLIGOR)
    with app.desk.session() as session:
        return app.supplier_invitations.invite(session, caller.address, to_name)


def join(app: App, secret: str, body: JoinBody, *, language: str = "zh-CN") -> Came:
    """A firm takes a core enterprise's invitation. Raises what stands in the way; nothing is written then."""
    contact, uscc = parse_contact(body.contact), check_uscc(body.uscc)
    with app.desk.session() as session:
        row = app.supplier_invitations.find(session, secret)
        firm = app.onboarding.known(session, uscc)
        if firm is not None:
            if firm.id == app.parties.organisation_id(session, row.inviter):
                raise Problem("invitation_to_self")
            return _known(app, session, row, firm.id)
        address = joined_key(uscc).address if app.settings.demo else own_address(body.address)
        application = app.onboarding.apply(session, body.name, uscc, contact, address)
        app.supplier_invitations.take(session, row, address, application.id)
        is_new = app.people.by_contact(session, contact) is None
        person = app.people.add(session, body.name, contact, language=language)
        app.people.seat(session, person, address)
        _tell(app, session, row, application.evidence_id)
    if not app.settings.demo:
        return Came("waiting", address)
    enrol_with_demo_keys(app, application.id)
    return Came("enrolled", address, person.id if is_new else None)


def shape(app: App, session: Session, row: SupplierInvitation) -> dict[str, Any]:
    """An invitation as its enterprise sees it."""
    application = session.get(Application, row.application_id) if row.application_id else None
    return {
        "id": row.id,
        "stage": app.supplier_invitations.stage(row),
        "to_name": row.to_name,
        "expires_on": day_of(row.expires_at).isoformat(),
        "firm": app.parties.name_of(session, row.joined_as) if row.joined_as else None,
        "ready": row.joined_as is not None and (application is None or application.state == "enrolled"),
        "turn": app.onboarding.turn(application) if application else None,
    }


def _known(app: App, session: Session, row: SupplierInvitation, organisation_id: int) -> Came:
    """A member needs no joining, and whoever typed its code gets no session for it."""
    account = app.onboarding.account_of(session, organisation_id)
    application = app.onboarding.of_organisation(session, organisation_id)
    if account is None and application is None:
        raise Problem("firm_cannot_receive")
    waits = account is None and application is not None
    address = account.address if account else application.address if application else ""
    app.supplier_invitations.take(session, row, address, application.id if waits and application else None)
    _tell(app, session, row, row.evidence_id)
    return Came("waiting" if waits else "member", address)


def _tell(app: App, session: Session, row: SupplierInvitation, evidence_id: str) -> None:
    firm = app.parties.name_of(session, str(row.joined_as))
    words = {
        "en": f"{firm} took your invitation. Once it is enrolled, what you owe it can be issued to it.",
        "zh-CN": f"{firm} 已接受贵司邀请。入网后，贵司即可向其开立应收账款凭证。",
    }
    app.notices.tell(session, f"supplier:{row.id}", row.inviter, "invitation", words, evidence_id=evidence_id)


@router.get("/supplier-invitations", tags=["invitations"])
def supplier_invitations(app: Scf, caller: Who) -> dict[str, Any]:
    """The firm's invitations to suppliers, newest first; links are never shown again."""
    with app.reading() as session:
        rows = app.supplier_invitations.of(session, caller.addresses)
        return {"items": [shape(app, session, row) for row in rows], "next": None}


@router.post("/supplier-invitations", tags=["invitations"])
def invite_supplier(app: Scf, caller: Who, body: SupplierInvitationBody, request: Request) -> dict[str, Any]:
    """Invite a supplier as a core enterprise; its link is in this answer and nowhere else."""
    row, secret = invite(app, caller, body.to_name)
    with app.reading() as session:
        shown = shape(app, session, row)
    return {**shown, "link": f"{request.url.scheme}://{request.url.netloc}/welcome/{secret}"}


@router.delete("/supplier-invitations/{invitation_id}", tags=["invitations"])
def withdraw_invitation(app: Scf, caller: Who, invitation_id: str) -> dict[str, Any]:
    """Take an open invitation back; its link stops working."""
    with app.desk.session() as session:
        app.supplier_invitations.withdraw(session, invitation_id, caller.addresses)
    return {"withdrawn": invitation_id}
