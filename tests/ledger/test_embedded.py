"""The embedded chain: blocks, time, refusals, restart, threads, proofs."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import rlp
from tests.ledger.chains import KEYS, Tally
from tests.ledger.conftest import START
from trie import HexaryTrie

from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.ledger.artifacts import Artifact
from scf.ledger.contracts import Handle
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.hashing import keccak
from scf.ledger.merkle import ordered_root
from scf.ledger.open import open_ledger
from scf.ledger.protocol import NotAccepted, Reverted
from scf.ledger.signing import address_of, canonical


def test_a_submission_becomes_one_block_and_its_logs_count_within_the_block(ledger: EmbeddedLedger, tally: Tally):
    receipts = tally.send([1, 2, 3])
    assert {receipt.block_number for receipt in receipts} == {2}
    assert [receipt.transaction_index for receipt in receipts] == [0, 1, 2]
    assert [log.log_index for receipt in receipts for log in receipt.logs] == [0, 1, 2]
    assert tally.total == 6
    assert [log.transaction_hash for log in ledger.logs(0, 2)] == [receipt.transaction_hash for receipt in receipts]
    assert ledger.receipt(receipts[1].transaction_hash) == receipts[1]


def test_block_time_follows_the_clock_and_never_stands_still(ledger: EmbeddedLedger, tally: Tally, clock: VirtualClock):
    tally.send([1])
    tally.send([1])
    clock.advance(days=30)
    tally.send([1])
    times = [ledger.header(number).timestamp for number in range(5)]
    assert times[:4] == [START, START + 1, START + 2, START + 3]
    assert times[4] == START + 30 * 86_400


def test_a_read_sees_the_next_blocks_time_and_history_stays_readable(
    ledger: EmbeddedLedger, tally: Tally, clock: VirtualClock
):
    tally.send([5])
    tally.send([7])
    clock.advance(days=1)
    facts = tally.handle.read(ledger, "blockFacts")
    assert (facts.number, facts.time, facts.parent) == (4, START + 86_400, ledger.head().hash)
    assert tally.handle.read(ledger, "total", at=2) == 5
    assert tally.handle.read(ledger, "blockFacts", at=2).time == ledger.header(2).timestamp
    assert tally.handle.read(ledger, "blockFacts", at=2).parent == ledger.header(1).hash


def test_a_revert_is_mined_and_carries_its_reason(ledger: EmbeddedLedger, tally: Tally):
    receipts = tally.send([10, 5000, 20])
    assert [receipt.succeeded for receipt in receipts] == [True, False, True]
    error = tally.handle.artifact.errors[receipts[1].revert_data[:4]]
    assert error.name == "TooMuch"
    assert error.decode(receipts[1].revert_data[4:]) == {"wanted": 5000, "most": 1000}
    assert tally.total == 30
    with pytest.raises(Reverted):
        ledger.call(tally.handle.call("add", 5000, bytes(32)))


def test_one_bad_transaction_does_not_stop_the_others(ledger: EmbeddedLedger, tally: Tally):
    good = tally.add([1, 2])
    gap = tally.raw("add", 3, bytes(32), nonce=9)
    stale = tally.raw("add", 3, bytes(32), nonce=0)
    foreign = tally.raw("add", 3, bytes(32), nonce=0, key=KEYS[3])[:-1]
    with pytest.raises(NotAccepted) as caught:
        ledger.submit([gap, good[0], b"\x02nonsense", stale, foreign, good[1]])
    assert set(caught.value.receipts) == {keccak(raw) for raw in good}
    assert "nonce 9" in caught.value.reasons[keccak(gap)]
    assert caught.value.money_moved == "no"
    assert tally.total == 3


def test_a_transaction_of_another_chain_is_refused(ledger: EmbeddedLedger, tally: Tally, tmp_path: Path):
    with EmbeddedLedger(tmp_path / "other.db", VirtualClock(START), chain_id=7) as other:
        raw = Tally(other, tally.handle, KEYS[0]).raw("add", 1, bytes(32), nonce=1)
    with pytest.raises(NotAccepted) as caught:
        ledger.submit([raw])
    assert "chain 7" in caught.value.sentence("en")


def test_the_same_transaction_again_answers_with_its_receipt(ledger: EmbeddedLedger, tally: Tally):
    raw = tally.add([4])
    first = ledger.submit(raw + raw)
    assert first[0] == first[1]
    assert ledger.submit(raw) == first[:1]
    assert tally.total == 4


def test_blocks_carry_what_an_auditor_recomputes(ledger: EmbeddedLedger, tally: Tally):
    tally.send(list(range(1, 140)))
    block = ledger.block(ledger.head().number)
    assert keccak(block.header.rlp) == block.header.hash
    assert ordered_root(block.transactions) == block.header.transactions_root
    assert ordered_root(block.receipts) == block.header.receipts_root
    assert block.header.parent_hash == ledger.header(block.header.number - 1).hash


@pytest.mark.parametrize("count", [0, 1, 2, 3, 16, 17, 127, 128, 129, 200, 260])
def test_roots_equal_those_of_a_general_trie(count: int):
    items = [keccak(bytes((number % 256,))) * (1 + number % 3) if number % 5 else b"x" for number in range(count)]
    trie = HexaryTrie({})
    for position, item in enumerate(items):
        trie[rlp.encode(position)] = item
    assert ordered_root(items) == trie.root_hash


def test_it_reopens_where_it_was(tmp_path: Path, clock: VirtualClock, tally_artifact: Artifact):
    path = tmp_path / "chain.db"
    with EmbeddedLedger(path, clock, chain_id=5) as first:
        tally = Tally.deploy(first, tally_artifact, KEYS[0])
        receipts = tally.send([1, 2, 3])
        head = first.head()
    with EmbeddedLedger(path, clock) as again:
        assert again.chain_id == 5
        assert again.head() == head
        assert again.receipt(receipts[2].transaction_hash) == receipts[2]
        assert Tally(again, Handle(tally_artifact, tally.handle.address), KEYS[0]).total == 6


def test_threads_share_blocks(ledger: EmbeddedLedger, tally: Tally):
    barrier = threading.Barrier(8)
    errors: list[BaseException] = []

    def work(key: bytes) -> None:
        try:
            barrier.wait()
            for nonce in range(5):
                receipt = ledger.submit([tally.raw("add", 1, bytes(32), nonce=nonce, key=key)])[0]
                assert receipt.succeeded
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(key,)) for key in KEYS[1:9]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert tally.total == 40
    assert ledger.head().number < 41


def test_long_submissions_are_split_and_stay_below_the_gas_target(tmp_path: Path, tally_artifact: Artifact):
    with EmbeddedLedger(tmp_path / "small.db", VirtualClock(START), chain_id=1, gas_limit=8_000_000) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        receipts = tally.send([1] * 150)
        assert all(receipt.succeeded for receipt in receipts)
        used = [ledger.header(number).gas_used for number in range(1, ledger.head().number + 1)]
        assert len(used) > 2
        assert max(used) <= 4_000_000


def test_proofs_hold_under_the_state_root(ledger: EmbeddedLedger, tally: Tally):
    tally.send([9])
    proof = ledger.proof(tally.handle.address, [1, 77])
    assert proof.state_root == ledger.head().state_root
    assert keccak(ledger.code(tally.handle.address)) == proof.code_hash
    node = {keccak(item): item for item in proof.account_proof}
    account = rlp.decode(HexaryTrie(node, proof.state_root)[keccak(canonical(tally.handle.address))])
    assert account[2] == proof.storage_root
    slot_nodes = {keccak(item): item for item in proof.slots[0].proof}
    value = HexaryTrie(slot_nodes, proof.storage_root)[keccak((1).to_bytes(32, "big"))]
    assert int.from_bytes(rlp.decode(value), "big") == proof.slots[0].value == 9
    assert proof.slots[1].value == 0
    assert ledger.proof("0x" + "99" * 20).nonce == 0
    assert ledger.nonce(address_of(KEYS[0])) == 2


def test_a_second_process_is_told_so(ledger: EmbeddedLedger, clock: VirtualClock):
    with pytest.raises(Problem) as caught:
        EmbeddedLedger(ledger.path, clock)
    assert caught.value.code == "ledger_in_use"
    with EmbeddedLedger(ledger.path, clock, read_only=True) as reader:
        assert reader.head() == ledger.head()
        with pytest.raises(Problem, match="reading only"):
            reader.submit([])


def test_wrong_chain_foreign_files_and_unknown_engines_are_refused(tmp_path: Path, clock: VirtualClock):
    EmbeddedLedger(tmp_path / "a.db", clock, chain_id=5).close()
    with pytest.raises(Problem) as caught:
        open_ledger(f"embedded:{tmp_path / 'a.db'}", clock, chain_id=6)
    assert caught.value.code == "ledger_wrong_chain"
    open_ledger(f"embedded:{tmp_path / 'a.db'}", clock, chain_id=5).close()
    (tmp_path / "b.db").write_bytes(b"this is not a ledger, it is a letter" * 200)
    with pytest.raises(Problem) as caught:
        EmbeddedLedger(tmp_path / "b.db", clock)
    assert caught.value.code == "ledger_file_corrupt"
    with pytest.raises(Problem) as caught:
        open_ledger("oracle:x", clock)
    assert caught.value.code == "ledger_unknown_engine"


def test_a_replaced_genesis_is_noticed(tmp_path: Path, clock: VirtualClock):
    EmbeddedLedger(tmp_path / "a.db", clock).close()
    with sqlite3.connect(tmp_path / "a.db") as sql:
        sql.execute("UPDATE meta SET value = ? WHERE key = 'genesis'", ("00" * 32,))
    with pytest.raises(Problem) as caught:
        EmbeddedLedger(tmp_path / "a.db", clock)
    assert caught.value.code == "ledger_other_genesis"


def test_a_chain_in_memory_leaves_no_file(clock: VirtualClock, tally_artifact: Artifact):
    with EmbeddedLedger(":memory:", clock) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        tally.send([1, 2])
        assert tally.total == 3
