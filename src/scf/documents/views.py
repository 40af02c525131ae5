"""Imports and their rows as faces show them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from scf.documents.models import ImportRow, ImportRun, ImportState
from scf.documents.planning import STANDINGS, Change, Planned
from scf.kernel.problems import Problem
from scf.standards.csvguess import SHOWN_ROWS, TableLook
from scf.standards.csvmap import Preview
from scf.standards.csvtext import parse_rows
from scf.standards.records import Notice

UNDO_SECONDS = 24 * 3600
"""So long after it was applied an import can be undone."""
_ENDINGS = {"\r\n": "CRLF", "\n": "LF", "\r": "CR"}


@dataclass(frozen=True, slots=True)
class TableView:
    """How a table was read: what was detected, its titles and first rows, the mapping in force or suggested.

    `mapping` has the form of `TableMapping.to_dict`. `missing` says what a person must still decide: fields without a
    column, `formats of TITLE` for dates and `separators` for numbers that could be read two ways.
    """

    encoding: str
    delimiter: str
    line_ending: str
    header: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    mapping: dict[str, Any]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportView:
    """An import as it stands. Times are unix seconds; `undo_until` is None where it cannot be undone.

    `counts` has new, changed, duplicate, rejected and noted (kept as evidence, no fact). `sha256` names the file, and
    is its evidence id once applied.
    """

    id: int
    state: str
    name: str
    kind: str
    source: str
    sender: str
    trust: int
    sha256: str
    counts: dict[str, int]
    records: int
    exceptions: int
    notices: tuple[dict[str, str], ...]
    table: TableView | None
    previewed_at: int
    applied_at: int | None
    applied_by: str | None
    undo_until: int | None
    undone_at: int | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class RowView:
    """One row: its standing, name and place in the file; what changes; why it is rejected, a sentence a language.

    `replaces` is False where a changed row will stand beside the earlier one, as with an invoice number used twice.
    """

    place: int
    standing: str
    label: str
    where: str
    changes: tuple[Change, ...]
    replaces: bool
    reason: dict[str, str] | None
    code: str | None


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows and where to go on; `next` is None on the last page."""

    rows: tuple[RowView, ...]
    next: int | None


def of(run: ImportRun) -> ImportView:
    """The view of a run."""
    is_applied = run.state == ImportState.APPLIED
    return ImportView(
        id=run.id or 0,
        state=run.state,
        name=run.name,
        kind=run.kind,
        source=run.source,
        sender=run.sender,
        trust=run.trust,
        sha256=run.digest,
        counts={standing: getattr(run, standing) for standing in STANDINGS},
        records=run.records,
        exceptions=run.exceptions,
        notices=tuple(_notice(item) for item in json.loads(run.notices)),
        table=_table(run),
        previewed_at=run.previewed_at,
        applied_at=run.applied_at,
        applied_by=run.applied_by,
        undo_until=run.applied_at + UNDO_SECONDS if is_applied and run.applied_at is not None else None,
        undone_at=run.undone_at,
        undone_by=run.undone_by,
    )


def rows(session: Session, import_id: int, *, standing: str | None, after: int, limit: int) -> RowPage:
    """A page of an import's rows."""
    query = select(ImportRow).where(ImportRow.import_id == import_id, col(ImportRow.place) > after)
    if standing is not None:
        query = query.where(ImportRow.standing == standing)
    found = session.exec(query.order_by(col(ImportRow.place)).limit(limit + 1)).all()
    more = found[limit - 1].place if len(found) > limit else None
    return RowPage(tuple(_row(row) for row in found[:limit]), more)


def row_values(import_id: int, planned: Sequence[Planned]) -> list[dict[str, Any]]:
    """Column values of the rows of a plan."""
    return [
        {
            "import_id": import_id,
            "place": place,
            "standing": row.standing,
            "label": row.label[:200],
            "content": json.dumps(_content(row), ensure_ascii=False, default=str),
        }
        for place, row in enumerate(planned, start=1)
    ]


def notices_text(notices: Iterable[Notice]) -> str:
    """Notices as JSON."""
    return json.dumps([[item.code, item.place, dict(item.facts)] for item in notices], ensure_ascii=False)


def shape_of(seen: TableLook) -> str:
    """A table nobody has mapped yet, as JSON."""
    return json.dumps(
        {
            "encoding": seen.dialect.encoding,
            "delimiter": seen.dialect.delimiter,
            "line_ending": _ENDINGS[seen.dialect.line_ending],
            "header": seen.header,
            "samples": seen.samples,
            "suggestion": seen.suggestion,
            "missing": seen.missing,
        },
        ensure_ascii=False,
    )


def shape_of_preview(found: Preview, raw: bytes) -> str:
    """A table that was read, as JSON."""
    _, numbered = parse_rows(raw, found.dialect, found.mapping.header_row)
    samples = [cells for (_, cells), _ in zip(numbered, range(SHOWN_ROWS), strict=False)]
    return json.dumps(
        {
            "encoding": found.dialect.encoding,
            "delimiter": found.dialect.delimiter,
            "line_ending": _ENDINGS[found.dialect.line_ending],
            "header": found.header,
            "samples": samples,
            "suggestion": {},
            "missing": [],
        },
        ensure_ascii=False,
    )


def _content(row: Planned) -> dict[str, Any]:
    content: dict[str, Any] = {"where": row.where}
    if row.changes:
        content["changes"] = [[one.field, one.old, one.new] for one in row.changes]
    if not row.replaces:
        content["replaces"] = False
    if row.problem is not None:
        content["code"], content["facts"] = row.problem.code, row.problem.facts
    return content


def _row(row: ImportRow) -> RowView:
    content = json.loads(row.content)
    problem = Problem(content["code"], **content["facts"]) if "code" in content else None
    return RowView(
        place=row.place,
        standing=row.standing,
        label=row.label,
        where=content["where"],
        changes=tuple(Change(*one) for one in content.get("changes", ())),
        replaces=content.get("replaces", True),
        reason=None if problem is None else {tongue: problem.sentence(tongue) for tongue in ("en", "zh-CN")},
        code=None if problem is None else problem.code,
    )


def _notice(item: list[Any]) -> dict[str, str]:
    notice = Notice(item[0], item[1], tuple(item[2].items()))
    return {tongue: notice.sentence(tongue) for tongue in ("en", "zh-CN")}


def _table(run: ImportRun) -> TableView | None:
    if run.shape is None:
        return None
    shape = json.loads(run.shape)
    return TableView(
        encoding=shape["encoding"],
        delimiter=shape["delimiter"],
        line_ending=shape["line_ending"],
        header=tuple(shape["header"]),
        samples=tuple(tuple(row) for row in shape["samples"]),
        mapping=shape["suggestion"] if run.mapping is None else json.loads(run.mapping),
        missing=tuple(shape["missing"]),
    )
