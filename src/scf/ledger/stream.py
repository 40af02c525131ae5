"""The event stream: every event from a cursor on, in order, only from confirmed blocks; reorganisations withdraw.

A follower keeps the cursor in the same transaction as its books. The stream holds no state of its own, so two processes
may follow side by side. `head`, `header` and `events` are what a projection asks of its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scf.kernel.problems import Problem
from scf.ledger.contracts import Contracts, Event
from scf.ledger.protocol import Ledger
from scf.ledger.types import Header

_SPAN = 1_000
BlockHashes = Callable[[int], bytes | None]
"""Hash of a block as the follower knows it, by number; None where it never saw or no longer remembers it."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block a follower has taken in, by number and hash. `START` is before genesis."""

    number: int
    hash: bytes


START = Cursor(-1, b"")


@dataclass(frozen=True, slots=True)
class Batch:
    """What to take in, in one transaction: first withdraw all blocks above `keep`, then apply, then move the cursor.

    `keep` is None when nothing is to be withdrawn.
    """

    keep: int | None
    events: tuple[Event, ...]
    cursor: Cursor


class Stream:
    """Events of one installation's contracts.

    Args:
        ledger: where to read.
        contracts: whose events; logs of other contracts are left out.
        confirmations: blocks that must follow a block before its events count; 0 for the embedded ledger and for
            networks with immediate finality.
        span_blocks: blocks a batch holds at most.
    """

    def __init__(
        self, ledger: Ledger, contracts: Contracts, *, confirmations: int = 0, span_blocks: int = _SPAN
    ) -> None:
        self._ledger = ledger
        self._contracts = contracts
        self._confirmations = confirmations
        self._span = span_blocks

    def head(self) -> Header:
        """The newest confirmed block."""
        head = self._ledger.head()
        return self._ledger.header(max(0, head.number - self._confirmations)) if self._confirmations else head

    def header(self, number: int) -> Header:
        """A block of the chain as it is now. Raises Problem `ledger_unknown_block`."""
        return self._ledger.header(number)

    def events(self, first: int, last: int) -> Iterator[Event]:
        """Events of blocks `first` to `last` (both included), in chain order."""
        addresses = list(self._contracts.addresses.values())
        for log in self._ledger.logs(first, last, addresses):
            event = self._contracts.decode(log)
            if event is not None:
                yield event

    def after(self, cursor: Cursor, known: BlockHashes = lambda _: None) -> Iterator[Batch]:
        """Batches from the cursor to the newest confirmed block; ends there.

        Where the chain no longer holds the cursor's block, the first batch withdraws down to the newest block both
        sides agree on, found with `known`; a follower that remembers no hashes starts over from genesis.
        """
        keep: int | None = None
        if cursor.number >= 0 and not self._holds(cursor):
            cursor = self._common(cursor, known)
            keep = cursor.number
        last = self.head().number
        while cursor.number < last:
            end = min(cursor.number + self._span, last)
            header = self._ledger.header(end)
            events = tuple(self.events(cursor.number + 1, end))
            if self._moved(header.number, header.hash, events):
                return  # reorganised while reading: the next call sees it
            cursor = Cursor(header.number, header.hash)
            yield Batch(keep, events, cursor)
            keep = None
        if keep is not None:
            yield Batch(keep, (), cursor)

    def _moved(self, number: int, block_hash: bytes, events: tuple[Event, ...]) -> bool:
        """Whether the chain changed between reading headers and logs. Blocks that can change are few, so ask again."""
        if any(event.block_number == number and event.block_hash != block_hash for event in events):
            return True
        return self._hash(number) != block_hash

    def _holds(self, cursor: Cursor) -> bool:
        return self._hash(cursor.number) == cursor.hash

    def _hash(self, number: int) -> bytes | None:
        try:
            return self._ledger.header(number).hash
        except Problem as problem:
            if problem.code == "ledger_unknown_block":
                return None
            raise

    def _common(self, cursor: Cursor, known: BlockHashes) -> Cursor:
        number = min(cursor.number - 1, self._ledger.head().number)
        while number >= 0:
            mine = known(number)
            if mine is not None and mine == self._hash(number):
                return Cursor(number, mine)
            number -= 1
        return START
