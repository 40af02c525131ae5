"""JSON opened safely: bounded size and depth, exact numbers, no key twice in one object."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from scf.kernel.problems import Problem
from scf.standards.refusals import refusal

MAX_BYTES = 256 * 2**20
MAX_DEPTH = 100
_BLANKS = re.compile(r"[ \t\n\r]*")
_NESTING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)

Path = tuple[str, ...]
"""Keys from the outermost object to a value within."""


def parse(raw: bytes) -> Any:
    """The value of a UTF-8 (or BOM-marked UTF-16) JSON text, fractions as Decimal.

    Raises Problem `document_empty`, `document_too_large`, `document_encoding_unreadable`, `document_too_deep`,
    `document_not_json` or `document_element_repeated`.
    """
    text = _text(raw)
    try:
        return _decoder().decode(text)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _not_json(error) from error


@dataclass(slots=True)
class Outline:
    """A JSON text read without its long lists: these are left empty in `value`, and their items read one by one."""

    text: str
    lists: Collection[Path]
    value: Any = None
    _decoder: json.JSONDecoder = field(default_factory=lambda: _decoder())
    _starts: dict[Path, array[int]] = field(default_factory=dict)
    _at: int = 0

    def items(self, path: Path) -> Iterator[Any] | None:
        """The items of the list at `path`; None where no such list stands."""
        starts = self._starts.get(path)
        return None if starts is None else (self._decoder.raw_decode(self.text, start)[0] for start in starts)

    def read(self) -> None:
        """Read all of the text. Raises ValueError, ArithmeticError or RecursionError as `json` does, and Problem."""
        self._skip_blanks()
        self.value = self._value(())
        if self._at != len(self.text):
            raise json.JSONDecodeError("Extra data", self.text, self._at)

    def _value(self, path: Path) -> Any:
        opening = self.text[self._at : self._at + 1]
        if opening == "[" and path in self.lists:
            starts = self._starts[path] = array("q")
            for _ in self._members("]"):
                starts.append(self._at)
                self._plain()
            return []
        if opening == "{" and any(len(item) > len(path) and item[: len(path)] == path for item in self.lists):
            pairs: list[tuple[str, Any]] = []
            for _ in self._members("}"):
                if self.text[self._at : self._at + 1] != '"':
                    raise json.JSONDecodeError("Expecting property name enclosed in double quotes", self.text, self._at)
                key = self._plain()
                self._expect(":")
                pairs.append((key, self._value((*path, key))))
            return _object(pairs)
        return self._plain()

    def _members(self, closing: str) -> Iterator[None]:
        """Stand at each member of an object or list in turn."""
        self._expect(self.text[self._at])
        if self.text[self._at : self._at + 1] != closing:
            yield
            while self.text[self._at : self._at + 1] != closing:
                self._expect(",")
                yield
        self._expect(closing)

    def _plain(self) -> Any:
        value, self._at = self._decoder.raw_decode(self.text, self._at)
        self._skip_blanks()
        return value

    def _expect(self, character: str) -> None:
        if self.text[self._at : self._at + 1] != character:
            raise json.JSONDecodeError(f"Expecting '{character}' delimiter", self.text, self._at)
        self._at += 1
        self._skip_blanks()

    def _skip_blanks(self) -> None:
        found = _BLANKS.match(self.text, self._at)
        self._at = found.end() if found else self._at


def outline(raw: bytes, lists: Collection[Path]) -> Outline:
    """The text without the lists at the paths `lists`; a list within one of them is read with its item.

    All of it is looked at before this returns. Raises Problem as `parse` does.
    """
    found = Outline(_text(raw), lists)
    try:
        found.read()
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _not_json(error) from error
    return found


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object)


def _not_json(error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        return refusal("document_too_deep", "document", limit=MAX_DEPTH)
    if isinstance(error, json.JSONDecodeError):
        return refusal("document_not_json", f"line {error.lineno}, column {error.colno}", detail=error.msg)
    return refusal("document_not_json", "document", detail=str(error))


def _text(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    if not raw[:4096].strip() and not raw.strip():
        raise refusal("document_empty", "document")
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding=encoding) from error
    _refuse_depth(text)
    return text


def _refuse_depth(text: str) -> None:
    """Nesting is counted before parsing; brackets inside strings only ever make the count too high for odd texts."""
    depth = 0
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    for found in _NESTING.finditer(text):
        character = found[0][0]
        if character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise refusal("document_too_deep", "document", limit=MAX_DEPTH)
        elif character != '"':
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise refusal("document_element_repeated", f'"{key[:40]}"', element=key)
            seen.add(key)
    return found


def _constant(name: str) -> NoReturn:
    raise refusal("document_not_json", "document", detail=name)
