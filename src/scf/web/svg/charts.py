"""Columns for ageing and calendars, bars against a limit: drawn small enough that a phone shows them as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scf.web.svg.drawing import element, shorten, text, title

WIDTH, HEIGHT = 360.0, 190.0
_TOP, _BOTTOM, _FONT = 26.0, 34.0, 11.0


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the word below it, its value in minor units, the money above it in short, and its state's class."""

    word: str
    value: int
    money: str
    state: str = "part"
    under: str = ""


def columns(items: Sequence[Column], name: str) -> str:
    """Columns side by side, their heights to one scale. Empty text when every value is zero."""
    most = max((item.value for item in items), default=0)
    if most <= 0:
        return ""
    step = WIDTH / len(items)
    floor = HEIGHT - _BOTTOM
    parts = [element("line", x1=0, x2=WIDTH, y1=floor, y2=floor, class_="floor")]
    for place, item in enumerate(items):
        x, wide = place * step + step * 0.12, step * 0.76
        tall = (floor - _TOP) * max(0, item.value) / most
        middle = place * step + step / 2
        inner = title(f"{item.word} {item.under}: {item.money}")
        if tall:
            inner += element(
                "rect", x=x, y=floor - max(tall, 1.5), width=wide, height=max(tall, 1.5), rx=2, class_=f"s-{item.state}"
            )
            inner += text(shorten(item.money, step + 6, _FONT), middle, floor - tall - 5, "value", "middle")
        inner += text(shorten(item.word, step, _FONT), middle, floor + 14, "label", "middle")
        if item.under:
            inner += text(shorten(item.under, step, _FONT), middle, floor + 28, "axis", "middle")
        parts.append(element("g", inner))
    box = f"0 0 {WIDTH:.0f} {HEIGHT:.0f}"
    return element("svg", "".join(parts), class_="columns", viewBox=box, role="img", aria_label=name)


def against(part: int, limit: int, words: str, *, warn: int | None = None) -> str:
    """`part` against a limit: the strip turns amber from `warn` on and red beyond the limit; the limit is a tick."""
    whole = max(part, limit, 1)
    state = "over" if part > limit else "near" if warn is not None and part >= warn else "held"
    inner = title(words) + element("rect", x=0, y=0, width=100, height=8, class_="whole")
    if part > 0:
        inner += element("rect", x=0, y=0, width=max(part / whole * 100, 0.6), height=8, class_=f"s-{state}")
    if limit > 0:
        inner += element("rect", x=min(99.2, limit / whole * 100 - 0.4), y=0, width=0.8, height=8, class_="tick")
    return element(
        "svg", inner, class_="bar", viewBox="0 0 100 8", preserveAspectRatio="none", role="img", aria_label=words
    )


def in_short(minor: int, digits: int, language: str) -> str:
    """Money for a chart, in the units people of the language count in: 万 and 亿, or k and m. Never for a table."""
    units = ((10**8, "亿"), (10**4, "万")) if language == "zh-CN" else ((10**9, "bn"), (10**6, "m"), (10**3, "k"))
    whole = minor / 10**digits
    for size, word in units:
        if whole >= size:
            shown = f"{whole / size:.1f}".removesuffix(".0")
            return f"{shown}{' ' if word.isascii() else ''}{word}".replace(" ", "")
    return f"{whole:.0f}"
