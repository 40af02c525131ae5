"""Attacks by order, repetition and overflow, found by reading our own contracts as a thief would.

The class of each flaw is named by the list of invariants (I1–I20, see docs/contracts.md) it would have broken.
"""

from __future__ import annotations

from typing import Any

import eth_abi
import pytest
from tests.contracts import signing
from tests.contracts.chain import Refused, functions_of
from tests.contracts.sumtree import SumTree
from tests.contracts.world import DAY, NO_CUT, ZERO, World, member, note_id, refused, tag

FACE = 1_000_000_00


def issue_again(world: World, values: tuple[Any, ...]) -> None:
    """Anybody relays an obligor's signature seen before."""
    world.do("Receivables", "issue", values, world.sign("core", "Receivables", "Issue", values))


def word_at(world: World, mapping: int, key: int, word: int = 0) -> int:
    """Slot of a mapping's value in `Receivables`."""
    return int.from_bytes(signing.keccak(key.to_bytes(32, "big") + mapping.to_bytes(32, "big")), "big") + word


def poke(world: World, slot: int, change: Any) -> None:
    """Write storage as thousands of acts would have left it; needs the fast EVM."""
    pytest.importorskip("pyrevm")
    here = world.addresses["Receivables"]
    world.chain.evm.insert_account_storage(here, slot, change(world.chain.slot(here, slot)))  # type: ignore[attr-defined]


# ---------------------------------------------------------------------- a cancelled promise stays dead (I16)


@pytest.mark.parametrize("way", ["withdraw", "refuse", "lapse"])
def test_a_cancelled_promise_cannot_be_issued_again_from_its_old_signature(world: World, way: str) -> None:
    """The fingerprint is free again once the offer is gone, the old signature must not be: the creditor would accept
    a debt that the obligor took back."""
    deadline = world.now + 30 * DAY
    root = world.issue(fingerprint=tag("invoice"), document=tag("papers"), deadline=deadline)
    signed, path = world.issued, (root >> 192, 0, 0, tag("papers"))
    if way == "lapse":
        world.warp(signed[9])
        world.lapse(path)
    else:
        getattr(world, way)(path, "core" if way == "withdraw" else "supplier 1")
    with pytest.raises(Refused):
        issue_again(world, signed)
    assert world.see("Receivables", "receivableOf", tag("invoice")) == 0


def test_no_older_promise_of_the_same_invoice_comes_back(world: World) -> None:
    """Three promises of one invoice, each withdrawn: none of the three signatures works a second time."""
    old = []
    for number in range(3):
        document = tag(("papers", number))
        root = world.issue(fingerprint=tag("invoice"), document=document, deadline=world.now + DAY + number)
        old.append(world.issued)
        world.withdraw((root >> 192, 0, 0, document), "core")
    for values in old:
        with refused("AlreadyUsed"):
            issue_again(world, values)
    world.issue(fingerprint=tag("invoice"), document=tag("papers"), deadline=world.now + 2 * DAY)  # signed anew


# ---------------------------------------------------------------------- counters do not run over (I9, I10)


def test_the_last_child_of_a_note_is_the_last(world: World) -> None:
    """65,535 children: one more would run into the tier, count from 0 again and reuse indices."""
    root = world.accepted()
    poke(world, word_at(world, 2, root), lambda word: word | 0xFFFF << 224)
    assert world.note(root).children == 65_535
    rows = [(member("supplier 2"), 500_00), (member("supplier 3"), 600_00)]
    for act in (
        lambda: world.pass_on(root, "supplier 1", "supplier 2", 500_00),
        lambda: world.pass_many(root, "supplier 1", [("supplier 2", 500_00)]),
        lambda: world.pass_mass(root, "supplier 1", SumTree(rows).root, 2),
        lambda: world.finance(world.quote(root, amount=500_00), "supplier 1"),
        lambda: world.force(root, "judge"),
    ):
        with refused("Receivables_WrongChildIndex"):
            act()
    assert (world.note(root).tier, world.note(root).amount) == (1, FACE)


def test_the_deepest_note_is_financed_no_deeper(world: World) -> None:
    """Financing may go beyond the deepest tier of passes, but a tier of 256 would be 0, and the next one a root whose
    acceptance opens a receivable again that is closed."""
    root = world.accepted()
    poke(world, word_at(world, 2, root), lambda word: word | 0xFF << 240)
    assert world.note(root).tier == 255
    for act in (
        lambda: world.finance(world.quote(root), "supplier 1"),
        lambda: world.force(root, "judge"),
    ):
        with refused("Receivables_TooDeep"):
            act()


def test_rounds_do_not_start_again(world: World) -> None:
    """After 65,535 rounds the next payment would be written over the first."""
    root = world.accepted()
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    poke(world, word_at(world, 3, receivable, 1), lambda word: word | 0xFFFF << 240)
    assert world.terms(receivable)["rounds"] == 65_535
    with refused("Receivables_WrongRound"):
        world.pay(receivable, 1)


def test_the_evidence_log_cannot_be_filled_up_by_one_operator(world: World) -> None:
    """A head of 2^64 - 1 leaves could never be followed by another one."""
    for size in (2**64 - 1, 2**32):
        values = (size, tag("root"), 0, signing.address("operator one"), world.soon)
        signature = world.sign("operator one", "EvidenceLog", "Anchor", values)
        with refused("EvidenceLog_NotGrowing"):
            world.do("EvidenceLog", "anchor", *values, signature)
    assert world.see("EvidenceLog", "head")[0] == 0


# ---------------------------------------------------------------------- payment (I3, I19)


def test_a_frozen_note_that_is_a_round_behind_does_not_stop_the_batch(world: World) -> None:
    """Round 1 in one batch, with a note in it that was frozen all through round 0."""
    root = world.accepted()
    receivable = root >> 192
    frozen = world.pass_on(root, "supplier 1", "supplier 2", FACE // 4)
    other = world.pass_on(root, "supplier 1", "supplier 3", FACE // 4)
    world.accept(frozen, "supplier 2")
    world.accept(other, "supplier 3")
    world.freeze(frozen)
    world.warp(world.terms(receivable)["maturity"])
    for number in (0, 1):
        world.pay(receivable, FACE // 4)
        paid = world.settle(receivable, number, [frozen, other, root])
        assert {e.args["noteId"] for e in paid} == {other, root}
        assert "SettlementHeld" in {e.name for e in world.events}
    world.freeze(frozen, False)
    for number in (0, 1):
        assert len(world.settle(receivable, number, [frozen])) == 1
    assert world.note(frozen).amount == FACE // 8
    assert world.see("Receivables", "roundOf", receivable, 1)[4] == 0


def test_late_interest_cannot_be_farmed_by_leaves_made_after_the_payment(world: World) -> None:
    """A leaf is a new note. Leaves of one unit, taken from a mass pass after a payment with interest was recorded,
    would each be rounded up. Interest is for lateness: none before maturity, and no leaf after it."""
    root = world.accepted(least=0)
    receivable = root >> 192
    tree = SumTree([(member("supplier 2"), 1)] * 8)
    mass = world.pass_mass(root, "supplier 1", tree.root, 8)
    with refused("Receivables_NotMatured"):
        world.pay(receivable, FACE, 1_000, (NO_CUT, 0, 500, 0))
    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, FACE, 1_000, (NO_CUT, 0, 500, 0))
    with refused("Receivables_OfferClosed"):
        world.materialise(mass, 0, "supplier 2", 1, tree.proof(0))


# ---------------------------------------------------------------------- mass pass (I1, I2)


def test_a_leaf_is_claimed_once_whatever_happens_between(world: World) -> None:
    """Claim, pass on the whole of it, let it be settled to nothing: the leaf's id stays taken."""
    root = world.accepted()
    rows = [(member("supplier 2"), 500_00), (member("supplier 2"), 500_00)]
    tree = SumTree(rows)
    mass = world.pass_mass(root, "supplier 1", tree.root, 2, until=world.offer_time(80))
    first = world.materialise(mass, 0, "supplier 2", 500_00, tree.proof(0))
    world.pass_on(first, "supplier 2", "supplier 3", 500_00)
    with refused("Receivables_NoteExists"):
        world.materialise(mass, 0, "supplier 2", 500_00, tree.proof(0))
    second = world.materialise(
        mass, 1, "supplier 2", 500_00, tree.proof(1)
    )  # the same recipient and amount, its own leaf
    world.pay(root >> 192, FACE)
    world.settle(root >> 192, 0, [second])
    assert world.note(second).amount == 0
    with pytest.raises(Refused):
        world.materialise(mass, 1, "supplier 2", 500_00, tree.proof(1))


def test_no_claim_after_the_giver_took_the_rest_back_and_no_taking_back_before(world: World) -> None:
    root = world.accepted()
    tree = SumTree([(member("supplier 2"), 500_00), (member("supplier 3"), 600_00)])
    mass = world.pass_mass(root, "supplier 1", tree.root, 2)
    path = (root >> 192, root, 0, tag(("mass", root, tree.root)))
    assert note_id(*path) == mass
    with refused("Receivables_OfferOpen"):
        world.lapse(path)
    with refused("Receivables_NotOffered"):
        world.withdraw(path, "supplier 1")
    with refused("Receivables_NotOffered"):
        world.refuse(path, "supplier 1")
    world.materialise(mass, 0, "supplier 2", 500_00, tree.proof(0))
    world.warp(world.offer_time())
    with refused("Receivables_OfferClosed"):
        world.materialise(mass, 1, "supplier 3", 600_00, tree.proof(1))
    world.lapse(path)
    assert world.note(root).amount == FACE - 500_00
    for act in (lambda: world.materialise(mass, 1, "supplier 3", 600_00, tree.proof(1)), lambda: world.lapse(path)):
        with pytest.raises(Refused):
            act()
    assert world.note(root).amount == FACE - 500_00


def test_one_tree_in_two_mass_passes_pays_from_each_its_own(world: World) -> None:
    """A claim names its mass pass: a proof shown twice cannot draw the second pass down for the first."""
    root = world.accepted()
    tree = SumTree([(member("supplier 2"), 500_00), (member("supplier 3"), 600_00)])
    first = world.pass_mass(root, "supplier 1", tree.root, 2)
    second = world.pass_mass(root, "supplier 1", tree.root, 2)
    values = (first, 0, member("supplier 2"), 500_00, world.soon)
    signature = world.sign("supplier 2", "Receivables", "Materialise", values)
    with refused("NotAuthorised"):
        world.do("Receivables", "materialise", second, *values[1:4], tree.proof(0), world.soon, signature)
    world.materialise(first, 0, "supplier 2", 500_00, tree.proof(0))
    assert (world.note(first).amount, world.note(second).amount) == (600_00, 1100_00)


def test_a_sum_that_wraps_around_is_no_root(world: World) -> None:
    """Two leaves whose sum is 2^64 + 500: the root would say 500, and either claim would be far above it."""
    root = world.accepted()
    big = 2**63
    leaves = [(member("supplier 2"), big), (member("supplier 3"), big + 500_00)]
    tree = SumTree([(to, 1) for to, _ in leaves])
    low = 2**64 - 1
    made = [n >> 64 << 64 | a for n, (_, a) in zip(tree.levels[0], leaves, strict=True)]
    hashed = int.from_bytes(signing.keccak(made[0].to_bytes(32, "big") + made[1].to_bytes(32, "big")), "big")
    forged = (hashed << 64 & (2**256 - 1)) | (sum(a for _, a in leaves) & low)
    mass = world.pass_mass(root, "supplier 1", forged, 2)
    assert world.note(mass).amount == 500_00
    for index, (name, (_, amount)) in enumerate(zip(("supplier 2", "supplier 3"), leaves, strict=True)):
        with refused("Receivables_BadProof"):
            world.materialise(mass, index, name, amount, [made[1 - index]])


# ---------------------------------------------------------------------- front-running and time


def test_an_offer_acted_on_at_its_last_second_and_not_at_the_next(world: World) -> None:
    root = world.issue()
    until = world.issued[9]
    document = world.issued[8]
    world.warp(until - 1)
    with refused("Receivables_OfferOpen"):
        world.lapse((root >> 192, 0, 0, document))
    with world.chain.scratch():
        world.accept(root, "supplier 1")
    world.warp(until)
    for act in (
        lambda: world.accept(root, "supplier 1"),
        lambda: world.pass_on(root, "supplier 1", "supplier 2", 500_00),
        lambda: world.finance(world.quote(root), "supplier 1"),
        lambda: world.accept_many([root], "supplier 1"),
    ):
        with refused("Receivables_OfferClosed"):
            act()
    world.lapse((root >> 192, 0, 0, document))


def test_a_lock_is_the_banks_or_the_givers_never_both(world: World) -> None:
    """The bank's statement and the lapse at one deadline: whichever comes first, the other has nothing left."""
    root = world.accepted()
    quote = world.quote(root, amount=500_00)
    note = world.finance(quote, "supplier 1")
    path = (root >> 192, root, 0, quote[10])
    world.warp(quote[12] - 1)
    with refused("Receivables_OfferOpen"):
        world.lapse(path)
    with world.chain.scratch():
        world.complete(note)
        world.warp(quote[12])
        with refused("Receivables_NotOffered"):
            world.lapse(path)
    world.warp(quote[12])
    with refused("Receivables_OfferClosed"):
        world.complete(note)
    world.lapse(path)
    with refused("Receivables_NotOffered"):
        world.complete(note, net=quote[4])
    assert world.note(root).amount == FACE


def test_relayed_or_direct_the_second_pass_of_one_index_is_refused(world: World) -> None:
    """Two passes signed for one index: the one that comes first wins, the other is dead, whoever relays it."""
    root = world.accepted()
    rows = [(root, 0, member(f"supplier {i}"), FACE, tag(i), world.offer_time(), world.soon) for i in (2, 3)]
    signatures = [world.sign("supplier 1", "Receivables", "Pass", v) for v in rows]
    world.do("Receivables", "pass", rows[1], signatures[1])
    with refused("Receivables_WrongChildIndex"):
        world.do("Receivables", "pass", rows[0], signatures[0])


# ---------------------------------------------------------------------- contract accounts that misbehave

# isValidSignature that burns all gas, that answers with a megabyte of memory, and that calls back and answers well.
BURNS = "5b600056"
BOMB = "621000006000f3"


def reentrant(target: str, data: bytes) -> str:
    """Runtime code: call `target` with `data`, whatever comes of it, then answer with ERC-1271's word."""
    size = len(data)
    head = f"61{size:04x}60{{at:02x}}6000396000600061{size:04x}60006000"
    tail = f"73{target[2:].lower()}5af150631626ba7e60e01b60005260206000f3"
    code = head.format(at=0) + tail
    return head.format(at=len(code) // 2) + tail + data.hex()


def deployed(world: World, runtime: str) -> str:
    size = len(runtime) // 2
    return world.chain.deploy(bytes.fromhex(f"61{size:04x}600e60003961{size:04x}6000f3" + runtime))


def enrol_key(world: World, name: str, key: str, roles: int = 2) -> None:
    row = (member(name), key, 777, roles, 0, "0x" + "00" * 20, tag(name))
    world.quorum("Members", "enrol", "Enrol", (row,))


def test_a_contract_account_that_burns_gas_or_floods_memory_harms_its_own_act_alone(world: World) -> None:
    root = world.accepted()
    enrol_key(world, "hostile", deployed(world, BURNS))
    enrol_key(world, "flood", deployed(world, BOMB))
    for name in ("hostile", "flood"):
        child = world.pass_on(root, "supplier 1", name, 500_00)
        with pytest.raises((Refused, RuntimeError)):  # or out of the gas it was given
            world.do("Receivables", "accept", child, world.soon, b"any")
        path = (root >> 192, root, world.note(root).children - 1, tag(("hop", root, 500_00, name)))
        world.withdraw(path, "supplier 1")  # the giver needs nothing of it
    world.pay(root >> 192, FACE)
    assert len(world.settle(root >> 192, 0, [root])) == 1


def test_a_contract_account_cannot_call_back_while_it_is_asked(world: World) -> None:
    """The question is a static call: a key that withdraws, lapses or settles from inside its answer changes nothing."""
    root = world.accepted()
    f = functions_of("Receivables")["settleMany"]
    data = f.selector + eth_abi.encode(f.inputs, (root >> 192, 0, [root]))
    enrol_key(world, "caller", deployed(world, reentrant(world.addresses["Receivables"], data)))
    child = world.pass_on(root, "supplier 1", "caller", 500_00)
    world.pass_on(root, "supplier 1", "supplier 2", 100_00)
    before = world.note(root)
    world.do("Receivables", "accept", child, world.soon, b"any")  # its answer is yes; the call back failed
    assert world.note(root) == before
    assert world.note(child).flags == 0


# ---------------------------------------------------------------------- entrusted accounts (I4, I18)


def test_what_was_decided_against_is_not_released_on_the_rest_of_the_stage(world: World) -> None:
    """500 of 600 are supported, 50 of them are disputed and go back: 450 are left to release, not 500 of the 550 that
    nobody has delivered yet."""
    account = world.locked()
    for who in ("carrier", "warehouse"):
        world.attest(account, 0, who, 500_00)
    for who in ("maker", "checker"):
        world.approve(account, 0, who, 500_00)
    world.dispute(account, 0, "financier", 50_00)
    assert world.releasable(account, 0) == 450_00
    world.resolve(account, 0, 0, 50_00)
    assert world.releasable(account, 0) == 450_00
    world.release(account, 0, 450_00)
    with refused("Entrusted_TooMuch"):
        world.release(account, 0, 1)
    world.refund(account, 0, 50_00)
    for who in ("carrier", "warehouse", "maker", "checker"):  # the last hundred arrives after all
        (world.attest if who in ("carrier", "warehouse") else world.approve)(account, 0, who, 600_00)
    assert world.releasable(account, 0) == 100_00


def test_what_was_decided_before_any_evidence_leaves_later_evidence_whole(world: World) -> None:
    """100 of 600 are given back before anything was delivered; 500 are delivered then and are all released."""
    account = world.locked()
    world.dispute(account, 0, "supplier 1", 100_00)
    world.resolve(account, 0, 0, 100_00)
    for who in ("carrier", "warehouse"):
        world.attest(account, 0, who, 500_00)
    for who in ("maker", "checker"):
        world.approve(account, 0, who, 500_00)
    assert world.releasable(account, 0) == 500_00


@pytest.mark.parametrize("refund_first", [False, True])
def test_release_and_refund_at_one_deadline_share_the_stage(world: World, refund_first: bool) -> None:
    """Both in every order around the deadline: together never more than the stage, and no part is in both."""
    account = world.locked()
    for who in ("carrier", "warehouse"):
        world.attest(account, 0, who, 250_00)
    for who in ("maker", "checker"):
        world.approve(account, 0, who, 200_00)
    with refused("Entrusted_TooMuch"):
        world.refund(account, 0, 1)
    world.warp(world.stage(account, 0)["deadline"])
    acts = [lambda: world.release(account, 0, 200_00), lambda: world.refund(account, 0, 400_00)]
    for act in reversed(acts) if refund_first else acts:
        act()
    for act in (lambda: world.release(account, 0, 1), lambda: world.refund(account, 0, 1)):
        with refused("Entrusted_TooMuch"):
            act()
    with refused("Entrusted_StageOver"):
        world.attest(account, 0, "carrier", 600_00)


def test_unknown_notes_and_bare_zero_open_nothing(world: World) -> None:
    """Id 0 and the zero key: nobody signs for them."""
    for parent in (0, 1, 7 << 192 | 5):
        values = (parent, 0, member("supplier 2"), 1, ZERO, world.offer_time(), world.soon)
        for signature in (b"", bytes(65), bytes(64) + b"\x1b"):
            with refused("NotAuthorised"):
                world.do("Receivables", "pass", values, signature)
        with pytest.raises(Refused):
            world.finance(world.quote(parent, amount=1, net=1, discount=0, fees=0), "supplier 1")


# ---------------------------------------------------------------------- the edges themselves


def test_the_last_maturity_that_fits_is_taken_and_the_next_is_not(world: World) -> None:
    """A maturity keeps 32 bits: one second more would be 1970, due at once."""
    root = world.issue(maturity=2**32 - 1)
    assert world.terms(root >> 192)["maturity"] == 2**32 - 1
    with refused("Receivables_BadTerms"):
        world.issue(maturity=2**32)


def test_the_whole_of_a_stage_may_be_disputed(world: World) -> None:
    account = world.locked()
    world.dispute(account, 0, "financier", 600_00)
    assert world.stage(account, 0)["disputed"] == 600_00
    assert world.releasable(account, 1) == 0
    world.resolve(account, 0, 0, 600_00)
    assert world.refundable(account, 0) == 600_00
