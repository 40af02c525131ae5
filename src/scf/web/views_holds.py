"""Everything that keeps money or acts back: why, who decides by when, whose turn it is; appeals and their decision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import reads
from scf.api.access import Caller
from scf.api.routes_holds import lift_signature
from scf.api.shapes import amount
from scf.holds.finding import Hold
from scf.holds.lifting import LIFTED_BY_QUORUM
from scf.kernel.dates import day_of
from scf.kernel.money import parse_minor
from scf.kernel.problems import Problem
from scf.parties.changes import ChangeRequest
from scf.parties.models import Organisation
from scf.parties.service import Role
from scf.store.evidence import Evidence
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go
from scf.web.signing import kept_act
from scf.web.views_signing import opened, sign_page

router = APIRouter()
KINDS = {
    "frozen": N_("Frozen note"),
    "dispute": N_("Part in dispute"),
    "halt": N_("Issuing halted"),
    "exception": N_("Facts that disagree"),
    "urgent": N_("Urgent release unchecked"),
    "standing": N_("Firm on the blacklist"),
}


@router.get("/holds")
def holds(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Holds that concern the caller, all of them for overseers."""
    return holds_page(request, pages, caller, None)


@router.post("/holds")
async def act(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Appeal, decide an appeal, open the end of a hold, sign it; `act` says what."""
    form = await request.form()
    return await run_in_threadpool(_act, request, pages, caller, form)


def _act(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    given = {name: str(value) for name, value in form.items()}
    what, content = given.get("act", ""), None
    try:
        if what == "sign" and not pages.app.settings.demo:
            content = opened(pages, caller, form["sealed"]) if form.get("sealed") else None
            if content is None:
                content = _to_sign(pages, caller, given.get("lift", ""))
                return _ask_signatures(request, pages, caller, content, None)
            given |= {"lift": str(content["lift"]), "signature": given.get("signatures", "")}
        _carry_out(pages, caller, what, given)
    except Problem as problem:
        if content is not None:
            return _ask_signatures(request, pages, caller, content, problem)
        return holds_page(request, pages, caller, problem)
    return go("/holds", done=f"hold_{what}")


def _to_sign(pages: Pages, caller: Caller, lift: str) -> dict[str, Any]:
    """What an operator signs to end a hold, as it travels sealed until the signatures are there."""
    caller.require(Role.OPERATOR)
    with pages.app.reading() as session:
        acts = pages.app.holds.lift_acts(session, lift)
    if not acts:
        raise Problem("lift_over", state="done")
    kept = [kept_act(one, 0, "CNY") for one in acts]
    return {"caller": caller.address, "lift": lift, "summary": acts[0].summary, "acts": kept}


def _ask_signatures(
    request: Request, pages: Pages, caller: Caller, content: dict[str, Any], problem: Problem | None
) -> Response:
    return sign_page(request, pages, caller, content, problem, action="/holds", back="/holds", hidden={"act": "sign"})


def _carry_out(pages: Pages, caller: Caller, what: str, given: dict[str, str]) -> None:
    app = pages.app
    if what == "sign":
        caller.require(Role.OPERATOR)
        lift = given.get("lift", "")
        demo = app.settings.demo
        app.holds.sign_lift(lift, caller.address, lift_signature(app, caller, lift, given.get("signature"), demo))
        return
    with app.desk.session() as session:
        if what == "appeal":
            who = _party(pages, session, caller, given.get("hold", ""))
            app.holds.appeal(session, given.get("hold", ""), who, given.get("words", ""))
            return
        caller.require(Role.OPERATOR)
        if what in ("uphold", "reject"):
            outcome = "upheld" if what == "uphold" else "rejected"
            body = {"appeal": given.get("appeal", ""), "outcome": outcome, "words": given.get("words", "")}
            app.changes.request(session, "decide_appeal", body, caller.address)
        elif what == "agree":
            app.changes.approve(session, given.get("change", ""), caller.address)
        elif what == "disagree":
            app.changes.send_back(session, given.get("change", ""), caller.address, given.get("words", ""))
        elif what == "lift":
            code = given.get("currency", "CNY")
            app.holds.open_lift(
                session,
                given.get("hold", ""),
                caller.address,
                words=given.get("words", ""),
                evidence_id=given.get("evidence", ""),
                to_release_minor=_minor(given.get("to_release"), code),
                to_refund_minor=_minor(given.get("to_refund"), code),
            )
        else:
            raise Problem("unknown_act", act=what[:40])


def _minor(text: str | None, code: str) -> int | None:
    return parse_minor(text.strip(), code) if text and text.strip() else None


def _party(pages: Pages, session: Session, caller: Caller, hold_id: str) -> str:
    for one in pages.app.holds.of(session, caller.addresses):
        if one.id == hold_id:
            mine = one.parties & caller.addresses
            return caller.address if caller.address in mine else min(mine)
    raise Problem("unknown_hold", hold=hold_id[:80])


def holds_page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    """The one page of holds; for operators also entries of the blacklist a second one has to agree to."""
    app, may_decide = pages.app, caller.has(Role.OPERATOR)
    with app.reading() as session:
        rows = app.holds.all(session) if caller.sees_all else app.holds.of(session, caller.addresses)
        waiting = _waiting(pages, session, caller) if may_decide else {}
        shown = [_shown(pages, session, caller, one, waiting) for one in rows]
        papers = papers_of(session) if may_decide else []
        balance = [amount(minor, code) for code, minor in sorted(reads.held_sums(session, caller.addresses).items())]
        entries = proposed_entries(pages, session, caller) if caller.sees_all else []
        organisations = firms(session) if may_decide else []
        under_way = [
            {"row": row, "turn": app.holds.turn(session, row), "mine": row.first_by == caller.address}
            for row in app.holds.lifts(session)
            if row.state == "open" and (caller.sees_all or caller.addresses & set(row.parties.split(",")))
        ]
    return pages.render(
        request,
        "holds.html",
        caller,
        status=problem.status if problem else 200,
        items=shown,
        lifts=under_way,
        balance=balance,
        papers=papers,
        entries=entries,
        organisations=organisations,
        kinds=KINDS,
        may_decide=may_decide,
        problem=problem,
    )  # fmt: skip


def proposed_entries(pages: Pages, session: Session, caller: Caller) -> list[dict[str, Any]]:
    """Entries a second operator has to agree to, as the page of holds shows them."""
    duties = {one.address: one.duty for one in pages.app.parties.participants(session)}
    return [
        {
            "row": entry.row,
            "name": entry.name,
            "since": day_of(entry.row.proposed_at),
            "proposed_by": duties.get(entry.row.proposed_by, ""),
            "mine": entry.row.proposed_by == caller.address,
        }
        for entry in pages.app.lists.entries(session)
        if entry.row.state == "proposed"
    ]


def firms(session: Session) -> Sequence[Organisation]:
    """All firms an entry can be about."""
    return session.exec(select(Organisation).order_by(col(Organisation.id))).all()


def papers_of(session: Session) -> list[Evidence]:
    """Documents an entry, a guarantor or the end of a hold can rest on, newest first; the system's own are left out."""
    query = select(Evidence).where(col(Evidence.kind).not_in(OWN_RECORDS))
    return list(session.exec(query.order_by(col(Evidence.leaf_index).desc()).limit(60)))


OWN_RECORDS = ("reading", "decision", "reminder", "change", "declined", "late hold", "lift", "appeal decision")
"""Kinds of evidence the system writes itself."""


def _waiting(pages: Pages, session: Session, caller: Caller) -> dict[str, ChangeRequest]:
    """Decisions about appeals that a second operator has to agree to, by appeal."""
    rows = pages.app.changes.of_firm(session, caller.organisation_id, waiting=True)
    return {json.loads(row.body)["appeal"]: row for row in rows if row.kind == "decide_appeal"}


def _paper(session: Session, evidence_id: str | None) -> Evidence | None:
    """The document a hold rests on, as it was first brought."""
    query = select(Evidence).where(Evidence.evidence_id == evidence_id).order_by(col(Evidence.leaf_index))
    return session.exec(query.limit(1)).first() if evidence_id else None


def _shown(
    pages: Pages, session: Session, caller: Caller, one: Hold, waiting: dict[str, ChangeRequest]
) -> dict[str, Any]:
    app = pages.app
    appeals = app.holds.appeals(session, of=None if caller.sees_all else caller.addresses, hold=one.id)
    now = app.clock.now()
    return {
        "hold": one,
        "amount": amount(one.amount_minor, one.currency) if one.amount_minor else None,
        "since": day_of(one.since) if one.since else None,
        "paper": _paper(session, one.evidence_id),
        "decide_by": day_of(one.decide_by),
        "late": one.decide_by <= now,
        "mine": bool(one.parties & caller.addresses),
        "appeals": [
            {
                "row": row,
                "who": app.parties.name_of(session, row.appellant),
                "change": waiting.get(row.id),
                "own": bool(waiting.get(row.id)) and waiting[row.id].maker == caller.address,
            }
            for row in appeals
        ],
        "open": any(row.state == "open" and row.appellant in caller.addresses for row in appeals),
        "liftable": one.kind in LIFTED_BY_QUORUM
        and (one.decide_by <= now or one.kind == "standing")
        and not any(row.state == "open" for row in app.holds.lifts(session, hold=one.id)),
    }
