"""How other systems broke, tried on ours. Each test names where the flaw was found."""

from __future__ import annotations

import eth_abi
import pytest
from tests.contracts import signing
from tests.contracts.chain import FUNDER, ROOT, Refused, Reverted, abi_of, functions_of, refusal
from tests.contracts.sumtree import SumTree, join, leaf
from tests.contracts.world import (
    BLACKLISTED,
    DAY,
    HOUR,
    NO_CUT,
    ZERO,
    World,
    member,
    refused,
    tag,
)

FACE = 1_000_000_00


def test_no_callback_can_mint_twice() -> None:
    """Solv BRO vault, March 2026: `onERC721Received` minted, and `mint` minted again. We call no recipient at all."""
    names = {f for c in ("Receivables", "EntrustedAccounts", "Members") for f in functions_of(c)}
    assert not {n for n in names if "Received" in n or n.startswith("setApproval")}
    source = (ROOT / "contracts" / "Receivables.sol").read_text()
    assert ".call(" not in source
    assert "delegatecall" not in source


def test_no_trade_party_can_say_paid(world: World) -> None:
    """Bulla C-2 (December 2025), Huma 5.5.10: a party declared its claim paid and had it financed and reconciled."""
    root = world.accepted()
    for by in ("core", "supplier 1", "financier", "operator one", "other bank"):
        with refused("NotAuthorised"):
            world.pay(root >> 192, FACE, by=by)
    world.pay(root >> 192, FACE)
    with refused("Receivables_WrongStatus"):  # paid is not financed any more
        world.finance(world.quote(root), "supplier 1")


def test_the_debtor_cannot_cancel_what_is_financed(world: World) -> None:
    """Bulla M-2 (December 2025): the debtor rejected the funded claim."""
    document = tag("document")
    root = world.accepted(document=document)
    note = world.finance(world.quote(root), "supplier 1")
    world.complete(note)
    for act in (world.withdraw, world.refuse):
        for by in ("core", "supplier 1"):
            with refused("Receivables_NotOffered"):
                act((root >> 192, 0, 0, document), by)
    with refused("Receivables_NotOffered"):
        world.lapse((root >> 192, 0, 0, document))
    with refused("Receivables_NotMatured"):  # nor pay a part of it early, to whom it likes
        world.pay(root >> 192, FACE // 2)


def test_no_side_door_around_the_holder(world: World) -> None:
    """Bulla C-1: the queued redemption skipped the owner check. Every way out of a note asks the same key."""
    root = world.accepted()
    rows = [(member("supplier 3"), 500)]
    for act in (
        lambda: world.pass_on(root, "supplier 2", "supplier 2", 500),
        lambda: world.pass_many(root, "supplier 2", [("supplier 2", 500)]),
        lambda: world.pass_mass(root, "supplier 2", SumTree(rows).root, 1),
        lambda: world.finance(world.quote(root), "supplier 2"),
    ):
        with refused("NotAuthorised"):
            act()


def test_partial_payments_are_not_forgotten(world: World) -> None:
    """Bulla H-4 (2025-09), M-1 (2024-10): amounts already paid were ignored."""
    root = world.accepted()
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, FACE // 4)
    world.settle(receivable, 0, [root])
    assert world.note(root).amount == FACE - FACE // 4
    with refused("Receivables_BadPayment"):
        world.pay(receivable, FACE)
    assert world.see("Members", "exposureOf", member("core"))[1] == FACE - FACE // 4


def test_a_running_deal_keeps_its_terms(world: World) -> None:
    """Bulla M-2/M-3 (2024-10): parameters changed under running deals. A quote's price is signed and stored."""
    root = world.accepted()
    quote = world.quote(root)
    note = world.finance(quote, "supplier 1")
    with refused("Receivables_WrongNet"):
        world.complete(note, net=quote[4] - 1)
    world.appoint("core", "other bank")
    world.complete(note)  # the lock's bank stays the one that was quoted


def test_freezing_is_not_undone_by_moving_to_oneself(world: World) -> None:
    """ERC-7943 reference, CMTAT issue 380: `forcedTransfer(x, x)` unfroze; a duplicate id in a batch as well."""
    root = world.accepted()
    world.freeze(root)
    with refused("Receivables_OtherHolder"):
        world.force(root, "supplier 1")
    with refused("Receivables_NotMovable"):
        world.pass_on(root, "supplier 1", "supplier 1", 500)
    world.pay(root >> 192, FACE)
    assert world.settle(root >> 192, 0, [root, root]) == []


def test_the_limit_is_asked_on_every_way_up_and_freed_once(world: World) -> None:
    """Huma 5.3.26 and 5.3.5: a way past the limit, and a counter left behind after burning."""
    world.quorum("Members", "setLimit", "SetLimit", (member("core"), FACE))
    document = tag("d")
    world.issue(document=document)
    with refused("Members_LimitExceeded"):
        world.issue(face=1, least=0)
    receivable = world.see("Receivables", "receivableCount")
    world.withdraw((receivable, 0, 0, document), "core")
    with refused("Receivables_NotOffered"):
        world.withdraw((receivable, 0, 0, document), "core")
    assert world.see("Members", "exposureOf", member("core"))[1] == 0
    world.issue()


def test_one_payee_cannot_block_the_others(world: World) -> None:
    """Smart Invoice H-01, Huma 5.3.19, Sablier CodeHawks 2024-05: a push payment to a blocked payee stopped all."""
    root = world.accepted()
    children = [world.pass_on(root, "supplier 1", f"supplier {i}", 1000) for i in range(2, 6)]
    for i, child in enumerate(children, 2):
        world.accept(child, f"supplier {i}")
    world.standing("supplier 2", BLACKLISTED)
    world.freeze(children[1])
    world.pay(root >> 192, FACE)
    world.settle(root >> 192, 0, [children[2]])  # somebody runs ahead with one of the batch
    paid = world.settle(root >> 192, 0, [*children, root])
    assert len(paid) == 3


def test_milestones_are_safe_against_front_running_and_odd_sums(world: World) -> None:
    """Smart Invoice PR 323 (M-01 … M-05), Trustless Work PR 108: overflow blocked the dispute, one person did both."""
    account = world.locked()
    with refused("Entrusted_TooMuch"):
        world.resolve(account, 0, 2**64 - 1, 1)
    world.attest(account, 0, "carrier", 600_00)
    world.attest(account, 0, "warehouse", 600_00)
    with pytest.raises(Refused):
        world.approve(account, 0, "carrier", 600_00)
    world.approve(account, 0, "maker", 600_00)
    with refused("Entrusted_NotMore"):
        world.approve(account, 0, "maker", 600_00)
    assert world.releasable(account, 0) == 0
    world.approve(account, 0, "checker", 600_00)
    world.dispute(account, 0, "financier", 1_00)
    with refused("Entrusted_TooMuch"):
        world.release(account, 0, 600_00)
    world.release(account, 0, 599_00)


def test_a_strangers_fingerprint_claim_needs_an_obligors_signature(world: World) -> None:
    """Request: anyone may mint the victim's key first. Huma: two creators may register one invoice."""
    with refused("NotAuthorised"):
        world.issue(fingerprint=tag("invoice"), by="a stranger")
    world.issue(fingerprint=tag("invoice"))
    with refused("Receivables_FingerprintTaken"):
        world.issue(obligor="other core", fingerprint=tag("invoice"))


def test_a_signature_is_bound_to_one_act(world: World) -> None:
    """Centrifuge C4 M-02, M-03; OpenZeppelin 2023-12: wrong domain, relayed sender, malleable signature, replay."""
    root = world.accepted()
    values = (root, 0, member("supplier 2"), 500, tag("e"), world.offer_time(), world.soon)
    good = world.sign("supplier 1", "Receivables", "Pass", values)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    mirrored = good[:32] + (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + bytes([55 - good[64]])
    for bad in (mirrored, good[:64], good + b"\x00", good[:64] + b"\x00", bytes(65)):
        with refused("NotAuthorised"):
            world.do("Receivables", "pass", values, bad)
    world.do("Receivables", "pass", values, good)
    with refused("Receivables_WrongChildIndex"):
        world.do("Receivables", "pass", values, good)


def test_wide_words_in_the_call_data_do_no_harm(world: World) -> None:
    """The pass reads its fields as sent; each dirty field must be refused or change nothing."""
    import eth_abi

    root = world.accepted()
    f = functions_of("Receivables")["pass"]
    values = [root, 0, member("supplier 2"), 500, tag("e"), world.offer_time(), world.soon]
    plain = eth_abi.encode(f.inputs, (tuple(values), b""))
    for position in (1, 2, 3, 5):
        word = bytearray(plain)
        word[32 * position] = 0x80
        with pytest.raises(Reverted):
            world.chain.send(signing.address("supplier 1"), world.addresses["Receivables"], f.selector + bytes(word))
    world.chain.send(signing.address("supplier 1"), world.addresses["Receivables"], f.selector + plain)
    assert world.note(root).amount == FACE - 500


def test_an_inner_node_is_no_leaf(world: World) -> None:
    """Second preimage: an inner node, or a leaf of another depth, offered as a leaf."""
    root = world.accepted()
    rows = [(member(f"supplier {2 + i}"), 1000 + i) for i in range(4)]
    tree = SumTree(rows)
    mass = world.pass_mass(root, "supplier 1", tree.root, 4)
    inner = tree.levels[1][0]
    with refused("Receivables_BadProof"):
        world.materialise(mass, 0, "supplier 2", inner & (2**64 - 1), [tree.levels[1][1]])
    # a tree whose left half is one deep: that leaf is for another depth, so its proof never fits
    lop = join(leaf(1, 0, member("supplier 2"), 5000), join(leaf(2, 2, *rows[2]), leaf(2, 3, *rows[3])))
    other = world.pass_mass(root, "supplier 1", lop, 4)
    with refused("Receivables_BadProof"):
        world.materialise(other, 0, "supplier 2", 5000, [lop])


def test_a_proof_cannot_count_a_sum_twice(world: World) -> None:
    """Sum-tree forgeries: a sibling with a false sum, a sum that wraps around 64 bits."""
    root = world.accepted()
    rows = [(member("supplier 2"), 1000), (member("supplier 3"), 2000)]
    tree = SumTree(rows)
    mass = world.pass_mass(root, "supplier 1", tree.root, 2)
    for forged in (0, 1, 2**64 - 1, 2**64 - 1000, 2999):
        with refused("Receivables_BadProof"):
            world.materialise(mass, 0, "supplier 2", 1000, [tree.proof(0)[0] >> 64 << 64 | forged])


# ---------------------------------------------------------------------- demo systems (cuber671, WeBank, xiekch)


def test_accepting_needs_the_creditor(world: World) -> None:
    """cuber671 ReceivableCore.sol: `confirmReceivable` and `financeReceivable` had no role check at all."""
    root = world.issue()
    for by in ("core", "supplier 2", "a stranger", "operator one"):
        with refused("NotAuthorised"):
            world.accept(root, by)


def test_an_existing_debt_cannot_be_issued_again_with_other_terms(world: World) -> None:
    """cuber671: creating an existing id with other terms returned success; the invoice hash was not unique."""
    world.issue(fingerprint=tag(1), document=tag(2))
    with refused("Receivables_FingerprintTaken"):
        world.issue(fingerprint=tag(1), document=tag(2), face=FACE * 2)
    again = world.issue(fingerprint=tag(3), document=tag(2))
    assert world.note(again).amount == FACE


def test_financed_once(world: World) -> None:
    """cuber671: `receivableIsFinanced` was never set. Here the value itself is locked away."""
    root = world.accepted()
    world.finance(world.quote(root), "supplier 1")
    for again in (world.quote(root, amount=500_00), world.quote(root, "other financier", amount=500_00)):
        with refused("Receivables_AmountExceeded"):
            world.finance(
                again, "supplier 1", "other financier" if again[1] == member("other financier") else "financier"
            )
    with refused("Receivables_AmountExceeded"):
        world.pass_on(root, "supplier 1", "supplier 2", 500_00)


def test_nobody_becomes_a_core_enterprise_by_calling(world: World) -> None:
    """WeBank Supplychain.sol:32: a misspelt constructor anyone could call. There is no initialiser to call."""
    names = {f for c in ("Receivables", "EntrustedAccounts", "Members", "EvidenceLog") for f in functions_of(c)}
    assert not {n for n in names if "init" in n.lower() or "owner" in n.lower()} - {"ownerOf"}
    with refused("OnlyMembers"):
        world.do("Receivables", "setMember", member("a stranger"), 2**200, sender=signing.address("core"))


def test_balances_do_not_wrap(world: World) -> None:
    """WeBank Supplychain.sol:207: the bank's balance underflowed."""
    root = world.accepted(face=100, least=1)
    with refused("Receivables_AmountExceeded"):
        world.pass_on(root, "supplier 1", "supplier 2", 101)
    with refused("Receivables_AmountExceeded"):
        world.pass_many(root, "supplier 1", [("supplier 2", 60), ("supplier 3", 41)])
    with refused("Receivables_BadPayment"):
        world.pay(root >> 192, 101)
    with refused("Members_LimitExceeded"):
        world.issue(face=2**64 - 1)


def test_the_giver_is_the_signer_not_an_argument(world: World) -> None:
    """xiekch AR.sol:95: `transfer` never checked the caller."""
    root = world.accepted()
    with refused("NotAuthorised"):
        world.pass_on(root, "supplier 2", "supplier 2", 500, direct=True)


def test_paying_takes_down_exactly_what_was_paid(world: World) -> None:
    """xiekch AR.sol:188: `pay` zeroed the amount before subtracting it."""
    root = world.accepted()
    world.warp(world.terms(root >> 192)["maturity"])
    world.pay(root >> 192, 40_00, 0, (NO_CUT, 0, NO_CUT, 0))
    terms = world.terms(root >> 192)
    assert (terms["outstanding"], terms["paid"]) == (FACE - 40_00, 40_00)


def test_every_list_in_a_call_is_the_callers_own() -> None:
    """I19: no loop over something that grows by others' acts: lists come from call data, or are capped at opening."""
    for contract in ("Receivables", "EntrustedAccounts", "Members", "abstracts/Limits"):
        source = (ROOT / "contracts" / f"{contract}.sol").read_text()
        loops = [line.strip() for line in source.splitlines() if line.strip().startswith(("for (", "while ("))]
        allowed = (
            "p.to.length", "noteIds.length", "o.stages.length", "o.attestors.length", "who.length", "stages.length",
            "_targets.length", "_operators.length", "e.length", "signatures.length", "i < count", "i < size", "j < i",
            "i < members", "i < last",  # of a group, at most 64
        )  # fmt: skip
        assert all(any(a in loop for a in allowed) for loop in loops), loops


def test_abi_has_no_payable_function() -> None:
    """I4: no contract can hold money; a donation has no way in."""
    for contract in ("Members", "Receivables", "EntrustedAccounts", "EvidenceLog", "QuorumAccount"):
        assert not [
            i for i in abi_of(contract) if i.get("stateMutability") == "payable" or i["type"] in ("receive", "fallback")
        ]


def test_time_of_an_offer_cannot_outlive_the_debt(world: World) -> None:
    """Huma 5.1.2: calendar slips at the edge. The last second before and the first second at maturity."""
    root = world.accepted(maturity=world.now + 10 * HOUR, offer_until=world.now + 10 * HOUR)
    child = world.pass_on(root, "supplier 1", "supplier 2", 500, until=world.now + 10 * HOUR)
    world.warp(world.now + 10 * HOUR)
    with refused("Receivables_OfferClosed"):
        world.accept(child, "supplier 2")
    with refused("Receivables_Matured"):
        world.pass_on(root, "supplier 1", "supplier 2", 500, until=world.now + DAY)
    assert world.see("Receivables", "isReferenceUsed", member("bank"), ZERO) is False


def test_after_a_fork_the_old_chains_signatures_are_void(world: World) -> None:
    """Centrifuge C4 M-03: a cached domain separator outlived the chain id. The same code and storage on chain 2."""
    pyrevm = pytest.importorskip("pyrevm")
    here = world.addresses["Receivables"]
    code = world.chain.evm.get_code(here)
    fork = pyrevm.EVM(env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=2)), spec_id="SHANGHAI")
    fork.insert_account_info(here, pyrevm.AccountInfo(code=code))
    fork.set_block_env(pyrevm.BlockEnv(number=1, timestamp=world.now))
    slot = signing.keccak(bytes(12) + bytes.fromhex(member("core")[2:]) + bytes(32))
    fork.insert_account_storage(here, int.from_bytes(slot, "big"), world.see("Members", "wordOf", member("core")))
    world.issue()
    f = functions_of("Receivables")["issue"]
    found = []
    for chain_id in (world.chain.chain_id, 2):
        digest = signing.digest("Receivables", chain_id, here, "Issue", world.issued)
        data = f.selector + eth_abi.encode(f.inputs, (world.issued, signing.sign("core", digest)))
        with pytest.raises(RuntimeError) as caught:
            fork.message_call(FUNDER, here, data, gas=10_000_000)
        found.append(refusal(bytes.fromhex(str(caught.value).split("output: 0x")[1].split(" ")[0].rstrip("}"))).name)
    assert found == ["NotAuthorised", "ERC7943CannotTransact"]  # on chain 2 only the creditor is missing
