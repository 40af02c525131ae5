"""Compiled contracts as they were built: `artifacts/*.json` beside this module."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.codec import ErrorCodec, EventCodec, Function, Tuple


@dataclass(frozen=True)
class Artifact:
    """One compiled contract with its codecs."""

    name: str
    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes
    deployed_bytecode: bytes
    source_hash: str
    functions: Mapping[str, Function]
    events: Mapping[bytes, EventCodec]
    errors: Mapping[bytes, ErrorCodec]
    constructor: Tuple


@cache
def artifacts() -> Mapping[str, Artifact]:
    """All compiled contracts by name."""
    found: dict[str, Artifact] = {}
    folder = resources.files("scf.ledger").joinpath("artifacts")
    for file in sorted(folder.iterdir(), key=lambda item: item.name) if folder.is_dir() else ():
        if file.name.endswith(".json"):
            artifact = read_artifact(json.loads(file.read_text(encoding="utf-8")))
            found[artifact.name] = artifact
    return found


def artifact(name: str) -> Artifact:
    """One compiled contract. Raises Problem `ledger_no_artifacts`."""
    found = artifacts().get(name)
    if found is None:
        raise Problem("ledger_no_artifacts", name=name)
    return found


def read_artifact(content: Mapping[str, Any]) -> Artifact:
    """An artifact from its JSON content."""
    name: str = content["contractName"]
    abi = tuple(content["abi"])
    constructor: list[Any] = next((part["inputs"] for part in abi if part["type"] == "constructor"), [])
    functions: dict[str, Function] = {}
    for part in abi:
        if part["type"] == "function":
            function = Function(name, part)
            functions[function.name if function.name not in functions else function.signature] = function
    events = [EventCodec(name, part) for part in abi if part["type"] == "event"]
    errors = [ErrorCodec(part) for part in abi if part["type"] == "error"]
    return Artifact(
        name=name,
        abi=abi,
        bytecode=bytes.fromhex(content["bytecode"].removeprefix("0x")),
        deployed_bytecode=bytes.fromhex(content["deployedBytecode"].removeprefix("0x")),
        source_hash=str(content.get("sourceHash", "")),
        functions=functions,
        events={event.topic: event for event in events},
        errors={error.selector: error for error in errors},
        constructor=Tuple(constructor, f"{name}.constructor"),
    )
