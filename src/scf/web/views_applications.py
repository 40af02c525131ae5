"""The operators' side of joining: who asks, enrol by two signatures, or refuse with a reason."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlmodel import Session
from starlette.responses import Response

from scf.api import joining, messenger
from scf.api.access import Caller
from scf.api.messages import read_message, read_signatures
from scf.identity.contacts import masked
from scf.kernel.problems import Problem
from scf.parties.onboarding import Application
from scf.parties.service import Role
from scf.receivables.service import plain
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.pages import Pages, go
from scf.web.svg.qr import qr_of
from scf.web.views_links import send_link

router = APIRouter()
_SIGN_SECONDS = 2 * 86_400


@router.get("/applications")
def applications(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Firms that asked, the one to be decided soonest first."""
    caller.require(Role.OPERATOR | Role.REGULATOR)
    with pages.app.desk.session() as session:
        pages.app.onboarding.catch_up(session)
        rows = [_shape(pages, session, row) for row in pages.app.onboarding.all(session)]
    waiting = sum(row["state"] == "waiting" for row in rows)
    return pages.render(request, "applications.html", caller, rows=rows, waiting=waiting)


@router.get("/applications/{application_id}")
def application(request: Request, pages: PagesDoor, caller: Signed, application_id: str) -> Response:
    """One firm that asked: what it said, and what two operators sign."""
    return _page(request, pages, caller, application_id)


@router.post("/applications/{application_id}/enrol")
def enrol(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    application_id: str,
    sealed: Annotated[str, Form()] = "",
    signature: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Enrol the firm by the operator quorum, and let it know."""
    caller.require(Role.OPERATOR)
    try:
        if pages.app.settings.demo:
            joining.enrol_with_demo_keys(pages.app, application_id)
        else:
            kept = pages.sessions.open(sealed, seconds=_SIGN_SECONDS)
            if kept is None:
                raise Problem("confirmation_expired")
            message = read_message("Members", "EnrolMany", json.loads(str(kept["message"])))
            (parts,) = read_signatures(signature or [], "enrol", 1)
            pages.app.onboarding.enrol(application_id, message, parts, caller=caller.key)
    except Problem as problem:
        return _page(request, pages, caller, application_id, problem=problem)
    joining.after_enrolment(pages.app, application_id)
    with pages.app.reading() as session:
        contact = pages.app.onboarding.get(session, application_id).contact
    send_link(request, pages, contact)
    return go(f"/applications/{application_id}", done="enrolled")


@router.post("/applications/{application_id}/refuse")
def refuse(
    request: Request, pages: PagesDoor, caller: Signed, application_id: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Say no, with a reason the firm reads."""
    caller.require(Role.OPERATOR)
    try:
        pages.app.onboarding.refuse(application_id, reason)
    except Problem as problem:
        return _page(request, pages, caller, application_id, problem=problem)
    return go(f"/applications/{application_id}", done="refused")


@router.post("/applications/{application_id}/link")
def link(request: Request, pages: PagesDoor, caller: Fresh, application_id: str) -> Response:
    """A one-time link for an enrolled firm, shown to the operator this once."""
    caller.require(Role.OPERATOR)
    with pages.app.desk.session() as session:
        row = pages.app.onboarding.get(session, application_id)
        person = pages.app.people.by_contact(session, row.contact)
        if row.state != "enrolled" or person is None:
            raise Problem("unknown_application", application=application_id[:24])
        secret = pages.app.people.make_link(session, person)
    return _page(request, pages, caller, application_id, link_=f"{pages.origin(request)}/enter/{secret}")


def _page(
    request: Request,
    pages: Pages,
    caller: Caller,
    application_id: str,
    *,
    problem: Problem | None = None,
    link_: str | None = None,
) -> Response:
    caller.require(Role.OPERATOR | Role.REGULATOR)
    with pages.app.desk.session() as session:
        pages.app.onboarding.catch_up(session)
        row = pages.app.onboarding.get(session, application_id)
        shown = _shape(pages, session, row)
        came_by = pages.app.invitations.of_application(session, application_id)
        invitations = [pages.app.invitations.facts(session, one) for one in came_by]
    prepared = pages.app.onboarding.prepare(application_id) if row.state == "waiting" else None
    message = json.dumps(plain(prepared.message)) if prepared else ""
    return pages.render(
        request,
        "application.html",
        caller,
        status=problem.status if problem else 200,
        row=shown,
        turn=pages.app.onboarding.turn(row),
        invitations=invitations,
        summary=prepared.summary if prepared else {},
        digest="0x" + prepared.digest.hex() if prepared else "",
        typed=json.dumps(plain(prepared.typed_data), indent=1) if prepared else "",
        sealed=pages.sessions.seal({"message": message}) if prepared else "",
        problem=problem,
        link=link_,
        qr=qr_of(link_) if link_ else "",
        contact=masked(row.contact),
        reached=messenger.reaches(row.contact),
    )


def _shape(pages: Pages, session: Session, row: Application) -> dict[str, Any]:
    firm = pages.app.parties.find(session, row.organisation_id)
    return {**row.model_dump(), "name": firm.name if firm else "—", "uscc": firm.uscc if firm else "—"}
