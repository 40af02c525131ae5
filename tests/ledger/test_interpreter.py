"""The fast loop does exactly what py-evm's own does: result, gas, memory, storage and failure, for any code."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from eth.vm.forks.paris import ParisVM
from eth.vm.forks.paris.computation import ParisComputation
from eth.vm.forks.paris.state import ParisState
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.ledger.chains import KEYS

from scf.ledger.embedded import evm
from scf.ledger.embedded.evm import Context, NodeStore
from scf.ledger.embedded.interpreter import FastComputation
from scf.ledger.encoding import rlp_decode, rlp_encode
from scf.ledger.merkle import EMPTY_ROOT
from scf.ledger.signing import sign_digest


class _NoNodes:
    def get(self, key: bytes) -> None:
        return None

    def remember(self, key: bytes, body: bytes) -> None:
        pass


def _run(vm: Any, code: bytes, data: bytes, gas: int) -> tuple[Any, ...]:
    kept, evm._vm = evm._vm, vm
    reader: Any = _NoNodes()
    store = NodeStore(reader)
    context = Context(5, 9, 1_700_000_000, b"\x01" * 32, EMPTY_ROOT, 10**9, ())
    try:
        state = evm._state(store, context)
    finally:
        evm._vm = kept
    from eth.vm.message import Message
    from eth_typing import Address

    me = Address(b"\x11" * 20)
    state.set_code(me, code)
    message = Message(gas=gas, to=me, sender=Address(b"\x22" * 20), value=0, data=data, code=code)
    frame = state.get_transaction_context_class()(gas_price=0, origin=Address(b"\x22" * 20))
    result = state.computation_class.apply_message(state, message, frame)
    state.persist()
    return (
        result.is_error,
        bytes(result.output),
        result.get_gas_remaining(),
        result.get_gas_refund() if not result.is_error else 0,
        result.get_log_entries(),
        state.state_root,
        bytes(result._memory._bytes) if not result.is_error else b"",
    )


@pytest.fixture(scope="module")
def both() -> Any:
    class PlainState(ParisState):
        computation_class = ParisComputation

    class PlainVM(ParisVM):
        _state_class = PlainState

    assert evm._vm.get_state_class().computation_class is FastComputation

    def compare(code: bytes, data: bytes = b"", gas: int = 200_000) -> tuple[Any, ...]:
        fast = _run(evm._vm, code, data, gas)
        assert fast == _run(PlainVM, code, data, gas)
        return fast

    return compare


_NUMBERS = st.one_of(
    st.integers(0, 40),
    st.integers(0, 2**256 - 1),
    st.sampled_from([2**255, 2**255 - 1, 2**256 - 1, 2**160, 255, 256, 257, 2**64]),
)
_SIMPLE = st.sampled_from(
    [*range(0x01, 0x0C), *range(0x10, 0x1E), 0x50, 0x58, 0x59, 0x5A, 0x35, 0x51, 0x52, 0x53, 0x20]
)
_STEPS = st.one_of(
    _NUMBERS.map(lambda number: b"\x7f" + number.to_bytes(32, "big")),
    st.integers(0, 255).map(lambda number: bytes((0x60, number))),
    _SIMPLE.map(lambda opcode: bytes((opcode,))),
    st.integers(0x80, 0x9F).map(lambda opcode: bytes((opcode,))),
    st.sampled_from([b"\x5b", b"\x54", b"\x55", b"\x60\x01\x56", b"\x30", b"\x33", b"\x36", b"\x42", b"\x44", b"\xa0"]),
)


@settings(max_examples=250, deadline=None)
@given(steps=st.lists(_STEPS, min_size=1, max_size=60), data=st.binary(max_size=70), gas=st.integers(0, 60_000))
def test_any_sequence_of_operations(both: Any, steps: list[bytes], data: bytes, gas: int):
    prelude = b"".join(b"\x60" + bytes((n,)) for n in range(5))
    both(prelude + b"".join(steps) + b"\x60\x20\x60\x00\xf3", data, gas)


@settings(max_examples=250, deadline=None)
@given(code=st.binary(min_size=1, max_size=90), gas=st.integers(0, 30_000))
@example(code=b"\x60", gas=100)
@example(code=b"\x7f\x01", gas=100)
@example(code=b"\x60\x03\x56\x5b", gas=100)
@example(code=b"\x60\x05\x56\x60\x5b", gas=100)
@example(code=b"\x60\x01\x60\x06\x57\x5b\x5b", gas=100)
@example(code=b"\x56", gas=100)
def test_any_bytes_at_all(both: Any, code: bytes, gas: int):
    both(code, b"\x01" * 40, gas)


@pytest.mark.parametrize("pushes", [1_020, 1_023, 1_024, 1_025])
@pytest.mark.parametrize("tail", [b"", b"\x80", b"\x5b\x80", b"\x50\x80\x80", b"\x30", b"\x58\x58"])
def test_the_stack_is_as_deep_as_it_should_be(both: Any, pushes: int, tail: bytes):
    both(b"\x60\x01" * pushes + tail + b"\x00")


@pytest.mark.parametrize("gas", [0, 1, 2, 3, 5, 8, 9, 10, 13, 16, 17, 18, 19, 20, 21, 22, 30])
def test_gas_runs_out_at_the_same_place(both: Any, gas: int):
    both(bytes.fromhex("6001600a576000600056005b600052"), gas=gas)
    both(bytes.fromhex("60016002015a6000526020600020600055"), gas=gas + 60)


def test_a_loop_of_jumps(both: Any):
    code = bytes.fromhex("60ff5b600190038060025700")
    assert not both(code)[0]


def test_signature_recovery_inside_the_machine(both: Any):
    digest = b"\x07" * 32
    good = sign_digest(KEYS[0], digest)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = good[:32] + (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + bytes((55 - good[64],))
    # copy the call data to memory, call precompile 1 with it, return 32 bytes
    code = bytes.fromhex("36600060003760206080600036600060006001620f4240f15060206080f3")
    for signature in (
        good,
        high,
        bytes(64) + b"\x1b",
        good[:64] + b"\x00",
        b"\xff" * 64 + b"\x1c",
        good[:64] + b"\x1d",
    ):
        data = digest + bytes(31) + signature[64:] + signature[:64]
        for cut in (len(data), 100, 64, 0):
            both(data=data[:cut], code=code)


@settings(max_examples=100, deadline=None)
@given(
    item=st.recursive(
        st.one_of(st.binary(max_size=70), st.binary(min_size=250, max_size=300)),
        lambda inner: st.lists(inner, max_size=6),
        max_leaves=20,
    )
)
def test_rlp_equals_the_librarys(item: Any):
    encoded = rlp_encode(item)
    assert encoded == rlp.encode(item)
    assert rlp_decode(encoded) == _lists(rlp.decode(encoded))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=80))
@example(data=b"\x81\x05")
@example(data=b"\xb8\x01\x05")
@example(data=b"\xb9\x00\x38" + b"\x01" * 56)
@example(data=b"\xf8\x01\x05")
@example(data=b"\xc2\x83")
def test_rlp_refuses_what_the_library_refuses(data: bytes):
    try:
        expected = _lists(rlp.decode(data))
    except rlp.DecodingError:
        with pytest.raises(ValueError, match="RLP"):
            rlp_decode(data)
    else:
        assert rlp_decode(data) == expected


def _lists(item: Any) -> Any:
    return item if isinstance(item, bytes) else [_lists(part) for part in item]
