"""Money early: firm prices as a holder compares them, beside what waiting brings and what the law gives in cash."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from sqlmodel import Session

from scf.api import reads
from scf.api.shapes import amount
from scf.api.views import Json, Views
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.kernel.clock import today
from scf.kernel.dates import BEIJING, day_of, days_between, from_unix, next_day
from scf.receivables.models import Dossier, Note, Receivable
from scf.receivables.trade_facts import trade_facts
from scf.rulebook.service import Rulebook

_TERM_RULE = "CN-802-09-LARGE"
_rules = Rulebook.load()


def firm_quotes(views: Views, ask: FinancingAsk) -> list[Json]:
    """Firm prices of a request as the caller may see them, most money first; a financier sees only its own."""
    whole = views.caller.sees_all or ask.asker in views.caller.addresses
    offers = [
        offer
        for offer in views.app.financing.quotes(views.session, ask.id)
        if whole or offer.financier in views.caller.addresses
    ]
    shown = [_shape(views, offer) for offer in offers]
    for one in shown:
        less = int(shown[0]["price"]["net"]["minor"]) - int(one["price"]["net"]["minor"])
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


def beside(views: Views, row: Receivable, note: Note, amount_minor: int) -> dict[str, Any]:
    """What taking nothing brings: the whole amount at maturity, and the day by which the law wants cash to be paid.

    `cash` is None where no delivery is on file: then nobody can tell, and the page says so.
    """
    now = today(views.app.clock)
    due = day_of(row.maturity)
    shown = amount(amount_minor, row.currency)
    cash = _cash_by(views.session, row, note)
    return {
        "wait": {"amount": shown, "on": due.isoformat(), "days": max(0, days_between(now, due))},
        "cash": None if cash is None else {**cash, "amount": shown, "days": days_between(now, cash["on"])},
    }


def _cash_by(session: Session, row: Receivable, note: Note) -> dict[str, Any] | None:
    dossier = session.get(Dossier, note.evidence) or session.get(Dossier, row.document)
    if dossier is None or not dossier.delivered_on:
        return None
    delivered = date.fromisoformat(dossier.delivered_on)
    days = int(_rules.parameter(_TERM_RULE, "days", delivered))
    agreed = trade_facts(session, dossier).get("payment_due_on")
    latest = next_day(delivered, days)
    return {"on": min(latest, agreed) if agreed else latest, "delivered_on": delivered, "term": days}
