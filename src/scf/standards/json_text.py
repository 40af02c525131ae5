"""JSON opened safely: bounded size and depth, exact numbers, no key twice in one object."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

from scf.standards.refusals import refusal

MAX_BYTES = 256 * 2**20
MAX_DEPTH = 100


def parse(raw: bytes) -> Any:
    """The value of a UTF-8 (or BOM-marked UTF-16) JSON text, fractions as Decimal.

    Raises Problem `document_empty`, `document_too_large`, `document_encoding_unreadable`, `document_too_deep`,
    `document_not_json` or `document_element_repeated`.
    """
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    if not raw.strip():
        raise refusal("document_empty", "document")
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeError as error:
        raise refusal("document_encoding_unreadable", "document", encoding=encoding) from error
    _refuse_depth(text)
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object)
    except RecursionError as error:
        raise refusal("document_too_deep", "document", limit=MAX_DEPTH) from error
    except json.JSONDecodeError as error:
        raise refusal("document_not_json", f"line {error.lineno}, column {error.colno}", detail=error.msg) from error
    except (ValueError, ArithmeticError) as error:
        raise refusal("document_not_json", "document", detail=str(error)) from error


def _refuse_depth(text: str) -> None:
    """Nesting is counted before parsing; brackets inside strings only ever make the count too high for odd texts."""
    depth = deepest = 0
    in_string = escaped = False
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                raise refusal("document_too_deep", "document", limit=MAX_DEPTH)
        elif char in "]}":
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
