"""Mistyped references: what counts as one, and that Python and SQL mean the same."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.reconciliation.slips import slip_of_the_pen, slip_sql


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("INV-123", "INV-000123"),  # zeros lost
        ("000123", "INV-000123"),  # prefix dropped
        ("INV-00123", "INV-000123"),  # one lost
        ("INV-000132", "INV-000123"),  # two swapped
        ("inv o00123", "INV-000123"),
        ("0123", "2025/00123"),  # the year dropped
        ("RE 77-12", "RE 077-0012"),
    ],
)
def test_slips_of_the_pen(typed: str, meant: str) -> None:
    assert slip_of_the_pen(typed, meant)
    assert slip_of_the_pen(meant, typed)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("INV-000124", "INV-000123"),  # the next number
        ("2024/00123", "2025/00123"),  # last year's
        ("CREDIT-000123", "INV-000123"),  # another kind of document
        ("3", "INV-000003"),  # says too little
        ("RENT MARCH", "RENT APRIL"),
    ],
)
def test_other_references(typed: str, meant: str) -> None:
    assert not slip_of_the_pen(typed, meant)


references = st.text(alphabet="INVREO01239-/ ", min_size=1, max_size=12)
mutated = st.tuples(references, references) | references.flatmap(
    lambda text: st.tuples(
        st.just(text), st.permutations(list(text)).map("".join) | st.just(text[1:] or "1") | st.just(text + "7")
    )
)


@settings(max_examples=150, deadline=None)
@given(pairs=st.lists(mutated, min_size=1, max_size=20))
def test_python_and_sql_mean_the_same(pairs: list[tuple[str, str]]) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE pairs (a VARCHAR, b VARCHAR)")
    connection.executemany("INSERT INTO pairs VALUES (?, ?)", pairs)
    said = connection.execute(f"SELECT a, b, coalesce({slip_sql('a', 'b')}, false) FROM pairs").fetchall()
    connection.close()
    assert [slip_of_the_pen(a, b) for a, b, _ in said] == [found for _, _, found in said]
