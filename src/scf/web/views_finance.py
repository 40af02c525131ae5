"""Asking for money and quoting: the request with its firm prices."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from scf.api import reads
from scf.api.views import Views
from scf.financing.models import FinancingAsk
from scf.kernel.dates import from_unix
from scf.kernel.problems import Problem
from scf.web.doors import PagesDoor, Signed
from scf.web.views_home import shape_ask

router = APIRouter()


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
        whole = caller.sees_all or row.asker in caller.addresses
        quotes = [
            {
                "hash": offer.quote_hash,
                "financier": views.name(offer.financier),
                "price": reads.price_shown(session, offer.quote_hash),
                "expires_at": from_unix(offer.expires_at).strftime("%Y-%m-%d %H:%M UTC"),
                "mine": offer.financier in caller.addresses,
            }
            for offer in app.financing.quotes(session, ask_id)
            if whole or offer.financier in caller.addresses
        ]
        shown = shape_ask(views, row)
        names = [views.name(who) for who in row.invited.split(",")] if whole else []
    may_quote = bool(caller.addresses & invited) and not any(quote["mine"] for quote in quotes)
    return pages.render(
        request, "ask.html", caller, ask=shown, quotes=quotes, invited=names, may_quote=may_quote and not shown["taken"]
    )
