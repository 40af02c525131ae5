"""One receivable through its whole life on eth-tester, with real transactions and receipts."""

from __future__ import annotations

import pytest
from tests.contracts import signing
from tests.contracts.chain import Receipts
from tests.contracts.world import DAY, FINANCED, LOCKED, OFFERED, World, member, tag


@pytest.fixture(scope="module")
def world() -> World:
    return World(Receipts())


def test_issue_accept_pass_finance_pay_settle(world: World) -> None:
    root = world.issue(face=1_000_000_00)
    receivable = root >> 192
    assert world.note(root).flags == OFFERED
    world.accept(root, "supplier 1")
    child = world.pass_on(root, "supplier 1", "supplier 2", 300_000_00)
    assert world.note(child).flags == OFFERED and world.note(child).tier == 2
    world.accept(child, "supplier 2")
    assert world.note(root).amount == 700_000_00

    locked = world.finance(world.quote(child, amount=200_000_00), "supplier 2")
    assert world.note(locked).flags == OFFERED | LOCKED
    world.complete(locked)
    assert world.note(locked).flags == FINANCED and world.note(locked).holder == member("financier")

    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, 1_000_000_00)
    settled = world.settle(receivable, 0, [root, child, locked])
    paid = {e.args["payee"].lower(): e.args["principal"] for e in settled}
    assert paid == {
        member("supplier 1").lower(): 700_000_00,
        member("supplier 2").lower(): 100_000_00,
        member("financier").lower(): 200_000_00,
    }
    assert world.see("Members", "exposureOf", member("core"))[1] == 0


def test_entrusted_account_from_lock_to_refund(world: World) -> None:
    account = world.locked()
    world.attest(account, 0, "carrier", 600_00)
    world.attest(account, 0, "carrier desk", 600_00)
    assert world.releasable(account, 0) == 0  # one house is one source
    world.attest(account, 0, "warehouse", 500_00)
    world.approve(account, 0, "maker", 600_00)
    assert world.releasable(account, 0) == 0  # one person does not move money
    world.approve(account, 0, "checker", 600_00)
    assert world.releasable(account, 0) == 500_00
    world.release(account, 0, 500_00)
    world.warp(world.now + 31 * DAY)
    assert world.refundable(account, 0) == 100_00
    world.refund(account, 0, 100_00)
    assert world.stage(account, 0)["refunded"] == 100_00
    assert world.see("EntrustedAccounts", "accountOf", account)[6:] == (1000_00, 500_00, 100_00)


def test_evidence_heads_follow_each_other(world: World) -> None:
    values = (10, tag("root"), 0, signing.address("operator one"), world.soon)
    world.do("EvidenceLog", "anchor", *values, world.sign("operator one", "EvidenceLog", "Anchor", values))
    assert world.see("EvidenceLog", "head")[:2] == (10, tag("root"))
