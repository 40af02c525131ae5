"""What was written with a commit happens after it: once here, at least once elsewhere, never not at all."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.store import outbox
from scf.store.engine import open_engine
from scf.store.outbox import Message
from scf.store.session import reading, run, transaction


def _put(engine: Engine, count: int, kind: str = "mail") -> None:
    run(engine, lambda session: [outbox.put(session, kind, {"n": n}, at=0) for n in range(count)] and None)


def _counts(engine: Engine, kind: str = "mail") -> outbox.Counts:
    with reading(engine) as session:
        return outbox.counts(session, kind)


def test_a_message_of_a_transaction_that_fails_is_never_sent(engine: Engine) -> None:
    with pytest.raises(RuntimeError), transaction(engine) as session:
        outbox.put(session, "mail", {}, at=0)
        raise RuntimeError
    assert outbox.drain(engine, "mail", lambda session, message: None, clock=VirtualClock(1)) == 0


def test_messages_are_handled_in_order_and_only_of_their_kind(engine: Engine) -> None:
    _put(engine, 5)
    _put(engine, 1, "other")
    seen: list[int] = []
    assert outbox.drain(engine, "mail", lambda s, m: seen.append(m.body["n"]), clock=VirtualClock(1), chunk=2) == 5
    assert seen == [0, 1, 2, 3, 4]
    assert _counts(engine, "other").waiting == 1


def test_a_message_put_twice_under_one_key_is_one(engine: Engine) -> None:
    ids = {run(engine, lambda s: outbox.put(s, "mail", {}, at=0, dedupe_key="due:R1")) for _ in range(3)}
    assert len(ids) == 1


def test_a_message_waits_for_its_time(engine: Engine) -> None:
    clock = VirtualClock(100)
    run(engine, lambda session: outbox.put(session, "mail", {}, at=100, not_before=200))
    assert outbox.drain(engine, "mail", lambda s, m: None, clock=clock) == 0
    clock.advance(seconds=100)
    assert outbox.drain(engine, "mail", lambda s, m: None, clock=clock) == 1


def test_a_failing_message_undoes_only_itself_and_is_tried_again_later(engine: Engine) -> None:
    clock = VirtualClock(1)
    _put(engine, 3)

    def handler(session: Session, message: Message) -> None:
        outbox.put(session, "result", message.body, at=0)
        if message.body["n"] == 1 and message.attempt < 3:
            raise Problem("unknown_currency", currency="a secret")

    assert outbox.drain(engine, "mail", handler, clock=clock) == 2
    assert outbox.drain(engine, "mail", handler, clock=clock) == 0
    clock.advance(seconds=2)
    assert outbox.drain(engine, "mail", handler, clock=clock) == 0
    with reading(engine) as session:
        row = session.get(outbox.OutboxRow, 2)
        assert row is not None
        assert (row.attempts, row.last_error) == (2, "unknown_currency")
    clock.advance(seconds=10)
    assert outbox.drain(engine, "mail", handler, clock=clock) == 1
    assert _counts(engine, "result").waiting == 3


def test_a_message_that_never_succeeds_is_set_aside_and_can_be_revived(engine: Engine) -> None:
    clock = VirtualClock(1)
    _put(engine, 1)

    def fail(message: Message) -> None:
        raise OSError("no route")

    for _ in range(outbox.MAX_ATTEMPTS + 3):
        outbox.deliver(engine, "mail", fail, clock=clock)
        clock.advance(days=1)
    assert _counts(engine) == outbox.Counts(waiting=0, dead=1, done=0)
    run(engine, lambda session: outbox.revive(session, 1, at=clock.now()))
    assert outbox.deliver(engine, "mail", lambda message: None, clock=clock) == 1
    assert _counts(engine) == outbox.Counts(waiting=0, dead=0, done=1)


def test_a_lease_ends_when_its_holder_died(engine: Engine) -> None:
    clock = VirtualClock(1)
    _put(engine, 1)

    def die(message: Message) -> None:
        raise KeyboardInterrupt  # not an error of the message: the process is going down

    with pytest.raises(KeyboardInterrupt):
        outbox.deliver(engine, "mail", die, clock=clock)
    seen: list[tuple[int, int]] = []
    assert outbox.deliver(engine, "mail", lambda m: seen.append((m.id, m.attempt)), clock=clock) == 0
    clock.advance(seconds=120)
    assert outbox.deliver(engine, "mail", lambda m: seen.append((m.id, m.attempt)), clock=clock) == 1
    assert seen == [(1, 2)]


def _drain_in_a_process(url: str, report: Path) -> None:
    engine = open_engine(url)
    with report.open("a") as lines:

        def handler(session: Session, message: Message) -> None:
            outbox.put(session, "result", {"n": message.body["n"]}, at=0)

        def deliver(message: Message) -> None:
            lines.write(f"{message.id}\n")
            lines.flush()

        outbox.drain(engine, "mail", handler, clock=VirtualClock(1), chunk=7)
        outbox.deliver(engine, "parcel", deliver, clock=VirtualClock(1))
    engine.dispose()
    os._exit(0)


def test_two_processes_drain_each_message_once(engine: Engine, tmp_path: Path) -> None:
    _put(engine, 60)
    _put(engine, 40, "parcel")
    engine.dispose()
    url = engine.url.render_as_string()
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_drain_in_a_process, args=(url, tmp_path / f"{n}")) for n in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert _counts(engine) == outbox.Counts(waiting=0, dead=0, done=60)
    assert _counts(engine, "result").waiting == 60
    sent = [line for n in range(2) for line in (tmp_path / f"{n}").read_text().split()]
    assert len(sent) == len(set(sent)) == 40
