"""What the command line says and how: one clear line for a refusal, two languages, progress and tables by Rich."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from scf.kernel.problems import Problem

_WIDE = 400
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
"""Where answers go. A file or a pipe has no width: tables in it are not cut to that of a terminal."""
errors = Console(stderr=True, highlight=False, soft_wrap=True)
_MOVED = {
    "no": {"en": "Money moved: no.", "zh-CN": "资金是否变动：否。"},
    "yes": {"en": "Money moved: yes.", "zh-CN": "资金是否变动：是。"},
    "unknown": {"en": "Money moved: not known yet.", "zh-CN": "资金是否变动：尚不确定。"},
}


def language() -> str:
    """`zh-CN` or `en`, by SCF_LANG or the locale of the terminal."""
    wanted = os.environ.get("SCF_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "zh-CN" if wanted.lower().startswith("zh") else "en"


def never_fail_to_print() -> None:
    """On a terminal that cannot show a letter, show its code instead of giving up."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(english: str, chinese: str) -> None:
    """One line in the reader's language, shown as it is."""
    out.print(chinese if language() == "zh-CN" else english, markup=False)


def refuse(problem: Problem, *, about: str = "") -> None:
    """One clear line: what it is about, what happened, whether money moved, the code to look up."""
    tongue = language()
    sentence = " ".join(problem.sentence(tongue).split())
    errors.print(
        f"{escape(about)}{': ' if about else ''}[red]✗[/red] {escape(sentence)} "
        f"{_MOVED[problem.money_moved][tongue]} [dim]({problem.code})[/dim]"
    )


def table(english: Sequence[str], chinese: Sequence[str]) -> Table:
    """An empty table with headings in the reader's language."""
    made = Table(box=None)
    for name in chinese if language() == "zh-CN" else english:
        made.add_column(name)
    return made


def as_problem(error: Problem | OSError) -> Problem:
    """A refusal as it is; a file's trouble as a refusal."""
    if isinstance(error, Problem):
        return error
    return Problem("file_unreadable", name=error.filename or "-", reason=error.strerror or str(error))


def progress() -> Progress:
    """A progress display for long work."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )


class Teller:
    """Tells the demonstration's story to the terminal."""

    def chapter(self, english: str, chinese: str) -> None:
        """A new chapter begins."""
        out.print(f"\n[bold]{escape(chinese if language() == 'zh-CN' else english)}[/bold]")

    def line(self, english: str, chinese: str) -> None:
        """Something happened."""
        out.print(f"  • {chinese if language() == 'zh-CN' else english}", markup=False)
