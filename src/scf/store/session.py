"""The unit of work: one session, one transaction, committed here and nowhere else."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session

from scf.kernel.problems import Problem
from scf.store.engine import READ_ONLY, is_postgresql
from scf.store.schema import create_schema

__all__ = ["create_schema", "reading", "run", "transaction"]

T = TypeVar("T")
_RETRYABLE_STATES = {"40001", "40P01", "55P03"}  # serialisation failure, deadlock, lock not available
_UNIQUE_RETRIES = 2


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A session whose work is committed when the block ends and rolled back when it raises.

    Handlers get the session and never commit. On PostgreSQL a serialisation failure surfaces as the driver's error; use
    `run` where the work can simply be done again.
    """
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one consistent state, never waits for a writer and cannot write."""
    options: dict[str, object] = {READ_ONLY: True}
    if is_postgresql(engine):
        options = {"postgresql_readonly": True}
    with Session(engine.execution_options(**options), expire_on_commit=False) as session, session.begin():
        yield session


def run(engine: Engine, work: Callable[[Session], T], *, attempts: int = 12) -> T:
    """Do `work` in one transaction, again from the start when a concurrent one got in the way.

    `work` must have no effect outside the session. Retries stale versions, serialisation failures and deadlocks up to
    `attempts` times and unique violations twice. Raises Problem `database_busy` when all attempts are used up.
    """
    unique_violations = 0
    for attempt in range(attempts):
        try:
            with transaction(engine) as session:
                return work(session)
        except IntegrityError:
            unique_violations += 1
            if unique_violations > _UNIQUE_RETRIES:
                raise
        except StaleDataError:
            pass
        except DBAPIError as error:
            if not _passes_with_time(error):
                raise
        time.sleep(random.uniform(0, min(0.005 * 2**attempt, 0.5)))
    raise Problem("database_busy")


def _passes_with_time(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in _RETRYABLE_STATES:
        return True
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)
