"""The split of a receivable as an icicle: column = tier, height = amount. A child is never taller than its parent.

The part of a parent that nobody got stays open beside it and says how much it is, so that a reader sees the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scf.web.svg.drawing import element, shorten, text, title

WIDTH, HEIGHT = 960.0, 420.0
LEAST_LABEL = 14.0
"""Pixels a slice needs before it can carry a line of words."""
MOST_SLICES = 150
_MOST_IN_LIST = 12
_FONT = 12.0


@dataclass(frozen=True, slots=True)
class Slice:
    """One note: `value` is what it was made with, `free` what it still carries (minor units)."""

    id: str
    parent: str | None
    tier: int
    value: int
    free: int
    state: str
    label: str
    mine: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Words:
    """What the picture says: money as text, the word of a state, the tail of small slices, and its own name.

    `free` names the part of a note that was not passed on.
    """

    money: Callable[[int], str]
    state: Callable[[str], str]
    others: Callable[[int], str]
    tier: Callable[[int], str]
    free: str
    name: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A slice with its rectangle in pixels; `open_minor` is what of it went to no child, as in the picture."""

    slice: Slice
    x: float
    y: float
    width: float
    height: float
    open_minor: int = 0


@dataclass(frozen=True, slots=True)
class Branch:
    """A slice as a line of an indented list: how deep it stands under the first, parents before children."""

    slice: Slice
    depth: int


def place(slices: Sequence[Slice], *, width: float = WIDTH, height: float = HEIGHT) -> list[Placed]:
    """Rectangles of all slices: children stacked inside their parent's height, largest first, tails grouped."""
    slices = _collapse(slices)
    by_parent, sizes = _with_sizes(slices)
    roots = by_parent.get(None, [])
    total = sum(item.value for item in roots)
    if total <= 0:
        return []
    columns = max(item.tier for item in slices) - min(item.tier for item in slices) + 1
    first, column = min(item.tier for item in slices), width / columns
    placed: list[Placed] = []

    def stack(items: list[Slice], top: float, room: float, whole: int) -> None:
        y = top
        for item in sorted(items, key=lambda one: (-one.value, one.id)):
            tall = room * item.value / whole
            children = by_parent.get(item.id, []) if item.count == 1 else []
            given = sum(child.value for child in children)
            placed.append(Placed(item, (item.tier - first) * column, y, column, tall, item.value - given))
            if children:
                stack(_group(children, tall / max(1, item.value), sizes), y, tall, item.value)
            y += tall

    stack(roots, 0.0, height, total)
    return placed


def icicle(slices: Sequence[Slice], words: Words) -> str:
    """The picture. Empty text when there is nothing to show."""
    placed = place(slices)
    if not placed:
        return ""
    head = 22.0
    parts = []
    for x, tier in sorted({(item.x, item.slice.tier) for item in placed}):
        parts.append(text(words.tier(tier), x + 4, 15, "tier"))
    parts += [_slice(item, head, words) for item in placed]
    parts += [_open_part(item, head, words) for item in placed if 0 < item.open_minor < item.slice.value]
    box = f"0 0 {WIDTH:.0f} {HEIGHT + head:.0f}"
    return element("svg", "".join(parts), class_="icicle", viewBox=box, role="img", aria_label=words.name)


def branches(slices: Sequence[Slice]) -> list[Branch]:
    """The same split for a narrow screen: each slice under its parent, largest first, the many small ones as one."""
    slices = _collapse(slices)
    by_parent, sizes = _with_sizes(slices)
    found: list[Branch] = []

    def walk(items: list[Slice], depth: int) -> None:
        ordered = sorted(items, key=lambda one: (one.count > 1, -one.value, one.id))
        if len(ordered) > _MOST_IN_LIST:
            ordered = [*ordered[: _MOST_IN_LIST - 1], _tail(ordered[_MOST_IN_LIST - 1 :], sizes)]
        for item in ordered:
            found.append(Branch(item, depth))
            if item.count == 1:
                walk(by_parent.get(item.id, []), depth + 1)

    walk(by_parent.get(None, []), 0)
    return found


def label_of(one: Slice, words: Words) -> str:
    """Who holds a slice, or how many small ones it stands for and what they come to."""
    return one.label if one.count == 1 else f"{words.others(one.count)} {words.money(one.value)}"


def _slice(item: Placed, head: float, words: Words) -> str:
    one, label = item.slice, label_of(item.slice, words)
    said = f"{label} · {words.money(one.value)} · {words.state(one.state)}"
    y, room, tall = head + item.y, item.width - 14, max(0.5, item.height - 1)
    wide = max(1.0, item.width - 2)
    parts = [
        title(said),
        element("rect", x=item.x + 1, y=y + 0.5, width=wide, height=tall, class_="slice mine" if one.mine else "slice"),
        element("rect", x=item.x + 1, y=y + 0.5, width=5.0, height=tall, class_=f"s-{one.state}"),
    ]
    lines = [label, f"{words.money(one.value)} · {words.state(one.state)}"] if one.count == 1 else [label]
    for number, line in enumerate(lines):
        if item.height >= LEAST_LABEL * (number + 1) + 4:
            short = shorten(line, room, _FONT)
            parts.append(text(short, item.x + 11, y + 14 + LEAST_LABEL * number, "label" if number == 0 else "value"))
    return element("g", "".join(parts))


def _open_part(item: Placed, head: float, words: Words) -> str:
    """What of a note was not passed on, in the gap its children leave beside it."""
    tall = item.height * item.open_minor / item.slice.value
    y, x = head + item.y + item.height - tall, item.x + item.width
    said = f"{words.free} {words.money(item.open_minor)}"
    parts = [
        title(said),
        element("rect", x=x + 1, y=y + 0.5, width=item.width - 2, height=max(0.5, tall - 1), class_="open"),
    ]
    if tall >= LEAST_LABEL + 4:
        parts.append(text(shorten(said, item.width - 14, _FONT), x + 11, y + 14, "value"))
    return element("g", "".join(parts))


def _with_sizes(slices: Sequence[Slice]) -> tuple[dict[str | None, list[Slice]], dict[str, int]]:
    """Slices by parent (None: under none that is shown), and how many notes hang at and under each, itself included."""
    ids, by_parent = {item.id for item in slices}, dict[str | None, list[Slice]]()
    for item in slices:
        by_parent.setdefault(item.parent if item.parent in ids else None, []).append(item)
    sizes: dict[str, int] = {}
    for item in sorted(slices, key=lambda one: -one.tier):
        sizes[item.id] = item.count + sum(sizes[child.id] for child in by_parent.get(item.id, []))
    return by_parent, sizes


def _group(children: list[Slice], pixels_per_minor: float, sizes: dict[str, int]) -> list[Slice]:
    """Slices too small for a label become one, so that nothing is drawn that nobody can read."""
    small = [item for item in children if item.count > 1 or item.value * pixels_per_minor < LEAST_LABEL + 4]
    if len(small) < 2:
        return children
    return [item for item in children if item not in small] + [_tail(small, sizes)]


def _tail(small: list[Slice], sizes: dict[str, int]) -> Slice:
    return replace(
        small[0],
        id=f"tail:{small[0].id}",
        value=sum(item.value for item in small),
        free=sum(item.free for item in small),
        state="several",
        label="",
        mine=any(item.mine for item in small),
        count=sum(sizes.get(item.id, item.count) for item in small),
    )


def _collapse(slices: Sequence[Slice]) -> list[Slice]:
    """At most `MOST_SLICES`: beyond, the smallest children of each parent become one. A parent is never smaller."""
    if len(slices) <= MOST_SLICES:
        return list(slices)
    ordered = sorted(slices, key=lambda item: (-item.value, item.tier, item.id))
    ids, count = {item.id for item in slices}, MOST_SLICES
    while True:
        kept = {item.id for item in ordered[:count]}
        left: dict[str | None, list[Slice]] = {}
        for item in ordered[count:]:
            if item.parent in kept or item.parent not in ids:
                left.setdefault(item.parent if item.parent in kept else None, []).append(item)
        if count + len(left) <= MOST_SLICES or count <= 1:
            break
        count -= max(1, (count + len(left) - MOST_SLICES) // 2)
    under = _descendants(ordered[count:], kept)
    tails = [
        items[0] if under[parent] == 1 else replace(_tail(items, {}), parent=parent, count=under[parent])
        for parent, items in left.items()
    ]
    return sorted([*ordered[:count], *tails], key=lambda item: (item.tier, item.id))


def _descendants(left: Sequence[Slice], kept: set[str]) -> dict[str | None, int]:
    """How many left-out notes hang under each kept one (None: under none), however deep."""
    above, counts = {item.id: item.parent for item in left}, dict[str | None, int]()
    for item in left:
        parent = item.parent
        while parent is not None and parent not in kept:
            parent = above.get(parent)
        counts[parent] = counts.get(parent, 0) + 1
    return counts
