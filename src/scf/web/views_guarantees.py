"""Guarantees: who stands for whose debts to whom, up to what and until when; entered and ended by two operators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import reads
from scf.api.access import Caller
from scf.api.shapes import amount
from scf.kernel.clock import today
from scf.kernel.money import format_plain, parse_minor
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.risk import service as risk
from scf.risk.guarantees import Standing
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.pages import Pages, go
from scf.web.svg.charts import against
from scf.web.tables import csv_answer
from scf.web.views_core import totals_of

router = APIRouter()
_OVERSEERS = Role.OPERATOR | Role.AUDITOR | Role.REGULATOR
_SOON_DAYS = 30


@router.get("/guarantees")
def guarantees(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What is guaranteed now, what ends soon, every guarantee; for a financier those given to it."""
    return _page(request, pages, caller, None, FormData())


@router.get("/guarantees.csv")
def guarantees_csv(pages: PagesDoor, caller: Signed) -> Response:
    """The same as a table."""
    with pages.app.reading() as session:
        rows = _rows(pages, session, caller)
        names = pages.app.parties.names(session)
    header = (
        "guarantor",
        "licence_until",
        "obligor",
        "financier",
        "currency",
        "limit",
        "until",
        "days_left",
        "evidence",
    )
    cells = (
        (
            one.guarantor.name,
            one.guarantor.licence_until,
            names.get(one.row.obligor, one.row.obligor),
            names.get(one.row.financier, one.row.financier),
            one.row.currency,
            format_plain(one.row.limit_minor, one.row.currency),
            one.row.until,
            one.left,
            one.row.evidence_id,
        )
        for one in rows
    )
    return csv_answer("guarantees", header, cells)


@router.post("/guarantees")
async def ask(request: Request, pages: PagesDoor, caller: Fresh) -> Response:
    """Ask for a guarantee to be entered or ended; a second operator decides."""
    form = await request.form()
    return await run_in_threadpool(_ask, request, pages, caller, form)


def _ask(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    try:
        caller.require(Role.OPERATOR)
        with pages.app.desk.session() as session:
            pages.app.changes.request(session, *_change(form), caller.address)
    except Problem as problem:
        return _page(request, pages, caller, problem, form)
    return go("/guarantees", done="asked_change")


def _change(form: FormData) -> tuple[str, dict[str, Any]]:
    given = {name: str(value).strip() for name, value in form.items()}
    if given.get("act") == "end":
        return "end_guarantee", {
            "guarantee": _number(given.get("guarantee"), "guarantee"),
            "until": given.get("until", ""),
        }
    currency = given.get("currency") or "CNY"
    return "enter_guarantee", {
        "guarantor": _number(given.get("guarantor"), "guarantor"),
        "obligor": given.get("obligor", ""),
        "financier": given.get("financier", ""),
        "currency": currency,
        "limit_minor": parse_minor(given.get("limit", ""), currency),
        "until": given.get("until", ""),
        "evidence": given.get("evidence", "").lower(),
    }


# Inside ---------------------------------------------------------------------------------------------------------------


def _rows(pages: Pages, session: Session, caller: Caller) -> list[Standing]:
    caller.require(_OVERSEERS | Role.FINANCIER)
    mine = None if caller.has(_OVERSEERS) else sorted(caller.addresses)
    return pages.app.guarantees.all(session, financiers=mine)


def _page(request: Request, pages: Pages, caller: Caller, problem: Problem | None, form: FormData) -> Response:
    app = pages.app
    with app.reading() as session:
        rows = _rows(pages, session, caller)
        names = app.parties.names(session)
        held: dict[tuple[str, str, str], int] = {}
        for who in {one.row.financier for one in rows}:
            for note, row in risk.exposure_of(session, [who]):
                key = who, row.obligor, row.currency
                held[key] = held.get(key, 0) + note.amount_minor
        may_change = caller.has(Role.OPERATOR)
        guarantors = [row for row, left, _ in app.lists.guarantors(session) if left > 0] if may_change else []
        people = app.parties.participants(session) if may_change else []
        papers = reads.papers_on_file(session) if may_change else []
        kinds = ("enter_guarantee", "end_guarantee")
        waiting = [
            {"words": {"en": one.summary_en, "zh-CN": one.summary_zh}, "mine": one.maker == caller.address}
            for one in (app.changes.of_firm(session, caller.organisation_id, waiting=True) if may_change else ())
            if one.kind in kinds
        ]
    shown = [_shown(one, names, held.get((one.row.financier, one.row.obligor, one.row.currency), 0)) for one in rows]
    live = [one for one in shown if one["left"] >= 0]
    return pages.render(
        request,
        "guarantees.html",
        caller,
        status=problem.status if problem else 200,
        live=live,
        past=[one for one in shown if one["left"] < 0],
        soon=[one for one in live if min(one["left"], one["licence_left"]) <= _SOON_DAYS],
        totals=totals_of((one["row"].currency, one["row"].limit_minor) for one in live),
        waiting=waiting,
        may_change=may_change,
        guarantors=guarantors,
        obligors=[one for one in people if one.roles & Role.OBLIGOR and one.duty == "account"],
        financiers=[one for one in people if one.roles & Role.FINANCIER and one.duty == "account"],
        papers=papers,
        given=form,
        now=today(app.clock).isoformat(),
        problem=problem,
    )


def _shown(one: Standing, names: dict[str, str], exposure_minor: int) -> dict[str, Any]:
    row, code = one.row, one.row.currency
    covered = min(exposure_minor, row.limit_minor)
    words = f"{format_plain(covered, code)} / {format_plain(row.limit_minor, code)}"
    return {
        "row": row,
        "left": one.left,
        "licence_left": one.licence_left,
        "guarantor": one.guarantor,
        "obligor": names.get(row.obligor, row.obligor),
        "financier": names.get(row.financier, row.financier),
        "limit": amount(row.limit_minor, code),
        "covered": amount(covered, code),
        "open": amount(exposure_minor - covered, code) if exposure_minor > covered else None,
        "bar": against(covered, row.limit_minor, words),
    }


def _number(text: str | None, word: str) -> int:
    plain = (text or "").strip()
    if not plain.isascii() or not plain.isdigit() or len(plain) > 12:
        facts: dict[str, Any] = {word: plain[:20] or "—"}
        raise Problem(f"{word}_unknown", **facts)
    return int(plain)
