"""Writes a bundle of format `scf-audit/1`: the whole chain, proofs at the closing block, the evidence log, the sources.

Nothing is selected: all blocks from genesis to the closing block, all transactions, all receipts. What the bundle says
about itself (manifest, control totals) is there to be checked by `scf.audit.verifier`, not to be believed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from scf.audit.tally import Tally
from scf.audit.verifier import canonical, merkle, rlp_codec
from scf.audit.verifier.chain import ChainReader
from scf.audit.verifier.register import Register
from scf.audit.verifier.report import Report
from scf.audit.verifier.storage import Slot, expected_slots, layout_of
from scf.audit.verifier.walker import Walker
from scf.kernel.problems import Problem
from scf.ledger.contracts import CONTRACTS, Contracts
from scf.ledger.protocol import Ledger
from scf.ledger.signing import canonical as canonical_address
from scf.ledger.signing import checksum
from scf.ledger.types import Header

FORMAT = "scf-audit/1"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # no clock in the bundle: the same content gives the same bytes

Progress = Callable[[int, int], None]
Leaves = Iterable[bytes] | Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Source:
    """A document as received. `leaf` is its place in the evidence log and `entry` the bytes that leaf stands for."""

    name: str
    raw: bytes
    leaf: int | None = None
    entry: bytes | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A finished bundle: where it is, its manifest, and the manifest's SHA-256 in hexadecimal."""

    path: Path
    manifest: Mapping[str, Any]
    digest: str


def write(
    ledger: Ledger,
    contracts: Contracts,
    out: Path,
    *,
    evidence: Leaves | None = None,
    sources: Iterable[Source] | None = None,
    nonce: str | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write the bundle of everything up to the present head.

    Args:
        ledger: the chain; only read.
        contracts: the four contracts of the installation.
        out: a folder that does not exist yet or is empty, or the name of a `.zip` file.
        evidence: hashes of all leaves of the evidence log in order, or a function that gives them.
        sources: documents as received, to be laid beside.
        nonce: the auditor's challenge, so that the bundle cannot be an old one.
        progress: called with (blocks written, blocks in all).

    Raises Problem `audit_target_exists`, and what the ledger raises.
    """
    out = Path(out)
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise Problem("audit_target_exists", path=str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".scf-audit-", dir=out.parent) as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        manifest = _fill(folder, ledger, contracts, evidence, sources, nonce, progress)
        digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        if out.suffix == ".zip":
            archive = Path(scratch) / "bundle.zip"
            _zip(folder, archive)
            archive.replace(out)
        else:
            if out.exists():
                out.rmdir()
            shutil.move(folder, out)
    return Written(out, manifest, digest)


def _fill(
    folder: Path,
    ledger: Ledger,
    contracts: Contracts,
    evidence: Leaves | None,
    sources: Iterable[Source] | None,
    nonce: str | None,
    progress: Progress | None,
) -> dict[str, Any]:
    closing = ledger.head()
    genesis = ledger.header(0)
    transactions = _chain(folder / "chain", ledger, closing, progress)
    tally = Tally()
    for log in ledger.logs(0, closing.number, list(contracts.addresses.values())):
        event = contracts.decode(log)
        if event is not None:
            tally.add(event)
    _interface(folder / "abi", contracts)
    plain = {name: canonical_address(address) for name, address in contracts.addresses.items()}
    register = _register(folder / "chain", plain, ledger.chain_id)
    _state(folder / "state", ledger, contracts, closing, register)
    log_head = _log(folder / "log", evidence)
    _sources(folder / "sources", sources)
    readme = resources.files("scf.audit").joinpath("bundle_readme.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(readme, encoding="utf-8")
    manifest = {
        "format": FORMAT,
        "software": {"name": "scf", "version": metadata.version("scf")},
        "nonce": nonce,
        "engine": engine_of(ledger),
        "scope": {
            "chain_id": ledger.chain_id,
            "genesis_hash": _hex(genesis.hash),
            "first_block": 0,
            "last_block": closing.number,
            "last_hash": _hex(closing.hash),
            "last_timestamp": closing.timestamp,
            "contracts": {name: address.lower() for name, address in contracts.addresses.items()},
        },
        "totals": tally.totals(),
        "counts": tally.counts(closing.number + 1, transactions),
        "log": log_head,
        "files": _files(folder),
    }
    (folder / "manifest.json").write_bytes(canonical.encode(manifest))
    return manifest


def engine_of(ledger: Ledger) -> dict[str, str]:
    """What a replay must know of the engine: its kind, and the rules it runs by where these are ours to say."""
    if type(ledger).__module__.startswith("scf.ledger.embedded"):
        return {"kind": "embedded", "fork": "paris"}
    return {"kind": "rpc"}


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _chain(folder: Path, ledger: Ledger, closing: Header, progress: Progress | None) -> int:
    """Headers, bodies and receipts, one item a block; returns the number of transactions."""
    folder.mkdir()
    transactions = 0
    with (
        (folder / "headers.rlp").open("wb") as headers,
        (folder / "bodies.rlp").open("wb") as bodies,
        (folder / "receipts.rlp").open("wb") as receipts,
    ):
        for number in range(closing.number + 1):
            block = ledger.block(number)
            headers.write(block.header.rlp)
            bodies.write(rlp_codec.encode(list(block.transactions)))
            receipts.write(rlp_codec.encode(list(block.receipts)))
            transactions += len(block.transactions)
            if progress is not None:
                progress(number + 1, closing.number + 1)
    return transactions


def _interface(folder: Path, contracts: Contracts) -> None:
    folder.mkdir()
    for name in CONTRACTS:
        text = json.dumps(list(contracts.handle(name).artifact.abi), ensure_ascii=False, indent=1, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _state(folder: Path, ledger: Ledger, contracts: Contracts, closing: Header, register: Register) -> None:
    """Proofs of the contracts, of every sender and of every slot the register says something about.

    Where the engine offers no proofs nothing is written; the bundle is then not provable, and the verifier says so.
    """
    pool: set[bytes] = set()
    accounts = {}

    def value(slot: Slot) -> int:
        return ledger.proof(contracts.addresses[slot.contract], [slot.slot], at=closing.number).slots[0].value

    try:
        layout = layout_of(value, register)
        slots: dict[str, list[int]] = {name: [] for name in CONTRACTS}
        for slot in expected_slots(register, layout) if layout is not None else ():
            slots[slot.contract].append(slot.slot)
        for name, address in contracts.addresses.items():
            proof = ledger.proof(address, slots[name], at=closing.number)
            pool.update(proof.account_proof, *(slot.proof for slot in proof.slots))
            accounts[name] = {
                "address": address.lower(),
                "storage_root": _hex(proof.storage_root),
                "code_hash": _hex(proof.code_hash),
            }
        for sender in register.nonces:
            pool.update(ledger.proof(checksum(sender), at=closing.number).account_proof)
    except Problem:
        return
    folder.mkdir()
    content = {"block": closing.number, "state_root": _hex(closing.state_root), "accounts": accounts}
    (folder / "closing.json").write_bytes(canonical.encode(content))
    (folder / "nodes.rlp").write_bytes(b"".join(sorted(pool)))


def _register(folder: Path, scope: Mapping[str, bytes], chain_id: int) -> Register:
    """The register as the verifier will rebuild it from the files just written; tells which slots to prove."""
    report = Report()
    register = Register(report, scope, chain_id)
    walker = Walker(register)
    headers, bodies, receipts = ((folder / f"{name}.rlp").read_bytes() for name in ("headers", "bodies", "receipts"))
    for block in ChainReader(headers, bodies, receipts, report).blocks():
        walker.walk(block)
    return register


def _log(folder: Path, evidence: Leaves | None) -> dict[str, Any] | None:
    """Leaf hashes in order; returns the head over them."""
    if evidence is None:
        return None
    folder.mkdir()
    frontier = merkle.Frontier()
    with (folder / "leaves.bin").open("wb") as stream:
        for leaf in evidence() if callable(evidence) else evidence:
            if len(leaf) != 32:
                raise ValueError("a leaf hash has 32 bytes")
            frontier.append(leaf)
            stream.write(leaf)
    return {"size": frontier.size, "root": _hex(frontier.root())}


def _sources(folder: Path, sources: Iterable[Source] | None) -> None:
    if sources is None:
        return
    folder.mkdir()
    index = []
    for number, source in enumerate(sources):
        safe = _UNSAFE.sub("_", source.name)[-80:].strip("._-") or "document"
        path = f"sources/{number:06d}-{safe}"
        (folder.parent / path).write_bytes(source.raw)
        entry = None if source.entry is None else source.entry.decode("utf-8")
        index.append({"path": path, "name": source.name, "leaf": source.leaf, "entry": entry})
    (folder / "index.json").write_bytes(canonical.encode(index))


def _files(folder: Path) -> list[dict[str, Any]]:
    entries = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            name = path.relative_to(folder).as_posix()
            entries.append({"path": name, "sha256": digest, "size": path.stat().st_size})
    return sorted(entries, key=lambda entry: str(entry["path"]))


def _zip(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as stream, target.open(info, "w", force_zip64=True) as entry:
                    shutil.copyfileobj(stream, entry)
