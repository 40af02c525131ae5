"""Samples can be drawn again from their seed; larger amounts are likelier by monetary unit; a changed draw shows."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.audit.samples import SampleDraw, again, choose
from scf.kernel.problems import Problem

ITEMS = [(number, 1_000_00 + number * 7) for number in range(1, 201)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=80),
    st.text(min_size=1, max_size=20).filter(lambda text: text.strip()),
    st.sampled_from(["random", "monetary_unit"]),
    st.data(),
)
def test_the_same_seed_draws_the_same_items_from_the_population(
    amounts: list[int], seed: str, method: str, data: st.DataObject
) -> None:
    items = list(enumerate(amounts, start=1))
    size = data.draw(st.integers(1, len(items)))
    first = choose(items, seed=seed, method=method, size=size)
    assert first == choose(items, seed=seed, method=method, size=size)
    assert len(set(first)) == len(first) and set(first) <= {number for number, _ in items}
    assert len(first) == size if method == "random" else 1 <= len(first) <= size + 1


def test_another_seed_draws_others_and_every_item_has_its_chance() -> None:
    seen: Counter[int] = Counter()
    for number in range(300):
        seen.update(choose(ITEMS, seed=f"s{number}", method="random", size=20))
    assert len(seen) == len(ITEMS) and max(seen.values()) < 70
    assert choose(ITEMS, seed="a", method="random", size=20) != choose(ITEMS, seed="b", method="random", size=20)


def test_an_item_as_large_as_the_interval_is_always_in_a_monetary_unit_sample() -> None:
    items = [(1, 1_00)] * 0 + [(n, 1_00) for n in range(1, 100)] + [(100, 1_000_000_00)]
    assert all(100 in choose(items, seed=f"s{n}", method="monetary_unit", size=5) for n in range(50))


@pytest.mark.parametrize(
    ("size", "method", "seed"), [(0, "random", "s"), (201, "random", "s"), (5, "other", "s"), (5, "random", " ")]
)
def test_what_cannot_be_drawn_is_refused(size: int, method: str, seed: str) -> None:
    with pytest.raises(Problem) as caught:
        choose(ITEMS, seed=seed, method=method, size=size)
    assert caught.value.code == "sample_not_drawable"


def test_a_draw_that_was_changed_afterwards_shows() -> None:
    from scf.audit.samples import Population

    chosen = choose(ITEMS, seed="s", method="random", size=9)
    row = SampleDraw(
        population="issued",
        currency="CNY",
        until_id=200,
        count=200,
        total_minor=sum(minor for _, minor in ITEMS),
        digest=Population("issued", "CNY", tuple(ITEMS)).digest,
        seed="s",
        method="random",
        size=9,
        chosen=json.dumps(chosen),
        items=json.dumps(ITEMS),
        drawn_by="0x",
        drawn_at=0,
        evidence_id="0" * 64,
    )
    assert again(row)
    row.chosen = json.dumps([*chosen[:-1], next(n for n, _ in ITEMS if n not in chosen)])
    assert not again(row)
    row.chosen, row.items = json.dumps(chosen), json.dumps([*ITEMS[:-1], (200, 5)])
    assert not again(row)
