"""Opening an entrusted account: one side fills in and signs; the other reads, consents and signs on its own page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.shapes import amount
from scf.entrusted.opening import MOST_STAGES, NEEDS
from scf.entrusted.proposing import OpeningProposal
from scf.entrusted.ruling import LOAN, SALE_PROCEEDS
from scf.entrusted.service import OpenRequest, StagePlan
from scf.kernel.dates import to_unix
from scf.kernel.money import parse_minor
from scf.kernel.problems import Problem
from scf.parties.service import Participant, Role
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go
from scf.web.reading import clauses_of, missing_boxes, seconds_to_read
from scf.web.signing import is_person, keep_signed_reading, kept_act, prepared_act, sign_read
from scf.web.views_prove import prove_box, prove_by_form
from scf.web.views_signing import opened, sign_page

router = APIRouter()
OPENERS = Role.FINANCIER | Role.OBLIGOR | Role.SUPPLIER
"""Whose money is locked, or for whom: they open accounts."""
_FIRST_STAGES = 2
_LONGEST = 500
STATES = {
    "waiting": N_("to be signed"),
    "opened": N_("opened"),
    "refused": N_("refused"),
    "withdrawn": N_("taken back"),
    "expired": N_("expired"),
}


@router.get("/entrusted/open")
def blank(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """The questions of an opening; what is known of the caller stands in them already."""
    caller.require(OPENERS)
    return _form_page(request, pages, caller, FormData(dict(request.query_params)), None)


@router.post("/entrusted/open")
async def filled(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """One stage more or less, or the whole of it to read, confirm and sign for our side."""
    form = await request.form()
    return await run_in_threadpool(_filled, request, pages, caller, form)


def _filled(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    caller.require(OPENERS)
    if form.get("do") in ("more", "less"):
        return _form_page(request, pages, caller, form, None)
    app = pages.app
    try:
        asked = _request_of(pages, request, form)
        _require_side(caller, asked)
        prepared = app.entrusted.prepare_open(asked)
        side = "payer" if asked.payer in caller.addresses else "beneficiary"
        total = sum(stage.amount_minor for stage in asked.stages)
        content = _content(pages, request, caller, side, asked.funds, kept_act(prepared, total, asked.currency))
    except Problem as problem:
        return _form_page(request, pages, caller, form, problem)
    return _confirm_page(request, pages, caller, content, pages.sessions.seal(content), None)


@router.post("/entrusted/open/sign")
async def proposed(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Sign what was read and lay it before the other side."""
    form = await request.form()
    return await run_in_threadpool(_sign, request, pages, caller, form, None)


@router.get("/entrusted/openings/{proposal_id}")
def proposal(request: Request, pages: PagesDoor, caller: Signed, proposal_id: str) -> Response:
    """A proposed account: what was agreed line by line, who signed, whose turn it is; its own side signs or refuses."""
    row = _seen(pages, caller, proposal_id)
    return _proposal_page(request, pages, caller, row, None)


@router.post("/entrusted/openings/{proposal_id}")
async def decided(request: Request, pages: PagesDoor, caller: Signed, proposal_id: str) -> Response:
    """Sign for our side, which opens the account once both have; or refuse, or take our own proposal back."""
    form = await request.form()
    return await run_in_threadpool(_decided, request, pages, caller, form, proposal_id)


def _decided(request: Request, pages: Pages, caller: Caller, form: FormData, proposal_id: str) -> Response:
    row = _seen(pages, caller, proposal_id)
    if form.get("do") != "refuse":
        return _sign(request, pages, caller, form, row)
    try:
        with pages.app.desk.session() as session:
            pages.app.openings.refuse(session, row.id, caller.address, str(form.get("reason") or ""))
    except Problem as problem:
        return _proposal_page(request, pages, caller, row, problem)
    return go(f"/entrusted/openings/{row.id}", done="opening_refused")


def _sign(request: Request, pages: Pages, caller: Caller, form: FormData, row: OpeningProposal | None) -> Response:
    app, sealed = pages.app, str(form.get("sealed") or "")
    content = opened(pages, caller, sealed)
    action = f"/entrusted/openings/{row.id}" if row else "/entrusted/open/sign"
    try:
        sent = prove_by_form(request, pages, caller, form)
        if sent and "read" in content:
            return sign_page(request, pages, caller, content, None, action=action, back="/entrusted", sent_to=sent)
        if sent:
            return _confirm_page(request, pages, caller, content, sealed, None, form, row=row, sent_to=sent)
        made = sign_read(app, caller, content, form, speed=float(request.app.state.reading_speed))
        if made is None:
            return sign_page(request, pages, caller, content, None, action=action, back="/entrusted")
        with app.desk.session() as session:
            keep_signed_reading(session, app, caller, content, made)
            if row is None:
                prepared = prepared_act(app, content["acts"][0])
                name = app.openings.propose(session, prepared, caller.address, made.acts[0]).id
        if row is not None:
            after = app.openings.sign(row.id, caller.address, made.acts[0])
            if after.account is not None:
                return go(f"/entrusted/{after.account}", done="open")
            name = after.id
    except Problem as problem:
        if "read" in content and not app.settings.demo:
            return sign_page(request, pages, caller, content, problem, action=action, back="/entrusted")
        content.pop("read", None)
        return _confirm_page(request, pages, caller, content, sealed, problem, form, row=row)
    return go(f"/entrusted/openings/{name}", done="opening_signed")


# Inside ---------------------------------------------------------------------------------------------------------------


def _request_of(pages: Pages, request: Request, form: FormData) -> OpenRequest:
    """The request of a filled form. Raises Problem `form_field_missing`, `unreadable_amount`, `unreadable_date`."""

    def need(name: str, label: str) -> str:
        plain = str(form.get(name) or "").strip()[:_LONGEST]
        if not plain:
            raise Problem("form_field_missing", field=pages.gettext(request, label))
        return plain

    code = need("currency", N_("Currency"))
    funds = need("funds", N_("Whose money"))
    separate = str(form.get("separate_consent") or "").strip()[:2000] if funds == SALE_PROCEEDS else ""
    stages = []
    for place in range(_count(form)):
        prefix = f"s{place}_"
        title = need(prefix + "title", N_("What the stage is for"))
        stages.append(
            StagePlan(
                payee=need(prefix + "payee", N_("Paid to")),
                payee_account=need(prefix + "account", N_("Payee's account number")),
                amount_minor=parse_minor(need(prefix + "amount", N_("Amount")), code),
                title_en=title[:140],
                title_zh=title[:140],
                needs=tuple(str(one) for one in form.getlist(prefix + "needs")),
                deadline=_end_of(need(prefix + "until", N_("Last day"))),
                order_reference=str(form.get(prefix + "order") or "").strip()[:140] or None,
            )
        )
        if not stages[-1].needs:
            raise Problem("form_field_missing", field=pages.gettext(request, N_("Evidence needed")))
    return OpenRequest(
        payer=need("payer", N_("Who locks the money")),
        beneficiary=need("beneficiary", N_("For whom")),
        bank=need("bank", N_("Bank that keeps it")),
        currency=code,
        account=need("account", N_("Number of the locked account")),
        purpose=need("purpose", N_("Agreed use")),
        consent=str(form.get("consent") or "").strip()[:2000] or separate,
        separate_consent=separate,
        stages=tuple(stages),
        attestors=tuple(str(one) for one in form.getlist("attestors")),
        approvers=tuple(str(one) for one in form.getlist("approvers")),
        funds=funds,
        contract=str(form.get("contract") or "").strip()[:140],
        amount_minor=parse_minor(need("amount", N_("Amount to lock")), code),
    )


def _end_of(text: str) -> int:
    """The last second of a stage's last day, in Beijing."""
    try:
        return to_unix(date.fromisoformat(text)) + 86_399
    except ValueError as error:
        raise Problem("unreadable_date", text=text[:40]) from error


def _count(form: FormData) -> int:
    plain = str(form.get("count") or "")
    count = int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 4 else _FIRST_STAGES
    count += {"more": 1, "less": -1}.get(str(form.get("do") or ""), 0)
    return min(max(count, 1), MOST_STAGES)


def _require_side(caller: Caller, asked: OpenRequest) -> None:
    if not caller.addresses & {asked.payer, asked.beneficiary}:
        raise Problem("opening_not_yours", who=caller.name)


def _content(
    pages: Pages, request: Request, caller: Caller, side: str, funds: str, act: dict[str, Any]
) -> dict[str, Any]:
    with pages.app.reading() as session:
        lines = pages.app.openings.text(session, act["message"])
    clauses = "open_payer" if side == "payer" else "open_proceeds" if funds == SALE_PROCEEDS else "open_beneficiary"
    return {
        "caller": caller.address,
        "act": clauses,
        "acts": [act],
        "language": pages.language(request),
        "lines": lines,
        "summary": {language: " ".join(said) for language, said in lines.items()},
    }


def _seen(pages: Pages, caller: Caller, proposal_id: str) -> OpeningProposal:
    with pages.app.reading() as session:
        row = pages.app.openings.one(session, proposal_id)
    if not caller.sees_all and not caller.addresses & {row.payer, row.beneficiary}:
        raise Problem("opening_unknown", proposal=proposal_id[:14])
    return row


def _proposal_page(
    request: Request, pages: Pages, caller: Caller, row: OpeningProposal, problem: Problem | None
) -> Response:
    app = pages.app
    prepared = app.openings.prepared(row)
    with app.reading() as session:
        funds = _funds(session, pages, row)
    ours = "payer" if row.payer in caller.addresses else "beneficiary"
    content = _content(pages, request, caller, ours, funds, kept_act(prepared, row.amount_minor, row.currency))
    sealed = pages.sessions.seal(content)
    return _confirm_page(request, pages, caller, content, sealed, problem, row=row)


def _funds(session: Session, pages: Pages, row: OpeningProposal) -> str:
    message = pages.app.openings.prepared(row).message
    return pages.app.entrusted.rules.funds_in(session, message)


def _confirm_page(
    request: Request,
    pages: Pages,
    caller: Caller,
    content: Mapping[str, Any],
    sealed: str,
    problem: Problem | None,
    form: FormData | None = None,
    *,
    row: OpeningProposal | None = None,
    sent_to: str | None = None,
) -> Response:
    app, clauses = pages.app, clauses_of(str(content["act"]), str(content["language"]))
    act = content["acts"][0]
    state, turn, may_sign, refusable = "draft", None, True, False
    with app.reading() as session:
        if row is not None:
            row = app.openings.one(session, row.id)
            state = "expired" if app.openings.is_expired(row) else row.state
            turn = app.openings.turn(session, row)
            mine = [side for side in app.openings.missing(session, row) if side in caller.addresses]
            may_sign = state == "waiting" and bool(mine)
            refusable = state == "waiting" and bool(caller.addresses & {row.payer, row.beneficiary})
    return pages.render(
        request,
        "opening_confirm.html",
        caller,
        status=problem.status if problem else 200,
        row=row,
        state=state,
        states=STATES,
        turn=turn,
        may_sign=may_sign,
        refusable=refusable,
        total=amount(int(act["minor"]), act["currency"]),
        lines=content["lines"][str(content["language"])],
        clauses=clauses,
        ticked=missing_boxes(clauses, form),
        sealed=sealed,
        action=f"/entrusted/openings/{row.id}" if row else "/entrusted/open/sign",
        needed=seconds_to_read(content, float(request.app.state.reading_speed)),
        person=is_person(app, caller),
        prove=prove_box(request, pages, caller, sent_to),
        problem=problem,
    )


def _form_page(request: Request, pages: Pages, caller: Caller, form: FormData, problem: Problem | None) -> Response:
    with pages.app.reading() as session:
        people = pages.app.parties.participants(session)
    firms = [row for row in people if row.duty == "account"]
    own = next((row.address for row in firms if row.organisation_id == caller.organisation_id), "")

    def of(role: Role, rows: list[Participant]) -> list[Participant]:
        return [row for row in rows if row.roles & role]

    given = dict(form)
    if not form.get("count"):
        side = "beneficiary" if caller.has(Role.SUPPLIER) and not caller.has(Role.FINANCIER) else "payer"
        given = {side: own, "funds": SALE_PROCEEDS if side == "beneficiary" else LOAN, **given}
    return pages.render(
        request,
        "opening.html",
        caller,
        status=problem.status if problem else 200,
        values=given,
        chosen={name: form.getlist(name) for name in form},
        count=_count(form),
        most=MOST_STAGES,
        needs=list(NEEDS),
        payers=of(Role.FINANCIER | Role.OBLIGOR | Role.SUPPLIER, firms),
        beneficiaries=of(Role.SUPPLIER | Role.OBLIGOR, firms),
        payees=of(Role.SUPPLIER, firms),
        banks=of(Role.BANK, firms),
        attestors=of(Role.ATTESTOR, people),
        approvers=of(Role.APPROVER, people),
        problem=problem,
    )
