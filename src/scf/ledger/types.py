"""What every engine of the ledger speaks: calls, logs, receipts, headers, blocks, proofs.

Hashes, ids and raw data are `bytes`; addresses are EIP-55 checksummed text; times are unix seconds; gas is in units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a contract: where, with which ABI-encoded data, and what it is called there."""

    to: str
    data: bytes
    contract: str
    function: str


class Log(NamedTuple):
    """One log of a mined transaction. `log_index` counts within the block, as nodes count it.

    A named tuple, because a million of them are made when the books are rebuilt: a third of a frozen dataclass's time.
    """

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    transaction_index: int
    log_index: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a mined transaction did. `revert_data` is filled only for a failed one, by engines that know it."""

    transaction_hash: bytes
    block_number: int
    block_hash: bytes
    transaction_index: int
    succeeded: bool
    gas_used: int
    logs: tuple[Log, ...]
    contract_address: str | None
    timestamp: int
    revert_data: bytes = b""


@dataclass(frozen=True, slots=True)
class Header:
    """A block header; `rlp` is its consensus encoding and keccak256(rlp) is `hash`."""

    number: int
    hash: bytes
    parent_hash: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    timestamp: int
    gas_used: int
    rlp: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block with everything an auditor needs: raw signed transactions and canonical receipts (EIP-2718)."""

    header: Header
    transactions: tuple[bytes, ...]
    receipts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SlotProof:
    """Merkle proof of one storage slot."""

    slot: int
    value: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """EIP-1186 proof of an account and some of its slots under `state_root` of `block_number`."""

    address: str
    block_number: int
    state_root: bytes
    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes
    account_proof: tuple[bytes, ...]
    slots: tuple[SlotProof, ...]
