"""The sum tree of a mass pass: the same words as a second writing of it, and large ones in time and memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from tests.contracts.sumtree import SumTree as Written

from scf.ledger.sumtree import MOST_LEAVES, SumTree


def people(count: int) -> list[tuple[bytes, int]]:
    return [((1 + place).to_bytes(20, "big"), 100 + place % 977) for place in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 100])
def test_the_same_as_written_a_second_time(count: int) -> None:
    rows = people(count)
    tree, other = SumTree(rows), Written([("0x" + to.hex(), amount) for to, amount in rows])
    assert tree.root == other.root
    assert tree.root & (2**64 - 1) == tree.total == sum(amount for _, amount in rows)
    assert [tree.proof(leaf) for leaf in range(count)] == [other.proof(leaf) for leaf in range(count)]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(bytes(20), 0)],
        [(bytes(20), -1)],
        [(bytes(19), 1)],
        [(bytes(20), 2**64)],
        [(bytes(20), 2**63), (bytes(20), 2**63)],
        [(bytes(20), 1)] * (MOST_LEAVES + 1),
    ],
)
def test_no_tree_that_the_contract_would_not_pay(rows: list[tuple[bytes, int]]) -> None:
    with pytest.raises(ValueError):
        SumTree(rows)


def test_no_proof_of_a_leaf_that_is_not_there() -> None:
    for leaf in (-1, 3, 4):
        with pytest.raises(IndexError):
            SumTree(people(3)).proof(leaf)


def test_a_hundred_thousand_recipients_in_seconds() -> None:
    rows = people(100_000)
    started = time.process_time()
    tree = SumTree(rows)
    proofs = [tree.proof(leaf) for leaf in range(0, 100_000, 1_000)]
    spent = time.process_time() - started
    assert {len(proof) for proof in proofs} == {17}
    assert spent < 20  # of the processor; about half a second where nothing else runs


def test_a_tree_keeps_two_words_a_recipient() -> None:
    rows = people(4_096)
    tracemalloc.start()
    tree = SumTree(rows)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert tree.depth == 12
    assert held < 4_096 * 80
