"""Money early: choose how much, see firm prices, take one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.shapes import amount as shown_amount
from scf.api.views import Views
from scf.financing.models import FinancingAsk
from scf.kernel.identifiers import new_reference
from scf.kernel.money import format_money, parse_minor
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.models import NoteState
from scf.web.claims import asks_of, claims_of, shape_ask
from scf.web.doors import PagesDoor, Signed
from scf.web.early import beside, firm_quotes
from scf.web.pages import Pages

router = APIRouter()


@router.get("/early")
def early(request: Request, pages: PagesDoor, caller: Signed, note: str = "", amount: str = "") -> Response:
    """How much of a note to turn into money now: firm prices that are there, and the way to ask for more."""
    with pages.app.reading() as session:
        views = Views(pages.app, session, caller)
        if not note:
            held = claims_of(views)["held"]
            chosen = next((one["id"] for one in held if not one["frozen"]), None)
            if chosen is None:
                return pages.render(request, "early.html", caller, note=None, held=[])
            note = str(chosen)
        context = _early(pages, views, note, amount)
    problem = context.pop("problem")
    return pages.render(request, "early.html", caller, status=problem.status if problem else 200, **context)


def _early(pages: Pages, views: Views, note_id: str, text: str) -> dict[str, Any]:
    row, item = views.note_sight(note_id)
    note, code = item.note, row.currency
    if not item.mine:
        raise Problem("note_not_yours")
    if note.state not in (NoteState.HELD, NoteState.OFFERED) or note.frozen:
        raise Problem("note_not_movable", state=note.standing())
    problem, minor = None, note.amount_minor
    try:
        wanted = parse_minor(text, code) if text.strip() else minor
        if not 0 < wanted <= minor:
            raise Problem("amount_above_note", carries=format_money(minor, code), amount=format_money(wanted, code))
        minor = wanted
    except Problem as refused:
        problem = refused
    held = [one for one in claims_of(views)["held"] if not one["frozen"]]
    asks = [ask for ask in asks_of(views) if ask["note"]["id"] == note.id and not ask["taken"] and ask["quotes"]]
    return {
        "problem": problem,
        "note": views.shape_note(row, item),
        "held": held,
        "currency": code,
        "chosen": shown_amount(minor, code),
        "typed": text if problem else format_money(minor, code).removeprefix(code).strip(),
        "carries": shown_amount(note.amount_minor, code),
        "step": 100 if note.amount_minor > 10_000 else 1,
        "beside": beside(views, row, note, minor),
        "asks": asks,
        "financiers": _financiers(pages, views, views.caller),
        "key": new_reference("K"),
    }


def _financiers(pages: Pages, views: Views, caller: Caller) -> list[Any]:
    return [
        row
        for row in pages.app.parties.participants(views.session)
        if row.roles & Role.FINANCIER and row.duty == "account" and row.address not in caller.addresses
    ]


@router.get("/asks/{ask_id}")
def ask(request: Request, pages: PagesDoor, caller: Signed, ask_id: str) -> Response:
    """A request for money: its holder sees every firm price, a financier only its own."""
    app = pages.app
    with app.reading() as session:
        row = session.get(FinancingAsk, ask_id)
        invited = set(row.invited.split(",")) if row else set()
        if row is None or not (caller.sees_all or caller.addresses & {row.asker, *invited}):
            raise Problem("unknown_ask", ask=ask_id[:40])
        views = Views(app, session, caller)
        quotes = firm_quotes(views, row)
        shown = shape_ask(views, row)
        whole = caller.sees_all or row.asker in caller.addresses
        names = [views.name(who) for who in row.invited.split(",")] if whole else []
        note = queries.note(session, row.note_id)
        aside = beside(views, queries.receivable(session, note.receivable_id), note, row.amount_minor)
    may_quote = bool(caller.addresses & invited) and not any(quote["mine"] for quote in quotes)
    return pages.render(
        request,
        "ask.html",
        caller,
        ask=shown,
        quotes=quotes,
        invited=names,
        beside=aside if whole else None,
        may_quote=may_quote and not shown["taken"],
    )
