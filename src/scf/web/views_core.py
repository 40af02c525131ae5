"""Pages of a core enterprise: what to accept and to approve, by two people, what falls due, and how far it reached."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from scf.api import confirming
from scf.api.access import Caller
from scf.api.messages import read_message
from scf.api.shapes import amount
from scf.app import App
from scf.desk.service import Prepared
from scf.kernel.clock import today
from scf.kernel.money import format_plain
from scf.kernel.problems import Problem
from scf.ledger.intents import digest
from scf.parties.approvals import PendingAct
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.batch import BatchRow, prepare_accept_many, read_batch
from scf.receivables.models import Note
from scf.receivables.service import plain
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go
from scf.web.svg.charts import against
from scf.web.tables import csv_answer
from scf.web.two_people import check_reading, is_person, seconds_to_read, signatures_of

router = APIRouter()
_CONFIRM_SECONDS = 12 * 3600
MAKER_CLAUSES = (
    N_("We owe these amounts for goods or services received; order, delivery and invoice of each are on file."),
    N_("Nothing is signed for the firm yet: a second person checks each one, and only then do we owe it."),
)
CHECKER_CLAUSES = (
    N_("I compared each amount with its invoice, its delivery and what is free of the limit."),
    N_("With my signature the firm promises to pay these amounts on the days shown; this cannot be undone alone."),
)


@router.get("/to-accept")
def to_accept(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Invoices waiting for our confirmation, longest waiting first."""
    return _to_accept_page(request, pages, caller, None)


@router.get("/to-accept.csv")
def to_accept_csv(pages: PagesDoor, caller: Signed) -> Response:
    """The same list, in the form the page takes back as a file."""
    caller.require(Role.OBLIGOR)
    with pages.app.reading() as session:
        rows = confirming.to_accept(pages.app, session, account_of(pages.app, session, caller))
    cells = (
        (
            item.number,
            format_plain(item.amount_minor, item.currency),
            item.supplier_name,
            item.currency,
            item.order or "",
            item.delivered_on or "",
            item.due_on or "",
        )
        for item in rows
        if not item.hindrance
    )
    return csv_answer("to-accept", ("invoice", "amount", "supplier", "currency", "order", "delivered", "due"), cells)


@router.post("/to-accept")
async def chosen(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What was ticked or named in a file, to read and confirm as maker."""
    form = await request.form()
    return await run_in_threadpool(_chosen, request, pages, caller, form)


def _chosen(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    app = pages.app
    try:
        caller.require(Role.OBLIGOR)
        with app.reading() as session:
            obligor = account_of(app, session, caller)
            acts = _prepare(app, session, obligor, form)
    except Problem as problem:
        return _to_accept_page(request, pages, caller, problem)
    content = {
        "caller": caller.address,
        "account": obligor,
        "acts": acts,
        "language": pages.language(request),
    }
    return _confirm_page(request, pages, caller, content, pages.sessions.seal(content), None)


def _prepare(app: App, session: Session, obligor: str, form: FormData) -> list[dict[str, Any]]:
    file, raw = form.get("file"), b""
    if isinstance(file, UploadFile) and file.filename:
        raw = file.file.read(1_000_001)
    notes = [BatchRow(place, str(value), None) for place, value in enumerate(form.getlist("note"), start=1)]
    if raw.lstrip(b"\xef\xbb\xbf").lower().startswith(b"note"):
        notes = read_batch(raw)
    if notes:
        prepared = prepare_accept_many(app.desk, session, obligor, notes)
        held = [queries.note(session, row.note_id) for row in notes]
        code = queries.receivable(session, held[0].receivable_id).currency
        return [_kept(prepared, sum(note.amount_minor for note in held), code)]
    waiting = confirming.to_accept(app, session, obligor, limit=20_000)
    if raw:
        chosen = confirming.chosen_from_file(waiting, raw)
    else:
        chosen = confirming.chosen_by_id(waiting, (str(value) for value in form.getlist("pick")))
    made = confirming.prepare(app, obligor, chosen)
    return [_kept(one, item.amount_minor, item.currency) for one, item in zip(made, chosen, strict=True)]


@router.post("/to-accept/propose")
async def propose(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Sign what was read as maker and lay it before a checker."""
    form = await request.form()
    return await run_in_threadpool(_propose, request, pages, caller, form)


def _propose(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    app, sealed = pages.app, str(form.get("sealed") or "")
    kept = pages.sessions.open(sealed, seconds=_CONFIRM_SECONDS)
    if kept is None or kept.get("caller") != caller.address:
        raise Problem("confirmation_expired")
    content: dict[str, Any] = dict(kept)
    acts: list[dict[str, Any]] = content["acts"]
    try:
        check_reading(request, content, form, [pages.gettext(request, text) for text in MAKER_CLAUSES])
        signatures = signatures_of(app, caller, [bytes.fromhex(one["digest"]) for one in acts], form)
        with app.desk.session() as session:
            for one, signature in zip(acts, signatures, strict=True):
                app.approvals.propose(
                    session,
                    _prepared(app, one),
                    caller.address,
                    signature,
                    amount_minor=int(one["minor"]),
                    currency=one["currency"],
                )
    except Problem as problem:
        return _confirm_page(request, pages, caller, content, sealed, problem)
    return go("/to-approve", done="proposed")


@router.get("/to-approve")
def to_approve(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """What makers of the firm proposed, beside the papers as they stand now."""
    return _to_approve_page(request, pages, caller, None)


@router.post("/to-approve")
async def approved(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Sign as checker and send, or send back with a reason."""
    form = await request.form()
    return await run_in_threadpool(_approved, request, pages, caller, form)


def _approved(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    app = pages.app
    ids = list(dict.fromkeys(str(value) for value in form.getlist("pick")))
    back, refused = form.get("decision") == "send_back", []
    try:
        if not ids:
            raise Problem("nothing_chosen")
        with app.reading() as session:
            waiting = {row.id: row for row in app.approvals.waiting(session, caller.organisation_id)}
        rows = [waiting[one] for one in ids if one in waiting]
        if len(rows) != len(ids):
            raise Problem("nothing_chosen")
        if back:
            _send_back(pages, request, caller, ids, str(form.get("reason") or ""))
            return go("/to-approve", done="sent_back")
        content = pages.sessions.open(str(form.get("shown") or ""), seconds=_CONFIRM_SECONDS) or {"at": 2**62}
        check_reading(request, content, form, [pages.gettext(request, text) for text in CHECKER_CLAUSES])
        digests = [digest(app.contracts, row.contract, row.primary_type, json.loads(row.message)) for row in rows]
        signatures = signatures_of(app, caller, digests, form)
    except Problem as problem:
        return _to_approve_page(request, pages, caller, problem)
    for row, signature in zip(rows, signatures, strict=True):
        try:
            app.approvals.approve(row.id, caller.address, signature, lambda *given: _submit(app, *given))
        except Problem as problem:
            refused.append((row, problem))
            if problem.code in ("same_person", "delegation_missing", "not_of_firm"):
                break
    if refused:
        return _to_approve_page(request, pages, caller, refused[0][1], done=len(rows) - len(refused), refused=refused)
    return go("/to-approve", done="approved")


def _submit(app: App, row: PendingAct, message: Mapping[str, Any], signatures: Sequence[bytes]) -> Mapping[str, Any]:
    return app.receivables.submit(row.act, message, signatures, key=f"two:{row.id[:40]}", caller=row.account)


def _send_back(pages: Pages, request: Request, caller: Caller, ids: Sequence[str], reason: str) -> None:
    if not reason.strip():
        raise Problem("form_field_missing", field=pages.gettext(request, N_("Why it goes back")))
    with pages.app.desk.session() as session:
        for one in ids:
            pages.app.approvals.reject(session, one, caller.address, reason.strip()[:600])


# Inside ---------------------------------------------------------------------------------------------------------------


def account_of(app: App, session: Session, caller: Caller) -> str:
    """The account a core enterprise owes by. Raises Problem `role_needed`."""
    found = app.parties.account_of(session, caller.organisation_id, Role.OBLIGOR)
    if found is None:
        raise Problem("role_needed", role="obligor", caller=caller.name)
    return found


def _to_accept_page(request: Request, pages: Pages, caller: Caller, problem: Problem | None) -> Response:
    app = pages.app
    caller.require(Role.OBLIGOR)
    with app.reading() as session:
        obligor = account_of(app, session, caller)
        rows = confirming.to_accept(app, session, obligor)
        offered = queries.notes_offered(session, obligor)
        notes = [_offered(app, session, note) for note in offered]
        pending = len(app.approvals.waiting(session, caller.organisation_id))
        limits = limits_of(app, session, obligor)
    now, totals = today(app.clock), _totals((item.currency, item.amount_minor) for item in rows)
    return pages.render(
        request,
        "to_accept.html",
        caller,
        status=problem.status if problem else 200,
        rows=[{"item": item, "days": item.days(now), "amount": amount(item.amount_minor, item.currency),
               "invoiced": amount(item.invoiced_minor, item.currency)} for item in rows],
        totals=totals,
        ready=[item for item in rows if not item.hindrance],
        notes=notes,
        pending=pending,
        limits=limits,
        person=is_person(app, caller),
        confirm_days=confirming.CONFIRM_DAYS,
        most=confirming.MOST_AT_ONCE,
        problem=problem,
    )  # fmt: skip


def _offered(app: App, session: Session, note: Note) -> dict[str, Any]:
    row = queries.receivable(session, note.receivable_id)
    return {
        "id": note.id,
        "amount": amount(note.amount_minor, row.currency),
        "giver": app.parties.name_of(session, note.giver),
        "obligor": app.parties.name_of(session, row.obligor),
    }


def _confirm_page(
    request: Request, pages: Pages, caller: Caller, content: Mapping[str, Any], sealed: str, problem: Problem | None
) -> Response:
    acts = content["acts"]
    clauses = [pages.gettext(request, text) for text in MAKER_CLAUSES]
    return pages.render(
        request,
        "to_accept_confirm.html",
        caller,
        status=problem.status if problem else 200,
        acts=acts,
        totals=_totals((one["currency"], int(one["minor"])) for one in acts),
        clauses=clauses,
        sealed=sealed,
        needed=seconds_to_read(request, clauses),
        person=is_person(pages.app, caller),
        problem=problem,
    )


def _to_approve_page(
    request: Request,
    pages: Pages,
    caller: Caller,
    problem: Problem | None,
    *,
    done: int = 0,
    refused: Sequence[tuple[PendingAct, Problem]] = (),
) -> Response:
    app, clauses = pages.app, [pages.gettext(request, text) for text in CHECKER_CLAUSES]
    caller.require(Role.OBLIGOR)
    with app.reading() as session:
        obligor = account_of(app, session, caller)
        acts = [row for row in app.approvals.waiting(session, caller.organisation_id) if row.account == obligor]
        acts = [row for row in acts if row.valid_until > app.clock.now()]
        rows = confirming.checked(app, session, acts, obligor)
        limits = limits_of(app, session, obligor)
        made = {row.act.maker: _duty(app, session, row.act.maker) for row in rows}
    now = app.clock.now()
    return pages.render(
        request,
        "to_approve.html",
        caller,
        status=problem.status if problem else 200,
        rows=[
            {
                "act": row.act,
                "paper": row.paper,
                "amount": amount(row.face_minor, row.act.currency),
                "invoice": amount(row.paper.invoiced_minor, row.act.currency) if row.paper else None,
                "difference": row.difference_minor,
                "differs": amount(abs(row.difference_minor or 0), row.act.currency),
                "maturity": row.maturity,
                "creditor": row.creditor,
                "notes": row.notes,
                "summary": {"en": row.act.summary_en, "zh-CN": row.act.summary_zh},
                "maker": made[row.act.maker],
                "mine": row.act.maker == caller.address,
                "hours": max(0, (now - row.act.made_at) // 3600),
            }
            for row in rows
        ],
        mine=sum(row.act.maker == caller.address for row in rows),
        totals=_totals((row.act.currency, row.face_minor) for row in rows),
        limits=limits,
        clauses=clauses,
        needed=seconds_to_read(request, clauses),
        shown=pages.sessions.seal({"caller": caller.address}),
        person=is_person(app, caller),
        approved=done,
        refused=refused,
        problem=problem,
    )


def limits_of(app: App, session: Session, obligor: str, currency: str = "CNY") -> list[dict[str, Any]]:
    """Limits that bind an obligor, with what waits for a checker counted in what will be used."""
    shown = []
    for view in app.programmes.limits(session, obligor=obligor, currency=currency):
        used = view.used_minor
        words = f"{format_plain(used, currency)} / {format_plain(view.limit_minor, currency)}"
        shown.append(
            {
                "kind": view.kind,
                "subject": view.subject if view.kind == "group" else "",
                "limit": amount(view.limit_minor, currency),
                "used": amount(used, currency),
                "free": amount(view.free_minor, currency),
                "free_minor": view.free_minor,
                "bar": against(used, view.limit_minor, words, warn=view.limit_minor * 8 // 10),
            }
        )
    return shown


def _duty(app: App, session: Session, address: str) -> str:
    return next((one.duty for one in app.parties.people(session) if one.address == address), "account")


def _totals(pairs: Any) -> list[dict[str, str]]:
    sums: dict[str, int] = {}
    for code, minor in pairs:
        sums[code] = sums.get(code, 0) + minor
    return [amount(minor, code) for code, minor in sorted(sums.items())]


def _kept(prepared: Prepared, minor: int, currency: str) -> dict[str, Any]:
    """A prepared act as it travels in the sealed form."""
    return {
        "act": prepared.act,
        "primary_type": prepared.primary_type,
        "message": plain(prepared.typed_data["message"]),
        "signers": list(prepared.signers),
        "summary": prepared.summary,
        "digest": prepared.digest.hex(),
        "minor": str(minor),
        "currency": currency,
    }


def _prepared(app: App, kept: Mapping[str, Any]) -> Prepared:
    message = read_message("Receivables", kept["primary_type"], kept["message"])
    return Prepared(
        act=kept["act"],
        contract="Receivables",
        primary_type=kept["primary_type"],
        message=message,
        signers=tuple(kept["signers"]),
        summary=dict(kept["summary"]),
        typed_data={},
        digest=digest(app.contracts, "Receivables", kept["primary_type"], message),
    )
