"""Routes of imports: look at what a file would do, correct its mapping, apply it, take it back for 24 hours."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, UploadFile
from pydantic import Field

from scf.api.access import Caller
from scf.api.doors import Key, Scf, Who
from scf.api.paging import DEFAULT_LIMIT, Cursor, Limit, after_of, cursor_of
from scf.api.routes_other import MOST_BYTES, trust_of
from scf.api.shapes import Shape
from scf.api.views import moment
from scf.documents.service import STANDINGS, ImportView, RowView
from scf.kernel.problems import Problem

router = APIRouter(prefix="/imports", tags=["documents"])


class MappingBody(Shape):
    """The mapping to read a table with: a saved name, or the mapping itself as TOML or JSON text."""

    mapping: str = Field(max_length=60_000)
    strict: bool = False


class ApplyBody(Shape):
    """Whether to take the good rows of a table although others are rejected."""

    leave_rejected: bool = False


def import_shape(view: ImportView) -> dict[str, Any]:
    """One import as answers show it; times in ISO 8601."""
    shown = asdict(view)
    for name in ("previewed_at", "applied_at", "undo_until", "undone_at"):
        shown[name] = moment(shown[name])
    return shown


def row_shape(row: RowView) -> dict[str, Any]:
    """One row of an import as answers show it."""
    return asdict(row)


def seen_under(caller: Caller) -> str | None:
    """The source whose imports a caller may look at: its own; overseers look at all."""
    return None if caller.sees_all else caller.name


@router.post("")
def preview(
    app: Scf,
    caller: Who,
    file: UploadFile,
    mapping: Annotated[str | None, Form(max_length=60_000)] = None,
    strict: Annotated[bool, Form()] = False,
    key: Key = None,
) -> dict[str, Any]:
    """What importing a file would do: rows new, changed, duplicate, rejected. Nothing is joined until it is applied.

    A file that cannot be read is refused with place and reason. The same file again gives the same import.
    """
    raw = file.file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise Problem("upload_too_large", limit_mb=MOST_BYTES // 2**20)
    found = app.documents.preview(
        raw,
        file.filename or "upload",
        source=caller.name,
        sender=caller.name,
        trust=trust_of(caller),
        mapping=mapping or None,
        strict=strict,
    )
    return import_shape(found)


@router.get("")
def listed(app: Scf, caller: Who, limit: Limit = DEFAULT_LIMIT) -> dict[str, Any]:
    """Imports of the caller's organisation, the newest first."""
    with app.reading() as session:
        found = app.documents.imports(session, source=seen_under(caller), limit=limit)
    return {"items": [import_shape(view) for view in found], "next": None}


@router.get("/{import_id}")
def one(app: Scf, caller: Who, import_id: int) -> dict[str, Any]:
    """One import as it stands."""
    with app.reading() as session:
        return import_shape(app.documents.import_of(session, import_id, source=seen_under(caller)))


@router.get("/{import_id}/rows")
def rows(
    app: Scf,
    caller: Who,
    import_id: int,
    standing: Annotated[str | None, Query(pattern="|".join(STANDINGS))] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """Rows of an import in the file's order: what changes, from what to what; what is rejected, where and why."""
    with app.reading() as session:
        page = app.documents.import_rows(
            session,
            import_id,
            source=seen_under(caller),
            standing=standing,
            after=after_of(cursor),
            limit=limit,
        )
    return {
        "items": [row_shape(row) for row in page.rows],
        "next": None if page.next is None else cursor_of(page.next),
    }


@router.put("/{import_id}/mapping")
def remap(app: Scf, caller: Who, import_id: int, body: MappingBody) -> dict[str, Any]:
    """Read a previewed table again with a corrected mapping."""
    return import_shape(app.documents.remap(import_id, body.mapping, source=caller.name, strict=body.strict))


@router.post("/{import_id}/apply")
def apply(app: Scf, caller: Who, import_id: int, body: ApplyBody | None = None, key: Key = None) -> dict[str, Any]:
    """Do what the preview showed; applied already, it changes nothing. No money moves."""
    leave = body is not None and body.leave_rejected
    return import_shape(app.documents.apply(import_id, source=caller.name, by=caller.name, leave_rejected=leave))


@router.post("/{import_id}/undo")
def undo(app: Scf, caller: Who, import_id: int, key: Key = None) -> dict[str, Any]:
    """Take an import back within 24 hours. Refused when a receivable, a release or a person's decision rests on it."""
    return import_shape(app.documents.undo(import_id, source=caller.name, by=caller.name))


@router.delete("/{import_id}")
def discard(app: Scf, caller: Who, import_id: int) -> dict[str, Any]:
    """Give up a preview; its file is forgotten."""
    return import_shape(app.documents.discard(import_id, source=caller.name))
