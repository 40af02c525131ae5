"""What a bulk run leaves behind: matches, exceptions, what is expected, the moves, and proof that it all adds up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scf.kernel.problems import Problem
from scf.kernel.sentences import catalogue
from scf.reconciliation.bulk_duckdb import PARQUET, PLAIN_COLUMNS, ROW_OF, DuckRun
from scf.reconciliation.exceptions import HANDLING, sentence_code
from scf.reconciliation.portable import SIDES
from scf.reconciliation.rule import EXPECTED_FLAG, Case, Reason, Terms, judge

FILES = ("matches.parquet", "exceptions.parquet", "expected.parquet", "moves.parquet")
METHODS = (
    "exact reference",
    "mentioned",
    "mistyped",
    "normalised",
    "slip of the pen",
    "sole candidate",
    "sole combination",
)
_TALLY = ", ".join(f"sum({ROW_OF[name]}_rows), sum({ROW_OF[name]}_sum)" for name in SIDES)


def write(run: DuckRun) -> dict[str, Any]:
    """Write the files and return the counts. Raises Problem `bulk_counts_differ` when anything does not add up."""
    connection = run.connection
    connection.execute(f"CREATE TYPE how AS ENUM ({', '.join(repr(name) for name in METHODS)})")
    settled = run.settled()
    if settled:
        settled = f"SELECT *, CAST('exact reference' AS how) AS method, 1000 AS confidence FROM ({settled}) UNION ALL "
    moved = "SELECT k_to, min(confidence) AS confidence, max(method) AS method FROM moves GROUP BY 1"
    with run.step("write"):
        _copy(
            run,
            "matches.parquet",
            f"{settled}SELECT {PLAIN_COLUMNS}, CAST(coalesce(m.method, 'exact reference') AS how) AS method, "
            f"coalesce(m.confidence, 1000) AS confidence "
            f"FROM judged LEFT JOIN ({moved}) m ON m.k_to = order_reference WHERE flags = 0",
        )
        _copy(run, "expected.parquet", f"SELECT {PLAIN_COLUMNS} FROM judged WHERE flags = {EXPECTED_FLAG}")
        _copy(run, "exceptions.parquet", _exceptions(run))
        _copy(run, "moves.parquet", "SELECT * FROM moves ORDER BY side, row_id, k_to")
    return _tally(run)


def _copy(run: DuckRun, name: str, query: str) -> None:
    target = run.out / name
    run.connection.execute(f"COPY ({query}) TO '{target}' ({PARQUET})")


def _exceptions(run: DuckRun) -> str:
    """Exceptions with their sentences, the most serious first."""
    connection = run.connection
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE wording (reason INTEGER, field VARCHAR, code VARCHAR, severity VARCHAR, "
        "owner VARCHAR, en VARCHAR, zh VARCHAR)"
    )
    rows = []
    for reason, name in connection.execute("SELECT DISTINCT reason, field FROM judged WHERE reason >= 0").fetchall():
        code = Reason(reason)
        if code == Reason.EXPECTED:
            continue
        known = catalogue()  # where a count is all a row tells, its own sentence says so without figures
        entry = known.get(f"exception_bulk_{name}") or known[sentence_code(code.name, name)]
        rows.append((reason, name, code.name, HANDLING[code].severity, HANDLING[code].owner, entry.en, entry.zh_cn))
    if rows:
        connection.executemany("INSERT INTO wording VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    sentences = ", ".join(f"{_filled(f'w.{language}')} AS sentence_{language}" for language in ("en", "zh"))
    return (
        f"SELECT order_reference, w.code AS reason, w.severity, w.owner, j.field, left_value, right_value, "
        f"left_value - right_value AS difference, limit_milli, currency, party, {PLAIN_COLUMNS.split(', ', 1)[1]}, "
        f"{sentences} FROM judged j JOIN wording w ON w.reason = j.reason AND w.field = j.field "
        f"ORDER BY j.reason, order_reference"
    )


def _filled(template: str) -> str:
    """SQL that puts the values into a sentence; amounts, quantities, prices and days each in their own form."""
    text = template
    values = {
        "reference": "CAST(order_reference AS VARCHAR)",
        "left": _shown("left_value"),
        "right": _shown("right_value"),
        "difference": _shown("left_value - right_value", plain_days=True),
        "limit": _shown("limit_milli // 1000", plain_days=True),
    }
    for name, value in values.items():
        text = f"replace({text}, '{{{name}}}', {value})"
    return text


def _shown(value: str, *, plain_days: bool = False) -> str:
    day = (
        f"CAST(abs({value}) AS VARCHAR)"
        if plain_days
        else f"CAST(DATE '1970-01-01' + CAST({value} AS INTEGER) AS VARCHAR)"
    )
    digits = "CASE WHEN currency IN ('JPY', 'KRW') THEN 1 WHEN currency IN ('BHD', 'KWD') THEN 1000 ELSE 100 END"
    money = f"concat(coalesce(currency || ' ', ''), format('{{:,.2f}}', CAST({value} AS DOUBLE) / {digits}))"
    return (
        f"CASE WHEN j.field LIKE '%\\_day' ESCAPE '\\' THEN {day if plain_days else _day_or_count(value, day)} "
        f"WHEN j.field LIKE '%\\_minor' ESCAPE '\\' THEN {money} "
        f"WHEN j.field LIKE '%\\_quantity' ESCAPE '\\' THEN CAST(CAST(({value}) / 1000.0 AS DOUBLE) AS VARCHAR) "
        f"WHEN j.field LIKE '%\\_price' ESCAPE '\\' THEN CAST(CAST(({value}) / 1000000.0 AS DOUBLE) AS VARCHAR) "
        f"ELSE CAST({value} AS VARCHAR) END"
    )


def _day_or_count(value: str, day: str) -> str:
    return f"CASE WHEN {value} BETWEEN -700000 AND 2900000 THEN {day} ELSE CAST({value} AS VARCHAR) END"


def _tally(run: DuckRun) -> dict[str, Any]:
    """Counts by reason; every input row and every minor unit is found again exactly once."""
    connection, out = run.connection, run.out
    found: dict[str, list[int]] = {name: [0, 0] for name in SIDES}
    cases: dict[str, int] = {}
    for name in FILES[:3]:
        line = connection.execute(f"SELECT count(*), {_TALLY} FROM read_parquet('{out / name}')").fetchone() or ()
        cases[name.split(".")[0]] = int(line[0])
        for place, side in enumerate(SIDES):
            found[side][0] += int(line[1 + 2 * place] or 0)
            found[side][1] += int(line[2 + 2 * place] or 0)
    split = int(run.one("SELECT count(*) - count(DISTINCT row_id) FROM moves WHERE amount_minor IS NOT NULL") or 0)
    for side in SIDES:
        expected = run.rows[side] + (split if side == "payments" else 0)
        _same(f"{side}: rows", expected, found[side][0])
        _same(f"{side}: amounts", run.sums[side], found[side][1])
    judged = run.one("SELECT count(*) FROM judged")
    exact = cases["matches"] - int(run.one("SELECT count(*) FROM judged WHERE flags = 0"))
    _same("references", int(judged) + exact, sum(cases.values()))
    reasons = dict(
        connection.execute(
            f"SELECT reason, count(*) FROM read_parquet('{out / 'exceptions.parquet'}') GROUP BY 1 ORDER BY 1"
        ).fetchall()
    )
    _same("exceptions by reason", cases["exceptions"], sum(reasons.values()))
    return {"references": cases, "exceptions": reasons, "payments_divided": split}


def _same(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise Problem("bulk_counts_differ", what=what, expected=expected, found=found)


def check_sample(run: DuckRun, terms: Terms, rows: int = 1_000) -> int:
    """Judge some of the open cases again by the Python rule; how many were compared.

    Raises Problem `bulk_counts_differ` when the two rules disagree: then one of them was changed alone.
    """
    columns = list(Case.__dataclass_fields__)
    query = f"SELECT flags, {', '.join(columns)} FROM judged ORDER BY order_reference LIMIT {rows}"
    sample = run.connection.execute(query).fetchall()
    for flags, *values in sample:
        case = Case(**dict(zip(columns, values, strict=True)))
        _same("flags by SQL and by Python", judge(case, terms).flags, flags)
    return len(sample)


def clean(out: Path) -> None:
    """Remove what an earlier run left in the folder."""
    for name in (*FILES, "summary.json", "summary.html"):
        (out / name).unlink(missing_ok=True)
