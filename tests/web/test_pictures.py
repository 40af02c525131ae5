"""The pictures tell the truth: nothing is drawn larger than what it came from, and every drawing is well-formed."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from scf.web.svg.bars import bar
from scf.web.svg.icicle import HEIGHT, MOST_SLICES, Slice, Words, icicle, place
from scf.web.svg.lanes import Point, lanes
from scf.web.svg.stages import StagePart, stage_bar

WORDS = Words(
    money=lambda minor: f"{minor}",
    state=str,
    others=lambda count: f"{count} others",
    tier=lambda tier: f"tier {tier}",
    free="kept",
    name="split",
)


def _slice(id_: str, parent: str | None, tier: int, value: int, label: str = "x") -> Slice:
    return Slice(id_, parent, tier, value, value, "held", label)


@st.composite
def trees(draw: st.DrawFn) -> list[Slice]:
    """A receivable split at random: what a note passes on never exceeds what it was made with."""
    face = draw(st.integers(1, 10**12))
    notes, left = [_slice("0", None, 1, face)], {"0": face}
    for number in range(1, draw(st.integers(1, 40))):
        parent = draw(st.sampled_from([note for note in notes if left[note.id] > 0] or notes[:1]))
        if left[parent.id] <= 0:
            break
        value = draw(st.integers(1, left[parent.id]))
        left[parent.id] -= value
        notes.append(_slice(str(number), parent.id, parent.tier + 1, value))
        left[str(number)] = value
    return notes


@settings(max_examples=60, deadline=None)
@given(trees())
def test_a_child_is_never_taller_than_its_parent_and_stays_inside_it(notes: list[Slice]) -> None:
    placed = place(notes)
    by_id = {item.slice.id: item for item in placed}
    for item in placed:
        parent = by_id.get(item.slice.parent or "")
        if parent is None:
            continue
        assert item.height <= parent.height + 1e-6
        assert item.y >= parent.y - 1e-6
        assert item.y + item.height <= parent.y + parent.height + 1e-6
        assert item.x >= parent.x + parent.width - 1e-6
    for parent in placed:
        children = [item for item in placed if item.slice.parent == parent.slice.id]
        assert sum(item.height for item in children) <= parent.height + 1e-6
    assert abs(placed[0].height - HEIGHT) < 1e-6


@settings(max_examples=20, deadline=None)
@given(trees())
def test_every_icicle_is_well_formed(notes: list[Slice]) -> None:
    ElementTree.fromstring(icicle(notes, WORDS))


def test_small_slices_become_one_and_many_notes_stay_readable() -> None:
    notes = [_slice("0", None, 1, 1_000_000)] + [_slice(str(n), "0", 2, 1_000) for n in range(1, 800)]
    placed = place(notes)
    tails = [item for item in placed if item.slice.count > 1]
    assert len(tails) == 1 and len(placed) < 10
    assert tails[0].slice.count == MOST_SLICES - 1
    assert "others" in icicle(notes, WORDS)
    assert len(icicle(notes, WORDS)) < 20_000


def test_what_firms_call_themselves_cannot_break_a_drawing() -> None:
    evil = '<script>alert("x")</script>&'
    drawn = icicle([_slice("0", None, 1, 100, evil)], WORDS)
    assert "<script" not in drawn
    assert evil in "".join(ElementTree.fromstring(drawn).itertext())


def test_nothing_is_drawn_of_nothing() -> None:
    assert icicle([], WORDS) == "" == stage_bar([], "x") == lanes([], {}, "x")


def test_the_stages_of_an_account_fill_its_bar_in_proportion() -> None:
    parts = [
        StagePart("1", 400, 400, 0, 0, 0, "400", "done"),
        StagePart("2", 600, 100, 0, 200, 50, "600", "open"),
    ]
    drawn = ElementTree.fromstring(stage_bar(parts, "stages"))
    width: dict[str, list[float]] = {}
    for rect in drawn.iter("rect"):
        width.setdefault(rect.attrib["class"], []).append(float(rect.attrib["width"]))
    assert [round(value) for value in width["locked"]] == [382, 574]
    assert round(sum(width["released"])) == round(382 + 574 / 6)
    assert round(sum(width["releasable"])) == round(574 / 3)
    assert sum(width["disputed"]) < sum(width["releasable"])


def test_a_bar_is_never_longer_than_its_whole() -> None:
    for part, whole in ((0, 0), (5, 0), (7, 5), (-1, 5), (1, 10**9)):
        drawn = ElementTree.fromstring(bar(part, whole, "x"))
        assert all(0 < float(rect.attrib["width"]) <= 100 for rect in drawn.iter("rect"))


def test_lanes_keep_labels_apart_and_mark_what_disagrees() -> None:
    start = date(2026, 1, 1)
    points = [Point(start + timedelta(days=n // 3), "goods", f"delivered {n}", "x", broken=n == 4) for n in range(12)]
    points += [Point(start, "money", "paid", "x"), Point(start + timedelta(days=90), "contract", "ordered", "x")]
    names = {"contract": "Contract", "goods": "Goods", "money": "Money"}
    drawn = ElementTree.fromstring(lanes(points, names, "order"))
    assert len(list(drawn.iter("path"))) == 1
    labels: dict[str, list[tuple[float, float]]] = {}
    for text in drawn.iter("text"):
        if text.attrib["class"].startswith("label"):
            wide = 11 * 0.58 * len(text.text or "")
            x = float(text.attrib["x"])
            labels.setdefault(text.attrib["y"], []).append((x, x + wide))
    for spans in labels.values():
        spans.sort()
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))
