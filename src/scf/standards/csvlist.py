"""A list somebody wrote by hand: a UTF-8 CSV of known columns, limited in bytes and rows, read whole or refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from scf.kernel.problems import Problem


def read_list(
    raw: bytes,
    columns: Mapping[str, Sequence[str]],
    *,
    optional: Sequence[str] = (),
    most_bytes: int,
    most_rows: int,
    code: str,
) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells of each row, by column; other columns and blank rows are passed over.

    Args:
        raw: the file, with or without a byte order mark.
        columns: column -> the headings it may have, in any case; each must stand there once.
        optional: columns that may be missing; their cells are blank then.
        most_bytes: largest file that is read.
        most_rows: most rows; none at all is refused too.
        code: code of the Problem raised, whose sentence takes `reason`.
    """
    text = utf8_text(raw, most_bytes=most_bytes, code=code)
    reader = csv.reader(io.StringIO(text, newline=""))
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        places = _places([name.strip().lower() for name in next(reader, [])], columns, optional, code)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            cells = [*row, *[""] * (1 + max(places.values()) - len(row))]
            found = {column: cells[places[column]].strip() if column in places else "" for column in columns}
            rows.append((reader.line_num, found))
            if len(rows) > most_rows:
                break
    except csv.Error as error:
        raise Problem(code, reason=str(error)) from error
    if not 0 < len(rows) <= most_rows:
        given = f"> {most_rows:,}" if rows else "0"
        raise Problem(code, reason=f"1–{most_rows:,} rows, not {given}")
    return rows


def utf8_text(raw: bytes, *, most_bytes: int, code: str) -> str:
    """The text of a small file without its byte order mark. Raises the Problem `code` with the reason."""
    if len(raw) > most_bytes:
        raise Problem(code, reason=f"> {most_bytes // 1_000_000} MB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(code, reason="UTF-8") from error


def _places(
    head: Sequence[str], columns: Mapping[str, Sequence[str]], optional: Sequence[str], code: str
) -> dict[str, int]:
    places = {}
    for column, names in columns.items():
        found = [place for place, name in enumerate(head) if name in names]
        if len(found) == 1:
            places[column] = found[0]
        elif found or column not in optional:
            raise Problem(code, reason=f"column `{names[0]}` / {names[-1]}")
    return places
