"""A financier's own policies for automatic quotes: what they say, a sample price, a new one, a change, an end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from scf.api import acts
from scf.api.access import Caller
from scf.api.shapes import amount
from scf.financing.policy import Offered, QuotePolicy, Terms, offered, read_terms
from scf.financing.price import price
from scf.kernel.clock import today
from scf.kernel.dates import day_of, days_between, next_day, to_unix
from scf.kernel.money import format_plain, parse_minor
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go
from scf.web.views_financier import WHY_NOT

router = APIRouter()
_BANDS, _SIZES, _MOST_ROWS = 3, 1, 20
_OVERSEERS = Role.OPERATOR | Role.AUDITOR | Role.REGULATOR


@router.get("/policies")
def policies(request: Request, pages: PagesDoor, caller: Signed, policy: int | None = None) -> Response:
    """Our policies, in force, waiting for a second person, and past; the form holds `policy`'s terms to change them."""
    form = FormData({})
    if policy is not None:
        form = _form_of(_own(pages, caller, policy))
    return _page(request, pages, caller, form, None)


@router.post("/policies")
async def act(request: Request, pages: PagesDoor, caller: Fresh) -> Response:
    """A sample price, one row more or less, or the policy (or its end) laid before a second person; `do` says what."""
    form = await request.form()
    return await run_in_threadpool(_act, request, pages, caller, form)


def _act(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    what = str(form.get("do") or "")
    if what.startswith(("more_", "less_")):
        return _page(request, pages, caller, form, None)
    try:
        if what == "end":
            row = _own(pages, caller, int(str(form.get("policy") or "0")))
            with pages.app.desk.session() as session:
                pages.app.changes.request(session, "withdraw_quote_policy", {"policy": row.id}, caller.address)
            return go("/policies", done="asked_change")
        with pages.app.reading() as session:
            terms = _terms(pages, request, session, caller, form)
            if what == "preview":
                sample = _sample(pages, request, session, terms, form)
                return _page(request, pages, caller, form, None, sample=sample)
        with pages.app.desk.session() as session:
            pages.app.changes.request(session, "set_quote_policy", terms.model_dump(), caller.address)
    except Problem as problem:
        return _page(request, pages, caller, form, problem)
    return go("/policies", done="asked_change")


# Inside ---------------------------------------------------------------------------------------------------------------


def _financier(pages: Pages, session: Session, caller: Caller) -> str:
    """The address the caller's firm finances by. Raises Problem `role_needed`."""
    found = pages.app.parties.account_of(session, caller.organisation_id, Role.FINANCIER)
    if found is None:
        raise Problem("role_needed", role="financier", caller=caller.name)
    return found


def _own(pages: Pages, caller: Caller, policy_id: int) -> QuotePolicy:
    with pages.app.reading() as session:
        for row in pages.app.policies.of(session, sorted(caller.addresses)):
            if row.id == policy_id:
                return row
    raise Problem("unknown_policy", policy=policy_id)


def _terms(pages: Pages, request: Request, session: Session, caller: Caller, form: FormData) -> Terms:
    """What the form says. Raises Problem `form_field_missing`, `policy_not_readable`, `unreadable_amount`."""

    def need(name: str, label: str) -> str:
        plain = str(form.get(name) or "").strip()
        if not plain:
            raise Problem("form_field_missing", field=pages.gettext(request, label))
        return plain

    code = need("currency", N_("Currency"))
    rates = [
        {"up_to_days": _whole(days), "rate_ppm": _ppm(str(form.get(f"rate{place}") or ""))}
        for place in range(_rows(form, "bands", _BANDS))
        if (days := str(form.get(f"days{place}") or "").strip())
    ]
    if not rates:
        raise Problem("form_field_missing", field=pages.gettext(request, N_("Rate by days")))
    sizes = [
        {"from_minor": parse_minor(least, code), "add_ppm": _ppm(str(form.get(f"add{place}") or "0"))}
        for place in range(_rows(form, "sizes", _SIZES))
        if (least := str(form.get(f"from{place}") or "").strip())
    ]
    obligors = {
        who: {
            "limit_minor": parse_minor(need(f"limit_{who}", N_("Most we hold of it")), code),
            "add_ppm": _ppm(str(form.get(f"plus_{who}") or "0")),
        }
        for who in (str(one) for one in form.getlist("obligors"))
    }
    if not obligors:
        raise Problem("form_field_missing", field=pages.gettext(request, N_("Payers we buy")))
    return read_terms(
        {
            "financier": _financier(pages, session, caller),
            "currency": code,
            "paying_bank": need("paying_bank", N_("Bank that pays out")),
            "rates": rates,
            "sizes": sizes,
            "obligors": obligors,
            "min_minor": parse_minor(need("least", N_("From an amount of")), code),
            "max_minor": parse_minor(need("most", N_("Up to")), code),
            "fee_minor": parse_minor(str(form.get("fee") or "0"), code),
            "fee_ppm": _ppm(str(form.get("fee_rate") or "0")),
            "recourse": bool(form.get("recourse")),
            "valid_until": _last_second(need("until", N_("Last day"))),
        }
    )


def _sample(pages: Pages, request: Request, session: Session, terms: Terms, form: FormData) -> dict[str, Any]:
    """What these terms give for a note one makes up: a price as it would be signed, or why there is none."""
    app, code = pages.app, terms.currency
    obligor = str(form.get("sample_obligor") or next(iter(terms.obligors)))
    minor = parse_minor(str(form.get("sample_amount") or "").strip() or format_plain(terms.min_minor, code), code)
    due_text = str(form.get("sample_due") or "").strip()
    funded = app.financing.funding.usual_day()
    due = _day(due_text) if due_text else next_day(funded, terms.rates[0].up_to_days)
    days = days_between(funded, due)
    payee = app.parties.name_of(session, terms.financier)
    said = (
        offered(terms, obligor=obligor, amount_minor=minor, days=days, used_minor=0, payee=payee)
        if days > 0
        else Offered(refusal="past_due")
    )
    shown: dict[str, Any] = {
        "obligor": app.parties.name_of(session, obligor),
        "amount": amount(minor, code),
        "due": due.isoformat(),
        "price": None,
        "why_not": WHY_NOT.get(said.refusal or ""),
    }
    if said.refusal is None:
        shown["price"] = acts.price_of(price(minor, code, said.rate_ppm, funded, due, fees=said.fees))
    return shown


def _page(
    request: Request,
    pages: Pages,
    caller: Caller,
    form: FormData,
    problem: Problem | None,
    *,
    sample: dict[str, Any] | None = None,
) -> Response:
    app = pages.app
    caller.require(Role.FINANCIER | Role.APPROVER | _OVERSEERS)
    with app.reading() as session:
        mine = not caller.sees_all
        if mine:
            _financier(pages, session, caller)
        rows = app.policies.of(session, sorted(caller.addresses) if mine else None)
        newest = {row.id for code in {row.currency for row in rows} for row, _ in app.policies.in_force(session, code)}
        waiting = [
            row
            for row in app.changes.of_firm(session, caller.organisation_id if mine else None, waiting=True)
            if row.kind in ("set_quote_policy", "withdraw_quote_policy")
        ]
        people = [row for row in app.parties.participants(session) if row.duty == "account"]
        shown = [_shown(pages, session, row, row.id in newest) for row in rows]
    usual = app.financing.funding.usual_day()
    return pages.render(
        request,
        "policies.html",
        caller,
        status=problem.status if problem else 200,
        items=[one for one in shown if one["in_force"]],
        past=[one for one in shown if not one["in_force"]],
        waiting=[
            {
                "row": row,
                "summary": {"en": row.summary_en, "zh-CN": row.summary_zh},
                "mine": row.maker == caller.address,
            }
            for row in waiting
        ],
        values=dict(form),
        chosen=form.getlist("obligors"),
        bands=_rows(form, "bands", _BANDS),
        sizes=_rows(form, "sizes", _SIZES),
        obligors=[row for row in people if row.roles & Role.OBLIGOR],
        banks=[row for row in people if row.roles & Role.BANK],
        may_set=mine,
        sample=sample,
        funded=usual.isoformat(),
        usual_end=next_day(today(app.clock), 90).isoformat(),
        problem=problem,
    )


def _shown(pages: Pages, session: Session, row: QuotePolicy, in_force: bool) -> dict[str, Any]:
    terms, code = Terms.model_validate_json(row.terms), row.currency
    duties = {one.address: one.duty for one in pages.app.parties.participants(session)}
    return {
        "row": row,
        "who": pages.app.parties.name_of(session, row.financier),
        "in_force": in_force,
        "least": amount(terms.min_minor, code),
        "most": amount(terms.max_minor, code),
        "bands": [(band.up_to_days, band.rate_ppm) for band in terms.rates],
        "sizes": [(amount(size.from_minor, code), size.add_ppm) for size in terms.sizes],
        "buyers": [
            (pages.app.parties.name_of(session, who), amount(buyer.limit_minor, code), buyer.add_ppm)
            for who, buyer in terms.obligors.items()
        ],
        "fee": amount(terms.fee_minor, code) if terms.fee_minor else None,
        "fee_ppm": terms.fee_ppm,
        "recourse": terms.recourse,
        "bank": pages.app.parties.name_of(session, terms.paying_bank),
        "until": day_of(terms.valid_until),
        "ended": day_of(row.withdrawn_at) if row.withdrawn_at else None,
        "set_on": day_of(row.set_at),
        "people": [duties.get(who, "account") for who in (row.set_by, row.agreed_by)],
    }


def _form_of(row: QuotePolicy) -> FormData:
    """The terms of a policy as the form has them."""
    terms, code = Terms.model_validate_json(row.terms), row.currency
    found: list[tuple[str, str | UploadFile]] = [
        ("currency", code),
        ("paying_bank", terms.paying_bank),
        ("bands", str(len(terms.rates))),
        ("sizes", str(max(1, len(terms.sizes)))),
        ("least", format_plain(terms.min_minor, code)),
        ("most", format_plain(terms.max_minor, code)),
        ("fee", format_plain(terms.fee_minor, code) if terms.fee_minor else ""),
        ("fee_rate", _percent(terms.fee_ppm) if terms.fee_ppm else ""),
        ("until", day_of(terms.valid_until).isoformat()),
    ]
    for place, band in enumerate(terms.rates):
        found += [(f"days{place}", str(band.up_to_days)), (f"rate{place}", _percent(band.rate_ppm))]
    for place, size in enumerate(terms.sizes):
        found += [(f"from{place}", format_plain(size.from_minor, code)), (f"add{place}", _percent(size.add_ppm))]
    for who, buyer in terms.obligors.items():
        found += [
            ("obligors", who),
            (f"limit_{who}", format_plain(buyer.limit_minor, code)),
            (f"plus_{who}", _percent(buyer.add_ppm) if buyer.add_ppm else ""),
        ]
    return FormData([*found, ("recourse", "yes")] if terms.recourse else found)


def _rows(form: FormData, name: str, least: int) -> int:
    plain = str(form.get(name) or "")
    count = int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 4 else least
    count += {f"more_{name}": 1, f"less_{name}": -1}.get(str(form.get("do") or ""), 0)
    return min(max(count, 1), _MOST_ROWS)


def _percent(ppm: int) -> str:
    return f"{Decimal(ppm) / 10_000:f}"


def _ppm(percent: str) -> int:
    """Parts per million of a percentage, which may be below zero. Raises Problem `unreadable_amount`."""
    try:
        scaled = Decimal(percent.replace("%", "").strip() or "0").scaleb(4)
    except InvalidOperation as error:
        raise Problem("unreadable_amount", text=percent[:40]) from error
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > 1_000_000:
        raise Problem("unreadable_amount", text=percent[:40])
    return int(scaled)


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise Problem("unreadable_amount", text=text[:40])
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Problem("unreadable_date", text=text[:40]) from error


def _last_second(text: str) -> int:
    return to_unix(_day(text)) + 86_399
