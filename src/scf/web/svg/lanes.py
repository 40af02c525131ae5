"""Goods against money: three lanes on one time axis, a point for each fact, a numbered triangle where facts disagree.

Facts that were matched are joined by a plain line. The number leads to the sentence above the picture that says what
disagrees; a dashed line joins the two facts then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from scf.web.svg.drawing import element, text, title, width_of

WIDTH, LANE = 960.0, 86.0
FONT = 11.0
_LEFT, _RIGHT, _AXIS = 92.0, 20.0, 24.0
LANES = ("contract", "goods", "money")
_ROWS = (-14.0, 24.0, -28.0, 38.0)
"""Where labels of a lane may stand, above and below its line."""
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class Point:
    """One fact: its day, lane, word, what it says; `breaks` are the numbers of the sentences that speak of it."""

    day: date
    lane: str
    word: str
    said: str
    broken: bool = False
    breaks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Two points that were matched, by their places among the points, and what is said of it."""

    start: int
    end: int
    said: str


def lanes(points: Sequence[Point], names: dict[str, str], label: str, matched: Sequence[Link] = ()) -> str:
    """The picture. Empty text when nothing happened yet."""
    if not points:
        return ""
    first, last = min(point.day for point in points), max(point.day for point in points)
    span = max(1, (last - first).days)
    scale = (WIDTH - _LEFT - _RIGHT - 40) / span

    def x_of(day: date) -> float:
        return _LEFT + 20 + (day - first).days * scale

    bottom = LANE * len(LANES)
    parts = [_axis(first, last, x_of, bottom)]
    for place, lane in enumerate(LANES):
        y = _middle(place)
        parts.append(text(names[lane], 4, y + 4, "lane"))
        parts.append(element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="lane"))
    parts += _matched(points, matched, x_of)
    parts += _links(points, x_of)
    for place, lane in enumerate(LANES):
        parts += _lane([point for point in points if point.lane == lane], _middle(place), x_of)
    box = f"0 0 {WIDTH:.0f} {bottom + _AXIS:.0f}"
    return element("svg", "".join(parts), class_="lanes", viewBox=box, role="img", aria_label=label)


def _middle(place: int) -> float:
    return LANE * place + LANE / 2


def _axis(first: date, last: date, x_of: Callable[[date], float], bottom: float) -> str:
    """Days under the lanes: the first, the last, and as many between as stand apart."""
    span = (last - first).days
    step = max(1, -(-span // _MOST_TICKS))
    days = [first + timedelta(days=offset) for offset in range(0, span, step)]
    parts, end = [], -1.0
    wide = width_of(first.isoformat(), FONT)
    for day in [*days, last] if span else [first]:
        x = x_of(day)
        left = min(max(0.0, x - wide / 2), WIDTH - wide)
        if day not in (first, last) and x + wide * 1.6 > x_of(last):
            continue
        if left < end:
            continue
        end = left + wide + 8
        parts.append(element("line", x1=x, x2=x, y1=0, y2=bottom, class_="tick"))
        parts.append(text(day.isoformat(), left, bottom + 16, "axis"))
    return "".join(parts)


def _matched(points: Sequence[Point], matched: Sequence[Link], x_of: Callable[[date], float]) -> list[str]:
    """A line between facts that were matched, from lane to lane."""
    drawn = []
    for link in matched:
        (x1, y1), (x2, y2) = (
            (x_of(points[place].day), _middle(LANES.index(points[place].lane))) for place in (link.start, link.end)
        )
        drawn.append(element("line", title(link.said), x1=x1, y1=y1, x2=x2, y2=y2, class_="match") if y1 != y2 else "")
    return drawn


def _links(points: Sequence[Point], x_of: Callable[[date], float]) -> list[str]:
    """A dashed line between the facts one sentence speaks of."""
    by_number: dict[int, list[Point]] = {}
    for point in points:
        for number in point.breaks:
            by_number.setdefault(number, []).append(point)
    drawn = []
    for number in sorted(by_number):
        ordered = sorted(by_number[number], key=lambda one: (one.day, LANES.index(one.lane)))
        start, end = ordered[0], ordered[-1]
        ends = (start.day, start.lane), (end.day, end.lane)
        if ends[0] != ends[1]:
            (x1, y1), (x2, y2) = ((x_of(day), _middle(LANES.index(lane))) for day, lane in ends)
            drawn.append(element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="break"))
    return drawn


def _lane(points: Sequence[Point], y: float, x_of: Callable[[date], float]) -> list[str]:
    """Points of one lane; labels take the first of four rows where they overlap no other."""
    ends = [-1.0] * len(_ROWS)
    drawn = []
    for point in sorted(points, key=lambda item: (item.day, item.word)):
        x = x_of(point.day)
        word = point.word + "".join(f" ▲{number}" for number in point.breaks)
        wide = width_of(word, FONT)
        left = max(_LEFT, min(x - wide / 2, WIDTH - _RIGHT - wide))
        row = next((number for number, end in enumerate(ends) if end < left), None)
        broken = point.broken or bool(point.breaks)
        inner = title(f"{point.day.isoformat()} · {point.word} · {point.said}") + _mark(x, y, broken)
        if row is not None:
            ends[row] = left + wide + 6
            inner += text(word, left, y + _ROWS[row], "label broken" if broken else "label")
        drawn.append(element("g", inner))
    return drawn


def _mark(x: float, y: float, broken: bool) -> str:
    if broken:
        return element("path", d=f"M{x:.1f} {y - 8:.1f} l8 14 h-16 z", class_="broken")
    return element("circle", cx=x, cy=y, r=5, class_="fact")
