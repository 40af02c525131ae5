"""Money early: choose how much and when, see firm prices, take one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from scf.api import acts
from scf.api.access import Caller
from scf.api.shapes import amount as shown_amount
from scf.api.views import Views, moment
from scf.financing import sealing
from scf.financing.models import FinancingAsk
from scf.kernel.identifiers import new_reference
from scf.kernel.money import format_money, parse_minor
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.models import NoteState
from scf.web.claims import asks_of, held_of, shape_ask
from scf.web.doors import PagesDoor, Signed
from scf.web.early import beside, firm_quotes, funding_days, policy_prices
from scf.web.pages import Pages, go
from scf.web.tasks import is_unpayable

router = APIRouter()


@router.get("/early")
def early(
    request: Request, pages: PagesDoor, caller: Signed, note: str = "", amount: str = "", on: str = ""
) -> Response:
    """How much of a note to turn into money, and when: every price for it, and the way to take one."""
    return _early_page(request, pages, caller, note, amount, on, None)


@router.post("/early")
def take(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    note: Annotated[str, Form()],
    amount: Annotated[str, Form()],
    on: Annotated[str, Form()],
    financier: Annotated[str, Form()],
    net: Annotated[str, Form()],
    single_reason: Annotated[str, Form()] = "",
) -> Response:
    """Have the price that was shown signed by its financier, and go on to read and confirm it.

    Nothing is locked and nothing signed by the holder yet. A price that is not the shown one any more is shown anew.
    """
    try:
        with pages.app.reading() as session:
            acts.refuse_on_hold(pages.app, session, caller, "accept_quote")
            views = Views(pages.app, session, caller)
            row, item = views.note_sight(note)
            if not item.mine:
                raise Problem("note_not_yours")
            minor, day = parse_minor(amount, row.currency), funding_days(views, row, on)["chosen"]
            prices = policy_prices(views, item.note, minor, day)
            if net not in [
                one["price"]["net"]["minor"] for one in prices if one["price"] and one["address"] == financier
            ]:
                raise Problem("price_not_the_shown_one")
        reason = single_reason.strip() or None
        ask, offers = pages.app.quotes.firm(item.note.id, minor, single_reason=reason, funded_on=day)
    except Problem as problem:
        return _early_page(request, pages, caller, note, amount, on, problem)
    signed = [one for one in offers if one.financier == financier and str(one.net_minor) == net]
    if not signed:  # the financier signs elsewhere; its price comes in on the request
        return go(f"/asks/{ask}", done="ask")
    return RedirectResponse(f"/act/accept_quote?quote={signed[0].quote_hash}", status_code=303)


def _early_page(
    request: Request, pages: Pages, caller: Caller, note: str, amount: str, on: str, problem: Problem | None
) -> Response:
    with pages.app.reading() as session:
        acts.refuse_on_hold(pages.app, session, caller, "accept_quote")
        views = Views(pages.app, session, caller)
        held = [one for one in held_of(views) if not one["frozen"]]
        if not note and not held:
            return pages.render(request, "early.html", caller, note=None, held=[])
        context = _early(pages, views, note or str(held[0]["id"]), amount, on)
    refused = context.pop("refused")
    shown = problem or refused
    return pages.render(
        request, "early.html", caller, status=shown.status if shown else 200, held=held, problem=shown, **context
    )


def _early(pages: Pages, views: Views, note_id: str, text: str, on: str) -> dict[str, Any]:
    row, item = views.note_sight(note_id)
    note, code = item.note, row.currency
    if not item.mine:
        raise Problem("note_not_yours")
    if note.state != NoteState.HELD or note.frozen:
        raise Problem("note_not_movable", state=note.standing())
    refused, minor, days = None, note.amount_minor, funding_days(views, row, "")
    try:
        days = funding_days(views, row, on)
        wanted = parse_minor(text, code) if text.strip() else minor
        if not 0 < wanted <= minor:
            raise Problem("amount_above_note", carries=format_money(minor, code), amount=format_money(wanted, code))
        prices, minor = policy_prices(views, note, wanted, days["chosen"]), wanted
    except Problem as problem:
        refused, prices = problem, []
    asks = [ask for ask in asks_of(views) if ask["note"]["id"] == note.id and not ask["taken"] and ask["quotes"]]
    return {
        "refused": refused,
        "note": views.shape_note(row, item),
        "currency": code,
        "chosen": shown_amount(minor, code),
        "typed": text if refused else format_money(minor, code).removeprefix(code).strip(),
        "carries": shown_amount(note.amount_minor, code),
        "step": 100 if note.amount_minor > 10_000 else 1,
        "days": days,
        "prices": prices,
        "priced": sum(1 for one in prices if one["price"]),
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
    """A request for money: its holder opens and compares the prices, a financier sees only its own."""
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
        steps = _steps(views, row) if whole else []
        takes_more = not sealing.is_opened(session, row.id) and not sealing.is_spent(session, row, app.clock.now())
        unpayable = row.asker in caller.addresses and is_unpayable(views)
    may_quote = takes_more and bool(caller.addresses & invited) and not any(quote["mine"] for quote in quotes)
    return pages.render(
        request,
        "ask.html",
        caller,
        ask=shown,
        quotes=quotes,
        invited=names,
        beside=aside if whole else None,
        steps=steps,
        may_quote=may_quote and not shown["taken"],
        unpayable=unpayable,
    )


def _steps(views: Views, row: FinancingAsk) -> list[dict[str, Any]]:
    found = sealing.steps(
        views.session,
        row,
        views.app.clock.now(),
        views.app.maturity.calendar,
        views.app.financing.funding.days_of_note(views.session, row.note_id),
    )
    return [{**asdict(step), "until": moment(step.until)} for step in found]


@router.post("/asks/{ask_id}/open")
def open_prices(pages: PagesDoor, caller: Signed, ask_id: str) -> Response:
    """Open all prices of one's own request, once; none is taken after that."""
    with pages.app.desk.session() as session:
        row = session.get(FinancingAsk, ask_id)
        if row is None or row.asker not in caller.addresses:
            raise Problem("unknown_ask", ask=ask_id[:40])
        sealing.open_quotes(session, ask_id, row.asker, pages.app.clock.now())
    return go(f"/asks/{ask_id}")
