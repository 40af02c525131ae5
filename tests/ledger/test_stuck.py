"""What a network does not mine: too cheap, behind a gap, replaced, cancelled, dropped by a reorganisation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.ledger.chains import KEYS, Tally
from tests.ledger.nodes import ROOT, anvil
from tests.ledger.programme import Programme

from scf.app import projection
from scf.kernel.clock import SystemClock
from scf.kernel.problems import Problem
from scf.ledger.artifacts import Artifact
from scf.ledger.hashing import keccak
from scf.ledger.journal import Entry, MemoryJournal
from scf.ledger.open import open_ledger
from scf.ledger.protocol import NotAccepted
from scf.ledger.relayer import Relayer
from scf.ledger.rpc.engine import RpcLedger
from scf.ledger.signing import address_of, canonical
from scf.ledger.stream import Stream
from scf.ledger.transactions import decode_transaction, sign_transaction
from scf.store.engine import open_engine
from scf.store.relay_journal import SqlJournal
from scf.store.schema import create_schema

GWEI = 10**9


@pytest.fixture
def node() -> Iterator[RpcLedger]:
    with anvil() as (url, _), RpcLedger([url], mining_s=1.0, resend_s=0.3, fees=(1, 40 * GWEI)) as ledger:
        ledger.request("anvil_setBalance", address_of(KEYS[5]), hex(10**20))
        yield ledger


@pytest.fixture
def tally_there(node: RpcLedger, tally_artifact: Artifact) -> Tally:
    return Tally.deploy(node, tally_artifact, KEYS[0])


def _dear(node: RpcLedger) -> None:
    """From now on a block costs a gwei a unit, and nothing is mined unless somebody asks."""
    node.request("evm_setAutomine", False)
    node.request("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    node.request("evm_mine")
    node.request("anvil_setNextBlockBaseFeePerGas", hex(GWEI))


def test_what_is_too_cheap_is_offered_at_a_higher_fee(node: RpcLedger, tally_there: Tally):
    journal = MemoryJournal()
    relayer = Relayer(node, KEYS[5], journal)
    _dear(node)
    receipts = relayer.send([(f"a{n}", tally_there.handle.call("add", n, bytes(32))) for n in (1, 20)])
    assert [receipt.succeeded for receipt in receipts] == [True, True]
    assert tally_there.total == 21
    assert node.nonce(relayer.address) == 2
    entry = journal.find(node.chain_id, "a1")
    assert entry is not None
    assert GWEI <= decode_transaction(entry.raw).max_fee_per_gas <= 40 * GWEI
    assert relayer.send([("a1", tally_there.handle.call("add", 1, bytes(32)))])[0] == receipts[0]


def test_beyond_the_cap_it_is_said_and_kept(node: RpcLedger, tally_there: Tally):
    relayer = Relayer(node, KEYS[5], MemoryJournal(), fee_cap=1_000)
    _dear(node)
    call = tally_there.handle.call("add", 7, bytes(32))
    with pytest.raises(Problem) as caught:
        relayer.send([("a", call)], check=False)
    assert caught.value.code in ("ledger_not_mined_yet", "ledger_transaction_not_accepted")
    assert caught.value.money_moved == "unknown"
    assert Relayer(node, KEYS[5], relayer._journal, fee_cap=40 * GWEI).send([("a", call)])[0].succeeded
    assert tally_there.total == 7


def test_an_older_version_that_was_mined_is_the_act(node: RpcLedger, tally_there: Tally):
    """Replaced in the journal, killed before the dearer one was sent; the network mined the first."""
    journal = MemoryJournal()
    relayer = Relayer(node, KEYS[5], journal)
    call = tally_there.handle.call("add", 5, bytes(32))
    (entry,) = relayer._reserve([("a", call)])
    relayer._dearer([entry])
    (first,) = node.submit([entry.raw])
    assert relayer.recover() == [first]
    assert relayer.resend("a") == first
    assert tally_there.total == 5
    assert node.nonce(relayer.address) == 1


def test_an_act_is_cancelled_and_may_be_asked_for_again(node: RpcLedger, tally_there: Tally):
    relayer = Relayer(node, KEYS[5], MemoryJournal())
    call = tally_there.handle.call("add", 9, bytes(32))
    (entry,) = relayer._reserve([("a", call)])
    node.request("evm_setAutomine", False)
    node.offer([entry.raw])
    assert relayer.cancel("a") is None
    assert tally_there.total == 0
    assert node.nonce(relayer.address) == 1
    receipt = relayer.send([("a", call)])[0]
    assert receipt.succeeded
    assert relayer.cancel("a") == receipt  # mined: there is nothing to cancel
    assert relayer.cancel("never asked for") is None
    assert tally_there.total == 9
    free = Relayer(node, KEYS[6], MemoryJournal(), max_fee=0, fee_cap=0)
    (waiting,) = free._reserve([("b", call)])
    node.offer([waiting.raw])
    with pytest.raises(NotAccepted):
        free.cancel("b")


def test_a_gap_left_by_a_killed_process_is_filled(node: RpcLedger, tally_there: Tally):
    """Another process reserved the nonce before ours and died: its act is sent first, then ours."""
    journal = MemoryJournal()
    Relayer(node, KEYS[5], journal)._reserve([("lost", tally_there.handle.call("add", 100, bytes(32)))])
    relayer = Relayer(node, KEYS[5], journal)
    assert relayer.send([("mine", tally_there.handle.call("add", 1, bytes(32)))])[0].succeeded
    assert tally_there.total == 101
    assert journal.pending(node.chain_id, relayer.address) == []


def test_acts_dropped_by_a_reorganisation_are_sent_again_and_the_books_follow(node: RpcLedger, tmp_path: Path):
    engine = open_engine(f"sqlite:///{tmp_path / 'books.db'}")
    create_schema(engine)
    relayer = Relayer(node, KEYS[5], SqlJournal(engine, Entry, keccak))
    programme = Programme.start(relayer)
    note = programme.issue(1_000, "REORG")
    passed = relayer.send(programme.pass_calls(note, 3))
    books, stream = projection(node.chain_id), Stream(node, programme.contracts)
    books.catch_up(engine, stream)

    def notes() -> list[tuple[int, int]]:
        with engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT tier, amount_minor FROM book_note ORDER BY child_index, tier"))
            return [tuple(row) for row in rows]  # type: ignore[misc]

    before = notes()
    assert len(before) == 4
    sent = node.nonce(relayer.address)
    node.request("evm_setAutomine", False)
    node.request("anvil_reorg", node.head().number - passed[0].block_number + 1, [])
    node.request("anvil_dropAllTransactions")
    assert node.nonce(relayer.address) == sent - 3
    books.catch_up(engine, stream)
    assert notes() == [(1, 1_000)]
    assert len(relayer.recover()) == 3
    books.catch_up(engine, stream)
    assert notes() == before
    beside = books.rebuild(stream.events(0, node.head().number), node.head())
    with engine.connect() as live, beside.connect() as fresh:
        count = sa.text("SELECT count(*), max(block_number) FROM book_event")
        assert live.execute(count).all() == fresh.execute(count).all()


_PROCESS = """
import json, sys
from pathlib import Path
url, journal, address, name = sys.argv[1:5]
from scf.kernel.clock import SystemClock
from scf.ledger.artifacts import read_artifact
from scf.ledger.contracts import Handle
from scf.ledger.hashing import keccak
from scf.ledger.journal import Entry
from scf.ledger.open import open_ledger
from scf.ledger.relayer import Relayer
from scf.store.engine import open_engine
from scf.store.relay_journal import SqlJournal
from tests.ledger.chains import KEYS
engine = open_engine("sqlite:///" + journal)
handle = Handle(read_artifact(json.loads(Path("tests/ledger/tally/Tally.json").read_text())), address)
with open_ledger("rpc:" + url + "#mining_s=20", SystemClock()) as ledger:
    relayer = Relayer(ledger, KEYS[5], SqlJournal(engine, Entry, keccak))
    done = 0
    for turn in range(10):
        calls = [(f"{name}:{turn}:{n}", handle.call("add", 1, bytes(32))) for n in range(4)]
        done += sum(receipt.succeeded for receipt in relayer.send(calls, check=False))
    print(done)
"""


def test_two_processes_with_one_relaying_key_do_not_collide(tmp_path: Path, tally_artifact: Artifact):
    journal = tmp_path / "journal.db"
    create_schema(open_engine(f"sqlite:///{journal}"))
    with anvil() as (url, _), open_ledger(f"rpc:{url}", SystemClock()) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        command = [sys.executable, "-c", _PROCESS, url, str(journal), tally.handle.address]
        path = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": ""}
        running = [
            subprocess.Popen([*command, name], cwd=ROOT, env=path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for name in ("one", "two")
        ]
        for process in running:
            out, err = process.communicate(timeout=120)
            assert (process.returncode, json.loads(out or b"0")) == (0, 40), err.decode()
        assert tally.total == 80
        assert ledger.nonce(address_of(KEYS[5])) == 80


def test_a_transaction_replaced_by_hand_keeps_its_reference(node: RpcLedger, tally_there: Tally):
    """The key was used elsewhere for the same nonce: the journaled act is signed anew and still happens once."""
    journal = MemoryJournal()
    relayer = Relayer(node, KEYS[5], journal)
    (entry,) = relayer._reserve([("a", tally_there.handle.call("add", 3, bytes(32)))])
    other = sign_transaction(
        KEYS[5],
        chain_id=node.chain_id,
        nonce=entry.nonce,
        to=canonical(relayer.address),
        data=b"",
        gas=21_000,
        max_fee=9,
    )
    node.submit([other])
    receipt = relayer.resend("a")
    assert receipt is not None
    assert receipt.succeeded
    assert tally_there.total == 3
    found = journal.find(node.chain_id, "a")
    assert found == replace(
        entry, nonce=1, raw=found.raw, transaction_hash=keccak(found.raw), block_number=receipt.block_number
    )  # type: ignore[union-attr]
