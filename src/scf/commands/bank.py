"""`scf bank …`: payments and what banks say of them; what failed is made anew, refused files are tried again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from scf import terminal
from scf.commands.maturity import opened, operator

app = typer.Typer(no_args_is_help=True, help="Banks: payments, what failed, files that were refused.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
DEFAULT_DATA = Path("data")


@app.command()
def payments(
    data: Data = DEFAULT_DATA,
    failed: Annotated[bool, typer.Option("--failed", help="Only what nobody mended yet.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """Payments ordered, newest change first, with the bank's word on each and whose turn it is."""
    from scf.api import collecting

    with opened(data, read_only=True) as installation, installation.reading() as session:
        rows = collecting.payments(installation, session, operator(), failed=failed, limit=limit)
    table = terminal.table(
        ("payment", "state", "amount", "payer", "creditor", "reason", "whose turn"),
        ("付款", "状态", "金额", "付款方", "收款方", "原因", "待处理"),
    )
    for row in rows:
        why = " ".join(filter(None, (row["reason_code"], row["reason"]))) or "–"
        turn = row["turn"][terminal.language()]
        table.add_row(
            row["payment"], row["state"], row["amount"]["text"], row["payer"], row["creditor"], why, turn
        )  # fmt: skip
    terminal.out.print(table)


@app.command()
def again(
    payment: Annotated[str, typer.Argument(help="End-to-end id of a payment that was refused or came back.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a failed payment anew, same payee and amount, under a name of its own; once each time it failed."""
    from scf.bank import service as bank
    from scf.kernel.clock import today
    from scf.kernel.problems import Problem

    with opened(data) as installation, installation.desk.session() as session:
        row = bank.payment(session, payment)
        if row.state not in bank.FAILED:
            raise Problem("payment_not_failed", reference=payment, state=row.state)
        clock = installation.clock
        made = bank.pay_again(session, payment, execute_on=today(clock), now=clock.now()).end_to_end_id
    terminal.say(
        f"Ordered as {made}; it goes out with the next exchange.", f"已以 {made} 重新发出，随下次交换送达银行。"
    )


@app.command()
def files(data: Data = DEFAULT_DATA) -> None:
    """Files of banks that could not be taken in, with the reason."""
    from scf.bank import service as bank
    from scf.kernel.dates import from_unix
    from scf.kernel.problems import Problem

    with opened(data, read_only=True) as installation, installation.reading() as session:
        rows = list(bank.refused_files(session))
    for row in rows:
        facts = json.loads(row.facts or "{}")
        why = Problem(row.problem or "bank_file_unexpected", **facts).sentence(terminal.language())
        at = f"{from_unix(row.received_at):%Y-%m-%d %H:%M}"
        terminal.out.print(f"{at}\t{row.bank}\t{row.name}\t{row.evidence_id}\n  {why}", markup=False)
    if not rows:
        terminal.say("Every file of every bank was taken in.", "所有银行文件均已接收。")


@app.command()
def take(
    evidence: Annotated[str, typer.Argument(help="Evidence id of the file, as `scf bank files` shows it.")],
    bic: Annotated[str, typer.Option(help="BIC of the bank it came from.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Try a refused file once more, after what stood in its way was put right."""
    from scf.kernel.problems import Problem

    with opened(data) as installation, installation.desk.session() as session:
        row = installation.documents.take_bank_file_again(session, evidence, bic)
        problem, new_lines = row.problem, row.new_lines
    if problem is not None:
        raise Problem("bank_file_still_refused", name=evidence[:12] + "…", reason=problem)
    terminal.say(f"Taken in: {new_lines} new lines.", f"已接收，新增 {new_lines} 条流水。")


@app.command()
def exchange(data: Data = DEFAULT_DATA) -> None:
    """Speak with every bank now: hand waiting payments over, take in what it says, tell those concerned."""
    with opened(data) as installation:
        terminal.out.print(installation.jobs.exchange_now(), markup=False)
