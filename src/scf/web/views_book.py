"""A financier's book: what it holds against its limit, by whom it stands and falls, how old it is; and its limit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlmodel import Session, col, select
from starlette.responses import Response

from scf.api.access import Caller, role_words
from scf.api.shapes import amount
from scf.kernel.clock import today
from scf.kernel.dates import day_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money, format_plain, parse_minor
from scf.kernel.problems import Problem
from scf.kernel.sentences import LANGUAGES
from scf.parties.service import Role
from scf.receivables.models import Financing, Note, Receivable
from scf.risk import service as risk
from scf.risk.models import FirmProfile, Guarantee, Guarantor
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_, translations
from scf.web.pages import Pages, go
from scf.web.svg.bars import bar
from scf.web.svg.charts import Column, against, columns, in_short
from scf.web.tables import csv_answer

router = APIRouter()
INDUSTRIES = {
    "A": N_("Farming, forestry, fishing"),
    "B": N_("Mining"),
    "C": N_("Manufacturing"),
    "D": N_("Electricity, heat, gas, water"),
    "E": N_("Construction"),
    "F": N_("Wholesale and retail"),
    "G": N_("Transport, storage, post"),
    "I": N_("Software and information"),
    "J": N_("Finance"),
    "L": N_("Leasing and business services"),
    "M": N_("Research and technical services"),
}
AGE_WORDS = {
    "not_due": N_("not due"),
    "d30": N_("1–30 days"),
    "d60": N_("31–60 days"),
    "d90": N_("61–90 days"),
    "older": N_("over 90"),
}
LIGHTS = {"green": N_("spread"), "amber": N_("somewhat concentrated"), "red": N_("concentrated")}
UNKNOWN_INDUSTRY = N_("industry not known")
CHIPS = {"green": "s-settled", "amber": "s-locked", "red": "s-overdue"}
_MOST_BARS = 8


@router.get("/book")
def book(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Exposure against limit, by core enterprise, guarantor and industry, with its ageing."""
    return _book_page(request, pages, caller, None)


@router.get("/book.csv")
def book_csv(pages: PagesDoor, caller: Signed) -> Response:
    """Every note of the book as a table."""
    with pages.app.reading() as session:
        _financier(pages, session, caller)
        rows = risk.exposure_of(session, sorted(caller.addresses))
        names = pages.app.parties.names(session)
        lines = _industries(session)
        now = today(pages.app.clock)
        cells = [
            (
                note.id,
                format_plain(note.amount_minor, row.currency),
                row.currency,
                names.get(row.obligor, row.obligor),
                lines.get(_organisation(pages, session, row.obligor), ""),
                day_of(row.maturity),
                max(0, risk.note_age(row, now)),
                "yes" if note.recourse else "no",
            )
            for note, row in rows
        ]
    return csv_answer(
        "book", ("note", "amount", "currency", "payer", "industry", "maturity", "days_late", "recourse"), cells
    )


@router.post("/book/limit")
def set_limit(request: Request, pages: PagesDoor, caller: Signed, limit: Annotated[str, Form()] = "") -> Response:
    """Ask for another limit; it holds once a second person of the firm agrees."""
    app = pages.app
    try:
        with app.desk.session() as session:
            financier = _financier(pages, session, caller)
            body = {
                "kind": "financier",
                "subject": financier,
                "currency": "CNY",
                "limit_minor": parse_minor(limit.strip(), "CNY"),
            }
            app.changes.request(session, "set_limit", body, caller.address)
    except Problem as problem:
        return _book_page(request, pages, caller, problem)
    return go("/to-approve", done="asked_change")


# Inside ---------------------------------------------------------------------------------------------------------------


def shown_limits(pages: Pages, session: Session, financier: str, code: str) -> list[dict[str, Any]]:
    """The financier's own limit with what is used and free; none when it set none."""
    shown = []
    for view in pages.app.programmes.limits(session, financier=financier, currency=code):
        words = f"{format_plain(view.used_minor, code)} / {format_plain(view.limit_minor, code)}"
        shown.append(
            {
                "kind": view.kind,
                "subject": "",
                "limit": amount(view.limit_minor, code),
                "used": amount(view.used_minor, code),
                "free": amount(view.free_minor, code),
                "bar": against(view.used_minor, view.limit_minor, words, warn=view.limit_minor * 8 // 10),
            }
        )
    return shown


def _financier(pages: Pages, session: Session, caller: Caller) -> str:
    found = pages.app.parties.account_of(session, caller.organisation_id, Role.FINANCIER)
    if found is None:
        raise Problem("role_needed", role=role_words(Role.FINANCIER), caller=caller.name)
    return found


def _book_page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    app, language = pages.app, pages.language(request)
    spoken, now, code = translations(language), today(app.clock), "CNY"
    with app.reading() as session:
        financier = _financier(pages, session, caller)
        rows = [
            (note, row) for note, row in risk.exposure_of(session, sorted(caller.addresses)) if row.currency == code
        ]
        names = app.parties.names(session)
        limits = shown_limits(pages, session, financier, code)
        by_obligor = _sums((row.obligor, note.amount_minor) for note, row in rows)
        by_industry = _by_industry(pages, session, rows)
        by_guarantor = _by_guarantor(session, caller, by_obligor, code, now)
        waiting = [
            one for one in app.changes.of_firm(session, caller.organisation_id, waiting=True) if one.kind == "set_limit"
        ]
        asked = [
            {
                name: f"{app.limits.words(session, one)[name]} {app.limits.turn(session, one)[name]}"
                for name in LANGUAGES
            }
            for one in app.limits.all(session, subject=financier, waiting=True)
        ]
        notes = [_note(session, note, row, names, code, now) for note, row in rows[:50]]
    bare, unknown = spoken.gettext(N_("without a guarantor")), spoken.gettext(UNKNOWN_INDUSTRY)
    firms = {names.get(who, who): minor for who, minor in by_obligor.items()}
    covered = {name or bare: minor for name, minor in by_guarantor.items()}
    lines = {spoken.gettext(INDUSTRIES.get(one, UNKNOWN_INDUSTRY)): minor for one, minor in by_industry.items()}
    views = [
        _view(N_("By core enterprise"), firms, code, spoken),
        _view(N_("By guarantor"), covered, code, spoken, apart=bare),
        _view(N_("By industry"), lines, code, spoken, apart=unknown),
    ]
    ages = risk.ageing({note.id: (risk.note_age(row, now), note.amount_minor) for note, row in rows})
    total = sum(by_obligor.values())
    worst = max(by_obligor.items(), key=lambda item: item[1], default=None)
    return pages.render(
        request,
        "book.html",
        caller,
        status=problem.status if problem else 200,
        total=amount(total, code),
        limits=limits,
        views=views,
        ages=[(spoken.gettext(AGE_WORDS[name]), amount(minor, code)) for name, minor in ages.items()],
        picture=columns(
            [
                Column(
                    spoken.gettext(AGE_WORDS[name]),
                    minor,
                    in_short(minor, currency_of(code).digits, language),
                    "held" if name == "not_due" else "near" if name == "d30" else "over",
                )
                for name, minor in ages.items()
            ],
            spoken.gettext("Age of what we hold, by days past due"),
        ),
        worst=None
        if worst is None
        else {
            "name": names.get(worst[0], worst[0]),
            "amount": amount(worst[1], code),
            "share": _percent(worst[1], total),
        },
        notes=notes,
        waiting=waiting,
        asked=asked,
        problem=problem,
    )


def _note(session: Session, note: Note, row: Receivable, names: dict[str, str], code: str, now: Any) -> dict[str, Any]:
    terms = session.get(Financing, note.id)
    days = risk.note_age(row, now)
    return {
        "id": note.id,
        "amount": amount(note.amount_minor, code),
        "payer": names.get(row.obligor, row.obligor),
        "seller": names.get(terms.seller, terms.seller) if terms else "—",
        "maturity": day_of(row.maturity),
        "late": max(0, days),
        "apr_ppm": terms.apr_ppm if terms else None,
        "recourse": note.recourse,
    }


def _view(word: str, amounts: dict[str, int], code: str, spoken: Any, *, apart: str = "") -> dict[str, Any]:
    """Bars of everything; the index over the names that are known, what stands `apart` left out of it."""
    found = risk.concentration(amounts)
    known = risk.concentration({name: minor for name, minor in amounts.items() if name != apart})
    rows = [
        {
            "name": share.name,
            "value": format_money(share.minor, code),
            "said": f"{share.permille // 10}.{share.permille % 10} %",
            "bar": bar(share.minor, found.total_minor, f"{share.permille / 10} %", state="held"),
            "href": None,
        }
        for share in found.shares[:_MOST_BARS]
    ]
    rest = found.shares[_MOST_BARS:]
    if rest:
        minor = sum(share.minor for share in rest)
        rows.append(
            {
                "name": spoken.gettext("%(count)s others") % {"count": len(rest)},
                "value": format_money(minor, code),
                "said": "",
                "bar": bar(minor, found.total_minor, "", state="several"),
                "href": None,
            }
        )
    return {
        "word": word,
        "rows": rows,
        "hhi": known.hhi,
        "light": spoken.gettext(LIGHTS[known.light]) if known.light else "",
        "chip": CHIPS.get(known.light or "", ""),
    }


def _sums(pairs: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, minor in pairs:
        sums[name] = sums.get(name, 0) + minor
    return sums


def _industries(session: Session) -> dict[int, str]:
    return {row.organisation_id: row.industry for row in session.exec(select(FirmProfile))}


def _organisation(pages: Pages, session: Session, address: str) -> int:
    found = pages.app.parties.organisation_of(session, address)
    return found.id if found else 0


def _by_industry(pages: Pages, session: Session, rows: Sequence[tuple[Note, Receivable]]) -> dict[str, int]:
    known = _industries(session)
    firms = {row.obligor: _organisation(pages, session, row.obligor) for _, row in rows}
    return _sums((known.get(firms[row.obligor], ""), note.amount_minor) for note, row in rows)


def _by_guarantor(session: Session, caller: Caller, by_obligor: dict[str, int], code: str, on: date) -> dict[str, int]:
    """What each guarantor stands for on a day, up to its limit; the rest under the empty name."""
    left = dict(by_obligor)
    found: dict[str, int] = {}
    query = (
        select(Guarantee, Guarantor)
        .join(Guarantor)
        .where(
            Guarantee.currency == code,
            col(Guarantee.until) >= on.isoformat(),
            col(Guarantor.licence_until) >= on.isoformat(),
        )
        .order_by(col(Guarantee.until), col(Guarantee.id))
    )
    for guarantee, guarantor in session.exec(query):
        if guarantee.financier not in caller.addresses:
            continue
        covered = min(left.get(guarantee.obligor, 0), guarantee.limit_minor)
        if covered:
            left[guarantee.obligor] -= covered
            found[guarantor.name] = found.get(guarantor.name, 0) + covered
    bare = sum(left.values())
    return {**found, "": bare} if bare else found


def _percent(part: int, whole: int) -> str:
    tenths = part * 1000 // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10} %"
