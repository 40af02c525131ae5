"""The state of the embedded engine equals py-evm's and the general trie's, whatever is done to it in what order."""

from __future__ import annotations

from typing import Any

import pytest
from eth.db.account import AccountDB
from eth.db.atomic import AtomicDB
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from scf.kernel.problems import Problem
from scf.ledger.embedded.accounts import Accounts
from scf.ledger.embedded.evm import NodeStore
from scf.ledger.embedded.store import Connection, NodeReader
from scf.ledger.embedded.trie import lookup, rewrite
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT


def _store() -> NodeStore:
    connection = Connection(":memory:")
    connection.create()
    return NodeStore(NodeReader(connection))


_KEYS = st.one_of(
    st.integers(0, 60).map(lambda number: keccak(bytes((number,)))),
    st.integers(0, 30).map(lambda number: bytes(31) + bytes((number,))),  # long shared paths, short nodes inside others
    st.integers(0, 5).map(lambda number: bytes((number << 4,)) + bytes(31)),
)
_VALUES = st.one_of(st.just(b""), st.binary(min_size=1, max_size=3), st.binary(min_size=30, max_size=80))


@settings(max_examples=300, deadline=None)
@given(batches=st.lists(st.dictionaries(_KEYS, _VALUES, max_size=25), min_size=1, max_size=5))
def test_many_keys_at_once_give_the_root_of_a_general_trie(batches: list[dict[bytes, bytes]]):
    store, root, general, known = _store(), EMPTY_ROOT, HexaryTrie({}), dict[bytes, bytes]()
    for batch in batches:
        root = rewrite(store.node, store.__setitem__, root, batch)
        known |= batch
        for key, value in batch.items():
            general.set(key, value)
        assert root == general.root_hash
        for key, value in known.items():
            assert lookup(store.node, root, key) == value
        assert lookup(store.node, root, keccak(b"absent")) == b""


def test_a_missing_node_is_a_damaged_file():
    store = _store()
    root = rewrite(store.node, store.__setitem__, EMPTY_ROOT, {keccak(bytes((n,))): b"value" * 8 for n in range(40)})
    del store.new[next(key for key in store.new if key != root)]
    with pytest.raises(Problem) as caught:
        for number in range(40):
            lookup(store.node, root, keccak(bytes((number,))))
    assert caught.value.code == "ledger_file_corrupt"


_ADDRESSES = [bytes((number,)) * 20 for number in (1, 2, 3, 4)]
_WHO = st.sampled_from(_ADDRESSES)
_SLOT = st.sampled_from([0, 1, 2, 2**200])
_STEP = st.one_of(
    st.tuples(st.just("set_storage"), _WHO, _SLOT, st.sampled_from([0, 0, 1, 300, 2**256 - 1])),
    st.tuples(st.just("set_balance"), _WHO, st.integers(0, 3)),
    st.tuples(st.just("increment_nonce"), _WHO),
    st.tuples(st.just("set_code"), _WHO, st.sampled_from([b"", b"\x00", b"\x60\x01"])),
    st.tuples(st.just("touch_account"), _WHO),
    st.tuples(st.just("delete_account"), _WHO),
    st.tuples(st.just("create"), _WHO),
    st.tuples(st.sampled_from(["record", "discard", "commit", "lock", "persist"])),
)


class _Both:
    """The same steps on py-evm's state and on ours."""

    def __init__(self) -> None:
        self.sides: list[Any] = [AccountDB(AtomicDB(_store())), Accounts(_store())]
        self.points: list[tuple[Any, Any]] = []

    def step(self, name: str, *arguments: Any) -> None:
        if name == "record":
            self.points.append((self.sides[0].record(), self.sides[1].record()))
        elif name in ("discard", "commit"):
            if self.points:
                for side, point in zip(self.sides, self.points.pop(), strict=True):
                    getattr(side, name)(point)
        elif name in ("lock", "persist"):
            if not self.points:  # both happen only between transactions
                for side in self.sides:
                    side.lock_changes() if name == "lock" else side.persist()
        elif name == "create":
            if not self.sides[0].account_has_code_or_nonce(arguments[0]):
                self.both("delete_storage", *arguments)
                self.both("increment_nonce", *arguments)
        elif name == "delete_account":
            if self.sides[0].account_exists(arguments[0]) and not self.points:
                self.both(name, *arguments)  # as at the end of a transaction
        elif name != "set_storage" or self.sides[0].account_exists(arguments[0]):
            self.both(name, *arguments)

    def both(self, name: str, *arguments: Any) -> None:
        for side in self.sides:
            getattr(side, name)(*arguments)

    def seen(self, side: Any) -> list[Any]:
        return [
            (
                side.account_exists(who),
                side.get_balance(who),
                side.get_nonce(who),
                side.get_code_hash(who),
                side.get_code(who) if side.account_exists(who) else b"",
                [side.get_storage(who, slot) for slot in (0, 1, 2, 2**200)],
            )
            for who in _ADDRESSES
        ]


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(_STEP, min_size=1, max_size=40))
@example(
    steps=[
        ("increment_nonce", _ADDRESSES[0]),
        ("set_storage", _ADDRESSES[0], 1, 300),
        ("persist",),
        ("delete_account", _ADDRESSES[0]),
        ("create", _ADDRESSES[0]),
        ("set_storage", _ADDRESSES[0], 0, 1),
        ("record",),
        ("set_storage", _ADDRESSES[0], 0, 0),
        ("discard",),
    ]
)
def test_any_steps_leave_what_they_leave_in_py_evm(steps: list[tuple[Any, ...]]):
    both = _Both()
    for step in steps:
        both.step(*step)
        assert both.seen(both.sides[1]) == both.seen(both.sides[0])
    while both.points:
        both.step("commit")
    both.step("persist")
    assert both.sides[1].state_root == both.sides[0].state_root
    fresh: Any = Accounts(both.sides[1]._nodes, both.sides[1].state_root)
    assert both.seen(fresh) == both.seen(both.sides[0])


def test_the_value_at_the_start_of_a_transaction_is_known():
    both = _Both()
    who = _ADDRESSES[0]
    both.step("increment_nonce", who)
    both.step("set_storage", who, 1, 5)
    both.step("lock")
    both.step("set_storage", who, 1, 6)
    both.step("record")
    both.step("set_storage", who, 1, 7)
    for side in both.sides:
        assert (side.get_storage(who, 1), side.get_storage(who, 1, from_journal=False)) == (7, 5)
    both.step("discard")
    for side in both.sides:
        assert (side.get_storage(who, 1), side.get_storage(who, 1, from_journal=False)) == (6, 5)
