"""Banks work on business days; where nobody has published them, the calendar says so."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import pytest

from scf.bank.calendar import ChinaCalendar, EveryDay, announced, business_day_from, execution_day
from scf.kernel.problems import Problem

CHINA = ChinaCalendar()
CUT_OFF = time(17)


def test_spring_festival_is_closed_and_its_shifted_saturday_open() -> None:
    assert not CHINA.is_business_day(date(2026, 2, 17))
    assert CHINA.is_business_day(date(2026, 2, 14))
    assert business_day_from(CHINA, date(2026, 2, 15)) == date(2026, 2, 24)


def test_a_year_nobody_published_is_unknown_and_said() -> None:
    with pytest.raises(Problem) as refused:
        CHINA.is_business_day(date(2031, 1, 6))
    assert refused.value.code == "bank_calendar_unknown"
    lenient = ChinaCalendar(beyond="weekdays", closed={date(2031, 1, 7)})
    assert lenient.is_business_day(date(2031, 1, 6))
    assert not lenient.is_published(date(2031, 1, 6))
    assert not lenient.is_business_day(date(2031, 1, 7))
    assert not lenient.is_business_day(date(2031, 1, 5))


def test_before_a_year_is_published_the_days_off_by_law_are_closed_and_the_rest_is_said_to_be_unknown() -> None:
    lenient = ChinaCalendar(beyond="weekdays")
    assert not lenient.is_business_day(date(2027, 2, 5)), "Spring Festival's eve, a Friday"
    assert not lenient.is_business_day(date(2027, 9, 15)), "Mid-Autumn, a Wednesday"
    assert lenient.is_business_day(date(2027, 2, 9)) and not lenient.is_published(date(2027, 2, 9))
    assert CHINA.is_business_day(date(2026, 10, 10)), "a shifted working Saturday"


def test_an_installation_adds_what_was_announced_since(tmp_path: Path) -> None:
    assert announced(tmp_path) == ChinaCalendar(beyond="weekdays")
    file = tmp_path / "calendar.toml"
    file.write_text("closed = [2027-02-09, 2027-02-10]\nopened = [2027-01-30]\n")
    own = announced(tmp_path)
    assert not own.is_business_day(date(2027, 2, 9)) and own.is_business_day(date(2027, 1, 30))
    assert business_day_from(own, date(2027, 2, 5)) == date(2027, 2, 11)


@pytest.mark.parametrize(
    "text",
    [
        "closed = [",
        "closed = 2027-01-01",
        'closed = ["2027-01-01"]',
        "shut = []",
        "closed = [2027-01-04]\nopened = [2027-01-04]",
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "calendar.toml").write_text(text)
    with pytest.raises(Problem) as refused:
        announced(tmp_path)
    assert refused.value.code == "bank_calendar_unreadable"


@pytest.mark.parametrize(
    ("wanted", "received", "at", "expected"),
    [
        (date(2026, 3, 2), date(2026, 3, 2), time(16, 59), date(2026, 3, 2)),
        (date(2026, 3, 2), date(2026, 3, 2), time(17), date(2026, 3, 3)),
        (date(2026, 3, 6), date(2026, 3, 6), time(18), date(2026, 3, 9)),
        (date(2026, 3, 7), date(2026, 3, 2), time(9), date(2026, 3, 9)),
        (date(2026, 3, 1), date(2026, 3, 2), time(9), date(2026, 3, 2)),
        (date(2026, 3, 4), date(2026, 3, 2), time(18), date(2026, 3, 4)),
    ],
)
def test_an_order_is_executed_on_the_first_business_day_it_can(
    wanted: date, received: date, at: time, expected: date
) -> None:
    assert execution_day(CHINA, wanted, received, at, CUT_OFF) == expected


def test_a_bank_without_holidays_is_open_every_day() -> None:
    assert EveryDay().is_business_day(date(2040, 1, 1))
