"""Moving up: the same transactions give the same gas, roots and register on every engine."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest
from tests.ledger.chains import KEYS
from tests.ledger.conftest import START
from tests.ledger.nodes import anvil, geth_binary
from tests.ledger.programme import Programme

from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.interchange import genesis_file, write_chain
from scf.ledger.journal import MemoryJournal
from scf.ledger.relayer import Relayer
from scf.ledger.replay import (
    DevelopmentNodeTarget,
    EmbeddedTarget,
    NetworkTarget,
    export_chain,
    import_chain,
    read_export,
    same_history,
)
from scf.ledger.rpc.engine import RpcLedger


@pytest.fixture(scope="module")
def chain() -> Programme:
    clock = VirtualClock(START)
    programme = Programme.start(Relayer(EmbeddedLedger(":memory:", clock, chain_id=20_260), KEYS[9], MemoryJournal()))
    note = programme.issue(100_000, "INV-1")
    programme.relayer.send(programme.pass_calls(note, 30))
    clock.advance(days=2)
    calls = [
        *programme.pass_calls(note, 3, first=30),
        ("fails", programme.pass_call(note, 99, "s1", 1)),
        *programme.pass_calls(note, 3, first=33),
    ]
    assert [receipt.succeeded for receipt in programme.relayer.send(calls)] == [True] * 3 + [False] + [True] * 3
    return programme


@pytest.fixture(scope="module")
def export(chain: Programme) -> str:
    out = io.StringIO()
    assert export_chain(chain.relayer.ledger, out) == chain.relayer.ledger.head().number
    return out.getvalue()


def test_a_fresh_embedded_chain_becomes_the_same_chain(chain: Programme, export: str, tmp_path: Path):
    facts, _ = read_export(export.splitlines())
    clock = VirtualClock(facts.genesis_timestamp)
    with EmbeddedLedger(tmp_path / "copy.db", clock, chain_id=facts.chain_id, gas_limit=facts.gas_limit) as copy:
        report = import_chain(export.splitlines(), EmbeddedTarget(copy))
        assert copy.head() == chain.relayer.ledger.head()
        with pytest.raises(Problem) as caught:
            import_chain(export.splitlines(), EmbeddedTarget(copy))
        assert caught.value.code == "ledger_replay_not_fresh"
    assert report.roots_compared
    assert report.transactions == sum(len(json.loads(line)["transactions"]) for line in export.splitlines()[1:])


def test_two_histories_are_compared_to_the_end(chain: Programme, export: str, tmp_path: Path):
    lines, ledger = export.splitlines(), chain.relayer.ledger
    with EmbeddedLedger(tmp_path / "copy.db", VirtualClock(START), chain_id=20_260) as copy:
        import_chain(lines[:-1], EmbeddedTarget(copy))
        for here, there in ((ledger, copy), (copy, ledger)):  # one of them ends early
            with pytest.raises(Problem) as caught:
                same_history(here, there)
            assert caught.value.code == "ledger_replay_differs"
            assert caught.value.facts["number"] == ledger.head().number
        import_chain([lines[0], lines[-1]], EmbeddedTarget(copy))
        assert same_history(ledger, copy).blocks == ledger.head().number
    with (
        EmbeddedLedger(":memory:", VirtualClock(START), chain_id=20_261) as other,
        pytest.raises(Problem, match="chain id 20261"),
    ):
        same_history(ledger, other)


def test_a_real_node_at_the_same_times_gives_the_same_roots(chain: Programme, export: str):
    facts, _ = read_export(export.splitlines())
    with anvil(extra=["--timestamp", str(facts.genesis_timestamp)]) as (url, _), RpcLedger([url]) as node:
        report = import_chain(export.splitlines(), DevelopmentNodeTarget(node))
        assert report.roots_compared
        assert report.gas_used == sum(json.loads(line)["gas_used"] for line in export.splitlines()[1:])
        for view in ("receivableCount", "quorumNonce"):
            here = chain.contracts.receivables.read(chain.relayer.ledger, view)
            assert chain.contracts.receivables.read(node, view) == here


def test_another_client_executes_the_chain_to_the_same_state_roots(chain: Programme, tmp_path: Path):
    """geth recomputes every root of every block and refuses a block whose roots differ."""
    geth, ledger = geth_binary(), chain.relayer.ledger
    (tmp_path / "genesis.json").write_text(json.dumps(genesis_file(ledger)))
    with (tmp_path / "chain.rlp").open("wb") as out:
        assert write_chain(ledger, out) == ledger.head().number
    for arguments in (["init", "genesis.json"], ["import", "chain.rlp"]):
        command = [geth, "--datadir", "data", *arguments]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr[-2000:]
    assert f"number={ledger.head().number} " in run.stderr
    assert f"hash={ledger.head().hash.hex()[:6]}" in run.stderr
    altered = bytearray((tmp_path / "chain.rlp").read_bytes())
    altered[150] ^= 1  # a byte of the first state root
    (tmp_path / "altered.rlp").write_bytes(altered)
    subprocess.run([geth, "--datadir", "other", "init", "genesis.json"], cwd=tmp_path, capture_output=True, check=True)
    run = subprocess.run(
        [geth, "--datadir", "other", "import", "altered.rlp"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "invalid" in run.stderr.lower()


def test_a_network_with_its_own_blocks_gives_the_same_gas_and_logs(export: str):
    facts, _ = read_export(export.splitlines())
    with anvil(extra=["--timestamp", str(facts.genesis_timestamp)]) as (url, _), RpcLedger([url]) as node:
        report = import_chain(export.splitlines(), NetworkTarget(node))
    assert report.roots_compared
    assert report.blocks > 5


def test_a_changed_export_is_noticed(export: str, tmp_path: Path):
    lines = export.splitlines()
    facts, _ = read_export(lines)

    def run(changed: list[str], name: str, code: str) -> Problem:
        clock = VirtualClock(facts.genesis_timestamp)
        with EmbeddedLedger(tmp_path / name, clock, chain_id=20_260) as copy, pytest.raises(Problem) as caught:
            import_chain(changed, EmbeddedTarget(copy))
        assert caught.value.code == code
        return caught.value

    block = json.loads(lines[8])
    wrong_gas = {**block, "gas": [gas + 1 for gas in block["gas"]]}
    assert run([*lines[:8], json.dumps(wrong_gas), *lines[9:]], "a", "ledger_replay_differs").facts["number"] == 8
    assert run([*lines[:5], "{", *lines[6:]], "b", "ledger_export_unreadable").facts["line"] == 6
    run(["hello"], "c", "ledger_export_unreadable")
    run([lines[0].replace("20260", "20261"), *lines[1:]], "d", "ledger_wrong_chain")
    run([lines[0].replace(facts.genesis_hash.hex(), "00" * 32), *lines[1:]], "e", "ledger_other_genesis")
    run([*lines[:7], *lines[8:]], "f", "ledger_transaction_not_accepted")
