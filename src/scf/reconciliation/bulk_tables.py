"""Reading the four tables of a bulk run: which column means what, and everything as integers.

Parquet and CSV are read by DuckDB. Columns are found by name; `columns` in the call names the others. A column that
ends in `_minor`, `_milli`, `_micro` or `_day` holds that integer; an integer `amount` in Parquet is minor units too.
Any other amount is decimal text or a decimal number in the currency's major unit. Floats are refused: a money column
that is one has already lost cents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem
from scf.reconciliation.bulk_columns import (
    CANONICAL,
    DAYS,
    DOCS,
    INTEGERS,
    ITEMS,
    KEY,
    NAMES,
    SCALES,
    SOURCES,
    TEXTS,
    TRUST,
)
from scf.reconciliation.bulk_columns import quoted as _quoted
from scf.reconciliation.bulk_csv import as_utf8, decimal_text, with_decimal_comma
from scf.reconciliation.bulk_through import lead_through

BESIDE = (("number", "document"), ("text", "text"), ("source", "source"), ("trust", "trust"))
"""Columns beside the canonical ones, which only the open rows need: the document's own number, what a payer wrote, who
tells of it, and how far that one is trusted (0 to 4, as `3` or `T3`)."""


@dataclass(frozen=True, slots=True)
class Table:
    """One input: name, the SQL that reads its canonical rows, whether its key is text, columns it does not have.

    `row` is the file's own row number, before the rows become canonical, `source` what is read, and `said` has the
    expression and the file's column of each canonical column. `has_sources`: its rows say who tells of them.
    """

    name: str
    select: str
    text_key: bool
    absent: frozenset[str]
    row: str = "row_id"
    source: str = ""
    said: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    has_sources: bool = False

    def rows_in(self, numbers: str) -> str:
        """SQL that reads only the rows whose number query `numbers` has; the others are not even converted."""
        return f"{self.select[:-1]} WHERE {self.row} IN ({numbers}))"


def prepare(
    connection: duckdb.DuckDBPyConnection,
    paths: Mapping[str, Path | None],
    columns: Mapping[str, Mapping[str, str]],
    scratch: Path,
) -> dict[str, Table]:
    """The canonical relations of the four inputs; a missing input is an empty one.

    Rows get the number they have in the file. Order references are compared as integers only when every input has them
    as integers. Raises Problem `bulk_input_unreadable`.
    """
    sources: dict[str, tuple[str, dict[str, str], str]] = {}
    for name, path in paths.items():
        if path is None:
            continue
        try:
            sources[name] = _source(connection, name, path, scratch)
        except duckdb.Error as error:
            raise Problem("bulk_input_unreadable", table=name, reason=str(error).splitlines()[0][:160]) from error
    found = {name: _find(name, types, columns.get(name, {})) for name, (_, types, _) in sources.items()}
    for name, (_, types, _) in sources.items():
        _check_place(name, types, found[name])
    through = lead_through(sources, found)
    text_key = bool(through) or any(
        "key" in found[name] and types[found[name]["key"]] not in INTEGERS for name, (_, types, _) in sources.items()
    )
    tables = {}
    for name, path in paths.items():
        if path is None:
            tables[name] = Table(name, f"(SELECT {_empty(text_key)} WHERE 1 = 0)", text_key, frozenset({"*"}))
        else:
            is_csv = path.suffix.lower() != ".parquet"
            source, types, _ = sources[name]
            numbers = {found[name][m] for m in SCALES if types.get(found[name].get(m, "")) == "VARCHAR"}
            comma = with_decimal_comma(connection, source, [_quoted(column) for column in sorted(numbers)])
            tables[name] = _table(name, *sources[name], found[name], is_csv=is_csv, text_key=text_key, comma=comma)
    return tables


def where_unreadable(connection: duckdb.DuckDBPyConnection, table: Table) -> str | None:
    """The first value of a table that cannot be read, in words with its row and column; None when it is not found."""
    for target, meaning in CANONICAL[2:]:
        expression, column = table.said.get(target, ("", ""))
        if meaning == "text" or not column or expression.startswith("CAST(NULL AS"):
            continue
        tried = expression.replace("CAST(", "TRY_CAST(")
        raw = f"NULLIF(trim(CAST({_quoted(column)} AS VARCHAR)), '')"
        bad = connection.execute(
            f"SELECT {table.row}, {raw} FROM {table.source} WHERE {raw} IS NOT NULL AND ({tried}) IS NULL "
            f"ORDER BY 1 LIMIT 1"
        ).fetchone()
        if bad:
            kinds = {"promised": "a date", "due": "a date", "day": "a date"}
            what = kinds.get(meaning, "a number")
            return f"data row {int(bad[0]) + 1}, column {column}: \u201c{str(bad[1])[:40]}\u201d is not {what}"
    return None


def _table(
    name: str,
    source: str,
    types: dict[str, str],
    row: str,
    found: dict[str, str],
    *,
    is_csv: bool,
    text_key: bool,
    comma: bool,
) -> Table:
    if not found.keys() & ({"key"} if name == "orders" else {"key", "party", "text"}):
        raise Problem(
            "bulk_input_unreadable",
            table=name,
            reason=f"no column with the order reference in {sorted(types)}; name it: --column {name}.key=NAME",
        )
    if "amount" not in found and (name == "payments" or ("quantity" not in found and name != "deliveries")):
        wanted = "amount" if name == "payments" else "amount or quantity"
        reason = f"no column with the {wanted} in {sorted(types)}; name it: --column {name}.amount=NAME"
        raise Problem("bulk_input_unreadable", table=name, reason=reason)
    parts, absent = [f"{row} AS row_id"], set()
    said: dict[str, tuple[str, str]] = {}
    for target, meaning in CANONICAL:
        expression = _expression(name, target, meaning, found, types, is_csv, row, text_key, comma)
        parts.append(f"{expression} AS {target}")
        said[target] = (
            expression,
            found.get("amount" if meaning == "payable" and "payable" not in found else meaning, ""),
        )
        if expression.startswith("CAST(NULL AS"):
            absent |= {target, f"other_{target}"}
    parts += [f"{_plain(found, name)} AS {target}" for target, name in BESIDE]
    select = f"(SELECT {', '.join(parts)} FROM {source})"
    return Table(name, select, text_key, frozenset(absent), row, source, said, "source" in found)


def _source(
    connection: duckdb.DuckDBPyConnection, name: str, path: Path, scratch: Path
) -> tuple[str, dict[str, str], str]:
    """Where to read from, the columns and types found, and the expression of the row number."""
    if not path.is_file():
        raise Problem("bulk_input_unreadable", table=name, reason=f"there is no file {path}")
    quoted = str(path).replace("'", "''")
    if path.suffix.lower() == ".parquet":
        source, row = f"read_parquet('{quoted}', file_row_number = true)", "file_row_number"
    else:
        # Text first: a sniffed number type would already have rounded an amount.
        target = scratch / f"{name}.parquet"
        quoted = str(as_utf8(path, scratch, name)).replace("'", "''")
        connection.execute(
            "COPY (SELECT trim(COLUMNS(*)), row_number() OVER () - 1 AS scf_row "
            f"FROM read_csv('{quoted}', all_varchar = true, header = true)) "
            f"TO '{target!s}' (FORMAT parquet, COMPRESSION zstd)"
        )
        source, row = f"read_parquet('{target!s}')", "scf_row"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    types = {str(line[0]): str(line[1]) for line in described if line[0] != row}
    return source, types, row


def _find(name: str, types: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """Which of the file's columns has which meaning; the caller's word goes first."""
    lower = {column.lower().strip(): column for column in types}
    found: dict[str, str] = {}
    meanings = {"key": KEY, "document": DOCS[name], "item": ITEMS, "day": DAYS[name], **NAMES}
    meanings |= {"text": TEXTS} if name == "payments" else {"source": SOURCES, "trust": TRUST}
    for meaning, names in meanings.items():
        wanted = (columns[meaning],) if meaning in columns else names
        for candidate in wanted:
            actual = lower.get(candidate.lower())
            if actual is not None and (actual not in found.values() or meaning in columns):
                found[meaning] = actual
                break
        else:
            if meaning in columns:
                raise Problem("bulk_input_unreadable", table=name, reason=f"there is no column {columns[meaning]}")
    if name == "orders" and "key" not in found and "reference" in lower:
        found["key"] = lower["reference"]
    return found


def _check_place(name: str, types: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Refuse a file that has the day of another table and none of its own: two files were swapped."""
    if "day" in found:
        return
    lower = {column.lower().strip() for column in types}
    for other, days in DAYS.items():
        told = sorted(lower.intersection(days))
        if other != name and told:
            reason = f"column {told[0]} is one of {other}: were two files swapped? If not, --column {name}.day=NAME"
            raise Problem("bulk_input_unreadable", table=name, reason=reason)


def _expression(
    table: str,
    target: str,
    meaning: str,
    found: Mapping[str, str],
    types: Mapping[str, str],
    is_csv: bool,
    row: str,
    text_key: bool,
    comma: bool,
) -> str:
    if target == "k":
        return _key(table, found, row, text_key)
    if target == "doc":
        return _document(found, row)
    name = {"doc": "document", "currency": "currency", "party": "party", "account": "account"}.get(target, meaning)
    if table != "invoices" and meaning in ("payable", "due"):
        return f"CAST(NULL AS {_type(target)})"
    if meaning == "payable" and "payable" not in found:
        name = "amount"
    column = found.get(name)
    if column is None:
        return f"CAST(NULL AS {_type(target)})"
    quoted = _quoted(column)
    if meaning == "text":
        return f"NULLIF(upper(trim(CAST({quoted} AS VARCHAR))), '')"
    if target.endswith("_day") or target == "day":
        return _day(quoted, types[column])
    return _integer(table, column, types[column], meaning, found, is_csv=is_csv, comma=comma)


def _key(table: str, found: Mapping[str, str], row: str, text_key: bool) -> str:
    """The order reference as written; a row without one stands alone under a name of its own."""
    column = found.get("key")
    if not text_key:
        lonely = f"-(8 * CAST({row} AS BIGINT) + {sorted(DAYS).index(table) + 1})"
        return lonely if column is None else f"coalesce(CAST({_quoted(column)} AS BIGINT), {lonely})"
    alone = f"concat('no reference: {table} row ', {row})"
    return alone if column is None else f"coalesce(NULLIF(CAST({_quoted(column)} AS VARCHAR), ''), {alone})"


def _document(found: Mapping[str, str], row: str) -> str:
    column = found.get("document")
    alone = f"concat('row ', {row})"
    if column is None:
        return alone
    text = f"NULLIF(trim(CAST({_quoted(column)} AS VARCHAR)), '')"
    item = f" || concat(' ', {_quoted(found['item'])})" if "item" in found else ""
    return f"coalesce({text}{item}, {alone})"


def _plain(found: Mapping[str, str], name: str) -> str:
    """A text column as it is, for finding documents by name."""
    column = found.get(name)
    text = "CAST(NULL AS VARCHAR)" if column is None else f"NULLIF(trim(CAST({_quoted(column)} AS VARCHAR)), '')"
    return f"TRY_CAST(ltrim(upper({text}), 'T') AS INTEGER)" if name == "trust" else text


def _integer(
    table: str, column: str, kind: str, meaning: str, found: Mapping[str, str], *, is_csv: bool, comma: bool
) -> str:
    quoted, lower = _quoted(column), column.lower()
    scaled = lower.endswith(("_minor", "_milli", "_micro"))
    if scaled or (kind in INTEGERS and not is_csv and meaning in ("amount", "payable")):
        return f"CAST({quoted} AS BIGINT)"
    if kind in ("DOUBLE", "FLOAT"):
        raise Problem(
            "bulk_input_unreadable", table=table, reason=f"{column} is a binary float; write decimals or minor units"
        )
    factor = str(10 ** SCALES[meaning])
    if meaning in ("amount", "payable") and "currency" in found:
        odd = {c: currency_of(c).digits for c in ("JPY", "KRW", "BHD", "KWD")}
        whens = " ".join(f"WHEN '{code}' THEN {10**digits}" for code, digits in odd.items())
        factor = f"CASE upper(trim({_quoted(found['currency'])})) {whens} ELSE 100 END"
    text = f"NULLIF(trim({quoted}), '')" if kind == "VARCHAR" else ""
    value = f"CAST({decimal_text(text, comma=comma) if text else quoted} AS DECIMAL(26, 6))"
    return f"CAST({value} * {factor} AS BIGINT)"


def _day(quoted: str, kind: str) -> str:
    if kind in INTEGERS:
        return f"CAST({quoted} AS INTEGER)"
    if kind == "VARCHAR":
        plain = f"NULLIF(trim({quoted}), '')"
        number, days = (
            f"CAST({plain} AS INTEGER)",
            f"CAST(CAST(CAST({plain} AS TIMESTAMP) AS DATE) - DATE '1970-01-01' AS INTEGER)",
        )
        return f"CASE WHEN regexp_full_match({plain}, '-?[0-9]{{1,6}}') THEN {number} ELSE {days} END"
    return f"CAST(CAST({quoted} AS DATE) - DATE '1970-01-01' AS INTEGER)"


def _type(target: str) -> str:
    if target in ("currency", "party", "account"):
        return "VARCHAR"
    return "INTEGER" if target == "day" or target.endswith("_day") else "BIGINT"


def _empty(text_key: bool) -> str:
    kind = "VARCHAR" if text_key else "BIGINT"
    columns = ["CAST(0 AS BIGINT) AS row_id", f"CAST(NULL AS {kind}) AS k", "CAST(NULL AS VARCHAR) AS doc"]
    columns += [f"CAST(NULL AS {_type(name)}) AS {name}" for name, _ in CANONICAL[2:]]
    columns += [f"{_plain({}, name)} AS {name}" for name, _ in BESIDE]
    return ", ".join(columns)
