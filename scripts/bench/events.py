"""Measures how fast the books are rebuilt: raw logs, decoded, through the handlers of every room, into SQLite.

    python scripts/bench/events.py [--json] [--events 1000000] [--followers 1]

The logs are those of a real programme (issue, accept, passes, acceptances) on the embedded ledger, repeated with other
receivables and notes until there are so many. With `--followers 2` two processes follow the same ledger into the same
database at once; every event must be there once. Figures:
  events_per_s, events_per_s_cpu   events written a second, by wall and by processor time
  rows                             rows of books written, the list of events included
  peak_mib                         most memory held
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.ledger.chains import KEYS  # noqa: E402
from tests.ledger.programme import Programme  # noqa: E402

from scf.app import projection  # noqa: E402
from scf.kernel.clock import VirtualClock  # noqa: E402
from scf.ledger.contracts import Contracts, Event  # noqa: E402
from scf.ledger.embedded.engine import EmbeddedLedger  # noqa: E402
from scf.ledger.hashing import keccak  # noqa: E402
from scf.ledger.journal import MemoryJournal  # noqa: E402
from scf.ledger.relayer import Relayer  # noqa: E402
from scf.ledger.types import Log  # noqa: E402
from scf.store.engine import open_engine  # noqa: E402
from scf.store.schema import create_schema  # noqa: E402

PASSES = 200
START = 1_790_000_000


@dataclass(frozen=True)
class Head:
    """A block as the books see it."""

    number: int
    hash: bytes


class Repeated:
    """A long ledger made of one programme's logs: a block for each repetition of the receivable."""

    def __init__(self, count: int) -> None:
        ledger = EmbeddedLedger(":memory:", VirtualClock(START), chain_id=20_260)
        programme = Programme.start(Relayer(ledger, KEYS[9], MemoryJournal()))
        self.contracts: Contracts = programme.contracts
        logs = ledger.logs(0, ledger.head().number)
        decoded = [log for log in logs if self.contracts.decode(log) is not None]
        self.opening = [log._replace(log_index=position) for position, log in enumerate(decoded)]
        copies = [self._receivable(programme, f"COPY-{number}") for number in (1, 2)]
        self.template, other = copies
        self._words = [self._varying(mine, its) for mine, its in zip(self.template, other, strict=True)]
        self.repetitions = -(-(count - len(self.opening)) // len(self.template))
        self.count = len(self.opening) + self.repetitions * len(self.template)

    @staticmethod
    def _receivable(programme: Programme, invoice: str) -> list[Log]:
        ledger = programme.relayer.ledger
        first = ledger.head().number + 1
        note = programme.issue(10**9, invoice)
        programme.relayer.send(programme.pass_calls(note, PASSES, amount=1_000))
        names = [name for name in programme.keys if name.startswith("s") and name != "s0"]
        calls = [
            (f"{invoice}:{at}", programme.accept_call(programme.child(note, at), names[at % len(names)]))
            for at in range(PASSES)
        ]
        programme.relayer.send(calls)
        return list(ledger.logs(first, ledger.head().number))

    @staticmethod
    def _varying(mine: Log, its: Log) -> tuple[list[int], list[int]]:
        """Places of the topics and data words that are not the same for two receivables."""
        words = range(0, len(mine.data), 32)
        return (
            [at for at, (a, b) in enumerate(zip(mine.topics, its.topics, strict=True)) if a != b],
            [at for at in words if mine.data[at : at + 32] != its.data[at : at + 32]],
        )

    def head(self) -> Head:
        """The newest block."""
        return self.header(self.repetitions)

    def header(self, number: int) -> Head:
        """Any block."""
        return Head(number, keccak(b"block %d" % number))

    def events(self, first: int, last: int) -> Iterator[Event]:
        """Decoded events of some blocks."""
        for number in range(first, last + 1):
            header = self.header(number)
            for log in self.opening if number == 0 else self._copy(number):
                event = self.contracts.decode(log._replace(block_number=number, block_hash=header.hash))
                if event is not None:
                    yield event

    def _copy(self, number: int) -> Iterator[Log]:
        changed: dict[bytes, bytes] = {}

        def other(word: bytes) -> bytes:
            found = changed.get(word)
            if found is None:
                value = int.from_bytes(word, "big")
                fresh = number if value < 1 << 64 else number << 192 | int.from_bytes(keccak(word + header)[:24], "big")
                found = changed[word] = fresh.to_bytes(32, "big")
            return found

        header = number.to_bytes(8, "big")
        for position, (log, (topics, words)) in enumerate(zip(self.template, self._words, strict=True)):
            data = bytearray(log.data)
            for at in words:
                data[at : at + 32] = other(log.data[at : at + 32])
            yield log._replace(
                topics=tuple(other(topic) if at in topics else topic for at, topic in enumerate(log.topics)),
                data=bytes(data),
                log_index=position,
                transaction_hash=keccak(header + log.transaction_hash),
                timestamp=START + 10 * number,
            )


def follow(path: str, count: int) -> dict[str, Any]:
    """Follow the ledger into the database at `path`."""
    source, engine = Repeated(count), open_engine(f"sqlite:///{path}")
    create_schema(engine)
    books, wall, cpu = projection(20_260), time.perf_counter(), time.process_time()
    followed = books.catch_up(engine, source)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "events": source.count,
        "applied": followed.applied,
        "quarantined": followed.quarantined,
        "seconds": round(wall, 2),
        "seconds_cpu": round(cpu, 2),
        "peak_mib": round(peak, 1),
    }


def check(path: str, count: int) -> int:
    """Every event once, and every note; returns the number of rows in all books."""
    sql = sqlite3.connect(path)
    tables = [row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE name LIKE 'book_%' AND type='table'")]
    rows = {table: sql.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}
    places = sql.execute("SELECT count(*) FROM (SELECT DISTINCT block_hash, log_index FROM book_event)").fetchone()[0]
    assert rows["book_event"] == places == count, rows
    assert rows["book_quarantine"] == 0, rows
    assert rows["book_note"] == rows["book_receivable"] * (PASSES + 1), rows
    return sum(rows.values())


def measured(count: int, followers: int, run: Sequence[str]) -> dict[str, Any]:
    """Run the followers side by side in processes of their own and check what they wrote."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "books.db")
        create_schema(open_engine(f"sqlite:///{path}"))
        command = [sys.executable, *run, "--events", str(count), "--only", path]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(followers)]
        found = [json.loads(process.communicate()[0]) for process in running]
        events = found[0]["events"]
        wall, cpu = max(one["seconds"] for one in found), sum(one["seconds_cpu"] for one in found)
        assert sum(one["applied"] for one in found) == events, found
        return {
            "events": events,
            "followers": followers,
            "events_per_s": round(events / wall),
            "events_per_s_cpu": round(events / cpu),
            "applied": [one["applied"] for one in found],
            "rows": check(path, events),
            "peak_mib": max(one["peak_mib"] for one in found),
            "file_mib": round(Path(path).stat().st_size / 2**20, 1),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--followers", type=int, default=1)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(follow(options.only, options.events)))
        return
    found = measured(options.events, options.followers, [__file__])
    print(json.dumps(found) if options.json else "\n".join(f"{key:20} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
