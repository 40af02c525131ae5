"""Pro rata by largest remainder, ties by note id, computed over all notes at once; and the cut that says the same."""

from __future__ import annotations

from collections.abc import Mapping

NO_CUT = 2**64 - 1


def _winners(amounts: Mapping[int, int], pot: int) -> list[int]:
    base = sum(amounts.values())
    short = pot - sum(a * pot // base for a in amounts.values())
    order = sorted(amounts, key=lambda n: (-(amounts[n] * pot % base), n))
    return order[:short]


def shares(amounts: Mapping[int, int], pot: int) -> dict[int, int]:
    """What each note gets of the pot."""
    base = sum(amounts.values())
    winners = set(_winners(amounts, pot))
    return {n: a * pot // base + (n in winners) for n, a in amounts.items()}


def cuts(amounts: Mapping[int, int], pot: int) -> tuple[int, int]:
    """Remainder and note of the last one that gets a unit more."""
    base = sum(amounts.values())
    winners = _winners(amounts, pot)
    return (amounts[winners[-1]] * pot % base, winners[-1]) if winners else (NO_CUT, 0)
