"""Competing claims on one receivable rank as Civil Code Art. 768 says, whatever order they are given in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scf.financing.priority import Claim, distribute, rank

times = st.none() | st.integers(0, 5)
claim_lists = st.lists(
    st.builds(Claim, st.uuids().map(str), st.integers(0, 10**6), st.integers(0, 10**6), times, times),
    max_size=7,
    unique_by=lambda claim: claim.claim_id,
)


def ids(claims: list[Claim]) -> list[list[str]]:
    return [[claim.claim_id for claim in equals] for equals in rank(claims)]


def test_registration_beats_notice_and_the_earlier_registration_wins() -> None:
    notified = Claim("notified first", 100, 100, noticed_at=1)
    late = Claim("registered late", 100, 100, registered_at=9, noticed_at=0)
    early = Claim("registered early", 100, 100, registered_at=3)
    neither = Claim("neither", 100, 100)
    assert ids([neither, notified, late, early]) == [
        ["registered early"], ["registered late"], ["notified first"], ["neither"],
    ]  # fmt: skip


def test_unregistered_claims_go_by_the_notice_that_arrived_first() -> None:
    assert ids([Claim("b", 1, 1, noticed_at=5), Claim("a", 1, 1, noticed_at=4)]) == [["a"], ["b"]]


def test_without_registration_or_notice_the_money_financed_decides_the_share() -> None:
    claims = [Claim("a", 80, 40), Claim("b", 80, 35), Claim("c", 80, 25)]
    assert distribute(100, claims) == {"a": 40, "b": 35, "c": 25}


def test_what_a_small_claim_leaves_goes_to_its_equals() -> None:
    claims = [Claim("a", 10, 50), Claim("b", 90, 25), Claim("c", 90, 25)]
    assert distribute(100, claims) == {"a": 10, "b": 45, "c": 45}


def test_two_claims_with_one_id_are_an_error() -> None:
    with pytest.raises(ValueError, match="own id"):
        rank([Claim("a", 1, 1), Claim("a", 2, 2)])


@given(claims=claim_lists, available=st.integers(0, 10**7), data=st.data())
def test_shares_conserve_money_and_do_not_depend_on_the_order_given(
    claims: list[Claim], available: int, data: st.DataObject
) -> None:
    shares = distribute(available, claims)
    assert sum(shares.values()) == min(available, sum(claim.claim_minor for claim in claims))
    assert all(0 <= shares[claim.claim_id] <= claim.claim_minor for claim in claims)
    assert distribute(available, data.draw(st.permutations(claims))) == shares


@given(claims=claim_lists, available=st.integers(0, 10**7))
def test_a_later_rank_gets_nothing_before_the_earlier_is_paid(claims: list[Claim], available: int) -> None:
    shares = distribute(available, claims)
    ranks = rank(claims)
    for place, equals in enumerate(ranks):
        if any(shares[claim.claim_id] < claim.claim_minor for claim in equals):
            assert all(shares[claim.claim_id] == 0 for later in ranks[place + 1 :] for claim in later)


@given(claims=claim_lists, moment=st.integers(0, 5))
def test_registering_earlier_never_worsens_a_claim(claims: list[Claim], moment: int) -> None:
    def place(target: str, among: list[Claim]) -> int:
        return next(i for i, equals in enumerate(rank(among)) if target in {c.claim_id for c in equals})

    for index, claim in enumerate(claims):
        if claim.registered_at is None or claim.registered_at > moment:
            improved = Claim(claim.claim_id, claim.claim_minor, claim.financed_minor, moment, claim.noticed_at)
            changed = [*claims[:index], improved, *claims[index + 1 :]]
            ahead_before = {c.claim_id for equals in rank(claims)[: place(claim.claim_id, claims)] for c in equals}
            ahead_now = {c.claim_id for equals in rank(changed)[: place(claim.claim_id, changed)] for c in equals}
            assert ahead_now <= ahead_before
