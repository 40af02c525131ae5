"""The operators' side of joining: who asks, enrol by two signatures, or refuse with a reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlmodel import Session, select
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import joining, messenger
from scf.api.access import Caller
from scf.api.messages import read_signatures
from scf.api.shapes import amount
from scf.desk.service import Prepared
from scf.identity.contacts import masked
from scf.identity.models import Person
from scf.kernel.problems import Problem
from scf.parties.models import Member, Seat
from scf.parties.onboarding import Application, ApplicationTerms
from scf.parties.service import Role
from scf.receivables.service import plain
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.pages import Pages, go
from scf.web.signing import kept_act
from scf.web.svg.qr import qr_of
from scf.web.views_links import send_link
from scf.web.views_prove import prove_box, prove_by_form

router = APIRouter()


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
    signature: Annotated[str, Form()] = "",
    prove: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
) -> Response:
    """Sign as one operator; with the second one's signature the firm is enrolled and let know."""
    caller.require(Role.OPERATOR)
    app = pages.app
    try:
        if app.settings.demo:
            joining.enrol_with_demo_keys(app, application_id)
        else:
            sent = prove_by_form(request, pages, caller, FormData({"prove": prove, "code": code}))
            if sent:
                return _page(request, pages, caller, application_id, sent_to=sent)
            (parts,) = read_signatures([signature.split()], "enrol", 1)
            if app.onboarding.sign(application_id, parts[0], caller=caller.key).state == "waiting":
                return go(f"/applications/{application_id}", done="half_enrolled")
    except Problem as problem:
        return _page(request, pages, caller, application_id, problem=problem)
    joining.after_enrolment(app, application_id)
    with app.reading() as session:
        contacts = [one.contact for one in _people(pages, session, app.onboarding.get(session, application_id))]
    for contact in contacts:
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
def link(
    request: Request, pages: PagesDoor, caller: Fresh, application_id: str, person: Annotated[str, Form()] = ""
) -> Response:
    """A one-time link for a person of an enrolled firm, shown to the operator this once."""
    caller.require(Role.OPERATOR)
    with pages.app.desk.session() as session:
        row = pages.app.onboarding.get(session, application_id)
        people = {one.id: one for one in _people(pages, session, row)}
        chosen = people.get(person) or next(iter(people.values()), None)
        if row.state != "enrolled" or chosen is None:
            raise Problem("unknown_application", application=application_id[:24])
        secret = pages.app.people.make_link(session, chosen)
    return _page(request, pages, caller, application_id, link_=f"{pages.origin(request)}/enter/{secret}")


def _people(pages: Pages, session: Session, row: Application) -> Sequence[Person]:
    """Who acts for the firm, the one it gave as contact first."""
    seats = session.exec(select(Seat.address).where(Seat.organisation_id == row.organisation_id)).all()
    return sorted(pages.app.people.at(session, seats), key=lambda one: one.contact != row.contact)


def _page(
    request: Request,
    pages: Pages,
    caller: Caller,
    application_id: str,
    *,
    problem: Problem | None = None,
    link_: str | None = None,
    sent_to: str | None = None,
) -> Response:
    caller.require(Role.OPERATOR | Role.REGULATOR)
    with pages.app.desk.session() as session:
        pages.app.onboarding.catch_up(session)
        row = pages.app.onboarding.get(session, application_id)
        shown = _shape(pages, session, row)
        came_by = pages.app.invitations.of_application(session, application_id)
        invitations = [pages.app.invitations.facts(session, one) for one in came_by]
        standing = pages.app.onboarding.quorum.standing(session, application_id) if row.state == "waiting" else None
        member = session.get(Member, caller.address)
        terms = session.get(ApplicationTerms, application_id)
        bank = pages.app.parties.name_of(session, terms.paying_bank) if terms and terms.paying_bank else None
        people = _people(pages, session, row)
        own_key = member.key if member else caller.address
        signed_by = [pages.app.parties.name_of(session, one) for one in standing.signers] if standing else []
    prepared = pages.app.onboarding.prepare(application_id) if row.state == "waiting" else None
    return pages.render(
        request,
        "application.html",
        caller,
        status=problem.status if problem else 200,
        row=shown,
        turn=pages.app.onboarding.turn(row),
        invitations=invitations,
        summary=prepared.summary if prepared else {},
        digest=prepared.digest.hex() if prepared else "",
        typed=json.dumps(plain(prepared.typed_data)) if prepared else "",
        sealed=pages.sessions.seal(_to_sign(caller, prepared)) if prepared else "",
        standing=standing,
        signed_by=signed_by,
        own_key=own_key,
        terms=terms,
        granted=[str(role.name).lower() for role in Role if role & row.roles],
        limit=amount(terms.limit_minor, "CNY") if terms else None,
        bank=bank,
        people=people,
        prove=prove_box(request, pages, caller, sent_to),
        problem=problem,
        link=link_,
        qr=qr_of(link_) if link_ else "",
        contact=masked(row.contact),
        reached=messenger.reaches(row.contact),
    )


def _to_sign(caller: Caller, prepared: Prepared) -> dict[str, Any]:
    return {"caller": caller.address, "acts": [kept_act(prepared, 0, "CNY")]}


def _shape(pages: Pages, session: Session, row: Application) -> dict[str, Any]:
    firm = pages.app.parties.find(session, row.organisation_id)
    return {**row.model_dump(), "name": firm.name if firm else "—", "uscc": firm.uscc if firm else "—"}
