"""Competing claims on one receivable rank as Civil Code Art. 768 says, whatever order they are given in."""

from __future__ import annotations

from dataclasses import replace

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


# The law once more, written as who precedes whom ----------------------------------------------------------------------


def precedes(first: Claim, second: Claim) -> bool:
    """Civil Code, Art. 768: registered before unregistered, the earlier registration first; else the earlier notice."""
    if first.registered_at is not None and second.registered_at is not None:
        return first.registered_at < second.registered_at
    if first.registered_at is not None or second.registered_at is not None:
        return first.registered_at is not None
    if first.noticed_at is not None and second.noticed_at is not None:
        return first.noticed_at < second.noticed_at
    return first.noticed_at is not None and second.noticed_at is None


def places(claims: list[Claim]) -> dict[str, int]:
    return {claim.claim_id: place for place, equals in enumerate(rank(claims)) for claim in equals}


@given(claims=claim_lists)
def test_any_two_claims_stand_to_each_other_as_the_law_says(claims: list[Claim]) -> None:
    place = places(claims)
    assert len(place) == len(claims), "every claim has exactly one place"
    assert sorted(set(place.values())) == list(range(len(set(place.values())))), "places leave no gap"
    for first in claims:
        for second in claims:
            before, after = precedes(first, second), precedes(second, first)
            assert not (before and after)
            assert (place[first.claim_id] < place[second.claim_id]) == before
            assert (place[first.claim_id] == place[second.claim_id]) == (not before and not after)


@given(claims=claim_lists, data=st.data())
def test_ranks_do_not_depend_on_the_order_given(claims: list[Claim], data: st.DataObject) -> None:
    assert rank(data.draw(st.permutations(claims))) == rank(claims)


@given(claims=claim_lists, data=st.data())
def test_a_notice_changes_nothing_for_whoever_is_registered(claims: list[Claim], data: st.DataObject) -> None:
    told = [replace(one, noticed_at=data.draw(times)) if one.registered_at is not None else one for one in claims]
    assert places(told) == places(claims)


@given(weights=st.lists(st.integers(1, 10**9), min_size=1, max_size=9), available=st.integers(0, 10**12))
def test_equals_share_by_largest_remainder(weights: list[int], available: int) -> None:
    """No cap bites: everyone gets its exact part rounded down or up, and who is rounded up had the larger remainder."""
    claims = [Claim(f"{n:02d}", 10**13, weight) for n, weight in enumerate(weights)]
    shares, whole = distribute(available, claims), sum(weights)
    remainder = {}
    for claim in claims:
        down, rest = divmod(available * claim.financed_minor, whole)
        assert shares[claim.claim_id] - down in (0, 1)
        remainder[claim.claim_id] = rest
    up = [one.claim_id for one in claims if shares[one.claim_id] > available * one.financed_minor // whole]
    down_ids = [one.claim_id for one in claims if one.claim_id not in up]
    assert all(remainder[a] >= remainder[b] for a in up for b in down_ids)
    assert sum(shares.values()) == available


@given(claims=claim_lists, available=st.integers(0, 10**7), more=st.integers(0, 10**6))
def test_more_money_never_leaves_a_rank_with_less(claims: list[Claim], available: int, more: int) -> None:
    less_, more_ = distribute(available, claims), distribute(available + more, claims)
    for equals in rank(claims):
        assert sum(more_[one.claim_id] for one in equals) >= sum(less_[one.claim_id] for one in equals)


@given(claims=claim_lists, available=st.integers(0, 10**7), moment=st.integers(0, 5))
def test_registering_never_costs_a_claim_a_cent(claims: list[Claim], available: int, moment: int) -> None:
    before = distribute(available, claims)
    for index, claim in enumerate(claims):
        if claim.registered_at is None or claim.registered_at > moment:
            changed = [*claims[:index], replace(claim, registered_at=moment), *claims[index + 1 :]]
            assert distribute(available, changed)[claim.claim_id] >= before[claim.claim_id]


@given(claims=claim_lists, available=st.integers(0, 10**7), data=st.data())
def test_a_claim_less_never_leaves_an_earlier_rank_changed_or_a_later_one_poorer(
    claims: list[Claim], available: int, data: st.DataObject
) -> None:
    if not claims:
        return
    gone = data.draw(st.sampled_from(claims))
    rest = [one for one in claims if one is not gone]
    before, after = distribute(available, claims), distribute(available, rest)
    for equals in rank(rest):
        totals = [sum(shares[one.claim_id] for one in equals) for shares in (before, after)]
        assert totals[1] >= totals[0]
        if precedes(equals[0], gone):
            assert [before[one.claim_id] for one in equals] == [after[one.claim_id] for one in equals]
