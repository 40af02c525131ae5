"""A list written by hand is read whole or refused with its reason, whoever reads it."""

from __future__ import annotations

import pytest

from scf.kernel.problems import Problem
from scf.standards.csvlist import read_list

COLUMNS = {"note": ("note", "凭证"), "amount": ("amount", "金额")}


def read(raw: bytes, **limits: int) -> list[tuple[int, dict[str, str]]]:
    return read_list(
        raw,
        COLUMNS,
        optional=("amount",),
        most_bytes=limits.get("most_bytes", 1_000),
        most_rows=limits.get("most_rows", 3),
        code="batch_unreadable",
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"note,amount\na,1\n\nb,2\n",
        "\ufeffNote , amount,else\na, 1 ,x\n,,\nb,2\n".encode(),
        "金额,凭证\r\n1,a\r\n\r\n2,b".encode(),
    ],
)
def test_headings_in_any_case_and_language_and_blank_rows(raw: bytes) -> None:
    assert [(line, row["note"], row["amount"]) for line, row in read(raw)] == [(2, "a", "1"), (4, "b", "2")]


def test_an_optional_column_may_be_missing_and_a_short_row_is_blank_at_its_end() -> None:
    assert read(b"note\na\n") == [(2, {"note": "a", "amount": ""})]
    assert read(b"note,amount\na\n") == [(2, {"note": "a", "amount": ""})]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "note"),
        (b"amount\n1\n", "note"),
        (b"note,note\na,b\n", "note"),
        (b"note,amount,amount\na,1,2\n", "amount"),
        (b"note\n", "rows, not 0"),
        (b"note\na\nb\nc\nd\n", "rows, not > 3"),
        (b"note\n\xff\n", "UTF-8"),
        (b"note\n" + b"a" * 1_000, "MB"),
        (b'note\n"a' + b"b" * 140_000, "field"),
    ],
)
def test_what_is_no_such_list_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    most = 1_000 if "MB" in reason else 1_000_000
    with pytest.raises(Problem) as caught:
        read(raw, most_bytes=most)
    assert caught.value.code == "batch_unreadable" and reason in caught.value.facts["reason"]
