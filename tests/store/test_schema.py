"""The database is made once, refuses to be something else, and its promises hold from any connection."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session
from tests.store.small_ledger import HolderBook, NoteBook, SmallLedger, issued, projection

from scf.kernel.problems import Problem
from scf.store import schema
from scf.store.engine import Word, open_engine
from scf.store.migrations import SCHEMA_VERSION, upgrade_from
from scf.store.outbox import OutboxRow, put
from scf.store.projection import position
from scf.store.session import create_schema, reading, run, transaction


def test_creating_the_schema_again_keeps_what_is_there(engine: Engine) -> None:
    run(engine, lambda session: put(session, "mail", {}, at=0))
    create_schema(engine)
    with reading(engine) as session:
        assert session.get(OutboxRow, 1) is not None


def test_many_may_create_it_at_the_same_moment(url: str) -> None:
    failures: list[BaseException] = []

    def create() -> None:
        engine = open_engine(url)
        try:
            create_schema(engine)
        except BaseException as error:
            failures.append(error)
        engine.dispose()

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    ("found", "code"), [(SCHEMA_VERSION - 1, "schema_older"), (SCHEMA_VERSION + 1, "schema_newer")]
)
def test_a_database_of_another_version_is_refused_and_left_alone(engine: Engine, found: int, code: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.update(schema.SchemaVersion).values(version=found))
    with pytest.raises(Problem) as refusal:
        create_schema(engine)
    assert refusal.value.code == code
    assert str(found) in str(refusal.value)
    with engine.connect() as connection:
        assert connection.execute(sa.select(schema.SchemaVersion.version)).scalar_one() == found  # type: ignore[call-overload]


def test_a_table_of_facts_with_another_shape_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE schema_table SET digest = 'x' WHERE name = 'outbox'")
    with pytest.raises(Problem) as refusal:
        create_schema(engine)
    assert refusal.value.code == "schema_differs"
    assert "outbox" in str(refusal.value)


def test_a_book_with_another_shape_is_emptied_and_replayed(engine: Engine) -> None:
    ledger, books = SmallLedger(), projection()
    ledger.mine(issued(1, "alpha", 100))
    books.catch_up(engine, ledger)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE test_note RENAME COLUMN settled TO obsolete")
        connection.exec_driver_sql("UPDATE schema_table SET digest = 'x' WHERE name = 'test_note'")
    create_schema(engine)
    assert position(engine) is None
    books.catch_up(engine, ledger)
    with reading(engine) as session:
        assert session.get(NoteBook, 1).settled is False  # type: ignore[union-attr]
        assert session.get(HolderBook, "alpha").amount_minor == 100  # type: ignore[union-attr]


def test_steps_lead_from_version_to_version_in_one_transaction(engine: Engine) -> None:
    steps = {
        2: lambda op: op.add_column("outbox", sa.Column("colour", sa.String(10), nullable=True)),
        3: lambda op: op.execute("UPDATE outbox SET colour = 'red'"),
    }
    run(engine, lambda session: put(session, "mail", {}, at=0))
    with engine.begin() as connection:
        upgrade_from(connection, 1, steps=steps, to=3)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT colour FROM outbox").scalar_one() == "red"
    with pytest.raises(LookupError), engine.begin() as connection:
        upgrade_from(connection, 3, steps=steps, to=4)


def test_reading_cannot_write_and_does_not_wait_for_a_writer(engine: Engine) -> None:
    with transaction(engine) as writer:
        put(writer, "mail", {}, at=0)
        with reading(engine) as session:
            assert session.get(OutboxRow, 1) is None
    with pytest.raises(sa.exc.DBAPIError), reading(engine) as session:
        put(session, "mail", {}, at=0)
    run(engine, lambda session: put(session, "mail", {}, at=0))  # the connection that only read can write again


def test_two_readers_then_writers_do_not_both_win(engine: Engine) -> None:
    """Both see no message and each puts one: only one of them may be right."""
    start = threading.Barrier(2)

    def work(session: Session) -> None:
        if session.exec(sa.select(sa.func.count()).select_from(OutboxRow)).scalar_one() == 0:  # type: ignore[call-overload]
            put(session, "only", {}, at=0)

    def race() -> None:
        start.wait()
        run(engine, work)

    threads = [threading.Thread(target=race) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one() == 1


def test_work_that_lost_a_race_is_done_again_and_gives_up_in_words(engine: Engine) -> None:
    from sqlalchemy.orm.exc import StaleDataError

    tries: list[int] = []

    def work(session: Session) -> int:
        tries.append(1)
        if len(tries) < 3:
            raise StaleDataError("somebody else was faster")
        return len(tries)

    assert run(engine, work) == 3

    def never(session: Session) -> None:
        raise StaleDataError("again")

    with pytest.raises(Problem) as refusal:
        run(engine, never, attempts=3)
    assert refusal.value.code == "database_busy"


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", ""])
def test_an_unknown_database_is_refused_in_words(url: str) -> None:
    with pytest.raises(Problem) as refusal:
        open_engine(url)
    assert refusal.value.code == "database_url_unknown"


def test_a_refused_url_does_not_repeat_its_password() -> None:
    with pytest.raises(Problem) as refusal:
        open_engine("mysql://me:secret@host/db")
    assert "secret" not in str(refusal.value)


def test_a_server_that_is_not_there_is_said_in_words() -> None:
    with pytest.raises(Problem) as refusal:
        create_schema(open_engine("postgresql://scf@127.0.0.1:9/none"))
    assert refusal.value.code == "database_unreachable"


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "scf.db"
    file.write_bytes(b"not a database, but somebody's letter" * 100)
    with pytest.raises(Problem) as refusal:
        create_schema(open_engine(f"sqlite:///{file}"))
    assert refusal.value.code == "database_damaged"
    assert file.read_bytes().startswith(b"not a database")


def test_a_full_disk_is_said_in_words_and_loses_nothing(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    create_schema(engine)
    run(engine, lambda session: put(session, "mail", {"n": 1}, at=0))

    def fill(session: Session) -> None:
        connection = session.connection()
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        put(session, "mail", {"text": "x" * 100_000}, at=0)

    with pytest.raises(Problem) as refusal:
        run(engine, fill)
    assert refusal.value.code == "database_full"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one() == 1
    engine.dispose()


def test_sqlite_commits_survive_power_loss_by_its_settings(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with engine.connect() as connection:
        values = [connection.exec_driver_sql(f"PRAGMA {p}").scalar_one() for p in ("journal_mode", "synchronous")]
        assert values == ["wal", 2]
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    engine.dispose()


def test_the_guards_hold_for_any_program_that_opens_the_file(sqlite_url: str, tmp_path: Path) -> None:
    engine = open_engine(sqlite_url)
    create_schema(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO command_reply (caller, key, reply) VALUES ('a', 'k', '{}')")
    engine.dispose()
    with sqlite3.connect(tmp_path / "scf.db") as other, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute("DELETE FROM command_reply")


def test_words_of_256_bits_come_back_and_sort_as_numbers(engine: Engine) -> None:
    numbers = [0, 1, 15, 16, 2**64, 2**192, 2**256 - 1]
    rows = [{"note_id": n, "receivable": "R", "holder": "h", "amount_minor": 1, "children": 0} for n in numbers]
    with engine.begin() as connection:
        connection.execute(sa.insert(NoteBook), [row | {"settled": False} for row in reversed(rows)])
        found = connection.execute(sa.select(NoteBook.note_id).order_by(NoteBook.note_id)).scalars().all()  # type: ignore[call-overload]
    assert found == numbers
    assert isinstance(NoteBook.__table__.c.note_id.type, Word)  # type: ignore[attr-defined]
