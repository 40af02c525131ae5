"""`scf people …`: who may look for which firm, one-time links, and firms that asked to join.

Persons and links are no matter of the ledger: `add` and `link` work beside a running server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scf import terminal
from scf.kernel.problems import Problem

app = typer.Typer(no_args_is_help=True, help="People: who acts for which firm, and how they get in.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
DEFAULT_DATA = Path("data")


@app.command()
def firm(
    name: Annotated[str, typer.Argument(help="Name of the firm.")],
    key: Annotated[list[str], typer.Option("--key", help="Its ledger address; two for maker and checker.")],
    role: Annotated[list[str], typer.Option("--role", help="obligor, supplier, financier, bank, attestor, …")],
    uscc: Annotated[str | None, typer.Option(help="Unified social credit code.")] = None,
    duty: Annotated[str, typer.Option(help="What the seat is: account, or a person's duty.")] = "account",
    limit: Annotated[str, typer.Option(help="How much an obligor may owe, in yuan.")] = "0",
    bank: Annotated[str | None, typer.Option(help="Ledger address of the bank that pays for an obligor.")] = None,
    data: Data = DEFAULT_DATA,
    operator: Annotated[
        list[str] | None, typer.Option("--operator", help="Names of two operators' keys in the key ring.")
    ] = None,
) -> None:
    """Enrol a firm with two operators' keys that this machine holds; the same again changes nothing.

    The first firms of an installation come in so: operators, core enterprise, banks. Suppliers come by invitation.
    """
    from scf.app import open_app
    from scf.installation import OPERATOR_NAMES, Settings
    from scf.kernel.money import parse_minor
    from scf.parties.enrolling import Newcomer, enrol_firm

    with open_app(Settings.from_environment(data)) as installation:
        newcomer = Newcomer(
            name, uscc, tuple(key), tuple(role), duty=duty, limit_minor=parse_minor(limit, "CNY"), paying_bank=bank
        )
        names = operator or OPERATOR_NAMES[:2]
        operators = [installation.keys.get(one).private for one in names]
        address = enrol_firm(installation.desk, installation.parties, newcomer, operators)
    terminal.say(f"{name} is enrolled: {address}", f"{name} 已入网：{address}")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    contact: Annotated[str, typer.Argument(help="E-mail address or phone number.")],
    seat: Annotated[list[str], typer.Option("--seat", help="Member address the person acts from; may be repeated.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Let a person act for one or several firms; the same again changes nothing."""
    from scf.api.access import caller_at
    from scf.app import open_app
    from scf.installation import Settings

    with (
        open_app(Settings.from_environment(data), read_only=True) as installation,
        installation.desk.session() as session,
    ):
        person = installation.people.add(session, name, contact)
        for address in seat:
            firm = caller_at(installation, session, address)
            installation.people.seat(session, person, address)
            terminal.say(f"{person.name} acts for {firm.name}.", f"{person.name} 可代表 {firm.name}。")


@app.command()
def link(
    contact: Annotated[str, typer.Argument(help="E-mail address or phone number of the person.")],
    data: Data = DEFAULT_DATA,
    origin: Annotated[str, typer.Option(help="Where the pages are.", envvar="SCF_ORIGIN")] = "http://127.0.0.1:8000",
) -> None:
    """Make a one-time sign-in link; it works once, within 15 minutes, and is stored only as a digest."""
    from scf.app import open_app
    from scf.installation import Settings

    with (
        open_app(Settings.from_environment(data), read_only=True) as installation,
        installation.desk.session() as session,
    ):
        person = installation.people.by_contact(session, contact)
        if person is None:
            raise Problem("unknown_person", who=contact[:60])
        secret = installation.people.make_link(session, person)
        terminal.out.print(f"{origin.rstrip('/')}/enter/{secret}", soft_wrap=True)


@app.command()
def applications(data: Data = DEFAULT_DATA) -> None:
    """Firms that asked to join, the one to be decided soonest first."""
    from scf.app import open_app
    from scf.installation import Settings

    with open_app(Settings.from_environment(data)) as installation, installation.desk.session() as session:
        installation.onboarding.catch_up(session)
        rows = installation.onboarding.all(session)
        for row in rows:
            name, turn = installation.parties.name_of(session, row.address), installation.onboarding.turn(row)
            terminal.out.print(f"{row.id}\t{name}\t{turn[terminal.language()]}", soft_wrap=True)
        if not rows:
            terminal.say("Nobody asked.", "暂无入网申请。")


@app.command()
def enrol(
    application: Annotated[str, typer.Argument(help="Number of the application.")],
    data: Data = DEFAULT_DATA,
    operator: Annotated[
        list[str] | None, typer.Option("--operator", help="Names of two operators' keys in the key ring.")
    ] = None,
) -> None:
    """Enrol a firm with two operators' keys that this machine holds (a demo installation uses its demo keys)."""
    from scf.api import joining
    from scf.app import open_app
    from scf.installation import OPERATOR_NAMES, Settings
    from scf.ledger.intents import quorum_digest

    with open_app(Settings.from_environment(data)) as installation:
        if installation.settings.demo:
            joining.enrol_with_demo_keys(installation, application)
        else:
            prepared = installation.onboarding.prepare(application)
            keys = [installation.keys.get(name).private for name in operator or OPERATOR_NAMES[:2]]
            signed = quorum_digest(keys, prepared.digest)
            installation.onboarding.enrol(application, prepared.message, signed, caller="operators")
        joining.after_enrolment(installation, application)
        with installation.reading() as session:
            row = installation.onboarding.get(session, application)
            name = installation.parties.name_of(session, row.address)
    terminal.say(f"{name} is enrolled: {row.address}", f"{name} 已入网：{row.address}")
