"""The predicates rules are made of: pure, over known facts, answering clear, flag or unknown.

A check is a function of the known facts and of the rule's parameters. Parameters that name a fact are typed `Fact`
(one) or `FirstOf` (the first known of several), so that the rulebook can refuse a rule that asks for a fact nobody
has heard of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NewType

from scf.kernel.dates import add_months

Fact = NewType("Fact", str)
FirstOf = NewType("FirstOf", tuple)  # type: ignore[type-arg]
Known = Mapping[str, Any]


class Outcome(StrEnum):
    """What a check found."""

    CLEAR = "clear"
    FLAG = "flag"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """Outcome, the facts that were missing, and what was computed for the sentence (`latest`, `earliest`, `found`)."""

    outcome: Outcome
    missing: tuple[str, ...] = ()
    computed: Mapping[str, Any] = field(default_factory=dict)


COMPUTED = ("latest", "earliest", "found", "allowed")
"""Names a check may add for the sentence."""


def must_be(known: Known, *, fact: Fact, value: bool | int | str) -> Found:
    """The fact has exactly this value."""
    if fact not in known:
        return _missing(fact)
    return _judge(known[fact] == value, found=known[fact])


def none_of(known: Known, *, fact: Fact, values: list[str]) -> Found:
    """The fact is none of these values."""
    if fact not in known:
        return _missing(fact)
    return _judge(known[fact] not in values, found=known[fact])


def given(known: Known, *, fact: Fact) -> Found:
    """The fact is there and not blank; its absence is the very thing the rule forbids, so it flags."""
    value = known.get(fact)
    return _judge(bool(value.strip() if isinstance(value, str) else value))


def at_least(known: Known, *, fact: Fact, minimum: int = 0, of: Fact | None = None) -> Found:
    """The number is `minimum` or more above the fact `of` (or above zero without one)."""
    missing = [name for name in (fact, of) if name is not None and name not in known]
    if missing:
        return _missing(*missing)
    allowed = minimum + (known[of] if of is not None else 0)
    return _judge(known[fact] >= allowed, found=known[fact], allowed=allowed)


def at_most(known: Known, *, fact: Fact, maximum: int = 0, of: Fact | None = None) -> Found:
    """The number is at most `maximum` above the fact `of` (or above zero without one)."""
    missing = [name for name in (fact, of) if name is not None and name not in known]
    if missing:
        return _missing(*missing)
    allowed = maximum + (known[of] if of is not None else 0)
    return _judge(known[fact] <= allowed, found=known[fact], allowed=allowed)


def not_after(known: Known, *, fact: Fact, other: Fact) -> Found:
    """The date is on or before the other."""
    missing = [name for name in (fact, other) if name not in known]
    if missing:
        return _missing(*missing)
    return _judge(known[fact] <= known[other], found=known[fact], latest=known[other])


def within_months(known: Known, *, start: FirstOf, end: FirstOf, months: int) -> Found:
    """`end` is at most so many calendar months after `start`: 30 Jun to 31 Dec is one day too long for six."""
    dates = _dates(known, start, end)
    if isinstance(dates, Found):
        return dates
    latest = add_months(dates[0], months)
    return _judge(dates[1] <= latest, found=dates[1], latest=latest)


def within_days(known: Known, *, start: FirstOf, end: FirstOf, days: int) -> Found:
    """`end` is at most so many days after `start`."""
    dates = _dates(known, start, end)
    if isinstance(dates, Found):
        return dates
    latest = dates[0] + timedelta(days=days)
    return _judge(dates[1] <= latest, found=dates[1], latest=latest)


def after_days(known: Known, *, start: FirstOf, end: FirstOf, days: int) -> Found:
    """`end` is at least so many days after `start`."""
    dates = _dates(known, start, end)
    if isinstance(dates, Found):
        return dates
    earliest = dates[0] + timedelta(days=days)
    return _judge(dates[1] >= earliest, found=dates[1], earliest=earliest)


def payment_term(
    known: Known, *, due: FirstOf, days: int, agreed_days: int | None = None, unlimited_if_agreed: bool = False
) -> Found:
    """Cash is due at most `days` after the clock started; a longer agreed term moves that to `agreed_days` or lifts it.

    The clock starts on delivery. Where the contract has an inspection period it starts on acceptance, yet no later than
    the end of that period, so that a buyer who delays acceptance gains nothing (Order 802, Arts 9 and 10).
    """
    missing = [] if any(name in known for name in due) else [due[0]]
    if "delivered_on" not in known:
        missing.append("delivered_on")
    if missing:
        return _missing(*missing)
    start: date = known["delivered_on"]
    if "inspection_days" in known:
        inspected = start + timedelta(days=known["inspection_days"])
        start = min(known.get("accepted_on", inspected), inspected)
    end: date = known[next(name for name in due if name in known)]
    latest = start + timedelta(days=days)
    if end <= latest:
        return _judge(True, found=end, latest=latest)
    if "term_agreed" not in known and (agreed_days is not None or unlimited_if_agreed):
        return Found(Outcome.UNKNOWN, ("term_agreed",), {"found": end, "latest": latest})
    if known.get("term_agreed"):
        if unlimited_if_agreed:
            return _judge(True, found=end, latest=latest)
        latest = start + timedelta(days=max(days, agreed_days or 0))
    return _judge(end <= latest, found=end, latest=latest)


Check = Callable[..., Found]
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        check.__name__: check
        for check in (
            must_be,
            none_of,
            given,
            at_least,
            at_most,
            not_after,
            within_months,
            within_days,
            after_days,
            payment_term,
        )
    }
)
"""Every check by the name rules call it."""

LOOKS_AT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"payment_term": ("delivered_on", "accepted_on", "inspection_days", "term_agreed")}
)
"""Facts a check reads without being told by a parameter."""


def _judge(holds: bool, **computed: Any) -> Found:
    return Found(Outcome.CLEAR if holds else Outcome.FLAG, (), computed)


def _missing(*names: str) -> Found:
    return Found(Outcome.UNKNOWN, tuple(names))


def _dates(known: Known, start: Sequence[str], end: Sequence[str]) -> tuple[date, date] | Found:
    found: list[date] = []
    missing: list[str] = []
    for names in (start, end):
        name = next((name for name in names if name in known), None)
        if name is None:
            missing.append(names[0])
        else:
            found.append(known[name])
    return _missing(*missing) if missing else (found[0], found[1])
