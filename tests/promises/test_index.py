"""The list of promises is whole, and every test it names exists and is run by `make test`."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIST = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
SECTIONS = {
    int(found.group(1)): found.group(0)
    for found in re.finditer(r"^## P(\d+) .*?(?=^## |\Z)", LIST, re.MULTILINE | re.DOTALL)
}
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", LIST)))


@cache
def functions(path: str) -> dict[str, str]:
    """The tests of a file with their decorators as text."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name: " ".join(ast.unparse(one) for one in node.decorator_list)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


def test_eighteen_promises() -> None:
    assert sorted(SECTIONS) == list(range(1, 19))


@pytest.mark.parametrize("number", sorted(SECTIONS))
def test_each_is_one_sentence_with_its_tests(number: int) -> None:
    title, sentence, *rest = [block for block in SECTIONS[number].split("\n\n") if block.strip()]
    assert title.startswith(f"## P{number} ")
    assert sentence.rstrip().endswith(".") and len(re.findall(r"[.!?](?=\s)", sentence.strip())) == 0, sentence
    assert re.search(r"`tests/[\w/]+\.py::\w+`", "\n".join(rest))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path}::{name}" for path, name in NAMED])
def test_the_named_test_exists_and_is_not_left_to_slow_runs(path: str, name: str) -> None:
    assert name in functions(path)
    marks = functions(path)[name]
    assert "mark.browser" not in marks
    assert not re.match(r"pytest\.mark\.slow", marks) and " pytest.mark.slow" not in marks.replace("pytest.param", "")
