"""`scf rules list|show|replay`: the rulebook in words, and what a pending rule would have refused of the book."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scf import terminal
from scf.kernel.dates import parse_date

app = typer.Typer(no_args_is_help=True, help="The rulebook: limits as dated data with their articles.")

AsOf = Annotated[str | None, typer.Option("--as-of", help="Day (YYYY-MM-DD); today by default.")]
Named = Annotated[str, typer.Option("--ruleset", help="CN, CN-PENDING, IN, EU.")]


def _day(text: str | None) -> date:
    from scf.kernel.clock import SystemClock, today

    return parse_date(text) if text else today(SystemClock())


@app.command("list")
def list_rules(as_of: AsOf = None, ruleset: Named = "CN") -> None:
    """Rules in force on a day, with article and severity; `*` marks what was not read in its primary source."""
    from scf.rulebook.service import Rulebook

    tongue = terminal.language()
    table = Table(box=None)
    for name in ("rule", "v", "severity", "acts", "article", "title"):
        table.add_column(name)
    for rule in Rulebook.load().list(_day(as_of), ruleset):
        table.add_row(
            rule.id + ("*" if rule.unverified else ""),
            str(rule.version),
            rule.severity.value,
            " ".join(rule.applies_to),
            rule.article.of(tongue),
            rule.title.of(tongue),
        )
    terminal.out.print(table)


@app.command()
def show(rule: str) -> None:
    """All versions of one rule: parameters, dates, source, sentences."""
    from scf.rulebook.service import Rulebook

    for found in Rulebook.load().show(rule):
        until = found.effective_to.isoformat() if found.effective_to else "…"
        terminal.out.print(f"[bold]{found.id}[/bold] version {found.version}  {found.effective_from} – {until}")
        for label, text in (
            ("jurisdiction", found.jurisdiction),
            ("rulesets", ", ".join(found.rulesets)),
            ("severity", found.severity.value),
            ("acts", ", ".join(found.applies_to)),
            ("check", f"{found.check} {dict(found.parameters)}"),
            ("article", f"{found.article.en} / {found.article.of('zh-CN')}"),
            ("source", found.source),
            ("unverified", "yes" if found.unverified else "no"),
            ("en", found.sentence.en),
            ("zh-CN", found.sentence.of("zh-CN")),
        ):
            terminal.out.print(f"  {label}: {text}", markup=False)


@app.command()
def replay(
    ruleset: Named = "CN-PENDING",
    as_of: AsOf = None,
    data: Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")] = Path("data"),
) -> None:
    """Which receivables of the current book a ruleset would have refused, and their sum."""
    from scf.app import Settings, open_app
    from scf.kernel.money import format_money
    from scf.receivables.replay import book_records

    tongue = terminal.language()
    with open_app(Settings.from_environment(data), read_only=True) as installation:
        day = parse_date(as_of) if as_of else max(_day(None), installation.rulebook.effective_on(ruleset))
        with installation.desk.session() as session:
            records = list(book_records(session, installation.parties))
        found = installation.rulebook.replay(records, day, ruleset)
    for one in found.refused:
        mark = "+" if one.is_new else " "
        amount = format_money(one.record.amount_minor, one.record.currency)
        reason = one.findings[0]
        terminal.out.print(f"{mark} {one.record.reference}  {amount}  {reason.rule_id} v{reason.version}", markup=False)
        terminal.out.print(f"    {reason.sentence(tongue)}", markup=False)
    newly = ", ".join(format_money(total, code) for code, total in found.newly_refused_minor.items()) or "0"
    total = ", ".join(format_money(total, code) for code, total in found.refused_minor.items()) or "0"
    terminal.say(
        f"{ruleset} as of {day}: {found.examined} receivables, {len(found.refused)} would be refused ({total}), "
        f"{len(found.newly_refused)} of them only by this ruleset ({newly}); {len(found.unknown)} could not be judged.",
        f"{ruleset}（{day}）：共 {found.examined} 笔，其中 {len(found.refused)} 笔将被拒绝（{total}），"
        f"仅因本规则集被拒 {len(found.newly_refused)} 笔（{newly}）；{len(found.unknown)} 笔因资料不全无法判定。",
    )
