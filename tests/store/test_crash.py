"""`kill -9` at every step a process takes with its database: nothing is lost, nothing is doubled.

A child process does the work and kills itself with SIGKILL before its n-th statement or commit, for n = 1, 2, 3 … until
it lives to the end; after each death the work is begun again and the outcome must be that of an undisturbed run.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlmodel import Session, select
from tests.store import small_ledger
from tests.store.small_ledger import HolderBook, SmallLedger, issued, passed

from scf.kernel.clock import VirtualClock
from scf.ledger.journal import Entry
from scf.store import evidence, outbox, projection
from scf.store.commands import Replied, begin, finish, once
from scf.store.compare import compare
from scf.store.engine import open_engine
from scf.store.relay_journal import SqlJournal
from scf.store.session import create_schema, reading, run

Work = Callable[[Engine, Path, Callable[[], None]], None]
SENDER = "0x" + "ab" * 20


def _die_at(step: int, engine: Engine) -> Callable[[], None]:
    taken = 0

    def tick(*_: object, **__: object) -> None:
        nonlocal taken
        taken += 1
        if taken == step:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", tick)
    event.listen(engine, "commit", tick)
    return tick


def _child(url: str, folder: Path, work: Work, step: int) -> None:
    engine = open_engine(url)
    work(engine, folder, _die_at(step, engine))
    os._exit(0)


def _lives(url: str, folder: Path, work: Work, step: int) -> bool:
    process = multiprocessing.get_context("fork").Process(target=_child, args=(url, folder, work, step))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode == 0


def _kill_everywhere(tmp_path: Path, work: Work, check: Callable[[Engine, Path], None]) -> int:
    """Run `work` to its death at each step, then to the end, then check; returns the number of deaths."""
    fresh = open_engine(f"sqlite:///{tmp_path}/fresh.db")
    create_schema(fresh)
    fresh.dispose()
    for step in range(1, 400):
        folder = tmp_path / str(step)
        folder.mkdir()
        shutil.copy(tmp_path / "fresh.db", folder / "scf.db")
        url = f"sqlite:///{folder}/scf.db"
        lived = _lives(url, folder, work, step)
        engine = open_engine(url)
        work(engine, folder, lambda: None)
        check(engine, folder)
        engine.dispose()
        if lived:
            return step - 1
    raise AssertionError("the work never came to its end")


def test_a_command_on_this_database(tmp_path: Path) -> None:
    def work(engine: Engine, folder: Path, tick: Callable[[], None]) -> None:
        def effect(session: Session) -> dict[str, int]:
            evidence.record(session, b"raw", kind="csv", source="s", sender="a", trust=evidence.Trust.T1, received_at=1)
            return {"id": outbox.put(session, "mail", {"to": "supplier"}, at=0)}

        assert once(engine, "k", "alpha", {"a": 1}, effect) == {"id": 1}

    def check(engine: Engine, folder: Path) -> None:
        with reading(engine) as session:
            assert outbox.counts(session, "mail").waiting == 1
            assert evidence.size(session) == 1
            assert evidence.first_broken_record(session) is None

    assert _kill_everywhere(tmp_path, work, check) > 8


def test_a_command_whose_effect_is_on_the_ledger(tmp_path: Path) -> None:
    """The ledger here is a file of mined transactions; like a real one it takes a transaction once."""

    def mine(folder: Path, raw: bytes) -> int:
        file = folder / "ledger"
        known = file.read_bytes().splitlines() if file.exists() else []
        if raw in known:
            return known.index(raw)
        assert int(raw.split(b"@")[1]) == len(known), "a nonce was skipped"
        with file.open("ab") as blocks:
            blocks.write(raw + b"\n")
        return len(known)

    def mail(session: Session) -> None:
        outbox.put(session, "mail", {}, at=0)

    def work(engine: Engine, folder: Path, tick: Callable[[], None]) -> None:
        journal = SqlJournal(engine, Entry, lambda raw: hashlib.sha256(raw).digest())
        for number in range(2):
            body = {"pass": number}
            started = begin(
                engine, f"k{number}", "alpha", body, prepare=lambda session: {"seen": evidence.size(session)}
            )
            if isinstance(started, Replied):
                continue
            references = [started.reference, started.reference + "/notice"]
            entries = journal.reserve(7, SENDER, references, 0, lambda r, nonce: f"{r}@{nonce}".encode())
            tick()
            blocks = []
            for entry in entries:
                blocks.append(mine(folder, entry.raw))
                tick()
            journal.mark(7, [(entry.reference, block) for entry, block in zip(entries, blocks, strict=True)])
            finish(engine, f"k{number}", "alpha", {"blocks": blocks}, effect=mail)

    def check(engine: Engine, folder: Path) -> None:
        mined = (folder / "ledger").read_bytes().splitlines()
        assert [int(raw.split(b"@")[1]) for raw in mined] == [0, 1, 2, 3]
        assert len({raw.split(b"@")[0] for raw in mined}) == 4
        assert SqlJournal(engine, Entry, bytes).pending(7, SENDER) == []
        assert begin(engine, "k1", "alpha", {"pass": 1}) == Replied({"blocks": [2, 3]})
        with reading(engine) as session:
            assert outbox.counts(session, "mail").waiting == 2

    assert _kill_everywhere(tmp_path, work, check) > 30


def test_the_books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = SmallLedger()
    ledger.mine(issued(1, "alpha", 100), passed(2, 1, "beta", 30))
    ledger.mine(passed(3, 2, "gamma", 10), passed(4, 99, "nobody", 1), passed(5, 1, "gamma", 5))
    monkeypatch.setattr(projection, "CHUNK_EVENTS", 2)
    replayed = small_ledger.projection().rebuild(ledger.all_events(), ledger.head())

    def work(engine: Engine, folder: Path, tick: Callable[[], None]) -> None:
        small_ledger.projection().catch_up(engine, ledger)

    def check(engine: Engine, folder: Path) -> None:
        assert compare(engine, replayed) == []
        with reading(engine) as session:
            assert {row.holder: row.amount_minor for row in session.exec(select(HolderBook))} == {
                "alpha": 65,
                "beta": 20,
                "gamma": 15,
            }

    assert _kill_everywhere(tmp_path, work, check) > 15


def test_messages_that_go_out(tmp_path: Path) -> None:
    """At least once: a message may go out again after a death, under its own id, and none is forgotten."""

    def work(engine: Engine, folder: Path, tick: Callable[[], None]) -> None:
        def note(message: outbox.Message) -> None:
            tick()
            with (folder / "sent").open("a") as sent:
                sent.write(f"{message.id}\n")
            tick()

        run(engine, lambda s: [outbox.put(s, "file", {}, at=0, dedupe_key=str(n)) for n in range(3)] and None)
        clock = VirtualClock(1000)
        outbox.drain(engine, "none", lambda s, m: None, clock=clock)
        outbox.deliver(engine, "file", note, clock=clock)
        clock.advance(seconds=121)  # what a dead process had leased is free again
        outbox.deliver(engine, "file", note, clock=clock)

    def check(engine: Engine, folder: Path) -> None:
        sent = [int(line) for line in (folder / "sent").read_text().split()]
        assert set(sent) == {1, 2, 3}
        assert len(sent) <= 4
        with reading(engine) as session:
            assert outbox.counts(session, "file") == outbox.Counts(waiting=0, dead=0, done=3)

    assert _kill_everywhere(tmp_path, work, check) > 15
