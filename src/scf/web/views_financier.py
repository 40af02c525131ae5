"""A financier's desk: deals that fit, one deal with its risk and its goods, the book against its limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from sqlmodel import Session, col, select
from starlette.responses import Response

from scf.api import exceptions
from scf.api.access import Caller, role_words
from scf.api.shapes import amount
from scf.api.views import Views
from scf.app import App
from scf.financing.automatic import Figure
from scf.financing.declining import decline, declined_by, refusals_of
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.policy import QuotePolicy, Terms
from scf.financing.price import price
from scf.kernel.clock import today
from scf.kernel.dates import day_of, days_between
from scf.kernel.money import format_plain
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables import queries
from scf.reconciliation import service as reconciliation
from scf.reconciliation.facts import date_of
from scf.risk import service as risk
from scf.web.claims import taken_quote
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.lanes import KINDS, lanes_of, said, settled
from scf.web.pages import Pages, go
from scf.web.tables import csv_answer
from scf.web.views_book import shown_limits

router = APIRouter()
RISK_WORDS = {"clear": N_("clear"), "flag": N_("flagged"), "unknown": N_("not known")}
SIGNAL_WORDS = {
    "double_financing": N_("Used twice"),
    "circular_trade": N_("Circular trade"),
    "early_invoice": N_("Invoice before goods"),
    "overdue_history": N_("How the payer pays"),
    "burst": N_("Burst of invoices"),
    "dilution": N_("Credit notes"),
    "round_amounts": N_("Round sums"),
    "repeat_pair": N_("One buyer alone"),
}
PAPER_WORDS = {
    "invoice": N_("invoice"),
    "credit_note": N_("credit note"),
    "delivery": N_("delivery"),
    "order": N_("order"),
    "receivable": N_("receivable"),
    "payment": N_("payment"),
}
_STANDING = {"clear": 0, "unknown": 1, "flag": 2}
_DEFAULT_RATE_PPM = 50_000
_MOST = 100
_NO_PRICE = N_("our policy gives no price for it")
WHY_NOT = {
    "amount_too_small": N_("smaller than our policy takes"),
    "amount_too_large": N_("larger than our policy takes"),
    "obligor_not_bought": N_("our policy does not buy this payer"),
    "limit_used": N_("beyond our policy's limit for this payer"),
    "term_too_long": N_("longer than our policy goes"),
    "past_due": N_("due already"),
}


@router.get("/deals")
def deals(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    days: Annotated[int | None, Query(ge=1, le=400)] = None,
    risk_up_to: Annotated[str, Query(alias="risk", pattern="^(clear|unknown|flag)$")] = "flag",
) -> Response:
    """Requests we were asked to price that are still open, with yield, days and risk; the filter is ours to set."""
    with pages.app.reading() as session:
        financier = _financier(pages, session, caller)
        rate = _own_rate(session, financier)
        rows = _open_deals(pages, session, caller, financier, rate)
        policies = _policies(pages, session, caller)
    chosen = [
        row for row in rows if (days is None or row["days"] <= days) and _STANDING[row["risk"]] <= _STANDING[risk_up_to]
    ]
    fitting = [row for row in chosen if row["fits"] is not False]
    return pages.render(
        request,
        "deals.html",
        caller,
        rows=fitting,
        beyond=[row for row in chosen if row["fits"] is False],
        hidden=len(rows) - len(chosen),
        policies=[_policy_shown(row, terms) for row, terms in policies],
        totals=_totals((row["amount"]["currency"], int(row["amount"]["minor"])) for row in fitting),
        days=days or "",
        risk=risk_up_to,
        rate=rate,
        risk_words=RISK_WORDS,
    )


@router.get("/deals.csv")
def deals_csv(pages: PagesDoor, caller: Signed) -> Response:
    """The open requests as a table."""
    with pages.app.reading() as session:
        financier = _financier(pages, session, caller)
        rows = _open_deals(pages, session, caller, financier, _own_rate(session, financier))
    header = (
        "request",
        "amount",
        "currency",
        "payer",
        "holder",
        "maturity",
        "days",
        "indicative_apr_percent",
        "risk",
        "fits_policy",
    )
    cells = (
        (
            row["id"],
            row["amount"]["text"],
            row["amount"]["currency"],
            row["payer"],
            row["holder"],
            row["maturity"],
            row["days"],
            f"{row['apr_ppm'] / 10_000:.4f}",
            row["risk"],
            {True: "yes", False: "no", None: ""}[row["fits"]],
        )
        for row in rows
    )
    return csv_answer("deals", header, cells)


@router.get("/deals/{ask_id}")
def deal(request: Request, pages: PagesDoor, caller: Signed, ask_id: str) -> Response:
    """One request: the verdict with its reasons and rows, goods against money, and the way to quote or decline."""
    return _deal_page(request, pages, caller, ask_id, None)


@router.post("/deals/{ask_id}/decline")
def say_no(
    request: Request, pages: PagesDoor, caller: Signed, ask_id: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Decline with a reason, which the holder reads."""
    app = pages.app
    try:
        with app.desk.session() as session:
            financier = _financier(pages, session, caller)
            row = _invited(session, caller, ask_id)
            done = decline(session, ask_id, financier, caller.address, reason, clock=app.clock)
            words = {
                "en": f"{caller.name} declines to quote: {done.reason}",
                "zh-CN": f"{caller.name} 不予报价：{done.reason}",
            }
            key = f"declined:{ask_id}:{financier}"
            app.notices.tell(session, key, row.asker, "declined", words, evidence_id=done.evidence_id)
    except Problem as problem:
        if problem.code in ("unknown_ask", "role_needed"):
            raise
        return _deal_page(request, pages, caller, ask_id, problem)
    return go("/deals", done="declined")


# Inside ---------------------------------------------------------------------------------------------------------------


def _financier(pages: Pages, session: Session, caller: Caller) -> str:
    """The address by which the caller's firm finances. Raises Problem `role_needed`."""
    found = pages.app.parties.account_of(session, caller.organisation_id, Role.FINANCIER)
    if found is None:
        raise Problem("role_needed", role=role_words(Role.FINANCIER), caller=caller.name)
    return found


def _invited(session: Session, caller: Caller, ask_id: str) -> FinancingAsk:
    row = session.get(FinancingAsk, ask_id)
    if row is None or not caller.addresses & set(row.invited.split(",")):
        raise Problem("unknown_ask", ask=ask_id[:40])
    return row


def _own_rate(session: Session, financier: str) -> int:
    """The yearly discount we quoted last (ppm): what an indication is reckoned with."""
    query = (
        select(QuoteOffer.price).where(QuoteOffer.financier == financier).order_by(col(QuoteOffer.expires_at).desc())
    )
    last = session.exec(query.limit(1)).first()
    return int(json.loads(last)["rate_ppm"]) if last else _DEFAULT_RATE_PPM


def _open_deals(pages: Pages, session: Session, caller: Caller, financier: str, rate_ppm: int) -> list[dict[str, Any]]:
    app, now = pages.app, today(pages.app.clock)
    views = Views(app, session, caller)
    no = declined_by(session, caller.addresses)
    trades = risk.recent_trades(session, clock=app.clock)
    rows = []
    for ask in list(app.financing.asks_for(session, financier))[:_MOST]:
        if ask.id in no or taken_quote(session, ask.id):
            continue
        note = queries.note(session, ask.note_id)
        row = queries.receivable(session, note.receivable_id)
        due = day_of(row.maturity)
        if due <= now or note.amount_minor < ask.amount_minor:
            continue
        mine = any(offer.financier in caller.addresses for offer in app.financing.quotes(session, ask.id))
        found = _by_policy(app, session, ask, financier)
        figures = found.price if found and found.price else price(ask.amount_minor, row.currency, rate_ppm, now, due)
        verdict = risk.assess(session, note.id, clock=app.clock, trades=trades)
        rows.append(
            {
                "id": ask.id,
                "amount": amount(ask.amount_minor, row.currency),
                "payer": views.name(row.obligor),
                "holder": views.name(ask.asker),
                "maturity": due,
                "days": days_between(now, due),
                "apr_ppm": figures.apr_ppm,
                "earn": amount(figures.cost_minor, row.currency),
                "fits": None if found is None else found.price is not None,
                "why_not": WHY_NOT.get(found.refusal or "", _NO_PRICE) if found else "",
                "risk": verdict.answer,
                "why": verdict.strongest[0],
                "quoted": mine,
                "since": day_of(ask.asked_at),
            }
        )
    return sorted(rows, key=lambda one: (one["quoted"], one["fits"] is False, _STANDING[one["risk"]], one["days"]))


def _policies(pages: Pages, session: Session, caller: Caller) -> list[tuple[QuotePolicy, Terms]]:
    """The caller's own policies for automatic quotes that are in force, one a currency."""
    app = pages.app
    codes = {row.currency for row in app.policies.of(session, sorted(caller.addresses))}
    found = [one for code in sorted(codes) for one in app.policies.in_force(session, code)]
    return [(row, terms) for row, terms in found if row.financier in caller.addresses]


def _by_policy(app: App, session: Session, ask: FinancingAsk, financier: str) -> Figure | None:
    """What our policy gives for a request; None without a policy, or when the note can't be sold now."""
    try:
        figures = app.quotes.figures(session, ask.note_id, ask.amount_minor)
    except Problem:
        return None
    return next((one for one in figures if one.financier == financier), None)


def _policy_shown(row: QuotePolicy, terms: Terms) -> dict[str, Any]:
    code = row.currency
    return {
        "currency": code,
        "least": amount(terms.min_minor, code),
        "most": amount(terms.max_minor, code),
        "bands": [(band.up_to_days, band.rate_ppm) for band in terms.rates],
        "payers": len(terms.obligors),
        "recourse": terms.recourse,
        "until": day_of(terms.valid_until),
    }


def _deal_page(request: Request, pages: Pages, caller: Caller, ask_id: str, problem: Problem | None) -> Response:
    app, language = pages.app, pages.language(request)
    with app.reading() as session:
        financier = _financier(pages, session, caller)
        ask = _invited(session, caller, ask_id)
        views = Views(app, session, caller)
        note = queries.note(session, ask.note_id)
        row = queries.receivable(session, note.receivable_id)
        verdict = risk.assess(session, note.id, clock=app.clock)
        order = risk.order_of(session, note.id)
        steps, breaks = _goods(session, order)
        mine = [offer for offer in app.financing.quotes(session, ask_id) if offer.financier in caller.addresses]
        taken = taken_quote(session, ask_id)
        refused = next((one for one in refusals_of(session, ask_id) if one.financier in caller.addresses), None)
        now, due = today(app.clock), day_of(row.maturity)
        rate = _own_rate(session, financier)
        figures = price(ask.amount_minor, row.currency, rate, now, due) if due > now else None
        held = _held_on(session, caller, row.obligor)
        limits = shown_limits(pages, session, financier, row.currency)
        openable = _openable(views, verdict)
        shown = {
            "id": ask.id,
            "amount": amount(ask.amount_minor, row.currency),
            "payer": views.name(row.obligor),
            "holder": views.name(ask.asker),
            "maturity": due,
            "days": days_between(now, due),
            "tier": note.tier,
            "since": day_of(ask.asked_at),
            "note": note.id,
        }
    return pages.render(
        request,
        "deal.html",
        caller,
        status=problem.status if problem else 200,
        deal=shown,
        verdict=verdict,
        openable=openable,
        order=order,
        picture=lanes_of(steps, breaks, language) if steps else "",
        agrees=settled(steps, breaks),
        steps=steps,
        breaks=[exceptions.shape(one) for one in breaks if one.state == "open"],
        day_of=lambda day: date_of(day).isoformat(),
        said=said,
        kinds=KINDS,
        mine=mine,
        taken=taken,
        may_quote=not mine and not taken and refused is None and caller.has(Role.FINANCIER) and due > now,
        refused=refused,
        rate=rate,
        figures=figures,
        earn=amount(figures.cost_minor, row.currency) if figures else None,
        held=amount(held, row.currency),
        limits=limits,
        risk_words=RISK_WORDS,
        signal_words=SIGNAL_WORDS,
        paper_words=PAPER_WORDS,
        plain=format_plain,
        language=language,
        problem=problem,
    )


def _goods(session: Session, order: str | None) -> tuple[Sequence[Any], Sequence[Any]]:
    """Steps and exceptions of an order; nothing when it is not known."""
    if not order:
        return (), ()
    try:
        steps = reconciliation.timeline(session, order)
        return steps, reconciliation.exceptions(session, state=None, order_reference=order).rows
    except Problem:
        return (), ()


def _openable(views: Views, verdict: risk.Verdict) -> set[str]:
    """Evidence among the rows that this caller may open."""
    found = set()
    for one in {row.evidence_id for finding in verdict.findings for row in finding.evidence if row.evidence_id}:
        try:
            views.evidence(one)
        except Problem:
            continue
        found.add(one)
    return found


def _held_on(session: Session, caller: Caller, obligor: str) -> int:
    """What we hold on an obligor already, in minor units."""
    return sum(
        note.amount_minor for note, row in risk.exposure_of(session, sorted(caller.addresses)) if row.obligor == obligor
    )


def _totals(pairs: Any) -> list[dict[str, str]]:
    sums: dict[str, int] = {}
    for code, minor in pairs:
        sums[code] = sums.get(code, 0) + minor
    return [amount(minor, code) for code, minor in sorted(sums.items())]
