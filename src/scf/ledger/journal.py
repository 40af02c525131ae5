"""The relayer's memory: what was signed is stored before it is sent, so that nothing is lost and nothing doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

Sign = Callable[[str, int], bytes]
"""Signs the raw transaction of (reference, nonce)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One signed transaction under its reference. `block_number` is None until it is known to be mined."""

    reference: str
    chain_id: int
    sender: str
    nonce: int
    raw: bytes
    transaction_hash: bytes
    block_number: int | None = None


class Journal(Protocol):
    """Durable list of signed transactions.

    Every method is one transaction of its store and safe between threads and processes.

    A reference is unique for ever within a chain id; a nonce is unique within (chain id, sender).
    """

    def reserve(
        self, chain_id: int, sender: str, references: Sequence[str], first_free: int, sign: Sign
    ) -> list[Entry]:
        """One entry for each reference, in order, durable on return: the stored one, whoever sent it, else a new one.

        New entries take consecutive nonces from max(`first_free`, highest stored nonce of the sender + 1), and are
        signed by `sign`. `first_free` is the chain's next nonce of the sender. Nothing is stored when `sign` raises.
        """
        ...

    def mark(self, chain_id: int, mined: Sequence[tuple[str, int]]) -> None:
        """Note (reference, block number) of transactions that are mined."""
        ...

    def pending(self, chain_id: int, sender: str) -> list[Entry]:
        """Entries of the sender not known to be mined, by nonce."""
        ...

    def find(self, chain_id: int, reference: str) -> Entry | None:
        """The entry of a reference."""
        ...

    def replace(self, entry: Entry) -> None:
        """Put another signed transaction under a reference that was never mined (new nonce or new price)."""
        ...

    def versions(self, chain_id: int, references: Sequence[str]) -> dict[str, list[bytes]]:
        """Hashes of the transactions that were replaced under these references: one of them may have been mined."""
        ...

    def recent(self, chain_id: int, sender: str, count: int) -> list[Entry]:
        """The sender's `count` newest entries known to be mined, newest first."""
        ...

    def next_nonce(self, chain_id: int, sender: str, first_free: int) -> int:
        """The nonce the next new entry would take."""
        ...


class MemoryJournal:
    """A journal that forgets on exit: for tests and throw-away ledgers."""

    def __init__(self) -> None:
        self._entries: dict[tuple[int, str], Entry] = {}
        self._highest: dict[tuple[int, str], int] = {}
        self._versions: dict[tuple[int, str], list[bytes]] = {}
        self._lock = threading.RLock()

    def reserve(
        self, chain_id: int, sender: str, references: Sequence[str], first_free: int, sign: Sign
    ) -> list[Entry]:
        """See `Journal.reserve`."""
        from scf.ledger.hashing import keccak

        with self._lock:
            nonce = self.next_nonce(chain_id, sender, first_free)
            new: dict[tuple[int, str], Entry] = {}
            for reference in references:
                key = (chain_id, reference)
                if key in self._entries or key in new:
                    continue
                raw = sign(reference, nonce)
                new[key] = Entry(reference, chain_id, sender, nonce, raw, keccak(raw))
                nonce += 1
            self._entries.update(new)
            if new:
                self._highest[chain_id, sender] = nonce - 1
            return [self._entries[chain_id, reference] for reference in references]

    def mark(self, chain_id: int, mined: Sequence[tuple[str, int]]) -> None:
        """See `Journal.mark`."""
        with self._lock:
            for reference, block_number in mined:
                key = (chain_id, reference)
                self._entries[key] = replace(self._entries[key], block_number=block_number)

    def pending(self, chain_id: int, sender: str) -> list[Entry]:
        """See `Journal.pending`."""
        with self._lock:
            mine = [
                entry
                for entry in self._entries.values()
                if entry.chain_id == chain_id and entry.sender == sender and entry.block_number is None
            ]
        return sorted(mine, key=lambda entry: entry.nonce)

    def find(self, chain_id: int, reference: str) -> Entry | None:
        """See `Journal.find`."""
        return self._entries.get((chain_id, reference))

    def replace(self, entry: Entry) -> None:
        """See `Journal.replace`."""
        with self._lock:
            old = self._entries[entry.chain_id, entry.reference]
            if old.transaction_hash != entry.transaction_hash:
                self._versions.setdefault((entry.chain_id, entry.reference), []).append(old.transaction_hash)
            self._entries[entry.chain_id, entry.reference] = entry
            key = (entry.chain_id, entry.sender)
            self._highest[key] = max(self._highest.get(key, -1), entry.nonce)

    def versions(self, chain_id: int, references: Sequence[str]) -> dict[str, list[bytes]]:
        """See `Journal.versions`."""
        found = {reference: self._versions.get((chain_id, reference), []) for reference in references}
        return {reference: list(keys) for reference, keys in found.items() if keys}

    def recent(self, chain_id: int, sender: str, count: int) -> list[Entry]:
        """See `Journal.recent`."""
        with self._lock:
            mined = [
                entry
                for entry in self._entries.values()
                if entry.chain_id == chain_id and entry.sender == sender and entry.block_number is not None
            ]
        return sorted(mined, key=lambda entry: -entry.nonce)[:count]

    def next_nonce(self, chain_id: int, sender: str, first_free: int) -> int:
        """See `Journal.next_nonce`."""
        return max(first_free, self._highest.get((chain_id, sender), -1) + 1)
