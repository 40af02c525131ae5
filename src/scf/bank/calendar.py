"""When a bank works: business days and the cut-off time of a day.

China's holidays and shifted working days are published a year at a time; for a year not yet published the calendar says
so instead of guessing, or, where asked to, takes weekdays as open and reports that it did.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, time, timedelta
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

    `beyond` decides about years nobody has published: `refuse` raises, `weekdays` takes Monday to Friday as open.
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
            return day.weekday() < 5

    def is_published(self, day: date) -> bool:
        """Whether the holidays of that year are known."""
        try:
            _is_published_workday(day)
        except NotImplementedError:
            return day in self.closed or day in self.opened
        return True


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
