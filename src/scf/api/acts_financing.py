"""Acts of financing: ask, quote, accept, register, complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlmodel import Session

from scf.api import shapes
from scf.api.access import Caller
from scf.api.act_kinds import MONEY_EXAMPLE, NOTE_EXAMPLE, Message, PlainAct, Ready, Signatures, SignedAct, by_field
from scf.app import App
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.price import Fee, Price, price
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables import queries as receivable_queries
from scf.receivables.books import hex32


def _ask(app: App, caller: Caller, body: shapes.AskBody) -> Mapping[str, Any]:
    note_id = body.note.lower()
    with app.desk.session() as session:
        note = receivable_queries.note(session, note_id)
        if note.holder not in caller.addresses:
            raise Problem("note_not_yours")
        code = receivable_queries.receivable(session, note.receivable_id).currency
        row = app.financing.ask(
            session, note_id, body.amount.read_in(code), body.invited, single_reason=body.single_reason
        )
        return {"ask": row.id, "note": row.note_id}


def _quote_context(body: shapes.QuoteBody, figures: Price) -> dict[str, Any]:
    return {
        "funded_on": figures.funded_on.isoformat(),
        "ask": body.ask,
        "rate_ppm": body.rate_ppm,
        "fees": [{"code": fee.code, "payee": fee.payee, "minor": str(fee.amount.read())} for fee in body.fees],
    }


def _quote(app: App, caller: Caller, body: shapes.QuoteBody) -> Ready:
    fees = tuple(Fee(fee.code, fee.payee, fee.amount.read()) for fee in body.fees)
    prepared, figures = app.financing.prepare_quote(
        body.ask,
        body.financier,
        rate_ppm=body.rate_ppm,
        paying_bank=body.paying_bank,
        fees=fees,
        recourse=body.recourse,
        entrusted_account=body.entrusted_account,
    )
    return Ready(prepared, _quote_context(body, figures), figures)


def _send_quote(
    app: App, message: Message, signatures: Signatures, context: Message, key: str, caller: str
) -> Mapping[str, Any]:
    try:
        ask, rate_ppm = str(context["ask"]), int(context["rate_ppm"])
        fees = tuple(Fee(str(fee["code"]), str(fee["payee"]), int(fee["minor"])) for fee in context["fees"])
        funded_on = date.fromisoformat(str(context["funded_on"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Problem("request_not_readable", place="context", reason="send back what prepare gave") from error
    with app.reading() as session:
        note = receivable_queries.note(session, hex32(int(message["parentId"])))
        receivable = receivable_queries.receivable(session, note.receivable_id)
    figures = price(
        int(message["amount"]),
        receivable.currency,
        rate_ppm,
        funded_on,
        day_of(receivable.maturity),
        fees=fees,
    )
    offer = app.financing.submit_quote(ask, message, signatures[0], figures)
    return {"quote": offer.quote_hash, "ask": offer.ask_id}


def _by_asker(app: App, session: Session, message: Message) -> Sequence[str]:
    offer = session.get(QuoteOffer, str(message["quoteHash"]))
    ask = session.get(FinancingAsk, offer.ask_id) if offer else None
    if ask is None:
        raise Problem("unknown_quote", quote=str(message["quoteHash"])[:12])
    return (ask.asker,)


def _register(app: App, caller: Caller, body: shapes.NoteBody) -> Mapping[str, Any]:
    with app.desk.session() as session:
        row = app.financing.financing(session, body.note.lower())
        if not caller.addresses & {row.financier, row.paying_bank} and not caller.has(Role.OPERATOR):
            raise Problem("not_your_act", act="register", caller=caller.name)
        return {"note": row.note_id, "registration": app.financing.register(session, row.note_id)}


def _by_financing_bank(app: App, session: Session, message: Message) -> Sequence[str]:
    return (app.financing.financing(session, hex32(int(message["noteId"]))).paying_bank,)


SIGNED = (
    SignedAct(
        "quote",
        "Quote a firm price (financier)",
        "Receivables",
        "Quote",
        shapes.QuoteBody,
        _quote,
        by_field("financier"),
        _send_quote,
        {
            "ask": "ASK0123456789ABCDEFGHJK",
            "financier": shapes.ADDRESS,
            "rate_ppm": 55000,
            "paying_bank": shapes.ADDRESS,
            "fees": [{"code": "handling", "payee": "platform", "amount": {"text": "50.00", "currency": "CNY"}}],
        },
    ),
    SignedAct(
        "accept_quote",
        "Accept a quote",
        "Receivables",
        "FinanceAccept",
        shapes.AcceptQuoteBody,
        lambda app, caller, body: Ready(app.financing.prepare_accept_quote(body.quote.lower())),
        _by_asker,
        lambda app, message, signatures, context, key, caller: app.financing.accept_quote(
            message, signatures[0], key=key, caller=caller
        ),
        {"quote": "0x" + shapes.DIGEST},
    ),
    SignedAct(
        "complete_financing",
        "Attest that the net amount was paid (paying bank)",
        "Receivables",
        "CompleteFinancing",
        shapes.CompleteBody,
        lambda app, caller, body: Ready(
            app.financing.prepare_complete(body.note.lower(), body.registration, body.bank_reference)
        ),
        _by_financing_bank,
        lambda app, message, signatures, context, key, caller: app.financing.complete(
            message, signatures[0], key=key, caller=caller
        ),
        {**NOTE_EXAMPLE, "registration": "RG2026000001", "bank_reference": "STMT-99/5"},
    ),
)
PLAIN = (
    PlainAct(
        "ask",
        "Ask financiers for a price",
        shapes.AskBody,
        _ask,
        {**NOTE_EXAMPLE, "amount": MONEY_EXAMPLE, "invited": [shapes.ADDRESS, shapes.ADDRESS]},
    ),
    PlainAct("register", "Register a locked financing", shapes.NoteBody, _register, NOTE_EXAMPLE),
)
