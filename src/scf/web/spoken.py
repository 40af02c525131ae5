"""The figures of a price read out: amount, day and recourse, put together from single recorded words.

A whole sentence with a figure in it is never recorded, so that no recording can say another figure than the one signed:
the words are derived from the very figures of the price, and what was offered to the ear is kept as text and hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "static" / "voice" / "words"
_ZH_DIGITS = "零一二三四五六七八九"
_ZH_UNITS = ("", "十", "百", "千")
_ZH_GROUPS = ("", "万", "亿", "万亿")
_EN_SMALL = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_EN_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_EN_GROUPS = ("", "thousand", "million", "billion")
_EN_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_SAYS: Mapping[str, Mapping[str, str]] = {
    "zh-CN": {
        "net": "您实收",
        "until": "债权到期日",
        "with": "有追索权，到期未付时可能要求您回购",
        "without": "无追索权",
        "CNY": "元",
    },
    "en": {
        "net": "You receive",
        "until": "The claim is due on",
        "with": "With recourse: if it is not paid, you may be asked to buy it back",
        "without": "Without recourse",
        "CNY": "yuan",
    },
}


def vocabulary() -> Iterator[tuple[str, str]]:
    """Language and text of every word that has to be recorded."""
    for language, says in _SAYS.items():
        yield from ((language, text) for text in says.values())
    yield from (("zh-CN", one) for one in (*_ZH_DIGITS, *"十百千万亿点年月日"))
    yield from (("en", one) for one in (*_EN_SMALL, *_EN_TENS, "hundred", *_EN_GROUPS[1:], *_EN_MONTHS, "point"))


def price_words(price: Mapping[str, Any], recourse: bool, language: str) -> list[str]:
    """What is said of a price, word by word; empty for a currency whose name is not recorded."""
    says = _SAYS[language]
    code, text = str(price["net"]["currency"]), str(price["net"]["text"])
    if code not in says:
        return []
    whole, _, part = "".join(text.split(",")).partition(".")
    digits = _ZH_DIGITS if language == "zh-CN" else _EN_SMALL
    point = [("点" if language == "zh-CN" else "point"), *(digits[int(one)] for one in part)] if part else []
    amount = [*number_words(int(whole), language), *point, says[code]]
    on = date.fromisoformat(str(price["pays_on"]))
    return [says["net"], *amount, says["until"], *_day(on, language), says["with" if recourse else "without"]]


def number_words(number: int, language: str) -> list[str]:
    """A whole number from 0 to below a thousand milliards, as it is said."""
    if number == 0:
        return ["零" if language == "zh-CN" else "zero"]
    return _chinese(number) if language == "zh-CN" else _english(number)


def clips_of(words: list[str], language: str) -> list[str]:
    """Static names of the recordings of these words; none at all where one of them is missing."""
    names = [clip_name(word, language) for word in words]
    return [f"voice/words/{name}" for name in names] if all((FOLDER / name).is_file() for name in names) else []


def clip_name(word: str, language: str) -> str:
    """The file of a word, named by the digest of its text."""
    return f"{language}-{hashlib.sha256(word.encode()).hexdigest()[:12]}.ogg"


def _day(on: date, language: str) -> list[str]:
    if language == "zh-CN":
        year = [_ZH_DIGITS[int(one)] for one in str(on.year)]
        return [*year, "年", *_chinese(on.month), "月", *_chinese(on.day), "日"]
    return [_EN_MONTHS[on.month - 1], *_english(on.day), *(_EN_SMALL[int(one)] for one in str(on.year))]


def _chinese(number: int) -> list[str]:
    words: list[str] = []
    groups = []
    while number:
        number, low = divmod(number, 10_000)
        groups.append(low)
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if group == 0:
            continue
        if words and (group < 1000 or groups[place + 1] == 0):
            words.append("零")
        words += _chinese_group(group, first=not words)
        words += list(_ZH_GROUPS[place])
    return words


def _chinese_group(number: int, *, first: bool) -> list[str]:
    words: list[str] = []
    gap = False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit == 0:
            gap = bool(words)
            continue
        if gap:
            words.append("零")
            gap = False
        if not (digit == 1 and place == 1 and first and not words):  # 十五, not 一十五, at the beginning
            words.append(_ZH_DIGITS[digit])
        words += list(_ZH_UNITS[place])
    return words


def _english(number: int) -> list[str]:
    words: list[str] = []
    for place in range(len(_EN_GROUPS) - 1, -1, -1):
        group = number // 1000**place % 1000
        if group:
            words += _english_group(group)
            words += [_EN_GROUPS[place]] if place else []
    return words


def _english_group(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    words = [_EN_SMALL[hundreds], "hundred"] if hundreds else []
    if rest >= 20:
        words.append(_EN_TENS[rest // 10 - 2])
        rest %= 10
    return words + ([_EN_SMALL[rest]] if rest else [])
