"""Where our money goes: the account a firm is paid on, stated by its own people; a change of it can be stopped."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.proving import is_fresh
from scf.api.routes_payees import PAID, PayoutBody, standing, state
from scf.bank.payees import CHANGE
from scf.kernel.problems import Problem
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.pages import Pages, go
from scf.web.views_acts import read_body

router = APIRouter()
_PATH = "/payout-account"
_FIELDS = {
    "account_number_unreadable": "number",
    "iban_mistyped": "number",
    "payout_account_same": "number",
    "payout_account_taken": "number",
    "bank_code_unreadable": "bank",
    "iban_needs_bic": "bank",
    "payout_holder_other": "holder",
}
"""Which answer a refusal is about."""


@router.get(_PATH)
def payout_account(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """The account of now, the one that takes its place, and three fields to state it."""
    caller.require(PAID)
    return _page(request, pages, caller)


@router.post(_PATH)
def stated(
    request: Request,
    pages: PagesDoor,
    caller: Fresh,
    holder: Annotated[str, Form()] = "",
    number: Annotated[str, Form()] = "",
    bank: Annotated[str, Form()] = "",
) -> Response:
    """Take the account down, or propose it to the firm's second person."""
    typed = {"holder": holder.strip(), "number": number.strip(), "bank": bank.strip()}
    try:
        reply = state(pages.app, caller, read_body(PayoutBody, typed))
    except Problem as problem:
        return _page(request, pages, caller, typed, problem)
    if reply["proposed"]:
        return go(_PATH, done="asked_change")
    return go(_PATH, done="payout_waits" if reply["waiting"] else "payout_stated")


@router.post(_PATH + "/{payout_id}/stop")
def stop(pages: PagesDoor, caller: Signed, payout_id: int) -> Response:
    """Stop a change that waits; whoever of the firm is signed in may."""
    with pages.app.desk.session() as session:
        pages.app.payout_accounts.stop(session, caller.address, payout_id)
    return go(_PATH, done="payout_stopped")


def _page(
    request: Request,
    pages: Pages,
    caller: Caller,
    typed: dict[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    app = pages.app
    with app.reading() as session:
        shown = standing(app, session, caller, "CNY")
        asked = [
            one for one in app.changes.of_firm(session, caller.organisation_id, waiting=True) if one.kind == CHANGE
        ]
    return pages.render(
        request,
        "payout_account.html",
        caller,
        status=problem.status if problem else 200,
        shown=shown,
        asked=asked,
        fresh=is_fresh(app, caller),
        typed=typed or {"holder": caller.name, "number": "", "bank": ""},
        field=_FIELDS.get(problem.code) if problem else None,
        problem=problem,
    )
