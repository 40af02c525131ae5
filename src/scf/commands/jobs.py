"""`scf jobs [run|list|retry]`: how each kind of job stands; carry out what is due; try again what was given up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scf import terminal

app = typer.Typer(invoke_without_command=True, help="What runs by itself: deadlines, reminders, statements, proofs.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
PAUSE_SECONDS = 30


@app.callback()
def overview(context: typer.Context, data: Data = Path("data")) -> None:
    """What runs by itself: when each job is due next, how it ended last, what was given up."""
    if context.invoked_subcommand is not None:
        return
    from scf.app import open_app
    from scf.installation import Settings
    from scf.kernel.dates import from_unix

    with open_app(Settings.from_environment(data), read_only=True) as installation:
        rows = installation.jobs.scheduler.overview()

    def moment(seconds: int | None) -> str:
        return "–" if seconds is None else f"{from_unix(seconds):%Y-%m-%d %H:%M}"

    table = terminal.table(
        ("job", "next", "tries", "last", "ended", "given up", "what it did"),
        ("任务", "下次", "重试", "上次", "结果", "已放弃", "说明"),
    )
    for row in rows:
        table.add_row(
            row.name, moment(row.next_due_at), str(row.attempts), moment(row.last_finished_at), row.last_state or "–",
            str(row.failed), row.last_outcome or "–",
        )  # fmt: skip
    terminal.out.print(table)


@app.command()
def retry(
    key: Annotated[str, typer.Argument(help="Key of a job that was given up, as `scf jobs list` shows.")],
    data: Data = Path("data"),
) -> None:
    """Let a job that was given up be tried again with the next round."""
    from scf.app import open_app
    from scf.installation import Settings

    with open_app(Settings.from_environment(data)) as installation:
        name = installation.jobs.scheduler.retry(key).name
    terminal.say(f"{name} is tried again with the next round.", f"任务 {name} 将在下一轮重试。")


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
    for name in ("due", "key", "state", "runs", "outcome"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            f"{from_unix(row.due_at):%Y-%m-%d %H:%M}", row.key, row.state, str(row.attempts), row.outcome or ""
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
