"""Books are what the ledger says: each event once, a replay row for row equal, a fork followed, a poison set aside."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import select
from tests.store.small_ledger import (
    CHAIN_ID,
    Event,
    Head,
    HolderBook,
    NoteBook,
    SmallLedger,
    issued,
    on_issued,
    on_passed,
    passed,
    projection,
    settled,
)

from scf.kernel.problems import Problem
from scf.store import projection as module
from scf.store.compare import Difference, compare
from scf.store.engine import open_engine
from scf.store.projection import Followed, Projection, position, quarantine
from scf.store.session import create_schema, reading


def _holders(engine: Engine) -> dict[str, int]:
    with reading(engine) as session:
        return {row.holder: row.amount_minor for row in session.exec(select(HolderBook))}


def _chain() -> SmallLedger:
    ledger = SmallLedger()
    ledger.mine(issued(1, "alpha", 1000))
    ledger.mine(passed(2, 1, "beta", 400), passed(3, 2, "gamma", 150), passed(4, 1, "gamma", 100))
    ledger.mine()
    ledger.mine(issued(9, "alpha", 50, "R2"), passed(5, 3, "alpha", 150), settled("R1"))
    return ledger


BALANCES = {"alpha": 700, "beta": 250, "gamma": 100}


@pytest.fixture(params=[1, 3])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Books must not depend on how many events are written at once."""
    monkeypatch.setattr(module, "CHUNK_EVENTS", request.param)
    value: int = request.param
    return value


def test_the_books_follow_and_a_replay_gives_equal_rows(engine: Engine, chunk: int) -> None:
    ledger, books = _chain(), projection()
    assert books.catch_up(engine, ledger) == Followed(applied=7)
    assert _holders(engine) == BALANCES
    with reading(engine) as session:
        assert {n.note_id for n in session.exec(select(NoteBook)) if n.settled} == {1, 2, 3, 4, 5}
    replayed = books.rebuild(ledger.all_events(), ledger.head())
    assert compare(engine, replayed) == []
    replayed.dispose()


def test_following_goes_on_where_it_stopped_and_never_twice(engine: Engine, chunk: int) -> None:
    ledger, books = _chain(), projection()
    books.catch_up(engine, ledger)
    assert books.catch_up(engine, ledger) == Followed()
    at = position(engine)
    assert at is not None
    assert (at.block_number, at.next_block, at.chain_id) == (4, 5, CHAIN_ID)
    ledger.mine(passed(6, 5, "delta", 20))
    ledger.reads.clear()
    assert books.catch_up(engine, ledger) == Followed(applied=1)
    assert ledger.reads == [5]
    assert _holders(engine) == BALANCES | {"alpha": 680, "delta": 20}


def test_events_given_again_are_told_and_skipped_also_within_one_stream(engine: Engine, chunk: int) -> None:
    ledger, books = _chain(), projection()
    events = list(ledger.all_events())
    doubled = [event for event in events for _ in range(2)]
    assert books.follow(engine, doubled, ledger.head()) == Followed(applied=7, repeated=7)
    assert books.follow(engine, events + events, ledger.head()) == Followed(repeated=14)
    assert _holders(engine) == BALANCES


def test_a_missing_event_that_turns_up_late_is_not_taken_for_a_known_one(engine: Engine, chunk: int) -> None:
    ledger, books = _chain(), projection()
    events = list(ledger.all_events())
    with pytest.raises(Problem) as refusal:
        books.follow(engine, [*events[:2], *events[3:], events[2]], ledger.head())
    assert refusal.value.code == "events_out_of_order"


def test_an_event_of_another_fork_in_a_known_block_is_noticed(engine: Engine, chunk: int) -> None:
    ledger, books = _chain(), projection()
    events = list(ledger.all_events())
    books.follow(engine, events[:4], Head(2, events[3].block_hash))
    for stranger in (replace(events[1], block_hash=b"x" * 32), replace(events[3], block_hash=b"x" * 32, log_index=9)):
        with pytest.raises(Problem) as refusal:
            books.follow(engine, [stranger], ledger.head())
        assert refusal.value.code == "books_reorganised"


def test_a_reorganised_ledger_withdraws_its_events_from_the_books(engine: Engine, chunk: int) -> None:
    ledger, books = _chain(), projection()
    books.catch_up(engine, ledger)
    other = ledger.branch(2, "other")
    other.mine(passed(7, 2, "omega", 250))
    other.mine(issued(11, "omega", 5, "R7"))
    other.mine()
    books.catch_up(engine, other)
    assert _holders(engine) == {"alpha": 500, "gamma": 250, "omega": 255}
    replayed = books.rebuild(other.all_events(), other.head())
    assert compare(engine, replayed) == []
    shorter = other.branch(1, "third")
    books.catch_up(engine, shorter)
    assert _holders(engine) == {"alpha": 1000}


def test_books_of_another_chain_are_refused(engine: Engine) -> None:
    ledger = _chain()
    projection().catch_up(engine, ledger)
    with pytest.raises(Problem) as refusal:
        Projection[Event](CHAIN_ID + 1).catch_up(engine, ledger)
    assert refusal.value.code == "books_of_another_chain"


def test_a_poison_event_is_set_aside_whole_and_the_rest_goes_on(engine: Engine, chunk: int) -> None:
    ledger, books = SmallLedger(), projection()
    ledger.mine(issued(1, "alpha", 100), passed(2, 99, "beta", 10), passed(3, 1, "beta", 30))
    ledger.mine(passed(4, 1, "gamma", 71), passed(5, 1, "gamma", 70), issued(1, "alpha", 1))
    result = books.catch_up(engine, ledger)
    assert (result.applied, result.quarantined) == (3, 3)
    assert _holders(engine) == {"beta": 30, "gamma": 70}
    with reading(engine) as session:
        rows = quarantine(session)
        assert [(row.block_number, row.log_index) for row in rows] == [(1, 1), (2, 0), (2, 2)]
        assert "no row" in rows[0].error
        assert "constraint" in rows[1].error.lower()
    replayed = books.rebuild(ledger.all_events(), ledger.head())
    differing = [d for d in compare(engine, replayed) if d.table != "book_quarantine"]
    assert differing == []  # texts of a constraint differ between dialects, the books do not


def test_a_handler_that_fails_half_way_leaves_nothing_even_after_reading_back(engine: Engine, chunk: int) -> None:
    def clumsy(batch: module.Batch, event: Event) -> None:
        batch.insert(HolderBook, holder="ghost", amount_minor=1)
        batch.update(HolderBook, "alpha", amount_minor=0)
        batch.delete(NoteBook, 1)
        assert [row["holder"] for row in batch.select(HolderBook)] == ["alpha", "ghost"]
        assert batch.select(NoteBook) == []
        raise RuntimeError("clumsy")

    ledger = SmallLedger()
    ledger.mine(issued(1, "alpha", 100), settled(), passed(2, 1, "beta", 5))
    handlers = {"Receivables.Issued": on_issued, "Receivables.Passed": on_passed}
    books = Projection[Event](CHAIN_ID, handlers, {"Receivables.Settled": clumsy})
    assert books.catch_up(engine, ledger) == Followed(applied=2, quarantined=1)
    assert _holders(engine) == {"alpha": 95, "beta": 5}


def test_an_event_nobody_handles_is_noted_and_two_rooms_may_handle_one(engine: Engine) -> None:
    seen: list[int] = []
    first, second = (lambda batch, event: seen.append(1)), (lambda batch, event: seen.append(2))
    books = Projection[Event](CHAIN_ID, {"Receivables.Issued": first}, {"Receivables.Issued": second})
    assert books.catch_up(engine, _chain()) == Followed(applied=7)
    assert seen == [1, 2, 1, 2]


def test_changed_missing_and_invented_rows_are_each_found(engine: Engine) -> None:
    ledger, books = _chain(), projection()
    books.catch_up(engine, ledger)
    replayed = books.rebuild(ledger.all_events(), ledger.head())
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE test_holder SET amount_minor = 701 WHERE holder = 'alpha'")
        connection.exec_driver_sql("DELETE FROM test_holder WHERE holder = 'beta'")
        connection.exec_driver_sql("INSERT INTO test_holder (holder, amount_minor) VALUES ('Zeta', 1)")
    found = compare(engine, replayed)
    assert found == [
        Difference("test_holder", ("Zeta",), {"holder": "Zeta", "amount_minor": 1}, None),
        Difference("test_holder", ("alpha",), {"amount_minor": 701}, {"amount_minor": 700}),
        Difference("test_holder", ("beta",), None, {"holder": "beta", "amount_minor": 250}),
    ]
    assert len(compare(engine, replayed, limit=2)) == 2
    replayed.dispose()


def _follow_in_a_process(url: str, ledger: SmallLedger) -> None:
    module.CHUNK_EVENTS = 3
    engine = open_engine(url)
    projection().catch_up(engine, ledger)
    engine.dispose()
    os._exit(0)


def test_two_processes_may_follow_the_same_ledger(engine: Engine) -> None:
    ledger = SmallLedger()
    for number in range(30):
        note = number * 10
        ledger.mine(issued(note, f"h{number}", 100, f"R{number}"), passed(note + 1, note, "all", 7))
    engine.dispose()
    url = engine.url.render_as_string()
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_follow_in_a_process, args=(url, ledger)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert _holders(engine)["all"] == 210
    replayed = projection().rebuild(ledger.all_events(), ledger.head())
    assert compare(engine, replayed) == []


_kinds = st.sampled_from(["issue", "pass", "settle"])
_act = st.tuples(_kinds, st.integers(0, 9), st.integers(1, 300), st.integers(0, 4))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(_act, max_size=6), max_size=8), st.integers(1, 5))
def test_any_history_in_any_chunks_gives_the_balances_of_a_plain_count(
    history: list[list[tuple[str, int, int, int]]], chunk: int
) -> None:
    ledger, amounts, owners, count = SmallLedger(), Counter[int](), dict[int, str](), 0
    for block in history:
        acts = []
        for kind, pick, amount, who in block:
            holder, parent = f"h{who}", pick % max(count, 1)
            if kind == "issue" or not count:
                acts.append(issued(count, holder, amount, f"R{count}"))
            elif kind == "pass" and amounts[parent] >= amount:
                acts.append(passed(count, parent, holder, amount))
                amounts[parent] -= amount
            else:
                acts.append(settled(f"R{parent}"))
                continue
            amounts[count], owners[count], count = amount, holder, count + 1
        ledger.mine(*acts)
    engine = open_engine("sqlite://")
    create_schema(engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_EVENTS", chunk)
        assert projection().catch_up(engine, ledger).quarantined == 0
    expected = Counter[str]()
    for note, amount in amounts.items():
        expected[owners[note]] += amount
    assert _holders(engine) == {holder: total for holder, total in expected.items() if total}
    replayed = projection().rebuild(ledger.all_events(), ledger.head())
    assert compare(engine, replayed) == []
    engine.dispose()
    replayed.dispose()


@pytest.mark.slow
def test_two_hundred_thousand_events_are_written_at_ten_thousand_a_second(sqlite_url: str) -> None:
    def stream() -> Iterator[Event]:
        for number in range(200_000):
            block, parent = number // 100 + 1, number - number % 5
            act = issued(number, "alpha", 1000) if number == parent else passed(number, parent, f"h{number % 97}", 10)
            yield Event("Receivables", *act, block, block.to_bytes(32), number.to_bytes(32), number % 100, number)

    engine = open_engine(sqlite_url)
    create_schema(engine)
    started = time.perf_counter()
    projection().follow(engine, stream(), Head(2000, (2000).to_bytes(32)))
    assert 200_000 / (time.perf_counter() - started) > 10_000
    engine.dispose()
