"""Acts as pages: fill in, read and confirm, done. Everything works without JavaScript."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import acts, office, reads
from scf.api.access import SESSION_SECONDS, Caller
from scf.api.act_kinds import Ready, SignedAct
from scf.api.messages import read_message, read_signatures
from scf.api.routes_payees import payee_of_sale
from scf.api.routes_quotes import failure_of
from scf.api.views import Views
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.registry import registration_of
from scf.kernel.identifiers import new_reference
from scf.kernel.problems import Problem
from scf.ledger.intents import typed_data
from scf.parties.service import Role
from scf.web.claims import shape_ask
from scf.web.doors import PagesDoor, Signed
from scf.web.forms import FORMS, HIDDEN, body_of
from scf.web.pages import Pages, go
from scf.web.reading import (
    SIGNS_READING,
    check_read,
    clauses_of,
    keep_reading,
    missing_boxes,
    record_of,
    seconds_to_read,
    with_reading,
)
from scf.web.spoken import clips_of, price_words
from scf.web.views_core import limits_of
from scf.web.views_prove import prove_box, prove_by_form

router = APIRouter()
_TEMPLATES = {"pass": "pass.html"}
"""Acts whose questions have a page of their own."""
_AND_THEN = {"payment": "settle"}
"""What needs nobody's signature and follows at once; when it is interrupted, the bank finds it among its tasks."""
_CONFIRM_SECONDS = SESSION_SECONDS
"""A confirmation page lasts as long as the session: nobody is hurried while reading."""


@router.get("/act/{name}")
def ask_for(request: Request, pages: PagesDoor, caller: Signed, name: str) -> Response:
    """The questions of an act, or at once its text to confirm when there is nothing to ask."""
    _known(name)
    with pages.app.reading() as session:
        acts.refuse_on_hold(pages.app, session, caller, name)
    if not FORMS[name] and name in acts.SIGNED:
        return confirm_page(request, pages, caller, name, FormData([*request.query_params.multi_items()]))
    return _form_page(request, pages, caller, name, FormData([*request.query_params.multi_items()]), None)


@router.post("/act/{name}")
async def answered(request: Request, pages: PagesDoor, caller: Signed, name: str) -> Response:
    """The act with the answers given, to read and confirm; an act without signature is done at once."""
    form = await request.form()
    return await run_in_threadpool(_answered, request, pages, caller, name, form)


def _answered(request: Request, pages: Pages, caller: Caller, name: str, form: FormData) -> Response:
    _known(name)
    try:
        if name in acts.SIGNED:
            return confirm_page(request, pages, caller, name, form)
        act = acts.PLAIN[name]
        body = read_body(act.body, body_of(name, form, caller, lambda text: pages.gettext(request, text)))
        key = str(form.get("key") or new_reference("K"))
        reply = office.carry_out(
            pages.app,
            caller,
            key,
            {"act": name, "body": body.model_dump(mode="json")},
            lambda plan: act.run(pages.app, caller, body),
        )
        return go(_target(reply, "/"), done=name)
    except Problem as problem:
        if not FORMS[name]:
            raise
        return _form_page(request, pages, caller, name, form, problem)


@router.post("/confirm")
async def confirmed(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Check what was confirmed, sign with the demo keys or take the signatures given, and send."""
    form = await request.form()
    return await run_in_threadpool(_confirmed, request, pages, caller, form)


def _confirmed(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    sealed = str(form.get("sealed") or "")
    kept = pages.sessions.open(sealed, seconds=_CONFIRM_SECONDS)
    if kept is None or kept.get("caller") != caller.address:
        raise Problem("confirmation_expired")
    content: dict[str, Any] = dict(kept)
    act, key, demo = acts.SIGNED[content["act"]], str(content["key"]), pages.app.settings.demo
    try:
        sent = prove_by_form(request, pages, caller, form)
        if sent:
            return _show_confirm(request, pages, caller, content, sealed, None, form, sent_to=sent)
        if "read" not in content:
            check_read(content, form, float(request.app.state.reading_speed))
            content["read"] = record_of(content, form, caller)
            if not demo and act.name in SIGNS_READING:  # the signature covers how it was read, so it comes after it
                content["kept"] = with_reading(pages.app, content, content["read"])
                return _show_confirm(request, pages, caller, content, pages.sessions.seal(content), None)
        request_body = {"act": act.name, "digest": content["asked"]}

        def plan() -> Mapping[str, Any]:
            signed = with_reading(pages.app, content, content["read"]) if demo else content["kept"]
            keep_reading(pages.app, caller, content["read"], signed)
            return signed

        def work(plan: dict[str, Any]) -> Mapping[str, Any]:
            if demo:
                return office.send_stored(pages.app, caller, act, plan, key)
            return _send_signed(pages, caller, act, plan, form, key)

        reply = office.carry_out(pages.app, caller, key, request_body, work, plan=plan)
    except Problem as problem:
        if "read" not in kept:
            content.pop("read", None)
        return _show_confirm(request, pages, caller, content, sealed, problem, form)
    if act.name in _AND_THEN:
        then = acts.PLAIN[_AND_THEN[act.name]]
        then.run(pages.app, caller, read_body(then.body, {name: reply[name] for name in then.body.model_fields}))
    return go(_target(reply, str(content["back"])), done=act.name)


def _send_signed(
    pages: Pages, caller: Caller, act: SignedAct, kept: Mapping[str, Any], form: FormData, key: str
) -> Mapping[str, Any]:
    given = [str(form.get(f"signature_{place}") or "").split() for place in range(len(kept["signers"]))]
    signatures = read_signatures(given, act.name, act.signer_count)
    message = read_message(act.contract, act.primary_type, kept["message"])
    return acts.submit(pages.app, caller, act, message, signatures, kept["context"], f"in:{key}")


def confirm_page(request: Request, pages: Pages, caller: Caller, name: str, form: FormData) -> Response:
    """The text of an act with these answers, to read and confirm. Raises Problem of what refuses it."""
    act = acts.SIGNED[name]
    body = read_body(act.body, body_of(name, form, caller, lambda text: pages.gettext(request, text)))
    ready = acts.prepare(pages.app, caller, act, body)
    content = {
        "act": name,
        "caller": caller.address,
        "key": new_reference("K"),
        "back": _back(form),
        "again": _again(name, form),
        "summary": ready.prepared.summary,
        "kept": office.stored(ready),
        "asked": ready.prepared.digest.hex(),
        "price": _price(pages, ready, form),
        "if_fails": _if_fails(pages, name, form),
        "spoken": _spoken(pages, form, pages.language(request)),
        "language": pages.language(request),
    }
    return _show_confirm(request, pages, caller, content, pages.sessions.seal(content), None)


def _price(pages: Pages, ready: Ready, form: FormData) -> dict[str, Any] | None:
    """Every figure of the price being made or taken, exactly as it is signed."""
    if ready.price is not None:
        return acts.price_of(ready.price)
    if form.get("quote"):
        with pages.app.reading() as session:
            return reads.price_shown(session, str(form["quote"]).lower())
    return None


def _if_fails(pages: Pages, name: str, form: FormData) -> dict[str, Any] | None:
    """What taking this note or this price leaves its holder with if the obligor fails; none for other acts."""
    with pages.app.reading() as session:
        if name == "accept":
            return failure_of(pages.app, session, str(form.get("note") or "").lower())
        offer = session.get(QuoteOffer, str(form.get("quote") or "").lower())
        asked = session.get(FinancingAsk, offer.ask_id) if name == "accept_quote" and offer is not None else None
        return failure_of(pages.app, session, asked.note_id, offer) if asked is not None else None


def _spoken(pages: Pages, form: FormData, language: str) -> list[str]:
    """The words that say amount, day and recourse of the quote being taken; none for other acts."""
    with pages.app.reading() as session:
        offer = session.get(QuoteOffer, str(form.get("quote") or "").lower())
        if offer is None:
            return []
        recourse = bool(json.loads(offer.message)["recourse"])
        price = reads.price_shown(session, offer.quote_hash)
        return price_words(price, recourse, language) if price else []


def _show_confirm(
    request: Request,
    pages: Pages,
    caller: Caller,
    content: Mapping[str, Any],
    sealed: str,
    problem: Problem | None,
    form: FormData | None = None,
    *,
    sent_to: str | None = None,
) -> Response:
    with pages.app.reading() as session:
        names = pages.app.parties.names(session)
    kept = content["kept"]
    clauses = clauses_of(str(content["act"]), str(content["language"]))
    return pages.render(
        request,
        "confirm.html",
        caller,
        status=problem.status if problem else 200,
        act=content["act"],
        summary=content["summary"],
        clauses=clauses,
        if_fails=content.get("if_fails"),
        ticked=missing_boxes(clauses, form),
        was_read="read" in content,
        signs_here=not pages.app.settings.demo and ("read" in content or content["act"] not in SIGNS_READING),
        fields=list(kept["message"].items()),
        digest=kept["digest"],
        signers=[names.get(who, who) for who in kept["signers"]],
        signer_addresses=kept["signers"],
        typed=_typed(pages, content) if not pages.app.settings.demo else "",
        price=content["price"],
        spoken=clips_of(list(content.get("spoken") or []), str(content["language"])),
        sealed=sealed,
        back=content["back"],
        here=content["again"],
        prove=prove_box(request, pages, caller, sent_to),
        problem=problem,
        needed=seconds_to_read(content, float(request.app.state.reading_speed)),
    )


def _typed(pages: Pages, content: Mapping[str, Any]) -> str:
    """What a key signs, as wallets and the page's own key take it (EIP-712, JSON)."""
    act = acts.SIGNED[str(content["act"])]
    message = read_message(act.contract, act.primary_type, content["kept"]["message"])
    return json.dumps(typed_data(pages.app.contracts, act.contract, act.primary_type, message))


def _form_page(
    request: Request, pages: Pages, caller: Caller, name: str, form: FormData, problem: Problem | None
) -> Response:
    with pages.app.reading() as session:
        people = pages.app.parties.participants(session)
        papers = reads.papers_of(session, caller.senders)
        trusts = reads.best_trust(session, papers)
        views = Views(pages.app, session, caller)
        note = views.note(str(form["note"])) if form.get("note") else None
        recent = reads.passed_to(session, caller.addresses) if name == "pass" else []
        account = views.account(_number(form["account"])) if form.get("account") else None
        request_for_money = session.get(FinancingAsk, str(form["ask"])) if form.get("ask") else None
        ask = shape_ask(views, request_for_money) if request_for_money else None
        owes_by = (
            pages.app.parties.account_of(session, caller.organisation_id, Role.OBLIGOR) if name == "issue" else None
        )
        limits = limits_of(pages.app, session, owes_by, str(form.get("currency") or "CNY")) if owes_by else []
        two_people = owes_by is not None and pages.app.two_people.needed(session, name, owes_by, 0)
        sold = str(form["note"]).lower() if name == "complete_financing" else None
        number = registration_of(session, sold) if sold else None
        payee = payee_of_sale(pages.app, session, caller, sold) if sold else None
    if number and not form.get("registration"):  # the financier registered it; its bank need not copy it by hand
        form = FormData([*form.multi_items(), ("registration", number)])
    currency = (note or {}).get("amount") or (account or {}).get("amount") or {"currency": "CNY"}
    choices = {
        str(role.name).lower(): [
            row for row in people if row.roles & role and row.address not in caller.addresses and row.duty == "account"
        ]
        for role in Role
    }
    return pages.render(
        request,
        _TEMPLATES.get(name, "form.html"),
        caller,
        status=problem.status if problem else 200,
        act=name,
        fields=FORMS[name],
        hidden=[(key, form[key]) for key in HIDDEN if form.get(key) and key != "currency"],
        values=form,
        currency=str(form.get("currency") or currency["currency"]),
        choices=choices,
        papers=papers,
        trusts=trusts,
        recent=recent,
        note=note,
        account=account,
        payee=payee,
        ask=ask,
        limits=limits,
        two_people=two_people,
        may_send=not (two_people and pages.app.settings.demo),
        key=str(form.get("key") or new_reference("K")),
        problem=problem,
        back=_back(form),
    )


def read_body(shape: type[BaseModel], body: Mapping[str, Any]) -> Any:
    """The request of a form. Raises Problem `request_not_readable` naming the first field that does not fit."""
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Problem("request_not_readable", place=place, reason=first["msg"]) from error


def _number(text: object) -> int:
    """The account number of a link. Raises Problem `address_unknown` for anything that is none."""
    plain = str(text)
    if not plain.isascii() or not plain.isdigit():
        raise Problem("address_unknown", path=plain[:40])
    return int(plain)


def _known(name: str) -> None:
    if name not in FORMS or (name not in acts.SIGNED and name not in acts.PLAIN):
        raise Problem("unknown_act", act=name[:40])


def _back(form: FormData) -> str:
    if form.get("ask"):
        return f"/asks/{form['ask']}"
    if form.get("note"):
        return f"/notes/{form['note']}"
    if form.get("account"):
        return f"/entrusted/{form['account']}"
    if form.get("receivable"):
        return f"/receivables/{form['receivable']}"
    return "/"


def _again(name: str, form: FormData) -> str:
    """The act's page with these answers, to come back to in another language."""
    given = [(field, value) for field, value in form.multi_items() if isinstance(value, str) and field != "key"]
    return f"/act/{name}?{urlencode(given)}"


def _target(reply: Mapping[str, Any], back: str) -> str:
    """The record an act was about."""
    for name, path in (
        ("ask", "/asks/"),
        ("note", "/notes/"),
        ("receivable", "/receivables/"),
        ("account", "/entrusted/"),
    ):
        if name in reply:
            return f"{path}{reply[name]}"
    return back
