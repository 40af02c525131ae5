"""A small simulated year: every cent is there, every quote is its charge, every locked account is the bank's."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.simulate.adding_up import add_up

from scf.demo.simulate import JUDGED, simulate_year


def added_up(folder: Path, found: dict[str, int]) -> None:
    """Somebody who has the bank's files and SQL alone comes to the same six figures."""
    figures, differences = add_up(folder)
    assert differences.words == []
    assert figures == {name: found[name] for name in JUDGED}
    assert min(differences.compared[name] for name in ("payments", "accounts", "quotes", "locked days")) > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_short_year_is_exact_and_repeats_itself(tmp_path: Path) -> None:
    found = simulate_year(12, 7, days=40, data=tmp_path / "year")
    assert found["issued"] > 10 and found["financed"] > 0
    assert (found["cents_missing"], found["quote_differences"], found["locked_differences"]) == (0, 0, 0)
    again = simulate_year(12, 7, days=40)
    assert {**found, "seconds": 0} == {**again, "seconds": 0}
    added_up(tmp_path / "year", found)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 3, 11])
def test_a_bad_year_at_the_bank_is_as_exact(seed: int, tmp_path: Path) -> None:
    """Refusals, returns, delays, missed cut-offs, files late, twice and shuffled, payments before their instruction."""
    found = simulate_year(40, seed, days=75, chaos=True, data=tmp_path / "year")
    assert (found["cents_missing"], found["quote_differences"], found["locked_differences"]) == (0, 0, 0)
    assert found["locked_alarms_open"] == found["lines_unexplained"] == 0
    added_up(tmp_path / "year", found)
    assert found["rejections"] and found["paid_before_instruction"] and found["reversals"], "the troubles did strike"
