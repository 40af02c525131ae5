"""What a core enterprise must pay this week and to whom now, and how far down its chain cash has reached."""

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
from scf.kernel.money import format_money, format_plain
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables.models import Financing, Note, NoteState, Receivable, ReceivableState
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import translations
from scf.web.pages import Pages
from scf.web.svg.bars import bar
from scf.web.svg.charts import Column, columns, in_short
from scf.web.svg.icicle import Slice, Words, icicle
from scf.web.tables import csv_answer
from scf.web.views_core import account_of

router = APIRouter()
_WEEKS = 5
_MOST = 2_000


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


@router.get("/chain")
def chain(request: Request, pages: PagesDoor, caller: Signed, creditor: str = "") -> Response:
    """Our debts by tier as an icicle: amounts all the way down, names only of our own suppliers."""
    caller.require(Role.OBLIGOR)
    language = pages.language(request)
    with pages.app.reading() as session:
        obligor = account_of(pages.app, session, caller)
        codes = session.exec(select(Receivable.currency).where(Receivable.obligor == obligor).distinct()).all()
        code = "CNY" if "CNY" in codes or not codes else codes[0]
        cells = _tiers(session, obligor, code)
        names = pages.app.parties.names(session)
        branch = _branch(session, obligor, creditor, code) if creditor else []
    tiers = _by_tier(cells, code)
    people = sorted({cell["creditor"] for cell in cells}, key=lambda who: -_sum(cells, who, 1))
    face = sum(tier["value_minor"] for tier in tiers if tier["tier"] == 1)
    suppliers = [
        {
            "name": names.get(who, who),
            "href": f"/chain?creditor={who}#branch",
            "value": format_money(_sum(cells, who, 1), code),
            "bar": bar(_sum(cells, who, 1), face, format_money(_sum(cells, who, 1), code)),
            "said": translations(language).gettext("deepest tier %(tier)s")
            % {"tier": max(cell["tier"] for cell in cells if cell["creditor"] == who)},
        }
        for who in people[:12]
    ]
    return pages.render(
        request,
        "chain.html",
        caller,
        face=amount(face, code),
        tiers=tiers,
        deepest=max((tier["tier"] for tier in tiers), default=0),
        far=_share(sum(tier["value_minor"] for tier in tiers if tier["tier"] == 3), face),
        early=amount(sum(tier["early_minor"] for tier in tiers), code),
        suppliers=suppliers,
        picture=_icicle(cells, names, code, language),
        branch=branch,
        branch_name=names.get(creditor, "") if branch else "",
    )


@router.get("/chain.csv")
def chain_csv(pages: PagesDoor, caller: Signed) -> Response:
    """The same by supplier and tier, as a table."""
    caller.require(Role.OBLIGOR)
    with pages.app.reading() as session:
        obligor = account_of(pages.app, session, caller)
        codes = session.exec(select(Receivable.currency).where(Receivable.obligor == obligor).distinct()).all()
        names = pages.app.parties.names(session)
        rows = [(code, cell) for code in sorted(codes) for cell in _tiers(session, obligor, code)]
    header = ("supplier", "tier", "currency", "notes", "reached", "held", "paid_early", "paid_at_maturity")
    cells = (
        (
            names.get(cell["creditor"], cell["creditor"]),
            cell["tier"],
            code,
            cell["notes"],
            *(format_plain(cell[name], code) for name in ("value", "held", "early", "settled")),
        )
        for code, cell in rows
    )
    return csv_answer("chain", header, cells)


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
        .limit(_MOST)
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


def _tiers(session: Session, obligor: str, code: str) -> list[dict[str, Any]]:
    """What reached each tier, by the supplier it came through: made, held now, paid early, paid at maturity (minor).

    A sold note stands one step below its seller on the ledger; here it is the seller's tier that got its money early.
    """
    sold = col(Note.id).in_(select(Financing.note_id).where(col(Financing.completed_at).is_not(None)))
    query = (
        sa.select(
            col(Receivable.creditor),
            col(Note.tier),
            sa.case((sold, 1), else_=0),
            sa.func.count(),
            sa.func.sum(Note.original_minor),
            sa.func.sum(Note.amount_minor),
            sa.func.sum(Note.settled_minor),
        )
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(
            col(Receivable.obligor) == obligor,
            col(Receivable.currency) == code,
            col(Receivable.state) != ReceivableState.CANCELLED,
            col(Note.state) != NoteState.RETURNED,
        )
        .group_by(col(Receivable.creditor), col(Note.tier), sa.case((sold, 1), else_=0))
    )
    cells: dict[tuple[str, int], dict[str, Any]] = {}
    for who, depth, early, notes, value, held, settled in session.execute(query):
        tier = int(depth) - int(early)
        blank = {"creditor": who, "tier": tier, "notes": 0, "value": 0, "held": 0, "settled": 0, "early": 0}
        cell = cells.setdefault((who, tier), blank)
        if early:
            cell["early"] += int(value)
        else:
            cell["notes"] += int(notes)
            cell["value"] += int(value)
        cell["held"] += int(held)
        cell["settled"] += int(settled)
    return [cells[key] for key in sorted(cells)]


def _by_tier(cells: Sequence[dict[str, Any]], code: str) -> list[dict[str, Any]]:
    face = sum(cell["value"] for cell in cells if cell["tier"] == 1)
    rows = []
    for tier in sorted({cell["tier"] for cell in cells}):
        mine = [cell for cell in cells if cell["tier"] == tier]
        minor = {name: sum(cell[name] for cell in mine) for name in ("notes", "value", "held", "settled", "early")}
        rows.append(
            {
                "tier": tier,
                "notes": minor["notes"],
                "value_minor": minor["value"],
                "early_minor": minor["early"],
                "share": _share(minor["value"], face),
                "bar": bar(minor["value"], face, _share(minor["value"], face), state="held"),
                **{name: amount(minor[name], code) for name in ("value", "held", "settled", "early")},
            }
        )
    return rows


def _icicle(cells: Sequence[dict[str, Any]], names: dict[str, str], code: str, language: str) -> str:
    spoken = translations(language)
    slices = []
    for cell in cells:
        who, tier = cell["creditor"], cell["tier"]
        label = names.get(who, who) if tier == 1 else spoken.gettext("%(count)s notes") % {"count": cell["notes"]}
        state = (
            "settled"
            if cell["settled"] >= cell["value"] > 0
            else "financed"
            if cell["early"] * 2 > cell["value"]
            else "held"
        )
        parent = f"{who}:{tier - 1}" if tier > 1 else None
        slices.append(Slice(f"{who}:{tier}", parent, tier, cell["value"], cell["held"], state, label))
    words = {
        "settled": spoken.gettext("paid"),
        "financed": spoken.gettext("mostly paid early"),
        "held": spoken.gettext("on the way"),
        "several": spoken.gettext("several"),
    }
    return icicle(
        slices,
        Words(
            lambda minor: format_money(minor, code),
            lambda name: words.get(name, name),
            lambda count: spoken.gettext("%(count)s others") % {"count": count},
            lambda tier: spoken.gettext("tier %(number)s") % {"number": tier},
            spoken.gettext("kept"),
            spoken.gettext("How far our promises reached, by tier"),
        ),
    )


def _branch(session: Session, obligor: str, creditor: str, code: str) -> list[dict[str, Any]]:
    rows = session.exec(
        select(Receivable)
        .where(Receivable.obligor == obligor, Receivable.creditor == creditor, Receivable.currency == code)
        .order_by(col(Receivable.maturity).desc())
        .limit(50)
    ).all()
    return [
        {
            "id": row.id,
            "face": amount(row.face_minor, code),
            "outstanding": amount(row.outstanding_minor, code),
            "due": day_of(row.maturity),
            "state": str(row.state),
        }
        for row in rows
    ]


def _sum(cells: Sequence[dict[str, Any]], creditor: str, tier: int) -> int:
    return sum(cell["value"] for cell in cells if cell["creditor"] == creditor and cell["tier"] == tier)


def _share(part: int, whole: int) -> str:
    """A share in percent with one decimal, cut."""
    tenths = part * 1000 // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10} %"
