"""An entrusted account as one bar: stage width = amount; released solid, releasable outlined, the rest locked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scf.web.svg.drawing import element, shorten, text, title

WIDTH, HEIGHT = 960.0, 96.0
_FONT = 12.0
_BAR_TOP, _BAR = 28.0, 34.0


@dataclass(frozen=True, slots=True)
class StagePart:
    """One stage in minor units, with the words shown on it."""

    name: str
    amount: int
    released: int
    refunded: int
    releasable: int
    disputed: int
    money: str
    state: str


def stage_bar(parts: Sequence[StagePart], name: str) -> str:
    """The picture. Empty text when there is no stage with value."""
    total = sum(part.amount for part in parts)
    if total <= 0:
        return ""
    drawn, x = [], 0.0
    for part in parts:
        wide = WIDTH * part.amount / total
        drawn.append(_stage(part, x, wide))
        x += wide
    box = f"0 0 {WIDTH:.0f} {HEIGHT:.0f}"
    return element("svg", "".join(drawn), class_="stages", viewBox=box, role="img", aria_label=name)


def stage_strip(parts: Sequence[StagePart], name: str) -> str:
    """The same bar without words, as wide as a phone; the cards below it say what it means."""
    total = sum(part.amount for part in parts)
    if total <= 0:
        return ""
    drawn, x = [title(name)], 0.0
    for part in parts:
        wide = 100.0 * part.amount / total
        drawn.append(element("rect", x=x, y=0, width=max(0.1, wide - 0.6), height=10, class_="locked"))
        at = x
        for class_, minor in _shares(part):
            span = max(0.1, wide - 0.6) * minor / part.amount
            drawn.append(element("rect", x=at, y=0, width=span, height=10, class_=class_))
            at += span
        x += wide
    box = {"viewBox": "0 0 100 10", "preserveAspectRatio": "none"}
    return element("svg", "".join(drawn), class_="stages strip", role="img", aria_label=name, **box)


def _shares(part: StagePart) -> list[tuple[str, int]]:
    named = ("released", part.released), ("refunded", part.refunded), ("disputed", part.disputed)
    return [(name, minor) for name, minor in (*named, ("releasable", part.releasable)) if minor > 0]


def _stage(part: StagePart, x: float, wide: float) -> str:
    inner = [title(f"{part.name}: {part.money}, {part.state}")]
    inner.append(element("rect", x=x + 1, y=_BAR_TOP, width=max(1.0, wide - 2), height=_BAR, class_="locked"))
    at = x + 1
    for class_, minor in _shares(part):
        span = (wide - 2) * minor / part.amount
        inner.append(element("rect", x=at, y=_BAR_TOP, width=span, height=_BAR, class_=class_))
        at += span
    room = wide - 8
    inner.append(text(shorten(part.name, room, _FONT), x + 4, 18, "label"))
    inner.append(text(shorten(part.money, room, _FONT), x + 4, 79, "value"))
    inner.append(text(shorten(part.state, room, _FONT), x + 4, 93, "state"))
    return element("g", "".join(inner))
