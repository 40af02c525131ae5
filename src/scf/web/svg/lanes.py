"""Goods against money: three lanes on one time axis, a point for each fact, a triangle where facts disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from scf.web.svg.drawing import element, text, title, width_of

WIDTH, LANE = 960.0, 86.0
_LEFT, _RIGHT, _FONT, _AXIS = 92.0, 20.0, 11.0, 24.0
LANES = ("contract", "goods", "money")


@dataclass(frozen=True, slots=True)
class Point:
    """One fact: its day, lane, word, what it says, and whether something disagrees with it."""

    day: date
    lane: str
    word: str
    said: str
    broken: bool = False


def lanes(points: Sequence[Point], names: dict[str, str], label: str) -> str:
    """The picture. Empty text when nothing happened yet."""
    if not points:
        return ""
    first, last = min(point.day for point in points), max(point.day for point in points)
    span = max(1, (last - first).days)
    scale = (WIDTH - _LEFT - _RIGHT - 40) / span

    def x_of(day: date) -> float:
        return _LEFT + 20 + (day - first).days * scale

    parts = []
    for place, lane in enumerate(LANES):
        y = _middle(place)
        parts.append(text(names[lane], 4, y + 4, "lane"))
        parts.append(element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="lane"))
        parts += _lane([point for point in points if point.lane == lane], y, x_of)
    bottom = LANE * len(LANES)
    parts.append(text(first.isoformat(), x_of(first), bottom + 16, "axis", "middle"))
    if last != first:
        parts.append(text(last.isoformat(), min(x_of(last), WIDTH - 36), bottom + 16, "axis", "middle"))
    box = f"0 0 {WIDTH:.0f} {bottom + _AXIS:.0f}"
    return element("svg", "".join(parts), class_="lanes", viewBox=box, role="img", aria_label=label)


def _middle(place: int) -> float:
    return LANE * place + LANE / 2


def _lane(points: Sequence[Point], y: float, x_of: object) -> list[str]:
    """Points of one lane; labels take the first of four rows where they overlap no other."""
    ends = [-1.0] * 4
    offsets = (-14.0, 24.0, -28.0, 38.0)
    drawn = []
    for point in sorted(points, key=lambda item: (item.day, item.word)):
        x: float = x_of(point.day)  # type: ignore[operator]
        wide = width_of(point.word, _FONT)
        left = min(max(x - wide / 2, _LEFT), WIDTH - _RIGHT - wide)
        row = next((number for number, end in enumerate(ends) if end < left), None)
        inner = title(f"{point.day.isoformat()} · {point.word} · {point.said}") + _mark(x, y, point.broken)
        if row is not None:
            ends[row] = left + wide + 6
            inner += text(point.word, left, y + offsets[row], "label broken" if point.broken else "label")
        drawn.append(element("g", inner))
    return drawn


def _mark(x: float, y: float, broken: bool) -> str:
    if broken:
        return element("path", d=f"M{x:.1f} {y - 8:.1f} l8 14 h-16 z", class_="broken")
    return element("circle", cx=x, cy=y, r=5, class_="fact")
