"""Money in and out: lines of repayment accounts, payments that failed, whose turn it is, and the way to mend it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import collecting
from scf.api.access import Caller
from scf.bank import service as bank
from scf.financing.collecting import Finding
from scf.financing.payouts import give_back, pay_holders
from scf.kernel.clock import today
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go

router = APIRouter()
MOST = 100
FINDINGS = {
    Finding.FULL: N_("paid in full"),
    Finding.PARTIAL: N_("paid in part"),
    Finding.OVER: N_("too much"),
    Finding.UNMATCHED: N_("not explained"),
    Finding.AMBIGUOUS: N_("fits several"),
    Finding.NOTHING_OWED: N_("nothing was owed"),
    Finding.REVERSED: N_("taken back in time"),
    Finding.REVERSED_AFTER_SETTLEMENT: N_("taken back after payout"),
    Finding.PAYOUT_BACK: N_("payout came back"),
    Finding.MADE_GOOD: N_("made good"),
}


@router.get("/money")
def money(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Lines and failed payments that concern the caller."""
    return _page(request, pages, caller, None)


@router.post("/money")
async def act(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Assign a line, send money back, pay holders, make a payment anew; `act` says what."""
    form = await request.form()
    return await run_in_threadpool(_act, request, pages, caller, form)


def _act(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    given = {name: str(value).strip() for name, value in form.items()}
    what = given.get("act", "")
    try:
        _carry_out(pages, caller, what, given)
    except Problem as problem:
        return _page(request, pages, caller, problem)
    return go("/money", done=f"money_{what}")


def _carry_out(pages: Pages, caller: Caller, what: str, given: dict[str, str]) -> None:
    app = pages.app
    with app.desk.session() as session:
        if what == "again":
            row = collecting.payment_for(session, caller, given.get("payment", ""))
            bank.pay_again(session, row.end_to_end_id, execute_on=today(app.clock), now=app.clock.now())
            return
        line = collecting.line_for(app, session, caller, _number(given.get("line")), to_act=True)
        if what == "assign":
            app.maturity.assign(session, line.line_id, _number(given.get("receivable")))
        elif what == "back":
            give_back(session, line.line_id, app.clock, agent=given.get("bic") or None)
        elif what == "pay" and line.receivable_id is not None:
            pay_holders(session, app.parties, line.receivable_id, app.clock)
        else:
            raise Problem("unknown_act", act=what[:40])


def _number(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem("unknown_line", line=(text or "-")[:20])
    return int(text)


def _page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    app = pages.app
    with app.reading() as session:
        rows = collecting.lines(app, session, caller, only_open=False, limit=MOST)
        failed = [
            {**one, "may_mend": _may_mend(session, caller, one["payment"])}
            for one in collecting.payments(app, session, caller, failed=True, limit=MOST)
        ]
        shown = [_shown(pages, session, caller, row) for row in rows]
    todo = [one for one in shown if one["open"] or one["state"] == "prepared"]
    return pages.render(
        request,
        "money.html",
        caller,
        todo=todo,
        earlier=[one for one in shown if one not in todo],
        failed=failed,
        findings=FINDINGS,
        problem=problem,
        status=problem.status if problem else 200,
    )


def _may_mend(session: Session, caller: Caller, payment: str) -> bool:
    try:
        collecting.payment_for(session, caller, payment)
    except Problem:
        return False
    return True


def _shown(pages: Pages, session: Session, caller: Caller, row: dict[str, Any]) -> dict[str, Any]:
    """A line with what the caller may do about it."""
    try:
        collecting.line_for(pages.app, session, caller, row["line"], to_act=True)
        may_act = True
    except Problem:
        may_act = False
    is_unexplained = row["finding"] in (Finding.UNMATCHED, Finding.AMBIGUOUS)
    too_much = int(row["surplus"]["minor"]) > 0
    return {
        **row,
        "may_sign": row["state"] == "prepared" and caller.has(Role.BANK) and may_act,
        "may_assign": may_act and row["open"] and is_unexplained,
        "may_send_back": may_act and row["open"] and (is_unexplained or too_much),
        "may_pay": may_act and row["state"] == "attested",
    }
