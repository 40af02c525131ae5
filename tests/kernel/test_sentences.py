"""Every refusal of every room says in zh-CN and en what happened, and fills its blanks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import scf
from scf.kernel.problems import Problem
from scf.kernel.sentences import Sentence, catalogue, sentence, status

SOURCE = Path(scf.__file__).parent
TEXTS = sorted(catalogue().values(), key=lambda entry: entry.code)


def _blanks(text: str) -> set[str]:
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in Formatter().parse(text) if name is not None}


def _raised() -> Iterator[tuple[str, str, set[str] | None]]:
    """(place, code, facts) of every Problem raised by a literal code; facts None where they are handed on whole."""
    for file in sorted(SOURCE.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "Problem":
                continue
            if not call.args or not isinstance(call.args[0], ast.Constant):
                continue
            names = {keyword.arg for keyword in call.keywords}
            facts = None if None in names else {name for name in names if name}
            yield f"{file.relative_to(SOURCE)}:{call.lineno}", str(call.args[0].value), facts


@pytest.mark.parametrize("entry", TEXTS, ids=lambda entry: entry.code)
def test_both_languages_say_the_same_with_the_same_blanks(entry: Sentence) -> None:
    assert entry.en.strip()
    assert any("\u4e00" <= char <= "\u9fff" for char in entry.zh_cn), "the Chinese sentence has no Chinese in it"
    assert not any("\u4e00" <= char <= "\u9fff" for char in entry.en), "the English sentence has Chinese in it"
    assert _blanks(entry.en) == _blanks(entry.zh_cn)
    assert "" not in _blanks(entry.en), "a blank has no name"
    assert 400 <= entry.status < 600


def test_every_refusal_raised_in_the_code_has_its_sentence() -> None:
    missing = sorted({f"{code} ({place})" for place, code, _ in _raised() if code not in catalogue()})
    assert missing == []


def test_every_blank_of_a_sentence_is_filled_where_it_is_raised() -> None:
    unfilled = [
        f"{place}: {code} leaves {sorted(blanks)} open"
        for place, code, facts in _raised()
        if facts is not None and code in catalogue() and (blanks := _blanks(catalogue()[code].en) - facts)
    ]
    assert unfilled == []


def test_a_refusal_reads_in_both_languages_and_says_whether_money_moved() -> None:
    refusal = Problem("too_many_decimals", text="1.005", currency="CNY", digits=2)
    assert str(refusal) == "“1.005” has more decimals than CNY allows (2)."
    assert refusal.sentence("zh-CN") == "“1.005”的小数位数超过 CNY 允许的 2 位。"
    assert (refusal.money_moved, refusal.status) == ("no", 422)


def test_a_missing_fact_shows_as_a_question_mark_and_never_breaks() -> None:
    assert "?" in sentence("too_many_decimals", "en")
    assert sentence("no such code", "en") == "no such code"
    assert status("no such code") == 500
