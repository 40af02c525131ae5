"""Integrity of an embedded chain: headers, roots, receipts, logs and state nodes; the first bad block is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.embedded.evm import read_header
from scf.ledger.embedded.store import Connection, NodeReader
from scf.ledger.encoding import rlp_decode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT, ordered_root

_EMPTY_CODE = keccak(b"")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong where; `block` is None when it cannot be tied to one."""

    block: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Result of a check. `first_bad` is None when everything is in order."""

    blocks: int
    transactions: int
    nodes: int
    first_bad: Finding | None


def verify_file(path: str | Path, *, progress: Callable[[int], None] = lambda _: None) -> Verified:
    """Check a ledger file from genesis to head, and the newest state node by node.

    Signed transactions are re-hashed against the roots, receipts and the log index against the receipts root, headers
    against each other, and every node of the newest state against its hash. Blocks are not executed again: that is
    what a replay does. Raises Problem `ledger_file_unreadable` or `ledger_file_corrupt` when it cannot even be read.
    """
    connection = Connection(str(path), read_only=True)
    try:
        return _Check(connection, progress).run()
    finally:
        connection.close()


class _Check:
    def __init__(self, connection: Connection, progress: Callable[[int], None]) -> None:
        self._connection = connection
        self._progress = progress
        self._transactions = 0
        self._nodes = 0

    def run(self) -> Verified:
        meta = self._connection.meta()
        if "genesis" not in meta:
            raise Problem("ledger_file_unreadable", path=self._connection.path, detail="no chain in it")
        number, parent = 0, b"\0" * 32
        last: Any = None
        while True:
            try:
                row = self._connection.row("SELECT rlp, hash, timestamp FROM block WHERE number = ?", (number,))
                if row is None:
                    break
                what = self._block(number, parent, row, meta["genesis"])
                last = None if what else read_header(row[0])[0]
            except Exception as error:  # a damaged row can fail in any way; all of them mean the same
                what = f"cannot be read: {error}"
            if what:
                return Verified(number, self._transactions, self._nodes, Finding(number, what))
            parent = last.hash
            self._progress(number)
            number += 1
        beyond = self._connection.row("SELECT count(*) FROM tx WHERE block >= ?", (number,))
        if last is None or (beyond and beyond[0]):
            return Verified(number, self._transactions, self._nodes, Finding(number, "the block itself is missing"))
        try:
            self._state(last.state_root)
        except Exception as error:
            finding = Finding(self._oldest_user(str(error)), f"state: {error}")
            return Verified(number, self._transactions, self._nodes, finding)
        return Verified(number, self._transactions, self._nodes, None)

    def _block(self, number: int, parent: bytes, row: tuple[Any, ...], genesis: str) -> str:
        try:
            header, _ = read_header(row[0])
        except Exception:
            return "its header is unreadable"
        if header.hash != row[1] or (number == 0 and header.hash.hex() != genesis):
            return "its header does not have the stored hash"
        if header.number != number or header.parent_hash != parent or header.timestamp != row[2]:
            return "it does not follow the block before it"
        found = self._connection.rows(
            "SELECT hash, raw, receipt, succeeded, gas_used FROM tx WHERE block = ? ORDER BY position", (number,)
        )
        if ordered_root([item[1] for item in found]) != header.transactions_root:
            return "its transactions differ from the transactions root"
        if any(keccak(item[1]) != item[0] for item in found):
            return "a transaction is stored under another hash"
        if ordered_root([item[2] for item in found]) != header.receipts_root:
            return "its receipts differ from the receipts root"
        self._transactions += len(found)
        return self._index(number, found)

    def _index(self, number: int, found: list[tuple[Any, ...]]) -> str:
        """The columns made for fast reading must say what the receipts say."""
        expected, total = [], 0
        for position, (_, _, receipt, succeeded, gas_used) in enumerate(found):
            status, cumulative, _, logs = rlp_decode(receipt if receipt[0] >= 0xC0 else receipt[1:])
            if bool(status) != bool(succeeded) or int.from_bytes(cumulative, "big") - total != gas_used:
                return "its receipt index differs from the receipts"
            total = int.from_bytes(cumulative, "big")
            expected += [(position, address, b"".join(topics), data) for address, topics, data in logs]
        stored = self._connection.rows(
            "SELECT tx, address, topics, data FROM log WHERE block = ? ORDER BY position", (number,)
        )
        return "" if stored == expected else "its log index differs from the receipts"

    def _state(self, root: bytes) -> None:
        reader = NodeReader(self._connection, cache_bytes=1_000_000)
        for body in self._walk(reader, root):
            nonce_to_code = rlp_decode(body)
            if nonce_to_code[3] != _EMPTY_CODE and reader.get(nonce_to_code[3]) is None:
                raise ValueError(f"code {nonce_to_code[3].hex()} is missing")
            for _ in self._walk(reader, nonce_to_code[2]):
                pass

    def _walk(self, reader: NodeReader, root: bytes) -> Any:
        """All values under a trie's root, every node fetched once and so checked against its hash."""
        stack: list[Any] = [] if root == EMPTY_ROOT else [root]
        while stack:
            item = stack.pop()
            if isinstance(item, bytes):
                body = reader.get(item)
                if body is None:
                    raise ValueError(f"node {item.hex()} is missing")
                self._nodes += 1
                item = rlp_decode(body)
            if len(item) == 17:
                stack += [child for child in item[:16] if child]
                if item[16]:
                    yield item[16]
            elif item[0][0] & 0x20:
                yield item[1]
            else:
                stack.append(item[1])

    def _oldest_user(self, text: str) -> int | None:
        """The newest block whose state root is the damaged node itself, if it is one."""
        for word in text.split():
            if len(word.strip(").")) == 64:
                key = bytes.fromhex(word.strip(")."))
                for number, encoded in self._connection.rows("SELECT number, rlp FROM block ORDER BY number DESC"):
                    if read_header(encoded)[0].state_root == key:
                        return int(number)
        return None
