"""Acts as pages: fill in, read and confirm, done. Everything works without JavaScript."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api import acts, office, reads
from scf.api.access import Caller
from scf.api.act_kinds import Ready, SignedAct
from scf.api.messages import read_message, read_signatures
from scf.api.views import Views
from scf.financing.models import FinancingAsk
from scf.kernel.identifiers import new_reference
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust
from scf.web.doors import PagesDoor, Signed
from scf.web.forms import CLAUSES, FORMS, GENERAL_CLAUSE, HIDDEN, body_of
from scf.web.pages import Pages, go
from scf.web.views_home import shape_ask

router = APIRouter()
_CHARACTERS_A_SECOND = {"en": 60, "zh-CN": 20}
_CONFIRM_SECONDS = 2 * 3600


@router.get("/act/{name}")
def ask_for(request: Request, pages: PagesDoor, caller: Signed, name: str) -> Response:
    """The questions of an act, or at once its text to confirm when there is nothing to ask."""
    _known(name)
    if not FORMS[name] and name in acts.SIGNED:
        return _confirm_page(request, pages, caller, name, FormData(dict(request.query_params)))
    return _form_page(request, pages, caller, name, FormData(dict(request.query_params)), None)


@router.post("/act/{name}")
async def answered(request: Request, pages: PagesDoor, caller: Signed, name: str) -> Response:
    """The act with the answers given, to read and confirm; an act without signature is done at once."""
    form = await request.form()
    return await run_in_threadpool(_answered, request, pages, caller, name, form)


def _answered(request: Request, pages: Pages, caller: Caller, name: str, form: FormData) -> Response:
    _known(name)
    try:
        if name in acts.SIGNED:
            return _confirm_page(request, pages, caller, name, form)
        act = acts.PLAIN[name]
        body = _read(act.body, body_of(name, form, caller, lambda text: pages.gettext(request, text)))
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
    try:
        _check_reading(request, pages, content, form)
    except Problem as problem:
        return _show_confirm(request, pages, caller, content, sealed, problem)
    act, key = acts.SIGNED[content["act"]], str(content["key"])
    request_body = {"act": act.name, "digest": content["kept"]["digest"]}

    def work(plan: dict[str, Any]) -> Mapping[str, Any]:
        if pages.app.settings.demo:
            return office.send_stored(pages.app, caller, act, content["kept"], key)
        return _send_signed(pages, caller, act, content["kept"], form, key)

    try:
        _keep_reading(pages, caller, content, request)
        reply = office.carry_out(pages.app, caller, key, request_body, work)
    except Problem as problem:
        return _show_confirm(request, pages, caller, content, sealed, problem)
    return go(_target(reply, str(content["back"])), done=act.name)


def _send_signed(
    pages: Pages, caller: Caller, act: SignedAct, kept: Mapping[str, Any], form: FormData, key: str
) -> Mapping[str, Any]:
    given = [str(form.get(f"signature_{place}") or "").split() for place in range(len(kept["signers"]))]
    signatures = read_signatures(given, act.name, act.signer_count)
    message = read_message(act.contract, act.primary_type, kept["message"])
    return acts.submit(pages.app, caller, act, message, signatures, kept["context"], f"in:{key}")


def _confirm_page(request: Request, pages: Pages, caller: Caller, name: str, form: FormData) -> Response:
    act = acts.SIGNED[name]
    body = _read(act.body, body_of(name, form, caller, lambda text: pages.gettext(request, text)))
    ready = acts.prepare(pages.app, caller, act, body)
    content = {
        "act": name,
        "caller": caller.address,
        "key": new_reference("K"),
        "back": _back(form),
        "summary": ready.prepared.summary,
        "kept": office.stored(ready),
        "price": _price(pages, ready, form),
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


def _show_confirm(
    request: Request, pages: Pages, caller: Caller, content: Mapping[str, Any], sealed: str, problem: Problem | None
) -> Response:
    with pages.app.reading() as session:
        names = pages.app.parties.names(session)
    kept = content["kept"]
    return pages.render(
        request,
        "confirm.html",
        caller,
        status=problem.status if problem else 200,
        act=content["act"],
        summary=content["summary"],
        clauses=_clauses(str(content["act"])),
        fields=list(kept["message"].items()),
        digest=kept["digest"],
        signers=[names.get(who, who) for who in kept["signers"]],
        price=content["price"],
        sealed=sealed,
        back=content["back"],
        problem=problem,
        needed=_seconds_to_read(request, pages, content),
    )


def _form_page(
    request: Request, pages: Pages, caller: Caller, name: str, form: FormData, problem: Problem | None
) -> Response:
    with pages.app.reading() as session:
        people = pages.app.parties.participants(session)
        papers = reads.filed_by(session, caller.senders)
        views = Views(pages.app, session, caller)
        note = views.note(str(form["note"])) if form.get("note") else None
        account = views.account(_number(form["account"])) if form.get("account") else None
        request_for_money = session.get(FinancingAsk, str(form["ask"])) if form.get("ask") else None
        ask = shape_ask(views, request_for_money) if request_for_money else None
    currency = (note or {}).get("amount") or (account or {}).get("amount") or {"currency": "CNY"}
    choices = {
        str(role.name).lower(): [
            row for row in people if row.roles & role and row.address not in caller.addresses and row.duty == "account"
        ]
        for role in Role
    }
    return pages.render(
        request,
        "form.html",
        caller,
        status=problem.status if problem else 200,
        act=name,
        fields=FORMS[name],
        hidden=[(key, form[key]) for key in HIDDEN if form.get(key) and key != "currency"],
        values=form,
        currency=str(form.get("currency") or currency["currency"]),
        choices=choices,
        papers=papers,
        note=note,
        account=account,
        ask=ask,
        key=str(form.get("key") or new_reference("K")),
        problem=problem,
        back=_back(form),
    )


def _check_reading(request: Request, pages: Pages, content: Mapping[str, Any], form: FormData) -> None:
    clauses = _clauses(str(content["act"]))
    missing = sum(not form.get(f"clause_{place}") for place in range(len(clauses)))
    if missing:
        raise Problem("clauses_not_confirmed", missing=missing)
    given, needed = time.time() - float(content["at"]), _seconds_to_read(request, pages, content)
    if given < needed:
        raise Problem("confirmed_too_fast", given=int(given), needed=needed)


def _seconds_to_read(request: Request, pages: Pages, content: Mapping[str, Any]) -> int:
    language = str(content["language"])
    text = content["summary"].get(language, "") + "".join(
        pages.gettext(request, clause) for clause in _clauses(str(content["act"]))
    )
    return int(len(text) / _CHARACTERS_A_SECOND[language] / float(request.app.state.reading_speed))


def _keep_reading(pages: Pages, caller: Caller, content: Mapping[str, Any], request: Request) -> None:
    """File what was shown and confirmed, in which language and for how long, as evidence of the reading."""
    language = str(content["language"])
    text = [content["summary"][language], *(pages.gettext(request, item) for item in _clauses(str(content["act"])))]
    record = {
        "act": content["act"],
        "by": caller.address,
        "language": language,
        "text_sha256": hashlib.sha256("\n".join(text).encode()).hexdigest(),
        "text": text,
        "signed_digest": content["kept"]["digest"],
        "shown_at": content["at"],
        "read_seconds": int(time.time() - float(content["at"])),
        "sound_played": False,
    }
    with pages.app.desk.session() as session:
        evidence.record(
            session,
            canonical_json(record),
            kind="reading",
            source="pages",
            sender=caller.name,
            trust=Trust.T0,
            received_at=pages.app.clock.now(),
            name=f"reading-{content['kept']['digest'][:12]}.json",
        )


def _read(shape: type[BaseModel], body: Mapping[str, Any]) -> Any:
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


def _clauses(act: str) -> tuple[str, ...]:
    return CLAUSES.get(act, (GENERAL_CLAUSE,))


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
