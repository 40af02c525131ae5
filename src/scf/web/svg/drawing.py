"""Elements of a drawing: escaped text, attributes in a stable order. Colours come from the stylesheet by class."""

from __future__ import annotations

import unicodedata
from xml.sax.saxutils import escape, quoteattr

_CAMEL = ("viewBox", "preserveAspectRatio")


def element(tag: str, content: str = "", **attributes: object) -> str:
    """One element; attribute names lose a trailing underscore, other underscores become dashes."""
    parts = []
    for name, value in attributes.items():
        if value is None:
            continue
        shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        spelled = name if name in _CAMEL else name.rstrip("_").replace("_", "-")
        parts.append(f" {spelled}={quoteattr(shown)}")
    return f"<{tag}{''.join(parts)}>{content}</{tag}>" if content else f"<{tag}{''.join(parts)}/>"


def text(words: str, x: float, y: float, class_: str, anchor: str | None = None) -> str:
    """Words at a place."""
    return element("text", escape(words), x=x, y=y, class_=class_, text_anchor=anchor)


def title(words: str) -> str:
    """What a screen reader and a pointer say about the element around it."""
    return f"<title>{escape(words)}</title>"


def width_of(words: str, size: float) -> float:
    """About how wide words are at a font size; CJK characters take a full square."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in words)
    return size * (wide + 0.58 * (len(words) - wide))


def shorten(words: str, room: float, size: float) -> str:
    """Words cut to fit `room`, with an ellipsis; empty when nothing sensible fits."""
    if width_of(words, size) <= room:
        return words
    while words and width_of(words + "…", size) > room:
        words = words[:-1]
    return words + "…" if len(words) > 2 else ""
