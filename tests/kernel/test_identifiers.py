"""Codes of firms are checked, also those a common library refuses; references fit a bank's fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scf.kernel.identifiers import make_uscc, new_reference, parse_uscc, reference_of, uscc_check_digit
from scf.kernel.problems import Problem

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def test_a_village_collective_whose_code_begins_with_a_letter_is_valid() -> None:
    assert parse_uscc("N2110106MF60261036") == "N2110106MF60261036"


def test_lower_case_and_blanks_are_tidied() -> None:
    assert parse_uscc(" n2110106 mf6026 1036 ") == "N2110106MF60261036"


@pytest.mark.parametrize(
    "text",
    [
        "N2110106MF60261037",  # check digit
        "N2110106MF6026103",  # too short
        "N2110106MF602610360",  # too long
        "N2110106MF6O261036",  # letter O is not in the alphabet
        "N2110106MF60261I36",
        "",
        "统一社会信用代码",
    ],
)
def test_a_wrong_code_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_uscc(text)
    assert refusal.value.code == "wrong_check_digit"


@given(st.text(ALPHABET, min_size=17, max_size=17), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_noticed(first17: str, place: int, other: str) -> None:
    code = make_uscc(first17)
    assert parse_uscc(code) == code
    bent = code[:place] + other + code[place + 1 :]
    if bent != code:
        with pytest.raises(Problem):
            parse_uscc(bent)


def test_the_check_character_of_zeros() -> None:
    assert uscc_check_digit("0" * 17) == "0"
    assert uscc_check_digit("1" + "0" * 16) == "Y"


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["", "PAY", "scf-"]))
def test_references_fit_a_bank_field_and_repeat_for_the_same_digest(digest: bytes, prefix: str) -> None:
    reference = reference_of(digest, prefix)
    assert reference == reference_of(digest, prefix)
    assert reference.startswith(prefix)
    assert len(reference) == len(prefix) + 20 <= 35
    assert len(new_reference(prefix)) == len(reference)


def test_new_references_differ() -> None:
    assert len({new_reference() for _ in range(1000)}) == 1000
