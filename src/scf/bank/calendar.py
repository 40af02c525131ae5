"""When a bank works: business days and the cut-off time of a day.

China's holidays and shifted working days are published a year at a time; for a year not yet published the calendar says
so instead of guessing, or, where asked to, takes weekdays as open but the days off by law, and reports that it did.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal, Protocol

import chinese_calendar as published

from scf.kernel.problems import Problem

_LONGEST_CLOSURE_DAYS = 30


def _is_published_workday(day: date) -> bool:
    """Raises NotImplementedError for a year whose holidays the library does not know."""
    return bool(published.is_workday(day))  # type: ignore[no-untyped-call]


class BankCalendar(Protocol):
    """Which days a bank books on."""

    def is_business_day(self, day: date) -> bool:
        """Whether the bank books on `day`. Raises Problem `bank_calendar_unknown` where nobody has said."""
        ...

    def is_published(self, day: date) -> bool:
        """Whether the answer for `day` rests on a published calendar."""
        ...


@dataclass(frozen=True, slots=True)
class ChinaCalendar:
    """Business days of mainland China, with holidays and shifted working days.

    `beyond` decides about years nobody has published: `refuse` raises, `weekdays` takes Monday to Friday as open, but
    for the days off by law (`holidays.toml`).
    `closed` and `opened` add what was announced since.
    """

    beyond: Literal["refuse", "weekdays"] = "refuse"
    closed: Collection[date] = field(default=frozenset())
    opened: Collection[date] = field(default=frozenset())

    def is_business_day(self, day: date) -> bool:
        """Whether banks book on `day`. Raises Problem `bank_calendar_unknown` for an unpublished year with `refuse`."""
        if day in self.closed:
            return False
        if day in self.opened:
            return True
        try:
            return _is_published_workday(day)
        except NotImplementedError as error:
            if self.beyond == "refuse":
                raise Problem("bank_calendar_unknown", year=day.year) from error
            return day.weekday() < 5 and day not in _by_law()

    def is_published(self, day: date) -> bool:
        """Whether the holidays of that year are known."""
        try:
            _is_published_workday(day)
        except NotImplementedError:
            return day in self.closed or day in self.opened
        return True


def announced(folder: Path) -> ChinaCalendar:
    """The calendar of an installation: what is published, and what `calendar.toml` in its data folder adds.

    The file has two lists of days, `closed` and `opened` (shifted working days). Raises Problem
    `bank_calendar_unreadable`.
    """
    path = folder / "calendar.toml"
    if not path.is_file():
        return ChinaCalendar(beyond="weekdays")
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem("bank_calendar_unreadable", reason=str(error)[:120]) from error
    if set(said) - {"closed", "opened"}:
        raise Problem("bank_calendar_unreadable", reason=", ".join(sorted(set(said) - {"closed", "opened"}))[:120])
    closed, opened = _days(said, "closed"), _days(said, "opened")
    if closed & opened:
        raise Problem("bank_calendar_unreadable", reason=f"closed = opened: {min(closed & opened)}")
    return ChinaCalendar(beyond="weekdays", closed=closed, opened=opened)


@cache
def _by_law() -> frozenset[date]:
    text = resources.files("scf.bank").joinpath("holidays.toml").read_text(encoding="utf-8")
    return _days(tomllib.loads(text), "closed")


def _days(said: Mapping[str, object], name: str) -> frozenset[date]:
    days = said.get(name, [])
    if not isinstance(days, list) or any(type(one) is not date for one in days):
        raise Problem("bank_calendar_unreadable", reason=name)
    return frozenset(days)


@dataclass(frozen=True, slots=True)
class EveryDay:
    """A bank that books on every day of the year, for tests and for simulations that are not about holidays."""

    def is_business_day(self, day: date) -> bool:
        """Always."""
        return True

    def is_published(self, day: date) -> bool:
        """Always."""
        return True


def business_day_from(calendar: BankCalendar, day: date) -> date:
    """`day` itself or the next business day after it. Raises Problem `bank_calendar_unknown` as the calendar does."""
    for _ in range(_LONGEST_CLOSURE_DAYS):
        if calendar.is_business_day(day):
            return day
        day += timedelta(days=1)
    raise Problem("bank_calendar_unknown", year=day.year)


def execution_day(calendar: BankCalendar, wanted: date, received_on: date, received_at: time, cut_off: time) -> date:
    """The business day an instruction is executed: the day wanted or, where that is past, the day received.

    What arrives at or after the cut-off counts as received a day later.
    """
    earliest = received_on
    if received_at >= cut_off:
        earliest = received_on + timedelta(days=1)
    return business_day_from(calendar, max(wanted, earliest))
