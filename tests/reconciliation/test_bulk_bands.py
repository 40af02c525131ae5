"""Bands hold every pair the rule's tolerance and window allow, so that narrowing by them loses nothing."""

from __future__ import annotations

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from scf.reconciliation.bulk_bands import amount_band, day_band, spread
from scf.reconciliation.rule import Terms

ENGINE = duckdb.connect()


@given(
    wanted=st.one_of(st.integers(1, 50_000), st.integers(1, 10**15)),
    share=st.floats(-1, 1),
    fixed=st.sampled_from([0, 1, 100, 5_000]),
    per_mille=st.sampled_from([0, 1, 5, 50, 400, 900]),
    day=st.integers(-400, 30_000),
    early=st.integers(0, 30),
    late=st.integers(0, 200),
    place=st.floats(0, 1),
)
def test_whatever_is_within_tolerance_and_window_shares_a_band(
    wanted: int, share: float, fixed: int, per_mille: int, day: int, early: int, late: int, place: float
) -> None:
    terms = Terms(as_of_day=20_500, amount_fixed_minor=fixed, amount_per_mille=per_mille)
    allowed = max(fixed * 1000, per_mille * wanted) // 1000
    given_minor, on = wanted + int(allowed * share), day - early + int((early + late) * place)
    wanting = f"(SELECT {wanted}::BIGINT AS amount_minor, {day} AS day)"
    found = ENGINE.execute(
        f"SELECT count(*) FROM {spread(wanting, terms, early_days=early, late_days=late)} w "
        f"WHERE w.band = {amount_band(f'{given_minor}::BIGINT', terms)} "
        f"AND w.days = {day_band(str(on), early + late + 1)}"
    ).fetchone()
    assert found == (1,), "in exactly one of them: a pair is found, and found once"
