"""Integrity of an embedded chain: headers, roots, receipts, logs and state nodes; the first bad block is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.embedded.evm import read_header
from scf.ledger.embedded.store import Connection, NodeReader, clear_sentences
from scf.ledger.encoding import rlp_decode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT, ordered_root
from scf.ledger.transactions import created_address, decode_transaction

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


def verify_file(
    path: str | Path, *, genesis: str | None = None, progress: Callable[[int], None] = lambda _: None
) -> Verified:
    """Check a ledger file from genesis to head; every row of every block and every state node that a block added.

    Signed transactions are re-hashed against the roots, receipts and the log index against the receipts root, headers
    against each other, every node and code of every block's state against its hash, and SQLite's own indexes against
    its tables. Blocks are not executed again: that is what a replay does. As much as possible is read of a file that
    SQLite itself refuses, so that the first bad block is named there too.

    Args:
        genesis: hash of block 0 in hexadecimal digits that the chain must begin with; None takes the file's word.

    Raises Problem `ledger_file_unreadable` when it cannot be opened or holds no chain, `ledger_other_genesis`.
    """
    try:
        with clear_sentences(str(path)), closing(Connection(str(path), read_only=True)) as connection:
            connection.sql.execute("PRAGMA writable_schema=ON")  # SQLite then reads on where pages are missing
            return _Check(connection, genesis, progress).run()
    except Problem as problem:
        if problem.code != "ledger_file_corrupt":
            raise
        return Verified(0, 0, 0, Finding(0, f"the file cannot be read: {_said(problem)}"))


class _Check:
    def __init__(self, connection: Connection, genesis: str | None, progress: Callable[[int], None]) -> None:
        self._connection = connection
        self._genesis = genesis
        self._progress = progress
        self._reader = NodeReader(connection, cache_bytes=1_000_000)
        self._transactions = 0
        self._seen: set[bytes] = set()

    def run(self) -> Verified:
        stored = self._connection.meta().get("genesis", "")
        if not stored:
            raise Problem("ledger_file_unreadable", path=self._connection.path, detail="no chain in it")
        number, parent = 0, b"\0" * 32
        while True:
            row: Any = None
            try:
                row = self._connection.row("SELECT rlp, hash, timestamp FROM block WHERE number = ?", (number,))
                if row is None:
                    break
                what = self._block(number, parent, row, stored) or self._state(row[0])
            except Exception as error:  # a damaged row can fail in any way; all of them mean the same
                what = f"cannot be read: {_said(error)}"
            if what:
                return self._found(number, Finding(number, what))
            parent = bytes(row[1])
            self._progress(number)
            number += 1
        if self._genesis and self._genesis != stored:
            raise Problem("ledger_other_genesis", found=stored, expected=self._genesis)
        return self._found(number, self._rest(number))

    def _found(self, blocks: int, finding: Finding | None) -> Verified:
        return Verified(blocks, self._transactions, len(self._seen), finding)

    def _rest(self, number: int) -> Finding | None:
        """What no single block can tell: missing blocks before others, and the file's indexes."""
        try:
            beyond = self._connection.row(
                "SELECT (SELECT count(*) FROM tx WHERE block >= ?1) + (SELECT count(*) FROM block WHERE number > ?1)",
                (number,),
            )
            if not number or (beyond and beyond[0]):
                return Finding(number, "the block itself is missing")
            told = [str(row[0]) for row in self._connection.rows("PRAGMA integrity_check(3)")]
        except Exception as error:
            told = [_said(error)]
        return None if told == ["ok"] else Finding(None, f"the tables or their indexes: {'; '.join(told)}")

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
            "SELECT hash, raw, receipt, succeeded, gas_used, created FROM tx WHERE block = ? ORDER BY position",
            (number,),
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
        for position, (_, raw, receipt, succeeded, gas_used, created) in enumerate(found):
            status, cumulative, _, logs = rlp_decode(receipt if receipt[0] >= 0xC0 else receipt[1:])
            if bool(status) != bool(succeeded) or int.from_bytes(cumulative, "big") - total != gas_used:
                return "its receipt index differs from the receipts"
            if created != (_created(raw) if status else None):
                return "the address of a created contract differs from the transaction's"
            total = int.from_bytes(cumulative, "big")
            expected += [(position, address, b"".join(topics), data) for address, topics, data in logs]
        stored = self._connection.rows(
            "SELECT tx, address, topics, data FROM log WHERE block = ? ORDER BY position", (number,)
        )
        return "" if stored == expected else "its log index differs from the receipts"

    def _state(self, encoded: bytes) -> str:
        """Check every node of this block's state that no block before it had."""
        seen, stack = self._seen, [(read_header(encoded)[0].state_root, True)]
        while stack:
            reference, accounts = stack.pop()
            if isinstance(reference, bytes):
                if reference in seen or reference == EMPTY_ROOT:
                    continue
                try:
                    node = rlp_decode(self._reader.need(reference))
                except Exception as error:
                    return f"state node {reference.hex()}: {_said(error)}"
                seen.add(reference)
            else:
                node = reference
            if len(node) == 17:
                stack += [(child, accounts) for child in node[:16] if child]
            elif not node[0][0] & 0x20:
                stack.append((node[1], accounts))
            elif accounts:
                _, _, storage, code = rlp_decode(node[1])
                stack.append((storage, False))
                if code != _EMPTY_CODE and code not in seen:
                    try:
                        self._reader.need(code)
                    except Exception as error:
                        return f"code {code.hex()}: {_said(error)}"
                    seen.add(code)
        return ""


def _created(raw: bytes) -> str | None:
    """Address of the contract a transaction creates; None for a call."""
    fields = rlp_decode(raw if raw[0] >= 0xC0 else raw[1:])
    if fields[{1: 4, 2: 5}.get(raw[0], 3)]:
        return None
    transaction = decode_transaction(raw)
    return created_address(transaction.sender, transaction.nonce)


def _said(error: Exception) -> str:
    return str(error.facts.get("detail", error.code)) if isinstance(error, Problem) else str(error)
