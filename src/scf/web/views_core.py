"""Pages of a core enterprise: what to accept and to approve, by two people, what falls due, and how far it reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from scf.api import confirming
from scf.api.access import Caller, role_words
from scf.api.shapes import amount
from scf.app import App
from scf.kernel.clock import today
from scf.kernel.money import format_money, format_plain
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.batch import BatchRow, prepare_accept_many, read_batch
from scf.receivables.models import Note
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_, translate
from scf.web.pages import Pages, go
from scf.web.reading import clauses_of, missing_boxes, seconds_to_read
from scf.web.signing import is_person, keep_signed_reading, kept_act, prepared_act, sign_read
from scf.web.svg.charts import against
from scf.web.tables import csv_answer
from scf.web.views_prove import prove_box, prove_by_form
from scf.web.views_signing import opened, sign_page
from scf.web.voice import LANGUAGES

router = APIRouter()
PROPOSED = N_("You propose %(count)s acceptances of together %(sum)s to a checker of your firm.")
_READING = "propose_batch"


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
        "act": _READING,
        "acts": acts,
        "language": pages.language(request),
        "summary": counted(PROPOSED, ((one["currency"], int(one["minor"])) for one in acts)),
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
        return [kept_act(prepared, sum(note.amount_minor for note in held), code)]
    waiting = confirming.to_accept(app, session, obligor, limit=20_000)
    if raw:
        chosen = confirming.chosen_from_file(waiting, raw)
    else:
        chosen = confirming.chosen_by_id(waiting, (str(value) for value in form.getlist("pick")))
    made = confirming.prepare(app, obligor, chosen)
    return [kept_act(one, item.amount_minor, item.currency) for one, item in zip(made, chosen, strict=True)]


@router.post("/to-accept/propose")
async def propose(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Sign what was read as maker and lay it before a checker."""
    form = await request.form()
    return await run_in_threadpool(_propose, request, pages, caller, form)


def _propose(request: Request, pages: Pages, caller: Caller, form: FormData) -> Response:
    app, sealed = pages.app, str(form.get("sealed") or "")
    content = opened(pages, caller, sealed)
    try:
        sent = prove_by_form(request, pages, caller, form)
        if sent and "read" in content:
            return _ask_signatures(request, pages, caller, content, None, sent_to=sent)
        if sent:
            return _confirm_page(request, pages, caller, content, sealed, None, form, sent_to=sent)
        made = sign_read(app, caller, content, form, speed=float(request.app.state.reading_speed))
        if made is None:
            return _ask_signatures(request, pages, caller, content, None)
        with app.desk.session() as session:
            keep_signed_reading(session, app, caller, content, made)
            for one, signature in zip(content["acts"], made.acts, strict=True):
                app.approvals.propose(
                    session,
                    prepared_act(app, one),
                    caller.address,
                    signature,
                    amount_minor=int(one["minor"]),
                    currency=one["currency"],
                )
    except Problem as problem:
        if "read" in content and not app.settings.demo:
            return _ask_signatures(request, pages, caller, content, problem)
        content.pop("read", None)
        return _confirm_page(request, pages, caller, content, sealed, problem, form)
    return go("/to-approve", done="proposed")


# Inside ---------------------------------------------------------------------------------------------------------------


def account_of(app: App, session: Session, caller: Caller) -> str:
    """The account a core enterprise owes by. Raises Problem `role_needed`."""
    found = app.parties.account_of(session, caller.organisation_id, Role.OBLIGOR)
    if found is None:
        raise Problem("role_needed", role=role_words(Role.OBLIGOR), caller=caller.name)
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
        confirm_days=confirming.days_to_confirm(app, rows[0]) if rows else None,
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
    form: FormData | None = None,
    *,
    sent_to: str | None = None,
) -> Response:
    acts, clauses = content["acts"], clauses_of(_READING, str(content["language"]))
    return pages.render(
        request,
        "to_accept_confirm.html",
        caller,
        status=problem.status if problem else 200,
        acts=acts,
        summary=content["summary"],
        totals=totals_of((one["currency"], int(one["minor"])) for one in acts),
        clauses=clauses,
        ticked=missing_boxes(clauses, form),
        sealed=sealed,
        needed=seconds_to_read(content, float(request.app.state.reading_speed)),
        person=is_person(pages.app, caller),
        prove=prove_box(request, pages, caller, sent_to),
        problem=problem,
    )


def _ask_signatures(
    request: Request,
    pages: Pages,
    caller: Caller,
    content: Mapping[str, Any],
    problem: Problem | None,
    *,
    sent_to: str | None = None,
) -> Response:
    path = "/to-accept/propose"
    return sign_page(request, pages, caller, content, problem, action=path, back="/to-accept", sent_to=sent_to)


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


def counted(message: str, pairs: Iterable[tuple[str, int]]) -> dict[str, str]:
    """A sentence with how many there are and what they come to, in both languages."""
    rows = list(pairs)
    total = " + ".join(format_money(int(one["minor"]), one["currency"]) for one in totals_of(rows))
    return {language: translate(language, message) % {"count": len(rows), "sum": total} for language in LANGUAGES}
