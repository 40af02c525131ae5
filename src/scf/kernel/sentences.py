"""Every sentence of a refusal, in zh-CN and en, read from each room's `sentences.toml`.

[over_limit]
status = 422
en = "The amount {amount} is above the free limit {free}. Nothing was written."
zh-CN = "金额 {amount} 超过可用额度 {free}，未写入任何内容。"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

LANGUAGES = ("zh-CN", "en")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One refusal: HTTP status and the two texts with `{fact}` placeholders."""

    code: str
    status: int
    en: str
    zh_cn: str


@cache
def catalogue() -> dict[str, Sentence]:
    """All sentences by code. Raises ValueError when two rooms claim one code or a language is missing."""
    found: dict[str, Sentence] = {}
    for room in resources.files("scf").iterdir():
        source = room.joinpath("sentences.toml") if room.is_dir() else None
        if source is None or not source.is_file():
            continue
        for code, entry in tomllib.loads(source.read_text(encoding="utf-8")).items():
            if code in found:
                raise ValueError(f"sentence {code} is defined twice, the second time in {room.name}")
            found[code] = Sentence(code, int(entry.get("status", 422)), str(entry["en"]), str(entry["zh-CN"]))
    return found


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def sentence(code: str, language: str, **facts: object) -> str:
    """The sentence of `code` with its facts filled in; an unknown code is shown as it is.

    A fact that is words comes as a mapping with both languages, or as a problem that has a sentence of its own.
    """
    entry = catalogue().get(code)
    if entry is None:
        return code
    tongue = "zh-CN" if language.lower().startswith("zh") else "en"
    text = entry.zh_cn if tongue == "zh-CN" else entry.en
    return text.format_map(_Facts({name: _said(value, tongue) for name, value in facts.items()}))


def _said(value: object, tongue: str) -> object:
    if isinstance(value, Mapping):
        return value.get(tongue, value)
    if isinstance(value, Exception) and hasattr(value, "sentence"):
        return value.sentence(tongue)
    return value


def status(code: str) -> int:
    """HTTP status of `code`; 500 for a code no room defines."""
    entry = catalogue().get(code)
    return entry.status if entry else 500
