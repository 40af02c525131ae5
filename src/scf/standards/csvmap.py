"""CSV tables read through a saved column mapping, and CSV written so that no cell becomes a formula.

A mapping is data (TOML or JSON): which column feeds which field, in which date formats and number style, which texts
mean "unknown", which rows to skip. Reading is a preview: every row is accepted, skipped or rejected with row number,
column and reason, and nothing is dropped without saying so.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from scf.kernel.problems import Problem
from scf.standards import csvcells
from scf.standards.csvmapping import FIELDS, SIDES, Column, TableMapping, load_mapping
from scf.standards.csvtext import Dialect, parse_rows, sniff
from scf.standards.records import Delivery
from scf.standards.refusals import refusal

__all__ = [
    "Column",
    "Preview",
    "Rejection",
    "Row",
    "TableMapping",
    "deliveries",
    "load_mapping",
    "preview",
    "write_csv",
]

Standing = Literal["new", "changed", "duplicate"]


@dataclass(frozen=True, slots=True)
class Row:
    """An accepted row: its number as a spreadsheet shows it (header = 1), typed values by field, key and digest."""

    number: int
    values: Mapping[str, Any]
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not taken: number, column (None for the whole row), and the Problem that says why."""

    number: int
    column: str | None
    problem: Problem


@dataclass(frozen=True)
class Preview:
    """What a table holds, read through a mapping; nothing has been applied yet."""

    mapping: TableMapping
    dialect: Dialect
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    rejected: tuple[Rejection, ...]
    skipped: tuple[int, ...]
    repeated: tuple[int, ...]

    @cached_property
    def total(self) -> int:
        """Rows below the header: accepted + rejected + skipped + repeated."""
        return len(self.rows) + len({item.number for item in self.rejected}) + len(self.skipped) + len(self.repeated)

    def standing(self, known: Mapping[str, str]) -> dict[int, Standing]:
        """Row number to new, changed or duplicate, against what is already `known` (key to digest)."""
        return {
            row.number: "new" if row.key not in known else "duplicate" if known[row.key] == row.digest else "changed"
            for row in self.rows
        }


def preview(raw: bytes, mapping: TableMapping) -> Preview:
    """Read `raw` through `mapping`.

    Raises Problem for the file as a whole: `document_empty`, `document_too_large`, `document_encoding_unreadable`,
    `table_column_missing`, `table_column_repeated`, `table_unreadable`. A row repeated with the same content counts
    once; the same key with other content is rejected.
    """
    dialect = sniff(raw, mapping)
    header, rows = parse_rows(raw, dialect, mapping.header_row)
    index = _columns(header, mapping)
    accepted: list[Row] = []
    rejected: list[Rejection] = []
    skipped: list[int] = []
    repeated: list[int] = []
    seen: dict[str, str] = {}
    for number, cells in rows:
        if not any(cells) or (len(cells) == len(header) and _is_skipped(cells, index, mapping)):
            skipped.append(number)
            continue
        if len(cells) != len(header):
            problem = refusal("row_width_differs", f"row {number}", found=len(cells), expected=len(header))
            rejected.append(Rejection(number, None, problem))
            continue
        values, faults = _values(number, cells, index, mapping)
        if faults:
            rejected += faults
            continue
        row = _row(number, values, mapping)
        if row.key not in seen:
            seen[row.key] = row.digest
            accepted.append(row)
        elif seen[row.key] == row.digest:
            repeated.append(number)
        else:
            problem = refusal("row_key_repeated", f"row {number}", key=row.key)
            rejected.append(Rejection(number, None, problem))
    return Preview(mapping, dialect, header, tuple(accepted), tuple(rejected), tuple(skipped), tuple(repeated))


def deliveries(found: Preview) -> list[Delivery]:
    """The accepted rows of a `delivery` mapping as records. Raises ValueError for another kind of mapping."""
    if found.mapping.record != "delivery":
        raise ValueError(f"a mapping of {found.mapping.record} yields no deliveries")
    return [Delivery(**row.values, row=row.number) for row in found.rows]


def _columns(header: tuple[str, ...], mapping: TableMapping) -> dict[str, int]:
    """Position of every column the mapping uses."""
    index: dict[str, int] = {}
    for name in {item.source for item in mapping.columns} | {item.column for item in mapping.skip}:
        places = [place for place, title in enumerate(header) if title.strip() == name]
        if not places:
            raise refusal("table_column_missing", "header", column=name)
        if len(places) > 1:
            raise refusal("table_column_repeated", "header", column=name)
        index[name] = places[0]
    return index


def _is_skipped(cells: Sequence[str], index: Mapping[str, int], mapping: TableMapping) -> bool:
    return any(rule.matches(cells[index[rule.column]].strip()) for rule in mapping.skip)


def _values(
    number: int, cells: Sequence[str], index: Mapping[str, int], mapping: TableMapping
) -> tuple[dict[str, Any], list[Rejection]]:
    """Typed values of one row, and what is wrong with it."""
    known = FIELDS[mapping.record]
    values: dict[str, Any] = dict.fromkeys(known)
    faults: list[Rejection] = []
    texts = {item: csvcells.plain(cells[index[item.source]]) for item in mapping.columns}
    code = mapping.constants.get("currency") or next(
        (text for item, text in texts.items() if item.field == "currency"), None
    )
    for item, text in texts.items():
        place = f"row {number}, column {item.source}"
        kind, is_required = known[item.field]
        try:
            if text in item.unknown or not text:
                if is_required:
                    raise refusal("cell_missing", place, column=item.source)
                values[item.field] = None
            else:
                values[item.field] = csvcells.read(text, kind, item, mapping, code, place)
        except Problem as problem:
            faults.append(Rejection(number, item.source, problem))
    for field, text in mapping.constants.items():
        values[field] = csvcells.read(text, known[field][0], None, mapping, code, f"constant {field}")
    if any(item.field in SIDES for item in mapping.columns) and not faults:
        try:
            values["amount_minor"] = _one_side(values, f"row {number}")
        except Problem as problem:
            faults.append(Rejection(number, None, problem))
    return values, faults


def _one_side(values: Mapping[str, Any], place: str) -> int:
    """The signed amount of a row that writes money out and money in in two columns, of which one says it."""
    said = {sign: values[field] for field, sign in SIDES.items() if values[field]}
    if len(said) != 1:
        raise refusal("row_sides_wrong", place, found=len(said))
    ((sign, amount),) = said.items()
    return int(sign * amount)


def _row(number: int, values: dict[str, Any], mapping: TableMapping) -> Row:
    body = json.dumps(values, sort_keys=True, default=str, ensure_ascii=False, separators=(",", ":"))
    key = "\x1f".join(str(values.get(field, "")) for field in mapping.key) if mapping.key else str(number)
    return Row(number, values, key, hashlib.sha256(body.encode()).hexdigest())


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> bytes:
    """A UTF-8 table with BOM and CRLF that spreadsheets open as text and numbers, never as formulas.

    A text cell that a spreadsheet could take for a formula gets a leading apostrophe; numbers stay numbers.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    for row in (header, *rows):
        writer.writerow([csvcells.harmless(cell) for cell in row])
    return out.getvalue().encode("utf-8-sig")
