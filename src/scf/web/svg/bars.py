"""Plain bars: a share of a whole, for limits, tiers and phones."""

from __future__ import annotations

from scf.web.svg.drawing import element, title


def bar(part: int, whole: int, words: str, *, state: str = "part") -> str:
    """`part` of `whole` as a filled strip; never longer than the whole."""
    share = 0.0 if whole <= 0 else max(0.0, min(1.0, part / whole)) * 100
    inner = title(words) + element("rect", x=0, y=0, width=100, height=8, class_="whole")
    if share:
        inner += element("rect", x=0, y=0, width=max(share, 0.5), height=8, class_=f"s-{state}")
    return element(
        "svg", inner, class_="bar", viewBox="0 0 100 8", preserveAspectRatio="none", role="img", aria_label=words
    )
