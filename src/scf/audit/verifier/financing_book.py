"""Financing: a conditional pass at a signed price, completed by the paying bank's attestation."""

from __future__ import annotations

from .interface import INTENTS
from .limits_book import buy
from .note_tree import change, offer_ok, parts, put, require, spend
from .register import (
    BANK,
    FINANCED,
    FINANCIER,
    FROZEN,
    LOCKED,
    OFFERED,
    PENDING,
    RECOURSE,
    BankLine,
    Event,
    Note,
    Receivable,
    Register,
)


def financing_locked(register: Register, event: Event) -> Receivable:
    """A financier's quote was taken: a child that counts only once the bank attests the payment."""
    args, quote, check = event.args, event.args["quote"], register.report.check("financing")
    check.count()
    holder = register.notes[quote["parentId"]].holder
    receivable, giver = spend(register, event, quote["parentId"], quote["amount"], args["childIndex"], capped=False)
    quote_hash = INTENTS["Quote"].struct_hash(quote)
    check.expect("quote_hash", event.record, quote_hash, args["quoteHash"])
    require(check, "quote_twice", event, quote_hash not in register.quotes, "a new quote", quote_hash)
    register.quotes.add(quote_hash)
    price = quote["net"] + quote["discount"] + quote["fees"]
    require(check, "price", event, price == quote["amount"] and quote["net"] > 0, quote["amount"], price)
    same = args["financier"] == quote["financier"] and args["parentId"] == quote["parentId"]
    require(check, "other_quote", event, same, quote["financier"], args["financier"])
    require(
        check, "not_allowed", event, register.is_good(quote["financier"], FINANCIER), "a financier", quote["financier"]
    )
    require(check, "not_allowed", event, register.is_good(quote["payingBank"], BANK), "a bank", quote["payingBank"])
    own = register.organisation(holder)
    for other in (quote["financier"], quote["payingBank"]):
        require(check, "not_independent", event, register.organisation(other) != own, "another organisation", other)
    in_time = event.timestamp <= quote["expiry"] and offer_ok(receivable, quote["lockUntil"], event)
    require(check, "bad_offer", event, in_time, "in time", quote["lockUntil"])
    flags = OFFERED | LOCKED | (RECOURSE if quote["recourse"] else 0)
    child = Note(
        args["noteId"], receivable.id, giver.id, args["childIndex"], quote["financier"], quote["amount"],
        giver.tier + 1, flags, until=quote["lockUntil"], quote=quote,
    )  # fmt: skip
    put(register, receivable, child, args["noteId"], quote["evidence"], event)
    buy(register, event, quote["financier"], receivable, quote["amount"])
    return receivable


def financing_completed(register: Register, event: Event) -> Receivable:
    """The paying bank attested the net amount; the financier holds the note."""
    args, check = event.args, register.report.check("financing")
    receivable, note = parts(register, args["noteId"])
    check.count()
    require(
        check, "not_movable", event, note.flags & (LOCKED | FROZEN) == LOCKED and note.amount > 0, "a lock", note.flags
    )
    require(check, "offer_closed", event, event.timestamp < note.until, f"before {note.until}", event.timestamp)
    quote = note.quote or {}
    require(check, "net", event, args["net"] == quote.get("net"), quote.get("net"), args["net"])
    require(check, "no_registration", event, any(args["registration"]), "a registration", args["registration"])
    bank = quote.get("payingBank", b"")
    register.use_reference("Receivables", bank, args["bankReference"], event.record)
    register.bank_lines.append(
        BankLine(event.record, "financed", args["bankReference"], None, args["net"], receivable.currency)
    )
    change(receivable, note, flags=note.flags & ~PENDING | FINANCED)
    return receivable
