"""Guarantors: who may stand for others' debts, by which licence, and how much each stands for."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.shapes import amount
from scf.kernel.money import parse_minor
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.web.doors import PagesDoor, Signed
from scf.web.pages import Pages, go
from scf.web.views_holds import papers_of

router = APIRouter()
_OVERSEERS = Role.OPERATOR | Role.AUDITOR | Role.REGULATOR
_SOON_DAYS = 30


@router.get("/guarantors")
def guarantors(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """The guarantors with their licences, the one that lapses first on top."""
    return _page(request, pages, caller, None)


@router.post("/guarantors")
async def register(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Register a guarantor on its licence and evidence."""
    form = await request.form()
    return await run_in_threadpool(_register, request, pages, caller, form)


def _register(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    given = {name: str(value) for name, value in form.items()}
    assets = given.get("net_assets", "").strip()
    try:
        with pages.app.desk.session() as session:
            pages.app.lists.register_guarantor(
                session,
                name=given.get("name", ""),
                uscc=given.get("uscc", ""),
                licence=given.get("licence", ""),
                licence_until=given.get("licence_until", ""),
                evidence_id=given.get("evidence", ""),
                net_assets_minor=parse_minor(assets, "CNY") if assets else None,
                by=caller.address,
            )
    except Problem as problem:
        return _page(request, pages, caller, problem)
    return go("/guarantors", done="list_guarantor")


def _page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    caller.require(_OVERSEERS)
    with pages.app.reading() as session:
        rows = pages.app.lists.guarantors(session)
        papers = papers_of(session)
    shown: list[dict[str, Any]] = [
        {
            "row": row,
            "left": left,
            "stands_for": amount(minor, "CNY"),
            "assets": amount(row.net_assets_minor, "CNY") if row.net_assets_minor is not None else None,
            "times": f"{minor / row.net_assets_minor:.1f}" if row.net_assets_minor else None,
        }
        for row, left, minor in rows
    ]
    return pages.render(
        request,
        "guarantors.html",
        caller,
        status=problem.status if problem else 200,
        guarantors=shown,
        lapsing=sum(1 for _, left, _ in rows if left <= _SOON_DAYS),
        papers=papers,
        may_change=caller.has(Role.OPERATOR),
        problem=problem,
    )
