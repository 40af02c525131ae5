"""A locked account under acts in random order, right and wrong ones: its sums hold and nothing leaves without ground.

The model is a few sums written from what an account promises, not from the contract; `SCF_MACHINE_SEED` fixes the
order.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.contracts import signing
from tests.contracts.chain import pyrevm
from tests.contracts.world import DAY, Refused, World, tag

AMOUNTS = (600_00, 400_00)
WORLDS: list[World] = []
COUNT: Counter[str] = Counter()
WITNESSES, APPROVERS = ("carrier", "warehouse", "carrier desk"), ("maker", "checker")
HOUSE = {"carrier": 1, "carrier desk": 1, "warehouse": 2}


def second(values: list[int]) -> int:
    return sorted(values, reverse=True)[1] if len(values) > 1 else 0


class Locked(RuleBasedStateMachine):
    """One account of two stages; each rule tries an act and the model says what may have come of it."""

    def __init__(self) -> None:
        super().__init__()
        if not WORLDS:
            WORLDS.append(World())
        self.world = WORLDS[0]
        self.scope = contextlib.ExitStack()
        self.scope.enter_context(self.world.chain.scratch())
        self.world.log, self.world.numbers = [], itertools.count(1)
        self.account = self.world.locked()
        self.said: dict[tuple[int, str], int] = {}
        self.paid: dict[bytes, tuple[int, bool, int]] = {}
        self.out = [[0, 0], [0, 0]]  # released, refunded by stage
        self.held, self.granted = [0, 0], [[0, 0], [0, 0]]
        self.bank = 1000_00  # what the bank has on the account, told by its own lines alone

    def teardown(self) -> None:
        self.scope.close()

    def attempt(self, act: object, *args: object, **kwargs: object) -> bool:
        COUNT["steps"] += 1
        try:
            act(*args, **kwargs)  # type: ignore[operator]
        except Refused as refusal:
            COUNT[refusal.name] += 1
            assert refusal.name not in ("Panic", "Empty", "Unknown"), refusal
            return False
        return True

    def support(self, stage: int) -> int:
        """What two houses vouched for and two people approved."""
        houses: dict[int, int] = {}
        for who in WITNESSES:
            houses[HOUSE[who]] = max(houses.get(HOUSE[who], 0), self.said.get((stage, who), 0))
        return min(second(list(houses.values())), second([self.said.get((stage, who), 0) for who in APPROVERS]))

    @rule(stage=st.integers(0, 1), who=st.sampled_from(WITNESSES), up_to=st.integers(1, 610_00))
    def vouch(self, stage: int, who: str, up_to: int) -> None:
        if self.attempt(self.world.attest, self.account, stage, who, up_to):
            self.said[stage, who] = up_to

    @rule(stage=st.integers(0, 1), up_to=st.integers(1, 610_00))
    def everybody_agrees(self, stage: int, up_to: int) -> None:
        for who in ("carrier", "warehouse"):
            if self.attempt(self.world.attest, self.account, stage, who, up_to):
                self.said[stage, who] = up_to
        for who in APPROVERS:
            if self.attempt(self.world.approve, self.account, stage, who, up_to):
                self.said[stage, who] = up_to

    @rule(stage=st.integers(0, 1), who=st.sampled_from(APPROVERS), up_to=st.integers(1, 610_00))
    def approve(self, stage: int, who: str, up_to: int) -> None:
        if self.attempt(self.world.approve, self.account, stage, who, up_to):
            self.said[stage, who] = up_to

    @rule(stage=st.integers(0, 1), data=st.data(), by=st.sampled_from(["bank", "bank", "bank", "other bank"]))
    def release(self, stage: int, data: st.DataObject, by: str) -> None:
        may = self.world.releasable(self.account, stage)
        amount = data.draw(st.sampled_from([may, max(1, may // 3), may + 1, 1]))
        ground = max(0, self.support(stage) - self.out[stage][0]) + self.granted[stage][0]
        name = tag(("pay", next(self.world.numbers)))
        if self.attempt(self.world.release, self.account, stage, amount, by, payment=name):
            assert 0 < amount <= ground, "only on two houses' evidence and two approvals, or a decision"
            self.move(stage, False, amount, name)

    @rule(stage=st.integers(0, 1), data=st.data())
    def refund(self, stage: int, data: st.DataObject) -> None:
        may = self.world.refundable(self.account, stage)
        amount = data.draw(st.sampled_from([may, max(1, may // 2), may + 1]))
        over = self.world.now >= self.world.stage(self.account, stage)["deadline"]
        name = tag(("back", next(self.world.numbers)))
        if self.attempt(self.world.refund, self.account, stage, amount, payment=name):
            assert over or amount <= self.granted[stage][1], "back only after the deadline or by a decision"
            self.move(stage, True, amount, name)

    def move(self, stage: int, refund: bool, amount: int, name: bytes) -> None:
        side = int(refund)
        self.out[stage][side] += amount
        self.granted[stage][side] = max(0, self.granted[stage][side] - amount)
        self.paid[name] = (stage, refund, amount)
        self.bank -= amount

    @rule(data=st.data(), part=st.sampled_from([1, 1, 2, 3]), slip=st.sampled_from([0, 0, 0, 1]))
    def comes_back(self, data: st.DataObject, part: int, slip: int) -> None:
        if not self.paid:
            return
        name = data.draw(st.sampled_from(sorted(self.paid)))
        stage, refund, left = self.paid[name]
        amount = left // part + slip
        may = self.world.releasable(self.account, stage)
        if self.attempt(self.world.come_back, self.account, stage, amount, name):
            assert 0 < amount <= left, "no more comes back than is out under this name"
            self.paid[name] = (stage, refund, left - amount)
            self.out[stage][int(refund)] -= amount
            self.bank += amount
            if refund:
                self.granted[stage][1] += amount
            else:
                self.held[stage] += amount
                assert self.world.releasable(self.account, stage) <= may, "what came back is paid again by nobody alone"

    @rule(
        stage=st.integers(0, 1),
        who=st.sampled_from(["financier", "supplier 1", "carrier"]),
        amount=st.integers(1, 500_00),
    )
    def dispute(self, stage: int, who: str, amount: int) -> None:
        if self.attempt(self.world.dispute, self.account, stage, who, amount):
            self.held[stage] += amount

    @rule(stage=st.integers(0, 1), data=st.data(), alone=st.sampled_from([False, False, True]))
    def settle(self, stage: int, data: st.DataObject, alone: bool) -> None:
        out = data.draw(st.integers(0, self.held[stage] + 1))
        back = data.draw(st.integers(0, max(0, self.held[stage] - out)))
        other = "financier" if alone else "supplier 1"
        if self.attempt(self.world.resolve, self.account, stage, out, back, beneficiary=other):
            assert not alone, "both sides say where held money goes"
            self.held[stage] -= out + back
            self.granted[stage][0] += out
            self.granted[stage][1] += back

    @rule(days=st.sampled_from([1, 2, 9, 31]))
    def time_passes(self, days: int) -> None:
        self.world.warp(self.world.now + days * DAY)

    @invariant()
    def locked_is_released_refunded_and_held(self) -> None:
        found = self.world.see("EntrustedAccounts", "accountOf", self.account)
        locked, released, refunded = found[6:9]
        assert (released, refunded) == (sum(one[0] for one in self.out), sum(one[1] for one in self.out))
        assert locked - released - refunded == self.bank, "held is what the bank has, at every instant"
        for stage, amount in enumerate(AMOUNTS):
            seen = self.world.stage(self.account, stage)
            assert (seen["released"], seen["refunded"]) == tuple(self.out[stage])
            assert seen["disputed"] == self.held[stage]
            assert self.world.see("EntrustedAccounts", "grantedOf", self.account, stage) == tuple(self.granted[stage])
            free = amount - sum(self.out[stage]) - self.held[stage]
            assert self.world.releasable(self.account, stage) + self.world.refundable(self.account, stage) <= free
            assert free - sum(self.granted[stage]) >= 0


@pytest.mark.skipif(pyrevm is None, reason="needs the fast EVM")
def test_a_thousand_random_acts_on_a_locked_account() -> None:
    COUNT.clear()
    batch = 0
    while COUNT["steps"] < 1_000:
        machine: type[Locked] = Locked
        fixed = os.environ.get("SCF_MACHINE_SEED")
        if fixed:
            drawn = int.from_bytes(signing.keccak(f"{fixed} {batch}".encode())[:8], "big")
            machine = seed(drawn)(type("Seeded", (Locked,), {}))
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=40,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
        batch += 1
    refused = {name for name in COUNT if name != "steps"}
    assert len(refused) >= 4, f"the wrong ways were really tried: {refused}"
