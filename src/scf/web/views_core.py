"""Pages of a core enterprise: what to accept and to approve, by two people, what falls due, and how far it reached."""

from __future__ import annotations

from collections.abc import Mapping
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
from scf.web.views_prove import prove_box, prove_by_form

router = APIRouter()
_CONFIRM_SECONDS = 12 * 3600
MAKER_CLAUSES = (
    N_("We owe these amounts for goods or services received; order, delivery and invoice of each are on file."),
    N_("Nothing is signed for the firm yet: a second person checks each one, and only then do we owe it."),
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
        sent = prove_by_form(request, pages, caller, form)
        if sent:
            return _confirm_page(request, pages, caller, content, sealed, None, sent_to=sent)
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
    now, totals = today(app.clock), totals_of((item.currency, item.amount_minor) for item in rows)
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
    request: Request,
    pages: Pages,
    caller: Caller,
    content: Mapping[str, Any],
    sealed: str,
    problem: Problem | None,
    *,
    sent_to: str | None = None,
) -> Response:
    acts = content["acts"]
    clauses = [pages.gettext(request, text) for text in MAKER_CLAUSES]
    return pages.render(
        request,
        "to_accept_confirm.html",
        caller,
        status=problem.status if problem else 200,
        acts=acts,
        totals=totals_of((one["currency"], int(one["minor"])) for one in acts),
        clauses=clauses,
        sealed=sealed,
        prove=prove_box(request, pages, caller, sent_to),
        needed=seconds_to_read(request, clauses),
        person=is_person(pages.app, caller),
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


def totals_of(pairs: Any) -> list[dict[str, str]]:
    """Sums by currency of (currency, minor units), as answers show amounts."""
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
