"""What adds up in one way only among the payments and the open orders of one party: one rule, online and in bulk.

One payment for several orders, several payments for one, or several for several, to the cent. A payment that names one
order and pays more than its due may cover others with the rest. A second way to add up, of any size, forbids all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scf.reconciliation.subset import MAX_ITEMS, MAX_SIDE, unique_many_to_many, unique_subset

_ROUNDS = 3
"""What one combination settles may leave another the only one; so many times is looked again."""


@dataclass(frozen=True, slots=True)
class Paid:
    """Money to be placed. `surplus`: what is left of a payment after the order it names; `nameless`: names nothing."""

    key: Any
    amount_minor: int
    day: int
    nameless: bool = True
    surplus: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """An order with money still open; `first_day` is when its goods came, where that is known."""

    key: Any
    open_minor: int
    first_day: int | None


Parts = list[tuple[Paid, Due, int]]
"""So much (minor units) of a payment for an order."""


def combine(paid: Sequence[Paid], due: Sequence[Due], *, window_days: int) -> Parts:
    """The parts that can be settled beyond doubt, of payments and orders of one party and currency.

    An order is a candidate for what is paid from the day its goods came until `window_days` later. Bounded: payments
    with more than `MAX_ITEMS` candidates are left to people.
    """
    parts: Parts = []
    paid, due = list(paid), list(due)
    for _ in range(_ROUNDS):
        found = _one_round(paid, due, window_days)
        if not found:
            break
        parts += found
        used = {id(money) for money, _, _ in found} | {id(order) for _, order, _ in found}
        paid, due = [p for p in paid if id(p) not in used], [d for d in due if id(d) not in used]
    return parts


def _one_round(paid: list[Paid], due: list[Due], window_days: int) -> Parts:
    parts: Parts = []
    settled: set[int] = set()
    for money in paid:
        fits = [order for order in due if id(order) not in settled and _fits(money, order, window_days)]
        chosen = unique_subset([d.open_minor for d in fits], money.amount_minor, at_least=1 if money.surplus else 2)
        if chosen is not None:
            parts += [(money, fits[i], fits[i].open_minor) for i in chosen]
            settled |= {id(money), *(id(fits[i]) for i in chosen)}
    for order in due:
        if id(order) in settled:
            continue
        meant = [
            p for p in paid if id(p) not in settled and p.nameless and not p.surplus and _fits(p, order, window_days)
        ]
        if any(p.amount_minor == other.open_minor for p in meant for other in due if _fits(p, other, window_days)):
            continue  # one of them alone could pay an order: then how they add up is not the only way
        chosen = unique_subset([p.amount_minor for p in meant], order.open_minor, at_least=2)
        if chosen is not None:
            parts += [(meant[i], order, meant[i].amount_minor) for i in chosen]
            settled |= {id(order), *(id(meant[i]) for i in chosen)}
    return parts or _several(paid, due, window_days)


def _several(paid: list[Paid], due: list[Due], window_days: int) -> Parts:
    """Several payments for several orders, where any of them may be meant by any."""
    money = [p for p in paid if p.nameless and not p.surplus]
    if len(money) > MAX_SIDE or not 0 < len(due) <= MAX_SIDE:
        return []
    if not all(_fits(p, d, window_days) for p in money for d in due):
        return []
    pair = unique_many_to_many([p.amount_minor for p in money], [d.open_minor for d in due])
    return [] if pair is None else _spread([money[i] for i in pair[0]], [due[i] for i in pair[1]])


def _fits(money: Paid, order: Due, window_days: int) -> bool:
    first = order.first_day
    return first is None or first <= money.day <= first + window_days


def _spread(paid: list[Paid], due: list[Due]) -> Parts:
    """Divide payments over orders of the same total, in order."""
    parts: Parts = []
    place, need = 0, due[0].open_minor
    for money in paid:
        left = money.amount_minor
        while left:
            part = min(left, need)
            parts.append((money, due[place], part))
            left -= part
            need -= part
            if need == 0 and place + 1 < len(due):
                place += 1
                need = due[place].open_minor
    return parts


__all__ = ["MAX_ITEMS", "Due", "Paid", "Parts", "combine"]
