"""From delivered lines to receivables: one a delivery note, its parts by manufacturing site, its term by law."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from scf.kernel.money import pro_rata
from scf.standards.records import Delivery

TERM_DAYS = 60
"""A large buyer pays within 60 days (State Council Order 802, Art. 9)."""
INSPECTION_DAYS = 15
"""The clock starts when the buyer records the delivery, and at the latest this long after it (Art. 10)."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One delivery note that becomes a receivable. `parts` is what each site receives of it, in minor units."""

    note: str
    vendor: str
    order: str
    currency: str
    face_minor: int
    delivered_on: date
    matures_on: date
    parts: tuple[tuple[str, int], ...]

    @property
    def passed_minor(self) -> int:
        """What goes down to the sites."""
        return sum(amount for _, amount in self.parts)


@dataclass(frozen=True, slots=True)
class Punctuality:
    """Delivered lines against their schedule."""

    late: int
    early: int
    on_time: int
    unknown: int


def punctuality(rows: Sequence[Delivery]) -> Punctuality:
    """How the lines of a list arrived."""
    counted = Counter(row.punctuality for row in rows)
    return Punctuality(counted["late"], counted["early"], counted["on_time"], counted["unknown"])


def matures_on(delivered_on: date, recorded_on: date | None) -> date:
    """Maturity by the payment-term law: from the recording of the delivery, at most the inspection period later."""
    latest = delivered_on + timedelta(days=INSPECTION_DAYS)
    start = min(max(recorded_on or delivered_on, delivered_on), latest)
    return start + timedelta(days=TERM_DAYS)


def plan(rows: Sequence[Delivery], passed_percent: int) -> list[Planned]:
    """Delivery notes with a value and a captured delivery, oldest first.

    `passed_percent` of each line goes to the site that made it, split to the cent by largest remainder.
    """
    by_note: dict[str, list[Delivery]] = {}
    for row in rows:
        by_note.setdefault(row.reference, []).append(row)
    planned = [_planned(note, lines, passed_percent) for note, lines in by_note.items()]
    return sorted(
        (item for item in planned if item is not None), key=lambda item: (item.delivered_on, item.vendor, item.note)
    )


def _planned(note: str, lines: Sequence[Delivery], passed_percent: int) -> Planned | None:
    face = sum(line.value_minor for line in lines)
    delivered = max((line.delivered_on for line in lines if line.delivered_on), default=None)
    if face <= 0 or delivered is None:
        return None
    recorded = max((line.recorded_on for line in lines if line.recorded_on), default=None)
    first = lines[0]
    return Planned(
        note=note,
        vendor=first.vendor,
        order=first.order_reference,
        currency=first.currency,
        face_minor=face,
        delivered_on=delivered,
        matures_on=matures_on(delivered, recorded),
        parts=_parts(lines, face * passed_percent // 100),
    )


def _parts(lines: Sequence[Delivery], passed_minor: int) -> tuple[tuple[str, int], ...]:
    """The passed amount over the sites of a note, by the value each made; a vendor that is the site passes nothing."""
    made: dict[str, int] = {}
    for line in lines:
        if line.site and line.site != line.vendor and line.value_minor > 0:
            made[line.site] = made.get(line.site, 0) + line.value_minor
    if not made or passed_minor < len(made):
        return ()
    total = sum(line.value_minor for line in lines)
    reachable = passed_minor * sum(made.values()) // total
    names = sorted(made)
    shares = pro_rata(reachable, {place: made[name] for place, name in enumerate(names)})
    return tuple((name, shares[place]) for place, name in enumerate(names) if shares[place] > 0)
