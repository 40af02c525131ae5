"""What a core enterprise must pay this week and to whom now, and the payment order for its bank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from sqlmodel import Session, col, select
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.shapes import amount
from scf.financing.collecting import creditor_reference
from scf.financing.paying import due_until, payer_accounts, payment_file, references
from scf.kernel.clock import today
from scf.kernel.dates import day_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_plain
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables.models import Note, Receivable, ReceivableState
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import translations
from scf.web.pages import Pages
from scf.web.svg.charts import Column, columns, in_short
from scf.web.tables import csv_answer
from scf.web.views_core import account_of

router = APIRouter()
_WEEKS = 5


@router.get("/payables")
def payables(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What falls due week by week, this week first, and to whom it goes now."""
    return _payables_page(request, pages, caller, None)


def _payables_page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    caller.require(Role.OBLIGOR)
    language, now = pages.language(request), today(pages.app.clock)
    monday = now - timedelta(days=now.weekday())
    sunday = monday + timedelta(days=6)
    with pages.app.reading() as session:
        obligor = account_of(pages.app, session, caller)
        rows = _due(pages, session, obligor)
        code = rows[0]["currency"] if rows else "CNY"
        order = _order(pages, session, obligor, code, sunday)
    soon = [row for row in rows if row["due"] <= sunday]
    picture = _weeks(rows, code, now, monday, language)
    return pages.render(
        request,
        "payables.html",
        caller,
        status=problem.status if problem else 200,
        order=order,
        problem=problem,
        soon=soon,
        later=[row for row in rows if row["due"] > sunday],
        totals=_totals(soon),
        overdue=[row for row in soon if row["due"] < now],
        week=(monday, sunday),
        now=now,
        picture=picture,
        all=_totals(rows),
    )


@router.get("/payables.csv")
def payables_csv(pages: PagesDoor, caller: Signed) -> Response:
    """The calendar as a payment list: amount, day, and the references that let the bank line find its receivable."""
    caller.require(Role.OBLIGOR)
    with pages.app.reading() as session:
        rows = _due(pages, session, account_of(pages.app, session, caller))
    header = ("due", "amount", "currency", "receivable", "creditor", "end_to_end_id", "structured_reference")
    fields = ("currency", "id", "creditor", "end_to_end", "rf")
    cells = ((row["due"], format_plain(row["minor"], row["currency"]), *(row[name] for name in fields)) for row in rows)
    return csv_answer("payables", header, cells)


@router.get("/payables.xml")
def payables_order(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    until: Annotated[date | None, Query()] = None,
    account: str = "",
    currency: Annotated[str, Query(pattern="^[A-Z]{3}$")] = "CNY",
) -> Response:
    """What is due up to a day (this week when none is named) as a payment order for our bank (pain.001.001.09)."""
    caller.require(Role.OBLIGOR)
    app = pages.app
    now = today(app.clock)
    day = until or now + timedelta(days=6 - now.weekday())
    try:
        with app.reading() as session:
            obligor = account_of(app, session, caller)
            number = account
            if not number:
                own = payer_accounts(session, app.parties, obligor, currency)
                number = own[0].number if own else ""
            made = payment_file(
                session,
                app.parties,
                obligor,
                currency,
                day,
                number,
                clock=app.clock,
                calendar=app.maturity.calendar,
                lateness=app.maturity.lateness,
            )
    except Problem as problem:
        return _payables_page(request, pages, caller, problem)
    headers = {"Content-Disposition": f'attachment; filename="pain.001-{made.message_id}.xml"'}
    return Response(made.raw, media_type="application/xml", headers=headers)


# Inside ---------------------------------------------------------------------------------------------------------------


def _due(pages: Pages, session: Session, obligor: str) -> list[dict[str, Any]]:
    """What the obligor still owes, soonest first, with what of it its own supplier holds and what others hold now."""
    rows = session.exec(
        select(Receivable)
        .where(
            Receivable.obligor == obligor,
            Receivable.outstanding_minor > 0,
            col(Receivable.state).in_((ReceivableState.LIVE, ReceivableState.OFFERED)),
        )
        .order_by(col(Receivable.maturity), col(Receivable.id))
    ).all()
    held = _held(session, [row.id for row in rows])
    names = pages.app.parties.names(session)
    known = references(session, [row.id for row in rows])
    shown = []
    for row in rows:
        parts = held.get(row.id, {})
        own = parts.get(row.creditor, 0)
        others = sum(minor for who, minor in parts.items() if who != row.creditor)
        shown.append(
            {
                "id": row.id,
                "due": pages.app.maturity.due_day(row.maturity),
                "since": day_of(row.state_since),
                "minor": row.outstanding_minor,
                "currency": row.currency,
                "amount": amount(row.outstanding_minor, row.currency),
                "creditor": names.get(row.creditor, row.creditor),
                "own": amount(own, row.currency),
                "own_minor": own,
                "others": amount(others, row.currency),
                "others_minor": others,
                "holders": sum(1 for who, minor in parts.items() if who != row.creditor and minor),
                "offered": row.state == ReceivableState.OFFERED,
                "end_to_end": known[row.id],
                "rf": creditor_reference(row.id),
            }
        )
    return shown


def _order(pages: Pages, session: Session, obligor: str, code: str, until: date) -> dict[str, Any]:
    """What a payment order up to a day would pay, and from which accounts it can be."""
    app = pages.app
    found = due_until(
        session,
        app.parties,
        obligor,
        code,
        until,
        clock=app.clock,
        calendar=app.maturity.calendar,
        lateness=app.maturity.lateness,
    )
    return {
        "until": until,
        "currency": code,
        "count": len(found),
        "total": amount(sum(one.amount_minor for one in found), code),
        "interest_minor": sum(one.interest_minor for one in found),
        "interest": amount(sum(one.interest_minor for one in found), code),
        "accounts": payer_accounts(session, app.parties, obligor, code),
    }


def _held(session: Session, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Value by receivable and holder, wherever it stands now."""
    found: dict[int, dict[str, int]] = {}
    for start in range(0, len(ids), 400):
        query = (
            select(Note.receivable_id, Note.holder, sa.func.sum(Note.amount_minor))
            .where(col(Note.receivable_id).in_(ids[start : start + 400]), Note.amount_minor > 0)
            .group_by(col(Note.receivable_id), col(Note.holder))
        )
        for receivable_id, holder, minor in session.exec(query):
            found.setdefault(receivable_id, {})[holder] = int(minor)
    return found


def _weeks(rows: Sequence[dict[str, Any]], code: str, now: date, monday: date, language: str) -> str:
    spoken = translations(language)
    digits = currency_of(code).digits
    late = sum(row["minor"] for row in rows if row["due"] < now and row["currency"] == code)
    drawn = [Column(spoken.gettext("overdue"), late, in_short(late, digits, language), "over")] if late else []
    for week in range(_WEEKS):
        first = monday + timedelta(days=7 * week)
        last = first + timedelta(days=6)
        minor = sum(
            row["minor"] for row in rows if max(first, now) <= row["due"] <= last and row["currency"] == code
        )  # fmt: skip
        word = spoken.gettext("this week") if week == 0 else f"{first:%m-%d}"
        state = "near" if week == 0 else "held"
        drawn.append(
            Column(word, minor, in_short(minor, digits, language), state, "" if week == 0 else f"–{last:%m-%d}")
        )
    end = monday + timedelta(days=7 * _WEEKS)
    after = sum(row["minor"] for row in rows if row["due"] >= end and row["currency"] == code)
    drawn.append(Column(spoken.gettext("later"), after, in_short(after, digits, language)))
    return columns(drawn, spoken.gettext("What falls due, week by week"))


def _totals(rows: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["currency"]] = sums.get(row["currency"], 0) + row["minor"]
    return [amount(minor, code) for code, minor in sorted(sums.items())]
