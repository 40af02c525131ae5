"""Blacklist and guarantors for operators, and for a listed firm what holds it, who decided, and how to appeal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.shapes import amount
from scf.desk.service import Prepared
from scf.kernel.dates import day_of
from scf.kernel.money import parse_minor
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.models import Organisation
from scf.parties.service import Role
from scf.risk.lists import Entry
from scf.risk.models import ListEntry
from scf.store.evidence import Evidence
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go
from scf.web.signing import kept_act
from scf.web.views_signing import opened, sign_page

router = APIRouter()
_OVERSEERS = Role.OPERATOR | Role.AUDITOR | Role.REGULATOR
_SOON_DAYS = 30
STATES = {
    "proposed": N_("proposed"),
    "in_force": N_("in force"),
    "ending": N_("end proposed"),
    "ended": N_("ended"),
    "rejected": N_("not agreed"),
}


@router.get("/lists")
def lists(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What is about to expire, appeals that wait, every entry, and the guarantors with their licences."""
    return _lists_page(request, pages, caller, None)


@router.post("/lists")
async def change(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Everything an operator does here; `act` says what."""
    form = await request.form()
    return await run_in_threadpool(_change, request, pages, caller, form)


def _change(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    act, given = str(form.get("act") or ""), {name: str(value) for name, value in form.items()}
    content: dict[str, Any] | None = None
    try:
        if act == "agree" and not pages.app.settings.demo:
            content = opened(pages, caller, form["sealed"]) if form.get("sealed") else None
            if content is None:
                return _ask_signatures(request, pages, caller, _to_sign(pages, caller, given), None)
            given["entry"] = str(content["entry"])
        _carry_out(pages, caller, act, given)
    except Problem as problem:
        if content is not None:
            return _ask_signatures(request, pages, caller, content, problem)
        return _lists_page(request, pages, caller, problem)
    return go("/lists", done=f"list_{act}")


def _carry_out(pages: Pages, caller: Caller, act: str, given: dict[str, str]) -> None:
    rooms, by = pages.app.lists, caller.address
    if act == "agree":
        rooms.agree(_number(given.get("entry")), by, lambda acts: _signed(pages, caller, acts, given))
        return
    with pages.app.desk.session() as session:
        if act == "propose":
            rooms.propose(
                session,
                _number(given.get("organisation")),
                reason=given.get("reason", ""),
                evidence_id=given.get("evidence", ""),
                authority=given.get("authority", ""),
                until=given.get("until", ""),
                by=by,
            )
        elif act == "end":
            rooms.end(session, _number(given.get("entry")), reason=given.get("reason", ""), by=by)
        elif act == "reject":
            rooms.reject(session, _number(given.get("entry")), reason=given.get("reason", ""), by=by)
        elif act in ("uphold", "dismiss"):
            reason = given.get("reason", "")
            rooms.decide_appeal(session, _number(given.get("appeal")), upheld=act == "uphold", reason=reason, by=by)
        elif act == "guarantor":
            assets = given.get("net_assets", "").strip()
            rooms.register_guarantor(
                session,
                name=given.get("name", ""),
                uscc=given.get("uscc", ""),
                licence=given.get("licence", ""),
                licence_until=given.get("licence_until", ""),
                evidence_id=given.get("evidence", ""),
                net_assets_minor=parse_minor(assets, "CNY") if assets else None,
                by=by,
            )
        else:
            raise Problem("unknown_act", act=act[:40])


@router.get("/standing")
def standing(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Our own standing: what holds us, why, on what evidence, by whom, until when, and how to appeal."""
    return _standing_page(request, pages, caller, None)


@router.post("/standing")
def appeal(
    request: Request, pages: PagesDoor, caller: Signed, entry: Annotated[int, Form()], said: Annotated[str, Form()] = ""
) -> Response:
    """Appeal against an entry."""
    try:
        with pages.app.desk.session() as session:
            pages.app.lists.appeal(session, entry, said=said, by=caller.address, organisation_id=caller.organisation_id)
    except Problem as problem:
        return _standing_page(request, pages, caller, problem)
    return go("/standing", done="list_appeal")


# Inside ---------------------------------------------------------------------------------------------------------------


def _lists_page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    caller.require(_OVERSEERS)
    app = pages.app
    with app.reading() as session:
        entries = app.lists.entries(session)
        guarantors = app.lists.guarantors(session)
        firms = session.exec(select(Organisation).order_by(col(Organisation.id))).all()
        papers = _papers(session)
        names = {one.address: one.duty for one in app.parties.participants(session)}
    shown = [_shown(entry, caller, names) for entry in entries]
    live = [one for one in shown if one["row"].state in ("proposed", "in_force", "ending")]
    return pages.render(
        request,
        "lists.html",
        caller,
        status=problem.status if problem else 200,
        live=live,
        past=[one for one in shown if one not in live],
        soon=[one for one in live if one["row"].state == "in_force" and one["left"] <= _SOON_DAYS],
        waiting=[one for one in live if one["appeal"]],
        guarantors=[
            {
                "row": row,
                "left": left,
                "stands_for": amount(minor, "CNY"),
                "assets": amount(row.net_assets_minor, "CNY") if row.net_assets_minor is not None else None,
                "times": f"{minor / row.net_assets_minor:.1f}" if row.net_assets_minor else None,
            }
            for row, left, minor in guarantors
        ],
        lapsing=sum(1 for _, left, _ in guarantors if left <= _SOON_DAYS),
        organisations=firms,
        papers=papers,
        states=STATES,
        may_change=caller.has(Role.OPERATOR),
        problem=problem,
    )


def _shown(entry: Entry, caller: Caller, names: dict[str, str]) -> dict[str, Any]:
    row = entry.row
    proposer = row.proposed_by if row.state == "proposed" else row.end_reason_by
    return {
        "row": row,
        "name": entry.name,
        "left": entry.days_left,
        "since": day_of(row.agreed_at or row.proposed_at),
        "proposed_by": names.get(row.proposed_by, ""),
        "agreed_by": names.get(row.agreed_by or "", ""),
        "appeal": entry.open_appeal,
        "appeals": entry.appeals,
        "mine": proposer == caller.address,
        "may_judge": row.proposed_by != caller.address,
    }


def _standing_page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    with pages.app.reading() as session:
        entries = pages.app.lists.entries(session, organisation_id=caller.organisation_id)
        names = {one.address: one.duty for one in pages.app.parties.participants(session)}
    shown = [_shown(entry, caller, names) for entry in entries if entry.row.state not in ("proposed", "rejected")]
    return pages.render(
        request,
        "standing.html",
        caller,
        status=problem.status if problem else 200,
        held=next((one for one in shown if one["row"].state in ("in_force", "ending")), None),
        past=[one for one in shown if one["row"].state == "ended"],
        problem=problem,
    )


def _to_sign(pages: Pages, caller: Caller, given: dict[str, str]) -> dict[str, Any]:
    """What two operators sign for an entry or its end, as it travels sealed until the signatures are there."""
    entry = _number(given.get("entry"))
    with pages.app.reading() as session:
        made = pages.app.lists.prepare(session, entry)
    summary = made[0].summary if made else {}
    acts = [kept_act(one, 0, "CNY") for one in made]
    return {"caller": caller.address, "entry": entry, "summary": summary, "acts": acts}


def _ask_signatures(
    request: Request, pages: Pages, caller: Caller, content: dict[str, Any], problem: Problem | None
) -> Response:
    hidden = {"act": "agree"}
    return sign_page(request, pages, caller, content, problem, action="/lists", back="/lists", hidden=hidden, signers=2)


def _signed(pages: Pages, caller: Caller, acts: Sequence[Prepared], given: dict[str, str]) -> list[list[bytes]]:
    """Both operators' signatures over each act: by demo keys, or given on the form, two for each act."""
    if not pages.app.settings.demo:
        lines = given.get("signatures", "").split()
        if len(lines) != 2 * len(acts):
            raise Problem("signatures_missing", act="set_standing", needed=2 * len(acts), given=len(lines))
        try:
            flat = [bytes.fromhex(line.removeprefix("0x")) for line in lines]
        except ValueError as error:
            raise Problem("signature_not_hex") from error
        return [flat[place * 2 : place * 2 + 2] for place in range(len(acts))]
    from scf.demo.cast import demo_signers  # the cast exists only in demo installations

    with pages.app.reading() as session:
        row = session.get(ListEntry, _number(given.get("entry")))
    first = (row.proposed_by if row.state == "proposed" else row.end_reason_by) if row else None
    keys = [demo_signers(pages.app, who)[0] for who in (first or "", caller.address)]
    return [[sign_digest(key.private, act.digest) for key in keys] for act in acts]


def _papers(session: Session) -> list[Evidence]:
    """Documents an entry can rest on, newest first; what the system wrote itself is left out."""
    query = select(Evidence).where(col(Evidence.kind).not_in(("reading", "decision", "reminder", "change", "declined")))
    return list(session.exec(query.order_by(col(Evidence.leaf_index).desc()).limit(60)))


def _number(text: str | None) -> int:
    plain = (text or "").strip()
    if not plain.isascii() or not plain.isdigit():
        raise Problem("list_entry_unknown", entry=plain[:20] or "—")
    return int(plain)
