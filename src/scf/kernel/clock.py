"""Time as something one is handed: the system's clock in service, a virtual one in tests, demo and simulation."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Protocol

from scf.kernel.dates import day_of


class Clock(Protocol):
    """Anything that tells unix seconds."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        return int(time.time())


class VirtualClock:
    """A clock that moves only forward and only when told."""

    def __init__(self, start: int | datetime) -> None:
        self._now = int(start.astimezone(UTC).timestamp()) if isinstance(start, datetime) else start

    def now(self) -> int:
        """Unix seconds, UTC."""
        return self._now

    def advance(self, *, seconds: int = 0, hours: int = 0, days: int = 0) -> int:
        """Move forward and return the new time. Raises ValueError backwards."""
        step = seconds + hours * 3600 + days * 86_400
        if step < 0:
            raise ValueError("a clock does not run backwards")
        self._now += step
        return self._now

    def move_to(self, moment: int) -> int:
        """Move forward to `moment` (unix seconds); a past moment changes nothing."""
        self._now = max(self._now, moment)
        return self._now


def today(clock: Clock) -> date:
    """The calendar day in Beijing, where the first rulebook lives."""
    return day_of(clock.now())
