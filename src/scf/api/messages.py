"""Signed messages between JSON and the rooms: numbers come as text, the rooms want them as the types they sign."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.intents import TYPES
from scf.ledger.signing import canonical, checksum

_STRUCT = re.compile(r"(\w+)\(([^)]*)\)")
Fields = Sequence[tuple[str, str]]


def read_message(contract: str, primary_type: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as the rooms take it: whole numbers, checksummed addresses, lower-case 0x text for bytes32.

    Raises Problem `ledger_bad_message` naming the field that does not fit.
    """
    return _struct(_structs(contract, primary_type), primary_type, message)


def read_signatures(signatures: Sequence[str | Sequence[str]], act: str, signers: int) -> list[list[bytes]]:
    """Signature parts of each signer. One signer may give a plain list of parts.

    Raises Problem `signature_not_hex` or `signatures_missing`.
    """
    if signers == 1 and all(isinstance(part, str) for part in signatures):
        groups: list[Sequence[str]] = [[str(part) for part in signatures]]
    else:
        groups = [[group] if isinstance(group, str) else group for group in signatures]
    if len(groups) != signers or not all(groups):
        raise Problem("signatures_missing", act=act, needed=signers, given=len([group for group in groups if group]))
    try:
        return [[bytes.fromhex(part.removeprefix("0x")) for part in group] for group in groups]
    except ValueError as error:
        raise Problem("signature_not_hex") from error


def _structs(contract: str, primary_type: str) -> dict[str, Fields]:
    for text in TYPES.get(contract, ()):
        if text.startswith(primary_type + "("):
            return {
                name: [(kind, field) for kind, field in (part.split(" ") for part in inner.split(","))]
                for name, inner in _STRUCT.findall(text)
            }
    raise Problem("ledger_bad_message", type=primary_type, field="—", detail="unknown type")


def _struct(structs: Mapping[str, Fields], name: str, value: Any) -> dict[str, Any]:
    fields = structs[name]
    names = {field for _, field in fields}
    given = set(value) if isinstance(value, Mapping) else set()
    if given != names:
        odd = ", ".join(sorted(names ^ given))
        raise Problem("ledger_bad_message", type=name, field=odd, detail="missing or unknown field")
    out = {}
    for kind, field in fields:
        try:
            out[field] = _value(structs, kind, value[field])
        except (ValueError, TypeError, AttributeError) as error:
            raise Problem("ledger_bad_message", type=name, field=field, detail=str(error)[:120]) from error
    return out


def _value(structs: Mapping[str, Fields], kind: str, value: Any) -> Any:
    if kind.endswith("[]"):
        if not isinstance(value, list | tuple):
            raise TypeError("a list is needed")
        return [_value(structs, kind[:-2], item) for item in value]
    if kind in structs:
        return _struct(structs, kind, value)
    if kind == "address":
        return checksum(canonical(str(value)))
    if kind == "bytes32":
        raw = bytes.fromhex(str(value).removeprefix("0x"))
        if len(raw) != 32:
            raise ValueError("32 bytes are needed")
        return "0x" + raw.hex()
    if kind == "bool":
        if not isinstance(value, bool):
            raise TypeError("true or false is needed")
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("a whole number is needed")
    number = int(value, 0) if isinstance(value, str) else value
    if not 0 <= number < 2 ** int(kind.removeprefix("uint")):
        raise ValueError("the number is out of range")
    return number
