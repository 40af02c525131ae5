"""The event stream: ordered, complete, confirmed, and honest about reorganisations."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.ledger.chains import KEYS
from tests.ledger.conftest import START
from tests.ledger.programme import Programme

from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.ledger.contracts import Event
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.hashing import keccak
from scf.ledger.journal import MemoryJournal
from scf.ledger.relayer import Relayer
from scf.ledger.stream import START as GENESIS
from scf.ledger.stream import Cursor, Stream
from scf.ledger.types import Header, Log


@pytest.fixture(scope="module")
def programme() -> Programme:
    ledger = EmbeddedLedger(":memory:", VirtualClock(START), chain_id=20_260)
    programme = Programme.start(Relayer(ledger, KEYS[9], MemoryJournal()))
    note = programme.issue(100_000, "INV-1")
    for first in range(0, 40, 4):
        programme.relayer.send(programme.pass_calls(note, 4, first=first))
    return programme


class Follower:
    """Takes batches in as books do, remembering block hashes."""

    def __init__(self) -> None:
        self.cursor = GENESIS
        self.events: list[Event] = []
        self.hashes: dict[int, bytes] = {}
        self.batches = 0

    def follow(self, stream: Stream) -> None:
        for batch in stream.after(self.cursor, self.hashes.get):
            if batch.keep is not None:
                self.events = [event for event in self.events if event.block_number <= batch.keep]
                self.hashes = {number: value for number, value in self.hashes.items() if number <= batch.keep}
            self.events += batch.events
            self.hashes.update({event.block_number: event.block_hash for event in batch.events})
            self.hashes[batch.cursor.number] = batch.cursor.hash
            self.cursor = batch.cursor
            self.batches += 1


def test_every_event_once_in_order_whatever_the_batch_size(programme: Programme):
    whole, small = Follower(), Follower()
    whole.follow(Stream(programme.relayer.ledger, programme.contracts))
    stream = Stream(programme.relayer.ledger, programme.contracts, span_blocks=3)
    for _ in range(3):
        small.follow(stream)
    assert whole.batches == 1
    assert small.batches > 5
    assert small.events == whole.events
    places = [(event.block_number, event.log_index) for event in whole.events]
    assert places == sorted(set(places))
    assert sum(event.name == "Passed" for event in whole.events) == 40


def test_unconfirmed_blocks_wait(programme: Programme):
    follower = Follower()
    stream = Stream(programme.relayer.ledger, programme.contracts, confirmations=2)
    follower.follow(stream)
    head = programme.relayer.ledger.head().number
    assert follower.cursor.number == head - 2
    assert max(event.block_number for event in follower.events) <= head - 2
    assert stream.head().number == head - 2


class _Fork:
    """A view of a chain whose blocks from `fork` on are other blocks, without the events of every third one."""

    def __init__(self, ledger: Any, fork: int) -> None:
        self.inner, self.fork = ledger, fork

    def _other(self, number: int, value: bytes) -> bytes:
        return keccak(value) if number >= self.fork else value

    def head(self) -> Header:
        return self.header(self.inner.head().number)

    def header(self, number: int) -> Header:
        header = self.inner.header(number)
        return replace(header, hash=self._other(number, header.hash))

    def logs(self, first: int, last: int, addresses: Collection[str] | None = None) -> Iterator[Log]:
        for log in self.inner.logs(first, last, addresses):
            if log.block_number < self.fork or log.block_number % 3:
                yield log._replace(block_hash=self._other(log.block_number, log.block_hash))


@pytest.mark.parametrize("remembers", [True, False])
def test_a_reorganisation_withdraws_and_the_follower_agrees_with_a_fresh_one(programme: Programme, remembers: bool):
    ledger = programme.relayer.ledger
    fork: Any = _Fork(ledger, ledger.head().number - 6)
    follower, fresh = Follower(), Follower()
    follower.follow(Stream(ledger, programme.contracts, span_blocks=2))
    if not remembers:
        follower.hashes = {}
    follower.follow(Stream(fork, programme.contracts))
    fresh.follow(Stream(fork, programme.contracts))
    assert follower.events == fresh.events
    assert follower.cursor == fresh.cursor


def test_a_shorter_chain_withdraws_too(programme: Programme):
    ledger = programme.relayer.ledger
    follower = Follower()
    follower.follow(Stream(ledger, programme.contracts, span_blocks=1))
    length = ledger.head().number

    class Shorter(_Fork):
        def header(self, number: int) -> Header:
            if number > length - 3:
                raise Problem("ledger_unknown_block", number=number)
            return self.inner.header(number)

        def head(self) -> Header:
            return self.header(length - 3)

    shorter: Any = Shorter(ledger, 10**9)
    follower.follow(Stream(shorter, programme.contracts))
    assert follower.cursor == Cursor(length - 3, ledger.header(length - 3).hash)
    assert max(event.block_number for event in follower.events) <= length - 3
