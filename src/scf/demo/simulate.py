"""`scf simulate year`: a folder of its own, a virtual clock, the year day by day, and what it adds up to."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from scf.app import open_app
from scf.demo.run import demo_settings
from scf.demo.simulate_bank import YearBank, chaos_of
from scf.demo.simulate_cast import CURRENCY, YearCast
from scf.demo.simulate_tally import figures
from scf.demo.simulate_year import Year
from scf.kernel.clock import VirtualClock
from scf.kernel.dates import to_unix

FIRST_DAY = date(2026, 1, 5)
YEAR_DAYS = 365
LONGEST_TAIL_DAYS = 120
ISSUING_PERCENT = 82
"""Receivables are issued in the first 82% of the days; what they promise falls due before or soon after the end."""
CAPITAL_MINOR = 10**12
JUDGED = ("issued", "settled", "overdue", "cents_missing", "quote_differences", "locked_differences")
"""What the JSON file of a year says."""
_MEMORY = Path("/dev/shm")
"""A folder in memory where the system has one; nothing there is kept."""


def simulate_year(
    firms: int,
    seed: int,
    *,
    days: int = YEAR_DAYS,
    chaos: bool = False,
    data: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Simulate a year and return its figures. Without `data` everything is thrown away at the end.

    With `chaos` the bank has a bad year: it refuses, delays and brings back payments, misses its cut-off, sends files
    late, twice and in any order, and learns of payments before the installation instructs them.

    After the last day time goes on until everything promised is paid or given up, at most 120 days.
    """
    if data is not None:
        return _simulate(data, firms, seed, days, chaos, progress)
    with tempfile.TemporaryDirectory(prefix="scf-year-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        return _simulate(Path(folder), firms, seed, days, chaos, progress)


def write_figures(found: dict[str, int], path: Path) -> None:
    """Write the figures a year is judged by as JSON; the rest of what it counted is for the reader of the terminal."""
    path.write_text(json.dumps({name: found[name] for name in JUDGED}, indent=2) + "\n", encoding="utf-8")


def _simulate(
    data: Path, firms: int, seed: int, days: int, chaos: bool, progress: Callable[[int, int], None]
) -> dict[str, int]:
    began = time.monotonic()
    clock = VirtualClock(to_unix(FIRST_DAY))
    with open_app(demo_settings(data), clock) as app:
        cast = YearCast(app, firms, other_banks=chaos)
        cast.enrol()
        bank = YearBank(app, clock, cast, chaos_of(seed) if chaos else None)
        bank.open(CAPITAL_MINOR)
        with app.desk.session() as session:
            for core in cast.cores:
                approved = [one.address for one in cast.financiers]
                app.programmes.open(
                    session,
                    name=f"Programme of {core.name}",
                    obligor=core.address,
                    currency=CURRENCY,
                    tenor_months=6,
                    min_minor=100,
                    financiers=approved,
                )
        year = Year(app, clock, cast, bank, seed, issuing_days=days * ISSUING_PERCENT // 100)
        done = 0
        while done < days or (not year.is_finished and done < days + LONGEST_TAIL_DAYS):
            year.run_day(FIRST_DAY + timedelta(days=done))
            done += 1
            progress(min(done, days), days)
        year.run_day(FIRST_DAY + timedelta(days=done))  # the last day's statements come on the next
        found = figures(year, CAPITAL_MINOR * (len(cast.cores) + len(cast.financiers)))
        if year.tally.notes:
            (data / "differences.txt").write_text("\n".join(year.tally.notes) + "\n", encoding="utf-8")
    return {**found, "firms": firms, "seed": seed, "chaos": int(chaos), "seconds": round(time.monotonic() - began)}
