"""The small protocol behind which every engine stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from scf.kernel.problems import Problem
from scf.ledger.types import Block, Call, Header, Log, Proof, Receipt


class Reverted(Exception):
    """A read-only call ended in a revert; `data` is what the contract returned."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        super().__init__("0x" + data.hex())


class NotAccepted(Problem):
    """Some transactions of a submission cannot be mined; the others were.

    `receipts` holds those that were mined by transaction hash, `reasons` why the others were not.
    """

    def __init__(self, receipts: Mapping[bytes, Receipt], reasons: Mapping[bytes, str]) -> None:
        self.receipts = dict(receipts)
        self.reasons = dict(reasons)
        first = next(iter(self.reasons.values()), "?")
        super().__init__(
            "ledger_transaction_not_accepted", refused=len(self.reasons), mined=len(self.receipts), reason=first
        )


class Ledger(Protocol):
    """An EVM chain that keeps what it was given."""

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id."""
        ...

    def now(self) -> int:
        """The ledger's clock in unix seconds: no block to come is older than this."""
        ...

    def head(self) -> Header:
        """Header of the newest block."""
        ...

    def header(self, number: int) -> Header:
        """Header of one block. Raises Problem `ledger_unknown_block`."""
        ...

    def block(self, number: int) -> Block:
        """Header, raw transactions and canonical receipts of one block. Raises Problem `ledger_unknown_block`."""
        ...

    def submit(self, raws: Sequence[bytes]) -> list[Receipt]:
        """Mine signed raw transactions and return their receipts in the same order, once they are durable.

        A transaction that is already mined answers with its receipt. A transaction that reverts is mined and its
        receipt says so. One that cannot be mined at all (wrong nonce, wrong chain id, unreadable) does not stop the
        others; after these are durable `NotAccepted` is raised.
        """
        ...

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Receipt of a mined transaction, or None."""
        ...

    def receipts(self, transaction_hashes: Sequence[bytes]) -> dict[bytes, Receipt]:
        """Receipts of those transactions that are mined, by hash."""
        ...

    def call(self, call: Call, *, sender: str | None = None, at: int | None = None) -> bytes:
        """Run a call and keep nothing of it. Raises `Reverted` with the contract's answer.

        Without `at` the call sees what the next transaction would see (newest state, next block's time); with `at`
        the state and time of that block.
        """
        ...

    def logs(self, first: int, last: int, addresses: Collection[str] | None = None) -> Iterator[Log]:
        """Logs of blocks `first` to `last` (both included), in chain order."""
        ...

    def proof(self, address: str, slots: Sequence[int] = (), at: int | None = None) -> Proof:
        """EIP-1186 proof of an account and its slots, at the newest or the named block."""
        ...

    def code(self, address: str) -> bytes:
        """Code of the contract at `address`; empty where there is none."""
        ...

    def nonce(self, address: str) -> int:
        """Number of transactions mined from `address`: its next nonce."""
        ...

    def close(self) -> None:
        """Let go of files and connections; what was acknowledged stays."""
        ...
