"""Routes of prices: figures for any amount (the slider), firm automatic quotes, sealed quotes, policies."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from sqlmodel import Session

from scf.api import acts, office, reads
from scf.api.access import Caller
from scf.api.doors import Key, Scf, Who
from scf.api.shapes import Amount, Shape, amount
from scf.api.views import moment
from scf.app import App
from scf.entrusted.queries import not_paid_out
from scf.financing import failure, sealing
from scf.financing.comparing import compare
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.price import Price
from scf.kernel.problems import Problem
from scf.receivables import queries

router = APIRouter(tags=["prices"])


class EarlyBody(Shape):
    """Take money early for a part of a note, from those whose policies quote by themselves."""

    amount: Amount
    single_reason: str | None = None
    funded_on: date | None = Field(default=None, description="Day the money is wanted; the earliest without it")


@router.get("/notes/{note_id}/early")
def figures(
    app: Scf,
    caller: Who,
    note_id: str,
    minor: Annotated[int | None, Query(gt=0, description="Minor units")] = None,
    funded_on: Annotated[date | None, Query(description="Day the money is wanted; the earliest without it")] = None,
) -> dict[str, Any]:
    """What each policy gives for an amount of one's own note today (all of it without `minor`): the slider's figures.

    They are the figures `POST /notes/{id}/early` gets signed the same day for the same `funded_on`; another day of
    payment is another price. Beside each price stand waiting until
    maturity and the day by which the law wants cash to be paid.
    """
    with app.reading() as session:
        note = own_note(session, caller, note_id)
        row = queries.receivable(session, note.receivable_id)
        asked = note.amount_minor if minor is None else minor
        said = app.quotes.figures(session, note.id, asked, funded_on)
        items = [
            {
                "financier": {"address": one.financier, "name": app.parties.name_of(session, one.financier)},
                "price": acts.price_of(one.price) if one.price else None,
                "recourse": one.recourse,
                "refusal": one.refusal,
                "terms": app.financing.terms_text(one.price, recourse=one.recourse) if one.price else None,
            }
            for one in said
        ]
        best = next((one.price for one in said if one.price is not None), None)
        beside = beside_of(app, session, note.id, best) if best else None
    return {
        "note": note.id,
        "amount": amount(asked, row.currency),
        "most": amount(note.amount_minor, row.currency),
        "items": items,
        "beside": beside,
    }


@router.post("/notes/{note_id}/early")
def firm(app: Scf, caller: Who, note_id: str, body: EarlyBody, key: Key = None) -> dict[str, Any]:
    """Ask everybody whose policy gives a price and get firm, signed quotes; take one with `accept_quote`.

    The same again the same day gives the same quotes.
    """
    office.check_key(key)
    with app.reading() as session:
        note = own_note(session, caller, note_id)
        code = queries.receivable(session, note.receivable_id).currency
    ask, offers = app.quotes.firm(
        note.id, body.amount.read_in(code), single_reason=body.single_reason, funded_on=body.funded_on
    )
    with app.reading() as session:
        return {"ask": ask, "items": [_offer(app, session, one) for one in offers]}


@router.get("/asks")
def asks(app: Scf, caller: Who) -> dict[str, Any]:
    """Requests the caller made or was invited to, with where each sale stands; prices are not in this list."""
    with app.reading() as session:
        rows: dict[str, FinancingAsk] = {}
        for who in sorted(caller.addresses):
            found = [*app.financing.asks_of(session, who), *app.financing.asks_for(session, who)]
            rows |= {row.id: row for row in found}
        return {"items": [_ask(app, session, caller, row) for row in rows.values()], "next": None}


@router.get("/asks/{ask_id}")
def ask(app: Scf, caller: Who, ask_id: str) -> dict[str, Any]:
    """One request: who was invited, how many answered, each step with its deadline and the way back."""
    with app.reading() as session:
        return _ask(app, session, caller, _related(session, caller, ask_id))


@router.post("/asks/{ask_id}/open")
def open_quotes(app: Scf, caller: Who, ask_id: str, key: Key = None) -> dict[str, Any]:
    """Open all quotes of one's own request, once; none is taken after that. Again shows them again."""
    office.check_key(key)
    with app.desk.session() as session:
        row = _related(session, caller, ask_id)
        if row.asker not in caller.addresses:
            raise Problem("not_the_asker")
        offers = sealing.open_quotes(session, ask_id, row.asker, app.clock.now())
        return {"ask": ask_id, "items": [_offer(app, session, one) for one in offers]}


@router.get("/policies")
def policies(app: Scf, caller: Who) -> dict[str, Any]:
    """The caller's own quote policies (all for overseers), newest first. Set one with the change `set_quote_policy`."""
    with app.reading() as session:
        rows = app.policies.of(session, None if caller.sees_all else sorted(caller.addresses))
        items = [
            {
                "id": row.id,
                "financier": {"address": row.financier, "name": app.parties.name_of(session, row.financier)},
                "terms": row.terms,
                "set_by": row.set_by,
                "agreed_by": row.agreed_by,
                "set_at": moment(row.set_at),
                "valid_until": moment(row.valid_until),
                "withdrawn_at": moment(row.withdrawn_at),
            }
            for row in rows
        ]
    return {"items": items, "next": None}


@router.get("/notes/{note_id}/if-obligor-fails")
def if_obligor_fails(
    app: Scf,
    caller: Who,
    note_id: str,
    quote: Annotated[str | None, Query(description="Hash of a price one got: the same once it is taken")] = None,
) -> dict[str, Any]:
    """Who pays the holder of one's own (or offered) note if the obligor never does, on which path, and the worst case.

    Shown before a note is accepted and, with `quote`, before a price is taken.
    """
    with app.reading() as session:
        note = own_note(session, caller, note_id)
        offer = session.get(QuoteOffer, quote.lower()) if quote else None
        if quote and offer is None:
            raise Problem("unknown_quote", quote=quote[:12])
        return failure_of(app, session, note.id, offer)


def failure_of(app: App, session: Session, note_id: str, offer: QuoteOffer | None = None) -> dict[str, Any]:
    """What a note's holder faces if the obligor fails, now or once it takes a price, as answers and pages show it.

    Raises Problem `unknown_note`, or `unknown_quote` for a price of another note.
    """
    if offer is None:
        found = failure.of_note(session, app.parties, note_id, not_paid_out, app.maturity.due_day)
    else:
        asked = session.get(FinancingAsk, offer.ask_id)
        if asked is None or asked.note_id != note_id:
            raise Problem("unknown_quote", quote=offer.quote_hash[:12])
        found = failure.if_taken(session, app.parties, offer.quote_hash, not_paid_out, app.maturity.due_day)
    return {
        "steps": [
            {
                "kind": one.kind,
                "payer": one.payer,
                "payee": one.payee,
                "amount": amount(one.amount_minor, found.currency),
                "from_on": one.from_on.isoformat(),
                "words": one.words,
            }
            for one in found.steps
        ],
        "not_received": amount(found.not_received_minor, found.currency),
        "to_pay_back": amount(found.to_pay_back_minor, found.currency),
        "worst_case": amount(found.worst_case_minor, found.currency),
        "words": {language: failure.worst_in(found, language) for language in ("en", "zh-CN")},
    }


def own_note(session: Session, caller: Caller, note_id: str) -> Any:
    """A note of the caller's firm. Raises Problem `unknown_note` for any other."""
    note = queries.note(session, note_id.lower())
    if note.holder not in caller.addresses:
        raise Problem("unknown_note", note=note_id)
    return note


def beside_of(app: App, session: Session, note_id: str, price: Price) -> dict[str, Any]:
    """A price beside waiting and beside cash by law, as answers show it."""
    found = compare(
        session,
        app.parties,
        app.rulebook,
        app.clock,
        app.maturity.calendar,
        note_id,
        price,
        ruleset=app.settings.ruleset,
    )
    code = price.currency
    return {
        "early": {"amount": amount(found.early_minor, code), "on": found.early_on.isoformat()},
        "cost": amount(found.cost_of_early_minor, code),
        "days_earlier": found.early_days,
        "wait": {"amount": amount(found.wait_minor, code), "on": found.wait_until.isoformat()},
        "by_law": None
        if found.lawful_on is None
        else {
            "amount": amount(found.lawful_minor, code),
            "on": found.lawful_on.isoformat(),
            "rule": found.lawful_rule,
        },
        "by_law_unknown": found.why_not,
    }


def _related(session: Session, caller: Caller, ask_id: str) -> FinancingAsk:
    row = session.get(FinancingAsk, ask_id)
    if row is None or not (caller.sees_all or caller.addresses & {row.asker, *row.invited.split(",")}):
        raise Problem("unknown_ask", ask=ask_id[:40])
    return row


def _ask(app: App, session: Session, caller: Caller, row: FinancingAsk) -> dict[str, Any]:
    note = queries.note(session, row.note_id)
    code = queries.receivable(session, note.receivable_id).currency
    offers = app.financing.quotes(session, row.id)
    mine = row.asker in caller.addresses or caller.sees_all
    invited = row.invited.split(",") if mine else [who for who in row.invited.split(",") if who in caller.addresses]
    return {
        "id": row.id,
        "note": row.note_id,
        "amount": amount(row.amount_minor, code),
        "asker": {"address": row.asker, "name": app.parties.name_of(session, row.asker)},
        "invited": [{"address": who, "name": app.parties.name_of(session, who)} for who in invited],
        "single_reason": row.single_reason,
        "asked_at": moment(row.asked_at),
        "answered": len(offers) if mine else None,
        "opened": sealing.is_opened(session, row.id),
        "own_quotes": [_offer(app, session, one) for one in offers if one.financier in caller.addresses],
        "steps": [
            {"name": one.name, "who": one.who, "state": one.state, "until": moment(one.until), "way_back": one.way_back}
            for one in sealing.steps(
                session,
                row,
                app.clock.now(),
                app.maturity.calendar,
                app.financing.funding.days_of_note(session, row.note_id),
            )
        ],
    }


def _offer(app: App, session: Session, offer: QuoteOffer) -> dict[str, Any]:
    price = reads.price_shown(session, offer.quote_hash)
    return {
        "quote": offer.quote_hash,
        "financier": {"address": offer.financier, "name": app.parties.name_of(session, offer.financier)},
        "price": price,
        "expires_at": moment(offer.expires_at),
    }
