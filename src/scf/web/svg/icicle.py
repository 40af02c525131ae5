"""The split of a receivable as an icicle: column = tier, height = amount. A child is never taller than its parent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scf.web.svg.drawing import element, shorten, text, title

WIDTH, HEIGHT = 960.0, 420.0
LEAST_LABEL = 14.0
"""Pixels a slice needs before it can carry a line of words."""
MOST_SLICES = 150
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
    """What the picture says: money as text, the word of a state, the tail of small slices, and its own name."""

    money: Callable[[int], str]
    state: Callable[[str], str]
    others: Callable[[int], str]
    tier: Callable[[int], str]
    free: str
    name: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A slice with its rectangle in pixels."""

    slice: Slice
    x: float
    y: float
    width: float
    height: float


def place(slices: Sequence[Slice], *, width: float = WIDTH, height: float = HEIGHT) -> list[Placed]:
    """Rectangles of all slices: children stacked inside their parent's height, largest first, tails grouped."""
    slices = _collapse(slices)
    by_parent: dict[str | None, list[Slice]] = {}
    ids = {item.id for item in slices}
    for item in slices:
        by_parent.setdefault(item.parent if item.parent in ids else None, []).append(item)
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
            placed.append(Placed(item, (item.tier - first) * column, y, column, tall))
            children = by_parent.get(item.id, []) if item.count == 1 else []
            if children:
                stack(_group(children, tall / max(1, item.value)), y, tall, item.value)
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
    box = f"0 0 {WIDTH:.0f} {HEIGHT + head:.0f}"
    return element("svg", "".join(parts), class_="icicle", viewBox=box, role="img", aria_label=words.name)


def _slice(item: Placed, head: float, words: Words) -> str:
    one = item.slice
    label = one.label if one.count == 1 else words.others(one.count)
    said = f"{label} · {words.money(one.value)} · {words.state(one.state)}"
    y, room = head + item.y, item.width - 14
    parts = [
        title(said),
        element(
            "rect",
            x=item.x + 1,
            y=y + 0.5,
            width=max(1.0, item.width - 2),
            height=max(0.5, item.height - 1),
            class_="slice mine" if one.mine else "slice",
        ),
        element("rect", x=item.x + 1, y=y + 0.5, width=5.0, height=max(0.5, item.height - 1), class_=f"s-{one.state}"),
    ]
    lines = [label, f"{words.money(one.value)} · {words.state(one.state)}"]
    if 0 < one.free < one.value:
        lines.append(f"{words.free} {words.money(one.free)}")
    for number, line in enumerate(lines):
        if item.height >= LEAST_LABEL * (number + 1) + 4:
            short = shorten(line, room, _FONT)
            parts.append(text(short, item.x + 11, y + 14 + LEAST_LABEL * number, "label" if number == 0 else "value"))
    return element("g", "".join(parts))


def _group(children: list[Slice], pixels_per_minor: float) -> list[Slice]:
    """Slices too small for a label become one, so that nothing is drawn that nobody can read."""
    small = [item for item in children if item.value * pixels_per_minor < LEAST_LABEL + 4]
    if len(small) < 2:
        return children
    return [item for item in children if item not in small] + [_tail(small)]


def _tail(small: list[Slice]) -> Slice:
    return replace(
        small[0],
        id=f"tail:{small[0].id}",
        value=sum(item.value for item in small),
        free=sum(item.free for item in small),
        state="several",
        label="",
        mine=any(item.mine for item in small),
        count=sum(item.count for item in small),
    )


def _collapse(slices: Sequence[Slice]) -> list[Slice]:
    """Beyond the most a picture can carry, the smallest notes are left to the table. A parent is never smaller."""
    if len(slices) <= MOST_SLICES:
        return list(slices)
    kept = sorted(slices, key=lambda item: (-item.value, item.tier, item.id))[:MOST_SLICES]
    return sorted(kept, key=lambda item: (item.tier, item.id))
