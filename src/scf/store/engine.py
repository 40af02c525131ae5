"""Opening a database: SQLite in one file by default, PostgreSQL by URL, with the same promises in both.

SQLite runs in WAL mode with `synchronous=FULL` (a committed transaction survives power loss) and opens every writing
transaction with `BEGIN IMMEDIATE`, so that no transaction fails half-way because another one writes. PostgreSQL runs
`SERIALIZABLE`, which gives a reader-then-writer the same answer as SQLite's one-writer rule; `scf.store.session.run`
retries what it refuses.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from scf.kernel.private import private_file
from scf.kernel.problems import Problem

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Signed 64-bit column; SQLite's row id must be spelled INTEGER. Amounts in minor units above 2**63 - 1 do not fit."""

READ_ONLY = "scf_read_only"
_BUSY_SECONDS = 30.0


class Word(sa.types.TypeDecorator[int]):
    """An unsigned 256-bit integer as 64 hexadecimal digits: sorts as the number does, in both dialects."""

    impl = sa.String(64)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        """Number to text."""
        return None if value is None else f"{value:064x}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        """Text to number."""
        return None if value is None else int(value, 16)


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///PATH`, `sqlite://` (memory, one thread) or `postgresql://…`.

    Raises Problem `database_url_unknown` for any other kind, `database_driver_missing` where PostgreSQL's is not
    installed and `database_unreachable` when the folder cannot be made.
    """
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise Problem("database_url_unknown", url=url.split("@")[-1][:60]) from error
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return _open_sqlite(parsed)
    if kind in ("postgresql", "postgres"):
        return _open_postgresql(parsed)
    raise Problem("database_url_unknown", url=parsed.render_as_string(hide_password=True))


def is_postgresql(bind: Engine | Connection) -> bool:
    """Whether the database behind `bind` is PostgreSQL."""
    return bind.dialect.name == "postgresql"


def trouble_of(error: DBAPIError) -> Problem | None:
    """The problem behind a full disk or a damaged file, else None."""
    text = str(error.orig)
    if "disk is full" in text or getattr(error.orig, "sqlstate", None) == "53100":
        return Problem("database_full")
    if "malformed" in text or "not a database" in text or getattr(error.orig, "sqlstate", None) == "XX001":
        return Problem("database_damaged")
    return None


def _open_sqlite(url: URL) -> Engine:
    in_memory = not url.database or url.database == ":memory:"
    arguments: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": _BUSY_SECONDS}}
    if in_memory:
        arguments["poolclass"] = StaticPool
    else:
        arguments |= {"pool_size": 16, "max_overflow": 48}
        try:
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
            private_file(Path(str(url.database)))
        except OSError as error:
            raise Problem("database_unreachable", reason=error.strerror or "folder cannot be made") from error
    engine = sa.create_engine(url.set(drivername="sqlite+pysqlite"), **arguments)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin_sqlite
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",  # INSERT OR REPLACE then fires the append-only triggers too
        f"busy_timeout={int(_BUSY_SECONDS * 1000)}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reading = bool(connection.get_execution_options().get(READ_ONLY))
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _open_postgresql(url: URL) -> Engine:
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="SERIALIZABLE",
            pool_size=16,
            max_overflow=48,
            pool_pre_ping=True,
        )
    except ModuleNotFoundError as error:
        raise Problem("database_driver_missing", package=error.name or "psycopg") from error
