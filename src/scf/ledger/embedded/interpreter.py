"""A faster loop for py-evm: plain stack operations run on Python integers, everything else stays py-evm's own.

Each code is prepared once: pushes are decoded, jump destinations known, and the gas and stack growth of every straight
run of plain operations summed, so that they are checked once a run. Nothing observable changes: inside such a run no
operation can return, revert, call, store or ask for the remaining gas, and every failure burns all gas of the frame.
A differential test runs both loops on the same code, and another client executes whole chains to the same roots.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from eth._utils.address import generate_contract_address
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.exceptions import FullStack, Halt, InsufficientStack, InvalidJumpDestination, OutOfGas
from eth.vm.computation import NO_RESULT
from eth.vm.forks.paris import ParisVM
from eth.vm.forks.paris.computation import ParisComputation
from eth.vm.forks.paris.state import ParisState, ParisTransactionExecutor
from eth.vm.logic.invalid import InvalidOpcode
from eth.vm.message import Message
from eth.vm.stack import Stack
from eth_typing import Address
from eth_utils.logging import get_extended_debug_logger

from scf.ledger.embedded.accounts import Accounts
from scf.ledger.embedded.plain import PLAIN_OPERATIONS
from scf.ledger.hashing import keccak
from scf.ledger.signing import recover_precompile

_CEILING = 2**256
_STACK_LIMIT = 1024
_ONE = Address(bytes(19) + b"\x01")

Instruction = tuple[int, Any, int, int, int]
"""What to do, its operand, where to go on, and at the start of a run its gas and stack growth."""

_PUSH, _PLAIN, _DUP, _SWAP, _POP, _JUMPDEST, _JUMPI_TO, _JUMP_TO = range(8)
_JUMPI, _JUMP, _MSTORE, _MLOAD, _CALLDATALOAD, _OTHER, _KECCAK, _SLOAD = range(8, 16)
_COLD_SLOT_GAS, _WARM_SLOT_GAS, _KECCAK_WORD_GAS = 2_100, 100, 6


_MOVES = {
    0x20: (_KECCAK, 30, -1),
    0x35: (_CALLDATALOAD, 3, 0),
    0x50: (_POP, 2, -1),
    0x51: (_MLOAD, 3, 0),
    0x52: (_MSTORE, 3, -2),
    0x54: (_SLOAD, 0, 0),
}
"""Those that also read memory, input or storage; what they cost beyond this depends on what they read."""


@lru_cache(maxsize=256)
def prepare(code: bytes) -> list[Instruction | None]:
    """The code as instructions by position; None where push data lies."""
    length = len(code)
    found: list[Instruction | None] = [None] * (length + 1)
    destinations = _destinations(code)
    start, gas, growth, highest = 0, 0, 0, 0

    def close() -> None:
        first = found[start]
        if first is not None and start < length:
            found[start] = (*first[:3], gas, highest)

    at = 0
    while at < length:
        kind, operand, after, cost, change = _instruction(code, at, destinations)
        if kind in (_JUMPDEST, _OTHER) and at != start:
            close()
            start, gas, growth, highest = at, 0, 0, 0
        found[at] = (kind, operand, after, 0, 0)
        gas, growth = gas + cost, growth + change
        # A push that joined its jump was on the stack for a moment, above what the pair leaves behind.
        highest = max(highest, growth + 2 if kind == _JUMPI_TO else growth + 1 if kind == _JUMP_TO else growth)
        at = after
        if kind in (_JUMPI_TO, _JUMP_TO, _JUMPI, _JUMP, _OTHER):
            close()
            start, gas, growth, highest = at, 0, 0, 0
    close()
    found[length] = (_OTHER, 0x00, length + 1, 0, 0)
    return found


def _instruction(code: bytes, at: int, destinations: set[int]) -> tuple[int, Any, int, int, int]:
    """(kind, operand, next position, gas, stack growth) of one instruction; a push before a jump joins it."""
    opcode = code[at]
    if 0x60 <= opcode <= 0x7F:
        size = opcode - 0x5F
        after = at + 1 + size
        value = int.from_bytes(code[at + 1 : after].ljust(size, b"\0"), "big")
        jump = code[after] if after < len(code) else 0
        if jump in (0x56, 0x57) and value in destinations:
            return (_JUMP_TO, value, after + 1, 11, 0) if jump == 0x56 else (_JUMPI_TO, value, after + 1, 13, -1)
        return _PUSH, value, min(after, len(code)), 3, 1
    if opcode in PLAIN_OPERATIONS:
        operation, gas, growth = PLAIN_OPERATIONS[opcode]
        return _PLAIN, operation, at + 1, gas, growth
    if 0x80 <= opcode <= 0x8F:
        return _DUP, -(opcode - 0x7F), at + 1, 3, 1
    if 0x90 <= opcode <= 0x9F:
        return _SWAP, -(opcode - 0x8E), at + 1, 3, 0
    if opcode in _MOVES:
        kind, gas, growth = _MOVES[opcode]
        return kind, None, at + 1, gas, growth
    if opcode == 0x5B:
        return _JUMPDEST, None, at + 1, 1, 0
    if opcode in (0x56, 0x57):
        kind, gas, growth = (_JUMP, 8, -1) if opcode == 0x56 else (_JUMPI, 10, -2)
        return kind, destinations, at + 1, gas, growth
    return _OTHER, opcode, at + 1, 0, 0


def _destinations(code: bytes) -> set[int]:
    found, at = set(), 0
    while at < len(code):
        opcode = code[at]
        if opcode == 0x5B:
            found.add(at)
        at += opcode - 0x5E if 0x60 <= opcode <= 0x7F else 1
    return found


class IntegerStack(Stack):
    """py-evm's stack with integers only, so that no operation converts what another one left."""

    __slots__ = ()

    def push_bytes(self, value: bytes) -> None:
        """Push bytes as the number they are."""
        if len(self.values) >= _STACK_LIMIT:
            raise FullStack("Stack limit reached")
        self.values.append(int.from_bytes(value, "big"))

    def push_int(self, value: int) -> None:
        """Push a number."""
        if len(self.values) >= _STACK_LIMIT:
            raise FullStack("Stack limit reached")
        self.values.append(value)


def _ecrecover(computation: Any) -> Any:
    """Precompile 1 with the same answers and gas as py-evm's, on the fast signature library."""
    computation.consume_gas(3_000, reason="ECRecover Precompile")
    data = bytes(computation.msg.data[:128]).ljust(128, b"\0")
    v = int.from_bytes(data[32:64], "big")
    if v in (27, 28):
        signer = recover_precompile(data[:32], data[64:128] + bytes((v - 27,)))
        if signer is not None:
            computation.output = signer.rjust(32, b"\0")
    return computation


_PRECOMPILES: dict[Address, Any] = {**ParisComputation._precompiles, _ONE: _ecrecover}


class FastComputation(ParisComputation):
    """py-evm's computation of the Paris fork with the loop of this module."""

    _precompiles = _PRECOMPILES

    def __init__(self, state: Any, message: Any, transaction_context: Any) -> None:
        super().__init__(state, message, transaction_context)
        self._stack = IntegerStack()

    @classmethod
    def apply_computation(
        cls, state: Any, message: Any, transaction_context: Any, parent_computation: Any = None
    ) -> Any:
        """See py-evm; the steps before the loop are those of its base class."""
        with cls(state, message, transaction_context) as computation:
            if computation.is_origin_computation:
                computation.contracts_created = []
            if parent_computation is not None:
                computation.contracts_created = parent_computation.contracts_created
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            precompile = computation.precompiles.get(message.code_address, NO_RESULT)
            if precompile is not NO_RESULT:
                if not message.is_delegation:
                    precompile(computation)
                return computation
            if message.code:
                try:
                    _run(computation, message.code, message.data)
                except IndexError as error:
                    raise InsufficientStack("Not enough stack items") from error
        return computation


def _run(computation: Any, code: bytes, data: bytes) -> None:
    program: list[Any] = prepare(bytes(code))
    stack: list[int] = computation._stack.values
    memory = computation._memory
    meter = computation._gas_meter
    opcodes = computation.opcodes
    stream = computation.code
    state, address = computation.state._account_db, computation.msg.storage_address
    push, pop = stack.append, stack.pop
    gas: int = meter.gas_remaining
    at = 0
    while True:
        kind, operand, after, cost, growth = program[at]
        if cost:
            gas -= cost
            if gas < 0:
                raise OutOfGas("Out of gas")
            if len(stack) + growth > _STACK_LIMIT:
                raise FullStack("Stack limit reached")
        at = after
        if kind == _PUSH:
            push(operand)
        elif kind == _PLAIN:
            operand(stack)
        elif kind == _DUP:
            push(stack[operand])
        elif kind == _SWAP:
            stack[-1], stack[operand] = stack[operand], stack[-1]
        elif kind == _POP:
            pop()
        elif kind == _JUMPI_TO:
            if pop():
                at = operand
        elif kind == _JUMPDEST:
            pass
        elif kind == _JUMP_TO:
            at = operand
        elif kind == _JUMP:
            at = pop()
            if at not in operand:
                raise InvalidJumpDestination("Invalid Jump Destination")
        elif kind == _OTHER:
            meter.gas_remaining = gas
            stream.program_counter = at
            try:
                (opcodes.get(operand) or InvalidOpcode(operand))(computation=computation)
            except Halt:
                return
            gas = meter.gas_remaining
        elif kind == _SLOAD:
            slot = stack[-1]
            if state.is_storage_warm(address, slot):
                gas -= _WARM_SLOT_GAS
            else:
                state.mark_storage_warm(address, slot)
                gas -= _COLD_SLOT_GAS
            if gas < 0:
                raise OutOfGas("Out of gas")
            stack[-1] = state.get_storage(address, slot)
        elif kind == _KECCAK:
            place, size = pop(), stack[-1]
            if size and place + size > len(memory._bytes):
                meter.gas_remaining = gas
                computation.extend_memory(place, size)
                gas = meter.gas_remaining
            gas -= _KECCAK_WORD_GAS * ((size + 31) // 32)
            if gas < 0:
                raise OutOfGas("Out of gas")
            stack[-1] = int.from_bytes(keccak(bytes(memory._bytes[place : place + size])), "big")
        elif kind in (_MSTORE, _MLOAD):
            if stack[-1] + 32 > len(memory._bytes):
                meter.gas_remaining = gas
                computation.extend_memory(stack[-1], 32)
                gas = meter.gas_remaining
            _memory_word(stack, memory, kind == _MLOAD)
        elif kind == _CALLDATALOAD:
            place = stack[-1]
            stack[-1] = int.from_bytes(bytes(data[place : place + 32]).ljust(32, b"\0"), "big")
        else:
            target, condition = pop(), pop()
            if condition:
                if target not in operand:
                    raise InvalidJumpDestination("Invalid Jump Destination")
                at = target


def _memory_word(stack: list[int], memory: Any, load: bool) -> None:
    """Load or store 32 bytes of memory that is already there."""
    place = stack.pop()
    if load:
        stack.append(int.from_bytes(memory._bytes[place : place + 32], "big"))
    else:
        memory._bytes[place : place + 32] = stack.pop().to_bytes(32, "big")


class FastExecutor(ParisTransactionExecutor):
    """py-evm's executor, which spells out every transaction for a log that nobody reads, without that text."""

    def build_evm_message(self, transaction: Any) -> Message:
        """See py-evm (London): gas is bought, the nonce moves on, and the call or creation is described."""
        state = self.vm_state
        state.delta_balance(transaction.sender, -transaction.gas * state.get_gas_price(transaction))
        state.increment_nonce(transaction.sender)
        creates = transaction.to == CREATE_CONTRACT_ADDRESS
        created: Any = None
        if creates:
            nonce = state.get_nonce(transaction.sender) - 1
            created = generate_contract_address(transaction.sender, nonce)
        return Message(
            gas=transaction.gas - transaction.intrinsic_gas,
            to=transaction.to,
            sender=transaction.sender,
            value=transaction.value,
            data=b"" if creates else transaction.data,
            code=transaction.data if creates else state.get_code(transaction.to),
            create_address=created,
        )


class FastState(ParisState):
    """State of the Paris fork whose code runs in the loop of this module."""

    computation_class = FastComputation
    transaction_executor_class = FastExecutor
    account_db_class = Accounts
    logger = get_extended_debug_logger("scf.ledger.embedded")

    def delta_balance(self, address: Address, delta: int) -> None:
        """Change a balance; no change leaves no trace, because an empty account would be cleared again (EIP-161)."""
        if delta:
            super().delta_balance(address, delta)


class FastVM(ParisVM):
    """The Paris fork with the loop of this module."""

    _state_class = FastState


def instructions(code: bytes) -> Iterator[Instruction]:
    """The prepared instructions in order, for tests."""
    return (item for item in prepare(code) if item is not None)
