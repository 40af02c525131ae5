"""Canonical JSON (RFC 8785) for the values a manifest holds: text, integers, truth values, null, lists and objects.

Numbers with a fraction are refused, and integers beyond ±(2^53 − 1), which RFC 8785 cannot carry: amounts are text.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .faults import Malformed

_LARGEST = 2**53 - 1
_MAX_DEPTH = 32
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def encode(value: Any) -> bytes:
    """Canonical bytes of `value`. Raises Malformed for a value that has none."""
    _inspect(value, 0)
    ordered = _ordered(value)
    try:
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise Malformed("json", str(error)) from None


def parse(data: bytes, place: str) -> Any:
    """The value of any JSON. Raises Malformed, also for nesting so deep that a parser would run out of stack."""
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", data)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > _MAX_DEPTH:
            raise Malformed(place, "nested too deep")
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Malformed(place, f"not JSON: {error}") from None


def decode(data: bytes, place: str) -> Any:
    """The value of canonical JSON. Raises Malformed for anything that is not written canonically."""
    value = parse(data, place)
    if encode(value) != data:
        raise Malformed(place, "not in canonical form (RFC 8785)")
    return value


def _inspect(value: Any, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Malformed("json", "nested too deep")
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _LARGEST):
        raise Malformed("json", f"number {value} has no canonical form here")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Malformed("json", "a name is not text")
            _inspect(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _inspect(item, depth + 1)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _ordered(value[key])
            for key in sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        }
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value
