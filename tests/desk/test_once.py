"""One request has one effect and one answer: repeated, raced by many threads, killed between any two steps."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from sqlmodel import select
from tests.installation import Installation, Trade

from scf.app import rebuild_books
from scf.demo.cast import PINE
from scf.desk.service import Desk
from scf.kernel.problems import Problem
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.relayer import Relayer
from scf.receivables import queries
from scf.receivables.models import Note, Receivable
from scf.receivables.service import PassRequest
from scf.store import commands
from scf.store.projection import Projection
from scf.store.relay_journal import SqlJournal

FACE = 100_000_00
THREADS = 12


class Crash(BaseException):
    """The process dies here: nothing of ours catches it."""


def issue_request(at: Installation, trade: Trade) -> Callable[[str], object]:
    """One issue, prepared and signed once; call it with a key."""
    prepared = at.app.receivables.prepare_issue(at.request(trade, FACE))
    parts = at.sign(prepared)[0]
    return lambda key: at.app.receivables.submit("issue", prepared.message, parts, key=key, caller="test")


def count(at: Installation, model: type) -> int:
    with at.app.desk.session() as session:
        return len(session.exec(select(model)).all())


def test_the_same_request_has_the_same_answer_and_no_second_effect(installation: Installation) -> None:
    submit = issue_request(installation, installation.trade("INV-1", FACE))
    first = submit("k")
    with installation.nothing_written():
        assert [submit("k") for _ in range(3)] == [first] * 3
    assert count(installation, Receivable) == 1


def test_the_same_key_with_another_body_is_refused(installation: Installation) -> None:
    at = installation
    submit = issue_request(at, at.trade("INV-1", FACE))
    other = issue_request(at, at.trade("INV-2", FACE))
    submit("k")
    problem = at.refused("idempotency_conflict", lambda: other("k"))
    assert problem.status == 409
    assert other("k2")


def test_another_caller_has_keys_of_its_own(installation: Installation) -> None:
    at = installation
    prepared = at.app.receivables.prepare_issue(at.request(at.trade("INV-1", FACE), FACE))
    parts = at.sign(prepared)[0]
    at.app.receivables.submit("issue", prepared.message, parts, key="k", caller="one")
    at.refused(
        "invoice_already_registered",
        lambda: at.app.receivables.submit("issue", prepared.message, parts, key="k", caller="two"),
    )


def test_the_same_signed_act_under_another_key_has_no_second_effect(installation: Installation) -> None:
    at = installation
    _, root = at.issued(at.trade("INV-1", FACE), FACE)
    prepared = at.app.receivables.prepare_pass(PassRequest(root, at.who(PINE), 1_00, at.trade("INV-2", 1_00).document))
    at.submit(prepared, key="one")
    at.refused("ledger_receivables_wrong_child_index", lambda: at.submit(prepared, key="two"))


def test_many_threads_with_one_key(installation: Installation) -> None:
    at = installation
    submit = issue_request(at, at.trade("INV-1", FACE))
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda _: submit("k"), range(THREADS)))
    assert answers == [answers[0]] * THREADS
    assert count(at, Receivable) == 1


def test_many_threads_with_one_key_and_two_bodies(installation: Installation) -> None:
    at = installation
    requests = [issue_request(at, at.trade(f"INV-{n}", FACE)) for n in range(2)]

    def send(turn: int) -> object:
        try:
            return requests[turn % 2]("k")
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(send, range(THREADS)))
    winners = [turn % 2 for turn, answer in enumerate(answers) if answer != "idempotency_conflict"]
    assert len(set(winners)) == 1 and len(winners) == THREADS // 2, answers
    assert count(at, Receivable) == 1


def test_many_threads_with_keys_of_their_own_and_one_invoice(installation: Installation) -> None:
    """One wins; everybody else reads why, whoever notices: the service or the ledger."""
    at = installation
    submit = issue_request(at, at.trade("INV-1", FACE))

    def send(turn: int) -> str:
        try:
            submit(f"k{turn}")
            return "done"
        except Problem as problem:
            assert problem.money_moved == "no"
            return str(problem.facts.get("reason", problem.code))

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(send, range(THREADS)))
    assert answers.count("done") == 1
    assert set(answers) <= {"done", "invoice_already_registered", "ledger_receivables_fingerprint_taken"}
    assert count(at, Receivable) == 1
    differences, _ = rebuild_books(at.app, check=True)
    assert differences == []


def test_threads_passing_on_one_note_never_overspend_it(installation: Installation) -> None:
    at = installation
    number, root = at.issued(at.trade("INV-1", FACE), FACE)
    document = at.trade("INV-2", FACE).document

    def send(turn: int) -> int:
        try:
            prepared = at.app.receivables.prepare_pass(PassRequest(root, at.who(PINE), FACE // 4, document))
            at.submit(prepared, key=f"pass-{turn}")
            return 1
        except Problem as problem:
            assert problem.money_moved == "no"
            return 0

    with ThreadPoolExecutor(THREADS) as pool:
        made = sum(pool.map(send, range(THREADS)))
    with at.app.desk.session() as session:
        assert queries.conservation(session, number) == (FACE, FACE)
        notes = session.exec(select(Note).where(Note.parent_id == root)).all()
    assert 1 <= made == len(notes) <= 4


# Killed between any two steps ----------------------------------------------------------------------------------------


@contextmanager
def dying_before(owner: type, name: str, *, after: bool = False) -> Iterator[None]:
    """The process dies when it comes to this step, or right after it."""
    real = getattr(owner, name)

    def step(*args: object, **kwargs: object) -> object:
        if after:
            real(*args, **kwargs)
        raise Crash(name)

    with patch.object(owner, name, step):
        yield


STEPS = {
    "before anything is stored": (commands, "begin", False),
    "stored the command": (commands, "begin", True),
    "before the transaction is stored": (SqlJournal, "reserve", False),
    "stored the transaction": (SqlJournal, "reserve", True),
    "before it is sent": (EmbeddedLedger, "submit", False),
    "mined": (EmbeddedLedger, "submit", True),
    "before it is noted as mined": (SqlJournal, "mark", False),
    "noted as mined": (SqlJournal, "mark", True),
    "relayed": (Relayer, "send", True),
    "before it is booked": (Projection, "catch_up", False),
    "booked": (Projection, "catch_up", True),
    "before it is answered": (commands, "finish", False),
    "answered": (commands, "finish", True),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_and_started_again(enrolled: Path, tmp_path: Path, step: str) -> None:
    owner, name, after = STEPS[step]
    shutil.copytree(enrolled, tmp_path / "data")
    with Installation(tmp_path / "data") as at:
        prepared = at.app.receivables.prepare_issue(at.request(at.trade("INV-1", FACE), FACE))
        parts = at.sign(prepared)[0]
        with pytest.raises(Crash), dying_before(owner, name, after=after):
            at.app.receivables.submit("issue", prepared.message, parts, key="k", caller="test")
    with Installation(tmp_path / "data") as at:
        answer = at.app.receivables.submit("issue", prepared.message, parts, key="k", caller="test")
        with at.nothing_written():
            assert at.app.receivables.submit("issue", prepared.message, parts, key="k", caller="test") == answer
        with at.app.desk.session() as session:
            assert queries.receivable(session, int(answer["receivable"])).face_minor == FACE
            assert commands.open_commands(session) == []
        assert count(at, Receivable) == 1
        with at.app.engine.connect() as connection:
            sent = connection.execute(sa.text("SELECT count(*) FROM relay_entry")).scalar_one()
            assert sent == at.app.ledger.nonce(at.app.relayer.address)
        assert rebuild_books(at.app, check=True)[0] == []


@pytest.mark.parametrize("step", ["stored the transaction", "before it is sent", "mined", "before it is booked"])
def test_a_start_alone_finishes_what_was_stored(enrolled: Path, tmp_path: Path, step: str) -> None:
    """Nobody asks again: what was stored is sent and booked by the next start; the answer waits for its asker."""
    owner, name, after = STEPS[step]
    shutil.copytree(enrolled, tmp_path / "data")
    with Installation(tmp_path / "data") as at:
        submit = issue_request(at, at.trade("INV-1", FACE))
        with pytest.raises(Crash), dying_before(owner, name, after=after):
            submit("k")
    with Installation(tmp_path / "data") as at:
        assert count(at, Receivable) == 1
        with at.app.desk.session() as session:
            assert len(commands.open_commands(session)) == 1


def test_a_refusal_after_a_crash_is_still_a_refusal(enrolled: Path, tmp_path: Path) -> None:
    """Killed before the transaction is stored; meanwhile another request took the invoice."""
    shutil.copytree(enrolled, tmp_path / "data")
    with Installation(tmp_path / "data") as at:
        submit = issue_request(at, at.trade("INV-1", FACE))
        with pytest.raises(Crash), dying_before(SqlJournal, "reserve"):
            submit("k")
        submit("other")
        at.refused("invoice_already_registered", lambda: submit("k"))
        assert count(at, Receivable) == 1


def test_a_batch_keeps_what_succeeded(installation: Installation) -> None:
    """In a batch the calls around a refused one stand, and the refusal says which act it was."""
    at = installation
    good, bad = (at.app.receivables.prepare_issue(at.request(at.trade(f"INV-{n}", FACE), FACE)) for n in range(2))
    calls = []
    for name, prepared, face in (("good", good, FACE), ("bad", bad, FACE - 1)):
        joined = at.app.desk.join_signatures("Receivables", "Issue", prepared.message, at.sign(prepared)[0])
        calls.append((name, at.app.receivables.call("issue", {**prepared.message, "face": face}, joined)))
    with pytest.raises(Problem, match="bad"):
        at.app.desk.relay(calls)
    assert count(at, Receivable) == 1
    assert isinstance(at.app.desk, Desk)
    assert at.app.desk.sent("good") is not None
    assert at.app.desk.sent("never sent") is None
