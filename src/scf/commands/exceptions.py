"""`scf exceptions list|show|assign|decide`: the queue of what does not agree, from the command line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from scf import terminal

app = typer.Typer(no_args_is_help=True, help="What does not agree: look at it and decide it.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]


@app.command("list")
def list_exceptions(
    data: Data = Path("data"),
    state: Annotated[str, typer.Option(help="open, decided or resolved.")] = "open",
    code: Annotated[str | None, typer.Option(help="Only this kind, e.g. PRICE_DIFFERENCE.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only what this owner has to decide.")] = None,
    order: Annotated[str | None, typer.Option(help="Only this order.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what should have been decided by now.")] = False,
    after: Annotated[str | None, typer.Option(help="Go on behind this place, as the page before named it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """The queue, the most urgent first."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.kernel.clock import today
    from scf.reconciliation import service
    from scf.reconciliation.facts import date_of, day_number

    if state not in ("open", "decided", "resolved"):
        raise typer.BadParameter("open, decided or resolved", param_hint="--state")

    with open_app(Settings.from_environment(data), read_only=True) as installation, installation.reading() as session:
        page = service.exceptions(
            session,
            state=state,
            code=code,
            owner=owner,
            order_reference=order,
            before_day=day_number(today(installation.clock)) if overdue else None,
            after=_place(after),
            limit=limit,
        )
    chinese = terminal.language() == "zh-CN"
    table = terminal.table(("id", "decide by", "owner", "kind", "what"), ("编号", "期限", "负责方", "类别", "内容"))
    for row in page.rows:
        said = row.sentence_zh if chinese else row.sentence_en
        table.add_row(str(row.id), date_of(row.deadline_day).isoformat(), row.owner, row.code, said)
    terminal.out.print(table)
    if page.next is not None:
        place = f"{page.next[0]}-{page.next[1]}"
        terminal.say(f"There are more: --after {place}", f"还有更多：--after {place}")


@app.command()
def show(number: int, data: Data = Path("data")) -> None:
    """One exception: what disagrees with what, who decides by when, and what was decided."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.reconciliation import service
    from scf.reconciliation.facts import date_of

    with open_app(Settings.from_environment(data), read_only=True) as installation, installation.reading() as session:
        row = service.exception(session, number)
    terminal.say(row.sentence_en, row.sentence_zh)
    terminal.say(
        f"{row.code} · {row.severity} · {row.state} · {row.owner} decides by {date_of(row.deadline_day)}",
        f"{row.code} · {row.severity} · {row.state} · 由 {row.owner} 在 {date_of(row.deadline_day)} 前决定",
    )
    if row.suggestions:
        orders = ", ".join(row.suggestions)
        terminal.say(f"Could be meant: {orders}", f"可能对应：{orders}")
    if row.decision:
        evidence = row.decision_evidence or "–"
        terminal.say(
            f"Decided: {row.decision} by {row.decided_by}: {row.decision_reason} (evidence {evidence})",
            f"决定：{row.decision}，{row.decided_by}：{row.decision_reason}（证据 {evidence}）",
        )


@app.command()
def assign(
    number: int,
    owner: Annotated[str, typer.Option(help="Who decides from now on.")],
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Another day to decide by.")] = None,
    data: Data = Path("data"),
) -> None:
    """Hand an open exception to somebody, with another deadline where one is given."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.reconciliation import service
    from scf.reconciliation.facts import date_of, day_number
    from scf.store.session import transaction

    with open_app(Settings.from_environment(data)) as installation, transaction(installation.engine) as session:
        day = None if until is None else day_number(until.date())
        row = service.assign(session, number, owner=owner, deadline_day=day)
    by = date_of(row.deadline_day)
    terminal.say(f"Exception {row.id}: {row.owner} decides by {by}.", f"异常 {row.id}：由 {row.owner} 在 {by} 前决定。")


def _place(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    day, _, number = text.partition("-")
    if not (day.isdigit() and number.isdigit()):
        raise typer.BadParameter("as the page before named it, e.g. 20518-12", param_hint="--after")
    return int(day), int(number)


@app.command()
def decide(
    number: int,
    decision: Annotated[str, typer.Option(help="accept, reject, correct or refer.")],
    reason: Annotated[str, typer.Option(help="Why, for others to read.")],
    by: Annotated[str, typer.Option(help="Who decides.")],
    evidence: Annotated[str | None, typer.Option(help="Id of the evidence it rests on.")] = None,
    data: Data = Path("data"),
) -> None:
    """Decide an open exception, once, with a reason; no money moves by it."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.reconciliation import service
    from scf.store.session import transaction

    with (
        open_app(Settings.from_environment(data)) as installation,
        transaction(installation.engine) as session,
    ):
        row = service.decide(
            session, number, decision=decision, reason=reason, by=by, clock=installation.clock, evidence_id=evidence
        )  # fmt: skip
    terminal.say(f"Exception {row.id}: {row.decision}.", f"异常 {row.id}：{row.decision}。")
