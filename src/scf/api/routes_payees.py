"""Routes of payout accounts: where a firm's money goes, a change of it, and where a buyer's bank pays a sale to."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from sqlmodel import Session

from scf.api import shapes
from scf.api.access import Caller
from scf.api.doors import Fresh, Scf, Who
from scf.api.views import moment
from scf.app import App
from scf.bank.models import PayoutAccount
from scf.bank.payees import CHANGE, Payee, masked, paid_on
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.models import Financing

router = APIRouter()
PAID = Role.SUPPLIER | Role.OBLIGOR | Role.FINANCIER | Role.BANK
"""Whose money can go somewhere: to a holder, to a buyer, or back to who paid too much."""


class PayoutBody(shapes.Shape):
    """Where the caller's firm wants its money."""

    holder: str = Field(max_length=140, description="Name on the account: the firm's own")
    number: str = Field(max_length=60, description="IBAN, or the number of an account at a Chinese bank")
    bank: str = Field(max_length=20, description="BIC, or CNAPS number of twelve digits")
    currency: str = Field(default="CNY", min_length=3, max_length=3)


def state(app: App, caller: Caller, body: PayoutBody) -> dict[str, Any]:
    """Take the account down, or propose it to a second person where the firm has one.

    Raises Problem `role_needed`, `payout_account_needs_person` (a token of a firm of one person), and what
    `PayoutAccounts.state` and `Changes.request` raise.
    """
    caller.require(PAID)
    said = body.model_dump()
    with app.desk.session() as session:
        if app.payout_accounts.needs_two(session, caller.organisation_id):
            row = app.changes.request(session, CHANGE, {"account": caller.address, **said}, caller.address)
            return {"proposed": row.id, **standing(app, session, caller, body.currency)}
        if caller.session_id is None and not app.settings.demo:
            raise Problem("payout_account_needs_person")
        app.payout_accounts.state(session, caller.address, **said)
        return {"proposed": None, **standing(app, session, caller, body.currency)}


def standing(app: App, session: Session, caller: Caller, currency: str) -> dict[str, Any]:
    """What the caller's firm is paid on, what takes its place and when, and whether two people state it."""
    found = app.payout_accounts.standing(session, caller.address, currency)
    return {
        "currency": found.currency,
        "account": payee_shape(found.now) if found.now else None,
        "waiting": _waiting(found.waiting) if found.waiting else None,
        "two_people": app.payout_accounts.needs_two(session, caller.organisation_id),
    }


def payee_of_sale(app: App, session: Session, caller: Caller, note_id: str) -> dict[str, Any]:
    """Where the price of a sold note is paid to; for its paying bank, its financier, its seller and overseers.

    Raises Problem `unknown_note`.
    """
    row = session.get(Financing, note_id.lower())
    if row is None or not (caller.sees_all or caller.addresses & {row.paying_bank, row.financier, row.seller}):
        raise Problem("unknown_note", note=note_id[:66])
    code = queries.receivable(session, row.receivable_id).currency
    payee = paid_on(session, app.parties, row.seller, code, app.clock.now())
    return {"payee": app.parties.name_of(session, row.seller), "account": payee_shape(payee) if payee else None}


def payee_shape(payee: Payee) -> dict[str, str]:
    """An account as answers show it."""
    return {"holder": payee.holder, "number": payee.number, "bank": payee.bank, "short": masked(payee.number)}


def _waiting(row: PayoutAccount) -> dict[str, Any]:
    shown = payee_shape(Payee(row.holder, row.number, row.bank))
    return {"id": row.id, **shown, "stated_at": moment(row.stated_at), "holds_from": moment(row.holds_from)}


@router.get("/payout-account", tags=["payout account"])
def payout_account(
    app: Scf, caller: Who, currency: Annotated[str, Query(min_length=3, max_length=3)] = "CNY"
) -> dict[str, Any]:
    """The account the caller's firm is paid on, and one that waits to take its place."""
    with app.reading() as session:
        return standing(app, session, caller, currency)


@router.post("/payout-account", tags=["payout account"])
def state_account(app: Scf, caller: Fresh, body: PayoutBody) -> dict[str, Any]:
    """State where the firm's money goes; `proposed` names the change where a second person has to agree.

    The first account holds at once, another one two days later; the same again is refused as stated already.
    """
    return state(app, caller, body)


@router.post("/payout-account/{payout_id}/stop", tags=["payout account"])
def stop_account(app: Scf, caller: Who, payout_id: int) -> dict[str, Any]:
    """Stop an account that waits; the one before stays."""
    with app.desk.session() as session:
        row = app.payout_accounts.stop(session, caller.address, payout_id)
        return standing(app, session, caller, row.currency)


@router.get("/notes/{note_id}/payee", tags=["payout account"])
def payee(app: Scf, caller: Who, note_id: str) -> dict[str, Any]:
    """Where the price of a sold note is paid to, for its paying bank, financier and seller."""
    with app.reading() as session:
        return payee_of_sale(app, session, caller, note_id)
