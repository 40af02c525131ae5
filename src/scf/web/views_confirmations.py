"""Confirmations (ISA 505): an auditor asks obligors, holders and banks; each answers with its own signed figure."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.shapes import amount
from scf.audit.confirmations import Confirmation, Confirmations
from scf.audit.matters import MATTERS
from scf.kernel.dates import day_of
from scf.kernel.money import format_money, format_plain, parse_minor
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.service import Role
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.i18n import N_, translate
from scf.web.pages import Pages, go
from scf.web.signing import pasted
from scf.web.tables import csv_answer
from scf.web.views_signing import opened, sign_page
from scf.web.voice import LANGUAGES

router = APIRouter()
_OVERSEERS = Role.AUDITOR | Role.OPERATOR | Role.REGULATOR
MATTER_WORDS = {
    "owed": N_("core enterprises: what they owe"),
    "held": N_("holders: the notes they hold"),
    "locked": N_("banks: what they keep locked"),
}


@router.get("/confirmations")
def confirmations(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """For an auditor all questions, those that differ first; for a firm the questions to it."""
    return _confirmations_page(request, pages, caller, None)


@router.get("/confirmations.csv")
def confirmations_csv(pages: PagesDoor, caller: Signed) -> Response:
    """Every question with its answer, as a table."""
    caller.require(_OVERSEERS)
    with pages.app.reading() as session:
        rows = _room(pages).all(session)
        about = _room(pages).matters(session, rows)
        names = pages.app.parties.names(session)
    header = ("id", "respondent", "about", "currency", "as_of", "books", "answer", "difference", "remark", "signature")
    cells = (
        (
            row.id,
            names.get(row.respondent, row.respondent),
            " ".join(about[row.id or 0]).strip(),
            row.currency,
            day_of(row.as_of),
            format_plain(row.books_minor, row.currency),
            "" if row.answer_minor is None else format_plain(row.answer_minor, row.currency),
            "" if row.answer_minor is None else format_plain(row.answer_minor - row.books_minor, row.currency),
            row.remark or "",
            row.signature or "",
        )
        for row in rows
    )
    return csv_answer("confirmations", header, cells)


@router.post("/confirmations")
def send(
    request: Request, pages: PagesDoor, caller: Fresh, matter: Annotated[list[str] | None, Form()] = None
) -> Response:
    """Ask obligors, holders and banks, as chosen; whoever has an open question of the kind is not asked again."""
    caller.require(Role.AUDITOR)
    try:
        with pages.app.desk.session() as session:
            _room(pages).send(session, caller.address, [one for one in matter or () if one in MATTERS])
    except Problem as problem:
        return _confirmations_page(request, pages, caller, problem)
    return go("/confirmations", done="asked_confirmations")


@router.post("/confirmations/{confirmation_id}")
async def answer(request: Request, pages: PagesDoor, caller: Fresh, confirmation_id: int) -> Response:
    """Answer a question to our firm with our own figure, signed by our key."""
    form = await request.form()
    return await run_in_threadpool(_answer, request, pages, caller, confirmation_id, form)


def _answer(request: Request, pages: Pages, caller: Caller, confirmation_id: int, form: FormData) -> Response:
    app, room, content = pages.app, _room(pages), None
    path = f"/confirmations/{confirmation_id}"
    try:
        with app.desk.session() as session:
            row = session.get(Confirmation, confirmation_id)
            if row is None or row.respondent not in caller.addresses:
                raise Problem("confirmation_unknown", confirmation=confirmation_id)
            if row.answered_at is not None:
                raise Problem("confirmation_answered")
            content = opened(pages, caller, form["sealed"]) if form.get("sealed") else None
            if content is None:
                minor = parse_minor(str(form.get("figure") or "").strip(), row.currency)
                said = str(form.get("remark") or "").strip()[:600]
            else:
                minor, said = int(content["minor"]), str(content["remark"])
            if app.settings.demo:
                parts = _demo_parts(pages, row.respondent, room.statement(session, row, minor, said).digest)
            elif content is None:
                content = _to_sign(room, session, caller, row, minor, said)
                return sign_page(request, pages, caller, content, None, action=path, back="/confirmations")
            else:
                parts = pasted(form)
            room.answer(session, confirmation_id, answer_minor=minor, remark=said, signatures=parts)
    except Problem as problem:
        if problem.code == "confirmation_unknown":
            raise
        if content is not None and problem.code != "confirmation_answered":
            return sign_page(request, pages, caller, content, problem, action=path, back="/confirmations")
        return _confirmations_page(request, pages, caller, problem)
    return go("/confirmations", done="confirmed")


def _room(pages: Pages) -> Confirmations:
    return Confirmations(pages.app.desk)


def _to_sign(
    room: Confirmations, session: Session, caller: Caller, row: Confirmation, minor: int, said: str
) -> dict[str, Any]:
    """An answer as it travels sealed until its signatures are there."""
    figure = format_money(minor, row.currency)
    summary = {one: translate(one, N_("You answer an auditor: %(figure)s.")) % {"figure": figure} for one in LANGUAGES}
    return {
        "caller": caller.address,
        "minor": str(minor),
        "remark": said,
        "summary": summary,
        "statement": {"primary_type": "Confirmation", "message": room.message(session, row, minor, said)},
    }


def _demo_parts(pages: Pages, address: str, signed: bytes) -> list[bytes]:
    from scf.demo.cast import demo_signers  # the cast exists only in demo installations

    return [sign_digest(key.private, signed) for key in demo_signers(pages.app, address)]


def _confirmations_page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    sees = caller.has(_OVERSEERS)
    with pages.app.reading() as session:
        room = _room(pages)
        rows = room.all(session) if sees else room.of(session, caller.addresses)
        about = room.matters(session, rows)
        names = pages.app.parties.names(session)
    shown = [
        {
            "row": row,
            "matter": about[row.id or 0][0],
            "subject": about[row.id or 0][1],
            "difference": amount((row.answer_minor or 0) - row.books_minor, row.currency)
            if sees and row.differs
            else None,
            "who": names.get(row.respondent, row.respondent),
            "auditor": names.get(row.auditor, row.auditor),
            "as_of": day_of(row.as_of),
            "since": day_of(row.answered_at or row.sent_at),
            "books": amount(row.books_minor, row.currency) if sees else None,
            "answer": amount(row.answer_minor, row.currency) if row.answer_minor is not None else None,
        }
        for row in rows
    ]
    return pages.render(
        request,
        "confirmations.html",
        caller,
        status=problem.status if problem else 200,
        rows=shown,
        matters=MATTER_WORDS,
        counts={one: sum(row["matter"] == one for row in shown) for one in MATTERS},
        sees=sees,
        sent=len(rows),
        answered=sum(row.answered_at is not None for row in rows),
        differing=sum(row.differs for row in rows),
        may_send=caller.has(Role.AUDITOR),
        problem=problem,
    )
