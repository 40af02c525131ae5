"""`scf simulate year`: a year of a programme on a virtual clock, every cent counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scf import terminal

app = typer.Typer(no_args_is_help=True, help="Simulations on a virtual clock.")


@app.callback()
def _simulations() -> None:
    """Simulations on a virtual clock."""


@app.command()
def year(
    firms: Annotated[int, typer.Option(min=3, help="How many suppliers take part.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same year.")] = 1,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Keep everything in this new folder.")] = None,
    days: Annotated[int, typer.Option(min=30, help="Length of the year.")] = 365,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="A bad year at the bank: refusals, returns, delays, files late and twice.")
    ] = False,
) -> None:
    """Issue, pass, finance, lock, pay on time, late, in parts or never; exit 0 only when every cent is there."""
    from scf.demo.simulate import simulate_year, write_figures

    with terminal.progress() as bar:
        task = bar.add_task("Days", total=days)
        found = simulate_year(
            firms,
            seed,
            days=days,
            chaos=chaos,
            data=data,
            progress=lambda done, total: bar.update(task, completed=done),
        )
    for name, value in found.items():
        terminal.out.print(f"{name}: {value}")
    if json_path is not None:
        write_figures(found, json_path)
    if found["cents_missing"] or found["quote_differences"] or found["locked_differences"]:
        raise typer.Exit(1)
