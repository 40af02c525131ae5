"""`scf ledger init|status|verify|export|import|move|backup` and `scf node`: the ledger as its operator sees it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from scf import terminal

app = typer.Typer(no_args_is_help=True, help="The ledger: status, integrity, export and replay.")

Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
DEFAULT_DATA = Path("data")


@app.command()
def init(data: Data = DEFAULT_DATA) -> None:
    """Make a real installation: keys under `SCF_PASSPHRASE`, ledger and contracts; again goes on where it stopped."""
    from scf.installation import OPERATOR_NAMES, Settings, set_up

    contracts = set_up(Settings.from_environment(data))
    for name, address in contracts.addresses.items():
        terminal.out.print(f"{name:<18} {address}")
    names = ", ".join(OPERATOR_NAMES)
    terminal.say(
        f"Ready. Any two of {names} act for the consortium: move each key to its own operator.",
        f"已就绪。{names} 中任意两把密钥可代表联盟行事：请将各密钥交由各自的运营方保管。",
    )


@app.command()
def status(data: Data = DEFAULT_DATA) -> None:
    """Engine, chain id, head, and whether the contracts are those of this program."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.kernel.dates import from_unix

    with open_app(Settings.from_environment(data), read_only=True) as installation:
        head = installation.ledger.head()
        terminal.out.print(f"engine     {installation.settings.ledger_setting}")
        terminal.out.print(f"chain id   {installation.ledger.chain_id}")
        terminal.out.print(f"head       {head.number}  0x{head.hash.hex()}  {from_unix(head.timestamp)}")
        for name, address in installation.contracts.addresses.items():
            terminal.out.print(f"{name:<18} {address}")


@app.command()
def verify(data: Data = DEFAULT_DATA) -> None:
    """Check the embedded ledger's file block by block; names the first bad block and exits 1."""
    from scf.installation import Settings, expected_genesis
    from scf.ledger.verify import verify_file

    path = _file(data)
    genesis = expected_genesis(Settings.from_environment(data))
    with terminal.progress() as bar:
        task = bar.add_task("Checking blocks", total=None)
        found = verify_file(path, genesis=genesis, progress=lambda done: bar.update(task, completed=done))
    terminal.out.print(f"{found.blocks} blocks, {found.transactions} transactions, {found.nodes} state nodes")
    if found.first_bad is not None:
        at = found.first_bad.block
        what = found.first_bad.what
        if terminal.language() == "zh-CN":
            line = f"首处损坏：{'文件' if at is None else f'区块 {at}'}。（{what}）"
        else:
            line = f"first fault in {'the file' if at is None else f'block {at}'}: {what}"
        terminal.errors.print(line, markup=False)
        raise typer.Exit(1)
    terminal.say("Everything is in order.", "一切正常。")


@app.command()
def export(out: Path, data: Data = DEFAULT_DATA) -> None:
    """Write every signed transaction with its block's order, time and roots as JSON lines."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.ledger.replay import export_chain

    with (
        open_app(Settings.from_environment(data), read_only=True) as installation,
        out.open("x", encoding="utf-8") as stream,
    ):
        blocks = export_chain(installation.ledger, stream)
    terminal.say(f"{blocks} blocks written to {out}.", f"已将 {blocks} 个区块写入 {out}。")


@app.command("import")
def import_export(
    source: Path,
    to: Annotated[str, typer.Option("--to", help="embedded:PATH (new file) or rpc:URL (anvil, or a network).")],
    steer: Annotated[bool, typer.Option("--steer", help="The node's block production can be steered (anvil).")] = False,
    of_network: Annotated[
        bool, typer.Option("--of-network", help="The export is of a network: same roots, block hashes of our own.")
    ] = False,
) -> None:
    """Replay an export onto another engine and compare gas, success and roots block by block."""
    from scf.kernel.clock import SystemClock, VirtualClock
    from scf.ledger.embedded.engine import EmbeddedLedger
    from scf.ledger.open import open_ledger
    from scf.ledger.replay import (
        DevelopmentNodeTarget,
        EmbeddedTarget,
        NetworkTarget,
        Target,
        import_chain,
        read_export,
    )
    from scf.ledger.rpc.engine import RpcLedger

    with source.open(encoding="utf-8") as stream:
        chain, _ = read_export(stream)
    kind, _, place = to.partition(":")
    ledger = (
        EmbeddedLedger(place, VirtualClock(chain.genesis_timestamp), chain_id=chain.chain_id, gas_limit=chain.gas_limit)
        if kind == "embedded"
        else open_ledger(to, SystemClock(), chain_id=chain.chain_id)
    )
    target: Target = NetworkTarget(ledger)
    if isinstance(ledger, EmbeddedLedger):
        target = EmbeddedTarget(ledger, of_network=of_network)
    elif steer and isinstance(ledger, RpcLedger):
        target = DevelopmentNodeTarget(ledger)
    try:
        with source.open(encoding="utf-8") as stream:
            report = import_chain(stream, target)
    finally:
        ledger.close()
    compared = "roots equal in every block" if report.roots_compared else "gas and success of every transaction equal"
    terminal.say(
        f"{report.transactions} transactions in {report.blocks} blocks replayed: {compared}.",
        f"已重放 {report.blocks} 个区块中的 {report.transactions} 笔交易：逐块一致。",
    )


@app.command()
def move(
    to: Annotated[str, typer.Option("--to", help="The ledger that took over this one's history, e.g. rpc:URL,URL.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Let this installation go on with another ledger, once every block there has this one's times, gas and roots."""
    from scf.app import App, open_app
    from scf.installation import Settings
    from scf.ledger.open import open_ledger
    from scf.ledger.replay import same_history

    settings = Settings.from_environment(data)
    with open_app(settings) as here, ExitStack() as opened:
        there = open_ledger(to, here.clock, chain_id=settings.chain_id)
        opened.callback(there.close)
        here.contracts.check(there)
        report = same_history(here.ledger, there)
        moved = App(settings, here.clock, here.engine, there, here.contracts)
        here.set_fact("genesis", there.header(0).hash.hex())
        moved.desk.follow()
    terminal.say(
        f"{report.transactions} transactions in {report.blocks} blocks are the same there, roots included; the books "
        f"are rebuilt. From now on start with SCF_LEDGER={to}",
        f"{report.blocks} 个区块中的 {report.transactions} 笔交易在新账本上完全一致（含各级根哈希），账簿已重建。"
        f"今后请以 SCF_LEDGER={to} 启动。",
    )


@app.command()
def backup(out: Path, data: Data = DEFAULT_DATA) -> None:
    """Copy the embedded ledger while it runs; the copy is a whole ledger."""
    from scf.kernel.clock import SystemClock
    from scf.ledger.embedded.engine import EmbeddedLedger

    ledger = EmbeddedLedger(str(_file(data)), SystemClock(), read_only=True)
    try:
        ledger.backup(out)
    finally:
        ledger.close()
    terminal.say(f"Copied to {out}.", f"已复制到 {out}。")


@app.command()
def node(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1.")] = 8545,
) -> None:
    """Serve the embedded ledger as JSON-RPC on 127.0.0.1 for web3.py, cast or an explorer, until Ctrl-C."""
    from scf.kernel.clock import SystemClock
    from scf.ledger.embedded.engine import EmbeddedLedger
    from scf.ledger.node import LedgerNode

    ledger = EmbeddedLedger(str(_file(data)), SystemClock())
    served = LedgerNode(ledger, port)
    terminal.say(f"JSON-RPC at {served.url}; Ctrl-C ends.", f"JSON-RPC 地址 {served.url}，按 Ctrl-C 结束。")
    try:
        served.serve()
    finally:
        ledger.close()


def _file(data: Path) -> Path:
    from scf.installation import Settings, not_set_up

    path = data / "ledger.db"
    if not path.is_file():
        raise not_set_up(Settings.from_environment(data))
    return path
