"""`scf reconcile run`: tens of millions of orders, deliveries, invoices and payments, joined out of core."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from scf import terminal

app = typer.Typer(no_args_is_help=True, help="Join orders, deliveries, invoices and payments in bulk.")


@app.command()
def run(
    orders: Annotated[Path, typer.Option(help="Parquet or CSV.")],
    deliveries: Annotated[Path, typer.Option(help="Parquet or CSV.")],
    payments: Annotated[Path, typer.Option(help="Parquet or CSV.")],
    out: Annotated[Path, typer.Option(help="Folder for matches, exceptions and the summary page.")],
    invoices: Annotated[Path | None, typer.Option(help="Parquet or CSV.")] = None,
    engine: Annotated[str, typer.Option(help="duckdb, or spark where it is installed.")] = "duckdb",
    memory_limit: Annotated[str, typer.Option(help="Memory the engine may use; more goes to disk.")] = "1GB",
) -> None:
    """Reconcile four files by the same rule as the online path; counts and sums add up to the input, or it says so."""
    from scf.reconciliation.bulk import reconcile_files

    chosen: Literal["duckdb", "spark"] = "spark" if engine == "spark" else "duckdb"
    with terminal.progress() as bar:
        task = bar.add_task("Reading", total=100)
        summary = reconcile_files(
            orders,
            deliveries,
            invoices,
            payments,
            out,
            memory_limit=memory_limit,
            engine=chosen,
            progress=lambda step, share: bar.update(task, description=step, completed=int(share * 100)),
        )
    for name, value in summary.items():
        if not isinstance(value, dict | list):
            terminal.out.print(f"{name}: {value}")
    terminal.say(f"See {out / 'summary.html'}.", f"详见 {out / 'summary.html'}。")
