"""Two processes on one installation: each job is done once, and one that is killed leaves its job to the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.conftest import postgresql  # noqa: F401  a fixture
from tests.store.conftest import postgresql_cluster  # noqa: F401  a fixture

from scf.jobs.scheduler import ABANDONED_SECONDS, Scheduler
from scf.kernel.clock import VirtualClock
from scf.store.engine import open_engine
from scf.store.session import create_schema, transaction

JOBS = 60
WORKER = """
import os, sys, time
from scf.jobs.scheduler import Scheduler
from scf.kernel.clock import VirtualClock
from scf.store.engine import open_engine

url, log, now, dies = sys.argv[1:]

def work(argument):
    with open(log, "a") as stream:
        stream.write(argument + "\\n")
    if argument == dies:
        os.kill(os.getpid(), 9)
    return "done"

print("ready", flush=True)
sys.stdin.readline()
print(len(Scheduler(open_engine(url), VirtualClock(int(now)), {"work": work}).run_due()))
"""


def start(url: str, log: Path, now: int, dies: str = "") -> subprocess.Popen[str]:
    """A process that is ready to work and waits to be let go."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(log), str(now), dies],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def let_go(*processes: subprocess.Popen[str]) -> list[int]:
    """All work at the same time; returns how they ended."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.wait(timeout=120) for process in processes]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    return str(request.getfixturevalue("postgresql"))


def planned(url: str, count: int) -> str:
    """A database with so many jobs that are due."""
    engine = open_engine(url)
    create_schema(engine)
    jobs = Scheduler(engine, VirtualClock(0), {"work": lambda _: ""})
    with transaction(engine) as session:
        for number in range(count):
            jobs.plan(session, "work", number, argument=f"job {number}")
    engine.dispose()
    return url


def test_two_processes_at_once_do_every_job_once(empty: str, tmp_path: Path) -> None:
    url, log = planned(empty, JOBS), tmp_path / "log"
    assert let_go(*(start(url, log, 1000) for _ in range(2))) == [0, 0]
    assert sorted(log.read_text().splitlines()) == sorted(f"job {number}" for number in range(JOBS))


def test_a_killed_process_leaves_its_job_to_the_next_and_no_other_is_done_again(empty: str, tmp_path: Path) -> None:
    url, log = planned(empty, 6), tmp_path / "log"
    assert let_go(start(url, log, 1000, dies="job 3")) == [-9]
    assert let_go(start(url, log, 1000)) == [0]
    assert log.read_text().splitlines() == [f"job {number}" for number in (0, 1, 2, 3, 4, 5)], "3 may still be at work"
    assert let_go(start(url, log, 1000 + ABANDONED_SECONDS)) == [0]
    assert log.read_text().splitlines()[-1] == "job 3" and log.read_text().count("job 3") == 2
