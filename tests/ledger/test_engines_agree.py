"""The same thousands of signed intents give the same register on every engine."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from tests.ledger.chains import KEYS
from tests.ledger.nodes import ROOT, anvil, geth_binary
from tests.ledger.programme import Programme

from scf.kernel.clock import VirtualClock
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.hashing import keccak
from scf.ledger.journal import MemoryJournal
from scf.ledger.protocol import Ledger
from scf.ledger.relayer import Relayer
from scf.ledger.rpc.engine import RpcLedger


def _register(ledger: Ledger, passes: int) -> dict[str, Any]:
    """Runs one programme and reads back every note."""
    programme = Programme.start(Relayer(ledger, KEYS[9], MemoryJournal()))
    note = programme.issue(10**9, "PARITY")
    receipts = programme.relayer.send(programme.pass_calls(note, passes, amount=7))
    assert all(receipt.succeeded for receipt in receipts)
    read = programme.contracts.receivables.read
    notes = [read(ledger, "noteOf", programme.child(note, index)) for index in range(0, passes, max(1, passes // 200))]
    events = [
        (event.contract, event.name, {k: v for k, v in event.args.items() if not k.endswith(("Until", "maturity"))})
        for log in ledger.logs(0, ledger.head().number)
        if (event := programme.contracts.decode(log)) is not None
    ]
    return {
        "addresses": programme.contracts.addresses,
        "notes": [(view.holder, view.amount, view.tier, view.flags) for view in notes],
        "parent": tuple(read(ledger, "noteOf", note))[:3],
        "events": keccak(repr(events).encode()),
        "count": len(events),
    }


def _compare(passes: int) -> None:
    with anvil() as (url, _), RpcLedger([url], chain_id=20_260) as node:
        there = _register(node, passes)
        now = node.header(0).timestamp
    with EmbeddedLedger(":memory:", VirtualClock(now), chain_id=20_260) as embedded:
        here = _register(embedded, passes)
    assert here == there


def test_two_hundred_intents():
    _compare(200)


@pytest.mark.slow
def test_five_thousand_intents():
    _compare(5_000)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_network_of_four_validators_survives_the_loss_of_some():
    geth_binary()
    command = [sys.executable, str(ROOT / "scripts/network/clique.py"), "--passes", "100", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
