"""The interface the verifier knows, pinned: events, acts and the typed data behind each act.

Nothing of this comes from the bundle. The ABI files in a bundle are compared with it, never trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import pinned
from .abi_codec import (
    Field,
    Type,
    Undecodable,
    decode_fields,
    parse_fields,
    selector_of,
    struct_type,
    topic_of,
    word_value,
)
from .typed_data import Intent

CONTRACTS = pinned.CONTRACTS


def _parse_structs() -> dict[str, Type]:
    structs: dict[str, Type] = {}
    for name, text in pinned.STRUCTS.items():  # written so that a struct comes after the ones it holds
        structs[name] = struct_type(name, parse_fields(text, structs))
    return structs


STRUCTS = _parse_structs()


def _parse(text: str) -> tuple[str, tuple[Field, ...]]:
    name, _, rest = text.partition("(")
    return name, parse_fields(rest.removesuffix(")"), STRUCTS)


@dataclass(frozen=True, slots=True)
class EventType:
    """A pinned event; `topic` is its first topic."""

    contract: str
    name: str
    fields: tuple[Field, ...]
    topic: bytes
    indexed: tuple[Field, ...]
    plain: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class ActType:
    """A pinned state-changing function; `selector` opens its calldata."""

    contract: str
    name: str
    fields: tuple[Field, ...]
    selector: bytes


def _events() -> dict[tuple[str, bytes], EventType]:
    found = {}
    for contract, texts in pinned.EVENTS.items():
        for text in texts:
            name, fields = _parse(text)
            indexed = tuple(field for field in fields if field.indexed)
            plain = tuple(field for field in fields if not field.indexed)
            event = EventType(contract, name, fields, topic_of(name, fields), indexed, plain)
            found[contract, event.topic] = event
    return found


def _acts() -> dict[tuple[str, bytes], ActType]:
    found = {}
    for contract, texts in pinned.ACTS.items():
        for text in texts:
            name, fields = _parse(text)
            found[contract, selector_of(name, fields)] = ActType(contract, name, fields, selector_of(name, fields))
    return found


def _intents() -> dict[str, Intent]:
    intents = {name: Intent(name, parse_fields(text, STRUCTS)) for name, text in pinned.INTENTS.items()}
    for name in ("Issue", "Pass", "PassMany", "MassPass", "Quote", "Payment", "Opening"):
        intents[name] = Intent(name, STRUCTS[name].fields)
    return intents


EVENTS = _events()
ACTS = _acts()
INTENTS = _intents()


def decode_event(event: EventType, topics: list[bytes], data: bytes) -> dict[str, Any]:
    """Arguments of a log of `event`. Raises Undecodable."""
    if len(topics) != 1 + len(event.indexed):
        raise Undecodable(f"{event.name} with {len(topics)} topics")
    args = decode_fields(event.plain, data)
    for field, topic in zip(event.indexed, topics[1:], strict=True):
        args[field.name] = word_value(field.type, topic)
    return args


def decode_act(act: ActType, calldata: bytes) -> dict[str, Any]:
    """Arguments of a call of `act`. Raises Undecodable."""
    return decode_fields(act.fields, calldata[4:])
