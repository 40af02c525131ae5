"""The manifest: what the bundle claims to be, and the comparison of its file list with the files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import canonical
from .container import Container
from .faults import Malformed
from .interface import CONTRACTS
from .report import Report

FORMAT = "scf-audit/1"
NAME = "manifest.json"
REQUIRED_FILES = ("chain/headers.rlp", "chain/bodies.rlp", "chain/receipts.rlp")
_HEX = re.compile(r"0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which chain, which blocks, which contracts (lower-case addresses as 20 bytes)."""

    chain_id: int
    genesis_hash: bytes
    first_block: int
    last_block: int
    last_hash: bytes
    last_timestamp: int
    contracts: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that has the right shape; whether it is true is what the checks find out."""

    scope: Scope
    nonce: str | None
    engine: Mapping[str, Any]
    totals: Mapping[str, Any]
    counts: Mapping[str, Any]
    log: Mapping[str, Any] | None
    files: Mapping[str, tuple[str, int]]  # path -> sha256 hex, size
    raw: Mapping[str, Any]


def _take(source: Mapping[str, Any], key: str, kind: type | tuple[type, ...]) -> Any:
    value = source.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise Malformed(NAME, f"“{key}” is missing or of the wrong kind")
    return value


def hex_bytes(text: object, size: int, place: str) -> bytes:
    """Bytes of lower-case 0x text of exactly `size` bytes. Raises Malformed."""
    if not isinstance(text, str) or len(text) != 2 + 2 * size or not _HEX.fullmatch(text):
        raise Malformed(place, f"{size} bytes as 0x and lower-case hexadecimal digits were expected")
    return bytes.fromhex(text[2:])


def _scope(source: Mapping[str, Any]) -> Scope:
    contracts = _take(source, "contracts", dict)
    if sorted(contracts) != sorted(CONTRACTS):
        raise Malformed(NAME, "the four contracts must be named")
    return Scope(
        chain_id=_take(source, "chain_id", int),
        genesis_hash=hex_bytes(source.get("genesis_hash"), 32, NAME),
        first_block=_take(source, "first_block", int),
        last_block=_take(source, "last_block", int),
        last_hash=hex_bytes(source.get("last_hash"), 32, NAME),
        last_timestamp=_take(source, "last_timestamp", int),
        contracts={name: hex_bytes(address, 20, NAME) for name, address in contracts.items()},
    )


def _engine(source: Mapping[str, Any]) -> Mapping[str, Any]:
    if source.get("kind") not in ("embedded", "rpc") or not set(source) <= {"kind", "fork"}:
        raise Malformed(NAME, "the engine is not one that is known")
    return source


def _files(entries: list[Any]) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise Malformed(NAME, "a file entry is not an object")
        path, digest = _take(entry, "path", str), _take(entry, "sha256", str)
        if path in found or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise Malformed(NAME, f"bad entry for file {path[:80]!r}")
        found[path] = (digest, _take(entry, "size", int))
    return found


def read(container: Container) -> Manifest:
    """The manifest of a bundle. Raises Malformed; Absent becomes Malformed too, for without it nothing is a bundle."""
    if NAME not in container.sizes:
        raise Malformed(NAME, "there is none")
    source = canonical.decode(container.read(NAME), NAME)
    if not isinstance(source, dict) or source.get("format") != FORMAT:
        raise Malformed(NAME, f"the format is not {FORMAT}")
    nonce, log = source.get("nonce"), source.get("log")
    if not (nonce is None or isinstance(nonce, str)) or not (log is None or isinstance(log, dict)):
        raise Malformed(NAME, "“nonce” or “log” is of the wrong kind")
    return Manifest(
        scope=_scope(_take(source, "scope", dict)),
        nonce=nonce,
        engine=_engine(_take(source, "engine", dict)),
        totals=_take(source, "totals", dict),
        counts=_take(source, "counts", dict),
        log=log,
        files=_files(_take(source, "files", list)),
        raw=source,
    )


def check_files(manifest: Manifest, container: Container, report: Report) -> None:
    """Every file of the list is there with its size and SHA-256, and no other file is."""
    check = report.check("files")
    for path, (digest, size) in sorted(manifest.files.items()):
        check.count()
        if path not in container.sizes:
            check.unprovable("file_missing", path)
        elif container.sizes[path] != size:
            check.fail("file_size", path, size, container.sizes[path])
        else:
            try:
                found = hashlib.sha256(container.read(path)).hexdigest()
            except Malformed as fault:
                check.fail("file_unreadable", path, "", fault.reason)
                continue
            if found != digest:
                check.fail("file_hash", path, digest, found)
    for path in sorted(set(container.sizes) - set(manifest.files) - {NAME}):
        check.fail("file_unlisted", path)
    for path in REQUIRED_FILES:
        if path not in manifest.files:
            check.unprovable("file_missing", path)
