"""Months by the calendar, days from funding to maturity, deadlines on whole hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scf.kernel.clock import SystemClock, VirtualClock, today
from scf.kernel.dates import (
    add_months,
    ceil_hour,
    day_of,
    days_between,
    from_unix,
    next_day,
    parse_date,
    to_unix,
    within_months,
)
from scf.kernel.problems import Problem


def test_six_months_is_a_calendar_test() -> None:
    assert within_months(date(2026, 6, 30), date(2026, 12, 30), 6)
    assert not within_months(date(2026, 6, 30), date(2026, 12, 31), 6)
    assert within_months(date(2026, 8, 31), date(2027, 2, 28), 6)
    assert not within_months(date(2026, 8, 31), date(2027, 3, 1), 6)
    assert within_months(date(2027, 8, 31), date(2028, 2, 29), 6)
    assert within_months(date(2026, 1, 1), date(2027, 1, 1), 12)
    assert not within_months(date(2026, 1, 1), date(2027, 1, 2), 12)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2028, 1, 31), 1, (2028, 2, 29)),
        ((2026, 11, 30), 3, (2027, 2, 28)),
        ((2026, 12, 15), 1, (2027, 1, 15)),
        ((2028, 2, 29), 12, (2029, 2, 28)),
        ((2026, 3, 31), -1, (2026, 2, 28)),
        ((2026, 5, 5), 0, (2026, 5, 5)),
    ],
)
def test_months_later_is_the_same_day_or_the_last(
    start: tuple[int, int, int], months: int, end: tuple[int, int, int]
) -> None:
    assert add_months(date(*start), months) == date(*end)


@given(st.dates(date(1990, 1, 1), date(2190, 1, 1)), st.integers(0, 120))
def test_months_never_skip_a_month(start: date, months: int) -> None:
    end = add_months(start, months)
    assert (end.year - start.year) * 12 + end.month - start.month == months
    assert end.day <= start.day
    assert within_months(start, end, months)
    assert not within_months(start, end + timedelta(days=1), months)


def test_days_count_the_first_and_not_the_last() -> None:
    assert days_between(date(2026, 1, 1), date(2026, 1, 1)) == 0
    assert days_between(date(2026, 2, 28), date(2026, 3, 1)) == 1
    assert days_between(date(2028, 2, 28), date(2028, 3, 1)) == 2
    assert next_day(date(2026, 12, 31)) == date(2027, 1, 1)
    assert next_day(date(2026, 12, 31), 60) == date(2027, 3, 1)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "26-02-03", "2026/02/03", "20260203", "2026-2-3", "", "2026-W05-2", "2026-02-03T00:00"]
)
def test_what_is_not_a_date_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_date(text)
    assert refusal.value.code == "unreadable_date"
    assert parse_date(" 2028-02-29 ") == date(2028, 2, 29)


def test_the_day_is_beijings() -> None:
    late = int(datetime(2026, 6, 30, 16, 0, tzinfo=UTC).timestamp())
    assert day_of(late) == date(2026, 7, 1)
    assert day_of(late - 1) == date(2026, 6, 30)
    assert to_unix(date(2026, 7, 1)) == late
    assert to_unix(date(2026, 7, 1), time(9, 30)) == late + 9 * 3600 + 1800
    assert from_unix(late).tzinfo is UTC


@given(st.integers(0, 2**33))
def test_deadlines_are_the_next_whole_hour(seconds: int) -> None:
    hour = ceil_hour(seconds)
    assert hour % 3600 == 0
    assert 0 <= hour - seconds < 3600


def test_a_virtual_clock_moves_only_forward_and_only_when_told() -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    start = clock.now()
    assert clock.now() == start
    assert clock.advance(days=1, hours=1, seconds=1) == start + 86_400 + 3_601
    assert clock.move_to(start) == clock.now()
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(seconds=-1)
    assert today(clock) == date(2026, 1, 2)
    assert SystemClock().now() > start - 10**9
