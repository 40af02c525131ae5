"""`scf jobs run|list`: carry out what is due, or say what waits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scf import terminal

app = typer.Typer(no_args_is_help=True, help="What runs by itself: deadlines, reminders, statements, proofs.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
PAUSE_SECONDS = 30


@app.command("list")
def list_jobs(
    data: Data = Path("data"),
    state: Annotated[str | None, typer.Option(help="waiting, running, done or failed.")] = None,
) -> None:
    """Jobs, latest due first."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.kernel.dates import from_unix

    with open_app(Settings.from_environment(data), read_only=True) as installation:
        rows = installation.jobs.scheduler.jobs(state=state)
    table = Table(box=None)
    for name in ("due", "job", "state", "runs", "outcome"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            f"{from_unix(row.due_at):%Y-%m-%d %H:%M}", row.name, row.state, str(row.attempts), row.outcome or ""
        )
    terminal.out.print(table)


@app.command()
def run(
    data: Data = Path("data"),
    stay: Annotated[bool, typer.Option("--stay", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Carry out everything that is due, late jobs included."""
    from scf.app import open_app
    from scf.installation import Settings

    with open_app(Settings.from_environment(data)) as installation:
        installation.jobs.start()
        while True:
            for one in installation.jobs.run_due():
                mark = "[green]✓[/green]" if one.succeeded else "[red]✗[/red]"
                terminal.out.print(f"{mark} {one.name}: {one.outcome}")
            if not stay:
                return
            time.sleep(PAUSE_SECONDS)
