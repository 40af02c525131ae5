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
