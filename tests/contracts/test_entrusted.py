"""Entrusted accounts: money moves by stage, evidence of two houses and two approvals, and by nothing else."""

from __future__ import annotations

import pytest
from tests.contracts.world import (
    APPROVER,
    ATTESTOR,
    BANK,
    DAY,
    SUPPLIER,
    SUSPENDED,
    World,
    member,
    refused,
    tag,
)

STAGE = 600_00


@pytest.fixture
def account(world: World) -> int:
    return world.locked()


def supported(world: World, account: int, up_to: int = STAGE, stage: int = 0) -> None:
    for who in ("carrier", "warehouse"):
        world.attest(account, stage, who, up_to)
    for who in ("maker", "checker"):
        world.approve(account, stage, who, up_to)


def held(world: World, account: int) -> int:
    _, _, _, _, _, _, locked, released, refunded = world.see("EntrustedAccounts", "accountOf", account)
    return int(locked - released - refunded)


def test_opening_says_everything(world: World) -> None:
    opening = world.opening()
    account = world.open(opening)
    found = world.see("EntrustedAccounts", "accountOf", account)
    assert [str(v).lower() for v in found[:3]] == [v.lower() for v in opening[:3]]
    assert found[3:] == (156, 2, 1000_00, 0, 0, 0)
    stage = world.stage(account, 1)
    assert (stage["amount"], stage["deadline"], stage["rule"]) == (400_00, opening[7][1][4], tag("rule"))
    assert stage["payeeAccount"] == tag("account")
    assert stage["payee"].lower() == member("supplier 6").lower()
    duties = {n: world.see("EntrustedAccounts", "dutyOf", account, member(n)) for n in ("carrier", "maker", "bank")}
    assert duties == {"carrier": 1, "maker": 2, "bank": 0}
    assert world.see("EntrustedAccounts", "accountCount") == account
    assert world.releasable(account, 0) == 0
    with refused("AlreadyUsed"):
        world.open(opening)


def test_both_sides_sign_the_opening(world: World) -> None:
    with refused("NotAuthorised"):
        world.open(world.opening(), payer="supplier 1")
    with refused("NotAuthorised"):
        world.open(world.opening(), beneficiary="financier")
    with refused("SignatureExpired"):
        world.open(world.opening(deadline=world.now - 1))
    world.standing("supplier 1", SUSPENDED)
    with refused("ERC7943CannotTransact"):
        world.open()
    world.standing("supplier 1", 0)
    world.standing("financier", SUSPENDED)
    with refused("ERC7943CannotTransact"):
        world.open()


@pytest.mark.parametrize(
    ("error", "change"),
    [
        ("Entrusted_BadOpening", {"stages": []}),
        ("Entrusted_BadOpening", {"currency": 0}),
        ("Entrusted_BadOpening", {"attestors": ["carrier"]}),
        ("Entrusted_BadOpening", {"approvers": ["maker"]}),
        ("Entrusted_BadOpening", {"approvers": ["maker"] * 9}),
        ("Entrusted_NotIndependent", {"attestors": ["carrier", "carrier desk"]}),
        ("Entrusted_NotIndependent", {"approvers": ["maker", "maker"]}),
        ("Entrusted_NotIndependent", {"attestors": ["carrier", "warehouse", "carrier"]}),
        ("ERC7943CannotTransact", {"approvers": ["maker", "carrier"]}),
        ("ERC7943CannotTransact", {"attestors": ["carrier", "maker"]}),
        ("ERC7943CannotTransact", {"bank": "financier"}),
    ],
)
def test_openings_that_do_not_bind(world: World, error: str, change: dict) -> None:
    change = {k: [member(n) for n in v] if isinstance(v, list) else v for k, v in change.items()}
    if "bank" in change:
        change["bank"] = member(change["bank"])
    with refused(error):
        world.open(world.opening(**change))


def test_stages_that_do_not_bind(world: World) -> None:
    good = world.opening()[7][0]
    for changed in ((*good[:2], 0, *good[3:]), (*good[:4], world.now)):
        with refused("Entrusted_BadOpening"):
            world.open(world.opening(stages=[good, changed]))
    with refused("ERC7943CannotTransact"):
        world.open(world.opening(stages=[(member("a stranger"), *good[1:])]))
    with refused("Entrusted_BadOpening"):
        world.open(world.opening(stages=[good] * 17))
    with refused("Panic"):
        world.open(world.opening(stages=[(*good[:2], 2**64 - 1, *good[3:])] * 2))
    world.open(world.opening(stages=[good] * 16))


def test_nobody_judges_in_its_own_cause(world: World) -> None:
    """Houses: 101 is the beneficiary's, 105 a payee's."""
    world.enrol_many(
        [("friend", 101, APPROVER | ATTESTOR), ("payee's clerk", 105, APPROVER | ATTESTOR), ("own bank", 101, BANK)]
    )
    for name in ("friend", "payee's clerk"):
        with refused("Entrusted_NotIndependent"):
            world.open(world.opening(approvers=[member("maker"), member(name)]))
        with refused("Entrusted_NotIndependent"):
            world.open(world.opening(attestors=[member("carrier"), member(name)]))
    with refused("Entrusted_NotIndependent"):
        world.open(world.opening(bank=member("own bank")))
    world.enrol_many([("both", 60, APPROVER | ATTESTOR), ("sister", 101, SUPPLIER)])
    with refused("Entrusted_NotIndependent"):
        world.open(
            world.opening(attestors=[member("carrier"), member("both")], approvers=[member("maker"), member("both")])
        )
    with refused("Entrusted_NotIndependent"):
        world.open(world.opening(payer=member("sister")), payer="sister")
    with refused("Entrusted_BadOpening"):
        world.open(world.opening(payer=member("supplier 1")), payer="supplier 1")


def test_eight_of_each_duty_are_allowed(world: World) -> None:
    world.enrol_many([(f"witness {i}", 70 + i, ATTESTOR) for i in range(9)])
    names = [member(f"witness {i}") for i in range(9)]
    world.open(world.opening(attestors=names[:8]))
    with refused("Entrusted_BadOpening"):
        world.open(world.opening(attestors=names))


def test_one_who_joined_the_payees_house_later_does_not_count(world: World, account: int) -> None:
    for house in (105, 101):
        world.enrol_many([("carrier", house, ATTESTOR)])
        with refused("Entrusted_NotIndependent"):
            world.attest(account, 0, "carrier", 1)


def test_the_whole_amount_arrives_once(world: World) -> None:
    account = world.open()
    for act in (
        lambda: world.attest(account, 0, "carrier", 1),
        lambda: world.approve(account, 0, "maker", 1),
        lambda: world.dispute(account, 0, "financier", 1),
        lambda: world.release(account, 0, 1),
        lambda: world.refund(account, 0, 1),
    ):
        with refused("Entrusted_NotLocked"):
            act()
    world.warp(world.now + 31 * DAY)
    assert world.refundable(account, 0) == 0
    for wrong in (1000_00 - 1, 1000_00 + 1):
        with refused("Entrusted_WrongAmount"):
            world.act("ConfirmLocked", "bank", account, wrong, tag(1))
    with refused("NotAuthorised"):
        world.act("ConfirmLocked", "other bank", account, 1000_00, tag(1))
    world.act("ConfirmLocked", "bank", account, 1000_00, tag(1))
    assert world.see("EntrustedAccounts", "isReferenceUsed", member("bank"), tag(1))
    with refused("Entrusted_AlreadyLocked"):
        world.act("ConfirmLocked", "bank", account, 1000_00, tag(2))
    with refused("AlreadyUsed"):
        world.act("ConfirmLocked", "bank", world.open(), 1000_00, tag(1))


def test_release_needs_two_houses_and_two_people(world: World, account: int) -> None:
    world.approve(account, 0, "maker", STAGE)
    world.approve(account, 0, "checker", 500_00)
    assert world.releasable(account, 0) == 0
    world.attest(account, 0, "carrier", STAGE)
    world.attest(account, 0, "carrier desk", STAGE)
    assert world.releasable(account, 0) == 0
    world.attest(account, 0, "warehouse", 400_00)
    assert world.releasable(account, 0) == 400_00
    world.attest(account, 0, "warehouse", 550_00)
    assert world.releasable(account, 0) == 500_00
    assert world.releasable(account, 1) == 0
    assert world.see("EntrustedAccounts", "upToOf", account, 0, member("warehouse")) == 550_00
    with refused("Entrusted_TooMuch"):
        world.release(account, 0, 500_01)
    with refused("Entrusted_TooMuch"):
        world.release(account, 0, 0)
    with refused("NotAuthorised"):
        world.release(account, 0, 500_00, by="other bank")
    world.release(account, 0, 200_00)
    assert world.releasable(account, 0) == 300_00
    world.release(account, 0, 300_00)
    with refused("Entrusted_TooMuch"):
        world.release(account, 0, 1)
    assert held(world, account) == 500_00
    assert world.stage(account, 0)["released"] == 500_00


def test_order_of_the_statements_does_not_matter(world: World) -> None:
    values = {"carrier": 100, "carrier desk": 300, "warehouse": 200}
    for order in (list(values), list(values)[::-1], ["carrier desk", "warehouse", "carrier"]):
        account = world.locked()
        world.approve(account, 0, "maker", STAGE)
        world.approve(account, 0, "checker", STAGE)
        for who in order:
            world.attest(account, 0, who, values[who])
        assert world.releasable(account, 0) == 200


def test_a_suspended_witness_no_longer_counts(world: World, account: int) -> None:
    supported(world, account)
    assert world.releasable(account, 0) == STAGE
    world.standing("carrier", SUSPENDED)
    assert world.releasable(account, 0) == 0
    with refused("ERC7943CannotTransact"):
        world.attest(account, 1, "carrier", 1)
    world.standing("carrier", 0)
    world.standing("maker", SUSPENDED)
    assert world.releasable(account, 0) == 0
    with refused("ERC7943CannotTransact"):
        world.approve(account, 1, "maker", 1)


def test_statements_of_those_with_the_duty_and_only_growing(world: World, account: int) -> None:
    with refused("NotAuthorised"):
        world.attest(account, 0, "carrier", 1, by="warehouse")
    with refused("NotAuthorised"):
        world.approve(account, 0, "maker", 1, by="checker")
    world.enrol_many([("other carrier", 52, ATTESTOR), ("other approver", 32, APPROVER), ("both", 61, 48)])
    with refused("Entrusted_NoDuty"):
        world.attest(account, 0, "other carrier", 1)
    with refused("Entrusted_NoDuty"):
        world.approve(account, 0, "other approver", 1)
    account2 = world.locked(world.opening(attestors=[member("carrier"), member("both")]))
    with refused("Entrusted_NoDuty"):
        world.approve(account2, 0, "both", 1)
    with refused("Entrusted_UnknownStage"):
        world.attest(account, 2, "carrier", 1)
    with refused("Entrusted_TooMuch"):
        world.attest(account, 0, "carrier", STAGE + 1)
    world.attest(account, 0, "carrier", 5)
    for amount in (5, 4, 0):
        with refused("Entrusted_NotMore"):
            world.attest(account, 0, "carrier", amount)
    world.warp(world.stage(account, 0)["deadline"] - 1)
    world.attest(account, 0, "carrier", 6)
    world.warp(world.now + 1)
    with refused("Entrusted_StageOver"):
        world.attest(account, 0, "carrier", 7)
    with refused("Entrusted_StageOver"):
        world.approve(account, 0, "maker", 7)
    world.attest(account, 1, "carrier", 7)


def test_payment_ids_and_bank_lines_work_once(world: World, account: int) -> None:
    supported(world, account)
    world.release(account, 0, 100, payment=tag("p1"), line=tag("l1"))
    assert world.see("EntrustedAccounts", "isPaymentUsed", member("bank"), tag("p1"))
    with refused("AlreadyUsed"):
        world.release(account, 0, 100, payment=tag("p1"), line=tag("l2"))
    with refused("AlreadyUsed"):
        world.release(account, 0, 100, payment=tag("p2"), line=tag("l1"))
    world.warp(world.now + 61 * DAY)
    with refused("AlreadyUsed"):
        world.refund(account, 1, 100, payment=tag("p1"), line=tag("l2"))
    with refused("AlreadyUsed"):
        world.refund(account, 1, 100, payment=tag("p2"), line=tag("l1"))
    world.refund(account, 1, 100, payment=tag("p2"), line=tag("l2"))


def test_the_rest_is_refundable_at_the_deadline(world: World, account: int) -> None:
    supported(world, account, 350_00)
    world.release(account, 0, 300_00)
    world.warp(world.stage(account, 0)["deadline"] - 1)
    assert world.refundable(account, 0) == 0
    with refused("Entrusted_TooMuch"):
        world.refund(account, 0, 1)
    world.warp(world.now + 1)
    assert world.releasable(account, 0) == 50_00  # approved in time stays the payee's
    assert world.refundable(account, 0) == 250_00
    with refused("NotAuthorised"):
        world.refund(account, 0, 250_00, by="financier")
    with refused("Entrusted_TooMuch"):
        world.refund(account, 0, 250_01)
    with refused("Entrusted_TooMuch"):
        world.refund(account, 0, 0)
    world.refund(account, 0, 250_00)
    assert world.refundable(account, 0) == 0
    world.release(account, 0, 50_00)
    assert held(world, account) == 400_00


def test_a_dispute_holds_its_part_alone(world: World, account: int) -> None:
    supported(world, account)
    with refused("Entrusted_NotParty"):
        world.dispute(account, 0, "supplier 6", 1)  # payee of the other stage
    with refused("NotAuthorised"):
        world.dispute(account, 0, "supplier 5", 1, by="supplier 4")
    with refused("Entrusted_TooMuch"):
        world.dispute(account, 0, "financier", STAGE + 1)
    with refused("Entrusted_TooMuch"):
        world.dispute(account, 0, "financier", 0)
    world.dispute(account, 0, "supplier 5", 100_00)
    world.dispute(account, 0, "supplier 1", 50_00)
    world.dispute(account, 0, "financier", 50_00)
    assert world.stage(account, 0)["disputed"] == 200_00
    assert world.releasable(account, 0) == 400_00
    world.release(account, 0, 400_00)
    with refused("Entrusted_TooMuch"):
        world.dispute(account, 0, "financier", 1)
    world.warp(world.now + 31 * DAY)
    assert world.refundable(account, 0) == 0
    with refused("NotAuthorised"):
        world.resolve(account, 0, 1, 1, payer="supplier 1")
    with refused("NotAuthorised"):
        world.resolve(account, 0, 1, 1, beneficiary="financier")
    with refused("Entrusted_TooMuch"):
        world.resolve(account, 0, 0, 0)
    with refused("Entrusted_TooMuch"):
        world.resolve(account, 0, 200_00, 1)
    with refused("Entrusted_TooMuch"):
        world.resolve(account, 0, 2**64 - 1, 2**64 - 1)
    world.resolve(account, 0, 120_00, 30_00)
    assert world.see("EntrustedAccounts", "grantedOf", account, 0) == (120_00, 30_00)
    assert world.releasable(account, 0) == 120_00
    assert world.refundable(account, 0) == 30_00
    world.release(account, 0, 20_00)
    assert world.releasable(account, 0) == 100_00
    world.refund(account, 0, 10_00)
    assert world.refundable(account, 0) == 20_00
    values = (account, 0, 0, 50_00, tag("arbiter"))
    world.quorum("EntrustedAccounts", "resolveByQuorum", "ResolveByQuorum", values)
    world.refund(account, 0, 70_00)
    world.release(account, 0, 100_00)
    assert held(world, account) == 400_00
    assert world.stage(account, 0)["released"] == 520_00
    assert world.stage(account, 0)["refunded"] == 80_00


def test_a_resolved_dispute_does_not_release_twice(world: World, account: int) -> None:
    supported(world, account, 300_00)
    world.dispute(account, 0, "financier", 200_00)
    assert world.releasable(account, 0) == 100_00
    world.resolve(account, 0, 200_00, 0)
    assert world.releasable(account, 0) == 300_00
    world.release(account, 0, 250_00)
    assert world.releasable(account, 0) == 50_00
    with refused("Entrusted_TooMuch"):
        world.dispute(account, 0, "financier", 350_01)


def test_decided_value_is_not_refundable_before_time(world: World, account: int) -> None:
    world.dispute(account, 0, "financier", 200_00)
    world.resolve(account, 0, 150_00, 50_00)
    assert world.refundable(account, 0) == 50_00
    world.refund(account, 0, 50_00)
    world.release(account, 0, 150_00)  # the decision stands for evidence
    assert world.releasable(account, 0) == 0
    world.warp(world.now + 31 * DAY)
    assert world.refundable(account, 0) == 400_00


def test_a_signed_dispute_or_decision_works_once(world: World, account: int) -> None:
    values = (account, 0, member("financier"), 5, tag("why"), world.soon)
    signature = world.sign("financier", "EntrustedAccounts", "Dispute", values)
    world.do("EntrustedAccounts", "dispute", *values, signature)
    with refused("AlreadyUsed"):
        world.do("EntrustedAccounts", "dispute", *values, signature)
    values = (account, 0, 1, 1, tag("agreed"), world.soon)
    both = [world.sign(n, "EntrustedAccounts", "Resolve", values) for n in ("financier", "supplier 1")]
    world.do("EntrustedAccounts", "resolve", *values, *both)
    with refused("AlreadyUsed"):
        world.do("EntrustedAccounts", "resolve", *values, *both)
    late = (*values[:5], world.now - 1)
    both = [world.sign(n, "EntrustedAccounts", "Resolve", late) for n in ("financier", "supplier 1")]
    with refused("SignatureExpired"):
        world.do("EntrustedAccounts", "resolve", *late, *both)


@pytest.mark.parametrize("act", ["attest", "approve", "dispute", "release", "refund", "lock"])
def test_every_signature_ends_at_its_deadline(world: World, account: int, act: str) -> None:
    late = world.now - 1
    calls = {
        "attest": ("Attest", "carrier", account, 0, member("carrier"), 1, tag(1)),
        "approve": ("Approve", "maker", account, 0, member("maker"), 1, tag(1)),
        "dispute": ("Dispute", "financier", account, 0, member("financier"), 1, tag(1)),
        "release": ("ConfirmReleased", "bank", account, 0, 1, tag(1), tag(2)),
        "refund": ("ConfirmRefunded", "bank", account, 0, 1, tag(1), tag(2)),
        "return": ("ConfirmReturned", "bank", account, 0, 1, tag(1), tag(2)),
        "lock": ("ConfirmLocked", "bank", account, 1, tag(1)),
    }
    with refused("SignatureExpired"):
        world.act(*calls[act], deadline=late)


def test_a_suspended_bank_confirms_nothing(world: World, account: int) -> None:
    supported(world, account)
    world.standing("bank", SUSPENDED)
    with refused("ERC7943CannotTransact"):
        world.release(account, 0, 1)
    with refused("ERC7943CannotTransact"):
        world.refund(account, 0, 1)
    with refused("ERC7943CannotTransact"):
        world.act("ConfirmLocked", "bank", account, 1000_00, tag(5))


def test_a_release_that_came_back_is_held_and_old_approvals_pay_nothing_of_it(world: World, account: int) -> None:
    supported(world, account)
    world.release(account, 0, 500_00, payment=tag("p"))
    world.come_back(account, 0, 200_00, tag("p"))
    stage = world.stage(account, 0)
    assert (stage["released"], stage["disputed"]) == (300_00, 200_00) and held(world, account) == 700_00
    assert world.releasable(account, 0) == 100_00, "only what was free before"
    world.warp(stage["deadline"] + 1)
    assert world.refundable(account, 0) == 0, "what came back waits for a decision, not for the payer"
    world.resolve(account, 0, 150_00, 50_00)
    assert (world.releasable(account, 0), world.refundable(account, 0)) == (250_00, 50_00)
    world.release(account, 0, 150_00, payment=tag("p2"))
    world.come_back(account, 0, 150_00, tag("p2"))
    assert world.stage(account, 0)["disputed"] == 150_00


def test_a_refund_that_came_back_is_owed_to_the_payer_still(world: World, account: int) -> None:
    world.warp(world.stage(account, 0)["deadline"] + 1)
    world.refund(account, 0, STAGE, payment=tag("b"))
    world.come_back(account, 0, 100_00, tag("b"))
    assert world.stage(account, 0)["refunded"] == STAGE - 100_00
    assert (world.refundable(account, 0), world.releasable(account, 0)) == (100_00, 0)
    assert world.see("EntrustedAccounts", "grantedOf", account, 0) == (0, 100_00)


def test_nothing_comes_back_that_is_not_out(world: World, account: int) -> None:
    supported(world, account)
    world.release(account, 0, 500_00, payment=tag("p"), line=tag("l"))
    with refused("Entrusted_UnknownPayment"):
        world.come_back(account, 0, 1, tag("other"))
    with refused("Entrusted_UnknownPayment"):
        world.come_back(account, 1, 1, tag("p"))
    with refused("Entrusted_TooMuch"):
        world.come_back(account, 0, 500_01, tag("p"))
    with refused("Entrusted_TooMuch"):
        world.come_back(account, 0, 0, tag("p"))
    with refused("AlreadyUsed"):
        world.come_back(account, 0, 1, tag("p"), line=tag("l"))
    with refused("NotAuthorised"):
        world.come_back(account, 0, 1, tag("p"), by="financier")
    world.come_back(account, 0, 500_00, tag("p"))
    with refused("Entrusted_TooMuch"):
        world.come_back(account, 0, 1, tag("p"))
    with refused("AlreadyUsed"):
        world.release(account, 0, 1, payment=tag("p"))
    other = world.locked()
    with refused("Entrusted_UnknownPayment"):
        world.come_back(other, 0, 1, tag("p"))
