"""py-evm at Paris rules, driven without its chain database: one virtual machine a block, state nodes from our store.

Paris equals `evmVersion = paris` of the contracts and costs the same gas as London, so that a signed transaction uses
the same gas on every network it may be replayed to. Blocks never use more than half their gas limit: EIP-1559 then
keeps the base fee at zero by itself, and the blocks are valid for any Ethereum client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.vm.chain_context import ChainContext
from eth.vm.execution_context import ExecutionContext
from eth.vm.message import Message
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.exceptions import ValidationError

from scf.ledger.embedded.interpreter import FastVM
from scf.ledger.embedded.store import NodeReader
from scf.ledger.encoding import integer, rlp_decode, rlp_encode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT, EMPTY_UNCLES, bloom_of
from scf.ledger.signing import canonical
from scf.ledger.transactions import Transaction, created_address
from scf.ledger.types import Header

ZERO_ADDRESS = Address(b"\0" * 20)
_vm: Any = FastVM
CALL_GAS = 50_000_000
"""Gas a read-only call may use."""


class RefusedError(Exception):
    """The transaction cannot be part of the block; nothing of it happened."""


class NodeStore(BaseDB):
    """py-evm's view of the nodes: reads from the file, writes into memory until the block is committed."""

    def __init__(self, reader: NodeReader) -> None:
        self.reader = reader
        self.new: dict[bytes, bytes] = {}

    def __getitem__(self, key: bytes) -> bytes:
        body = self.new.get(key)
        if body is None:
            body = self.reader.get(key)
        if body is None:
            raise KeyError(key)
        return body

    def node(self, key: bytes) -> bytes:
        """A node or code that must be there. Raises Problem `ledger_file_corrupt`."""
        body = self.new.get(key)
        return self.reader.need(key) if body is None else body

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.new[key] = value

    def __delitem__(self, key: bytes) -> None:
        self.new.pop(key, None)  # nodes in the file are history and stay

    def _exists(self, key: bytes) -> bool:
        return key in self.new or self.reader.get(key) is not None


@dataclass(frozen=True, slots=True)
class Context:
    """Where in the chain something runs. `ancestors` yields the hashes of the blocks before, newest first."""

    chain_id: int
    number: int
    timestamp: int
    parent_hash: bytes
    state_root: bytes
    gas_limit: int
    ancestors: Iterable[bytes]

    @property
    def mix_hash(self) -> bytes:
        """PREVRANDAO, derived from the parent so that a replay finds the same; contracts must not draw lots with it."""
        return keccak(self.parent_hash)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transaction of a block did. `logs` are (address, topics, data); gas in units."""

    succeeded: bool
    gas_used: int
    cumulative_gas: int
    bloom: int
    logs: tuple[tuple[bytes, tuple[bytes, ...], bytes], ...]
    created: str | None
    revert_data: bytes
    receipt: bytes


class BlockRun:
    """Executes transactions one after the other on top of a state."""

    def __init__(self, store: NodeStore, context: Context) -> None:
        self.context = context
        self.state: Any = _state(store, context)
        self.gas_used = 0
        self.gas_target = context.gas_limit // 2

    def fits(self, transaction: Transaction) -> bool:
        """Whether the block surely stays within its gas target with this transaction."""
        return self.gas_used == 0 or self.gas_used + transaction.gas <= self.gas_target

    def apply(self, transaction: Transaction) -> Outcome:
        """Run one transaction. Raises RefusedError when it may not be included at all."""
        context, state = self.context, self.state
        if transaction.chain_id != context.chain_id:
            raise RefusedError(f"signed for chain {transaction.chain_id}, this is chain {context.chain_id}")
        if transaction.gas > self.gas_target:
            raise RefusedError(f"gas limit {transaction.gas} is above {self.gas_target}")
        expected = state.get_nonce(transaction.sender)
        if transaction.nonce != expected:
            raise RefusedError(f"nonce {transaction.nonce} where {expected} is next")
        if transaction.intrinsic_gas > transaction.gas:
            raise RefusedError(f"gas limit {transaction.gas} is below the base cost {transaction.intrinsic_gas}")
        state.lock_changes()
        try:
            computation = state.apply_transaction(transaction)
        except ValidationError as error:
            raise RefusedError(str(error)) from error
        gas_used = int(_vm.finalize_gas_used(transaction, computation))
        self.gas_used += gas_used
        return self._outcome(transaction, computation, gas_used)

    def _outcome(self, transaction: Transaction, computation: Any, gas_used: int) -> Outcome:
        succeeded = not computation.is_error
        logs = tuple(
            (address, tuple(topic.to_bytes(32, "big") for topic in topics), bytes(data))
            for address, topics, data in computation.get_log_entries()
        )
        bloom = bloom_of(value for address, topics, _ in logs for value in (address, *topics))
        receipt = rlp_encode(
            [
                b"\x01" if succeeded else b"",
                integer(self.gas_used),
                bloom.to_bytes(256, "big"),
                [[address, list(topics), data] for address, topics, data in logs],
            ]
        )
        created = created_address(transaction.sender, transaction.nonce) if succeeded and not transaction.to else None
        return Outcome(
            succeeded=succeeded,
            gas_used=gas_used,
            cumulative_gas=self.gas_used,
            bloom=bloom,
            logs=logs,
            created=created,
            revert_data=b"" if succeeded else bytes(computation.output),
            receipt=bytes((transaction.type_id,)) + receipt if transaction.type_id else receipt,
        )

    def finish(self) -> bytes:
        """Write the changed state into the store's memory and return the new state root."""
        self.state.persist()
        root: bytes = self.state.state_root
        return root


def run_call(
    store: NodeStore, context: Context, *, to: str, data: bytes, sender: str | None, gas: int = CALL_GAS
) -> tuple[bool, bytes, int]:
    """Run a call on a state that is thrown away; returns (succeeded, output, gas used without the base cost)."""
    state: Any = _state(store, context)
    caller = Address(canonical(sender)) if sender else ZERO_ADDRESS
    target = Address(canonical(to)) if to else CREATE_CONTRACT_ADDRESS
    code = state.get_code(target) if to else data
    message = Message(gas=gas, to=target, sender=caller, value=0, data=data if to else b"", code=code)
    frame = state.get_transaction_context_class()(gas_price=0, origin=caller)
    state.mark_address_warm(caller)
    state.mark_address_warm(target)
    computation = state.computation_class.apply_message(state, message, frame)
    return not computation.is_error, bytes(computation.output), gas - computation.get_gas_remaining()


def make_header(
    context: Context, *, state_root: bytes, transactions_root: bytes, receipts_root: bytes, bloom: int, gas_used: int
) -> Header:
    """The block's header; consensus fields as after the merge (EIP-3675), base fee zero."""
    fields = [
        context.parent_hash,
        EMPTY_UNCLES,
        ZERO_ADDRESS,
        state_root,
        transactions_root,
        receipts_root,
        bloom.to_bytes(256, "big"),
        b"",
        integer(context.number),
        integer(context.gas_limit),
        integer(gas_used),
        integer(context.timestamp),
        b"",
        context.mix_hash if context.number else b"\0" * 32,
        b"\0" * 8,
        b"",
    ]
    encoded = rlp_encode(fields)
    return Header(
        number=context.number,
        hash=keccak(encoded),
        parent_hash=context.parent_hash,
        state_root=state_root,
        transactions_root=transactions_root,
        receipts_root=receipts_root,
        timestamp=context.timestamp,
        gas_used=gas_used,
        rlp=encoded,
    )


def genesis_header(chain_id: int, timestamp: int, gas_limit: int) -> Header:
    """Block 0: no accounts, nothing allotted; gas is free, so nobody needs a balance."""
    context = Context(chain_id, 0, timestamp, b"\0" * 32, EMPTY_ROOT, gas_limit, ())
    return make_header(
        context, state_root=EMPTY_ROOT, transactions_root=EMPTY_ROOT, receipts_root=EMPTY_ROOT, bloom=0, gas_used=0
    )


def read_header(encoded: bytes) -> tuple[Header, int]:
    """A stored header and its gas limit."""
    fields = rlp_decode(encoded)
    number = [int.from_bytes(fields[at], "big") for at in (8, 9, 10, 11)]
    header = Header(
        number[0], keccak(encoded), fields[0], fields[3], fields[4], fields[5], number[3], number[2], encoded
    )
    return header, number[1]


def _state(store: NodeStore, context: Context) -> Any:
    execution = ExecutionContext(
        coinbase=ZERO_ADDRESS,
        timestamp=context.timestamp,
        block_number=BlockNumber(context.number),
        difficulty=0,
        mix_hash=Hash32(context.mix_hash),
        gas_limit=context.gas_limit,
        prev_hashes=_Ancestors(context.ancestors),
        chain_id=ChainContext(context.chain_id).chain_id,
        base_fee_per_gas=0,
    )
    return _vm.get_state_class()(AtomicDB(store), execution, context.state_root)


class _Ancestors:
    """Hashes of earlier blocks, read only when BLOCKHASH asks."""

    def __init__(self, source: Iterable[bytes]) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Hash32]:
        return map(Hash32, self._source)
