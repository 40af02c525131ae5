"""Every refusal of this room has its sentence in both languages, and every fact a sentence names is given."""

from __future__ import annotations

import ast
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOM = Path(__file__).resolve().parents[2] / "src" / "scf" / "standards"
SENTENCES = tomllib.loads((ROOM / "sentences.toml").read_text(encoding="utf-8"))


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def refusals() -> Iterator[tuple[str, str, set[str] | None]]:
    """Where, which code, and which facts (None where they are passed on as a mapping)."""
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "refusal":
                continue
            if isinstance(node.args[0], ast.Constant):
                names = {item.arg for item in node.keywords if item.arg}
                is_open = any(item.arg is None for item in node.keywords)
                yield f"{path.name}:{node.lineno}", str(node.args[0].value), None if is_open else names


def test_every_refusal_has_its_sentence_and_its_facts() -> None:
    found = list(refusals())
    assert len(found) > 80
    for where, code, facts in found:
        assert code in SENTENCES, where
        if facts is not None:
            assert placeholders(SENTENCES[code]["en"]) - {"place"} == facts, (where, code)


def test_both_languages_say_the_same_facts_and_begin_with_the_place() -> None:
    for code, entry in SENTENCES.items():
        assert placeholders(entry["en"]) == placeholders(entry["zh-CN"]), code
        assert entry["en"].startswith("{place}: ")
        assert entry["zh-CN"].startswith("{place}：")
