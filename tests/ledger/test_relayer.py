"""The relayer: one effect a reference, whatever fails in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from tests.ledger.chains import KEYS, Tally

from scf.kernel.problems import Problem
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.journal import MemoryJournal
from scf.ledger.relayer import Relayer
from scf.ledger.types import Receipt


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def relayer(ledger: EmbeddedLedger, journal: MemoryJournal) -> Relayer:
    return Relayer(ledger, KEYS[5], journal)


def test_a_reference_is_sent_once_for_ever(relayer: Relayer, tally: Tally):
    call = tally.handle.call("add", 5, bytes(32))
    first = relayer.send([("act:1", call)])
    assert relayer.send([("act:1", call)]) == first
    assert relayer.send([("act:1", call), ("act:2", call), ("act:2", call)])[0] == first[0]
    assert tally.total == 10


def test_a_reference_cannot_stand_for_another_act(relayer: Relayer, tally: Tally):
    relayer.send([("act:1", tally.handle.call("add", 5, bytes(32)))])
    for batch in ([("act:1", 6)], [("act:2", 1), ("act:2", 2)]):
        with pytest.raises(Problem) as caught:
            relayer.send([(reference, tally.handle.call("add", n, bytes(32))) for reference, n in batch])
        assert caught.value.code == "ledger_reference_reused"
    assert tally.total == 5


def test_a_refused_act_leaves_no_trace(relayer: Relayer, tally: Tally, ledger: EmbeddedLedger):
    height = ledger.head().number
    with pytest.raises(Problem) as caught:
        relayer.send([("act:1", tally.handle.call("add", 2000, bytes(32)))])
    assert (caught.value.code, caught.value.money_moved) == ("ledger_refused", "no")
    assert not relayer.knows("act:1")
    assert ledger.head().number == height
    assert relayer.send([("act:1", tally.handle.call("add", 20, bytes(32)))])[0].succeeded


def test_a_batch_says_which_calls_failed(relayer: Relayer, tally: Tally):
    calls = [(f"act:{n}", tally.handle.call("add", n, bytes(32))) for n in (1, 2000, 3)]
    assert [receipt.succeeded for receipt in relayer.send(calls)] == [True, False, True]


class _Breaks:
    """A ledger that fails before or after a submission reached it."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self.inner = ledger
        self.before = self.after = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def submit(self, raws: Sequence[bytes]) -> list[Receipt]:
        if self.before:
            raise ConnectionError("before")
        receipts = self.inner.submit(raws)
        if self.after:
            raise ConnectionError("after")
        return receipts


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_while_sending_neither_loses_nor_doubles(
    ledger: EmbeddedLedger, tally: Tally, journal: MemoryJournal, moment: str
):
    broken = _Breaks(ledger)
    relayer = Relayer(broken, KEYS[5], journal)
    setattr(broken, moment, True)
    calls = [(f"act:{n}", tally.handle.call("add", n, bytes(32))) for n in (1, 2, 3)]
    with pytest.raises(ConnectionError):
        relayer.send(calls)
    again = Relayer(ledger, KEYS[5], journal)
    assert len(again.recover()) == 3
    assert again.recover() == []
    assert [receipt.succeeded for receipt in again.send(calls)] == [True] * 3
    assert tally.total == 6


def test_what_was_lost_before_is_sent_first(ledger: EmbeddedLedger, tally: Tally, journal: MemoryJournal):
    broken = _Breaks(ledger)
    relayer = Relayer(broken, KEYS[5], journal)
    broken.before = True
    with pytest.raises(ConnectionError):
        relayer.send([("act:1", tally.handle.call("add", 1, bytes(32)))])
    broken.before = False
    assert relayer.send([("act:2", tally.handle.call("add", 2, bytes(32)))])[0].succeeded
    assert tally.total == 3
    assert journal.pending(ledger.chain_id, relayer.address) == []


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_a_nonce_lost_to_another_program_is_replaced(
    ledger: EmbeddedLedger, tally: Tally, journal: MemoryJournal, lost: int
):
    """Somebody used the relaying key elsewhere: what was journaled is signed anew instead of being lost."""
    broken = _Breaks(ledger)
    relayer = Relayer(broken, KEYS[5], journal)
    broken.before = True
    calls = [(f"act:{n}", tally.handle.call("add", n, bytes(32))) for n in (1, 2)]
    with pytest.raises(ConnectionError):
        relayer.send(calls)
    broken.before = False
    ledger.submit([tally.raw("add", 50, bytes(32), nonce=nonce, key=KEYS[5]) for nonce in range(lost)])
    assert all(receipt.succeeded for receipt in relayer.send(calls))
    assert relayer.send([("act:3", tally.handle.call("add", 3, bytes(32)))])[0].succeeded
    assert tally.total == 50 * lost + 6
    assert journal.pending(ledger.chain_id, relayer.address) == []


def test_threads_and_relayers_do_not_collide(ledger: EmbeddedLedger, tally: Tally, journal: MemoryJournal):
    relayers = [Relayer(ledger, key, journal) for key in KEYS[5:7]]
    barrier = threading.Barrier(6)
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            barrier.wait()
            for act in range(4):
                call = tally.handle.call("add", 1, bytes(32))
                assert relayers[thread % 2].send([(f"{thread}:{act}", call)])[0].succeeded
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert tally.total == 24


def test_one_act_is_quick(relayer: Relayer, tally: Tally):
    calls = [(f"act:{n}", tally.handle.call("add", 1, bytes(32))) for n in range(20)]
    best = 1.0
    for call in calls:
        started = time.perf_counter()
        relayer.send([call])
        best = min(best, time.perf_counter() - started)
    assert best < 0.06
