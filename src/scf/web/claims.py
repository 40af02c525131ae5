"""What a supplier has: money it can have now, the next money and its day, what waits to be accepted, what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from scf.api import reads
from scf.api.shapes import amount
from scf.api.views import Json, Views
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.sealing import is_opened
from scf.kernel.clock import today
from scf.kernel.dates import day_of, days_between
from scf.receivables import queries
from scf.receivables.models import Financing, NoteState

ROWS = 50


@dataclass(frozen=True, slots=True)
class Coming:
    """Money on its way: the day it is due, how much, from whom, and what it is (`payout` or `maturity`)."""

    on: date
    amount: Json
    payer: str
    kind: str
    path: str


def claims_of(views: Views) -> Json:
    """The caller's own notes: sums by currency, the next money, what is offered to it, and its requests for money."""
    session, caller = views.session, views.caller
    held = held_of(views)
    offered = [views.note(note.id) for note in reads.offered_to(session, caller.addresses, limit=ROWS)]
    sums = reads.held_sums(session, caller.addresses)
    asks = asks_of(views)
    movable = [note for note in held if not note["frozen"]]
    coming = sorted([*_payouts(views), *_maturities(movable)], key=lambda one: (one.on, one.kind, one.path))
    now = today(views.app.clock)
    return {
        "available": [amount(minor, code) for code, minor in sorted(sums.items())],
        "held": held,
        "next": coming[0] if coming else None,
        "next_days": days_between(now, coming[0].on) if coming else None,
        "early": movable[0] if movable else None,
        "firm": next((ask for ask in asks if ask["quotes"] and not ask["taken"]), None),
        "frozen": len(held) - len(movable),
        "offered": offered,
        "asks": asks,
    }


def held_of(views: Views) -> list[Json]:
    """Notes the caller holds, soonest maturity first."""
    return [views.note(note.id) for note in reads.held_by(views.session, views.caller.addresses, limit=ROWS)]


def asks_of(views: Views) -> list[Json]:
    """The caller's requests for money with how many firm prices came, newest first."""
    query = select(FinancingAsk).where(col(FinancingAsk.asker).in_(views.caller.addresses))
    rows = views.session.exec(query.order_by(col(FinancingAsk.asked_at).desc()).limit(20)).all()
    return [shape_ask(views, row) for row in rows]


def shape_ask(views: Views, row: FinancingAsk) -> dict[str, Any]:
    """One request for money as pages show it."""
    note = views.note(row.note_id)
    code = queries.receivable(views.session, note["receivable"]).currency
    quotes, opened = views.app.financing.quotes(views.session, row.id), is_opened(views.session, row.id)
    return {
        "id": row.id,
        "note": note,
        "amount": amount(row.amount_minor, code),
        "asked_on": day_of(row.asked_at).isoformat(),
        "quotes": len(quotes),
        "opened": opened,
        "best": amount(quotes[0].net_minor, code) if quotes and opened else None,
        "taken": taken_quote(views.session, row.id),
        "mine": row.asker in views.caller.addresses,
    }


def taken_quote(session: Session, ask_id: str) -> str | None:
    """The quote of an ask that was accepted, if any."""
    hashes = select(QuoteOffer.quote_hash).where(QuoteOffer.ask_id == ask_id)
    return session.exec(select(Financing.quote_hash).where(col(Financing.quote_hash).in_(hashes))).first()


def _payouts(views: Views) -> Iterator[Coming]:
    """Accepted prices whose money the paying bank still has to send, to the caller itself."""
    query = select(Financing).where(
        col(Financing.seller).in_(views.caller.addresses),
        col(Financing.completed_at).is_(None),
        Financing.entrusted_account == 0,
    )
    for row in views.session.exec(query):
        note = queries.note(views.session, row.note_id)
        if note.state != NoteState.LOCKED:
            continue
        code = queries.receivable(views.session, row.receivable_id).currency
        net = amount(row.net_minor, code)
        bank = views.name(row.paying_bank)
        funding = views.app.financing.funding
        days = funding.days_of(views.session, queries.receivable(views.session, note.receivable_id))
        due = max(funding.pay_day(day_of(note.made_at), days), today(views.app.clock))
        yield Coming(due, net, bank, "payout", f"/notes/{row.note_id}")


def _maturities(held: list[Json]) -> Iterator[Coming]:
    """What each note brings on its day, those of one day and payer together."""
    sums: dict[tuple[str, str, str], list[Json]] = {}
    for note in held:
        sums.setdefault((note["maturity"], note["obligor"]["name"], note["amount"]["currency"]), []).append(note)
    for (day, payer, code), notes in sums.items():
        total = amount(sum(int(note["amount"]["minor"]) for note in notes), code)
        path = f"/notes/{notes[0]['id']}" if len(notes) == 1 else "/receivables"
        yield Coming(date.fromisoformat(day), total, payer, "maturity", path)
