"""CSV files of a bulk run as they come: any encoding, and amounts with a decimal point or a decimal comma."""

from __future__ import annotations

import codecs
from collections.abc import Collection
from pathlib import Path

import duckdb

from scf.kernel.problems import Problem
from scf.standards.csvtext import sniff

_CHUNK = 1 << 20
_POINT = "[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3})([.][0-9]*)?"
_COMMA = "[+-]?([0-9]+|[0-9]{1,3}([.][0-9]{3})+)(,[0-9]*)?"
"""Numbers whose separators stand where they belong; thousands also in the Indian way (1,00,000.00)."""


def as_utf8(path: Path, scratch: Path, name: str) -> Path:
    """The file itself when it is UTF-8, else a copy in `scratch` that is. Raises Problem `bulk_input_unreadable`."""
    with path.open("rb") as file:
        if not file.read(1):
            raise Problem("bulk_input_unreadable", table=name, reason="the file is empty")
    odd = _first_not_utf8(path)
    if odd is None:
        return path
    try:
        encoding = sniff(odd).encoding
        copy = scratch / f"{name}.csv"
        with path.open(encoding=encoding, newline="") as source, copy.open("w", encoding="utf-8", newline="") as target:
            while text := source.read(_CHUNK):
                target.write(text)
    except (UnicodeError, LookupError, Problem) as error:
        raise Problem("bulk_input_unreadable", table=name, reason="its encoding cannot be told") from error
    return copy


def _first_not_utf8(path: Path) -> bytes | None:
    """Some of the file from where it stops being UTF-8; None when it is UTF-8 throughout."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                whole = chunk if file.tell() <= _CHUNK else chunk[max(error.start - 1000, 0) :]
                return whole.split(b"\n", 1)[-1] if whole is not chunk and b"\n" in whole else whole
    return None


def with_decimal_comma(connection: duckdb.DuckDBPyConnection, source: str, columns: Collection[str]) -> bool:
    """Whether a table writes its numbers with a decimal comma: one of them ends in a comma and one or two digits.

    It is asked of a whole table: 1.050 and 1,050 mean what the numbers beside them say.
    """
    if not columns:
        return False
    tests = " OR ".join(
        f"coalesce(bool_or(regexp_matches({column}, ',[0-9]{{1,2}}\\s*$')), false)" for column in columns
    )
    row = connection.execute(f"SELECT {tests} FROM {source}").fetchone()
    return bool(row and row[0])


def decimal_text(value: str, *, comma: bool) -> str:
    """SQL that makes the text `value` castable to a decimal; a number written in another way is left not castable."""
    if comma:
        plain = f"replace(replace({value}, '.', ''), ',', '.')"
        return f"CASE WHEN regexp_full_match({value}, '{_COMMA}') THEN {plain} ELSE concat('?', {value}) END"
    return f"CASE WHEN regexp_full_match({value}, '{_POINT}') THEN replace({value}, ',', '') ELSE {value} END"
