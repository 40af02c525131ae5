"""anvil beside the service: fast, and nothing is lost with it, because the file of signed transactions is the truth."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.ledger.chains import KEYS, Tally
from tests.ledger.conftest import START
from tests.ledger.nodes import anvil_binary

from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.ledger.artifacts import Artifact
from scf.ledger.contracts import Handle
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.hashing import keccak
from scf.ledger.open import open_ledger
from scf.ledger.protocol import NotAccepted
from scf.ledger.rpc.sidecar import SidecarLedger


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    anvil_binary()
    yield tmp_path / "sidecar.db"


def test_it_comes_back_with_everything_after_anvil_was_killed(path: Path, tally_artifact: Artifact):
    clock = VirtualClock(START)
    ledger = SidecarLedger(path, clock, chain_id=77)
    tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
    clock.advance(days=2)
    receipts = tally.send([1, 5000, 3] * 200)
    assert [receipt.succeeded for receipt in receipts[:3]] == [True, False, True]
    assert len({receipt.block_number for receipt in receipts}) == 2
    assert receipts[0].timestamp == START + 2 * 86_400
    with pytest.raises(Problem) as caught:
        SidecarLedger(path, clock)
    assert caught.value.code == "ledger_in_use"
    ledger._process.kill()
    ledger.close()
    with SidecarLedger(path, clock) as again:
        assert again.chain_id == 77
        assert Tally(again, Handle(tally_artifact, tally.handle.address), KEYS[0]).total == 800
        assert again.submit(tally.add([], first_nonce=0)) == []
        found = again.receipt(receipts[-1].transaction_hash)
        assert found is not None
        assert (found.block_number, found.gas_used) == (receipts[-1].block_number, receipts[-1].gas_used)
    with pytest.raises(Problem) as caught:
        open_ledger(f"sidecar:{path}", clock, chain_id=78)
    assert caught.value.code == "ledger_wrong_chain"


def test_a_block_written_before_the_crash_is_mined_on_the_next_start(path: Path, tally_artifact: Artifact):
    clock = VirtualClock(START)
    with SidecarLedger(path, clock) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        raws = tally.add([7, 8])
        ledger._process.kill()
        ledger._process.wait()
        ledger._node._nodes._patience_s = 0.2
        written = len(list(ledger._file.blocks()))
        head = ledger.header
        ledger._node.head = lambda: _Head(written)  # type: ignore[assignment,method-assign]
        ledger._node.nonce = lambda _: 1  # type: ignore[method-assign]
        ledger._node.receipts = lambda _: {}  # type: ignore[method-assign]
        with pytest.raises(Problem):
            ledger.submit(raws)
        assert head is not None
    with SidecarLedger(path, clock) as again:
        assert Tally(again, Handle(tally_artifact, tally.handle.address), KEYS[0]).total == 15
        assert again.submit(raws)[1].succeeded


class _Head:
    def __init__(self, number: int) -> None:
        self.number = number
        self.timestamp = START + 5


def test_what_cannot_be_mined_never_reaches_the_file(path: Path, tally_artifact: Artifact):
    with SidecarLedger(path, VirtualClock(START)) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        good = tally.add([1, 2])
        gap = tally.raw("add", 3, bytes(32), nonce=9)
        with pytest.raises(NotAccepted) as caught:
            ledger.submit([gap, good[0], b"\x02nonsense", good[1]])
        assert set(caught.value.receipts) == {keccak(raw) for raw in good}
        assert tally.total == 3
    with SidecarLedger(path, VirtualClock(START)) as again:
        assert Tally(again, Handle(tally_artifact, tally.handle.address), KEYS[0]).total == 3


def test_a_changed_file_does_not_start(path: Path, tally_artifact: Artifact):
    with SidecarLedger(path, VirtualClock(START)) as ledger:
        Tally.deploy(ledger, tally_artifact, KEYS[0]).send([1])
    with sqlite3.connect(path) as sql:
        sql.execute("UPDATE journal SET roots = zeroblob(64) WHERE number = 2")
    with pytest.raises(Problem) as caught:
        SidecarLedger(path, VirtualClock(START))
    assert (caught.value.code, caught.value.facts["number"]) == ("ledger_replay_differs", 2)


def test_trouble_with_the_file_is_one_sentence_and_the_file_is_free_again(path: Path, tally_artifact: Artifact):
    with SidecarLedger(path, VirtualClock(START)) as ledger:
        Tally.deploy(ledger, tally_artifact, KEYS[0]).send([1])
        _refused("ledger_in_use", path)
    _refused("ledger_wrong_chain", path, chain_id=5)
    whole = path.read_bytes()
    for damage, code in (
        ("UPDATE journal SET timestamp = timestamp + 1 WHERE number = 1", "ledger_file_corrupt"),
        ("UPDATE journal SET transactions = x'c0c0' WHERE number = 2", "ledger_file_corrupt"),
        ("UPDATE journal SET transactions = x'c102', roots = NULL WHERE number = 2", "ledger_file_corrupt"),
        ("DELETE FROM journal WHERE number = 1", "ledger_file_corrupt"),
    ):
        with closing(sqlite3.connect(path)) as sql, sql:
            sql.execute(damage)
        assert "block" in _refused(code, path).facts["detail"]
        path.write_bytes(whole)
    path.write_bytes(b"noise" * 5_000)
    _refused("ledger_file_corrupt", path)
    path.unlink()
    with EmbeddedLedger(path, VirtualClock(START)):
        pass
    before = path.read_bytes()
    _refused("ledger_file_unreadable", path)
    assert path.read_bytes() == before


def test_a_full_disk_is_said_and_nothing_reaches_anvil(path: Path, tally_artifact: Artifact):
    with SidecarLedger(path, VirtualClock(START)) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        tally.send([1])
        sql, head = ledger._file._sql, ledger.head()
        sql.execute(f"PRAGMA max_page_count={sql.execute('PRAGMA page_count').fetchone()[0]}")
        raws = tally.add([5] * 100)
        with pytest.raises(Problem) as caught:
            ledger.submit(raws)
        assert (caught.value.code, caught.value.money_moved) == ("ledger_disk_full", "no")
        assert ledger.head() == head
        sql.execute("PRAGMA max_page_count=1000000")
        assert all(receipt.succeeded for receipt in ledger.submit(raws))
    with SidecarLedger(path, VirtualClock(START)) as again:
        assert Tally(again, Handle(tally_artifact, tally.handle.address), KEYS[0]).total == 501


def _refused(code: str, path: Path, **options: int) -> Problem:
    with pytest.raises(Problem) as caught:
        SidecarLedger(path, VirtualClock(START), **options).close()
    assert caught.value.code == code
    return caught.value
