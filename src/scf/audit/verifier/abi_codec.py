"""Contract ABI encoding (Solidity ABI specification), strict: padding must be zero, offsets must stay inside.

Values: unsigned integers are int, `address` and `bytesN` are bytes, structs are dicts by field name, arrays are lists.
Small on purpose, so that an auditor can read all of it; types outside the pinned interface are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .faults import Malformed
from .hashing import keccak

_UINT = re.compile(r"uint(\d+)")
_BYTES_N = re.compile(r"bytes(\d+)")


class Undecodable(Malformed):
    """Bytes that are not an encoding of the expected types."""

    def __init__(self, reason: str) -> None:
        super().__init__("abi", reason)


@dataclass(frozen=True, slots=True)
class Field:
    """A named member of a struct, or a parameter of a function or event."""

    name: str
    type: Type
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Type:
    """One ABI type: `kind` is uint, address, bool, fixed (bytesN), bytes, array or struct."""

    kind: str
    name: str  # canonical name for selectors and topics, structs as tuples
    size: int = 0  # bits of an integer, bytes of a fixed string
    element: Type | None = None
    fields: tuple[Field, ...] = ()
    struct: str = ""  # name of the struct, for EIP-712
    dynamic: bool = False
    words: int = 1  # 32-byte words in the head of a static value


def parse_type(text: str, structs: Mapping[str, Type]) -> Type:
    """The type a Solidity type name stands for."""
    if text.endswith("[]"):
        element = parse_type(text[:-2], structs)
        return Type("array", element.name + "[]", element=element, dynamic=True)
    if text in structs:
        return structs[text]
    if text == "address":
        return Type("address", text, 160)
    if text == "bool":
        return Type("bool", text, 1)
    if text == "bytes":
        return Type("bytes", text, dynamic=True)
    if match := _UINT.fullmatch(text):
        return Type("uint", text, int(match[1]))
    if match := _BYTES_N.fullmatch(text):
        return Type("fixed", text, int(match[1]))
    raise ValueError(f"type {text} is not part of the pinned interface")


def parse_fields(text: str, structs: Mapping[str, Type]) -> tuple[Field, ...]:
    """Fields of `type [indexed] name,type name,…`."""
    found = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        words = part.split()
        found.append(Field(words[-1], parse_type(words[0], structs), "indexed" in words[1:-1]))
    return tuple(found)


def struct_type(name: str, fields: tuple[Field, ...]) -> Type:
    """A struct type over `fields`."""
    dynamic = any(field.type.dynamic for field in fields)
    tuple_name = "(" + ",".join(field.type.name for field in fields) + ")"
    words = 1 if dynamic else sum(field.type.words for field in fields)
    return Type("struct", tuple_name, fields=fields, struct=name, dynamic=dynamic, words=words)


def signature_of(name: str, fields: tuple[Field, ...]) -> str:
    """Canonical signature, such as `Accepted(uint256,address)`."""
    return f"{name}(" + ",".join(field.type.name for field in fields) + ")"


def selector_of(name: str, fields: tuple[Field, ...]) -> bytes:
    """Four bytes that open a call."""
    return keccak(signature_of(name, fields).encode())[:4]


def topic_of(name: str, fields: tuple[Field, ...]) -> bytes:
    """First topic of an event."""
    return keccak(signature_of(name, fields).encode())


def word_value(type_: Type, word: bytes) -> Any:
    """Value of a one-word static type. Raises Undecodable on dirty padding."""
    if type_.kind == "fixed":
        if type_.size < 32 and any(word[type_.size :]):
            raise Undecodable(f"{type_.name} with padding that is not zero")
        return word[: type_.size]
    value = int.from_bytes(word, "big")
    if value >> type_.size:
        raise Undecodable(f"{type_.name} out of range")
    if type_.kind == "address":
        return word[12:]
    return bool(value) if type_.kind == "bool" else value


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + 32]
    if len(word) != 32:
        raise Undecodable("cut short")
    return word


def _length(data: bytes, at: int) -> int:
    value = int.from_bytes(_word(data, at), "big")
    if value > len(data):
        raise Undecodable("offset or length beyond the data")
    return value


def _decode_value(type_: Type, data: bytes, at: int) -> Any:
    if type_.kind == "struct":
        return decode_fields(type_.fields, data, at)
    if type_.kind == "bytes":
        size = _length(data, at)
        stop = at + 32 + size
        padded = at + 32 + (size + 31) // 32 * 32
        if padded > len(data) or any(data[stop:padded]):
            raise Undecodable("bytes cut short or with padding that is not zero")
        return data[at + 32 : stop]
    if type_.kind == "array":
        element = type_.element
        if element is None:
            raise Undecodable("array without element type")
        count = _length(data, at)
        return decode_sequence([element] * count, data, at + 32)
    return word_value(type_, _word(data, at))


def decode_sequence(types: list[Type], data: bytes, base: int) -> list[Any]:
    """Values laid out head and tail from `base`; offsets count from there."""
    values, at = [], base
    for type_ in types:
        if type_.dynamic:
            values.append(_decode_value(type_, data, base + _length(data, at)))
            at += 32
        else:
            values.append(_decode_value(type_, data, at))
            at += 32 * type_.words
    return values


def decode_fields(fields: tuple[Field, ...], data: bytes, base: int = 0) -> dict[str, Any]:
    """Arguments by name. Raises Undecodable."""
    values = decode_sequence([field.type for field in fields], data, base)
    return {field.name: value for field, value in zip(fields, values, strict=True)}


def encode_word(type_: Type, value: Any) -> bytes:
    """One word of a static value."""
    if type_.kind == "fixed":
        return bytes(value).ljust(32, b"\0")
    if type_.kind == "address":
        return bytes(value).rjust(32, b"\0")
    return int(value).to_bytes(32, "big")
