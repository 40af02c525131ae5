"""Takes a ledger's blocks over into a Clique network: same order, times, transactions and roots, sealed by validators.

A running network gives every block its own time, so a history cannot be sent to it as it was. But whoever founds a
network may found it with a history: each block of the ledger gets the seal of the validator whose turn it is, and every
validator's own client executes it again before the network starts, refusing any root that does not come out the same.

What cannot be equal are the block hashes, because a Clique header carries the seal, the vote fields and a difficulty.
Chain id, number, time, gas, transactions, receipts and state are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from scf.ledger.encoding import integer, rlp_decode, rlp_encode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT, EMPTY_UNCLES
from scf.ledger.protocol import Ledger
from scf.ledger.signing import address_of, canonical, sign_digest

PARENT, COINBASE, DIFFICULTY, NUMBER, EXTRA, MIX, NONCE = 0, 2, 7, 8, 12, 13, 14
EPOCH = 30_000
"""Blocks after which a Clique header lists the validators again."""


def extra_of(validators: Sequence[str]) -> bytes:
    """Extra data of a genesis, or of the first block of an epoch, before its seal: vanity and validators, sorted."""
    return bytes(32) + b"".join(sorted(canonical(validator) for validator in validators))


def genesis_hash(timestamp: int, gas_limit: int, validators: Sequence[str]) -> bytes:
    """Hash of the genesis that `validators.genesis` describes."""
    fields = [
        *(bytes(32), EMPTY_UNCLES, bytes(20), EMPTY_ROOT, EMPTY_ROOT, EMPTY_ROOT, bytes(256)),
        *(integer(1), b"", integer(gas_limit), b"", integer(timestamp)),
        *(extra_of(validators) + bytes(65), bytes(32), bytes(8), b""),
    ]
    return keccak(rlp_encode(fields))


def write_sealed(ledger: Ledger, parent: bytes, keys: Sequence[bytes], out: BinaryIO) -> int:
    """Write all blocks after genesis, sealed in turn by the validators' keys, for `geth import`; returns how many."""
    in_turn = sorted(keys, key=lambda key: canonical(address_of(key)))
    last = ledger.head().number
    for number in range(1, last + 1):
        block = ledger.block(number)
        fields: list[Any] = rlp_decode(block.header.rlp)
        extra = extra_of([address_of(key) for key in keys]) if number % EPOCH == 0 else bytes(32)
        fields[PARENT], fields[COINBASE], fields[DIFFICULTY] = parent, bytes(20), integer(2)
        fields[MIX], fields[NONCE] = bytes(32), bytes(8)
        fields[EXTRA] = extra
        signature = sign_digest(in_turn[number % len(in_turn)], keccak(rlp_encode(fields)))
        fields[EXTRA] = extra + signature[:64] + bytes((signature[64] - 27,))
        parent = keccak(rlp_encode(fields))
        transactions = [raw if raw[0] < 0xC0 else rlp_decode(raw) for raw in block.transactions]
        out.write(rlp_encode([fields, transactions, []]))
    return last
