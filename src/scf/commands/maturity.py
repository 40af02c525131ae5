"""`scf maturity …`: what came in and what it pays, what is overdue and what follows, on the operator's machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scf import terminal

if TYPE_CHECKING:
    from scf.api.access import Caller
    from scf.app import App

app = typer.Typer(no_args_is_help=True, help="Maturity: money in, decisions, overdue, recourse, cure.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
Line = Annotated[int, typer.Argument(help="Number of the bank line, as `scf maturity lines` shows it.")]
Receivable = Annotated[int, typer.Argument(help="Number of the receivable.")]
Note = Annotated[str, typer.Argument(help="Id of the note.")]
DEFAULT_DATA = Path("data")


@app.command()
def lines(
    data: Data = DEFAULT_DATA,
    exceptions: Annotated[bool, typer.Option("--exceptions", help="Only what a person has to decide.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """What came in on repayment accounts, newest first: what it pays, how it divides, whose turn it is."""
    from scf.api import collecting

    with opened(data, read_only=True) as installation, installation.reading() as session:
        rows = collecting.lines(installation, session, operator(), only_open=exceptions, limit=limit)
    table = terminal.table(
        ("line", "day", "receivable", "finding", "amount", "principal", "interest", "surplus", "whose turn"),
        ("流水", "日期", "凭证", "结果", "金额", "本金", "逾期利息", "多付", "待处理"),
    )
    for row in rows:
        number = "–" if row["receivable"] is None else str(row["receivable"])
        money = [row[name]["text"] for name in ("amount", "principal", "interest", "surplus")]
        turn = row["turn"][terminal.language()]
        table.add_row(str(row["line"]), row["value_on"], number, f"{row['finding']} ({row['state']})", *money, turn)
    terminal.out.print(table)


@app.command()
def assign(line: Line, receivable: Receivable, data: Data = DEFAULT_DATA) -> None:
    """Say which receivable an unexplained credit pays; the paying bank signs it afterwards."""
    with opened(data) as installation, installation.desk.session() as session:
        row = installation.maturity.assign(session, line, receivable)
        finding = row.finding
    terminal.say(
        f"Line {line} pays receivable {receivable} ({finding}).", f"流水 {line} 对应凭证 {receivable}（{finding}）。"
    )


@app.command("give-back")
def give_back(
    line: Line,
    data: Data = DEFAULT_DATA,
    bic: Annotated[str | None, typer.Option(help="The bank of that account, where it is not known here.")] = None,
) -> None:
    """Order what a line brought too much, or what nobody can explain, back to the account it came from; once."""
    from scf.financing import payouts
    from scf.kernel.money import format_money

    with opened(data) as installation, installation.desk.session() as session:
        made = payouts.give_back(session, line, installation.clock, agent=bic)
        amount, name, to = format_money(made.amount_minor, made.currency), made.end_to_end_id, made.creditor
    terminal.say(f"Ordered: {amount} to {to} ({name}).", f"已发出指令：向 {to} 退回 {amount}（{name}）。")


@app.command()
def attest(
    line: Line,
    data: Data = DEFAULT_DATA,
    key: Annotated[list[str] | None, typer.Option("--key", help="The paying bank's key in the key ring.")] = None,
) -> None:
    """Sign what a line proves with the paying bank's key kept here, settle the holders and order their payments."""
    from scf.api.office import sign_with_demo_keys
    from scf.financing import payouts
    from scf.financing.models import CollectedLine
    from scf.kernel.money import format_money
    from scf.kernel.problems import Problem
    from scf.ledger.signing import sign_digest
    from scf.receivables import queries

    with opened(data) as installation:
        with installation.reading() as session:
            row = session.get(CollectedLine, line)
            receivable = int(row.receivable_id or 0) if row is not None else 0
            attested = {one.bank_reference for one in queries.payments_of(session, receivable)}
            is_done = row is not None and row.reference_hash in attested
        if not is_done:
            prepared = installation.maturity.prepare_attestation(line)
            if key:
                parts = [sign_digest(installation.keys.get(name).private, prepared.digest) for name in key]
            elif installation.settings.demo:
                parts = sign_with_demo_keys(installation, list(prepared.signers), prepared.digest)[0]
            else:
                raise Problem("signatures_missing", act="payment", needed=1, given=0)
            name = f"cli:payment:{prepared.digest.hex()[:40]}"
            installation.receivables.submit(prepared.act, prepared.message, parts, key=name, caller="operator")
            terminal.say(prepared.summary["en"], prepared.summary["zh-CN"])
        installation.receivables.settle(receivable)
        with installation.desk.session() as session:
            outs = payouts.pay_holders(session, installation.parties, receivable, installation.clock)
            names = installation.parties.names(session)
            code = queries.receivable(session, receivable).currency
    for one in outs:
        state = one.state or ("no account known" if terminal.language() == "en" else "无已知账户")
        amount = format_money(one.amount_minor, code)
        terminal.out.print(f"{names.get(one.payee, one.payee)}\t{amount}\t{one.name}\t{state}", markup=False)


@app.command()
def due(data: Data = DEFAULT_DATA, days: Annotated[int, typer.Option(min=0, max=366)] = 30) -> None:
    """What is overdue and what falls due within so many days, with what is owed today, and who is halted."""
    from scf.financing.collecting import owed
    from scf.kernel.clock import today
    from scf.kernel.money import format_money
    from scf.receivables import queries

    table = terminal.table(
        ("receivable", "obligor", "due on", "days", "principal", "late interest"),
        ("凭证", "付款方", "到期日", "天数", "本金", "逾期利息"),
    )
    with opened(data, read_only=True) as installation, installation.reading() as session:
        maturity, now = installation.maturity, today(installation.clock)
        names = installation.parties.names(session)
        coming = [one.receivable_id for one in maturity.reminders(session, range(days + 1))]
        for number in [*(row.id for row in maturity.overdue(session)), *coming]:
            row = queries.receivable(session, number)
            principal, interest = owed(session, row, now, maturity.calendar, maturity.lateness)
            day = maturity.due_day(row.maturity)
            money = [format_money(minor, row.currency) for minor in (principal, interest)]
            table.add_row(
                str(row.id), names.get(row.obligor, row.obligor), day.isoformat(), str((day - now).days), *money
            )
        halted = [names.get(one.address, one.address) for one in maturity.halted(session)]
    terminal.out.print(table)
    if halted:
        listed = ", ".join(halted)
        terminal.say(f"May not issue now: {listed}", f"暂不得开立：{listed}")


@app.command()
def show(receivable: Receivable, data: Data = DEFAULT_DATA) -> None:
    """One receivable at its end: owed today, paid, settled, paid out, demanded back, given up."""
    from scf.api import collecting

    with opened(data, read_only=True) as installation, installation.reading() as session:
        found = collecting.at_maturity(installation, session, operator(), receivable)
    principal, interest = (found["owed"][name]["text"] for name in ("principal", "interest"))
    terminal.say(
        f"Due on {found['due_on']}; owed today {principal} and late interest {interest}.",
        f"到期日 {found['due_on']}；今日应付本金 {principal}，逾期利息 {interest}。",
    )
    table = terminal.table(("what", "who", "amount", "state"), ("事项", "主体", "金额", "状态"))
    for one in found["payments"]:
        table.add_row("payment", str(one["round"]), one["principal"]["text"], f"+ {one['interest']['text']}")
    for one in found["settlements"]:
        table.add_row("settlement", _name(one["payee"]), one["principal"]["text"], f"+ {one['interest']['text']}")
    for one in found["payouts"]:
        table.add_row(one["payment"], _name(one["payee"]), one["amount"]["text"], one["state"] or "–")
    for one in found["buy_backs"]:
        table.add_row("buy-back", _name(one["assignor"]), one["demanded"]["text"], one["pay_until"])
    for one in found["write_offs"]:
        table.add_row("write-off", one["note"][:14] + "…", one["amount"]["text"], one["reason"])
    terminal.out.print(table)


@app.command()
def waterfall(
    note: Note,
    data: Data = DEFAULT_DATA,
    cost: Annotated[int, typer.Option(min=0, help="Cost of enforcement, in minor units.")] = 0,
    extra: Annotated[int, typer.Option(min=0, help="Money from a buy-back, in minor units.")] = 0,
) -> None:
    """What a financed note brought, in its order, and whose the rest is."""
    from scf.api import collecting

    with opened(data, read_only=True) as installation, installation.reading() as session:
        found = collecting.waterfall(installation, session, operator(), note, cost, extra)
    table = terminal.table(("step", "paid", "still owed"), ("顺序", "已偿", "仍欠"))
    for one in found["steps"]:
        table.add_row(one["bucket"], one["paid"]["text"], one["still_owed"]["text"])
    terminal.out.print(table)
    rest, to, back = found["residual"]["text"], found["residual_to"], found["buy_back"]["text"]
    terminal.say(
        f"Residual {rest} to the {to}; the assignor of this note can be asked for {back}.",
        f"余额 {rest} 归 {to}；可向本凭证转让方追索 {back}。",
    )


@app.command("write-off")
def write_off(
    note: Note, reason: Annotated[str, typer.Option(help="Why, for others to read.")], data: Data = DEFAULT_DATA
) -> None:
    """Its holder gives up an overdue note for its own accounts; the claim on the ledger stays."""
    from scf.kernel.money import format_money
    from scf.receivables import queries

    with opened(data) as installation, installation.desk.session() as session:
        found = queries.note(session, note.lower())
        kept = installation.maturity.recourse.write_off(session, found.id, found.holder, reason)
        amount = format_money(kept.amount_minor, queries.receivable(session, kept.receivable_id).currency)
        proof = kept.evidence_id
    terminal.say(f"Given up: {amount}. Evidence {proof}.", f"已核销 {amount}。证据 {proof}。")


@app.command()
def cure(
    obligor: Annotated[str, typer.Argument(help="Ledger address of the halted obligor.")],
    evidence: Annotated[str, typer.Option(help="Id of the evidence that nothing is overdue.")],
    data: Data = DEFAULT_DATA,
    key: Annotated[list[str] | None, typer.Option("--operator", help="Names of two operators' keys.")] = None,
) -> None:
    """Let an obligor issue again, with two operators' keys kept here; refused while anything of it is overdue."""
    from scf.installation import OPERATOR_NAMES
    from scf.ledger.intents import quorum_digest
    from scf.parties.keys import demo_key

    with opened(data) as installation:
        prepared = installation.maturity.prepare_cure(obligor, evidence)
        demo, names = installation.settings.demo and not key, key or OPERATOR_NAMES[:2]
        keys = [(demo_key(name) if demo else installation.keys.get(name)).private for name in names]
        signatures = quorum_digest(keys, prepared.digest)
        reference = f"cli:cure:{prepared.digest.hex()[:40]}"
        installation.maturity.cure(prepared.message, signatures, key=reference, caller="operators")
    terminal.say(prepared.summary["en"], prepared.summary["zh-CN"])


def opened(data: Path, *, read_only: bool = False) -> App:
    """The installation in a data folder."""
    from scf.app import open_app
    from scf.installation import Settings

    return open_app(Settings.from_environment(data), read_only=read_only)


def operator() -> Caller:
    """Whoever works on the machine that holds the data folder sees what an operator sees."""
    from scf.api.access import Caller
    from scf.parties.service import Role

    return Caller("", 0, "operator", "", Role.OPERATOR, frozenset())


def _name(who: dict[str, Any] | None) -> str:
    return "–" if who is None else str(who["name"])
