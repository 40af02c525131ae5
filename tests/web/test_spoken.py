"""Amount, day and recourse read out: the words are those of the very figures, and every word has a recording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scf.web.spoken import FOLDER, clip_name, clips_of, number_words, price_words, vocabulary

DIGITS = {one: place for place, one in enumerate("零一二三四五六七八九")}
UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
SMALL = [
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
]
ENGLISH = {word: place for place, word in enumerate(SMALL)}
ENGLISH |= {
    word: 20 + 10 * at
    for at, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
}


def heard_chinese(words: list[str]) -> int:
    """What somebody who hears these words writes down."""
    total, group, digit = 0, 0, 0
    for word in words:
        if word in DIGITS:
            digit = DIGITS[word]
        elif UNITS[word] < 10**4:
            group += (digit or (1 if word == "十" else 0)) * UNITS[word]
            digit = 0
        else:
            total, group, digit = total + (group + digit) * UNITS[word], 0, 0
    return total + group + digit


def heard_english(words: list[str]) -> int:
    total, group = 0, 0
    for word in words:
        if word in ENGLISH:
            group += ENGLISH[word]
        elif word == "hundred":
            group *= 100
        else:
            total, group = total + group * {"thousand": 10**3, "million": 10**6, "billion": 10**9}[word], 0
    return total + group


@given(st.one_of(st.integers(0, 99_999), st.integers(0, 99_999_999_999)))
def test_what_is_heard_is_the_number(number: int) -> None:
    assert heard_chinese(number_words(number, "zh-CN")) == number
    assert heard_english(number_words(number, "en")) == number


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (10, "十"),
        (105, "一百零五"),
        (10_005, "一万零五"),
        (10_050_000, "一千零五万"),
        (120_300_000, "一亿二千零三十万"),
    ],
)
def test_chinese_numbers_are_said_as_people_say_them(number: int, said: str) -> None:
    assert "".join(number_words(number, "zh-CN")) == said


@pytest.mark.parametrize("recourse", [True, False])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_price_is_said_whole_and_each_word_is_recorded(language: str, recourse: bool) -> None:
    price = {"net": {"currency": "CNY", "text": "695,126.07"}, "pays_on": "2026-03-06"}
    said = " ".join(price_words(price, recourse, language))
    expected = {
        "zh-CN": "您实收 六 十 九 万 五 千 一 百 二 十 六 点 零 七 元 债权到期日 二 零 二 六 年 三 月 六 日 ",
        "en": "You receive six hundred ninety five thousand one hundred twenty six point zero seven yuan "
        "The claim is due on March six two zero two six ",
    }
    assert said.startswith(expected[language])
    assert (("有追索权" in said) or ("With recourse" in said)) is recourse
    words = price_words(price, recourse, language)
    assert len(clips_of(words, language)) == len(words)


def test_every_word_is_on_file_and_an_unknown_currency_is_silent() -> None:
    names = {clip_name(text, language) for language, text in vocabulary()}
    assert {path.name for path in FOLDER.glob("*.ogg")} == names, "run: python scripts/record_voice.py"
    assert all((FOLDER / name).read_bytes().startswith(b"OggS") for name in names)
    assert price_words({"net": {"currency": "USD", "text": "1.00"}, "pays_on": "2026-03-06"}, False, "en") == []
    assert clips_of(["never recorded"], "en") == []
