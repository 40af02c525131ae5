"""An operator who rewrites history and makes every hash fit again: roots, filters, headers, the manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import rlp
from tests.audit.world import RELAYER

from scf.audit.verifier import canonical
from scf.audit.verifier.chain import ChainReader
from scf.audit.verifier.hashing import keccak
from scf.audit.verifier.register import Register
from scf.audit.verifier.report import Report
from scf.audit.verifier.totals import counts_of, totals_of
from scf.audit.verifier.tries import ordered_root
from scf.audit.verifier.walker import Walker
from scf.ledger.merkle import bloom_of
from scf.ledger.transactions import decode_transaction, sign_transaction


def fix_manifest(folder: Path, **changes: Any) -> None:
    """Make the file list true again and change what the manifest says."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for name, value in changes.items():
        if isinstance(value, dict):
            manifest[name] = {**manifest[name], **value}
        else:
            manifest[name] = value
    files = []
    for entry in sorted(folder.rglob("*")):
        if entry.is_file() and entry != path:
            raw = entry.read_bytes()
            name = entry.relative_to(folder).as_posix()
            files.append({"path": name, "sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)})
    manifest["files"] = sorted(files, key=lambda item: item["path"])
    path.write_bytes(canonical.encode(manifest))


def _items(data: bytes) -> list[Any]:
    found, at = [], 0
    while at < len(data):
        item, _, at = rlp.codec.consume_item(data, at)
        found.append(item)
    return found


class Forge:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        chain = folder / "chain"
        self.headers = [list(item) for item in _items((chain / "headers.rlp").read_bytes())]
        self.bodies = [list(item) for item in _items((chain / "bodies.rlp").read_bytes())]
        self.receipts = [[self._open(raw) for raw in item] for item in _items((chain / "receipts.rlp").read_bytes())]

    @staticmethod
    def _open(raw: bytes) -> list[Any]:
        kind = raw[:1] if raw[0] < 0x80 else b""
        status, gas, _, logs = rlp.decode(raw[len(kind) :])
        return [kind, status, gas, [[log[0], list(log[1]), log[2]] for log in logs]]

    @staticmethod
    def _close(receipt: list[Any]) -> tuple[bytes, int]:
        kind, status, gas, logs = receipt
        bloom = bloom_of(value for log in logs for value in (log[0], *log[1]))
        return kind + bytes(rlp.encode([status, gas, bloom.to_bytes(256, "big"), logs])), bloom

    def find(self, topic: bytes, nth: int = 0) -> tuple[int, int, int]:
        """Block, transaction and log of the nth event with that topic."""
        for block, receipts in enumerate(self.receipts):
            for position, receipt in enumerate(receipts):
                for index, log in enumerate(receipt[3]):
                    if log[1][0] == topic:
                        if nth == 0:
                            return block, position, index
                        nth -= 1
        raise AssertionError("no such event")

    def resign(self, block: int, position: int, data: bytes, nonce: int | None = None) -> None:
        """The operator holds the relaying key: a changed transaction gets a good envelope."""
        old = decode_transaction(self.bodies[block][position])
        self.bodies[block][position] = sign_transaction(
            RELAYER,
            chain_id=20_260,
            nonce=old.nonce if nonce is None else nonce,
            to=bytes(old.to),
            data=data,
            gas=old.gas,
        )

    def data(self, block: int, position: int) -> bytes:
        return bytes(decode_transaction(self.bodies[block][position]).data)

    def save(self, *, totals: bool = True, **changes: Any) -> None:
        parent = b""
        bodies, receipts = [], []
        for number, header in enumerate(self.headers):
            closed = [self._close(receipt) for receipt in self.receipts[number]]
            bloom = 0
            for _, one in closed:
                bloom |= one
            if number:
                header[0] = parent
                header[13] = keccak(parent)
            header[4], header[5] = ordered_root(self.bodies[number]), ordered_root([raw for raw, _ in closed])
            header[6] = bloom.to_bytes(256, "big")
            header[8] = number.to_bytes((number.bit_length() + 7) // 8, "big")
            header[10] = self.receipts[number][-1][2] if closed else b""
            parent = keccak(rlp.encode(header))
            bodies.append(rlp.encode(self.bodies[number]))
            receipts.append(rlp.encode([raw for raw, _ in closed]))
        files = {"headers": [rlp.encode(header) for header in self.headers], "bodies": bodies, "receipts": receipts}
        for name, parts in files.items():
            (self.folder / "chain" / f"{name}.rlp").write_bytes(b"".join(parts))
        scope = {
            "last_block": len(self.headers) - 1,
            "last_hash": "0x" + parent.hex(),
            "last_timestamp": int.from_bytes(self.headers[-1][11], "big"),
        }
        if totals:
            changes = {**self._totals(), **changes}
        self._closing()
        fix_manifest(self.folder, scope=scope, **changes)

    def _closing(self) -> None:
        path = self.folder / "state" / "closing.json"
        if path.exists():
            source = json.loads(path.read_bytes())
            source |= {"block": len(self.headers) - 1, "state_root": "0x" + self.headers[-1][3].hex()}
            path.write_bytes(canonical.encode(source))

    def _totals(self) -> dict[str, Any]:
        """Control totals as the forged events give them."""
        manifest = json.loads((self.folder / "manifest.json").read_bytes())
        report = Report()
        addresses = {name: bytes.fromhex(text[2:]) for name, text in manifest["scope"]["contracts"].items()}
        register = Register(report, addresses, manifest["scope"]["chain_id"])
        walker = Walker(register)
        parts = [(self.folder / "chain" / f"{name}.rlp").read_bytes() for name in ("headers", "bodies", "receipts")]
        blocks = 0
        for block in ChainReader(parts[0], parts[1], parts[2], report).blocks():
            walker.walk(block)
            blocks += 1
        return {"totals": totals_of(register), "counts": counts_of(register, blocks, walker.transactions)}
