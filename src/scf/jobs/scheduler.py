"""A durable scheduler: jobs are rows with a due time, taken one by one, done once, and caught up when late.

A job is marked as running in its own transaction before it is carried out; handlers must bear being run again, because
a process that dies in the middle leaves the job to the next one. A repeating job plans its next occurrence in the same
transaction that finishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from scf.jobs.models import Job
from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.store.session import run

Handler = Callable[[str], str]
"""Carries out a job with its argument and says in a few words what it did."""
GIVE_UP_AFTER = 5
RETRY_SECONDS = 300
ABANDONED_SECONDS = 900
_MOST_AT_ONCE = 10_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ran:
    """One job that was carried out or failed."""

    key: str
    name: str
    due_at: int
    succeeded: bool
    outcome: str


@dataclass(frozen=True, slots=True)
class Overview:
    """How one kind of job stands: when it is due next, how it ended last, how many were given up. Unix seconds.

    `attempts` counts the tries of the one that is due next; more than 0 means that it failed before.
    """

    name: str
    next_due_at: int | None
    attempts: int
    last_finished_at: int | None
    last_state: str | None
    last_outcome: str | None
    failed: int


class Scheduler:
    """Jobs of one installation. `every` names jobs that repeat, with their period in seconds.

    Missed occurrences are caught up one by one, in order. `at_once` names jobs of which one run does all that is due,
    so that it stands for every occurrence missed before it.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        handlers: Mapping[str, Handler],
        every: Mapping[str, int] | None = None,
        *,
        at_once: Collection[str] = (),
    ) -> None:
        self._at_once = frozenset(at_once)
        self._engine = engine
        self._clock = clock
        self._handlers = dict(handlers)
        self._every = dict(every or {})

    def plan(self, session: Session, name: str, due_at: int, *, key: str | None = None, argument: str = "") -> Job:
        """Plan a job; the same key again gives the first one. Raises Problem `unknown_job`."""
        if name not in self._handlers:
            raise Problem("unknown_job", job=name)
        key = key or f"{name}:{due_at}"
        found = session.get(Job, key)
        if found is None:
            found = Job(key=key, name=name, due_at=due_at, argument=argument)
            session.add(found)
            session.flush()
        return found

    def start_repeating(self, first_due_at: int) -> None:
        """Plan the first occurrence of every repeating job that has none waiting."""

        def work(session: Session) -> None:
            for name in self._every:
                waiting = select(Job.key).where(Job.name == name, col(Job.state).in_(("waiting", "running")))
                if session.exec(waiting).first() is None:
                    self.plan(session, name, first_due_at)

        run(self._engine, work, alone="jobs")

    def run_due(self) -> list[Ran]:
        """Carry out everything that is due, oldest first, late occurrences of repeating jobs included."""
        ran: list[Ran] = []
        for _ in range(_MOST_AT_ONCE):
            job = run(self._engine, self._take, alone="jobs")
            if job is None:
                break
            ran.append(self._carry_out(job))
        return ran

    def next_due(self) -> int | None:
        """When the next waiting job is due."""
        with Session(self._engine) as session:
            return session.exec(select(sa.func.min(col(Job.due_at))).where(Job.state == "waiting")).one()

    def jobs(self, *, state: str | None = None, limit: int = 50) -> Sequence[Job]:
        """Jobs, latest due first."""
        query = select(Job).order_by(col(Job.due_at).desc(), col(Job.key)).limit(limit)
        with Session(self._engine) as session:
            return session.exec(query if state is None else query.where(Job.state == state)).all()

    def _next(self, row: Job, now: int) -> int:
        """When the occurrence after this one is due: the next period or, of a job that does all at once, the latest."""
        period = self._every[row.name]
        due = _planned_for(row) + period
        return due + max(0, now - due) // period * period if row.name in self._at_once else due

    def overview(self) -> list[Overview]:
        """Every kind of job this installation knows, in the order of its name."""
        with Session(self._engine) as session:
            return [self._stand(session, name) for name in sorted(self._handlers)]

    def retry(self, key: str) -> Job:
        """Let a job that was given up be tried again from now. Raises Problem `unknown_job`."""

        def work(session: Session) -> Job:
            job = session.get(Job, key)
            if job is None or job.state != "failed":
                raise Problem("unknown_job", job=key[:120])
            job.state, job.attempts, job.due_at = "waiting", 0, self._clock.now()
            session.add(job)
            return job

        return run(self._engine, work, alone="jobs")

    def _stand(self, session: Session, name: str) -> Overview:
        mine = select(Job).where(Job.name == name)
        coming = session.exec(mine.where(col(Job.state).in_(("waiting", "running"))).order_by(col(Job.due_at))).first()
        ended = mine.where(col(Job.finished_at).is_not(None))
        last = session.exec(ended.order_by(col(Job.finished_at).desc(), col(Job.due_at).desc())).first()
        failed = select(sa.func.count()).where(Job.name == name, Job.state == "failed")
        return Overview(
            name=name,
            next_due_at=coming.due_at if coming else None,
            attempts=coming.attempts if coming else 0,
            last_finished_at=last.finished_at if last else None,
            last_state=last.state if last else None,
            last_outcome=(coming.outcome if coming and coming.outcome else last.outcome if last else None),
            failed=session.exec(failed).one(),
        )

    def _take(self, session: Session) -> Job | None:
        now = self._clock.now()
        abandoned = (col(Job.state) == "running") & (col(Job.started_at) <= now - ABANDONED_SECONDS)
        job = session.exec(
            select(Job)
            .where(Job.due_at <= now, (col(Job.state) == "waiting") | abandoned)
            .order_by(col(Job.due_at), col(Job.key))
            .limit(1)
        ).first()
        if job is not None:
            job.state, job.started_at, job.attempts = "running", now, job.attempts + 1
            session.add(job)
            session.flush()
        return job

    def _carry_out(self, job: Job) -> Ran:
        try:
            outcome, succeeded = self._handlers[job.name](job.argument), True
        except Problem as problem:
            outcome, succeeded = f"{problem.code}: {problem.sentence('en')}", False
        except Exception as error:  # whatever it is, it must hold up no other job; the text may carry what is secret
            _log.exception("job %s failed", job.name)
            outcome, succeeded = f"{type(error).__name__}.", False

        def finish(session: Session) -> None:
            row = session.get(Job, job.key)
            if row is None:
                return
            now = self._clock.now()
            row.outcome = outcome
            if succeeded or row.attempts >= GIVE_UP_AFTER:
                row.state, row.finished_at = ("done" if succeeded else "failed"), now
                if row.name in self._every:
                    self.plan(session, row.name, self._next(row, now))
            else:
                row.state, row.due_at = "waiting", now + RETRY_SECONDS * row.attempts
            session.add(row)

        run(self._engine, finish, alone="jobs")
        return Ran(job.key, job.name, job.due_at, succeeded, outcome)


def _planned_for(job: Job) -> int:
    """The moment an occurrence was planned for, before retries moved it."""
    tail = job.key.rpartition(":")[2]
    return int(tail) if tail.isdigit() else job.due_at
