"""Limits of obligors, groups of obligors and financiers, counted and refused on the ledger itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.contracts.shares import cuts
from tests.contracts.sumtree import SumTree
from tests.contracts.world import DAY, FINANCIER, LIMIT, OBLIGOR, OPERATORS, Refused, World, member, refused

CNY, USD = 156, 840
FACE = 1_000_000_00
NONE = 2**64 - 1


def put(world: World, obligor: str, group: int) -> None:
    world.quorum("Members", "setGroup", "SetGroup", (member(obligor), group))


def limit_group(world: World, group: int, limit: int, currency: int = CNY) -> None:
    world.quorum("Members", "setGroupLimit", "SetGroupLimit", (group, currency, limit))


def limit_financier(world: World, limit: int, currency: int = CNY, who: str = "financier") -> None:
    world.quorum("Members", "setFinancierLimit", "SetFinancierLimit", (member(who), currency, limit))


def owed(world: World, group: int, currency: int = CNY) -> tuple[int, int]:
    return tuple(world.see("Members", "groupExposureOf", group, currency))  # type: ignore[return-value]


def bought(world: World, currency: int = CNY, who: str = "financier") -> tuple[int, int]:
    return tuple(world.see("Members", "financierExposureOf", member(who), currency))  # type: ignore[return-value]


def group_list(world: World, group: int) -> set[str]:
    return set(world.see("Members", "groupList", group))


def test_two_obligors_of_a_group_share_one_ceiling(world: World) -> None:
    put(world, "core", 7)
    put(world, "other core", 7)
    limit_group(world, 7, FACE + 300)
    world.issue("core", face=FACE)
    with refused("Members_GroupLimitExceeded") as caught:
        world.issue("other core", face=301, least=1)
    assert caught.value.facts == (7, FACE + 301, FACE + 300)
    world.issue("other core", face=300, least=1)
    assert owed(world, 7) == (FACE + 300, FACE + 300)
    with refused("Members_GroupLimitExceeded"):
        world.issue("core", face=1, least=0)
    assert owed(world, 8) == (NONE, 0)


@pytest.mark.parametrize("how", ["refuse", "withdraw", "lapse", "pay"])
def test_a_groups_ceiling_is_free_again_when_the_debt_ends(world: World, how: str) -> None:
    put(world, "core", 7)
    limit_group(world, 7, FACE)
    if how == "pay":
        root = world.accepted(face=FACE)
        world.warp(world.terms(root >> 192)["maturity"])
        world.pay(root >> 192, 400, 0, (*cuts({root: FACE}, 400), 0, 0))
        assert owed(world, 7) == (FACE, FACE - 400)  # part of the debt, part of the ceiling
        world.issue(face=400, least=1)
        with refused("Members_GroupLimitExceeded"):
            world.issue(face=1, least=0)
        return
    root = world.issue(face=FACE)
    path = (root >> 192, 0, 0, world.issued[8])
    if how == "refuse":
        world.refuse(path, "supplier 1")
    elif how == "withdraw":
        world.withdraw(path, "core")
    else:
        world.warp(world.now + 6 * DAY)
        world.lapse(path)
    assert owed(world, 7) == (FACE, 0)
    world.issue(face=FACE)


def test_currencies_are_counted_apart_and_an_obligors_own_ceiling_counts_all(world: World) -> None:
    put(world, "core", 7)
    limit_group(world, 7, 500, USD)
    world.issue(face=FACE)  # no ceiling in this currency
    world.issue(face=400, least=1, currency=USD)
    with refused("Members_GroupLimitExceeded"):
        world.issue(face=101, least=1, currency=USD)
    last = world.issue(face=100, least=1, currency=USD)
    assert [world.see("Members", "debtOf", member("core"), code) for code in (CNY, USD, 978)] == [FACE, 500, 0]
    assert world.see("Members", "exposureOf", member("core")) == (LIMIT, FACE + 500)
    world.refuse((last >> 192, 0, 0, world.issued[8]), "supplier 1")
    assert owed(world, 7, USD) == (500, 400)
    assert world.see("Members", "debtOf", member("core"), USD) == 400


def test_the_first_currency_is_chosen_anew_when_nothing_is_owed(world: World) -> None:
    for code in (CNY, USD, CNY):
        root = world.accepted(face=FACE, currency=code)
        assert world.see("Members", "debtOf", member("core"), code) == FACE
        world.warp(world.terms(root >> 192)["maturity"])
        world.pay(root >> 192, FACE)
        assert [world.see("Members", "debtOf", member("core"), one) for one in (CNY, USD)] == [0, 0]


def test_who_joins_or_leaves_takes_its_debts_along(world: World) -> None:
    put(world, "core", 7)
    put(world, "other core", 7)
    world.issue("core", face=FACE)
    world.issue("other core", face=300, least=1)
    assert owed(world, 7)[1] == FACE + 300
    put(world, "core", 8)
    assert (owed(world, 7)[1], owed(world, 8)[1]) == (300, FACE)
    assert group_list(world, 7) == {member("other core").lower()}
    put(world, "core", 8)  # again changes nothing
    assert owed(world, 8)[1] == FACE
    put(world, "other core", 0)
    assert (owed(world, 7)[1], world.see("Members", "groupOf", member("other core"))) == (0, 0)
    limit_group(world, 8, 5)  # below what is used: new debts stop, old ones stay
    with refused("Members_GroupLimitExceeded"):
        world.issue("core", face=1, least=0)
    assert owed(world, 8) == (5, FACE)


def test_a_group_has_room_for_sixty_four(world: World) -> None:
    names = [f"subsidiary {i}" for i in range(65)]
    world.enrol_many([(name, 500 + i, OBLIGOR) for i, name in enumerate(names)])
    for name in names[:64]:
        put(world, name, 9)
    with refused("Members_GroupFull"):
        put(world, names[64], 9)
    limit_group(world, 9, FACE)
    world.issue(names[63], face=FACE)
    put(world, names[10], 0)
    put(world, names[64], 9)
    assert group_list(world, 9) == {member(name).lower() for name in names if name != names[10]}


def test_a_financiers_ceiling_refuses_the_lock(world: World) -> None:
    root = world.accepted(face=FACE)
    limit_financier(world, 1_000)
    first = world.finance(world.quote(root, amount=600, net=598, discount=1, fees=1), "supplier 1")
    assert bought(world) == (1_000, 600)
    with refused("Members_FinancierLimitExceeded"):
        world.finance(world.quote(root, amount=401, net=399, discount=1, fees=1), "supplier 1")
    world.finance(
        world.quote(root, amount=401, net=399, discount=1, fees=1, financier="other financier"),
        "supplier 1",
        "other financier",
    )
    world.finance(world.quote(root, amount=400, net=398, discount=1, fees=1), "supplier 1")
    world.complete(first, net=598)
    assert bought(world) == (1_000, 1_000)
    assert bought(world, who="other financier") == (NONE, 401)
    assert bought(world, USD) == (NONE, 0)


def small(world: World, root: int, amount: int = 1_000) -> int:
    return world.finance(world.quote(root, amount=amount, net=amount - 2, discount=1, fees=1), "supplier 1")


def test_a_lock_that_lapses_or_is_refused_frees_the_ceiling(world: World) -> None:
    root = world.accepted(face=FACE)
    limit_financier(world, 1_000)
    locked = small(world, root)
    world.refuse(_path(world, locked), "financier")
    assert bought(world) == (1_000, 0)
    locked = small(world, root)
    world.warp(world.now + 30 * DAY)
    world.lapse(_path(world, locked))
    assert bought(world) == (1_000, 0)


def _path(world: World, note: int) -> tuple[int, int, int, bytes]:
    event = next(e for e in reversed(world.log) if e.name == "FinancingLocked" and e.args["noteId"] == note)
    return note >> 192, event.args["parentId"], event.args["childIndex"], event.args["quote"][10]


def test_payment_frees_a_financiers_ceiling_pro_rata(world: World) -> None:
    root = world.accepted(face=FACE)
    limit_financier(world, 1_000_00)
    note = small(world, root, 1_000_00)
    world.complete(note, net=1_000_00 - 2)
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    live = {root: FACE - 1_000_00, note: 1_000_00}
    world.pay(receivable, FACE // 2, 0, (*cuts(live, FACE // 2), 0, 0))
    world.settle(receivable, 0, [root, note])
    assert bought(world) == (1_000_00, 500_00)
    world.pay(receivable, FACE // 2)
    world.settle(receivable, 1, [note, root])
    assert bought(world) == (1_000_00, 0)
    assert world.see("Members", "exposureOf", member("core"))[1] == 0


def test_what_is_passed_on_to_another_house_counts_no_more_and_again_when_it_comes_back(world: World) -> None:
    world.enrol_many([("second desk", 30, FINANCIER)])
    root = world.accepted(face=FACE)
    limit_financier(world, 1_000)
    note = small(world, root)
    world.complete(note, net=998)
    for own in ("financier", "second desk"):  # neither to oneself nor to one's own house
        with refused("Receivables_NotIndependent"):
            world.pass_on(note, "financier", own, 400)
    with refused("Receivables_NotMovable"):
        world.pass_many(note, "financier", [("supplier 2", 100), ("supplier 3", 100)])
    with refused("Receivables_NotMovable"):
        world.pass_mass(note, "financier", (5 << 64) | 500, 2)
    on = world.pass_on(note, "financier", "supplier 2", 400)
    assert bought(world) == (1_000, 600)
    limit_financier(world, 700)
    world.refuse((note >> 192, note, 0, _evidence(world, on)), "supplier 2")
    assert bought(world) == (700, 1_000)  # what comes back counts, and no ceiling keeps it out
    again = world.quote(note, amount=500, net=498, discount=1, fees=1, financier="other financier")
    world.finance(again, "financier", "other financier")
    assert bought(world) == (700, 500)
    assert bought(world, who="other financier") == (NONE, 500)


def _evidence(world: World, note: int) -> bytes:
    return next(e.args["evidence"] for e in world.log if e.name == "Passed" and e.args["noteId"] == note)


def test_a_court_order_takes_a_bought_note_off_the_ceiling(world: World) -> None:
    note = small(world, world.accepted(face=FACE))
    world.complete(note, net=998)
    with refused("Receivables_AmountExceeded"):
        world.pass_on(note, "financier", "supplier 2", 1_001)
    world.force(note, "judge")
    assert bought(world) == (NONE, 0)
    with refused("Receivables_AmountExceeded"):
        world.pass_on(note, "financier", "supplier 2", 1)


@pytest.mark.parametrize(
    ("function", "primary", "values"),
    [
        ("setGroup", "SetGroup", (member("core"), 7)),
        ("setGroupLimit", "SetGroupLimit", (7, CNY, 5)),
        ("setFinancierLimit", "SetFinancierLimit", (member("financier"), CNY, 5)),
    ],
)
def test_no_limit_moves_by_one_operator(world: World, function: str, primary: str, values: Sequence[object]) -> None:
    with refused("Members_TooFewSignatures"):
        world.quorum("Members", function, primary, tuple(values), signers=OPERATORS[:1])


def test_limits_of_those_who_cannot_have_them(world: World) -> None:
    with refused("Members_NotObligor"):
        put(world, "supplier 1", 7)
    with refused("Members_NotFinancier"):
        limit_financier(world, 5, who="supplier 1")
    with refused("Members_NoGroup"):
        limit_group(world, 0, 5)
    with refused("Members_NotLedger"):
        world.do("Members", "count", 0, member("core"), CNY, 1)


def test_a_limit_set_to_the_highest_number_is_none(world: World) -> None:
    put(world, "core", 7)
    limit_group(world, 7, 0)
    limit_financier(world, 0)
    with refused("Members_GroupLimitExceeded"):
        world.issue(face=FACE)
    limit_group(world, 7, NONE)
    root = world.accepted(face=FACE)
    with refused("Members_FinancierLimitExceeded"):
        small(world, root)
    limit_financier(world, NONE)
    small(world, root)


def test_an_enrolment_changed_again_keeps_group_and_use(world: World) -> None:
    put(world, "core", 7)
    world.issue(face=FACE)
    world.enrol_many([("core", 10, OBLIGOR)], limit=5)
    assert world.see("Members", "exposureOf", member("core")) == (5, FACE)
    assert world.see("Members", "groupOf", member("core")) == 7
    assert owed(world, 7)[1] == FACE


def test_fifty_issues_of_a_group_and_fifty_locks_never_pass_the_ceilings(world: World) -> None:
    put(world, "core", 7)
    put(world, "other core", 7)
    limit_group(world, 7, 20 * 1_000)
    done = 0
    for number in range(50):
        try:
            world.issue(("core", "other core")[number % 2], face=1_000, least=1)
            done += 1
        except Refused as problem:
            assert problem.name == "Members_GroupLimitExceeded"
    assert (done, owed(world, 7)) == (20, (20_000, 20_000))
    put(world, "core", 0)
    root = world.accepted(face=FACE)
    limit_financier(world, 10 * 1_000)
    locked = 0
    for _ in range(50):
        try:
            small(world, root)
            locked += 1
        except Refused as problem:
            assert problem.name == "Members_FinancierLimitExceeded"
    assert (locked, bought(world)) == (10, (10_000, 10_000))


@pytest.mark.parametrize("kind", ["offered", "locked", "mass", "frozen", "financed", "leaf"])
def test_each_note_that_is_not_simply_held_leaves_the_short_way_of_settlement(world: World, kind: str) -> None:
    """A childless note of a debt paid at once: what is pending or frozen is not paid out as if it were held."""
    root = world.accepted(face=FACE)
    if kind in ("locked", "financed"):
        note = small(world, root)
        if kind == "financed":
            world.complete(note, net=998)
    elif kind in ("mass", "leaf"):
        tree = SumTree([(member("supplier 3"), 500), (member("supplier 4"), 500)])
        note = world.pass_mass(root, "supplier 1", tree.root, 2)
        if kind == "leaf":
            note = world.materialise(note, 0, "supplier 3", 500, tree.proof(0))
    else:
        note = world.pass_on(root, "supplier 1", "supplier 2", 1_000)
        if kind == "frozen":
            world.accept(note, "supplier 2")
            world.freeze(note)
    world.pay(root >> 192, FACE)
    if kind in ("offered", "locked", "mass"):
        with refused("Receivables_NotMovable"):
            world.settle(root >> 192, 0, [note])
        return
    world.settle(root >> 192, 0, [note])
    if kind == "frozen":
        assert (world.note(note).amount, [e.name for e in world.events]) == (1_000, ["SettlementHeld"])
    elif kind == "financed":
        assert (world.note(note).amount, bought(world)) == (0, (NONE, 0))
    else:
        assert world.note(note).tier, "the slot of a leaf is never cleared, so that it cannot be claimed again"
