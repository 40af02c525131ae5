"""The demonstration: told once it ends well, told again it changes nothing, killed anywhere it goes on."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlmodel import select
from tests.installation import stock

from scf.app import App, open_app, rebuild_books
from scf.audit import service as audit
from scf.bank import service as bank
from scf.bank.models import BankInstruction, BankLine
from scf.bank.simulator import SimulatedBank
from scf.demo import run
from scf.demo.bankside import BIC
from scf.demo.cast import CORE, LOTUS, PINE, RIVER, address
from scf.demo.play import Silence
from scf.entrusted import queries as entrusted_queries
from scf.installation import Settings
from scf.kernel.clock import SystemClock
from scf.kernel.problems import Problem
from scf.ledger.notes import note_id
from scf.receivables import queries
from scf.receivables.models import Note
from scf.reconciliation import service as reconciliation
from scf.store import commands, evidence
from scf.store.engine import open_engine
from scf.store.projection import quarantine

FACE = 1_000_000_00
LINES_TOLD = 30
"""The story says more lines than this, the last of them long before it ends."""


def open_told(folder: Path) -> App:
    return open_app(Settings.from_environment(folder))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the command told the whole story, killed twice on the way and started again."""
    folder = tmp_path_factory.mktemp("told") / "data"
    tell_killed(folder, 2)
    return folder


@pytest.fixture
def app(told: Path) -> Iterator[App]:
    with open_told(told) as opened:
        yield opened


def check_ended_well(folder: Path, bundle: Path) -> None:
    """Everything that must be true after the story, however often it was killed on the way."""
    with open_told(folder) as app:
        with app.reading() as session:
            assert [row.id for row in queries.all_receivables(session)] == [1, 2]
            row = queries.receivable(session, 1)
            assert (row.state, row.paid_minor, row.outstanding_minor) == ("closed", FACE, 0)
            for number in (1, 2):
                live, face = queries.conservation(session, number)
                assert live == face > 0
            assert sum(one.principal_minor for one in queries.settlements_of(session, 1)) == FACE
            assert quarantine(session) == []
            assert evidence.first_broken_record(session) is None
            assert commands.open_commands(session) == []
            account = entrusted_queries.account(session, 1)
            assert account.released_minor + account.refunded_minor == account.locked_minor == account.amount_minor
            assert len(entrusted_queries.accounts(session)) == 1
            check_bank(app, folder)
            assert evidence.head(session).size == app.contracts.evidence.read(app.ledger, "head")[0]
        differences, events = rebuild_books(app, check=True)
        assert differences == [] and events > 50
        audit.export(app.ledger, app.contracts, bundle, engine=app.engine)
    assert audit.verify(bundle, None, None).exit_code == 0


def check_bank(app: App, folder: Path) -> None:
    """The bank's books balance; what it says and what was ordered are the same, line by line, each once."""
    engine = open_engine(f"sqlite:///{folder / 'bank.db'}")
    simulated = SimulatedBank(engine, SystemClock(), bic=BIC)
    assert simulated.faults() == []
    with app.reading() as session:
        orders = {row.end_to_end_id: row for row in session.exec(select(BankInstruction))}
        assert {row.state for row in orders.values()} == {"executed"}
        tied = [line for line in session.exec(select(BankLine)) if line.matched is not None]
        sides = sorted((line.matched or "", line.account) for line in tied)
        assert sides == sorted(
            (name, account) for name, row in orders.items() for account in (row.debtor_account, row.creditor_account)
        )
        assert {line.end_to_end_id for line in bank.unmatched_lines(session)} & set(orders) == set()
        assert bank.contradicting_lines(session) == []
        assert bank.refused_files(session) == []
        moved = [line.bank_reference for line in tied if line.amount_minor < 0]
        assert len(set(moved)) == len(moved), "one bank line proves one payment"
        for number in {row.account for row in session.exec(select(BankLine))}:
            assert bank.booked_minor(session, number) == simulated.balance_minor(number)
    engine.dispose()


def test_the_story_ends_well(told: Path, tmp_path: Path) -> None:
    check_ended_well(told, tmp_path / "bundle.zip")


class Ear(Silence):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def line(self, english: str, chinese: str) -> None:
        self.heard += [english, chinese]


def test_told_again_nothing_changes(told: Path) -> None:
    with open_told(told) as app:
        before = stock(app)
    ear = Ear()
    run.story(told, ear)
    with open_told(told) as app:
        assert stock(app) == before
    text = " ".join(ear.heard)
    for wanted in ("owes", "received", "back to", "still owes", "scf audit verify", "尚欠"):
        assert wanted in text


def test_every_note_proves_its_descent(app: App) -> None:
    """Receivable, parent, place and evidence of each note in the books give its id."""
    with app.reading() as session:
        for row in session.exec(select(Note)):
            parent = int(row.parent_id, 16) if row.parent_id else 0
            evidence_of = bytes.fromhex(row.evidence.removeprefix("0x"))
            assert int(row.id, 16) == note_id(row.receivable_id, parent, row.child_index, evidence_of), row


def test_business_is_left_open(app: App) -> None:
    with app.reading() as session:
        row = queries.receivable(session, 2)
        assert row.state == "live" and row.outstanding_minor == row.face_minor
        assert row.obligor == address(app, CORE) and row.creditor == address(app, LOTUS)
        assert len(queries.notes_offered(session, address(app, RIVER))) == 1
        asks = app.financing.asks_of(session, address(app, PINE))
        assert [ask.amount_minor for ask in asks] == [80_000_00, 150_000_00]


def test_it_ends_before_today(app: App) -> None:
    """The pages are served under the machine's clock, which must not be behind the ledger."""
    assert app.ledger.head().timestamp <= time.time()


def test_only_expected_exceptions_are_open(app: App) -> None:
    """What the story's own papers leave open is the short delivery and business that is under way, nothing else."""
    with app.reading() as session:
        kinds = reconciliation.counts(session)
    assert sum(kinds.values()) <= 12, kinds


def test_an_installation_that_is_no_demo_has_no_demo_keys(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        open_app(Settings.from_environment(tmp_path / "none"))
    assert caught.value.code == "installation_missing"


# Killed ---------------------------------------------------------------------------------------------------------------


def _tell_until(folder: Path, commits: int) -> None:
    """Tell the story in this process and die by SIGKILL at a commit of any database."""
    taken = 0

    def tick(*_: object) -> None:
        nonlocal taken
        taken += 1
        if taken == commits:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "commit", tick)
    run.story(folder, Silence())
    os._exit(0)


def killed(folder: Path, commits: int) -> bool:
    process = multiprocessing.get_context("fork").Process(target=_tell_until, args=(folder, commits))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_killed_at_many_random_commits(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(25):
        killed(tmp_path / "data", dice.randint(1, 60 * seed))
    run.story(tmp_path / "data", Silence())
    check_ended_well(tmp_path / "data", tmp_path / "bundle.zip")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from scf.cli import main; main()", *arguments]


def tell_in_a_process(folder: Path, kill_after_lines: int | None, then_wait_seconds: float = 0.0) -> int:
    """Run `scf demo --no-serve`, killed a moment after it has said so many lines; returns the exit code."""
    child = subprocess.Popen(
        command("demo", "--no-serve", "--data", str(folder)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert child.stdout is not None
    said = b""
    for count, line in enumerate(child.stdout, 1):
        said += line
        if count == kill_after_lines:
            time.sleep(then_wait_seconds)
            child.kill()
    child.stdout.close()
    code = child.wait()
    assert b"Traceback" not in said
    return code


def tell_killed(folder: Path, kills: int) -> None:
    """Kill it after a line of its story, each time further on: never before it began, never after it ended."""
    dice = random.Random(kills)
    for line in sorted(dice.sample(range(1, LINES_TOLD), kills)):
        assert tell_in_a_process(folder, line, dice.uniform(0.0, 0.05)) == -signal.SIGKILL
    assert tell_in_a_process(folder, None) == 0


@pytest.mark.slow
def test_the_command_killed_ten_times(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    tell_killed(folder, 10)
    done = subprocess.run(
        command("books", "rebuild", "--check", "--data", str(folder)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ events", done.stdout)
    check_ended_well(folder, tmp_path / "bundle.zip")
