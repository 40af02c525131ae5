"""The ABI files of a bundle say what the verifier has pinned; nothing is taken from them."""

from __future__ import annotations

from typing import Any

from .abi_codec import Field, signature_of
from .canonical import parse
from .container import Container
from .faults import Malformed
from .interface import ACTS, CONTRACTS, EVENTS
from .report import Report

NEVER_EMITTED = {"EIP712DomainChanged()"}
"""Events of a library that our contracts carry in their ABI and have no way to emit (ERC-5267)."""


def check_interface(container: Container, report: Report) -> None:
    """Compare events (with what is indexed) and acts, contract by contract. Raises Malformed."""
    check = report.check("interface")
    for contract in CONTRACTS:
        path = f"abi/{contract}.json"
        if path not in container.sizes:
            check.unprovable("file_missing", path)
            continue
        entries = parse(container.read(path), path)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Malformed(path, "an ABI is a list of objects")
        _compare(contract, path, entries, report)


def _compare(contract: str, path: str, entries: list[dict[str, Any]], report: Report) -> None:
    check = report.check("interface")
    given = {_event_text(entry) for entry in entries if entry.get("type") == "event"}
    pinned = {_pinned_event(event.name, event.fields) for (name, _), event in EVENTS.items() if name == contract}
    for text in sorted(pinned):
        check.count()
        if text not in given:
            check.fail("event_not_in_abi", path, text, "none")
    for text in sorted(given - pinned - NEVER_EMITTED):
        check.unprovable("event_not_pinned", path, "none", text, demanded=False)
    functions = {_signature(entry) for entry in entries if entry.get("type") == "function"}
    for (name, _), act in ACTS.items():
        if name == contract:
            check.count()
            text = signature_of(act.name, act.fields)
            if text not in functions:
                check.fail("act_not_in_abi", path, text, "none")


def _pinned_event(name: str, fields: tuple[Field, ...]) -> str:
    return f"{name}(" + ",".join(f"{f.type.name}{' indexed' if f.indexed else ''}" for f in fields) + ")"


def _type_text(entry: object) -> str:
    if not isinstance(entry, dict):
        return "?"
    text = str(entry.get("type", "?"))
    if text.startswith("tuple"):
        parts = entry.get("components")
        inner = ",".join(_type_text(part) for part in parts) if isinstance(parts, list) else "?"
        return f"({inner}){text[5:]}"
    return text


def _inputs(entry: dict[str, Any]) -> list[Any]:
    inputs = entry.get("inputs")
    return inputs if isinstance(inputs, list) else []


def _event_text(entry: dict[str, Any]) -> str:
    parts = [
        _type_text(part) + (" indexed" if isinstance(part, dict) and part.get("indexed") else "")
        for part in _inputs(entry)
    ]
    return f"{entry.get('name')}(" + ",".join(parts) + ")"


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry.get('name')}(" + ",".join(_type_text(part) for part in _inputs(entry)) + ")"
