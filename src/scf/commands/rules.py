"""`scf rules list|show|replay`: the rulebook in words, and what a pending rule would have refused of the book."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from scf import terminal
from scf.kernel.dates import parse_date

if TYPE_CHECKING:
    from scf.rulebook.service import Replayed, Rulebook

app = typer.Typer(no_args_is_help=True, help="The rulebook: limits as dated data with their articles.")

AsOf = Annotated[str | None, typer.Option("--as-of", help="Day (YYYY-MM-DD); today by default.")]
Named = Annotated[str, typer.Option("--ruleset", help="CN, CN-PENDING, IN, EU, EU-PENDING or an installation's own.")]
Data = Annotated[Path, typer.Option("--data", help="The data folder; its rules/*.toml count too.", envvar="SCF_DATA")]
_COLUMNS = {
    "en": ("rule", "v", "severity", "acts", "article", "title"),
    "zh-CN": ("规则", "版本", "后果", "适用行为", "依据", "名称"),
}
_SEVERITY = {"block": "拒绝", "warn": "提示", "report": "报告"}
_LABELS = {
    "jurisdiction": "法域",
    "rulesets": "规则集",
    "severity": "后果",
    "if unknown": "资料不全时",
    "acts": "适用行为",
    "only when": "适用条件",
    "excused by": "豁免条件",
    "check": "检查",
    "article": "依据",
    "source": "来源",
    "replaces": "取代",
    "unverified": "未核对原文",
}


def _day(text: str | None) -> date:
    from scf.kernel.clock import SystemClock, today

    return parse_date(text) if text else today(SystemClock())


def _book(data: Path) -> Rulebook:
    from scf.installation import Settings
    from scf.rulebook.service import Rulebook

    return Rulebook.load(Settings(data).rules)


@app.command("list")
def list_rules(as_of: AsOf = None, ruleset: Named = "CN", data: Data = Path("data")) -> None:
    """Rules and figures in force on a day, with article and severity; `*`: not read in its primary source."""
    tongue, day, book = terminal.language(), _day(as_of), _book(data)
    ruleset = ruleset.upper()
    rules = book.list(day, ruleset)
    table = Table(box=None)
    for place, name in enumerate(_COLUMNS[tongue]):
        table.add_column(name, no_wrap=place == 0, overflow="fold")
    for rule in rules:
        table.add_row(
            rule.id + ("*" if rule.unverified else ""),
            str(rule.version),
            _SEVERITY[rule.severity.value] if tongue == "zh-CN" else rule.severity.value,
            " ".join(rule.applies_to),
            escape(rule.article.of(tongue)),
            escape(rule.title.of(tongue)),
        )
    terminal.out.print(table)
    names = {figure.name for figure in book.figures}
    for name in sorted(names):
        figure = book.figure_in_force(name, day, ruleset)
        if figure is not None:
            mark = "*" if figure.unverified else ""
            terminal.out.print(f"{name}{mark} = {figure.value}  {figure.source}", markup=False)
    count, doubtful = len(rules), sum(rule.unverified for rule in rules)
    terminal.say(
        f"{ruleset} on {day}: {count} rules in force, {doubtful} of them (*) not read in their primary source.",
        f"{ruleset}（{day}）：现行规则 {count} 条，其中 {doubtful} 条（*）未核对原文。",
    )


@app.command()
def show(rule: str, data: Data = Path("data")) -> None:
    """All versions of one rule: parameters, dates, source, sentences."""
    chinese = terminal.language() == "zh-CN"
    for found in _book(data).show(rule):
        until = found.effective_to.isoformat() if found.effective_to else "…"
        version = "第 {} 版" if chinese else "version {}"
        terminal.out.print(f"[bold]{found.id}[/bold] {version.format(found.version)}  {found.effective_from} – {until}")
        unverified = ("是" if found.unverified else "否") if chinese else ("yes" if found.unverified else "no")
        for label, text in (
            ("jurisdiction", found.jurisdiction),
            ("rulesets", ", ".join(found.rulesets)),
            ("severity", found.severity.value),
            ("if unknown", found.severity_if_unknown.value),
            ("acts", ", ".join(found.applies_to)),
            ("only when", ", ".join(f"{name} = {value}" for name, value in found.when.items())),
            ("excused by", found.unless or ""),
            ("check", f"{found.check} {dict(found.parameters)}"),
            ("article", f"{found.article.en} / {found.article.of('zh-CN')}"),
            ("source", found.source),
            ("replaces", found.replaces or ""),
            ("unverified", unverified),
            ("en", found.sentence.en),
            ("zh-CN", found.sentence.of("zh-CN")),
        ):
            if text:
                terminal.out.print(f"  {_LABELS.get(label, label) if chinese else label}: {text}", markup=False)


@app.command()
def replay(ruleset: Named = "CN-PENDING", as_of: AsOf = None, data: Data = Path("data")) -> None:
    """Which receivables of the current book a ruleset would have refused, and their sum."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.kernel.money import format_money
    from scf.receivables.replay import book_records

    ruleset = ruleset.upper()
    with open_app(Settings.from_environment(data), read_only=True) as installation:
        ours = installation.settings.ruleset
        day = parse_date(as_of) if as_of else max(_day(None), installation.rulebook.effective_on(ruleset))
        with installation.desk.session() as session:
            records = list(book_records(session, installation.parties))
        found = installation.rulebook.replay(records, day, ruleset, baseline=ours)
    for one in found.refused:
        _print_one(one, "+" if one.is_new else " ")
    for one in found.unknown:
        _print_one(one, "?")
    newly = ", ".join(format_money(total, code) for code, total in found.newly_refused_minor.items()) or "0"
    total = ", ".join(format_money(total, code) for code, total in found.refused_minor.items()) or "0"
    terminal.say(
        f"{ruleset} as of {day}: {found.examined} receivables, {len(found.refused)} would be refused ({total}), "
        f"{len(found.newly_refused)} of them not under {ours}, which is in force here (+; {newly}); "
        f"{len(found.unknown)} could not be judged (?).",
        f"{ruleset}（{day}）：共 {found.examined} 笔，其中 {len(found.refused)} 笔将被拒绝（{total}），"
        f"其中按本系统现行规则集 {ours} 不会被拒的（+）{len(found.newly_refused)} 笔（{newly}）；"
        f"{len(found.unknown)} 笔因资料不全无法判定（?）。",
    )


def _print_one(one: Replayed, mark: str) -> None:
    from scf.kernel.money import format_money

    amount = format_money(one.record.amount_minor, one.record.currency)
    for place, reason in enumerate(one.findings):
        lead = f"{mark} {one.record.reference}  {amount}" if place == 0 else "   "
        star = "*" if reason.rule.unverified else ""
        terminal.out.print(f"{lead}  {reason.rule_id}{star} v{reason.version}", markup=False)
        terminal.out.print(f"    {reason.sentence(terminal.language())}", markup=False)
