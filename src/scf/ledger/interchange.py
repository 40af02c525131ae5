"""The embedded chain in the file formats of Ethereum clients, so that another client can execute it again.

`geth init genesis.json && geth import chain.rlp` checks every header, transaction, receipts root and state root with an
implementation that shares no code with this one.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from scf.ledger.encoding import rlp_decode, rlp_encode
from scf.ledger.protocol import Ledger

LONDON_FORKS = (
    "homesteadBlock",
    "eip150Block",
    "eip155Block",
    "eip158Block",
    "byzantiumBlock",
    "constantinopleBlock",
    "petersburgBlock",
    "istanbulBlock",
    "berlinBlock",
    "londonBlock",
)
"""Forks up to London in geth's words, all at block 0: contracts cost the same gas here and on every network of ours."""


def genesis_file(ledger: Ledger) -> dict[str, Any]:
    """The genesis of the chain as geth reads it: Paris from the first block, nothing allotted."""
    header = ledger.header(0)
    gas_limit = int.from_bytes(rlp_decode(header.rlp)[9], "big")
    config: dict[str, Any] = {"chainId": ledger.chain_id, **dict.fromkeys(LONDON_FORKS, 0)}
    config.update(mergeNetsplitBlock=0, terminalTotalDifficulty=0, terminalTotalDifficultyPassed=True)
    return {
        "config": config,
        "nonce": "0x0",
        "timestamp": hex(header.timestamp),
        "extraData": "0x",
        "gasLimit": hex(gas_limit),
        "difficulty": "0x0",
        "mixHash": "0x" + "00" * 32,
        "coinbase": "0x" + "00" * 20,
        "alloc": {},
        "baseFeePerGas": "0x0",
    }


def write_chain(ledger: Ledger, out: BinaryIO, *, first: int = 1, last: int | None = None) -> int:
    """Blocks `first` to `last` (default: the head), one RLP item each; returns how many."""
    end = ledger.head().number if last is None else last
    for number in range(first, end + 1):
        block = ledger.block(number)
        transactions = [raw if raw[0] < 0xC0 else rlp_decode(raw) for raw in block.transactions]
        out.write(rlp_encode([rlp_decode(block.header.rlp), transactions, []]))
    return max(0, end - first + 1)
