"""Reconcile whole files: orders, deliveries, invoices and payments as Parquet or CSV, by the same rule as online."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import duckdb

from scf.kernel.problems import Problem
from scf.reconciliation import bulk_output
from scf.reconciliation.bulk_duckdb import DuckRun, Progress, connect
from scf.reconciliation.bulk_report import write_page
from scf.reconciliation.bulk_tables import prepare
from scf.reconciliation.portable import SIDES
from scf.reconciliation.rule import RULE_ID, RULE_VERSION, Terms


def reconcile_files(
    orders: Path,
    deliveries: Path | None,
    invoices: Path | None,
    payments: Path | None,
    out: Path,
    *,
    memory_limit: str = "1GB",
    progress: Progress | None = None,
    engine: str = "duckdb",
    terms: Terms | None = None,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    threads: int | None = None,
    as_of_day: int | None = None,
) -> dict[str, Any]:
    """Reconcile up to four files into the folder `out`; returns what `summary.json` says.

    A table that is not given is not expected: without invoices goods are compared with money, without payments nothing
    is unpaid, without deliveries an order is taken as delivered.

    Writes matches.parquet, exceptions.parquet, expected.parquet, moves.parquet, summary.json and summary.html. Without
    `terms` the day of the run is `as_of_day`, else the last day any of the files speaks of. `columns` names columns
    that are not found by themselves, e.g. `{"payments": {"key": "end_to_end", "amount": "amt"}}`. `progress` is called
    with a step's name and its share done.

    Raises Problem `bulk_input_unreadable`, `bulk_memory_short`, `bulk_memory_unclear`, `bulk_folder_unwritable`,
    `engine_missing`, `engine_unknown`, or `bulk_counts_differ` when rows or amounts do not add up to the input; then
    the folder holds no output.
    """
    if engine not in ("duckdb", "spark"):
        raise Problem("engine_unknown", engine=engine)
    try:
        out.mkdir(parents=True, exist_ok=True)
        bulk_output.clean(out)
        scratch = Path(tempfile.mkdtemp(prefix=".scratch-", dir=out))
    except OSError as error:
        raise Problem("bulk_folder_unwritable", folder=str(out), reason=error.strerror or str(error)) from error
    began = time.monotonic()
    try:
        connection = connect(memory_limit, scratch, threads)
        paths = {"orders": orders, "deliveries": deliveries, "invoices": invoices, "payments": payments}
        tables = prepare(connection, paths, columns or {}, scratch)
        at = terms or Terms(
            as_of_day=0,
            invoices_expected=int(invoices is not None),
            deliveries_expected=int(deliveries is not None),
            payments_expected=int(payments is not None),
        )
        run = DuckRun(connection, tables, at, out, scratch, progress or _silent, engine)
        run.count_inputs()
        run.check_columns()
        if terms is None:
            run.terms = replace(at, as_of_day=as_of_day if as_of_day is not None else _last_day(run))
        result = _run(run)
    except BaseException as error:  # Ctrl-C too leaves nothing half-written
        bulk_output.clean(out)
        if isinstance(error, duckdb.OutOfMemoryException) or isinstance(error.__cause__, duckdb.OutOfMemoryException):
            raise Problem("bulk_memory_short", limit=memory_limit) from error
        if type(error) is RuntimeError and "interrupt" in str(error).lower():  # so DuckDB says Ctrl-C
            raise KeyboardInterrupt from error
        if isinstance(error, duckdb.Error):
            raise Problem("bulk_input_unreadable", table="input", reason=str(error).splitlines()[0][:200]) from error
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    summary = {
        "rule": RULE_ID,
        "rule_version": RULE_VERSION,
        "terms": asdict(run.terms),
        "engine": engine,
        "inputs": {
            name: {"file": path.name if path else None, "rows": run.rows[name], "amount_minor": run.sums[name]}
            for name, path in paths.items()
        },
        **result,
        "seconds": round(time.monotonic() - began, 2),
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_page(out, summary)
    return summary


def _run(run: DuckRun) -> dict[str, Any]:
    run.settle()
    run.find_open()
    run.gather_open()
    moved = run.match_loosely()
    run.judge_open()
    checked = bulk_output.check_sample(run, run.terms)
    return {**bulk_output.write(run), "moved": moved, "checked_by_python_rule": checked}


def _last_day(run: DuckRun) -> int:
    days = [run.one(f"SELECT max(day) FROM {run.tables[name].select}") for name in SIDES]
    return max((int(day) for day in days if day is not None), default=0)


def _silent(step: str, share: float) -> None:
    """No progress shown."""
