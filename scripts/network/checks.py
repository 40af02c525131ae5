"""What must hold at the end: books, register, a second execution by another engine, the audit bundle, the move."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from network.main_job import register

from scf.app import App, rebuild_books
from scf.audit import service as audit
from scf.kernel.clock import VirtualClock
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.protocol import Ledger
from scf.ledger.replay import EmbeddedTarget, export_chain, import_chain, read_export, same_history
from scf.store.projection import quarantine

Tell = Callable[[str], None]


def books(app: App, tell: Tell) -> dict[str, Any]:
    """The live books equal those made from genesis, and nothing is in quarantine."""
    app.desk.follow()
    differences, events = rebuild_books(app, check=True)
    with app.desk.session() as session:
        if differences or quarantine(session):
            raise RuntimeError(f"books differ: {differences[:3]}")
    tell(f"books rebuilt from {events} events equal the live ones")
    return {"events": events}


def executed_again(ledger: Ledger, folder: Path, tell: Tell) -> dict[str, Any]:
    """The embedded engine executes the network's chain at the same times: every root of every block is the same."""
    path = folder / "network.jsonl"
    with path.open("w", encoding="utf-8") as out:
        export_chain(ledger, out)
    with path.open(encoding="utf-8") as stream:
        chain, _ = read_export(stream)
    clock = VirtualClock(chain.genesis_timestamp)
    again = EmbeddedLedger(folder / "again.db", clock, chain_id=chain.chain_id, gas_limit=chain.gas_limit)
    with again, path.open(encoding="utf-8") as stream:
        report = import_chain(stream, EmbeddedTarget(again, of_network=True))
        same_history(ledger, again)
    tell(
        f"the embedded engine executed the network's {report.transactions} transactions again: gas and all roots equal "
        f"in {report.blocks} blocks"
    )
    return {"executed_again": {"blocks": report.blocks, "transactions": report.transactions, "gas": report.gas_used}}


def audited(app: App, bundle: Path, tell: Tell) -> dict[str, Any]:
    """Export the audit bundle and verify it offline, re-execution included."""
    audit.export(app.ledger, app.contracts, bundle, engine=app.engine)
    report = audit.verify(bundle)
    if report.exit_code not in (0, 2):
        raise RuntimeError(report.summary("en"))
    level = getattr(report, "level", None)
    tell(f"the audit bundle was verified: exit {report.exit_code}, level {level}")
    return {"bundle_exit": report.exit_code, "bundle_level": str(level)}


def same_register(there: Path, here: Path, tell: Tell) -> dict[str, Any]:
    """Every book of the network's installation equals the embedded one's, but for times, places and salts."""
    left, right = register(there), register(here)
    for table in sorted(left.keys() | right.keys()):
        if left.get(table) != right.get(table):
            raise RuntimeError(f"{table} differs: {left.get(table)} and {right.get(table)}")
    rows = sum(map(len, left.values()))
    tell(f"the register equals that of the same job on the embedded ledger: {rows} rows in {len(left)} books")
    return {"register_rows": rows}


def moved(data: Path, setting: str) -> str:
    """`scf ledger move`, as its user runs it; returns what it said."""
    command = [sys.executable, "-c", "from scf.cli import main; main()", "ledger", "move"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SCF_")} | {"SCF_LANG": "en"}
    run = subprocess.run(
        [*command, "--to", setting, "--data", str(data)], env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(run.stdout + run.stderr)
    return " ".join(run.stdout.split()).partition(" From now on")[0]
