"""Which open amounts does one sum pay? Exact, bounded, and only believed when there is one answer.

A subset search finds an answer almost always and the right one only when it is the only one; so the search stops at
two, knows no tolerance, and refuses more than `MAX_ITEMS` candidates.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

MAX_ITEMS = 20
MAX_SIDE = 8


def unique_subset(amounts: Sequence[int], target: int, *, at_least: int = 1) -> tuple[int, ...] | None:
    """Indexes of the only subset of `amounts` (all > 0) that sums exactly to `target`; None for none or several.

    Subsets smaller than `at_least` count as rivals all the same. More than `MAX_ITEMS` amounts are not searched.
    """
    found = subsets(amounts, target, limit=2)
    return found[0] if len(found) == 1 and len(found[0]) >= at_least else None


def subsets(amounts: Sequence[int], target: int, *, limit: int) -> list[tuple[int, ...]]:
    """Up to `limit` subsets that sum to `target`, by meeting in the middle; none when there are too many amounts."""
    if not 0 < len(amounts) <= MAX_ITEMS or target <= 0 or min(amounts) <= 0:
        return []
    cut = len(amounts) // 2
    left, right = _sums(amounts[:cut]), sorted(_sums(amounts[cut:]))
    sums = [total for total, _ in right]
    found: list[tuple[int, ...]] = []
    for total, chosen in left:
        place = bisect_left(sums, target - total)
        while place < len(sums) and sums[place] == target - total:
            picked = chosen | right[place][1] << cut
            found.append(tuple(i for i in range(len(amounts)) if picked >> i & 1))
            if len(found) == limit:
                return found
            place += 1
    return found


def divide(amount_minor: int, opens: list[int | None]) -> list[int]:
    """Divide a payment over the open amounts of several cases, given in order of age.

    When exactly one subset is paid to the cent, that is it. Else each gets what is open, oldest first, and what is left
    over stays with the last one that got something. The shares always add up to the payment.
    """
    known = [max(value or 0, 0) for value in opens]
    if amount_minor > 0 and all(known) and sum(known) != amount_minor:
        chosen = unique_subset(known, amount_minor)
        if chosen is not None:
            return [value if place in chosen else 0 for place, value in enumerate(known)]
    shares, left = [], max(amount_minor, 0)
    for value in known:
        share = min(value, left)
        shares.append(share)
        left -= share
    rest = amount_minor - sum(shares)
    last = max((place for place, share in enumerate(shares) if share), default=0)
    shares[last] += rest
    return shares


def unique_many_to_many(left: Sequence[int], right: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The only pair of subsets, at least two on each side, with one sum; None when there is none or a second.

    Any second pair of non-empty subsets with equal sums, also a smaller one, makes the answer doubtful. Sides above
    `MAX_SIDE` are not searched.
    """
    if not (2 <= len(left) <= MAX_SIDE and 2 <= len(right) <= MAX_SIDE) or min(*left, *right) <= 0:
        return None
    by_total: dict[int, list[int]] = {}
    for total, chosen in _sums(left):
        by_total.setdefault(total, []).append(chosen)
    answer: tuple[int, int] | None = None
    for total, chosen in _sums(right):
        for mine in by_total.get(total, ()):
            if total == 0:
                continue
            if answer is not None:
                return None
            answer = mine, chosen
    if answer is None or min(bin(side).count("1") for side in answer) < 2:
        return None
    return _members(answer[0]), _members(answer[1])


def _sums(amounts: Sequence[int]) -> list[tuple[int, int]]:
    """Every subset's sum with its members as bits."""
    sums = [(0, 0)]
    for place, amount in enumerate(amounts):
        sums += [(total + amount, chosen | 1 << place) for total, chosen in sums]
    return sums


def _members(chosen: int) -> tuple[int, ...]:
    return tuple(i for i in range(chosen.bit_length()) if chosen >> i & 1)
