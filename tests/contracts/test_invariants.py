"""The invariants by their numbers, each on a scene with offers, splits, financing, a mass pass and a frozen note.

The random machine (test_machine) holds the same sums over orders nobody thought of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.contracts import signing
from tests.contracts.chain import ROOT, Refused, functions_of
from tests.contracts.model import Book
from tests.contracts.shares import cuts, shares
from tests.contracts.sumtree import SumTree
from tests.contracts.world import (
    BLACKLISTED,
    DAY,
    FINANCED,
    HOUR,
    LOCKED,
    MASS,
    OFFERED,
    World,
    member,
    note_id,
    refused,
    tag,
)

FACE = 10_000_019


@dataclass
class Scene:
    world: World
    root: int
    notes: dict[str, int]
    tree: SumTree
    rows: list[tuple[str, int]]

    @property
    def receivable(self) -> int:
        return self.root >> 192

    def live(self) -> dict[int, int]:
        found = {n: self.world.note(n).amount for n in self.notes.values()}
        return {n: a for n, a in found.items() if a}

    def book(self) -> Book:
        book = Book()
        for event in self.world.log:
            book.apply(event)
        return book


@pytest.fixture
def scene(world: World) -> Iterator[Scene]:
    root = world.accepted(face=FACE, least=1)
    notes = {"root": root}
    notes["second"] = world.pass_on(root, "supplier 1", "supplier 2", 3_333_333)
    world.accept(notes["second"], "supplier 2")
    notes["third"] = world.pass_on(notes["second"], "supplier 2", "supplier 3", 1_111_111)
    notes["offered"] = world.pass_on(root, "supplier 1", "supplier 4", 777, evidence=tag("offer"))
    notes["financed"] = world.finance(world.quote(notes["third"], amount=500_000), "supplier 3")
    world.complete(notes["financed"])
    notes["locked"] = world.finance(world.quote(root, amount=250_000, evidence=tag("lock")), "supplier 1")
    rows = [(f"supplier {2 + i % 4}", 100 + i) for i in range(7)]
    tree = SumTree([(member(n), a) for n, a in rows])
    notes["mass"] = world.pass_mass(root, "supplier 1", tree.root, 7)
    notes["leaf"] = world.materialise(notes["mass"], 3, *rows[3], tree.proof(3))
    yield Scene(world, root, notes, tree, rows)


def test_i1_live_notes_are_the_outstanding_debt(scene: Scene) -> None:
    terms = scene.world.terms(scene.receivable)
    assert sum(scene.live().values()) == terms["outstanding"] == FACE
    scene.world.warp(terms["maturity"])
    scene.world.pay(scene.receivable, 1_234_567)
    left = scene.world.see("Receivables", "roundOf", scene.receivable, 0)[4]
    terms = scene.world.terms(scene.receivable)
    assert sum(scene.live().values()) == terms["outstanding"] + left
    assert terms["face"] == terms["outstanding"] + terms["paid"]


def test_i2_a_pass_changes_no_sum_and_makes_no_empty_note(scene: Scene) -> None:
    before = sum(scene.live().values())
    scene.notes["more"] = scene.world.pass_on(scene.root, "supplier 1", "supplier 1", 5)
    scene.notes["most"] = scene.world.pass_on(scene.notes["more"], "supplier 1", "supplier 2", 5)
    assert sum(scene.live().values()) == before
    with refused("Receivables_AmountTooSmall"):
        scene.world.pass_on(scene.root, "supplier 1", "supplier 2", 0)


def test_i3_what_is_paid_out_is_what_came_in(scene: Scene) -> None:
    world = scene.world
    world.warp(world.terms(scene.receivable)["maturity"])
    out = [0, 0]
    for number, (principal, interest) in enumerate([(1, 1), (3_333_334, 1_001), (FACE - 3_333_335, 0)]):
        live = scene.live()
        expected = shares(live, principal)
        world.pay(scene.receivable, principal, interest, (*cuts(live, principal), *cuts(live, interest)))
        plain = [n for n in live if n not in (scene.notes["offered"], scene.notes["locked"], scene.notes["mass"])]
        events = world.settle(scene.receivable, number, plain)
        book = scene.book()
        for name in ("offered", "locked", "mass"):
            events += world.settle_offered(number, book.paths[scene.notes[name]])
        assert {e.args["noteId"]: e.args["principal"] for e in events} == expected
        out[0] += sum(e.args["principal"] for e in events)
        out[1] += sum(e.args["interest"] for e in events)
    assert out == [FACE, 1_002]
    assert scene.live() == {}


def test_i4_locked_is_released_refunded_and_held(world: World) -> None:
    account = world.locked()
    for who in ("carrier", "warehouse"):
        world.attest(account, 0, who, 500_00)
    for who in ("maker", "checker"):
        world.approve(account, 0, who, 500_00)
    world.release(account, 0, 100_00)
    world.dispute(account, 0, "financier", 50_00)
    world.resolve(account, 0, 20_00, 30_00)
    world.refund(account, 0, 30_00)
    world.warp(world.now + 61 * DAY)
    for stage in (0, 1):
        found = world.stage(account, stage)
        free = found["amount"] - found["released"] - found["refunded"] - found["disputed"]
        assert world.releasable(account, stage) + world.refundable(account, stage) == free
    _, _, _, _, _, amount, locked, released, refunded = world.see("EntrustedAccounts", "accountOf", account)
    assert amount == locked
    assert released == sum(world.stage(account, s)["released"] for s in (0, 1)) == 100_00
    assert refunded == sum(world.stage(account, s)["refunded"] for s in (0, 1)) == 30_00


def test_i5_one_document_key_one_receivable(scene: Scene) -> None:
    world = scene.world
    world.issue(fingerprint=tag("key"))
    for obligor in ("core", "other core"):
        with refused("Receivables_FingerprintTaken"):
            world.issue(obligor=obligor, fingerprint=tag("key"))


def test_i6_a_note_has_one_fate_at_a_time(scene: Scene) -> None:
    world, notes = scene.world, scene.notes
    for name, flags in (("locked", OFFERED | LOCKED), ("mass", MASS), ("financed", FINANCED)):
        assert world.note(notes[name]).flags == flags
    for name, by in (("locked", "financier"), ("mass", "supplier 1"), ("locked", "supplier 1")):
        with pytest.raises(Refused):
            world.pass_on(notes[name], by, "supplier 5", 100, index=0)
        with pytest.raises(Refused):
            world.finance(world.quote(notes[name], amount=100, net=98, discount=1, fees=1), by)
    with refused("Receivables_NotMovable"):
        world.force(notes["locked"], "judge")


def test_i7_after_financing_the_debtor_cannot_take_back(scene: Scene) -> None:
    world = scene.world
    path = scene.book().paths[scene.notes["financed"]]
    for act in (lambda: world.refuse(path, "core"), lambda: world.withdraw(path, "core"), lambda: world.lapse(path)):
        with refused("Receivables_NotOffered"):
            act()
    with refused("NotAuthorised"):
        world.pay(scene.receivable, FACE, by="core")
    assert world.note(scene.notes["financed"]).amount == 500_000


def test_i8_paid_is_said_by_the_bank_alone(scene: Scene) -> None:
    for by in ("core", "supplier 1", "financier", "other bank", "operator one", "carrier"):
        with refused("NotAuthorised"):
            scene.world.pay(scene.receivable, FACE, by=by)
    assert scene.world.terms(scene.receivable)["status"] == 2


def test_i9_every_id_proves_its_descent(scene: Scene) -> None:
    book = scene.book()
    for note in scene.notes.values():
        if note == scene.notes["leaf"]:
            proof = signing.keccak(scene.tree.root.to_bytes(32, "big") + (3).to_bytes(32, "big"))
            assert note == note_id(scene.receivable, scene.notes["mass"], 3, proof)
            assert scene.world.note(note).tier == scene.world.note(scene.notes["mass"]).tier
            continue
        receivable, parent, index, evidence = book.paths[note]
        assert note == note_id(receivable, parent, index, evidence)
        tier = scene.world.note(note).tier
        assert tier == (1 if parent == 0 else scene.world.note(parent).tier + 1)
        assert tier <= scene.world.terms(receivable)["maxTier"]


def test_i10_an_id_is_never_used_again(scene: Scene) -> None:
    world = scene.world
    path = scene.book().paths[scene.notes["offered"]]
    world.withdraw(path, "supplier 1")
    for index in (path[2], path[2] + 1):
        with refused("Receivables_WrongChildIndex"):
            world.pass_on(scene.root, "supplier 1", "supplier 4", 777, evidence=tag("offer"), index=index)
    world.warp(world.terms(scene.receivable)["maturity"])
    world.pay(scene.receivable, FACE)
    world.settle(scene.receivable, 0, [scene.notes["financed"]])
    assert world.note(scene.notes["financed"]).amount == 0
    with pytest.raises(Refused):
        world.force(scene.notes["financed"], "judge")
    assert world.settle(scene.receivable, 0, [scene.notes["financed"]]) == []


def test_i11_no_pass_at_maturity_no_part_payment_before(scene: Scene) -> None:
    world = scene.world
    with refused("Receivables_NotMatured"):
        world.pay(scene.receivable, FACE - 1)
    world.warp(world.terms(scene.receivable)["maturity"])
    for act in (
        lambda: world.pass_on(scene.root, "supplier 1", "supplier 2", 100, until=world.now + HOUR),
        lambda: world.finance(world.quote(scene.root, amount=1000, net=998, discount=1, fees=1), "supplier 1"),
        lambda: world.pass_mass(scene.root, "supplier 1", scene.tree.root, 7),
    ):
        with refused("Receivables_Matured"):
            act()


def test_i12_never_more_than_the_limit(scene: Scene) -> None:
    world = scene.world
    world.quorum("Members", "setLimit", "SetLimit", (member("core"), FACE + 1))
    world.issue(face=1, least=0)
    with refused("Members_LimitExceeded"):
        world.issue(face=1, least=0)
    world.quorum("Members", "setLimit", "SetLimit", (member("core"), 1))
    world.pass_on(scene.root, "supplier 1", "supplier 2", 100)  # a lower limit stops new issues only
    limit, used = world.see("Members", "exposureOf", member("core"))
    assert (limit, used) == (1, FACE + 1)


def test_i13_price_is_fixed_when_agreed(scene: Scene) -> None:
    world = scene.world
    agreed = world.see("Receivables", "lockOf", scene.notes["locked"])[1]
    for net in (agreed - 1, agreed + 1, 0):
        with refused("Receivables_WrongNet"):
            world.complete(scene.notes["locked"], net=net)
    world.complete(scene.notes["locked"], net=agreed)


def test_i14_the_blacklisted_neither_give_nor_take(scene: Scene) -> None:
    world, notes = scene.world, scene.notes
    world.standing("supplier 4", BLACKLISTED)
    world.standing("supplier 1", BLACKLISTED)
    leaf = next(i for i, (n, _) in enumerate(scene.rows) if n == "supplier 4")
    for act in (
        lambda: world.accept(notes["offered"], "supplier 4"),
        lambda: world.pass_on(notes["second"], "supplier 2", "supplier 4", 5),
        lambda: world.pass_many(notes["second"], "supplier 2", [("supplier 3", 5), ("supplier 4", 5)]),
        lambda: world.materialise(notes["mass"], leaf, *scene.rows[leaf], scene.tree.proof(leaf)),
        lambda: world.force(notes["second"], "supplier 4"),
        lambda: world.pass_on(scene.root, "supplier 1", "supplier 2", 5, direct=True),
        lambda: world.finance(world.quote(scene.root, amount=1000, net=998, discount=1, fees=1), "supplier 1"),
        lambda: world.issue(creditor="supplier 4"),
    ):
        with refused("ERC7943CannotTransact"):
            act()
    world.warp(world.terms(scene.receivable)["maturity"])
    world.pay(scene.receivable, FACE)
    assert len(world.settle(scene.receivable, 0, [scene.root, notes["second"], notes["leaf"]])) == 3


def test_i15_frozen_stays_frozen(scene: Scene) -> None:
    world, note = scene.world, scene.notes["second"]
    world.freeze(note)
    for act in (
        lambda: world.pass_on(note, "supplier 2", "supplier 2", 5),
        lambda: world.pass_many(note, "supplier 2", [("supplier 3", 5)] * 2),
        lambda: world.finance(world.quote(note), "supplier 2"),
    ):
        with refused("Receivables_NotMovable"):
            act()
    with refused("Receivables_OtherHolder"):
        world.force(note, "supplier 2")
    world.force(note, "judge")
    assert world.note(note).flags == 4


def test_i16_a_signature_works_once_in_time_and_here(scene: Scene) -> None:
    world = scene.world
    index = world.next_index(scene.root)
    values = (scene.root, index, member("supplier 2"), 100, tag("e"), world.offer_time(), world.soon)
    here = world.addresses["Receivables"]
    for chain_id, address in ((world.chain.chain_id + 1, here), (world.chain.chain_id, world.addresses["Members"])):
        digest = signing.digest("Receivables", chain_id, address, "Pass", values)
        with refused("NotAuthorised"):
            world.do("Receivables", "pass", values, signing.sign("supplier 1", digest))
    good = world.sign("supplier 1", "Receivables", "Pass", values)
    world.do("Receivables", "pass", values, good)
    with refused("Receivables_WrongChildIndex"):
        world.do("Receivables", "pass", values, good)
    separator = world.see("Receivables", "eip712Domain")
    assert separator[1:4] == ("scf Receivables", "1", world.chain.chain_id)


def test_i17_operators_move_nothing_but_by_court_order(scene: Scene) -> None:
    before = scene.live()
    for by in ("operator one", "operator two"):
        for act in (
            lambda by=by: scene.world.pass_on(scene.root, by, "supplier 2", 5),
            lambda by=by: scene.world.accept(scene.notes["offered"], by),
            lambda by=by: scene.world.complete(scene.notes["locked"], by=by),
        ):
            with refused("NotAuthorised"):
                act()
    assert scene.live() == before
    scene.world.force(scene.notes["second"], "judge", tag("order"))
    assert scene.world.events[-1].name == "ForcedTransfer"
    assert scene.world.events[-1].args["reason"] == tag("order")


def test_i18_evidence_is_for_its_account_and_stage(world: World) -> None:
    first, second = world.locked(), world.locked()
    for who in ("carrier", "warehouse"):
        world.attest(first, 0, who, 100)
    for who in ("maker", "checker"):
        world.approve(first, 0, who, 100)
    assert [world.releasable(a, s) for a in (first, second) for s in (0, 1)] == [100, 0, 0, 0]
    values = (first, 1, member("carrier"), 50, tag("e"), world.soon)
    signature = world.sign("carrier", "EntrustedAccounts", "Attest", values)
    for other in ((second, *values[1:]), (first, 0, *values[2:])):
        with refused("NotAuthorised"):
            world.do("EntrustedAccounts", "attest", *other, signature)


def test_i19_one_stranger_in_the_batch_does_not_stop_it(scene: Scene) -> None:
    world = scene.world
    world.freeze(scene.notes["second"])
    world.warp(world.terms(scene.receivable)["maturity"])
    world.pay(scene.receivable, FACE)
    unknown = note_id(scene.receivable, 1, 2, tag("nothing"))
    batch = [scene.notes["second"], unknown, scene.notes["third"], scene.notes["third"], scene.root]
    assert len(world.settle(scene.receivable, 0, batch)) == 2
    assert "while (" not in (ROOT / "contracts" / "Receivables.sol").read_text()


def test_i20_the_state_is_in_the_events(scene: Scene) -> None:
    book = scene.book()
    for name, note in scene.notes.items():
        found = scene.world.note(note)
        state = book.notes[note]
        assert (found.holder, found.amount, found.tier, found.flags & 63) == (
            state.holder, state.amount, state.tier, state.flags,
        ), name  # fmt: skip
    assert book.terms[scene.receivable].outstanding == scene.world.terms(scene.receivable)["outstanding"]
    assert functions_of("Receivables")["noteOf"].mutability == "view"
