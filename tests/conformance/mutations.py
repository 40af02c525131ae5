"""Ways to damage a file: at random in its bytes, or one known place at a time in its structure."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree

ODD_NUMBERS = [b"", b"-1", b"1e9", b"NaN", b"9" * 20, b"0.00000001", "１２".encode(), b"1,5", b"00", b"1_0"]
ODD_TEXTS = [
    b"",
    b"=cmd()",
    b"\x00",
    b"<![CDATA[x]]>",
    b"&lt;&x;",
    b"\xe2\x80\xae",
    b"A" * 5_000,
    b"]]>",
    b"{[",
    b"\xff",
]
_NUMBER = re.compile(rb"\d+(\.\d+)?")
_WORD = re.compile(rb"[A-Za-z][A-Za-z0-9:_-]+")


def _slice(chance: random.Random, raw: bytes) -> tuple[int, int]:
    start = chance.randrange(len(raw) + 1)
    return start, min(len(raw), start + chance.choice((1, 2, 8, 40, 400)))


def _flip(chance: random.Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw))
    return raw[:at] + bytes((raw[at] ^ (1 << chance.randrange(8)),)) + raw[at + 1 :]


def _delete(chance: random.Random, raw: bytes) -> bytes:
    start, end = _slice(chance, raw)
    return raw[:start] + raw[end:]


def _repeat(chance: random.Random, raw: bytes) -> bytes:
    start, end = _slice(chance, raw)
    return raw[:end] + raw[start:end] * chance.choice((1, 2, 50)) + raw[end:]


def _cut(chance: random.Random, raw: bytes) -> bytes:
    return raw[: chance.randrange(len(raw))]


def _insert(chance: random.Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw))
    return raw[:at] + chance.choice(ODD_TEXTS) + raw[at:]


def _swap(chance: random.Random, raw: bytes) -> bytes:
    one, two = sorted((_slice(chance, raw), _slice(chance, raw)))
    if one[1] > two[0]:
        return raw
    return raw[: one[0]] + raw[two[0] : two[1]] + raw[one[1] : two[0]] + raw[one[0] : one[1]] + raw[two[1] :]


def _replace(pattern: re.Pattern[bytes], choices: list[bytes]) -> Callable[[random.Random, bytes], bytes]:
    def mutate(chance: random.Random, raw: bytes) -> bytes:
        found = list(pattern.finditer(raw))
        if not found:
            return raw
        match = chance.choice(found)
        return raw[: match.start()] + chance.choice(choices) + raw[match.end() :]

    return mutate


def _drop_line(chance: random.Random, raw: bytes) -> bytes:
    lines = raw.split(b"\n")
    del lines[chance.randrange(len(lines))]
    return b"\n".join(lines)


OPERATIONS = [
    _flip,
    _delete,
    _repeat,
    _cut,
    _insert,
    _swap,
    _replace(_NUMBER, ODD_NUMBERS),
    _replace(_WORD, ODD_TEXTS),
    _drop_line,
]


def damaged(chance: random.Random, raw: bytes) -> bytes:
    """`raw` with one to three random damages."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        if raw:
            raw = chance.choice(OPERATIONS)(chance, raw)
    return raw


def misspelt(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """First `raw` as it is, written again; then with one element or key misspelt, at every place in turn."""
    if raw.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        root = etree.fromstring(raw)
        yield "", etree.tostring(root)
        for element in list(root.iter("*")):
            tag = element.tag
            element.tag = str(tag) + "x"
            yield str(root.getroottree().getelementpath(element)), etree.tostring(root)
            element.tag = tag
        return
    value = json.loads(raw)
    yield "", json.dumps(value).encode()
    for owner, key in list(_keys(value)):
        held = dict(owner)
        owner.clear()
        owner.update({(f"{name}x" if name == key else name): item for name, item in held.items()})
        yield key, json.dumps(value).encode()
        owner.clear()
        owner.update(held)


ODD_VALUES: list[Any] = [None, [], {}, [[]], [{}], [None], 5, -1.5, "x", "", True, {"id": {}}, ["a", 1]]


def confused(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """`raw` with one text (XML) or value (JSON) replaced by one of another kind, at every place in turn."""
    if raw.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        root = etree.fromstring(raw)
        for index, element in enumerate(root.iter("*")):
            held = element.text
            element.text = ODD_NUMBERS[index % len(ODD_NUMBERS)].decode()
            yield str(element.tag), etree.tostring(root)
            element.text = held
        return
    value = json.loads(raw)
    for index, (owner, key) in enumerate(list(_keys(value))):
        held = owner[key]
        for odd in (ODD_VALUES[index % len(ODD_VALUES)], ODD_VALUES[(index * 7 + 3) % len(ODD_VALUES)]):
            owner[key] = odd
            yield key, json.dumps(value).encode()
        owner[key] = held


def _keys(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield value, key
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)
