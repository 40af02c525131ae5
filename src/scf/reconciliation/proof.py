"""Which goods of an order may release money: who says so, shipment by shipment, and what could be counted twice.

A shipment is proved by one source of trust T3 or by two independent ones. Goods that two sources tell of under
different numbers may be the same goods; until somebody says otherwise they are counted once. Pure functions of facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scf.reconciliation.facts import Kind, normalise, normalise_party
from scf.reconciliation.fold import Part
from scf.reconciliation.rule import SAME_DELIVERY_DAYS

RELEASING_TRUST = 3
"""One source of this trust may release money; of the level below it takes two independent ones."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The parts that may release money, and whether some were left out because they may be the same goods."""

    parts: list[Part]
    counted_once: bool


def proved(parts: Sequence[Part]) -> Proof:
    """All parts but the deliveries that may not release money."""
    shipments: dict[str, list[Part]] = {}
    for part in parts:
        if part.fact.kind == Kind.DELIVERY:
            shipments.setdefault(_shipment(part), []).append(part)
    voices = [part for part in parts if part.fact.kind == Kind.INSPECTION and part.fact.passed]
    unnamed = shipments.get("", []) if len(shipments) > 1 else []
    kept: dict[str, list[Part]] = {}
    for name, told in shipments.items():
        heard = [*told, *(v for v in voices if _speaks_of(v, name, len(shipments)))]
        if name:
            heard += [u for u in unnamed if u.fact.quantity_milli is not None or len(shipments) == 2]
        else:
            heard += [p for p in parts if p.fact.kind == Kind.DELIVERY]
        if max(p.fact.trust for p in heard) >= RELEASING_TRUST or len({_who(p) for p in heard}) > 1:
            kept[name] = told
    doubtful = _perhaps_the_same(kept)
    left_out = {p.fact_id for name, told in shipments.items() if name not in kept or name in doubtful for p in told}
    return Proof([p for p in parts if p.fact_id not in left_out], bool(doubtful))


def source_of(part: Part) -> str:
    """Who says so, however the name is written."""
    return _who(part)


def _perhaps_the_same(shipments: dict[str, list[Part]]) -> set[str]:
    """Shipments that another source tells of under another number, with one quantity and near in time."""
    doubtful: set[str] = set()
    names = sorted(name for name in shipments if name)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            mine, theirs = shipments[one], shipments[other]
            if {_who(p) for p in mine} & {_who(p) for p in theirs}:
                continue
            left, right = _quantity(mine), _quantity(theirs)
            days = abs(max(p.fact.day for p in mine) - max(p.fact.day for p in theirs))
            if left is not None and left == right and days <= SAME_DELIVERY_DAYS and one not in doubtful:
                doubtful.add(other)
    return doubtful


def _speaks_of(voice: Part, shipment: str, shipments: int) -> bool:
    """Whether an inspection speaks of a shipment: by its delivery note, or because there is no other."""
    named = normalise(voice.fact.despatch_reference) if voice.fact.despatch_reference else None
    return named == shipment if named else shipments == 1


def _shipment(part: Part) -> str:
    name = part.fact.despatch_reference or part.fact.reference
    return (normalise(name) or "") if name else ""


def _quantity(told: Sequence[Part]) -> int | None:
    by_source: dict[str, int] = {}
    for part in told:
        if part.fact.quantity_milli is None:
            return None
        by_source[_who(part)] = by_source.get(_who(part), 0) + part.fact.quantity_milli
    return max(by_source.values(), default=None)


def _who(part: Part) -> str:
    return normalise_party(part.fact.source) or part.fact.source
