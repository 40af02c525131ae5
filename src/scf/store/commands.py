"""Every request has one effect: a command is remembered under its key and caller, with its digest and its reply.

A command that only writes this database uses `once`: effect, memory and reply are one transaction. A command whose
effect is on the ledger uses `begin` and `finish`: `begin` fixes a reference (and, with `prepare`, a plan) before
anything is sent; after a crash the same request gets the same reference and plan again, so that what was already sent
under that reference is found and not sent twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Field, Session, SQLModel, col, select

from scf.kernel.identifiers import reference_of
from scf.kernel.problems import Problem
from scf.store.engine import BIG
from scf.store.schema import append_only
from scf.store.session import reading, run

_KEY_CHARACTERS = 128


@append_only
class Command(SQLModel, table=True):
    """A request that was taken on."""

    __tablename__ = "command"
    caller: str = Field(primary_key=True, max_length=128)
    key: str = Field(primary_key=True, max_length=_KEY_CHARACTERS)
    digest: str = Field(max_length=64)
    plan: str = Field(sa_type=sa.Text)
    begun_at: int = Field(sa_type=BIG)


@append_only
class CommandReply(SQLModel, table=True):
    """What was answered to a request whose effect is complete."""

    __tablename__ = "command_reply"
    caller: str = Field(primary_key=True, max_length=128)
    key: str = Field(primary_key=True, max_length=_KEY_CHARACTERS)
    reply: str = Field(sa_type=sa.Text)


@dataclass(frozen=True, slots=True)
class Started:
    """The command is ours to carry out. `reference` is the same each time the same request comes."""

    reference: str
    plan: dict[str, Any]
    resumed: bool


@dataclass(frozen=True, slots=True)
class Replied:
    """The command was carried out before; this is its reply."""

    reply: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenCommand:
    """A command that was begun and has no reply yet."""

    caller: str
    key: str
    reference: str
    plan: dict[str, Any]
    begun_at: int


def canonical_json(body: Mapping[str, Any]) -> bytes:
    """One spelling of a body: sorted keys, no blanks, UTF-8; dates as ISO text, decimals as text, bytes as hex.

    Raises TypeError or ValueError for what JSON cannot carry (NaN among it).
    """
    return json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
    ).encode()


def once(
    engine: Engine,
    key: str,
    caller: str,
    body: Mapping[str, Any],
    handler: Callable[[Session], Mapping[str, Any]],
    *,
    at: int = 0,
) -> dict[str, Any]:
    """Carry out `handler` once for this key and caller and return its reply, now and each time the request is repeated.

    `at` is unix seconds of the request. A handler that raises leaves nothing behind, and the key may be used again.
    Raises Problem `idempotency_key_missing`, or `idempotency_conflict` when the key was used with another body.
    """
    digest = _digest(key, body)

    def work(session: Session) -> dict[str, Any]:
        if _recall(session, key, caller, digest) is None:
            session.add(Command(caller=caller, key=key, digest=digest, plan="{}", begun_at=at))
            session.flush()
        reply = _reply(session, key, caller)
        return _store_reply(session, key, caller, handler(session)) if reply is None else reply

    return run(engine, work)


def recall(engine: Engine, key: str, caller: str, body: Mapping[str, Any]) -> Replied | None:
    """The reply of a command that was carried out before, else None; nothing is written.

    Raises Problem `idempotency_key_missing`, or `idempotency_conflict` when the key was used with another body.
    """
    digest = _digest(key, body)
    with reading(engine) as session:
        _recall(session, key, caller, digest)
        reply = _reply(session, key, caller)
    return None if reply is None else Replied(reply)


def begin(
    engine: Engine,
    key: str,
    caller: str,
    body: Mapping[str, Any],
    *,
    prepare: Callable[[Session], Mapping[str, Any]] | None = None,
    at: int = 0,
) -> Started | Replied:
    """Take on a command whose effect happens outside this database.

    `prepare` runs in the same transaction the first time only; what it returns is kept as the plan. Raises as `once`.
    """
    digest = _digest(key, body)

    def work(session: Session) -> Started | Replied:
        stored = _recall(session, key, caller, digest)
        if stored is None:
            plan = _loads(canonical_json(prepare(session) if prepare else {}))
            row = Command(caller=caller, key=key, digest=digest, plan=canonical_json(plan).decode(), begun_at=at)
            session.add(row)
            return Started(command_reference(key, caller), plan, resumed=False)
        reply = _reply(session, key, caller)
        if reply is not None:
            return Replied(reply)
        return Started(command_reference(key, caller), _loads(stored.plan), resumed=True)

    return run(engine, work)


def finish(
    engine: Engine,
    key: str,
    caller: str,
    reply: Mapping[str, Any],
    *,
    effect: Callable[[Session], None] | None = None,
) -> dict[str, Any]:
    """Store the reply of a begun command, with `effect` in the same transaction; a second call returns the first reply.

    Raises LookupError for a command that was never begun.
    """

    def work(session: Session) -> dict[str, Any]:
        if session.get(Command, (caller, key)) is None:
            raise LookupError(f"command {key!r} of {caller!r} was never begun")
        stored = _reply(session, key, caller)
        if stored is not None:
            return stored
        if effect is not None:
            effect(session)
        return _store_reply(session, key, caller, reply)

    return run(engine, work)


def open_commands(session: Session) -> list[OpenCommand]:
    """Commands begun and not finished, oldest first: what a start after a crash has to look at."""
    answered = sa.exists().where(
        col(CommandReply.caller) == col(Command.caller), col(CommandReply.key) == col(Command.key)
    )
    query = select(Command).where(~answered).order_by(col(Command.begun_at), col(Command.caller), col(Command.key))
    return [
        OpenCommand(row.caller, row.key, command_reference(row.key, row.caller), _loads(row.plan), row.begun_at)
        for row in session.exec(query)
    ]


def command_reference(key: str, caller: str) -> str:
    """The reference under which a command's acts are journaled: 20 characters, the same for the same key and caller."""
    return reference_of(hashlib.sha256(canonical_json({"caller": caller, "key": key})).digest())


def _recall(session: Session, key: str, caller: str, digest: str) -> Command | None:
    stored = session.get(Command, (caller, key))
    if stored is not None and stored.digest != digest:
        raise Problem("idempotency_conflict", key=key)
    return stored


def _reply(session: Session, key: str, caller: str) -> dict[str, Any] | None:
    row = session.get(CommandReply, (caller, key))
    return None if row is None else _loads(row.reply)


def _store_reply(session: Session, key: str, caller: str, reply: Mapping[str, Any]) -> dict[str, Any]:
    text = canonical_json(reply).decode()
    session.add(CommandReply(caller=caller, key=key, reply=text))
    return _loads(text)  # the first answer reads exactly as every later one


def _digest(key: str, body: Mapping[str, Any]) -> str:
    if not 0 < len(key) <= _KEY_CHARACTERS or not key.isprintable() or key != key.strip():
        raise Problem("idempotency_key_missing")
    return hashlib.sha256(canonical_json(body)).hexdigest()


def _loads(text: str | bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _plain(value: object) -> str:
    if isinstance(value, date):  # datetime among them
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    raise TypeError(f"a command body cannot carry {type(value).__name__}")
