"""Reading what was committed: headers, blocks, receipts, logs; on its own connection, so it never waits for a block."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.embedded.evm import read_header
from scf.ledger.embedded.store import PLACES, Connection, clear_sentences
from scf.ledger.hashing import keccak
from scf.ledger.merkle import ordered_root
from scf.ledger.signing import canonical, checksum
from scf.ledger.types import Block, Header, Log, Receipt

_PAGE = 5_000
_LOG_COLUMNS = (
    "SELECT l.address, l.topics, l.data, l.block, b.hash, t.hash, l.tx, l.position, b.timestamp FROM log l "
    f"JOIN tx t INDEXED BY {PLACES} ON t.block = l.block AND t.position = l.tx JOIN block b ON b.number = l.block "
)
"""In the order of a `Log`. The index holds the hashes alone; the table holds whole transactions and receipts."""


class Reader:
    """Queries over the committed chain. Raises Problem `ledger_file_corrupt` where a row contradicts its hash."""

    def __init__(self, connection: Connection, lock: threading.RLock) -> None:
        self._connection = connection
        self._lock = lock

    def head(self) -> tuple[Header, int]:
        """Newest header and the gas limit of its block."""
        row = self._row("SELECT rlp, hash FROM block ORDER BY number DESC LIMIT 1")
        if row is None:
            raise Problem("ledger_file_corrupt", path=self._connection.path, detail="no blocks")
        return self._checked(row)

    def header(self, number: int) -> Header:
        """Header of one block. Raises Problem `ledger_unknown_block`."""
        return self.header_and_limit(number)[0]

    def header_and_limit(self, number: int) -> tuple[Header, int]:
        """Header of one block and its gas limit. Raises Problem `ledger_unknown_block`."""
        row = self._row("SELECT rlp, hash FROM block WHERE number = ?", (number,))
        if row is None:
            raise Problem("ledger_unknown_block", number=number)
        return self._checked(row)

    def number_of(self, block_hash: bytes) -> int | None:
        """Number of a block by hash."""
        row = self._row("SELECT number FROM block WHERE hash = ?", (block_hash,))
        return None if row is None else int(row[0])

    def ancestors(self, newest: int) -> Iterator[bytes]:
        """Hashes of block `newest` and the 255 before it, newest first."""
        for number in range(newest, max(newest - 256, -1), -1):
            row = self._row("SELECT hash FROM block WHERE number = ?", (number,))
            if row is None:
                return
            yield row[0]

    def block(self, number: int) -> Block:
        """One block with its raw transactions and canonical receipts, which hash to the header's roots."""
        header = self.header(number)
        rows = self._rows("SELECT raw, receipt FROM tx WHERE block = ? ORDER BY position", (number,))
        whole = all(isinstance(item, bytes) for row in rows for item in row)
        roots = [ordered_root([row[at] for row in rows]) for at in (0, 1)] if whole else []
        if roots != [header.transactions_root, header.receipts_root]:
            raise self._corrupt(f"transactions or receipts of block {number}")
        return Block(header, tuple(row[0] for row in rows), tuple(row[1] for row in rows))

    def transaction(self, transaction_hash: bytes) -> tuple[int, int, bytes] | None:
        """(block, position, raw) of a mined transaction."""
        row = self._row("SELECT block, position, raw FROM tx WHERE hash = ?", (transaction_hash,))
        if row is not None and (not isinstance(row[2], bytes) or keccak(row[2]) != transaction_hash):
            raise self._corrupt(f"transaction {transaction_hash.hex()}")
        return None if row is None else (row[0], row[1], row[2])

    def receipts(self, hashes: Sequence[bytes]) -> dict[bytes, Receipt]:
        """Receipts with their logs, of those transactions that are mined."""
        found: dict[bytes, Receipt] = {}
        wanted = list(dict.fromkeys(hashes))
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            with self._lock:
                rows = self._rows(
                    "SELECT t.hash, t.block, b.hash, t.position, t.succeeded, t.gas_used, t.created, b.timestamp, "
                    "t.revert_data FROM tx t JOIN block b ON b.number = t.block "
                    f"WHERE t.hash IN ({marks})",
                    part,
                )
                logs = self._logs_of(sorted({(row[1], row[3]) for row in rows}))
            for row in rows:
                found[row[0]] = Receipt(
                    transaction_hash=row[0],
                    block_number=row[1],
                    block_hash=row[2],
                    transaction_index=row[3],
                    succeeded=bool(row[4]),
                    gas_used=row[5],
                    logs=tuple(logs.get((row[1], row[3]), ())),
                    contract_address=row[6],
                    timestamp=row[7],
                    revert_data=row[8],
                )
        return found

    def _logs_of(self, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[Log]]:
        found: dict[tuple[int, int], list[Log]] = {}
        blocks: dict[int, set[int]] = {}
        for block, position in places:
            blocks.setdefault(block, set()).add(position)
        for block, positions in blocks.items():
            low, high = min(positions), max(positions)
            rows = self._rows(
                _LOG_COLUMNS + "WHERE l.block = ? AND l.tx BETWEEN ? AND ? ORDER BY l.position", (block, low, high)
            )
            for log in _logs(rows):
                if log.transaction_index in positions:
                    found.setdefault((block, log.transaction_index), []).append(log)
        return found

    def logs(self, first: int, last: int, addresses: Collection[str] | None = None) -> Iterator[Log]:
        """Logs of blocks first..last in order, read page by page."""
        chosen = None if addresses is None else [canonical(address) for address in addresses]
        if chosen is not None and not chosen:
            return
        narrow = "" if chosen is None else f"AND l.address IN ({','.join('?' * len(chosen))}) "
        block, position = first, -1
        while True:
            rows = self._rows(
                _LOG_COLUMNS
                + "WHERE (l.block, l.position) > (?, ?) AND l.block <= ? "
                + narrow
                + f"ORDER BY l.block, l.position LIMIT {_PAGE}",
                (block, position, last, *(chosen or ())),
            )
            yield from _logs(rows)
            if len(rows) < _PAGE:
                return
            block, position = rows[-1][3], rows[-1][7]

    def backup(self, target: str | Path) -> None:
        """Copy the file with SQLite's online backup; a block committed meanwhile is in it whole or not at all."""
        path = str(target)
        with clear_sentences(path), closing(sqlite3.connect(path)) as copy:
            self._connection.sql.backup(copy, pages=2_000)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _checked(self, row: tuple[Any, ...]) -> tuple[Header, int]:
        try:
            header, gas_limit = read_header(row[0])
        except (ValueError, IndexError, TypeError) as error:
            raise self._corrupt("a block's header") from error
        if header.hash != row[1]:
            raise self._corrupt(f"header of block {header.number}")
        return header, gas_limit

    def _corrupt(self, detail: str) -> Problem:
        return Problem("ledger_file_corrupt", path=self._connection.path, detail=detail)

    def _row(self, query: str, arguments: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        with self._lock:
            return self._connection.row(query, arguments)

    def _rows(self, query: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.rows(query, arguments)


def _logs(rows: list[tuple[Any, ...]]) -> Iterator[Log]:
    for address, topics, *rest in rows:
        size = len(topics)
        split = (topics,) if size == 32 else tuple([topics[at : at + 32] for at in range(0, size, 32)])
        yield Log._make((checksum(address), split, *rest))
