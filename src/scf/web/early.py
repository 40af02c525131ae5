"""Money early: prices as a holder compares them, beside what waiting brings and what the law gives in cash."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from scf.api import acts, reads
from scf.api.routes_quotes import beside_of
from scf.api.shapes import amount
from scf.api.views import Json, Views
from scf.financing import sealing
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.price import price
from scf.kernel.clock import today
from scf.kernel.dates import BEIJING, day_of, days_between, from_unix
from scf.kernel.problems import Problem
from scf.receivables.models import Note, Receivable
from scf.web.i18n import N_

REFUSALS = {
    "amount_too_small": N_("this amount is too small for it"),
    "amount_too_large": N_("this amount is too large for it"),
    "obligor_not_bought": N_("it does not buy claims on this payer"),
    "limit_used": N_("its limit for this payer is used up"),
    "term_too_long": N_("it does not pay so long ahead"),
    "past_due": N_("the claim is due already"),
}
WHY_NOT = {
    "no_documents": N_("not known: no documents are on file"),
    "no_delivery": N_("not known: no delivery is on file"),
    "no_law": N_("the law sets no day between these two firms"),
}


def policy_prices(views: Views, note: Note, amount_minor: int, funded_on: date | None) -> list[Json]:
    """What each financier's policy gives for an amount, most money first: the figures that get signed on acceptance."""
    found = views.app.quotes.figures(views.session, note.id, amount_minor, funded_on)
    shown = [
        {
            "financier": views.name(one.financier),
            "address": one.financier,
            "price": acts.price_of(one.price) if one.price else None,
            "recourse": one.recourse,
            "bank": views.name(one.paying_bank),
            "account": None,
            "why": REFUSALS.get(one.refusal or "", N_("it gives no price for this")),
        }
        for one in found
    ]
    return _compared(shown)


def firm_quotes(views: Views, ask: FinancingAsk) -> list[Json]:
    """Signed prices of a request as the caller may see them, most money first.

    A financier sees only its own; the holder sees them once it opened them.
    """
    whole = views.caller.sees_all or ask.asker in views.caller.addresses
    opened = sealing.is_opened(views.session, ask.id)
    offers = [
        offer
        for offer in views.app.financing.quotes(views.session, ask.id)
        if (whole and opened) or offer.financier in views.caller.addresses
    ]
    return _compared([_shape(views, offer) for offer in offers])


def beside(views: Views, row: Receivable, note: Note, amount_minor: int) -> Json | None:
    """What taking no price brings: the whole amount at maturity, and cash by the day the law sets, if it sets one."""
    now = today(views.app.clock)
    try:
        whole = price(amount_minor, row.currency, 0, now, day_of(row.maturity))
    except Problem:
        return None
    found = beside_of(views.app, views.session, note.id, whole)
    for name in ("wait", "by_law"):
        if found[name]:
            found[name]["days"] = days_between(now, date.fromisoformat(found[name]["on"]))
    found["by_law_unknown"] = WHY_NOT.get(found["by_law_unknown"] or "", N_("not known"))
    return found


def funding_days(views: Views, row: Receivable, wanted: str) -> dict[str, Any]:
    """The day the money shall come and the days before and after it that prices are given for.

    Raises Problem `funding_day_not_offered` when what is asked for is no day.
    """
    now, usual, latest = views.app.quotes.funding_days(views.session, row)
    last = min(latest, day_of(row.maturity) - timedelta(days=1))
    try:
        chosen = date.fromisoformat(wanted) if wanted else min(usual, max(last, now))
    except ValueError as error:
        raise Problem(
            "funding_day_not_offered", day=wanted[:20], first=now.isoformat(), last=last.isoformat()
        ) from error
    before, after = chosen - timedelta(days=1), chosen + timedelta(days=1)
    return {
        "chosen": chosen,
        "first": now,
        "last": last,
        "before": before if before >= now else None,
        "after": after if after <= last else None,
    }


def _compared(shown: list[Json]) -> list[Json]:
    """Each price with how much less it brings than the best."""
    best = next((int(one["price"]["net"]["minor"]) for one in shown if one["price"]), 0)
    for one in shown:
        less = best - int(one["price"]["net"]["minor"]) if one["price"] else 0
        one["less"] = amount(less, one["price"]["net"]["currency"]) if less else None
    return shown


def _shape(views: Views, offer: QuoteOffer) -> Json:
    signed = json.loads(offer.message)
    return {
        "hash": offer.quote_hash,
        "financier": views.name(offer.financier),
        "price": reads.price_shown(views.session, offer.quote_hash),
        "recourse": bool(signed["recourse"]),
        "bank": views.name(str(signed["payingBank"])),
        "account": int(signed["entrustedAccount"]) or None,
        "expires": from_unix(offer.expires_at).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M"),
        "seconds_left": max(0, offer.expires_at - views.app.clock.now()),
        "mine": offer.financier in views.caller.addresses,
    }
