"""Issue, offers, passes, financing, payment, court orders: what each act does and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contracts import signing
from tests.contracts.shares import cuts, shares
from tests.contracts.sumtree import SumTree
from tests.contracts.world import (
    BLACKLISTED,
    DAY,
    FINANCED,
    FROZEN,
    HOUR,
    LEAF,
    LIMIT,
    LOCKED,
    MASS,
    NO_CUT,
    NOBODY,
    OFFERED,
    RECOURSE,
    SUSPENDED,
    ZERO,
    World,
    member,
    note_id,
    refused,
    tag,
)

FACE = 1_000_000_00


def path(world: World, root: int) -> tuple[int, int, int, bytes]:
    return root >> 192, 0, 0, world.issued[8]


# ---------------------------------------------------------------------- issue


def test_issue_makes_an_offer_and_uses_the_limit(world: World) -> None:
    root = world.issue()
    note = world.note(root)
    assert (note.holder, note.amount, note.tier, note.flags) == (member("supplier 1"), FACE, 1, OFFERED)
    assert note.children == 5 * 24  # hours
    terms = world.terms(root >> 192)
    assert (terms["status"], terms["face"], terms["outstanding"], terms["maxTier"]) == (1, FACE, FACE, 6)
    assert terms["minAmount"] == 1_00
    assert terms["currency"] == 156
    assert terms["maturity"] == world.issued[4]
    assert world.see("Members", "exposureOf", member("core")) == (LIMIT, FACE)
    assert world.see("Receivables", "receivableOf", world.issued[7]) == root >> 192
    assert root == note_id(root >> 192, 0, 0, world.issued[8])
    assert world.see("Receivables", "slotOf", root) == root >> 192
    assert world.see("Receivables", "balanceOf", root) == FACE
    assert world.see("Receivables", "ownerOf", root).lower() == member("supplier 1").lower()
    assert world.see("Receivables", "valueDecimals") == 2
    assert world.see("Receivables", "noteIdOf", root >> 192, 0, 0, world.issued[8]) == root
    assert world.see("Receivables", "receivableCount") == root >> 192
    event = world.events[-1]
    assert event.args["offerUntil"] == world.issued[9]
    assert event.args["noteId"] == root


@pytest.mark.parametrize(
    "change",
    [
        {"face": 0},
        {"least": FACE + 1},
        {"max_tier": 0},
        {"max_tier": 251},
        {"fingerprint": ZERO},
        {"creditor": "core"},
        {"currency": 0},
        {"maturity": 2**32},
    ],
)
def test_terms_that_make_no_debt(world: World, change: dict) -> None:
    with refused("Receivables_BadTerms"):
        world.issue(**change)


def test_maturity_and_offer_must_lie_ahead(world: World) -> None:
    with refused("Receivables_BadTerms"):
        world.issue(maturity=world.now)
    for offer in (world.now, world.now + HOUR + 1, world.now + 91 * DAY):
        with refused("Receivables_BadOffer"):
            world.issue(offer_until=offer)
    with refused("Receivables_BadOffer"):  # hours after issue fit 16 bits
        world.issue(maturity=world.now + 70_000 * HOUR, offer_until=world.now + 65_536 * HOUR)
    world.issue(maturity=world.now + 70_000 * HOUR, offer_until=world.now + 65_535 * HOUR)
    world.issue(offer_until=world.now + 90 * DAY, face=1, least=1, max_tier=250)


def test_signature_of_the_obligor_in_time(world: World) -> None:
    with refused("NotAuthorised"):
        world.issue(by="supplier 1")
    with refused("SignatureExpired"):
        world.issue(deadline=world.now - 1)
    world.issue(deadline=world.now)


def test_only_an_obligor_issues_and_only_to_members(world: World) -> None:
    with refused("ERC7943CannotTransact"):
        world.issue(obligor="supplier 2")
    with refused("ERC7943CannotTransact"):
        world.issue(creditor="a stranger")
    world.standing("supplier 1", BLACKLISTED)
    with refused("ERC7943CannotTransact"):
        world.issue()
    world.standing("supplier 1", 0)
    world.standing("core", SUSPENDED)
    with refused("ERC7943CannotTransact"):
        world.issue()


def test_the_limit_holds_to_the_cent(world: World) -> None:
    world.quorum("Members", "setLimit", "SetLimit", (member("core"), 2 * FACE))
    world.issue()
    with refused("Members_LimitExceeded"):
        world.issue(face=FACE + 1)
    world.issue(face=FACE)
    world.quorum("Members", "setLimit", "SetLimit", (member("core"), 1))
    assert world.see("Members", "exposureOf", member("core")) == (1, 2 * FACE)
    with refused("Members_LimitExceeded"):
        world.issue(face=1, least=0)


def test_one_receivable_a_fingerprint_until_it_is_cancelled(world: World) -> None:
    root = world.issue(fingerprint=tag("invoice 7"))
    with refused("Receivables_FingerprintTaken"):
        world.issue(obligor="other core", fingerprint=tag("invoice 7"))
    world.issued = (*world.issued[:8], tag("document 7"), *world.issued[9:])
    again = world.issue(document=tag("other"), fingerprint=tag("invoice 8"))
    world.refuse((again >> 192, 0, 0, tag("other")), "supplier 1", tag("never delivered"))
    assert world.see("Receivables", "receivableOf", tag("invoice 8")) == 0
    assert world.terms(again >> 192)["status"] == 4
    assert world.terms(again >> 192)["outstanding"] == 0
    assert world.see("Members", "exposureOf", member("core"))[1] == FACE
    with refused("AlreadyUsed"):  # signed no later than the cancelled one
        world.issue(fingerprint=tag("invoice 8"))
    third = world.issue(fingerprint=tag("invoice 8"), deadline=world.soon + 1)
    assert world.see("Receivables", "receivableOf", tag("invoice 8")) == third >> 192
    assert root != third


# ---------------------------------------------------------------------- accept, refuse, withdraw, lapse


def test_accepting_makes_it_live_once(world: World) -> None:
    root = world.issue()
    with refused("NotAuthorised"):
        world.accept(root, "supplier 2")
    world.accept(root, "supplier 1")
    assert world.terms(root >> 192)["status"] == 2
    assert world.note(root).flags == 0
    assert world.note(root).children == 0
    with refused("Receivables_NotOffered"):
        world.accept(root, "supplier 1")
    with refused("Receivables_UnknownNote"):
        world.accept(12345, "supplier 1")


def test_an_offer_ends_at_its_hour(world: World) -> None:
    root = world.issue(offer_until=world.now + 2 * HOUR)
    where = path(world, root)
    world.warp(world.now + 2 * HOUR - 1)
    with refused("Receivables_OfferOpen"):
        world.lapse(where)
    with world.chain.scratch():
        world.accept(root, "supplier 1")
    world.warp(world.now + 1)
    with refused("Receivables_OfferClosed"):
        world.accept(root, "supplier 1")
    world.lapse(where)
    assert world.terms(root >> 192)["status"] == 4
    assert world.note(root).amount == 0
    assert world.see("Members", "exposureOf", member("core"))[1] == 0
    with refused("Receivables_NotOffered"):
        world.lapse(where)


def test_the_obligor_may_withdraw_an_unaccepted_issue_only(world: World) -> None:
    root = world.issue()
    where = path(world, root)
    with refused("NotAuthorised"):
        world.withdraw(where, "supplier 1")
    with world.chain.scratch():
        world.withdraw(where, "core")
        assert world.terms(root >> 192)["status"] == 4
    world.accept(root, "supplier 1")
    with refused("Receivables_NotOffered"):
        world.withdraw(where, "core")


def test_a_pass_is_offered_and_comes_back_when_refused(world: World) -> None:
    root = world.accepted()
    child = world.pass_on(root, "supplier 1", "supplier 2", 300)
    where = (root >> 192, root, 0, tag(("hop", root, 300, "supplier 2")))
    assert world.note(child) == replace(world.note(child), amount=300, tier=2, flags=OFFERED, children=5 * 24)
    assert world.note(root).amount == FACE - 300
    assert world.note(root).children == 1
    with refused("NotAuthorised"):
        world.refuse(where, "supplier 1")
    with refused("NotAuthorised"):
        world.withdraw(where, "supplier 2")
    world.refuse(where, "supplier 2", tag("not mine"))
    assert world.events[-1].args["cause"] == 1
    assert world.note(root).amount == FACE
    gone = world.note(child)
    assert (gone.holder, gone.amount, gone.flags) == (member("supplier 2"), 0, 0)
    with refused("Receivables_NotOffered"):
        world.refuse(where, "supplier 2")
    with refused("Receivables_NotOffered"):
        world.accept(child, "supplier 2")
    again = world.pass_on(root, "supplier 1", "supplier 2", 300)
    assert again != child


def test_withdraw_and_lapse_of_a_pass(world: World) -> None:
    root = world.accepted()
    world.pass_on(root, "supplier 1", "supplier 2", 300, evidence=tag(1))
    world.withdraw((root >> 192, root, 0, tag(1)), "supplier 1")
    assert world.events[-1].args["cause"] == 2
    assert world.note(root).amount == FACE
    world.pass_on(root, "supplier 1", "supplier 2", 300, evidence=tag(1))
    world.warp(world.now + 5 * DAY)
    world.lapse((root >> 192, root, 1, tag(1)))
    assert world.events[-1].args["cause"] == 3
    assert world.note(root).amount == FACE
    with refused("Receivables_UnknownNote"):
        world.lapse((root >> 192, root, 1, tag(2)))


def test_one_signature_accepts_many_of_one_holder(world: World) -> None:
    root = world.accepted()
    mine = [world.pass_on(root, "supplier 1", "supplier 2", 100 + i) for i in range(3)]
    other = world.pass_on(root, "supplier 1", "supplier 3", 200)
    with refused("Receivables_OtherHolder"):
        world.accept_many([*mine, other], "supplier 2")
    with refused("Receivables_LengthMismatch"):
        world.accept_many([], "supplier 2")
    with refused("NotAuthorised"):
        world.accept_many(mine, "supplier 3")
    world.accept_many(mine, "supplier 2")
    assert [world.note(n).flags for n in mine] == [0, 0, 0]


def test_a_blacklisted_recipient_cannot_accept_but_can_refuse(world: World) -> None:
    root = world.accepted()
    child = world.pass_on(root, "supplier 1", "supplier 2", 300, evidence=tag(1))
    world.standing("supplier 2", BLACKLISTED)
    with refused("ERC7943CannotTransact"):
        world.accept(child, "supplier 2")
    with refused("ERC7943CannotTransact"):
        world.accept_many([child], "supplier 2")
    world.refuse((root >> 192, root, 0, tag(1)), "supplier 2")


# ---------------------------------------------------------------------- pass


def test_acting_on_an_offer_accepts_it(world: World) -> None:
    root = world.issue()
    child = world.pass_on(root, "supplier 1", "supplier 2", 500)
    assert [e.name for e in world.events] == ["Accepted", "Passed"]
    assert world.terms(root >> 192)["status"] == 2
    assert world.note(root).flags == 0
    assert world.note(root).children == 1
    world.pass_on(child, "supplier 2", "supplier 3", 400)
    assert world.note(child).flags == 0
    assert world.note(child).amount == 100
    late = world.pass_on(root, "supplier 1", "supplier 2", 500)
    world.warp(world.now + 5 * DAY)
    with refused("Receivables_OfferClosed"):
        world.pass_on(late, "supplier 2", "supplier 3", 400)


def test_a_pass_goes_by_the_holders_key_alone(world: World) -> None:
    root = world.accepted()
    for direct in (False, True):
        with refused("NotAuthorised"):
            world.pass_on(root, "supplier 2", "supplier 3", 500, direct=direct)
    world.pass_on(root, "supplier 1", "supplier 3", 500, direct=True)
    with refused("NotAuthorised"):
        world.pass_on(99, "supplier 1", "supplier 3", 500, index=0)
    with refused("SignatureExpired"):
        world.pass_on(root, "supplier 1", "supplier 3", 500, deadline=world.now - 1)
    with refused("SignatureExpired"):
        world.pass_on(root, "supplier 1", "supplier 3", 500, deadline=world.now - 1, direct=True)
    world.pass_on(root, "supplier 1", "supplier 3", 500, deadline=world.now)


def test_amounts_indices_and_depth_of_a_pass(world: World) -> None:
    root = world.accepted(max_tier=2, least=100)
    with refused("Receivables_AmountExceeded"):
        world.pass_on(root, "supplier 1", "supplier 2", FACE + 1)
    with refused("Receivables_AmountTooSmall"):
        world.pass_on(root, "supplier 1", "supplier 2", 99)
    with refused("Receivables_AmountTooSmall"):
        world.pass_on(root, "supplier 1", "supplier 2", 0)
    child = world.pass_on(root, "supplier 1", "supplier 2", 100)
    for index in (0, 2):
        with refused("Receivables_WrongChildIndex"):
            world.pass_on(root, "supplier 1", "supplier 2", 100, index=index)
    with refused("Receivables_TooDeep"):
        world.pass_on(child, "supplier 2", "supplier 3", 100)
    whole = world.pass_on(root, "supplier 1", "supplier 2", FACE - 100)
    assert world.note(root).amount == 0
    assert world.note(whole).amount == FACE - 100
    with refused("Receivables_AmountExceeded"):
        world.pass_on(root, "supplier 1", "supplier 2", 100)


def test_without_a_smallest_amount_zero_is_still_nothing(world: World) -> None:
    root = world.accepted(least=0)
    with refused("Receivables_AmountTooSmall"):
        world.pass_on(root, "supplier 1", "supplier 2", 0)
    world.pass_on(root, "supplier 1", "supplier 2", 1)
    for least in (127, 128, 129):
        other = world.accepted(least=least)
        with refused("Receivables_AmountTooSmall"):
            world.pass_on(other, "supplier 1", "supplier 2", least - 1)
        world.pass_on(other, "supplier 1", "supplier 2", least)


def test_a_pass_to_oneself_is_no_offer(world: World) -> None:
    root = world.accepted()
    child = world.pass_on(root, "supplier 1", "supplier 1", 500)
    assert world.events[-1].args["offerUntil"] == 0
    assert world.note(child).flags == 0
    assert world.note(child).children == 0
    world.pass_on(child, "supplier 1", "supplier 2", 500)


def test_times_of_a_pass(world: World) -> None:
    root = world.accepted()
    maturity = world.terms(root >> 192)["maturity"]
    for until in (world.now, world.now + HOUR + 1, maturity + HOUR):
        with refused("Receivables_BadOffer"):
            world.pass_on(root, "supplier 1", "supplier 2", 500, until=until)
    world.pass_on(root, "supplier 1", "supplier 2", 500, until=maturity)
    world.warp(maturity - 1)
    world.pass_on(root, "supplier 1", "supplier 2", 500, until=maturity)
    world.warp(maturity)
    for to in ("supplier 1", "supplier 2"):
        with refused("Receivables_Matured"):
            world.pass_on(root, "supplier 1", to, 500, until=maturity)
        with refused("Receivables_Matured"):
            world.pass_many(root, "supplier 1", [(to, 500)], until=maturity)


def test_standing_of_both_sides_and_of_the_obligor(world: World) -> None:
    root = world.accepted()
    for name in ("supplier 1", "supplier 2"):
        for standing in (SUSPENDED, BLACKLISTED):
            world.standing(name, standing)
            for direct in (True, False):
                with refused("ERC7943CannotTransact"):
                    world.pass_on(root, "supplier 1", "supplier 2", 500, direct=direct)
                with refused("ERC7943CannotTransact"):
                    world.pass_many(root, "supplier 1", [("supplier 2", 500)], direct=direct)
        world.standing(name, 0)
    with refused("ERC7943CannotTransact"):
        world.pass_on(root, "supplier 1", "a stranger", 500)
    world.quorum("Members", "halt", "Halt", (member("core"), tag("why")))
    with refused("Receivables_ObligorHalted"):
        world.pass_on(root, "supplier 1", "supplier 2", 500)
    with refused("Receivables_ObligorHalted"):
        world.pass_many(root, "supplier 1", [("supplier 2", 500)])
    with refused("Receivables_ObligorHalted"):
        world.issue()
    with refused("Receivables_ObligorHalted"):
        world.finance(world.quote(root), "supplier 1")
    world.quorum("Members", "cure", "Cure", (member("core"), tag("why")))
    world.pass_on(root, "supplier 1", "supplier 2", 500)


def test_pass_many_is_the_same_as_one_by_one(world: World) -> None:
    root = world.accepted()
    rows = [(f"supplier {i}", 100 * i) for i in range(2, 6)] + [("supplier 1", 700)]
    notes = world.pass_many(root, "supplier 1", rows)
    assert [e.args["noteId"] for e in world.events] == notes
    assert [world.note(n).amount for n in notes] == [a for _, a in rows]
    assert [world.note(n).flags for n in notes] == [OFFERED] * 4 + [0]
    assert world.note(root).amount == FACE - sum(a for _, a in rows)
    assert world.note(root).children == 5
    with refused("NotAuthorised"):
        world.pass_many(root, "supplier 2", rows)
    with refused("NotAuthorised"):
        world.pass_many(root, "supplier 2", rows, direct=True)
    with refused("Receivables_LengthMismatch"):
        world.pass_many(root, "supplier 1", [])
    with refused("Receivables_AmountExceeded"):
        world.pass_many(root, "supplier 1", [("supplier 2", FACE // 2 + 1)] * 2)
    values = (root, 5, [member("supplier 2")], [100], [tag(1), tag(2)], world.offer_time(), world.soon)
    with refused("Receivables_LengthMismatch"):
        world.do("Receivables", "passMany", values, world.sign("supplier 1", "Receivables", "PassMany", values))
    values = (root, 5, [member("supplier 2")], [100, 100], [tag(1)], world.offer_time(), world.soon)
    with refused("Receivables_LengthMismatch"):
        world.do("Receivables", "passMany", values, world.sign("supplier 1", "Receivables", "PassMany", values))
    for index in (4, 6):
        values = (root, index, [member("supplier 2")], [100], [tag(1)], world.offer_time(), world.soon)
        with refused("Receivables_WrongChildIndex"):
            world.do("Receivables", "passMany", values, world.sign("supplier 1", "Receivables", "PassMany", values))
    values = (root, 5, [member("supplier 2")], [100], [tag(1)], world.offer_time(), world.now - 1)
    with refused("SignatureExpired"):
        world.do("Receivables", "passMany", values, world.sign("supplier 1", "Receivables", "PassMany", values))


# ---------------------------------------------------------------------- mass pass


def crowd(count: int = 5) -> list[tuple[str, int]]:
    return [(f"supplier {2 + i % 5}", 1000 + i) for i in range(count)]


def committed(world: World, root: int, rows: list[tuple[str, int]], **more: int) -> tuple[int, SumTree]:
    tree = SumTree([(member(n), a) for n, a in rows])
    return world.pass_mass(root, "supplier 1", tree.root, len(rows), **more), tree


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9])
def test_every_leaf_of_a_mass_pass_once(world: World, count: int) -> None:
    root = world.accepted()
    rows = crowd(count)
    mass, tree = committed(world, root, rows)
    total = sum(a for _, a in rows)
    assert world.note(mass).flags == MASS
    assert world.note(mass).amount == total
    assert world.note(root).amount == FACE - total
    assert world.note(root).children == 1
    for leaf, (name, amount) in enumerate(rows):
        note = world.materialise(mass, leaf, name, amount, tree.proof(leaf))
        found = world.note(note)
        assert (found.holder, found.amount, found.flags) == (member(name), amount, LEAF)
        assert found.tier == world.note(mass).tier == 2
        with pytest.raises(Exception, match=r"NoteExists|AmountExceeded"):
            world.materialise(mass, leaf, name, amount, tree.proof(leaf))
    assert world.note(mass).amount == 0
    world.warp(world.now + 5 * DAY)
    with refused("Receivables_NothingToReturn"):
        world.lapse((root >> 192, root, 0, tag(("mass", root, tree.root))))


def test_a_wrong_proof_takes_nothing(world: World) -> None:
    root = world.accepted()
    rows = crowd()
    mass, tree = committed(world, root, rows)
    proof = tree.proof(1)
    with refused("NotAuthorised"):
        world.materialise(mass, 1, rows[1][0], rows[1][1], proof, by="supplier 6")
    for leaf, name, amount, path_ in [
        (1, rows[1][0], rows[1][1] + 1, proof),
        (1, "supplier 6", rows[1][1], proof),
        (0, rows[1][0], rows[1][1], proof),
        (9, rows[1][0], rows[1][1], proof),
        (5, rows[1][0], rows[1][1], proof),
        (1, rows[1][0], rows[1][1], proof[:-1]),
        (1, rows[1][0], rows[1][1], [*proof, 0]),
        (1, rows[1][0], rows[1][1], [proof[0] ^ 1, *proof[1:]]),
        (1, rows[1][0], rows[1][1], [proof[0] | (2**64 - 1), *proof[1:]]),
    ]:
        with refused("Receivables_BadProof"):
            world.materialise(mass, leaf, name, amount, path_)
    world.standing(rows[1][0], BLACKLISTED)
    with refused("ERC7943CannotTransact"):
        world.materialise(mass, 1, *rows[1], proof)
    world.standing(rows[1][0], 0)
    world.materialise(mass, 1, *rows[1], proof)


def test_the_giver_has_back_what_nobody_claimed(world: World) -> None:
    root = world.accepted()
    rows = crowd()
    mass, tree = committed(world, root, rows)
    where = (root >> 192, root, 0, tag(("mass", root, tree.root)))
    world.materialise(mass, 2, *rows[2], tree.proof(2))
    with refused("Receivables_OfferOpen"):
        world.lapse(where)
    with refused("Receivables_NotOffered"):
        world.withdraw(where, "supplier 1")
    with refused("Receivables_NotOffered"):
        world.refuse(where, "supplier 1")
    with refused("Receivables_NotMovable"):
        world.pass_on(mass, "supplier 1", "supplier 2", 1000)
    with refused("Receivables_NotOffered"):
        world.accept(mass, "supplier 1")
    world.warp(world.now + 5 * DAY)
    with refused("Receivables_OfferClosed"):
        world.materialise(mass, 1, *rows[1], tree.proof(1))
    world.lapse(where)
    assert world.note(root).amount == FACE - rows[2][1]
    with refused("Receivables_NotMovable"):
        world.materialise(mass, 1, *rows[1], tree.proof(1))


def test_what_a_mass_pass_may_commit(world: World) -> None:
    root = world.accepted(max_tier=2)
    rows = crowd()
    tree = SumTree([(member(n), a) for n, a in rows])
    with refused("Receivables_BadTree"):
        world.pass_mass(root, "supplier 1", tree.root, 0)
    with refused("Receivables_BadTree"):
        world.pass_mass(root, "supplier 1", tree.root, 2**17 + 1)
    with refused("Receivables_AmountExceeded"):
        world.pass_mass(root, "supplier 1", (tree.root >> 64 << 64) | (FACE + 1), 5)
    with refused("Receivables_AmountTooSmall"):
        world.pass_mass(root, "supplier 1", tree.root >> 64 << 64, 5)
    with refused("NotAuthorised"):
        world.pass_mass(root, "supplier 2", tree.root, 5)
    with refused("Receivables_WrongChildIndex"):
        world.pass_mass(root, "supplier 1", tree.root, 5, index=1)
    with refused("Receivables_BadOffer"):
        world.pass_mass(root, "supplier 1", tree.root, 5, until=world.now)
    child = world.pass_on(root, "supplier 1", "supplier 2", 50_000)
    with refused("Receivables_TooDeep"):
        world.pass_mass(child, "supplier 2", tree.root, 5)
    world.pass_mass(root, "supplier 1", tree.root, 2**17)


def test_a_leaf_beyond_the_count_is_none(world: World) -> None:
    root = world.accepted()
    rows = crowd(7)
    tree = SumTree([(member(n), a) for n, a in rows])
    mass = world.pass_mass(root, "supplier 1", tree.root, 6)
    with refused("Receivables_BadProof"):
        world.materialise(mass, 6, *rows[6], tree.proof(6))
    world.materialise(mass, 5, *rows[5], tree.proof(5))


def test_a_root_that_overstates_its_sum_pays_no_leaf(world: World) -> None:
    root = world.accepted()
    rows = crowd()
    tree = SumTree([(member(n), a) for n, a in rows])
    mass = world.pass_mass(root, "supplier 1", tree.root + 1000, 5)
    with refused("Receivables_BadProof"):
        world.materialise(mass, 1, *rows[1], tree.proof(1))


# ---------------------------------------------------------------------- financing


def test_a_quote_locks_and_the_bank_completes(world: World) -> None:
    root = world.accepted()
    quote = world.quote(root, amount=400_00, recourse=True)
    note = world.finance(quote, "supplier 1", reading=tag("I read this"))
    event = world.events[-1]
    assert event.args["quoteHash"] == signing.struct_hash("Receivables", "Quote", quote)
    assert event.args["reading"] == tag("I read this")
    assert event.args["childIndex"] == 0
    found = world.note(note)
    assert (found.holder, found.amount, found.flags) == (member("financier"), 400_00, OFFERED | LOCKED | RECOURSE)
    assert world.note(root).amount == FACE - 400_00
    assert world.see("Receivables", "isQuoteUsed", event.args["quoteHash"])
    bank, net = world.see("Receivables", "lockOf", note)
    assert (bank.lower(), net) == (member("bank").lower(), quote[4])
    with refused("NotAuthorised"):
        world.complete(note, by="financier")
    with refused("NotAuthorised"):
        world.complete(note, by="supplier 1")
    with refused("Receivables_WrongNet"):
        world.complete(note, net=quote[4] + 1)
    with refused("Receivables_MissingRegistration"):
        world.complete(note, registration=ZERO)
    world.complete(note, reference=tag("line 1"))
    assert world.note(note).flags == FINANCED | RECOURSE
    assert world.note(note).children == 0
    assert world.see("Receivables", "lockOf", note)[1] == 0
    assert world.see("Receivables", "isReferenceUsed", member("bank"), tag("line 1"))
    with refused("Receivables_NotOffered"):
        world.complete(note, net=quote[4])
    with refused("AlreadyUsed"):
        world.finance(quote, "supplier 1")
    child = world.pass_on(note, "financier", "other financier", 400_00)  # rediscount
    assert world.note(child).tier == 3


def test_a_locked_note_is_nobodys_until_then(world: World) -> None:
    root = world.accepted()
    quote = world.quote(root, amount=400_00)
    note = world.finance(quote, "supplier 1")
    where = (root >> 192, root, 0, quote[10])
    with refused("Receivables_NotMovable"):
        world.accept(note, "financier")
    with refused("Receivables_NotMovable"):
        world.pass_on(note, "financier", "supplier 2", 400_00, index=0)
    with refused("Receivables_NotOffered"):
        world.withdraw(where, "supplier 1")
    with refused("Receivables_OfferOpen"):
        world.lapse(where)
    with world.chain.scratch():
        world.refuse(where, "financier")
        assert world.note(root).amount == FACE
    world.warp(world.now + 5 * DAY)
    with refused("Receivables_OfferClosed"):
        world.complete(note)
    world.lapse(where)
    assert world.note(root).amount == FACE
    with refused("Receivables_NotOffered"):
        world.complete(note, net=quote[4])
    assert world.see("Receivables", "lockOf", note)[1] == 0


def test_quotes_that_do_not_hold(world: World) -> None:
    root = world.accepted()
    with refused("Receivables_BadQuote"):
        world.finance(world.quote(root, net=1), "supplier 1")
    with refused("Receivables_BadQuote"):
        world.finance(world.quote(root, amount=400_00, net=0, discount=400_00, fees=0), "supplier 1")
    with refused("Receivables_QuoteExpired"):
        world.finance(world.quote(root, expiry=world.now - 1), "supplier 1")
    with refused("NotAuthorised"):
        world.finance(world.quote(root), "supplier 2")
    with refused("NotAuthorised"):
        world.finance(world.quote(root), "supplier 1", financier="other financier")
    with refused("Receivables_AmountExceeded"):
        world.finance(world.quote(root, amount=FACE + 1), "supplier 1")
    with refused("Receivables_AmountTooSmall"):
        world.finance(world.quote(root, amount=99, net=99, discount=0, fees=0), "supplier 1")
    with refused("ERC7943CannotTransact"):
        world.finance(world.quote(root, payingBank=member("carrier")), "supplier 1")
    with refused("ERC7943CannotTransact"):
        world.finance(world.quote(root, financier="supplier 2"), "supplier 1", financier="supplier 2")
    with refused("Receivables_BadOffer"):
        world.finance(world.quote(root, lockUntil=world.now), "supplier 1")
    with refused("Receivables_BadOffer"):
        world.finance(world.quote(root, lockUntil=world.now + 91 * DAY), "supplier 1")
    with refused("Receivables_UnknownNote"):
        world.finance((77, *world.quote(root)[1:]), "supplier 1")
    world.standing("financier", SUSPENDED)
    with refused("ERC7943CannotTransact"):
        world.finance(world.quote(root), "supplier 1")
    world.standing("financier", 0)
    world.finance(world.quote(root, expiry=world.now), "supplier 1")


def test_ones_own_house_neither_finances_nor_attests(world: World) -> None:
    root = world.accepted()
    world.enrol_many([("in-house bank", 101, 8), ("in-house financier", 101, 4)])
    with refused("Receivables_NotIndependent"):
        world.finance(world.quote(root, payingBank=member("in-house bank")), "supplier 1")
    with refused("Receivables_NotIndependent"):
        world.finance(world.quote(root, financier="in-house financier"), "supplier 1", financier="in-house financier")


def test_financing_at_the_deepest_tier_and_of_an_offer(world: World) -> None:
    root = world.accepted(max_tier=2)
    child = world.pass_on(root, "supplier 1", "supplier 2", 500_00)
    note = world.finance(world.quote(child), "supplier 2")
    assert world.events[0].name == "Accepted"
    assert world.note(note).tier == 3
    world.standing("financier", BLACKLISTED)
    with refused("ERC7943CannotTransact"):
        world.complete(note)
    world.standing("financier", 0)
    world.standing("bank", SUSPENDED)
    with refused("ERC7943CannotTransact"):
        world.complete(note)
    world.standing("bank", 0)
    world.freeze(note)
    with refused("Receivables_NotMovable"):
        world.complete(note)
    world.freeze(note, False)
    world.complete(note)
    with refused("Receivables_TooDeep"):
        world.pass_on(note, "financier", "other financier", 500_00)


# ---------------------------------------------------------------------- payment and settlement


def test_only_the_paying_bank_says_paid(world: World) -> None:
    root = world.accepted()
    receivable = root >> 192
    for name in ("core", "supplier 1", "other bank", "financier", "operator one"):
        with refused("NotAuthorised"):
            world.pay(receivable, FACE, by=name)
    world.standing("bank", SUSPENDED)
    with refused("ERC7943CannotTransact"):
        world.pay(receivable, FACE)
    world.standing("bank", 0)
    world.pay(receivable, FACE, reference=tag("line"))
    assert world.terms(receivable)["status"] == 3
    assert world.see("Members", "exposureOf", member("core"))[1] == 0
    with refused("Receivables_WrongStatus"):
        world.pay(receivable, 1)
    other = world.accepted() >> 192
    with refused("AlreadyUsed"):
        world.pay(other, FACE, reference=tag("line"))
    with refused("ERC7943CannotTransact"):
        world.pay(99, 1)


def test_what_a_payment_may_say(world: World) -> None:
    root = world.accepted()
    receivable = root >> 192
    with refused("Receivables_NotMatured"):
        world.pay(receivable, FACE - 1)
    with refused("Receivables_NotMatured"):
        world.pay(receivable, 0, 1)
    with refused("Receivables_BadPayment"):
        world.pay(receivable, FACE + 1)
    world.warp(world.terms(receivable)["maturity"])
    with refused("Receivables_BadPayment"):
        world.pay(receivable, 0)
    with refused("Receivables_WrongRound"):
        world.pay(receivable, 1, round=1)
    world.pay(receivable, 0, 7)
    with refused("Receivables_WrongRound"):
        world.pay(receivable, 1, round=0)
    world.settle(receivable, 0, [root])
    assert world.events[-1].args["interest"] == 7
    unaccepted = world.issue() >> 192
    with refused("Receivables_WrongStatus"):
        world.pay(unaccepted, FACE)


def test_the_obligors_own_bank_house_cannot_attest(world: World) -> None:
    world.enrol_many([("tame bank", 10, 8)])
    world.appoint("core", "tame bank")
    root = world.accepted()
    with refused("Receivables_NotIndependent"):
        world.pay(root >> 192, FACE, by="tame bank")


def test_partial_payments_by_largest_remainder(world: World) -> None:
    root = world.accepted(face=100_00, least=1)
    notes = [root] + [world.pass_on(root, "supplier 1", f"supplier {i}", 33_33) for i in (2, 3)]
    for note, name in zip(notes[1:], ("supplier 2", "supplier 3"), strict=True):
        world.accept(note, name)
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"] + 10 * DAY)
    left = {n: world.note(n).amount for n in notes}
    interest_paid = 0
    for number, (principal, interest) in enumerate([(10_00, 5), (1, 0), (0, 10), (50_00, 7), (39_99, 0)]):
        expected = shares(left, principal)
        extra = shares(left, interest)
        world.pay(receivable, principal, interest, (*cuts(left, principal), *cuts(left, interest)))
        found = {
            e.args["noteId"]: (e.args["principal"], e.args["interest"]) for e in world.settle(receivable, number, notes)
        }
        assert found == {n: (expected[n], extra[n]) for n in notes if left[n]}
        for note in notes:
            left[note] -= expected[note]
            assert world.note(note).amount == left[note]
        interest_paid += sum(extra.values())
        principal_, interest_, base, base_left, p_left, i_left = world.see("Receivables", "roundOf", receivable, number)
        assert (principal_, interest_, base_left, p_left, i_left) == (principal, interest, 0, 0, 0)
        assert base == sum(left.values()) + principal
        assert world.terms(receivable)["outstanding"] == sum(left.values())
        assert world.settle(receivable, number, notes) == []  # a second time nothing moves
    assert interest_paid == 22
    assert set(left.values()) == {0}
    assert world.terms(receivable)["status"] == 3
    assert world.terms(receivable)["paid"] == 100_00


def test_rounds_are_settled_in_order(world: World) -> None:
    root = world.accepted()
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, FACE // 2)
    world.pay(receivable, FACE // 2)
    with refused("Receivables_EarlierRoundOpen"):
        world.settle(receivable, 1, [root])
    with refused("Receivables_WrongRound"):
        world.settle(receivable, 2, [root])
    world.settle(receivable, 0, [root])
    assert world.see("Receivables", "settledRoundsOf", root) == 1
    world.settle(receivable, 1, [root])
    assert world.note(root).holder == NOBODY  # nothing hangs on it: the place is free again
    with refused("Receivables_OtherReceivable"):
        world.settle(receivable, 0, [world.issue()])


def test_wrong_cuts_neither_create_nor_strand_money(world: World) -> None:
    for cut in ((0, 2**256 - 1), (NO_CUT, 0), (1, 5)):
        root = world.accepted(face=100, least=1)
        notes = [root] + [world.pass_on(root, "supplier 1", "supplier 2", 9) for _ in range(9)]
        world.accept_many(notes[1:], "supplier 2")
        receivable = root >> 192
        with world.chain.scratch():
            world.warp(world.terms(receivable)["maturity"])
            world.pay(receivable, 55, 3, (*cut, *cut))
            paid = world.settle(receivable, 0, notes)
            assert sum(e.args["principal"] for e in paid) == 55
            assert sum(e.args["interest"] for e in paid) == 3
            assert sum(world.note(n).amount for n in notes) == 45
            world.pay(receivable, 45, 0, (*cut, *cut))
            assert sum(e.args["principal"] for e in world.settle(receivable, 1, notes)) == 45


def test_early_payment_in_full_closes_passing_not_settling(world: World) -> None:
    root = world.accepted()
    offered = world.pass_on(root, "supplier 1", "supplier 2", 500, evidence=tag(1))
    locked_quote = world.quote(root, amount=700_00)
    locked = world.finance(locked_quote, "supplier 1")
    rows = crowd()
    mass, tree = committed(world, root, rows)
    receivable = root >> 192
    world.pay(receivable, FACE)
    with refused("Receivables_WrongStatus"):
        world.pass_on(root, "supplier 1", "supplier 2", 500)
    with refused("Receivables_WrongStatus"):
        world.accept(offered, "supplier 2")
    for note in (offered, locked, mass):
        with refused("Receivables_NotMovable"):
            world.settle(receivable, 0, [note])
    paid = world.settle_offered(0, (receivable, root, 0, tag(1)))
    assert paid[0].args["payee"].lower() == member("supplier 1").lower()
    assert paid[0].args["principal"] == 500
    with refused("Receivables_OfferOpen"):  # the financier may have paid already
        world.settle_offered(0, (receivable, root, 1, locked_quote[10]))
    with refused("Receivables_OfferOpen"):  # the recipients keep their time
        world.settle_offered(0, (receivable, root, 2, tag(("mass", root, tree.root))))
    world.complete(locked)
    leaf = world.materialise(mass, 0, *rows[0], tree.proof(0))
    settled = world.settle(receivable, 0, [leaf, root, locked, leaf])
    assert [e.args["principal"] for e in settled] == [rows[0][1], world_left(rows), 700_00]
    with pytest.raises(Exception, match="NoteExists"):
        world.materialise(mass, 0, *rows[0], tree.proof(0))
    world.warp(world.now + 5 * DAY)
    rest = world.settle_offered(0, (receivable, root, 2, tag(("mass", root, tree.root))))
    assert rest[0].args["principal"] == sum(a for _, a in rows[1:])
    assert rest[0].args["payee"].lower() == member("supplier 1").lower()
    assert world.see("Receivables", "roundOf", receivable, 0)[3:] == (0, 0, 0)
    with refused("Receivables_NotOffered"):
        world.settle_offered(0, (receivable, root, 2, tag(("mass", root, tree.root))))


def world_left(rows: list[tuple[str, int]]) -> int:
    return FACE - 500 - 700_00 - sum(a for _, a in rows)


def test_a_lock_never_completed_is_settled_to_the_giver(world: World) -> None:
    root = world.accepted()
    quote = world.quote(root, amount=700_00)
    locked = world.finance(quote, "supplier 1")
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, FACE // 2, 0, (NO_CUT, 0, NO_CUT, 0))
    first = world.settle_offered(0, (receivable, root, 0, quote[10]))
    assert first[0].args["payee"].lower() == member("supplier 1").lower()
    assert first[0].args["principal"] == 350_00
    assert world.settle_offered(0, (receivable, root, 0, quote[10])) == []
    with refused("Receivables_EarlierRoundOpen"):  # joined only with equals
        world.lapse((receivable, root, 0, quote[10]))
    world.settle(receivable, 0, [root])
    world.lapse((receivable, root, 0, quote[10]))
    assert world.note(root).amount == FACE // 2
    assert world.note(locked).amount == 0
    world.pay(receivable, FACE // 2)
    assert [e.args["principal"] for e in world.settle(receivable, 1, [root])] == [FACE // 2]


def test_value_coming_back_to_an_empty_parent_is_paid_once(world: World) -> None:
    root = world.accepted()
    receivable = root >> 192
    world.pass_on(root, "supplier 1", "supplier 2", FACE, evidence=tag(1))
    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, FACE // 4)
    world.settle_offered(0, (receivable, root, 0, tag(1)))
    world.lapse((receivable, root, 0, tag(1)))
    assert world.settle(receivable, 0, [root]) == []
    assert world.note(root).amount == FACE - FACE // 4
    world.pay(receivable, FACE - FACE // 4)
    assert [e.args["principal"] for e in world.settle(receivable, 1, [root])] == [FACE - FACE // 4]


def test_overdue_halts_and_payment_cures(world: World) -> None:
    root = world.accepted()
    receivable = root >> 192
    later = world.accepted() >> 192
    unaccepted = world.issue() >> 192
    with refused("Receivables_NotOverdue"):
        world.do("Members", "haltOverdue", receivable)
    world.warp(world.terms(receivable)["maturity"])
    assert not world.see("Receivables", "isOverdue", receivable)
    with refused("Receivables_NotOverdue"):
        world.do("Members", "haltOverdue", receivable)
    world.warp(world.now + 1)
    assert world.see("Receivables", "isOverdue", receivable)
    with refused("Receivables_NotOverdue"):
        world.do("Members", "haltOverdue", unaccepted)
    world.do("Members", "haltOverdue", receivable)
    world.do("Members", "haltOverdue", later)
    with refused("Receivables_NotOverdue"):
        world.do("Members", "haltOverdue", receivable)
    assert world.see("Members", "overdueOf", member("core")) == 2
    assert world.terms(receivable)["status"] == 2
    with refused("Receivables_ObligorHalted"):
        world.issue()
    with refused("Members_StillOverdue"):
        world.quorum("Members", "cure", "Cure", (member("core"), tag("paid")))
    world.pay(receivable, FACE - 1, 1)
    world.pay(receivable, 1)
    assert world.terms(receivable)["status"] == 3
    assert world.see("Members", "overdueOf", member("core")) == 1
    with refused("Members_StillOverdue"):
        world.quorum("Members", "cure", "Cure", (member("core"), tag("paid")))
    world.pay(later, FACE)
    world.quorum("Members", "cure", "Cure", (member("core"), tag("paid")))
    world.issue()
    with refused("Members_NotHalted"):
        world.quorum("Members", "cure", "Cure", (member("core"), tag("paid")))
    assert not world.see("Receivables", "isOverdue", receivable)


def test_a_frozen_or_blacklisted_holder_does_not_stop_the_others(world: World) -> None:
    root = world.accepted()
    child = world.pass_on(root, "supplier 1", "supplier 2", 500)
    world.accept(child, "supplier 2")
    receivable = root >> 192
    world.freeze(child)
    world.standing("supplier 1", BLACKLISTED)
    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, FACE)
    paid = world.settle(receivable, 0, [child, root])
    assert [e.args["noteId"] for e in paid] == [root]
    assert [e.name for e in world.events] == ["SettlementHeld", "Settled"]
    world.freeze(child, False)
    assert [e.args["principal"] for e in world.settle(receivable, 0, [child])] == [500]


# ---------------------------------------------------------------------- court orders


def test_a_frozen_note_stands_still(world: World) -> None:
    root = world.accepted()
    child = world.pass_on(root, "supplier 1", "supplier 2", 500, evidence=tag(1))
    world.freeze(child)
    assert world.events[-1].args["account"].lower() == member("supplier 2").lower()
    assert world.note(child).flags == OFFERED | FROZEN
    where = (root >> 192, root, 0, tag(1))
    with refused("Receivables_NotMovable"):
        world.accept(child, "supplier 2")
    with refused("Receivables_NotMovable"):
        world.refuse(where, "supplier 2")
    with refused("Receivables_NotMovable"):
        world.withdraw(where, "supplier 1")
    with refused("Receivables_NotMovable"):
        world.pass_on(child, "supplier 2", "supplier 3", 500)
    world.freeze(child, False)
    world.accept(child, "supplier 2")
    world.freeze(child)
    with refused("Receivables_NotMovable"):
        world.pass_on(child, "supplier 2", "supplier 3", 500)
    with refused("Receivables_NotMovable"):
        world.finance(world.quote(child), "supplier 2")
    with refused("Receivables_UnknownNote"):
        world.freeze(4711)
    rows = crowd()
    mass, tree = committed(world, root, rows)
    world.freeze(mass)
    with refused("Receivables_NotMovable"):
        world.materialise(mass, 0, *rows[0], tree.proof(0))
    world.warp(world.now + 5 * DAY)
    with refused("Receivables_NotMovable"):
        world.lapse((root >> 192, root, 1, tag(("mass", root, tree.root))))


def test_a_forced_transfer_takes_the_whole_note(world: World) -> None:
    root = world.accepted()
    child = world.pass_on(root, "supplier 1", "supplier 2", 500)
    with refused("Receivables_NotMovable"):
        world.force(child, "judge")
    world.accept(child, "supplier 2")
    world.freeze(child)
    with refused("Receivables_OtherHolder"):
        world.force(child, "supplier 2")
    with refused("ERC7943CannotTransact"):
        world.force(child, "a stranger")
    moved = world.force(child, "judge", tag("order 1"))
    assert moved == note_id(root >> 192, child, 0, tag("order 1"))
    assert world.note(moved).amount == 500
    assert world.note(moved).holder == member("judge")
    assert world.note(moved).tier == 3
    assert world.note(child).amount == 0
    assert world.note(child).flags == FROZEN
    assert world.note(child).children == 1
    with refused("Receivables_NothingToReturn"):
        world.force(child, "judge", tag("order 2"))
    world.pass_on(moved, "judge", "supplier 4", 500)


@pytest.mark.parametrize("which", [0, 1])
def test_a_forced_transfer_between_rounds_keeps_its_place(world: World, which: int) -> None:
    """Two equal notes, one unit more for the smaller id: whichever is moved keeps what it had."""
    root = world.accepted(face=100, least=1)
    notes = [root, world.pass_on(root, "supplier 1", "supplier 2", 50)]
    world.accept(notes[1], "supplier 2")
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    left = dict.fromkeys(notes, 50)
    world.pay(receivable, 33, 0, (*cuts(left, 33), NO_CUT, 0))
    expected = shares(left, 33)
    moving, staying = notes[which], notes[1 - which]
    world.freeze(moving)
    moved = world.force(moving, "judge")
    twice = world.force(moved, "supplier 4")
    paid = world.settle(receivable, 0, [twice, staying])  # one after the other, so the cut alone decides
    assert [e.args["principal"] for e in paid] == [expected[moving], expected[staying]]
    world.pay(receivable, 67)
    again = world.force(twice, "judge", tag("order 3"))
    assert world.see("Receivables", "settledRoundsOf", again) == 1
    assert sum(e.args["principal"] for e in world.settle(receivable, 1, [again, staying])) == 67


def test_a_part_without_interest_is_shared_too(world: World) -> None:
    root = world.accepted(face=100, least=1)
    child = world.pass_on(root, "supplier 1", "supplier 2", 40)
    world.accept(child, "supplier 2")
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    for number, part in enumerate((50, 30, 20)):
        world.pay(receivable, part)
        paid = world.settle(receivable, number, [child, root])
        assert [e.args["principal"] for e in paid] == [part * 4 // 10, part * 6 // 10]


def test_full_payment_with_interest_pays_both(world: World) -> None:
    root = world.accepted(face=100, least=1)
    child = world.pass_on(root, "supplier 1", "supplier 2", 40)
    world.accept(child, "supplier 2")
    world.warp(world.terms(root >> 192)["maturity"])
    world.pay(root >> 192, 100, 10)
    paid = world.settle(root >> 192, 0, [child, root])
    assert [(e.args["principal"], e.args["interest"]) for e in paid] == [(40, 4), (60, 6)]
