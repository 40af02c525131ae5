"""A mass pass under attack: a halted obligor, strangers among the leaves, the order in which everybody is paid."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.contracts.shares import NO_CUT, cuts, shares
from tests.contracts.sumtree import SumTree
from tests.contracts.world import Refused, World, member, tag

FACE = 100_003
ROWS = [("supplier 2", 20_001), ("supplier 3", 30_001), ("supplier 4", 10_001)]


def refused(name: str) -> Any:
    return pytest.raises(Refused, match=name)


def mass_pass(world: World) -> tuple[int, int, SumTree]:
    root = world.accepted(face=FACE, least=1)
    tree = SumTree([(member(n), a) for n, a in ROWS])
    return root, world.pass_mass(root, "supplier 1", tree.root, len(ROWS)), tree


def test_a_halt_stops_new_mass_passes_and_not_what_recipients_were_given(world: World) -> None:
    """A halted obligor's paper moves no further, by whatever act; what was passed before stays passed."""
    root, mass, tree = mass_pass(world)
    taken = world.materialise(mass, 0, *ROWS[0], tree.proof(0))
    world.quorum("Members", "halt", "Halt", (member("core"), tag("late")))
    with refused("Receivables_ObligorHalted"):
        world.pass_mass(root, "supplier 1", tree.root, len(ROWS))
    with refused("Receivables_ObligorHalted"):
        world.pass_on(taken, "supplier 2", "supplier 5", 500)
    with refused("Receivables_ObligorHalted"):
        world.finance(world.quote(taken), "supplier 2")
    assert world.note(world.materialise(mass, 1, *ROWS[1], tree.proof(1))).amount == ROWS[1][1]


def test_a_leaf_of_a_stranger_waits_and_harms_nobody(world: World) -> None:
    """An address nobody enrolled may stand in a tree: it takes nothing until it is a member, the others do."""
    root = world.accepted(face=FACE, least=1)
    rows = [("a newcomer", 40_000), ROWS[0]]
    tree = SumTree([(member(n), a) for n, a in rows])
    mass = world.pass_mass(root, "supplier 1", tree.root, 2)
    with refused("ERC7943CannotTransact"):
        world.materialise(mass, 0, *rows[0], tree.proof(0))
    world.materialise(mass, 1, *rows[1], tree.proof(1))
    world.enrol_many([("a newcomer", 900, 2)])
    world.materialise(mass, 0, *rows[0], tree.proof(0))
    assert world.note(mass).amount == 0


def test_the_same_recipient_twice_is_two_leaves_each_taken_once(world: World) -> None:
    root = world.accepted(face=FACE, least=1)
    rows = [ROWS[0], ROWS[0]]
    tree = SumTree([(member(n), a) for n, a in rows])
    mass = world.pass_mass(root, "supplier 1", tree.root, 2)
    first, second = (world.materialise(mass, leaf, *rows[leaf], tree.proof(leaf)) for leaf in (0, 1))
    assert first != second and world.note(mass).amount == 0
    for leaf, other in ((0, 1), (1, 0), (0, 0)):
        with pytest.raises(Refused):
            world.materialise(mass, leaf, *rows[leaf], tree.proof(other))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_who_is_settled_first_gets_no_more(world: World, order: tuple[int, ...]) -> None:
    """Pro-rata rounding with leaves and the rest of a mass pass: two partial rounds, settled in every order."""
    root, mass, tree = mass_pass(world)
    leaf = world.materialise(mass, 1, *ROWS[1], tree.proof(1))
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    weights = {note: world.note(note).amount for note in (root, mass, leaf)}
    path = (root, 0, tag(("mass", root, tree.root)))
    steps = (
        lambda number: world.settle(receivable, number, [root]),
        lambda number: world.settle(receivable, number, [leaf]),
        lambda number: world.do("Receivables", "settleOffered", receivable, number, *path),
    )
    got = dict.fromkeys(weights, 0)
    for number, paid in enumerate((33_334, 17)):
        world.pay(receivable, paid, cuts=(*cuts(weights, paid), NO_CUT, 0))
        for place in order:
            steps[place](number)
            settled = world.events[-1].args
            got[settled["noteId"]] += settled["principal"]
        due = shares(weights, paid)
        weights = {note: weight - due[note] for note, weight in weights.items()}
        assert {note: world.note(note).amount for note in weights} == weights
    assert sum(got.values()) == 33_334 + 17


def test_a_leaf_below_the_smallest_part_is_no_way_around_it(world: World) -> None:
    root = world.accepted(face=FACE, least=1_000)
    rows = [("supplier 2", 999), ("supplier 3", 1_000)]
    tree = SumTree([(member(n), a) for n, a in rows])
    mass = world.pass_mass(root, "supplier 1", tree.root, 2)
    with refused("Receivables_AmountTooSmall"):
        world.materialise(mass, 0, *rows[0], tree.proof(0))
    world.materialise(mass, 1, *rows[1], tree.proof(1))


def test_what_a_round_was_shared_over_is_used_up_as_notes_are_paid(world: World) -> None:
    root, _, _ = mass_pass(world)
    receivable, rest = root >> 192, FACE - sum(amount for _, amount in ROWS)
    world.pay(receivable, FACE)
    world.settle(receivable, 0, [root])
    assert world.see("Receivables", "roundOf", receivable, 0)[2:5] == (FACE, FACE - rest, FACE - rest)
