"""Pro rata by largest remainder, ties to the lower note id; and the same note by note, as the contract pays it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .register import MOVED, Note, Round


def largest_remainder(total: int, weights: Sequence[tuple[int, int]]) -> list[int]:
    """Shares of `total` over (id, weight) pairs; they add up to `total` exactly."""
    base = sum(weight for _, weight in weights)
    if base == 0:
        return [0] * len(weights)
    shares = [total * weight // base for _, weight in weights]
    left = total - sum(shares)
    order = sorted(range(len(weights)), key=lambda at: (-(total * weights[at][1] % base), weights[at][0]))
    for at in order[:left]:
        shares[at] += 1
    return shares


def by_cut(amount: int, pot: int, base: int, cut: int, cut_note: int, note: int) -> int:
    """One note's share when only the cut is known: one unit more above it, or at it with an id not above the cut's."""
    share, remainder = divmod(amount * pot, base)
    return share + 1 if remainder and (remainder > cut or (remainder == cut and note <= cut_note)) else share


def rank_of(note: Note) -> int:
    """The id by which ties go: a note moved by force keeps the rank of the one it came from."""
    return note.moved_from if note.flags & MOVED else note.id


def take(round_: Round, note: Note, cuts: Mapping[str, Any]) -> tuple[int, int]:
    """Principal and interest the note must get now; what is left of the round shrinks.

    Never more than is left, and the round's last note takes what is left.
    """
    amount, rank = note.amount, rank_of(note)
    is_last = amount >= round_.base_left
    principal = amount
    if not round_.is_full:
        principal = by_cut(amount, round_.principal, round_.base, cuts["principalCut"], cuts["principalCutNote"], rank)
    if principal > round_.principal_left or is_last:
        principal = min(round_.principal_left, amount)
    interest = 0
    if round_.interest:
        interest = round_.interest_left
        if not is_last:
            interest = by_cut(amount, round_.interest, round_.base, cuts["interestCut"], cuts["interestCutNote"], rank)
        interest = min(interest, round_.interest_left)
    round_.interest_left -= interest
    round_.principal_left -= principal
    round_.base_left = 0 if is_last else round_.base_left - amount
    return principal, interest
