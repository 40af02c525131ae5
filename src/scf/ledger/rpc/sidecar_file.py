"""The sidecar's file: every block's signed transactions and time, written before the node sees them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from scf.kernel.problems import Problem
from scf.ledger.embedded.lock import FileLock
from scf.ledger.embedded.store import clear_sentences
from scf.ledger.encoding import rlp_decode, rlp_encode
from scf.ledger.hashing import keccak

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal(number INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, transactions BLOB NOT NULL,
  roots BLOB);
"""
_ROOTS = 64


class SidecarFile:
    """One SQLite file that one process writes.

    Args:
        path: created where absent.
        now: time of block 0 of a new file.
        chain_id: must equal the file's; None takes the file's own, or 20260 for a new file.

    Raises Problem `ledger_in_use`, `ledger_wrong_chain`, `ledger_file_unreadable`, `ledger_file_corrupt`,
    `ledger_disk_full`.
    """

    def __init__(self, path: Path, now: int, chain_id: int | None) -> None:
        self._path = str(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path)
        self._sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            with clear_sentences(self._path):
                self.chain_id, self.genesis_timestamp = self._open(now, chain_id)
        except BaseException:
            self.close()
            raise

    def _open(self, now: int, chain_id: int | None) -> tuple[int, int]:
        tables = {name for (name,) in self._sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and "journal" not in tables:
            raise Problem("ledger_file_unreadable", path=self._path, detail="no file of an anvil beside the service")
        self._sql.execute("PRAGMA journal_mode=WAL")
        self._sql.execute("PRAGMA synchronous=FULL")
        if not tables:
            self._sql.executescript(_SCHEMA)
        found = dict(self._sql.execute("SELECT key, value FROM meta").fetchall())
        if not found:
            found = {"chain_id": str(20_260 if chain_id is None else chain_id), "genesis_timestamp": str(now)}
            self._sql.executemany("INSERT INTO meta VALUES(?,?)", list(found.items()))
        try:
            kept, timestamp = int(found["chain_id"]), int(found["genesis_timestamp"])
        except (KeyError, ValueError) as error:
            raise Problem("ledger_file_corrupt", path=self._path, detail="its chain id or first time") from error
        if chain_id is not None and kept != chain_id:
            raise Problem("ledger_wrong_chain", found=kept, expected=chain_id)
        return kept, timestamp

    def add(self, number: int, timestamp: int, raws: Sequence[bytes]) -> None:
        """Write a block that is about to be mined. Raises Problem `ledger_disk_full`."""
        with clear_sentences(self._path):
            self._sql.execute("INSERT INTO journal VALUES(?,?,?,NULL)", (number, timestamp, rlp_encode(list(raws))))

    def mined(self, number: int, timestamp: int, raws: Sequence[bytes], roots: bytes) -> None:
        """Write what became of it: both roots, and a hash of what was written before."""
        with clear_sentences(self._path):
            found = roots + _seal(timestamp, rlp_encode(list(raws)))
            self._sql.execute("UPDATE journal SET roots = ? WHERE number = ?", (found, number))

    def blocks(self) -> Iterator[tuple[int, int, list[bytes], bytes]]:
        """(number, time, transactions, roots or nothing) of every block. Raises Problem `ledger_file_corrupt`."""
        with clear_sentences(self._path), closing(self._sql.cursor()) as cursor:
            expected = 1
            for number, timestamp, packed, kept in cursor.execute("SELECT * FROM journal ORDER BY number"):
                roots, seal = (kept or b"")[:_ROOTS], (kept or b"")[_ROOTS:]
                if number != expected or (seal and seal != _seal(timestamp, packed)):
                    raise self.corrupt(expected)
                try:
                    raws = rlp_decode(packed)
                except (ValueError, TypeError) as error:
                    raise self.corrupt(number) from error
                yield number, timestamp, raws, roots
                expected += 1

    def corrupt(self, number: int) -> Problem:
        """The refusal that names a damaged block."""
        return Problem("ledger_file_corrupt", path=self._path, detail=f"block {number}")

    def close(self) -> None:
        """Let go of the file."""
        self._sql.close()
        self._lock.release()


def _seal(timestamp: int, packed: bytes) -> bytes:
    return keccak(timestamp.to_bytes(8, "big") + packed)
