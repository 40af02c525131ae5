"""`scf limits …`: what may be owed and bought, what is used and free, and changes that two operators sign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from scf import terminal

if TYPE_CHECKING:
    from scf.app import App
    from scf.parties.limits import LimitAct

app = typer.Typer(no_args_is_help=True, help="Limits of obligors, groups and financiers, as the ledger enforces them.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
Code = Annotated[str, typer.Option("--currency", help="ISO 4217 code.")]
Operators = Annotated[
    list[str] | None,
    typer.Option("--operator", help="Name of an operator's key in the key ring; repeat it for both. By default two."),
]
DEFAULT_DATA = Path("data")
_COLUMNS = {"en": ("kind", "of", "limit", "used", "free"), "zh-CN": ("类别", "对象", "额度", "已用", "可用")}
_KINDS = {"obligor": "债务方", "group": "集团", "financier": "资金方"}


@app.command()
def show(
    of: Annotated[str | None, typer.Option("--of", help="Ledger address of one firm.")] = None,
    currency: Code = "CNY",
    data: Data = DEFAULT_DATA,
) -> None:
    """Limits with what is used and free, and the changes that wait for an operator."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.kernel.money import format_money

    chinese = terminal.language() == "zh-CN"
    with open_app(Settings.from_environment(data), read_only=True) as installation, installation.reading() as session:
        table = Table(box=None)
        for name in _COLUMNS[terminal.language()]:
            table.add_column(name, overflow="fold")
        people = [one.address for one in installation.parties.participants(session)]
        seen = set()
        for who in [of] if of else people:
            for view in installation.programmes.limits(session, obligor=who, financier=who, currency=currency.upper()):
                if view.kind == "obligor" and not view.limit_minor and not view.used_minor:
                    continue
                if (view.kind, view.subject) in seen:
                    continue
                seen.add((view.kind, view.subject))
                named = view.subject if view.kind == "group" else installation.parties.name_of(session, view.subject)
                kind = _KINDS[view.kind] if chinese else view.kind
                sums = (view.limit_minor, view.used_minor, view.free_minor)
                table.add_row(kind, escape(named), *(format_money(minor, view.currency) for minor in sums))
        terminal.out.print(table)
        for row in installation.limits.all(session, subject=of, waiting=True):
            words, turn = installation.limits.words(session, row), installation.limits.turn(session, row)
            terminal.say(f"{row.id}  {words['en']} {turn['en']}", f"{row.id}  {words['zh-CN']}{turn['zh-CN']}")


@app.command("set")
def set_limit(
    kind: Annotated[str, typer.Argument(help="obligor, group or financier.")],
    subject: Annotated[str, typer.Argument(help="Ledger address of the obligor or financier; name of the group.")],
    limit: Annotated[str, typer.Argument(help="The amount, such as 5000000.00; none to take a limit away.")],
    currency: Code = "CNY",
    operator: Operators = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Set a limit by two operators' keys; with one `--operator` only, the second one signs with `sign`."""
    from scf.kernel.money import parse_minor

    code = currency.upper()
    minor = None if limit.strip().lower() == "none" else parse_minor(limit, code)
    _open_and_sign(data, operator, kind=kind, subject=subject, currency=code, limit_minor=minor)


@app.command()
def group(
    obligor: Annotated[str, typer.Argument(help="Ledger address of the obligor.")],
    name: Annotated[str, typer.Argument(help="Name of the group; empty to leave it.")],
    operator: Operators = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Put an obligor into a group of companies whose debts count together."""
    _open_and_sign(data, operator, kind="member", subject=obligor, group=name)


@app.command()
def sign(
    change: Annotated[str, typer.Argument(help="Number of the change, as `show` prints it.")],
    operator: Annotated[str, typer.Option("--operator", help="Name of the operator's key in the key ring.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Sign a change as one operator; the second one's signature sets it on the ledger."""
    from scf.app import open_app
    from scf.installation import Settings

    with open_app(Settings.from_environment(data)) as installation:
        _tell(installation, _signed(installation, change, operator))


def _open_and_sign(data: Path, operators: list[str] | None, **change: object) -> None:
    from scf.app import open_app
    from scf.installation import OPERATOR_NAMES, Settings
    from scf.parties.two_operators import require_operator

    with open_app(Settings.from_environment(data)) as installation:
        names = operators or list(OPERATOR_NAMES[:2])
        by = _key(installation, names[0])[0]
        with installation.desk.session() as session:
            require_operator(session, by)
            row = installation.limits.open(session, by=by, **change)  # type: ignore[arg-type]
            number = row.id
        for name in names:
            row = _signed(installation, number, name)
        _tell(installation, row)


def _signed(installation: App, change: str, name: str) -> LimitAct:
    from scf.ledger.signing import sign_digest

    address, private = _key(installation, name)
    with installation.desk.session() as session:
        digest = installation.limits.typed(session, installation.limits.one(session, change)).digest
    return installation.limits.sign(change, address, sign_digest(private, digest))


def _key(installation: App, name: str) -> tuple[str, bytes]:
    """Address and private key of an operator: from the key ring, in a demo installation from its demo keys."""
    if installation.settings.demo:
        from scf.parties.keys import demo_key

        pair = demo_key(name)
    else:
        pair = installation.keys.get(name)
    return pair.address, pair.private


def _tell(installation: App, row: LimitAct) -> None:
    with installation.reading() as session:
        words, turn = installation.limits.words(session, row), installation.limits.turn(session, row)
    terminal.say(f"{row.id}  {words['en']} {turn['en']}", f"{row.id}  {words['zh-CN']}{turn['zh-CN']}")
