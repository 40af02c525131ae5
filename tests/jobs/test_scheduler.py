"""Jobs: once each, late ones caught up, none lost by a crash, and time is only the clock that was handed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from scf.jobs.scheduler import ABANDONED_SECONDS, GIVE_UP_AFTER, Scheduler
from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.store.engine import open_engine
from scf.store.session import create_schema, transaction

DAY = 86_400


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(f"sqlite:///{tmp_path / 'jobs.db'}")
    create_schema(made)
    yield made
    made.dispose()


def test_a_job_runs_once_and_not_before_it_is_due(engine: Engine) -> None:
    clock, ran = VirtualClock(1000), []
    jobs = Scheduler(engine, clock, {"say": lambda text: ran.append(text) or "said"})
    with transaction(engine) as session:
        jobs.plan(session, "say", 2000, argument="hello")
        jobs.plan(session, "say", 2000, argument="hello again")  # the same job
    assert jobs.run_due() == []
    clock.move_to(2000)
    assert [one.outcome for one in jobs.run_due()] == ["said"]
    assert jobs.run_due() == [] and ran == ["hello"]


def test_a_repeating_job_catches_up_every_day_it_missed_in_order(engine: Engine) -> None:
    clock, ran = VirtualClock(0), []
    handlers = {"daily": lambda _: ran.append(clock.now()) or "ok"}
    Scheduler(engine, clock, handlers, {"daily": DAY}).start_repeating(0)
    clock.advance(days=3, hours=1)
    after_restart = Scheduler(engine, clock, handlers, {"daily": DAY})
    after_restart.start_repeating(clock.now())
    assert [one.due_at for one in after_restart.run_due()] == [0, DAY, 2 * DAY, 3 * DAY]
    assert after_restart.next_due() == 4 * DAY


def test_a_job_that_does_all_at_once_is_not_repeated_for_every_hour_missed(engine: Engine) -> None:
    clock, seen = VirtualClock(0), []

    def note(_: str) -> str:
        seen.append(clock.now())
        return ""

    jobs = Scheduler(engine, clock, {"hourly": note}, {"hourly": 3600}, at_once=("hourly",))
    jobs.start_repeating(0)
    jobs.run_due()
    clock.move_to(3 * DAY + 1800)
    assert len(jobs.run_due()) == 2 and jobs.next_due() == 3 * DAY + 3600
    clock.move_to(3 * DAY + 3600)
    assert len(jobs.run_due()) == 1 and jobs.next_due() == 3 * DAY + 7200


def test_a_job_whose_process_died_is_taken_up_by_the_next(engine: Engine) -> None:
    clock = VirtualClock(0)

    def dies(_: str) -> str:
        raise KeyboardInterrupt

    first = Scheduler(engine, clock, {"work": dies})
    with transaction(engine) as session:
        first.plan(session, "work", 0)
    with pytest.raises(KeyboardInterrupt):
        first.run_due()
    second = Scheduler(engine, clock, {"work": lambda _: "finished"})
    assert second.run_due() == []  # perhaps it is still at work
    clock.advance(seconds=ABANDONED_SECONDS)
    assert [one.outcome for one in second.run_due()] == ["finished"]


def test_a_job_that_keeps_failing_is_given_up_and_its_next_day_still_comes(engine: Engine) -> None:
    clock = VirtualClock(0)

    def fails(_: str) -> str:
        raise Problem("database_busy")

    jobs = Scheduler(engine, clock, {"daily": fails}, {"daily": DAY})
    jobs.start_repeating(0)
    seen = 0
    for _ in range(50):
        seen += len(jobs.run_due())
        if jobs.jobs(state="failed"):
            break
        clock.advance(seconds=300)
    assert seen == GIVE_UP_AFTER
    assert jobs.next_due() == DAY


def test_an_unknown_job_is_refused(engine: Engine) -> None:
    jobs = Scheduler(engine, VirtualClock(0), {})
    with transaction(engine) as session, pytest.raises(Problem, match="no job"):
        jobs.plan(session, "nothing", 0)


def test_what_failed_is_seen_and_tried_again_when_somebody_says_so(engine: Engine) -> None:
    clock, works = VirtualClock(0), False

    def handler(argument: str) -> str:
        if not works:
            raise ZeroDivisionError("secret figures")
        return "fine now"

    jobs = Scheduler(engine, clock, {"sums": handler, "other": lambda _: "done"})
    with transaction(engine) as session:
        jobs.plan(session, "sums", 0, key="sums:0")
        jobs.plan(session, "other", 0)
    assert [(one.name, one.succeeded) for one in jobs.run_due()] == [("other", True), ("sums", False)]
    for _ in range(GIVE_UP_AFTER):
        clock.advance(days=1)
        jobs.run_due()
    stands = {one.name: one for one in jobs.overview()}
    assert (stands["sums"].failed, stands["sums"].last_state, stands["sums"].next_due_at) == (1, "failed", None)
    assert stands["sums"].last_outcome == "ZeroDivisionError.", "the kind of error, and nothing of what it says"
    assert (stands["other"].last_state, stands["other"].last_outcome) == ("done", "done")
    with pytest.raises(Problem):
        jobs.retry("other:0")
    works = True
    jobs.retry("sums:0")
    assert [one.outcome for one in jobs.run_due()] == ["fine now"]
    assert {one.name: one.failed for one in jobs.overview()}["sums"] == 0
