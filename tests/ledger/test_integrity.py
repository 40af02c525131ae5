"""Damage is found and named; backups are whole; a full disk loses nothing; a killed writer leaves whole blocks."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.ledger.chains import KEYS, Tally
from tests.ledger.conftest import START

from scf.kernel.clock import SystemClock, VirtualClock
from scf.kernel.problems import Problem
from scf.ledger.artifacts import Artifact
from scf.ledger.contracts import Handle
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.hashing import keccak
from scf.ledger.signing import address_of
from scf.ledger.types import Block
from scf.ledger.verify import verify_file


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tally_artifact: Artifact) -> Path:
    path = tmp_path_factory.mktemp("whole") / "ledger.db"
    with EmbeddedLedger(path, VirtualClock(START)) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        for amount in range(1, 9):
            tally.send([amount] * 3)
    return path


def test_a_whole_file_is_found_whole(whole: Path):
    found = verify_file(whole)
    assert found.first_bad is None
    assert (found.blocks, found.transactions) == (10, 25)
    assert found.nodes > 3


@pytest.mark.parametrize(
    ("damage", "block", "what"),
    [
        ("UPDATE block SET rlp = zeroblob(10) WHERE number = 3", 3, "unreadable"),
        ("UPDATE block SET hash = zeroblob(32) WHERE number = 4", 4, "stored hash"),
        ("UPDATE block SET timestamp = 5 WHERE number = 5", 5, "follow"),
        ("DELETE FROM block WHERE number = 6", 6, "missing"),
        ("UPDATE tx SET raw = CAST(raw || x'00' AS BLOB) WHERE block = 7 AND position = 1", 7, "transactions"),
        ("UPDATE tx SET receipt = CAST(receipt || x'00' AS BLOB) WHERE block = 2", 2, "receipts root"),
        ("UPDATE tx SET succeeded = 0 WHERE block = 8", 8, "receipt index"),
        ("UPDATE log SET data = zeroblob(64) WHERE block = 9 AND position = 2", 9, "log index"),
        ("DELETE FROM log WHERE block = 2", 2, "log index"),
        ("DELETE FROM tx WHERE block = 9 AND position = 2", 9, "transactions"),
    ],
)
def test_the_first_bad_block_is_named(whole: Path, tmp_path: Path, damage: str, block: int, what: str):
    copy = tmp_path / "copy.db"
    shutil.copy(whole, copy)
    with sqlite3.connect(copy) as sql:
        sql.execute(damage)
    found = verify_file(copy).first_bad
    assert found is not None
    assert found.block == block
    assert what in found.what


def test_a_damaged_state_node_is_found_and_never_used(whole: Path, tmp_path: Path):
    copy = tmp_path / "copy.db"
    shutil.copy(whole, copy)
    with EmbeddedLedger(copy, VirtualClock(START), read_only=True) as ledger:
        root = ledger.head().state_root
    with sqlite3.connect(copy) as sql:
        sql.execute("UPDATE node SET body = zeroblob(length(body)) WHERE hash = ?", (root,))
    found = verify_file(copy).first_bad
    assert found is not None
    assert found.block == 9
    with pytest.raises(Problem) as caught:
        EmbeddedLedger(copy, VirtualClock(START))
    assert caught.value.code == "ledger_file_corrupt"


def test_a_flipped_byte_anywhere_is_noticed_or_harmless(whole: Path, tmp_path: Path):
    """On every page, its header included: a fault is found, or every block reads as before; never a stack trace."""
    original, dice = whole.read_bytes(), random.Random(7)
    blocks, noticed, named = _blocks(whole), 0, 0
    for page in range(0, len(original), 4096):
        for place in (page + dice.randrange(8), page + dice.randrange(4096), page + dice.randrange(4096)):
            copy = tmp_path / f"copy{place}.db"  # one file each: what is open leaves files of its own beside it
            flipped = original[place] ^ 1 << dice.randrange(8)
            copy.write_bytes(original[:place] + bytes((flipped,)) + original[place + 1 :])
            found = verify_file(copy).first_bad
            noticed += found is not None
            named += found is not None and found.block is not None
            if found is None:
                assert _blocks(copy) == blocks
            else:
                with contextlib.suppress(Problem):
                    _blocks(copy)
            copy.unlink()
    assert noticed >= named > len(original) // 4096 // 2


def _blocks(path: Path) -> list[Block]:
    with EmbeddedLedger(path, VirtualClock(START), read_only=True) as ledger:
        return [ledger.block(number) for number in range(ledger.head().number + 1)]


def test_what_is_left_of_a_file_cut_short_is_checked(whole: Path, tmp_path: Path):
    original = whole.read_bytes()
    for size in (0, 100, 4_096, 20_480, len(original) // 2, len(original) - 4_096):
        copy = tmp_path / "copy.db"
        copy.write_bytes(original[:size])
        try:
            found = verify_file(copy).first_bad
        except Problem as problem:
            assert (size, problem.code) == (0, "ledger_file_unreadable")
            continue
        assert found is not None, size


def test_a_damaged_node_of_an_old_state_names_the_block_that_made_it(whole: Path, tmp_path: Path):
    with EmbeddedLedger(whole, VirtualClock(START), read_only=True) as ledger:
        roots = [ledger.header(number).state_root for number in range(ledger.head().number + 1)]
    for number in (3, 7):
        copy = Path(shutil.copy(whole, tmp_path / f"copy{number}.db"))
        with sqlite3.connect(copy) as sql:
            sql.execute("UPDATE node SET body = body || x'00' WHERE hash = ?", (roots[number],))
        found = verify_file(copy).first_bad
        assert found is not None
        assert (found.block, roots[number].hex() in found.what) == (number, True)


def test_a_hash_damaged_in_the_table_or_in_an_index_is_found(whole: Path, tmp_path: Path):
    """A hole in an index must not look like a transaction that never was."""
    original = whole.read_bytes()
    with EmbeddedLedger(whole, VirtualClock(START), read_only=True) as ledger:
        key = keccak(ledger.block(5).transactions[0])
    places = [at for at in range(len(original)) if original.startswith(key, at)]
    assert len(places) == 3  # the table, the index by hash, the index by place
    for place in places:
        copy = tmp_path / "copy.db"
        copy.write_bytes(original[:place] + bytes((original[place] ^ 1,)) + original[place + 1 :])
        found = verify_file(copy).first_bad
        assert found is not None
        assert found.block in (5, None)


def test_a_backup_while_writing_is_a_whole_chain(tmp_path: Path, tally_artifact: Artifact):
    with EmbeddedLedger(tmp_path / "ledger.db", VirtualClock(START)) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                tally.send([1] * 5)

        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.1)
        for number in range(3):
            ledger.backup(tmp_path / f"backup{number}.db")
        stop.set()
        writer.join()
        head = ledger.head().number
    for number in range(3):
        found = verify_file(tmp_path / f"backup{number}.db")
        assert found.first_bad is None
        assert 1 < found.blocks <= head + 1
        with EmbeddedLedger(tmp_path / f"backup{number}.db", VirtualClock(START)) as copy:
            assert Tally(copy, Handle(tally_artifact, tally.handle.address), KEYS[0]).send([1])[0].succeeded


def test_a_full_disk_loses_nothing(tmp_path: Path, tally_artifact: Artifact):
    path = tmp_path / "ledger.db"
    with EmbeddedLedger(path, VirtualClock(START)) as ledger:
        tally = Tally.deploy(ledger, tally_artifact, KEYS[0])
        tally.send([1, 2, 3])
        head = ledger.head()
        pages = ledger._writer.row("PRAGMA page_count")
        assert pages is not None
        ledger._writer.sql.execute(f"PRAGMA max_page_count={pages[0]}")
        with pytest.raises(Problem) as caught:
            for _ in range(50):
                tally.send([1] * 20)
        assert (caught.value.code, caught.value.money_moved) == ("ledger_disk_full", "no")
        full_at = ledger.head()
        assert full_at.number >= head.number
        total = tally.total
        ledger._writer.sql.execute("PRAGMA max_page_count=1000000")
        assert tally.send([7])[0].succeeded
        assert tally.total == total + 7
    assert verify_file(path).first_bad is None


def _write_until_killed(path: Path, artifact: Artifact, address: str, out: int) -> None:
    """Body of a forked writer: says "ready", then the number of each acknowledged block."""
    try:
        ledger = EmbeddedLedger(path, SystemClock())
        tally = Tally(ledger, Handle(artifact, address), KEYS[0])
        os.write(out, b"ready\n")
        while True:
            os.write(out, b"%d\n" % tally.send([1, 5000, 2])[-1].block_number)
    finally:
        os._exit(1)  # never back into the test runner


def _kill_at_random(path: Path, artifact: Artifact, rounds: int, pause: Callable[[], float]) -> None:
    """Writers are forked, so that each starts at once and the kill falls into its work, not into imports."""
    with EmbeddedLedger(path, SystemClock()) as ledger:
        address = Tally.deploy(ledger, artifact, KEYS[0]).handle.address
    counted, mined = 1, 0
    for number in range(rounds):
        into, out = os.pipe()
        writer = os.fork()
        if writer == 0:
            os.close(into)
            _write_until_killed(path, artifact, address, out)
        os.close(out)
        with os.fdopen(into) as told:
            assert told.readline() == "ready\n"
            if not number:
                assert int(told.readline()) > 1  # on a slow machine too, one round has work behind it
            time.sleep(pause())
            os.kill(writer, signal.SIGKILL)
            acknowledged = [int(line) for line in told.read().splitlines() if line]
        os.waitpid(writer, 0)
        with EmbeddedLedger(path, SystemClock()) as ledger:
            head = ledger.head().number
            assert head >= max(acknowledged, default=0)
            mined += sum(len(ledger.block(at).transactions) for at in range(counted + 1, head + 1))
            counted = head
            assert Tally(ledger, Handle(artifact, address), KEYS[0]).total == mined
            assert ledger.nonce(address_of(KEYS[0])) == 1 + mined
    assert mined > 0
    assert verify_file(path).first_bad is None


def test_killed_writers_leave_whole_blocks(tmp_path: Path, tally_artifact: Artifact):
    dice = random.Random(1)
    _kill_at_random(tmp_path / "ledger.db", tally_artifact, 20, lambda: dice.uniform(0.0, 0.1))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_killed_writers_leave_whole_blocks(tmp_path: Path, tally_artifact: Artifact):
    dice = random.Random(2)
    _kill_at_random(tmp_path / "ledger.db", tally_artifact, 200, lambda: dice.uniform(0.0, 0.5))
