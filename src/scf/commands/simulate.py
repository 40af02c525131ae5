"""`scf simulate year`: a year of a programme on a virtual clock, every cent counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scf import terminal
from scf.kernel.problems import Problem

FEWEST_FIRMS = 3
FEWEST_DAYS = 30

app = typer.Typer(no_args_is_help=True, help="Simulations on a virtual clock.")


@app.callback()
def _simulations() -> None:
    """Simulations on a virtual clock."""


@app.command()
def year(
    firms: Annotated[int, typer.Option(help="How many suppliers take part, 3 or more.")] = 200,
    seed: Annotated[int, typer.Option(help="0 or more; the same seed gives the same year.")] = 1,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Keep everything in this new folder.")] = None,
    days: Annotated[int, typer.Option(help="Length of the year, 30 or more.")] = 365,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="A bad year at the bank: refusals, returns, delays, files late and twice.")
    ] = False,
) -> None:
    """Issue, pass, finance, lock, pay on time, late, in parts or never; exit 0 only when every cent is there."""
    for option, value, least in (("--firms", firms, FEWEST_FIRMS), ("--seed", seed, 0), ("--days", days, FEWEST_DAYS)):
        if value < least:
            raise Problem("simulation_setting", option=option, value=value, least=least)
    if data is not None and data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise Problem("simulation_folder_used", folder=str(data))
    if json_path is not None:
        _require_writable(json_path)
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


def _require_writable(path: Path) -> None:
    """Refuse before the year begins what could not be written after it. Raises Problem `simulation_file_unwritable`."""
    is_new = not path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise Problem("simulation_file_unwritable", name=str(path), reason=error.strerror or str(error)) from error
    if is_new:
        path.unlink()
