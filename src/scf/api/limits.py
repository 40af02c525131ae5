"""How often somebody may knock: sign-in, links and invitations are asked for by people, not by machines in a loop.

Counted in this process, so that knocking costs no write to the database: with N processes behind one address somebody
may knock N times as often at most. What must never be tried too often wherever it arrives is counted in the database:
a one-time code stands five tries (`scf.identity`), and a link's secret is too long to be guessed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from scf.kernel.problems import Problem

RATES: Mapping[str, str] = {
    "enter": "20/minute",
    "join": "20/minute",
    "link": "5/15minute",
    "passkey": "30/minute",
}
"""What may be tried how often, from one address or for one person."""


class Doorkeeper:
    """Counts attempts by what is tried and by whom."""

    def __init__(self, rates: Mapping[str, str] = RATES) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._rates: dict[str, RateLimitItem] = {what: parse(rate) for what, rate in rates.items()}

    def admit(self, what: str, who: str) -> None:
        """Count an attempt. Raises Problem `too_many_attempts` with the seconds to wait."""
        rate = self._rates[what]
        if not self._limiter.hit(rate, what, who):
            free_at = self._limiter.get_window_stats(rate, what, who).reset_time
            raise Problem("too_many_attempts", seconds=max(1, math.ceil(free_at - time.time())))


def retry_after(problem: Problem) -> str | None:
    """The `Retry-After` of a refusal, where it has one."""
    return str(problem.facts.get("seconds", 1)) if problem.code == "too_many_attempts" else None
