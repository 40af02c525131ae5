"""What the auditor brings: the trust file, the head of the last audit, and the level that follows.

Only this can add trust. Heads signed by witnesses may lie in the bundle, but whose signature counts is written in the
trust file alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .canonical import parse
from .chain import ChainReader
from .container import Container
from .faults import Malformed
from .hashing import keccak, recover_from_65
from .manifest import Manifest, hex_bytes
from .report import Report

WITNESSED = "witness/heads.json"


@dataclass(frozen=True, slots=True)
class Head:
    """A block, and the evidence log's head when it was seen, as somebody outside remembers them."""

    number: int
    hash: bytes
    log_size: int | None
    log_root: bytes | None
    signatures: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """The auditor's own knowledge. Everything is optional; what is absent is not checked against."""

    chain_id: int | None = None
    genesis_hash: bytes | None = None
    nonce: str | None = None
    contracts: Mapping[str, bytes] | None = None
    code_hashes: Mapping[str, bytes] | None = None
    heads: tuple[Head, ...] = ()
    witnesses: Mapping[str, bytes] | None = None
    threshold: int = 1


def head_text(chain_id: int, head: Head) -> str:
    """The text a witness signs (EIP-191, as wallets sign messages)."""
    log = f"{head.log_size} 0x{head.log_root.hex()}" if head.log_root is not None else "-"
    return f"scf-audit head/1\nchain {chain_id}\nblock {head.number}\nhash 0x{head.hash.hex()}\nlog {log}\n"


def head_digest(chain_id: int, head: Head) -> bytes:
    """Digest of `head_text` under EIP-191."""
    text = head_text(chain_id, head).encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text)


def _int(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed(place, "a whole number was expected")
    return value


def read_head(source: object, place: str) -> Head:
    """A head from JSON, or the closing head of an earlier report. Raises Malformed."""
    if isinstance(source, dict) and source.get("format") == "scf-audit-report/1":
        scope = source.get("scope", {})
        source = {"number": scope.get("last_block"), "hash": scope.get("last_hash"), "log": scope.get("log")}
    if not isinstance(source, dict):
        raise Malformed(place, "a head is an object with number and hash")
    log = source.get("log")
    signatures = source.get("signatures", [])
    if not (log is None or isinstance(log, dict)) or not isinstance(signatures, list):
        raise Malformed(place, "“log” or “signatures” is of the wrong kind")
    pairs = []
    for entry in signatures:
        if not isinstance(entry, dict):
            raise Malformed(place, "a signature is an object with witness and signature")
        pairs.append((str(entry.get("witness", "")), hex_bytes(entry.get("signature"), 65, place)))
    return Head(
        number=_int(source.get("number"), place),
        hash=hex_bytes(source.get("hash"), 32, place),
        log_size=_int(log.get("size"), place) if log else None,
        log_root=hex_bytes(log.get("root"), 32, place) if log else None,
        signatures=tuple(pairs),
    )


def read_trust(source: Mapping[str, Any] | str | Path | None) -> Trust:
    """The trust file. Raises Malformed."""
    if source is None:
        return Trust()
    if isinstance(source, str | Path):
        source = load_json(Path(source))
    place = "trust"
    if not isinstance(source, Mapping):
        raise Malformed(place, "an object was expected")
    unknown = set(source) - {
        "chain_id", "genesis_hash", "nonce", "contracts", "code_hashes", "heads", "witnesses", "witness_threshold",
    }  # fmt: skip
    if unknown:
        raise Malformed(place, f"unknown entry {sorted(unknown)[0]!r}")

    def addresses(key: str, size: int) -> dict[str, bytes] | None:
        entries = source.get(key)
        if entries is None:
            return None
        if not isinstance(entries, dict):
            raise Malformed(place, f"“{key}” is not an object")
        return {name: hex_bytes(str(value).lower(), size, place) for name, value in entries.items()}

    genesis, nonce = source.get("genesis_hash"), source.get("nonce")
    return Trust(
        chain_id=_int(source["chain_id"], place) if "chain_id" in source else None,
        genesis_hash=hex_bytes(genesis, 32, place) if genesis is not None else None,
        nonce=str(nonce) if nonce is not None else None,
        contracts=addresses("contracts", 20),
        code_hashes=addresses("code_hashes", 32),
        heads=tuple(read_head(entry, place) for entry in source.get("heads", [])),
        witnesses=addresses("witnesses", 20),
        threshold=max(1, _int(source.get("witness_threshold", 1), place)),
    )


def load_json(path: Path) -> Any:
    """JSON from a file the auditor brings. Raises Malformed."""
    try:
        return parse(path.read_bytes(), path.name)
    except OSError as error:
        raise Malformed(path.name, f"cannot be read: {error}") from None


def check_trust(trust: Trust, manifest: Manifest, report: Report) -> None:
    """Chain, genesis, contract addresses and challenge are the ones the auditor knows."""
    check, scope = report.check("trust"), manifest.scope
    if trust.chain_id is not None:
        check.expect("trust_chain", "chain id", trust.chain_id, scope.chain_id)
    if trust.genesis_hash is not None:
        check.expect("trust_genesis", "genesis", trust.genesis_hash, scope.genesis_hash)
    for name, address in (trust.contracts or {}).items():
        check.expect("trust_contract", name, address, scope.contracts.get(name, b""))
    if trust.nonce is not None:
        if manifest.nonce is None:
            check.unprovable("nonce_missing", "manifest.json", trust.nonce)
        else:
            check.expect("nonce", "manifest.json", trust.nonce, manifest.nonce)
    if not check.ran and not check.unproved:
        check.unprovable("no_trust", "trust", demanded=False)


def check_heads(
    heads: Sequence[Head], chain: ChainReader, log_roots: Mapping[int, bytes], check_id: str, report: Report
) -> None:
    """Each remembered head lies on this chain, and its evidence head on this log."""
    check = report.check(check_id)
    first = chain.first.number if chain.first else 0
    for head in heads:
        record = f"block {head.number}"
        if 0 <= head.number - first < len(chain.hashes):
            check.expect("head_hash", record, head.hash, chain.hashes[head.number - first])
        else:
            check.unprovable("head_outside", record, head.hash)
        if head.log_size is not None:
            if head.log_size in log_roots:
                check.expect("head_log", f"evidence log {head.log_size}", head.log_root, log_roots[head.log_size])
            else:
                check.unprovable("head_log_outside", f"evidence log {head.log_size}", head.log_root)


def witnessed_heads(trust: Trust, container: Container) -> tuple[Head, ...]:
    """Heads with signatures from the trust file and from the bundle. Raises Malformed."""
    heads = list(trust.heads)
    if WITNESSED in container.sizes:
        entries = parse(container.read(WITNESSED), WITNESSED)
        if not isinstance(entries, list):
            raise Malformed(WITNESSED, "a list was expected")
        heads += [read_head(entry, WITNESSED) for entry in entries]
    return tuple(heads)


def check_witnesses(trust: Trust, heads: Sequence[Head], chain_id: int, report: Report) -> int | None:
    """Highest block that enough known witnesses signed; None when there is none."""
    check = report.check("witnesses")
    highest: int | None = None
    for head in heads:
        digest, valid = head_digest(chain_id, head), set()
        for name, signature in head.signatures:
            known = (trust.witnesses or {}).get(name)
            if known is None:
                check.unprovable("witness_unknown", f"block {head.number} {name}", demanded=False)
                continue
            signer = recover_from_65(digest, signature)
            if check.expect("witness_signature", f"block {head.number} {name}", known, signer or b""):
                valid.add(known)
        if len(valid) >= trust.threshold:
            highest = head.number if highest is None else max(highest, head.number)
    if highest is None:
        check.unprovable("no_witnesses", "heads", trust.threshold, 0, demanded=False)
    return highest
