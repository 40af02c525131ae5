"""The SQLite file: trie nodes by hash, headers, transactions with receipts, and logs indexed as they are committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scf.kernel.private import private_file
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak

SCHEMA_VERSION = 1
PLACES = "tx_place"
"""Index of the transactions' hashes by place, so that reading logs does not read what made them."""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS node(hash BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS block(number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, rlp BLOB NOT NULL,
  timestamp INTEGER NOT NULL, gas_used INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tx(block INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE,
  raw BLOB NOT NULL, receipt BLOB NOT NULL, succeeded INTEGER NOT NULL, gas_used INTEGER NOT NULL,
  created TEXT, revert_data BLOB NOT NULL, PRIMARY KEY(block, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log(block INTEGER NOT NULL, position INTEGER NOT NULL, tx INTEGER NOT NULL,
  address BLOB NOT NULL, topics BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY(block, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS {PLACES} ON tx(block, position, hash);
"""

Rows = Sequence[tuple[Any, ...]]


@contextmanager
def clear_sentences(path: str) -> Iterator[None]:
    """Turn SQLite's errors into Problems a person understands: full disk, unreadable file, corruption."""
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's message quotes what is damaged
        raise Problem("ledger_file_corrupt", path=path, detail="text in it is not readable") from error
    except sqlite3.Error as error:
        text, code = str(error), getattr(error, "sqlite_errorname", "") or ""
        if code.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC")) or "full" in text:
            raise Problem("ledger_disk_full", path=path) from error
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "malformed" in text or "not a database" in text:
            raise Problem("ledger_file_corrupt", path=path, detail=text) from error
        if text.startswith(("no such column", "no such table", "Could not decode", "unsupported file format")):
            raise Problem("ledger_file_corrupt", path=path, detail=text) from error
        if code.startswith("SQLITE_CANTOPEN"):
            raise Problem("ledger_file_unreadable", path=path, detail=text) from error
        if code.startswith("SQLITE_READONLY"):
            raise Problem("ledger_file_unreadable", path=path, detail=text) from error
        raise


class Connection:
    """One SQLite connection of the ledger's file, tuned and with readable errors."""

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self.path = path
        with clear_sentences(path):
            mode = "ro" if read_only else "rwc"
            if path != ":memory:" and not read_only:
                private_file(Path(path))
            uri = ":memory:" if path == ":memory:" else f"file:{quote(str(Path(path).absolute()))}?mode={mode}"
            self.sql = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
            if not read_only:
                self.sql.execute("PRAGMA journal_mode=WAL")
                self.sql.execute("PRAGMA synchronous=FULL")
            self.sql.execute("PRAGMA cache_size=-6000")
            self.sql.execute("PRAGMA temp_store=MEMORY")

    def create(self) -> None:
        """Create the tables where they are not there yet."""
        with clear_sentences(self.path):
            self.sql.executescript(_SCHEMA)

    def meta(self) -> dict[str, str]:
        """Chain id, schema version and genesis as stored; empty for a new file."""
        with clear_sentences(self.path):
            tables = self.sql.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()
            return dict(self.sql.execute("SELECT key, value FROM meta").fetchall()) if tables[0] else {}

    def rows(self, query: str, arguments: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with clear_sentences(self.path):
            return self.sql.execute(query, tuple(arguments)).fetchall()

    def row(self, query: str, arguments: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """First row of a query."""
        with clear_sentences(self.path):
            found: tuple[Any, ...] | None = self.sql.execute(query, tuple(arguments)).fetchone()
            return found

    def close(self) -> None:
        """Close the connection."""
        self.sql.close()


class NodeReader:
    """Trie nodes and code by hash, with a bounded cache; every node read from the file is checked against its hash."""

    def __init__(self, connection: Connection, cache_bytes: int = 24_000_000) -> None:
        self._connection = connection
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}
        self._young_bytes = 0
        self._half = cache_bytes // 2

    def get(self, key: bytes) -> bytes | None:
        """The node, or None. Raises Problem `ledger_file_corrupt` when its bytes do not hash to its key."""
        body = self._young.get(key)
        if body is not None:
            return body
        body = self._old.get(key)
        if body is None:
            row = self._connection.row("SELECT body FROM node WHERE hash = ?", (key,))
            if row is None:
                return None
            body = bytes(row[0])
            if keccak(body) != key:
                raise Problem("ledger_file_corrupt", path=self._connection.path, detail=f"state node {key.hex()}")
        self.remember(key, body)
        return body

    def need(self, key: bytes) -> bytes:
        """The node. Raises Problem `ledger_file_corrupt` when it is not there or its bytes do not hash to its key."""
        body = self.get(key)
        if body is None:
            raise Problem("ledger_file_corrupt", path=self._connection.path, detail=f"state node {key.hex()} is gone")
        return body

    def remember(self, key: bytes, body: bytes) -> None:
        """Keep a node in memory; the older half of the cache goes when it is full."""
        self._young[key] = body
        self._young_bytes += len(body) + 250  # with key and dictionary entry
        if self._young_bytes > self._half:
            self._old, self._young, self._young_bytes = self._young, {}, 0


def commit_block(connection: Connection, block: tuple[Any, ...], nodes: Rows, transactions: Rows, logs: Rows) -> None:
    """Write one block as one durable SQL transaction: everything or nothing."""
    sql = connection.sql
    with clear_sentences(connection.path):
        sql.execute("BEGIN IMMEDIATE")
        try:
            sql.executemany("INSERT OR IGNORE INTO node VALUES(?,?)", nodes)
            sql.executemany("INSERT INTO tx VALUES(?,?,?,?,?,?,?,?,?)", transactions)
            sql.executemany("INSERT INTO log VALUES(?,?,?,?,?,?)", logs)
            sql.execute("INSERT INTO block VALUES(?,?,?,?,?)", block)
            sql.execute("COMMIT")
        except BaseException:
            if sql.in_transaction:
                sql.execute("ROLLBACK")
            raise
