"""The pictures tell the truth: nothing is drawn larger than what it came from, and every drawing is well-formed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, timedelta
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from scf.reconciliation.service import Step
from scf.web.lanes import lanes_of, matched, settled
from scf.web.svg.bars import bar
from scf.web.svg.drawing import width_of
from scf.web.svg.icicle import HEIGHT, MOST_SLICES, Slice, Words, _collapse, branches, icicle, place
from scf.web.svg.lanes import FONT, LANES, WIDTH, Point, lanes
from scf.web.svg.stages import StagePart, stage_bar, stage_strip

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
    assert tails[0].slice.count == 799 and tails[0].slice.value == 799_000
    assert "799 others 799000" in icicle(notes, WORDS)
    assert len(icicle(notes, WORDS)) < 20_000


def test_what_is_collapsed_is_still_counted_however_deep_it_hangs() -> None:
    """Of 1,000 notes in three tiers at most 150 are drawn, and the rest stands in tails with its number and sum."""
    notes = [_slice("0", None, 1, 10_000_000)]
    for parent in range(200):
        notes.append(_slice(f"p{parent}", "0", 2, 50_000 - parent))
        notes += [_slice(f"p{parent}c{n}", f"p{parent}", 3, 10_000 - n) for n in range(4)]
    shown = _collapse(notes)
    assert len(shown) <= MOST_SLICES
    assert sum(item.count for item in shown) == len(notes)
    tail = next(item for item in shown if item.parent == "0" and item.count > 1)
    given = sum(item.value for item in shown if item.parent == "0")
    assert given == sum(50_000 - parent for parent in range(200)) and tail.value < given
    rows = branches(notes)
    assert len(rows) <= MOST_SLICES and sum(row.slice.count for row in rows) == len(notes)


def test_many_branches_without_their_root_are_counted_too() -> None:
    notes = [_slice(str(n), "hidden", 2, 1_000 + n) for n in range(400)]
    assert sum(item.count for item in _collapse(notes)) == 400
    assert len(_collapse(notes)) <= MOST_SLICES


@settings(max_examples=60, deadline=None)
@given(trees())
def test_children_and_what_was_kept_fill_their_parent_exactly(notes: list[Slice]) -> None:
    """Heights are conserved: what went to children plus the open part is the parent, to a thousandth of a pixel."""
    placed = place(notes)
    for item in placed:
        if item.slice.count > 1:
            continue
        children = [one for one in placed if one.slice.parent == item.slice.id]
        gap = item.height * item.open_minor / item.slice.value
        if children:
            assert abs(sum(one.height for one in children) + gap - item.height) < 1e-3
        else:
            assert item.open_minor == item.slice.value


@settings(max_examples=40, deadline=None)
@given(trees())
def test_no_label_of_an_icicle_lies_on_another(notes: list[Slice]) -> None:
    drawn = ElementTree.fromstring(icicle([replace(n, label=f"Firm {n.id}") for n in notes], WORDS))
    boxes = []
    for text in drawn.iter("text"):
        if text.attrib["class"] == "tier":
            continue
        x, y, wide = float(text.attrib["x"]), float(text.attrib["y"]), 12 * 0.58 * len(text.text or "")
        boxes.append((x, y - 10, x + wide, y + 2))
    for one, other in itertools.combinations(boxes, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)


@settings(max_examples=40, deadline=None)
@given(trees())
def test_the_list_for_a_phone_shows_each_note_under_its_parent(notes: list[Slice]) -> None:
    rows = branches(notes)
    assert sum(row.slice.count for row in rows) == len(notes)
    path: list[Slice] = []
    for row in rows:
        path = path[: row.depth]
        if row.depth:
            assert row.slice.parent == path[-1].id and row.slice.value <= path[-1].value
        path.append(row.slice)


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


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 200), st.sampled_from(LANES), st.sampled_from(["paid", "delivered", "inspected", "ordered"])
        ),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([0, 1, 3]),
)
def test_lanes_keep_labels_apart(facts: list[tuple[int, str, str]], breaks: int) -> None:
    start = date(2026, 1, 1)
    points = [
        Point(start + timedelta(days=day), lane, word, "x", breaks=tuple(range(1, breaks + 1)) if n == 0 else ())
        for n, (day, lane, word) in enumerate(facts)
    ]
    drawn = ElementTree.fromstring(lanes(points, {lane: lane for lane in LANES}, "order"))
    labels: dict[str, list[tuple[float, float]]] = {}
    for text in drawn.iter("text"):
        kind = text.attrib["class"].split()[0]
        if kind in ("label", "axis"):
            x, wide = float(text.attrib["x"]), width_of(text.text or "", FONT)
            assert x >= -0.01 and x + wide <= WIDTH + 0.01
            labels.setdefault(f"{kind} {text.attrib['y']}", []).append((x, x + wide))
    for spans in labels.values():
        spans.sort()
        assert all(left[1] <= right[0] + 0.01 for left, right in itertools.pairwise(spans))


def test_a_disagreement_is_numbered_and_joins_the_facts_it_speaks_of() -> None:
    start = date(2026, 1, 1)
    points = [
        Point(start, "money", "paid", "x", breaks=(1,)),
        Point(start + timedelta(days=13), "goods", "inspected", "x", breaks=(1,)),
        Point(start + timedelta(days=20), "contract", "ordered", "x"),
    ]
    drawn = ElementTree.fromstring(lanes(points, {lane: lane for lane in LANES}, "order"))
    assert len(list(drawn.iter("path"))) == 2
    assert [text.text for text in drawn.iter("text") if "broken" in text.attrib["class"]] == ["inspected ▲1", "paid ▲1"]
    joined = [line for line in drawn.iter("line") if line.attrib["class"] == "break"]
    assert len(joined) == 1 and float(joined[0].attrib["x1"]) < float(joined[0].attrib["x2"])


def test_the_strip_of_an_account_has_the_bars_proportions() -> None:
    parts = [StagePart("1", 400, 400, 0, 0, 0, "400", "done"), StagePart("2", 600, 0, 0, 300, 0, "600", "open")]
    rects = list(ElementTree.fromstring(stage_strip(parts, "stages")).iter("rect"))
    width = {rect.attrib["class"]: float(rect.attrib["width"]) for rect in rects}
    assert abs(width["released"] - 39.4) < 0.01 and abs(width["releasable"] - 59.4 / 2) < 0.01
    assert max(float(r.attrib["x"]) + float(r.attrib["width"]) for r in rects) <= 100
    assert stage_strip([], "x") == ""


def _step(day: int, lane: str, kind: str) -> Step:
    return Step(day, lane, kind, kind, "x", 3, "e" * 64, None, 100, "CNY", "reference", 1000, day)  # type: ignore[arg-type]


def test_what_was_matched_is_joined_and_what_is_in_doubt_is_not() -> None:
    steps = [
        _step(1, "contract", "order"),
        _step(5, "goods", "delivery"),
        _step(6, "money", "invoice"),
        _step(9, "goods", "delivery"),
        _step(40, "money", "payment"),
    ]
    assert matched(steps) == [(0, 1), (0, 3), (1, 2), (3, 4)]
    assert matched(steps, {4}) == [(0, 1), (0, 3), (1, 2)]
    assert matched(steps, {1, 3}) == [], "without goods nothing is matched"
    drawn = ElementTree.fromstring(lanes_of(steps, [], "zh-CN"))
    joined = [line for line in drawn.iter("line") if line.attrib["class"] == "match"]
    assert len(joined) == 4 and all(line.attrib["y1"] != line.attrib["y2"] for line in joined)
    assert "匹配" in (joined[0][0].text or "")
    assert settled(steps, []) is True and settled(steps[:1], []) is None
