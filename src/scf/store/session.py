"""The unit of work: one session, one transaction, committed here and nowhere else."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session, select

from scf.kernel.problems import Problem
from scf.store.engine import READ_ONLY, is_postgresql, trouble_of
from scf.store.schema import create_schema

__all__ = ["create_schema", "reading", "run", "transaction"]

T = TypeVar("T")
_RETRYABLE_STATES = {"40001", "40P01", "55P03"}  # serialisation failure, deadlock, lock not available
_UNIQUE_VIOLATION = "23505"


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A session whose work is committed when the block ends and rolled back when it raises.

    Handlers get the session and never commit. On PostgreSQL a serialisation failure surfaces as the driver's error; use
    `run` where the work can simply be done again. Raises Problem `database_full` or `database_damaged` when the file is
    in trouble; nothing is written then.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except DBAPIError as error:
        if (problem := trouble_of(error)) is not None:
            raise problem from error
        raise


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one consistent state, never waits for a writer and cannot write."""
    options: dict[str, object] = {READ_ONLY: True}
    if is_postgresql(engine):
        options = {"postgresql_readonly": True}
    with Session(engine.execution_options(**options), expire_on_commit=False) as session, session.begin():
        yield session


def run(engine: Engine, work: Callable[[Session], T], *, attempts: int = 12, alone: str | None = None) -> T:
    """Do `work` in one transaction, again from the start when a concurrent one got in the way.

    `work` must have no effect outside the session. With `alone`, works of the same name wait for each other instead
    of racing. Retries stale versions, serialisation failures and deadlocks up to `attempts` times, and on PostgreSQL
    unique violations, which a race can cause, half as often. Raises Problem `database_busy` when all attempts are
    used up, `database_full` or `database_damaged` when the file is in trouble; nothing is written then.
    """
    unique_violations = 0
    for attempt in range(attempts):
        try:
            with transaction(_in_line(engine, alone)) as session:
                if alone is not None and is_postgresql(engine):
                    session.exec(select(sa.func.pg_advisory_xact_lock(zlib.crc32(alone.encode()))))
                return work(session)
        except IntegrityError as error:
            unique_violations += 1
            raced = getattr(error.orig, "sqlstate", None) == _UNIQUE_VIOLATION  # SQLite has one writer and no races
            if not raced or unique_violations > attempts // 2:
                raise
        except StaleDataError:
            pass
        except DBAPIError as error:
            if not _passes_with_time(error):
                if (problem := trouble_of(error)) is not None:
                    raise problem from error
                raise
        time.sleep(random.uniform(0, min(0.005 * 2**attempt, 0.5)))
    raise Problem("database_busy")


def _in_line(engine: Engine, alone: str | None) -> Engine:
    """Whoever waits for an advisory lock must see what the one before it committed, so not SERIALIZABLE's snapshot."""
    if alone is None or not is_postgresql(engine):
        return engine
    return engine.execution_options(isolation_level="READ COMMITTED")


def _passes_with_time(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in _RETRYABLE_STATES:
        return True
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)
