"""The same thousands of signed intents give the same register on every engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ledger.chains import KEYS
from tests.ledger.nodes import ROOT, anvil, geth_binary
from tests.ledger.parity import register_after

from scf.kernel.clock import VirtualClock
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.rpc.engine import RpcLedger
from scf.ledger.rpc.sidecar import SidecarLedger


def _compare(passes: int, folder: Path) -> None:
    with anvil() as (url, _), RpcLedger([url], chain_id=20_260) as node:
        now = node.header(0).timestamp
        there = register_after(node, KEYS[9], passes, now)
    clock = VirtualClock(now)
    with EmbeddedLedger(":memory:", clock, chain_id=20_260) as embedded:
        here = register_after(embedded, KEYS[9], passes, now)
    with SidecarLedger(folder / "sidecar.db", clock, chain_id=20_260) as sidecar:
        beside = register_after(sidecar, KEYS[9], passes, now)
    assert here == there
    assert beside == there


def test_two_hundred_intents(tmp_path: Path):
    _compare(200, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_thousand_intents(tmp_path: Path):
    _compare(5_000, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_the_main_job_on_four_validators_that_fail_and_five_thousand_intents():
    """The main job, validators stopped and cut off, 5,000 signed intents, the checks at the end, and moving up."""
    geth_binary()
    command = [sys.executable, str(ROOT / "scripts/network/clique.py"), "--intents", "5000", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["blocks_with_two_stopped"] <= 2
    assert found["intents"]["count"] == 5_000
    assert found["bundle_exit"] in (0, 2)
