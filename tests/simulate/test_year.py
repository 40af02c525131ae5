"""A small simulated year: every cent is there, every quote is its charge, every locked account is the bank's."""

from __future__ import annotations

import pytest

from scf.demo.simulate import simulate_year


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_short_year_is_exact_and_repeats_itself() -> None:
    found = simulate_year(12, 7, days=40)
    assert found["issued"] > 10 and found["financed"] > 0
    assert (found["cents_missing"], found["quote_differences"], found["locked_differences"]) == (0, 0, 0)
    again = simulate_year(12, 7, days=40)
    assert {**found, "seconds": 0} == {**again, "seconds": 0}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 3, 11])
def test_a_bad_year_at_the_bank_is_as_exact(seed: int) -> None:
    """Refusals, returns, delays, missed cut-offs, files late, twice and shuffled, payments before their instruction."""
    found = simulate_year(40, seed, days=75, chaos=True)
    assert (found["cents_missing"], found["quote_differences"], found["locked_differences"]) == (0, 0, 0)
    assert found["locked_alarms_open"] == 0
    assert found["rejections"] and found["paid_before_instruction"] and found["reversals"], "the troubles did strike"
