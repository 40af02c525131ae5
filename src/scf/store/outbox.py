"""What has to happen after a commit, written in the same commit.

`put` writes a message in the caller's session. `drain` handles messages whose effect is in this database: handling
and ticking off are one transaction, exactly once. `deliver` handles messages whose effect is elsewhere (a file to a
bank, an e-mail): a message is leased, handled outside any transaction and ticked off after, so a crash may hand it out
again; the receiver tells repeats by the message id. Several processes may do either at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Field, Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.store.commands import canonical_json
from scf.store.engine import BIG
from scf.store.session import run

MAX_ATTEMPTS = 10
"""After so many failures a message waits for a person (`dead` in `counts`)."""
_KEYS_AT_ONCE = 500
_FIRST_WAIT_SECONDS = 2
_LONGEST_WAIT_SECONDS = 3600


class OutboxRow(SQLModel, table=True):
    """A message to be handled; times in unix seconds."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.UniqueConstraint("kind", "dedupe_key"),
        sa.Index("ix_outbox_due", "kind", "done_at", "not_before", "id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    kind: str = Field(max_length=60)
    dedupe_key: str | None = Field(default=None, max_length=128)
    body: str = Field(sa_type=sa.Text)
    put_at: int = Field(sa_type=BIG)
    not_before: int = Field(sa_type=BIG)
    attempts: int = 0
    done_at: int | None = Field(default=None, sa_type=BIG)
    last_error: str | None = Field(default=None, max_length=200)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as handlers see it. `id` never repeats; `attempt` counts from 1."""

    id: int
    kind: str
    body: dict[str, Any]
    put_at: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages of a kind wait, were given up after `MAX_ATTEMPTS`, or are done."""

    waiting: int
    dead: int
    done: int


def put(
    session: Session,
    kind: str,
    body: Mapping[str, Any],
    *,
    at: int,
    dedupe_key: str | None = None,
    not_before: int | None = None,
) -> int:
    """Write a message in the caller's transaction and return its id; a known `dedupe_key` returns the first one's."""
    if dedupe_key is not None:
        known = session.exec(
            select(OutboxRow.id).where(OutboxRow.kind == kind, OutboxRow.dedupe_key == dedupe_key)
        ).one_or_none()
        if known is not None:
            return known
    row = OutboxRow(
        kind=kind,
        dedupe_key=dedupe_key,
        body=canonical_json(body).decode(),
        put_at=at,
        not_before=at if not_before is None else not_before,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def put_many(session: Session, kind: str, messages: Sequence[tuple[Mapping[str, Any], str]], *, at: int) -> None:
    """Write many messages (body, `dedupe_key`) at once; keys that are known already are left as they are."""
    keys = [key for _, key in messages]
    known: set[str | None] = set()
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        query = select(OutboxRow.dedupe_key).where(OutboxRow.kind == kind, col(OutboxRow.dedupe_key).in_(some))
        known |= set(session.exec(query))
    rows = [
        {
            "kind": kind,
            "dedupe_key": key,
            "body": canonical_json(body).decode(),
            "put_at": at,
            "not_before": at,
            "attempts": 0,
        }
        for body, key in messages
        if key not in known
    ]
    if rows:
        session.execute(sa.insert(OutboxRow), rows)


def drain(
    engine: Engine, kind: str, handler: Callable[[Session, Message], None], *, clock: Clock, chunk: int = 50
) -> int:
    """Handle every due message of `kind` inside this database and return how many were done.

    A handler that raises undoes its own message only; the message is tried again later, longer apart each time.
    """
    done = 0
    while True:
        handled, found = run(engine, lambda session: _drain_chunk(session, kind, handler, clock.now(), chunk))
        done += handled
        if found < chunk:
            return done


def deliver(
    engine: Engine,
    kind: str,
    handler: Callable[[Message], None],
    *,
    clock: Clock,
    lease_seconds: int = 120,
    limit: int = 1000,
) -> int:
    """Handle due messages of `kind` outside any transaction and return how many were done.

    A message is leased for `lease_seconds` first; when this process dies, another gets the message after that.
    """
    done = 0
    for _ in range(limit):
        message = run(engine, lambda session: _lease(session, kind, clock.now(), lease_seconds))
        if message is None:
            break
        try:
            handler(message)
        except Exception as error:
            run(engine, partial(_fail, message, _name_of(error), clock.now()))
        else:
            run(engine, partial(_tick_off, message, clock.now()))
            done += 1
    return done


def counts(session: Session, kind: str) -> Counts:
    """How the messages of `kind` stand."""
    given_up = sa.and_(_is_open(), col(OutboxRow.attempts) >= MAX_ATTEMPTS)
    figures = select(sa.func.count(), sa.func.count(col(OutboxRow.done_at)), sa.func.count(sa.case((given_up, 1))))
    total, done, dead = session.exec(figures.where(OutboxRow.kind == kind)).one()
    return Counts(waiting=total - done - dead, dead=dead, done=done)


def revive(session: Session, message_id: int, *, at: int) -> None:
    """Let a message that was given up be tried again from now."""
    session.exec(
        sa.update(OutboxRow).where(col(OutboxRow.id) == message_id, _is_open()).values(attempts=0, not_before=at)
    )


def _drain_chunk(
    session: Session, kind: str, handler: Callable[[Session, Message], None], now: int, chunk: int
) -> tuple[int, int]:
    rows = session.exec(_due(kind, now).limit(chunk)).all()
    done = 0
    for row in rows:
        message = _message(row, row.attempts + 1)
        try:
            with session.begin_nested():
                handler(session, message)
        except sa.exc.OperationalError:
            raise  # the database's trouble, not the message's
        except Exception as error:
            _fail(message, _name_of(error), now, session)
        else:
            _tick_off(message, now, session)
            done += 1
    return done, len(rows)


def _lease(session: Session, kind: str, now: int, lease_seconds: int) -> Message | None:
    row = session.exec(_due(kind, now).limit(1)).one_or_none()
    if row is None:
        return None
    row.attempts += 1
    row.not_before = now + lease_seconds
    session.add(row)
    return _message(row, row.attempts)


def _due(kind: str, now: int) -> SelectOfScalar[OutboxRow]:
    return (
        select(OutboxRow)
        .where(OutboxRow.kind == kind, _is_open(), OutboxRow.not_before <= now, OutboxRow.attempts < MAX_ATTEMPTS)
        .order_by(col(OutboxRow.id))
        .with_for_update(skip_locked=True)
    )


def _fail(message: Message, error: str, now: int, session: Session) -> None:
    wait = min(_FIRST_WAIT_SECONDS * 2 ** (message.attempt - 1), _LONGEST_WAIT_SECONDS)
    values = {"attempts": message.attempt, "not_before": now + wait, "last_error": error}
    session.exec(sa.update(OutboxRow).where(col(OutboxRow.id) == message.id).values(**values))


def _tick_off(message: Message, now: int, session: Session) -> None:
    session.exec(sa.update(OutboxRow).where(col(OutboxRow.id) == message.id).values(done_at=now, last_error=None))


def _message(row: OutboxRow, attempt: int) -> Message:
    assert row.id is not None
    return Message(row.id, row.kind, json.loads(row.body), row.put_at, attempt)


def _name_of(error: Exception) -> str:
    """Kind of an error without its text, which may carry what does not belong in a table."""
    return error.code if isinstance(error, Problem) else type(error).__name__


def _is_open() -> sa.ColumnElement[bool]:
    return col(OutboxRow.done_at).is_(None)
