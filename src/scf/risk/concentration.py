"""How concentrated a book is: shares, the Herfindahl-Hirschman index, and the light it gives. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Light = Literal["green", "amber", "red"]
AMBER, RED = 1_500, 2_500
"""Thresholds of the index on its scale to 10,000, as supervisors of markets use them; a policy may set others."""


@dataclass(frozen=True, slots=True)
class Share:
    """One name's part of a book: minor units, and tenths of a percent, cut."""

    name: str
    minor: int
    permille: int


@dataclass(frozen=True, slots=True)
class Concentration:
    """Shares, the largest first, and the index: 10,000 is one name alone. None when the book is empty."""

    total_minor: int
    shares: tuple[Share, ...]
    hhi: int | None
    light: Light | None


def concentration(amounts: Mapping[str, int], *, amber: int = AMBER, red: int = RED) -> Concentration:
    """The concentration of amounts in minor units by name; names without an amount are left out."""
    kept = {name: minor for name, minor in amounts.items() if minor > 0}
    total = sum(kept.values())
    if not total:
        return Concentration(0, (), None, None)
    shares = tuple(
        Share(name, minor, minor * 1000 // total)
        for name, minor in sorted(kept.items(), key=lambda item: (-item[1], item[0]))
    )
    hhi = sum(minor * minor for minor in kept.values()) * 10_000 // (total * total)
    return Concentration(total, shares, hhi, "red" if hhi >= red else "amber" if hhi >= amber else "green")


def if_one_fails(amounts: Mapping[str, int], name: str) -> tuple[int, int]:
    """(what would be at stake in minor units, tenths of a percent of the book) if this name did not pay."""
    total = sum(amounts.values())
    minor = amounts.get(name, 0)
    return minor, minor * 1000 // total if total else 0


AGES = ((0, "not_due"), (1, "d30"), (31, "d60"), (61, "d90"), (91, "older"))
"""Buckets of ageing by days past maturity: not due, 1–30, 31–60, 61–90, over 90."""


def ageing(items: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Sums by bucket of (days past due, minor units); every bucket is there."""
    sums = {name: 0 for _, name in AGES}
    for days, minor in items.values():
        bucket = [name for least, name in AGES if days >= least]
        sums[bucket[-1] if bucket else "not_due"] += minor
    return sums
