"""The first page: for each role of the caller, one number first and what waits for it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import col, or_, select
from starlette.responses import Response

from scf.api import exceptions, reads
from scf.api.routes_records import status_of
from scf.api.shapes import amount
from scf.api.views import Views
from scf.kernel.problems import Problem
from scf.kernel.sentences import catalogue
from scf.parties.models import Member
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.models import Financing, NoteState
from scf.web.claims import claims_of, shape_ask
from scf.web.doors import PagesDoor, Signed
from scf.web.svg.bars import bar
from scf.web.tasks import tasks_of

router = APIRouter()
_ROWS = 50


@router.get("/")
def home(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """The caller's first page."""
    app = pages.app
    with app.reading() as session:
        views = Views(app, session, caller)
        context: dict[str, Any] = {"tasks": tasks_of(app, session, caller)}
        if caller.has(Role.OBLIGOR):
            context["debt"] = debt_of(views)
        if caller.has(Role.SUPPLIER):
            context["claims"] = claims_of(views)
        if caller.has(Role.FINANCIER):
            context["book"] = book_of(views)
        if caller.has(Role.BANK | Role.ATTESTOR | Role.APPROVER):
            context["entrusted"] = entrusted_of(views)
        if caller.has(Role.OPERATOR | Role.REGULATOR):
            context["queue"] = exceptions.open_exceptions(session, caller, limit=10)[0]
        context["add_passkey"] = (
            caller.person_id is not None
            and pages.passkey_site(request) is not None
            and not app.people.passkeys(session, caller.person_id)
        )
    if caller.sees_all:
        context["ledger"] = status_of(app, caller)
    return pages.render(request, "home.html", caller, **context)


@router.get("/problems/{code}")
def problem_type(request: Request, pages: PagesDoor, code: str) -> Response:
    """What a problem's `type` address says: the sentence in both languages."""
    found = catalogue().get(code)
    if found is None:
        raise Problem("address_unknown", path=request.url.path)
    return pages.render(request, "problem_type.html", entry=found)


def debt_of(views: Views) -> dict[str, Any]:
    """What the obligor owes, by date, and how much of its limit is free."""
    app, session, caller = views.app, views.session, views.caller
    obligor = app.parties.account_of(session, caller.organisation_id, Role.OBLIGOR) or caller.address
    member = session.get(Member, obligor)  # also one on hold: its debts and what it holds stay in sight
    limit_minor, halted = (member.limit_minor, member.halted) if member else (0, False)
    used_minor = queries.outstanding_of(session, obligor)
    due = reads.debts_of(session, obligor, limit=_ROWS)
    code = due[0].currency if due else "CNY"
    rows = [views.receivable(row.id) for row in due]
    free_minor = max(0, limit_minor - used_minor)
    return {
        "used": amount(used_minor, code),
        "free": amount(free_minor, code),
        "limit": amount(limit_minor, code),
        "bar": bar(used_minor, limit_minor, f"{used_minor * 100 // max(1, limit_minor)} %"),
        "rows": rows,
        "count": reads.count_debts(session, obligor),
        "overdue": reads.count_debts(session, obligor, before=app.clock.now()),
        "next": rows[0] if rows else None,
        "halted": halted,
    }


def entrusted_of(views: Views) -> dict[str, Any]:
    """How many entrusted accounts the caller has a part in, and what is still locked there by currency."""
    rows = [views.account(row.id) for row in reads.accounts_related(views.session, views.caller.addresses, limit=200)]
    locked: dict[str, int] = {}
    for row in rows:
        if row["locked"] is not None and row["locked_at"]:
            left = int(row["locked"]["minor"]) - int(row["released"]["minor"]) - int(row["refunded"]["minor"])
            locked[row["currency"]] = locked.get(row["currency"], 0) + left
    return {"count": len(rows), "locked": [amount(minor, code) for code, minor in sorted(locked.items())]}


def book_of(views: Views) -> dict[str, Any]:
    """What a financier was asked for and what it holds."""
    app, session, caller = views.app, views.session, views.caller
    asks = [shape_ask(views, row) for row in app.financing.asks_for(session, caller.address)]
    mine = caller.addresses
    financed = session.exec(
        select(Financing)
        .where(or_(col(Financing.financier).in_(mine), col(Financing.paying_bank).in_(mine)))
        .order_by(col(Financing.receivable_id).desc())
        .limit(_ROWS)
    ).all()
    rows = []
    out: dict[str, int] = {}
    for row in financed:
        note = views.note(row.note_id)
        code = note["amount"]["currency"]
        if row.completed_at and note["state"] == NoteState.HELD:
            out[code] = out.get(code, 0) + int(note["amount"]["minor"])
        rows.append(
            {
                "note": note,
                "net": amount(row.net_minor, code),
                "apr_ppm": row.apr_ppm,
                "seller": views.name(row.seller),
                "recourse": row.recourse,
                "completed": row.completed_at is not None,
            }
        )
    return {
        "asks": [ask for ask in asks if ask["taken"] is None],
        "rows": rows,
        "outstanding": [amount(minor, code) for code, minor in sorted(out.items())],
    }
