"""Moving up is a replay: every signed transaction of a chain, in order, onto another engine, compared block by block.

An export is a text file of JSON lines: first the chain, then one line a block. It holds signed transactions and roots
only, so whoever replays it needs to trust nobody.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Protocol, TextIO

from scf.kernel.problems import Problem
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.encoding import integer, rlp_decode, rlp_encode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT, bloom_of, ordered_root
from scf.ledger.protocol import Ledger
from scf.ledger.rpc.engine import RpcLedger
from scf.ledger.rpc.transport import RpcError
from scf.ledger.signing import canonical
from scf.ledger.types import Block, Header, Receipt

FORMAT = "scf-ledger-export-1"


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """First line of an export."""

    chain_id: int
    genesis_hash: bytes
    genesis_timestamp: int
    gas_limit: int


@dataclass(frozen=True, slots=True)
class ExportedBlock:
    """One further line: what was in the block and what came out."""

    number: int
    timestamp: int
    gas_used: int
    hash: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    transactions: tuple[bytes, ...]
    gas: tuple[int, ...]
    succeeded: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a target made of a block. A root is None where the target packs transactions into blocks of its own."""

    receipts: tuple[Receipt, ...]
    transactions_root: bytes | None
    receipts_root: bytes | None
    state_root: bytes | None


class Target(Protocol):
    """Something that can take the blocks of an export."""

    def begin(self, chain: ChainFacts) -> None:
        """Check that this is the right chain. Raises Problem."""
        ...

    def replay(self, block: ExportedBlock) -> Replayed:
        """Execute the transactions of one block, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What was replayed and what was compared."""

    blocks: int
    transactions: int
    gas_used: int
    roots_compared: bool
    seconds: float


def export_chain(ledger: Ledger, out: TextIO, *, first: int = 1, last: int | None = None) -> int:
    """Write the chain as JSON lines; returns the number of blocks written."""
    genesis, end = ledger.header(0), ledger.head().number if last is None else last
    facts = {
        "format": FORMAT,
        "chain_id": ledger.chain_id,
        "genesis_hash": genesis.hash.hex(),
        "genesis_timestamp": genesis.timestamp,
        "gas_limit": int.from_bytes(_gas_limit(genesis.rlp), "big"),
    }
    out.write(json.dumps(facts) + "\n")
    count = 0
    for number in range(first, end + 1):
        block = ledger.block(number)
        if block.transactions:  # empty blocks of a network say nothing
            out.write(json.dumps(_line(ledger, block)) + "\n")
            count += 1
    return count


def _line(ledger: Ledger, block: Block) -> dict[str, Any]:
    receipts = _receipts(ledger, block.transactions)
    header = block.header
    return {
        "number": header.number,
        "timestamp": header.timestamp,
        "gas_used": header.gas_used,
        "hash": header.hash.hex(),
        "state_root": header.state_root.hex(),
        "transactions_root": header.transactions_root.hex(),
        "receipts_root": header.receipts_root.hex(),
        "transactions": [raw.hex() for raw in block.transactions],
        "gas": [receipt.gas_used for receipt in receipts],
        "succeeded": [receipt.succeeded for receipt in receipts],
    }


def read_export(lines: Iterable[str]) -> tuple[ChainFacts, Iterator[ExportedBlock]]:
    """Chain facts and blocks of an export. Raises Problem `ledger_export_unreadable` naming the line."""
    numbered = enumerate(lines, 1)
    line, text = next(numbered, (1, ""))
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise ValueError("unknown format")
        facts = ChainFacts(
            found["chain_id"], bytes.fromhex(found["genesis_hash"]), found["genesis_timestamp"], found["gas_limit"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Problem("ledger_export_unreadable", line=line, detail=str(error)[:120]) from error
    return facts, _blocks(numbered)


def _blocks(numbered: Iterable[tuple[int, str]]) -> Iterator[ExportedBlock]:
    for line, text in numbered:
        if not text.strip():
            continue
        try:
            found = json.loads(text)
            block = ExportedBlock(
                number=found["number"],
                timestamp=found["timestamp"],
                gas_used=found["gas_used"],
                hash=bytes.fromhex(found["hash"]),
                state_root=bytes.fromhex(found["state_root"]),
                transactions_root=bytes.fromhex(found["transactions_root"]),
                receipts_root=bytes.fromhex(found["receipts_root"]),
                transactions=tuple(bytes.fromhex(raw) for raw in found["transactions"]),
                gas=tuple(found["gas"]),
                succeeded=tuple(found["succeeded"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Problem("ledger_export_unreadable", line=line, detail=str(error)[:120]) from error
        yield block


def import_chain(lines: Iterable[str], target: Target) -> Report:
    """Replay an export onto a target and compare each block.

    Compared are gas and success of every transaction always, and the transactions and receipts roots where the target
    keeps the blocks as they were. Raises Problem `ledger_replay_differs` at the first difference.
    """
    started = time.monotonic()
    chain, blocks = read_export(lines)
    target.begin(chain)
    count = transactions = gas = 0
    roots = True
    for block in blocks:
        done = target.replay(block)
        _compare(block, done)
        roots = roots and done.receipts_root is not None
        count, transactions, gas = count + 1, transactions + len(block.transactions), gas + block.gas_used
    return Report(count, transactions, gas, roots and count > 0, round(time.monotonic() - started, 3))


def _compare(block: ExportedBlock, done: Replayed) -> None:
    pairs: list[tuple[str, object, object]] = [
        ("gas", list(block.gas), [receipt.gas_used for receipt in done.receipts]),
        ("success", list(block.succeeded), [receipt.succeeded for receipt in done.receipts]),
    ]
    for what, expected, found in (
        ("transactions root", block.transactions_root, done.transactions_root),
        ("receipts root", block.receipts_root, done.receipts_root),
        ("state root", block.state_root, done.state_root),
    ):
        if found is not None:
            pairs.append((what, expected.hex(), found.hex()))
    for what, want, have in pairs:
        if want != have:
            raise Problem("ledger_replay_differs", number=block.number, what=what, expected=want, found=have)


class EmbeddedTarget:
    """A fresh embedded chain: from the same genesis the result must be the same file, hash by hash.

    Args:
        ledger: the fresh chain.
        of_network: the export is of a network, whose genesis and headers carry seals of its own: all roots must be the
            same, block numbers and hashes cannot be.
    """

    def __init__(self, ledger: EmbeddedLedger, *, of_network: bool = False) -> None:
        self._ledger = ledger
        self._of_network = of_network

    def begin(self, chain: ChainFacts) -> None:
        """See `Target.begin`."""
        if self._ledger.chain_id != chain.chain_id:
            raise Problem("ledger_wrong_chain", found=self._ledger.chain_id, expected=chain.chain_id)
        if self._ledger.genesis_hash != chain.genesis_hash and not self._of_network:
            found = self._ledger.genesis_hash.hex()
            raise Problem("ledger_other_genesis", found=found, expected=chain.genesis_hash.hex())

    def replay(self, block: ExportedBlock) -> Replayed:
        """See `Target.replay`."""
        header, receipts = self._ledger.mine_exactly(block.transactions, block.timestamp)
        return Replayed(tuple(receipts), header.transactions_root, header.receipts_root, header.state_root)


class DevelopmentNodeTarget:
    """A node whose block production can be steered (anvil): same blocks, same times."""

    def __init__(self, ledger: RpcLedger) -> None:
        self._ledger = ledger

    def begin(self, chain: ChainFacts) -> None:
        """See `Target.begin`. Raises Problem `ledger_network_unsupported` when the node cannot be steered."""
        _same_chain(self._ledger, chain)
        try:
            self._ledger.request("evm_setAutomine", False)
        except RpcError as error:
            raise Problem("ledger_network_unsupported", method="evm_setAutomine", detail=str(error)) from error

    def replay(self, block: ExportedBlock) -> Replayed:
        """See `Target.replay`."""
        ledger = self._ledger
        ledger.request("evm_setNextBlockTimestamp", block.timestamp)
        ledger.offer(block.transactions)
        ledger.request("evm_mine")
        receipts = tuple(_receipts(ledger, block.transactions))
        header = ledger.header(receipts[0].block_number)
        # Prefunded accounts of the node make another state root; storage is compared by the receipts' gas and logs.
        return Replayed(receipts, header.transactions_root, header.receipts_root, None)


class NetworkTarget:
    """A network that makes its own blocks at its own times: order is kept.

    The transactions and receipts roots are computed again for the blocks as they were exported, from what the network
    says of each transaction; so every log is compared, whatever blocks the network put them into.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def begin(self, chain: ChainFacts) -> None:
        """See `Target.begin`."""
        _same_chain(self._ledger, chain)

    def replay(self, block: ExportedBlock) -> Replayed:
        """See `Target.replay`."""
        receipts = self._ledger.submit(block.transactions)
        places = [(receipt.block_number, receipt.transaction_index) for receipt in receipts]
        if places != sorted(places):
            raise Problem("ledger_replay_differs", number=block.number, what="order", expected="-", found=places)
        cumulative, encoded = 0, []
        for raw, receipt in zip(block.transactions, receipts, strict=True):
            cumulative += receipt.gas_used
            encoded.append(_canonical_receipt(raw, receipt, cumulative))
        return Replayed(tuple(receipts), ordered_root(block.transactions), ordered_root(encoded), None)


def _canonical_receipt(raw: bytes, receipt: Receipt, cumulative_gas: int) -> bytes:
    logs = [[canonical(log.address), list(log.topics), log.data] for log in receipt.logs]
    values = (value for log in receipt.logs for value in (canonical(log.address), *log.topics))
    bloom = bloom_of(values).to_bytes(256, "big")
    body = rlp_encode([integer(int(receipt.succeeded)), integer(cumulative_gas), bloom, logs])
    return raw[:1] + body if raw[0] < 0xC0 else body


def same_history(here: Ledger, there: Ledger) -> Report:
    """Compare two ledgers block by block: time, gas and all three roots; blocks without transactions are left out.

    Raises Problem `ledger_replay_differs` at the first difference, also when one of them ends early.
    """
    started = time.monotonic()
    if here.chain_id != there.chain_id:
        raise Problem("ledger_wrong_chain", found=there.chain_id, expected=here.chain_id)
    mine, other = _full_headers(here), _full_headers(there)
    blocks = transactions = gas = 0
    for left, right in zip_longest(mine, other):
        number = left.number if left is not None else right.number if right is not None else -1
        for what in ("timestamp", "gas_used", "transactions_root", "receipts_root", "state_root"):
            want, have = (_shown(getattr(header, what, None)) for header in (left, right))
            if want != have:
                raise Problem("ledger_replay_differs", number=number, what=what, expected=want, found=have)
        blocks, gas = blocks + 1, gas + left.gas_used
        transactions += len(here.block(left.number).transactions)
    return Report(blocks, transactions, gas, True, round(time.monotonic() - started, 3))


def _full_headers(ledger: Ledger) -> Iterator[Header]:
    for number in range(1, ledger.head().number + 1):
        header = ledger.header(number)
        if header.transactions_root != EMPTY_ROOT:
            yield header


def _shown(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _same_chain(ledger: Ledger, chain: ChainFacts) -> None:
    if ledger.chain_id != chain.chain_id:
        raise Problem("ledger_wrong_chain", found=ledger.chain_id, expected=chain.chain_id)


def _receipts(ledger: Ledger, raws: Sequence[bytes]) -> list[Receipt]:
    hashes = [keccak(raw) for raw in raws]
    found = ledger.receipts(hashes)
    for key in hashes:
        if key not in found:
            raise Problem("ledger_bad_answer", function="receipt", detail=f"{key.hex()} is not mined")
    return [found[key] for key in hashes]


def _gas_limit(header: bytes) -> bytes:
    limit: bytes = rlp_decode(header)[9]
    return limit
