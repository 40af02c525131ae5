"""The command line: `scf demo`, `serve`, `import`, `books`, `status`, `keys`, `audit`, `rules`, `ledger`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scf import __version__, terminal
from scf.commands import (
    bank,
    evidence,
    exceptions,
    imports,
    jobs,
    ledger,
    limits,
    mass,
    maturity,
    people,
    reconcile,
    rules,
    simulate,
)
from scf.kernel.problems import Problem

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Supply-chain finance that anyone can check.",
)
books = typer.Typer(no_args_is_help=True, help="The books: a projection of the ledger.")
audit = typer.Typer(no_args_is_help=True, help="Bundles that anyone verifies offline.")
keys = typer.Typer(no_args_is_help=True, help="Keys this installation holds.")
app.add_typer(books, name="books")
app.add_typer(audit, name="audit")
app.add_typer(keys, name="keys")
app.add_typer(evidence.app, name="evidence")
app.add_typer(exceptions.app, name="exceptions")
app.add_typer(ledger.app, name="ledger")
app.add_typer(limits.app, name="limits")
app.add_typer(reconcile.app, name="reconcile")
app.add_typer(rules.app, name="rules")
app.add_typer(simulate.app, name="simulate")
app.add_typer(jobs.app, name="jobs")
app.add_typer(mass.app, name="mass")
app.add_typer(maturity.app, name="maturity")
app.add_typer(bank.app, name="bank")
app.add_typer(people.app, name="people")
app.command("import")(imports.import_files)
app.command("node")(ledger.node)

Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
Port = Annotated[int, typer.Option("--port", help="Port of the pages and the API on 127.0.0.1.")]
DEFAULT_DATA = Path("data")


class Level(StrEnum):
    """Assurance levels of an audit, from the operator's own word to re-execution."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


def main() -> None:
    """Run the command line; a refusal is one line and exit code 1, never a stack trace."""
    terminal.never_fail_to_print()
    try:
        app(standalone_mode=True)
    except Problem as problem:
        terminal.refuse(problem)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        terminal.refuse(terminal.as_problem(error))
        sys.exit(1)
    except Exception as error:
        if os.environ.get("SCF_DEBUG"):
            raise
        terminal.refuse(Problem("program_fault", money_moved="unknown", kind=type(error).__name__))
        sys.exit(70)


def _version(wanted: bool) -> None:
    if wanted:
        terminal.out.print(f"scf {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Supply-chain finance that anyone can check."""


@app.command()
def demo(
    data: Data = DEFAULT_DATA,
    port: Port = 8000,
    serve_after: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the pages after the story.")] = True,
    deliveries: Annotated[
        Path | None, typer.Option(help="Run the job on a delivery list (CSV) instead of the story.")
    ] = None,
    mapping: Annotated[str, typer.Option(help="Saved column mapping of the delivery list.")] = "scms",
    receivables: Annotated[int, typer.Option(help="How many receivables of the delivery list to take.")] = 1200,
    everything: Annotated[bool, typer.Option("--all", help="Take every delivery note of the list.")] = False,
) -> None:
    """Run the main job and tell its story, then serve the pages until Ctrl-C."""
    from scf.demo import run  # late: the ledger takes a second to import

    if deliveries is not None:
        run.deliveries(data, deliveries, mapping, None if everything else receivables)
    else:
        run.story(data)
    if serve_after:
        _serve(data, port)


@app.command()
def serve(data: Data = DEFAULT_DATA, port: Port = 8000) -> None:
    """Serve the pages and the API of an existing installation."""
    _serve(data, port)


def _serve(data: Path, port: int) -> None:
    import uvicorn

    from scf.app import open_app
    from scf.installation import Settings
    from scf.jobs.runner import JobRunner
    from scf.web.background import webhooks_sent
    from scf.web.server import create_server

    with open_app(Settings.from_environment(data)) as installation:
        server = create_server(installation)
        terminal.say(
            f"\nPages: http://127.0.0.1:{port}   API: http://127.0.0.1:{port}/api/v1/docs   Ctrl-C ends.",
            f"\n页面：http://127.0.0.1:{port}   接口：http://127.0.0.1:{port}/api/v1/docs   按 Ctrl-C 结束。",
        )
        with JobRunner(installation.jobs), webhooks_sent(installation):
            uvicorn.run(server, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)


@app.command()
def status(data: Data = DEFAULT_DATA) -> None:
    """What this installation holds: ledger, books, evidence, exceptions."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.kernel.dates import from_unix
    from scf.kernel.money import format_money
    from scf.receivables import queries
    from scf.reconciliation import service as reconciliation
    from scf.store import evidence
    from scf.store.projection import quarantine

    with (
        open_app(Settings.from_environment(data), read_only=True) as installation,
        installation.reading() as session,
    ):
        head = installation.ledger.head()
        chain, since = installation.ledger.chain_id, from_unix(head.timestamp)
        rows = [
            ("ledger", f"chain {chain}, block {head.number}, {since}"),
            ("账本", f"链 {chain}，区块 {head.number}，{since}"),
        ]
        for code, sums in queries.totals(session).items():
            face, open_ = format_money(sums.face_minor, code), format_money(sums.outstanding_minor, code)
            rows.append((f"receivables {code}", f"{sums.receivables}: face {face}, outstanding {open_}"))
            rows.append((f"应收账款凭证 {code}", f"{sums.receivables} 笔：面值 {face}，未付 {open_}"))
        size, waiting = evidence.head(session).size, len(quarantine(session))
        rows += [("evidence", f"{size} records"), ("证据", f"{size} 条")]
        doubts = sum(reconciliation.counts(session).values())
        rows += [("exceptions", str(doubts)), ("异常", str(doubts))]
        rows += [("quarantine", str(waiting)), ("隔离事件", str(waiting))]
        demo_keys = installation.settings.demo
        rows += [("demo keys", "yes" if demo_keys else "no"), ("演示密钥", "是" if demo_keys else "否")]
    table = Table(show_header=False, box=None)
    for row in rows[terminal.language() == "zh-CN" :: 2]:
        table.add_row(*row)
    terminal.out.print(table)


@books.command("rebuild")
def books_rebuild(
    data: Data = DEFAULT_DATA,
    check: Annotated[bool, typer.Option("--check", help="Rebuild beside the live books and compare.")] = False,
) -> None:
    """Rebuild the books from genesis; with --check, exit 0 only if every row equals the live books."""
    from scf.app import open_app, rebuild_books
    from scf.installation import Settings

    with open_app(Settings.from_environment(data), read_only=check) as installation, terminal.progress() as bar:
        bar.add_task("Reading the ledger from genesis", total=None)
        differences, events = rebuild_books(installation, check=check)
    if not differences:
        terminal.say(f"{events} events: the books are equal, row for row.", f"{events} 个事件：账簿逐行一致。")
        return
    for row in differences:
        terminal.errors.print(f"{row.table} {row.key}: live {row.left}, rebuilt {row.right}", markup=False)
    raise typer.Exit(1)


@keys.command("list")
def keys_list(data: Data = DEFAULT_DATA) -> None:
    """Names and addresses of the keys in the data folder."""
    from scf.installation import Settings
    from scf.parties.keys import KeyRing

    ring = KeyRing(data / "keys", Settings.from_environment(data).passphrase)
    for name in ring.names():
        terminal.out.print(f"{name}\t{ring.address(name)}")
    if not ring.names():
        terminal.say("No keys are stored here.", "此处没有保存密钥。")


@keys.command("make")
def keys_make(name: str, data: Data = DEFAULT_DATA) -> None:
    """Make a key, encrypted with SCF_PASSPHRASE."""
    from scf.installation import Settings
    from scf.parties.keys import KeyRing

    passphrase = Settings.from_environment(data).passphrase
    if not passphrase:
        raise Problem("passphrase_missing")
    made = KeyRing(data / "keys", passphrase).make(name)
    terminal.out.print(f"{made.name}\t{made.address}")


@keys.command("sign")
def keys_sign(
    file: Annotated[Path, typer.Argument(help="The file a page gave to sign, or one EIP-712 document.", exists=True)],
    key: Annotated[str, typer.Option(help="Name of the key to sign with.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Sign what a page asks to sign: shows every field, prints one signature a line."""
    from scf.installation import Settings
    from scf.parties.keys import KeyRing
    from scf.parties.signing_file import documents_in, sign_documents

    documents = documents_in(file.read_bytes())
    for place, one in enumerate(documents, start=1):
        terminal.errors.print(f"{place}. {one['primaryType']} · {one['domain'].get('name', '')}", markup=False)
        for name, value in one["message"].items():
            terminal.errors.print(f"   {name}: {value}", markup=False)
    pair = KeyRing(data / "keys", Settings.from_environment(data).passphrase).get(key)
    for signature in sign_documents(documents, pair.private):
        typer.echo("0x" + signature.hex())


@keys.command("token")
def keys_token(
    address: Annotated[str, typer.Argument(help="The member address the token acts for.")],
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    data: Data = DEFAULT_DATA,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is good for.")] = 90,
) -> None:
    """Make an API token for a member; it is shown once and stored only as a hash."""
    from scf.api.access import issue_token
    from scf.app import open_app
    from scf.installation import Settings

    with open_app(Settings.from_environment(data)) as installation:
        terminal.out.print(issue_token(installation, address, name, days=days))


@audit.command("export")
def audit_export(
    bundle: Annotated[Path, typer.Argument(help="New folder or .zip file.")],
    data: Data = DEFAULT_DATA,
    sources: Annotated[
        bool, typer.Option("--sources", help="Lay the raw documents beside; they are confidential.")
    ] = False,
    nonce: Annotated[str | None, typer.Option(help="The auditor's challenge.")] = None,
) -> None:
    """Write everything an auditor needs into one bundle."""
    from scf.app import open_app
    from scf.audit import service
    from scf.installation import Settings

    with open_app(Settings.from_environment(data), read_only=True) as installation, terminal.progress() as bar:
        task = bar.add_task("Writing blocks", total=installation.ledger.head().number + 1)
        service.export(
            installation.ledger,
            installation.contracts,
            bundle,
            engine=installation.engine,
            sources=sources,
            nonce=nonce,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    terminal.say(
        f"Wrote {bundle}. Check it with: scf audit verify {bundle}", f"已写入 {bundle}。验证：scf audit verify {bundle}"
    )


@audit.command("verify")
def audit_verify(
    bundle: Path,
    trust: Annotated[Path | None, typer.Option(help="What the auditor knows from elsewhere (JSON).")] = None,
    since: Annotated[Path | None, typer.Option(help="Report or head of the last audit.")] = None,
    require: Annotated[Level, typer.Option(help="Level that must be reached.")] = Level.L0,
    re_execute: Annotated[bool, typer.Option("--re-execute", help="Run every transaction again.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
) -> None:
    """Verify a bundle offline: exit 0 proved, 1 contradiction, 2 not provable, 3 malformed, 64 usage."""
    from scf.audit import service

    found = service.verify(bundle, trust, since, require=require.value, re_execute=re_execute)
    if report is not None:
        report.write_text(found.to_json(), encoding="utf-8")
    sys.stdout.write(found.summary(terminal.language()))
    raise typer.Exit(found.exit_code)
