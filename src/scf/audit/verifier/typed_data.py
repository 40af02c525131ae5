"""Typed data a party signs (EIP-712): the digest, computed from the values found in a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .abi_codec import Field, Type, encode_word
from .hashing import keccak

_DOMAIN = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_VERSION = keccak(b"1")


def domain_separator(contract: str, chain_id: int, address: bytes) -> bytes:
    """Separator of the domain `scf <contract>`, version 1."""
    name = keccak(f"scf {contract}".encode())
    return keccak(_DOMAIN + name + _VERSION + chain_id.to_bytes(32, "big") + address.rjust(32, b"\0"))


def digest(separator: bytes, struct_hash: bytes) -> bytes:
    """What is signed."""
    return keccak(b"\x19\x01" + separator + struct_hash)


def _eip712_name(type_: Type) -> str:
    if type_.kind == "array" and type_.element is not None:
        return _eip712_name(type_.element) + "[]"
    return type_.struct or type_.name


def _own_text(name: str, fields: tuple[Field, ...]) -> str:
    return f"{name}(" + ",".join(f"{_eip712_name(field.type)} {field.name}" for field in fields) + ")"


def _referenced(fields: tuple[Field, ...], found: dict[str, tuple[Field, ...]]) -> None:
    for field in fields:
        type_ = field.type
        while type_.kind == "array" and type_.element is not None:
            type_ = type_.element
        if type_.struct and type_.struct not in found:
            found[type_.struct] = type_.fields
            _referenced(type_.fields, found)


def type_hash(name: str, fields: tuple[Field, ...]) -> bytes:
    """Hash of the type's text, referenced structs after it in alphabetical order."""
    others: dict[str, tuple[Field, ...]] = {}
    _referenced(fields, others)
    others.pop(name, None)
    return keccak((_own_text(name, fields) + "".join(_own_text(n, others[n]) for n in sorted(others))).encode())


class Intent:
    """One primary type, its hash computed once."""

    def __init__(self, name: str, fields: tuple[Field, ...]) -> None:
        self.name = name
        self.fields = fields
        self.type_hash = type_hash(name, fields)
        others: dict[str, tuple[Field, ...]] = {}
        _referenced(fields, others)
        self._nested = {struct: (type_hash(struct, inner), inner) for struct, inner in others.items()}

    def struct_hash(self, values: Mapping[str, Any]) -> bytes:
        """The struct hash of EIP-712 over `values`."""
        return self._hash(self.type_hash, self.fields, values)

    def _hash(self, own: bytes, fields: tuple[Field, ...], values: Mapping[str, Any]) -> bytes:
        parts = [own]
        parts += [self._encode(field.type, values[field.name]) for field in fields]
        return keccak(b"".join(parts))

    def _encode(self, type_: Type, value: Any) -> bytes:
        if type_.kind == "struct":
            own, inner = self._nested[type_.struct]
            return self._hash(own, inner, value)
        if type_.kind == "bytes":
            return keccak(value)
        if type_.kind == "array" and type_.element is not None:
            element = type_.element
            return keccak(b"".join([self._encode(element, item) for item in value]))
        return encode_word(type_, value)
