"""`scf reconcile run`: tens of millions of orders, deliveries, invoices and payments, joined out of core."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from scf import terminal
from scf.kernel.problems import Problem

app = typer.Typer(no_args_is_help=True, help="Join orders, deliveries, invoices and payments in bulk.")
MEANINGS = ("key", "document", "item", "day", "quantity", "amount", "payable", "price", "currency", "party", "account",
            "promised", "due")  # fmt: skip
"""What a column can be called with --column."""


@app.command()
def run(
    orders: Annotated[Path, typer.Option(help="Parquet or CSV.")],
    out: Annotated[Path, typer.Option(help="Folder for matches, exceptions and the summary page.")],
    deliveries: Annotated[
        Path | None, typer.Option(help="Parquet or CSV; without it orders count as delivered.")
    ] = None,
    invoices: Annotated[Path | None, typer.Option(help="Parquet or CSV; without it none are expected.")] = None,
    payments: Annotated[Path | None, typer.Option(help="Parquet or CSV; without it none are expected.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help=f"TABLE.MEANING=NAME where a column is not found by itself; meanings: {', '.join(MEANINGS)}."
        ),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Judge as of this day; else the last day in the files."),
    ] = None,
    engine: Annotated[str, typer.Option(help="duckdb, or spark where it is installed.")] = "duckdb",
    memory_limit: Annotated[str, typer.Option(help="Memory the engine may use; more goes to disk.")] = "1GB",
) -> None:
    """Reconcile the files by the same rule as the online path; counts and sums add up to the input, or it says so."""
    from scf.reconciliation.bulk import reconcile_files
    from scf.reconciliation.facts import day_number

    if deliveries is None and invoices is None and payments is None:
        raise Problem("bulk_nothing_to_compare")
    with terminal.progress() as bar:
        task = bar.add_task("Reading", total=100)
        summary = reconcile_files(
            orders,
            deliveries,
            invoices,
            payments,
            out,
            memory_limit=memory_limit,
            engine=engine,
            columns=_columns(column or []),
            as_of_day=None if as_of is None else day_number(as_of.date()),
            progress=lambda step, share: bar.update(task, description=step, completed=int(share * 100)),
        )
    found = summary["references"]
    terminal.say(
        f"{sum(found.values()):,} order references: {found['matches']:,} matched, {found['exceptions']:,} exceptions, "
        f"{found['expected']:,} not due yet, in {summary['seconds']} s. Rows and amounts add up to the input.",
        f"共 {sum(found.values()):,} 个订单编号：{found['matches']:,} 个相符，{found['exceptions']:,} 个异常，"
        f"{found['expected']:,} 个未到期，用时 {summary['seconds']} 秒。行数与金额均与输入一致。",
    )
    for name, count in sorted(summary["exceptions"].items(), key=lambda item: -item[1]):
        terminal.out.print(f"  {name}: {count:,}")
    terminal.say(f"See {out / 'summary.html'}.", f"详见 {out / 'summary.html'}。")


def _columns(given: list[str]) -> dict[str, dict[str, str]]:
    """`orders.amount=Betrag` as {"orders": {"amount": "Betrag"}}. Raises Problem `bulk_column_unclear`."""
    found: dict[str, dict[str, str]] = {}
    for text in given:
        place, equals, name = text.partition("=")
        table, _, meaning = place.partition(".")
        if not equals or not name or table not in ("orders", "deliveries", "invoices", "payments"):
            raise Problem("bulk_column_unclear", text=text[:60], meanings=", ".join(MEANINGS))
        if meaning not in MEANINGS:
            raise Problem("bulk_column_unclear", text=text[:60], meanings=", ".join(MEANINGS))
        found.setdefault(table, {})[meaning] = name
    return found
