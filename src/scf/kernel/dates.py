"""Calendar and day counts: days from funding (included) to maturity (excluded), months by the calendar."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scf.kernel.problems import Problem

BEIJING = ZoneInfo("Asia/Shanghai")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_date(text: str) -> date:
    """An ISO 8601 date. Raises Problem `unreadable_date`."""
    plain = text.strip()
    if not _ISO.fullmatch(plain):
        raise Problem("unreadable_date", text=plain[:40])
    try:
        return date.fromisoformat(plain)
    except ValueError as error:
        raise Problem("unreadable_date", text=plain) from error


def add_months(start: date, months: int) -> date:
    """The same day `months` later, or that month's last day: 31 Aug + 6 = 28 Feb."""
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def within_months(start: date, end: date, months: int) -> bool:
    """Whether `end` is at most `months` calendar months after `start`: 30 Jun to 31 Dec is one day too long for six."""
    return end <= add_months(start, months)


def days_between(start: date, end: date) -> int:
    """Days from `start` (included) to `end` (excluded)."""
    return (end - start).days


def to_unix(day: date, at: time = time(0), zone: ZoneInfo = BEIJING) -> int:
    """Unix seconds of a wall-clock moment in `zone`."""
    return int(datetime.combine(day, at, zone).timestamp())


def from_unix(seconds: int) -> datetime:
    """Aware UTC datetime of unix seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def day_of(seconds: int, zone: ZoneInfo = BEIJING) -> date:
    """Calendar day of unix seconds in `zone`."""
    return datetime.fromtimestamp(seconds, zone).date()


def ceil_hour(seconds: int) -> int:
    """The next whole hour at or after `seconds`; the ledger's offer deadlines are whole hours."""
    return -(-seconds // 3600) * 3600


def next_day(day: date, days: int = 1) -> date:
    """`day` plus `days`."""
    return day + timedelta(days=days)
