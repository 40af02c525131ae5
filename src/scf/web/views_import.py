"""Import with a look first: what is new, changed, there already or rejected; correct the columns, apply, take back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from scf.api.access import Caller
from scf.api.paging import after_of, cursor_of
from scf.api.routes_imports import import_shape, seen_under
from scf.api.routes_other import MOST_BYTES, trust_of
from scf.documents.service import ImportView
from scf.kernel.problems import Problem
from scf.standards.csvmapping import FIELDS
from scf.web.doors import PagesDoor, Signed
from scf.web.i18n import N_
from scf.web.pages import Pages, go

router = APIRouter()
_ROWS = 50
STANDINGS = {
    "new": N_("new rows"),
    "changed": N_("changed rows"),
    "duplicate": N_("there already"),
    "rejected": N_("rejected rows"),
    "noted": N_("kept, nothing to join"),
}
STATES = {
    "previewed": N_("looked at, nothing imported yet"),
    "needs_mapping": N_("columns still to be named"),
    "applied": N_("imported"),
    "undone": N_("taken back"),
    "discarded": N_("discarded"),
}
RECORDS = {"order": N_("orders"), "delivery": N_("deliveries"), "invoice": N_("invoices"), "payment": N_("payments")}
COLUMNS = {
    "amount_minor": N_("amount"),
    "debit_minor": N_("money out, in a column of its own"),
    "credit_minor": N_("money in, in a column of its own"),
    "bank_transaction_id": N_("bank's transaction number"),
    "booked_on": N_("booked on"),
    "buyer": N_("buyer"),
    "counterparty": N_("other party"),
    "counterparty_account": N_("other party's account"),
    "country": N_("country"),
    "currency": N_("currency"),
    "deliver_by": N_("deliver by"),
    "delivered_on": N_("delivered on"),
    "despatch_reference": N_("despatch note"),
    "due_date": N_("due on"),
    "end_to_end_id": N_("end-to-end reference"),
    "issue_date": N_("issued on"),
    "line_id": N_("line"),
    "net_minor": N_("net amount"),
    "number": N_("number"),
    "order_reference": N_("order number"),
    "ordered_on": N_("ordered on"),
    "payable_minor": N_("amount to pay"),
    "payee_account": N_("account to pay to"),
    "product": N_("goods"),
    "quantity": N_("quantity"),
    "recorded_on": N_("recorded on"),
    "reference": N_("delivery number"),
    "remittance": N_("text of the payment"),
    "scheduled_on": N_("planned for"),
    "seller": N_("seller"),
    "shipped_on": N_("shipped on"),
    "site": N_("place"),
    "structured_reference": N_("structured reference"),
    "tax_minor": N_("VAT amount"),
    "value_minor": N_("value"),
    "value_on": N_("value day"),
    "vendor": N_("supplier of the goods"),
}
DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%y")
NUMBERS = {"1,234.50": (".", ","), "1.234,50": (",", "."), "1 234,50": (",", " "), "1234.50": (".", "")}


@router.get("/imports")
def imports(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """A place to drop a file, and what was imported before."""
    return _list(request, pages, caller, None)


@router.post("/imports")
def look(
    request: Request, pages: PagesDoor, caller: Signed, file: list[UploadFile], mapping: Annotated[str, Form()] = ""
) -> Response:
    """Look at files, each for itself; nothing is imported. One nobody can read is refused with place and reason."""
    seen: list[tuple[str, ImportView | Problem]] = []
    for one in file:
        try:
            seen.append((one.filename or "upload", _look(pages, caller, one, mapping or None)))
        except Problem as problem:
            seen.append((one.filename or "upload", problem))
    if len(seen) > 1:
        return _list(request, pages, caller, None, seen)
    found = seen[0][1]
    return _list(request, pages, caller, found) if isinstance(found, Problem) else go(f"/imports/{found.id}")


def _look(pages: Pages, caller: Caller, file: UploadFile, mapping: str | None) -> ImportView:
    raw = file.file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise Problem("upload_too_large", limit_mb=MOST_BYTES // 2**20)
    return pages.app.documents.preview(
        raw,
        file.filename or "upload",
        source=caller.name,
        sender=caller.name,
        trust=trust_of(caller),
        mapping=mapping,
    )


@router.get("/imports/{import_id}")
def one(
    request: Request, pages: PagesDoor, caller: Signed, import_id: int, standing: str = "", cursor: str | None = None
) -> Response:
    """One import: its counts, its rows, its columns, and what can be done with it."""
    return _page(request, pages, caller, import_id, None, standing=standing, cursor=cursor)


@router.post("/imports/{import_id}/columns")
async def columns(request: Request, pages: PagesDoor, caller: Signed, import_id: int) -> Response:
    """Read the table again with the columns as a person named them."""
    form = await request.form()

    def work() -> Response:
        with pages.app.reading() as session:
            view = pages.app.documents.import_of(session, import_id, source=caller.name)
        record = str(form.get("record") or "")
        if view.table and record in FIELDS and not any(form.get(f"col_{name}") for name in FIELDS[record]):
            return _page(request, pages, caller, import_id, None, record=record)  # its own columns are asked for first
        try:
            pages.app.documents.remap(import_id, json.dumps(mapping_of(view, form)), source=caller.name)
        except Problem as problem:
            return _page(request, pages, caller, import_id, problem, record=record if record in FIELDS else None)
        return go(f"/imports/{import_id}")

    return await run_in_threadpool(work)


@router.post("/imports/{import_id}/apply")
def apply(
    request: Request,
    pages: PagesDoor,
    caller: Signed,
    import_id: int,
    leave_rejected: Annotated[str, Form()] = "",
) -> Response:
    """Import what was shown; pressing twice imports once. No money moves."""
    act = pages.app.documents.apply
    return _do(
        request,
        pages,
        caller,
        import_id,
        lambda: act(import_id, source=caller.name, by=caller.name, leave_rejected=bool(leave_rejected)),
    )


@router.post("/imports/{import_id}/undo")
def undo(request: Request, pages: PagesDoor, caller: Signed, import_id: int) -> Response:
    """Take an import back within 24 hours."""
    act = pages.app.documents.undo
    return _do(request, pages, caller, import_id, lambda: act(import_id, source=caller.name, by=caller.name))


@router.post("/imports/{import_id}/discard")
def discard(request: Request, pages: PagesDoor, caller: Signed, import_id: int) -> Response:
    """Give a preview up; its file is forgotten."""
    try:
        pages.app.documents.discard(import_id, source=caller.name)
    except Problem as problem:
        return _page(request, pages, caller, import_id, problem)
    return go("/imports")


def mapping_of(view: ImportView, form: FormData) -> dict[str, Any]:
    """The mapping a person chose in the form, on top of the one that was suggested."""
    suggested: dict[str, Any] = dict(view.table.mapping) if view.table else {}
    record = str(form.get("record") or suggested.get("record") or "invoice")
    known = {str(item["field"]): item for item in suggested.get("columns", [])}
    chosen = []
    for name, (kind, _) in FIELDS.get(record, {}).items():
        title = str(form.get(f"col_{name}") or "")
        if not title:
            continue
        before = known.get(name, {})
        column: dict[str, Any] = {"field": name, "source": title}
        if kind == "date":
            day = str(form.get("day") or "")
            column["formats"] = [day] if day else list(before.get("formats") or ["%Y-%m-%d"])
        if before.get("unknown"):
            column["unknown"] = list(before["unknown"])
        chosen.append(column)
    constants = {} if form.get("col_currency") else {"currency": str(form.get("all_currency") or "CNY").upper()}
    decimal, thousands = NUMBERS.get(str(form.get("number")), NUMBERS["1,234.50"])
    kept = {name: suggested[name] for name in ("encoding", "delimiter", "header_row") if suggested.get(name)}
    return {
        **kept,
        "name": str(suggested.get("name") or f"{record} table"),
        "record": record,
        "columns": chosen,
        "constants": constants if "currency" in FIELDS.get(record, {}) else {},
        "decimal_separator": decimal,
        "thousands_separator": thousands,
    }


def _style_of(mapping: Mapping[str, Any]) -> tuple[str, str]:
    return str(mapping.get("decimal_separator", ".")), str(mapping.get("thousands_separator", ","))


def _do(request: Request, pages: Pages, caller: Caller, import_id: int, work: Callable[[], object]) -> Response:
    try:
        work()
    except Problem as problem:
        return _page(request, pages, caller, import_id, problem)
    return go(f"/imports/{import_id}")


def _list(
    request: Request,
    pages: Pages,
    caller: Caller,
    problem: Problem | None,
    seen: Sequence[tuple[str, ImportView | Problem]] = (),
) -> Response:
    with pages.app.reading() as session:
        found = pages.app.documents.imports(session, source=seen_under(caller), limit=30)
        names = pages.app.documents.mappings(session)
    return pages.render(
        request,
        "imports.html",
        caller,
        status=problem.status if problem else 200,
        problem=problem,
        items=[import_shape(view) for view in found],
        mappings=names,
        refused=[(name, found) for name, found in seen if isinstance(found, Problem)],
        looked_at=[(name, import_shape(found)) for name, found in seen if not isinstance(found, Problem)],
        states=STATES,
        standings=STANDINGS,
    )


def _page(
    request: Request,
    pages: Pages,
    caller: Caller,
    import_id: int,
    problem: Problem | None,
    *,
    standing: str = "",
    cursor: str | None = None,
    record: str | None = None,
) -> Response:
    standing = standing if standing in STANDINGS else ""
    with pages.app.reading() as session:
        view = pages.app.documents.import_of(session, import_id, source=seen_under(caller))
        rows = pages.app.documents.import_rows(
            session,
            import_id,
            source=seen_under(caller),
            standing=standing or None,
            after=after_of(cursor),
            limit=_ROWS,
        )
    mapping = view.table.mapping if view.table else {}
    return pages.render(
        request,
        "import.html",
        caller,
        status=problem.status if problem else 200,
        problem=problem,
        view=import_shape(view),
        mine=view.source == caller.name,
        rows=rows.rows,
        more=None if rows.next is None else cursor_of(rows.next),
        standing=standing,
        standings=STANDINGS,
        states=STATES,
        records=RECORDS,
        titles=COLUMNS,
        record=record or mapping.get("record"),
        fields=FIELDS.get(str(record or mapping.get("record")), {}),
        fed={str(item["field"]): str(item["source"]) for item in mapping.get("columns", [])},
        days=DAYS,
        numbers=list(NUMBERS),
        now_number=next((one for one, style in NUMBERS.items() if style == _style_of(mapping)), ""),
        now_day=next((item["formats"][0] for item in mapping.get("columns", []) if item.get("formats")), ""),
    )
