"""A mass pass at full size: one act for all, each claim by itself, at the price of a claim among ten thousand."""

from __future__ import annotations

import pytest
from tests.contracts.chain import Receipts, pyrevm
from tests.contracts.world import World, member, refused

from scf.ledger.sumtree import SumTree

PEOPLE = [f"supplier {i}" for i in range(2, 7)]


def farmers(count: int) -> list[tuple[str, int]]:
    return [(PEOPLE[place % 5], 1_00 + place % 977) for place in range(count)]


def tree_of(rows: list[tuple[str, int]]) -> SumTree:
    return SumTree([(bytes.fromhex(member(name)[2:]), amount) for name, amount in rows])


@pytest.mark.parametrize("count", [10_000, 100_000])
def test_many_recipients_and_each_claim(world: World, count: int) -> None:
    rows = farmers(count)
    tree = tree_of(rows)
    root = world.accepted(face=tree.total + 5)
    mass = world.pass_mass(root, "supplier 1", tree.root, count)
    assert (world.note(mass).amount, world.note(root).amount) == (tree.total, 5)
    claimed = 0
    for leaf in (0, 1, count // 2, count - 2, count - 1):
        name, amount = rows[leaf]
        note = world.materialise(mass, leaf, name, amount, tree.proof(leaf))
        assert world.note(note).amount == amount
        claimed += amount
        with refused("Receivables_NoteExists"):
            world.materialise(mass, leaf, name, amount, tree.proof(leaf))
    for leaf, name, amount, shown in (
        (2, rows[3][0], rows[3][1], tree.proof(3)),  # another's leaf at one's own place
        (2, rows[2][0], rows[2][1] + 1, tree.proof(2)),  # one unit more
        (2, rows[2][0], rows[2][1], tree.proof(2)[:-1]),  # a proof too short
        (2, rows[2][0], rows[2][1], [*tree.proof(2), 0]),  # and too long
        (count, rows[0][0], rows[0][1], tree.proof(0)),  # beyond the last
    ):
        with refused("Receivables_BadProof"):
            world.materialise(mass, leaf, name, amount, shown)
    assert world.note(mass).amount == tree.total - claimed


@pytest.mark.slow
def test_a_claim_among_a_hundred_thousand_costs_no_more() -> None:
    world = World(Receipts())
    rows = farmers(100_000)
    tree = tree_of(rows)
    root = world.accepted(face=tree.total)
    mass = world.pass_mass(root, "supplier 1", tree.root, len(rows))
    assert world.gas <= 120_000
    world.materialise(mass, 77_777, *rows[77_777], tree.proof(77_777))
    assert world.gas <= 90_000
    print(f"materialise one of 100,000: {world.gas:,} gas; pyrevm here: {pyrevm is not None}")
