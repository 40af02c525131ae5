"""Filling the books from the ledger's event stream, each event once, and proving that a replay gives the same rows.

Events are taken in chunks; the rows of a chunk and the cursor move in one transaction, so a crash leaves the books at
the end of some chunk, and two processes may follow the same ledger without doubling anything. An event whose handler
fails is put in quarantine with nothing of it applied, and is visible until a corrected program replays the books.

A reorganisation of the ledger is met by `Projection.replace`: all books are written anew from genesis in one
transaction, during which readers go on seeing the old ones. Networks with immediate finality never need it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlmodel import Field, Session, SQLModel, col, select

from scf.kernel.problems import Problem
from scf.store.books import Batch, Book, book_tables, empty_books, table_of
from scf.store.collector import collected_seldom
from scf.store.engine import BIG, open_engine
from scf.store.session import reading, run

CHUNK_EVENTS = 4000
_KEPT_ROWS = 200_000
_END = 2**31 - 1  # log index of "this block and everything in it"


class EventLike(Protocol):
    """What the books need of a decoded ledger event. `log_index` counts within the block."""

    @property
    def contract(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def args(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def block_number(self) -> int: ...  # noqa: D102
    @property
    def block_hash(self) -> bytes: ...  # noqa: D102
    @property
    def transaction_hash(self) -> bytes: ...  # noqa: D102
    @property
    def log_index(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102


class HeadLike(Protocol):
    """Number and hash of a block."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def hash(self) -> bytes: ...  # noqa: D102


E = TypeVar("E", bound=EventLike)
E_co = TypeVar("E_co", bound=EventLike, covariant=True)
Handler = Callable[[Batch, E], None]


class EventSource(Protocol[E_co]):
    """A ledger as the books see it."""

    def head(self) -> HeadLike:
        """The newest block."""
        ...

    def header(self, number: int) -> HeadLike:
        """The block of that number on the ledger as it is now."""
        ...

    def events(self, first: int, last: int) -> Iterable[E_co]:
        """Decoded events of blocks `first` to `last` (both included), in order."""
        ...


class BookCursor(Book, table=True):
    """How far the books are: the last event applied, or the whole of a block."""

    __tablename__ = "book_cursor"
    chain_id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    block_number: int = Field(sa_type=BIG)
    log_index: int = Field(sa_type=BIG)
    block_hash: bytes = Field(sa_type=sa.LargeBinary)
    revision: str = Field(max_length=16)


class BookEvent(Book, table=True):
    """Every event the books were made from, with the transaction that proves it."""

    __tablename__ = "book_event"
    __table_args__ = (sa.UniqueConstraint("chain_id", "block_hash", "log_index"), {"sqlite_with_rowid": False})
    block_number: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    log_index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    chain_id: int = Field(sa_type=BIG)
    block_hash: bytes = Field(sa_type=sa.LargeBinary)
    transaction_hash: bytes = Field(sa_type=sa.LargeBinary)
    contract: str = Field(max_length=60)
    name: str = Field(max_length=60)
    timestamp: int = Field(sa_type=BIG)


class BookQuarantine(Book, table=True):
    """An event that could not be applied, and why. Empty in a healthy installation."""

    __tablename__ = "book_quarantine"
    block_number: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    log_index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    contract: str = Field(max_length=60)
    name: str = Field(max_length=60)
    transaction_hash: bytes = Field(sa_type=sa.LargeBinary)
    error: str = Field(max_length=300)


@dataclass(frozen=True, slots=True)
class Position:
    """Where the books are. `next_block` is the first block that may still hold events for them."""

    chain_id: int
    block_number: int
    block_hash: bytes
    next_block: int


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of a stream: events applied, events that had been applied before, events put in quarantine.

    `withdrawn` says that the ledger was reorganised and the books were written anew.
    """

    applied: int = 0
    repeated: int = 0
    quarantined: int = 0
    withdrawn: bool = False

    def __add__(self, other: Followed) -> Followed:
        return Followed(
            self.applied + other.applied,
            self.repeated + other.repeated,
            self.quarantined + other.quarantined,
            self.withdrawn or other.withdrawn,
        )


@dataclass(slots=True)
class _State:
    """The cursor while a chunk is being applied, and the rows remembered from the chunk before."""

    number: int = -1
    log_index: int = -1
    hash: bytes = b""
    revision: str = ""
    batch: Batch | None = None


class Projection(Generic[E]):
    """Handlers by `Contract.Event`, from as many rooms as there are; an event without a handler is only noted."""

    def __init__(self, chain_id: int, *handlers: Mapping[str, Handler[E]]) -> None:
        self.chain_id = chain_id
        self._handlers: dict[tuple[str, str], list[Handler[E]]] = {}
        for room in handlers:
            for name, handler in room.items():
                contract, _, event = name.partition(".")
                self._handlers.setdefault((contract, event), []).append(handler)

    def catch_up(self, engine: Engine, source: EventSource[E]) -> Followed:
        """Bring the books to the head of the ledger, replaying them from genesis when it was reorganised.

        Raises Problem `books_of_another_chain` or `events_out_of_order`.
        """
        head, at = source.head(), position(engine)
        if at is not None and at.chain_id != self.chain_id:
            raise Problem("books_of_another_chain", found=at.chain_id, expected=self.chain_id)
        if at is not None and not _is_on(source, head, at):
            return self.replace(engine, lambda: source.events(0, head.number), head) + Followed(withdrawn=True)
        first = 0 if at is None else at.next_block
        return self.follow(engine, source.events(first, head.number), head)

    def follow(self, engine: Engine, events: Iterable[E], head: HeadLike) -> Followed:
        """Apply `events`, which complete the ledger up to `head`, chunk by chunk, each with the cursor in one commit.

        Events the books have already are told by their place and skipped. Raises Problem `books_reorganised` when the
        ledger contradicts what was applied, `events_out_of_order`, `books_of_another_chain`.
        """
        state, total, iterator = _State(), Followed(), iter(events)
        with collected_seldom():
            while True:
                chunk = list(islice(iterator, CHUNK_EVENTS))
                end = head if len(chunk) < CHUNK_EVENTS else None
                total += run(engine, lambda s, c=chunk, e=end: self._commit_chunk(s.connection(), state, c, e))  # type: ignore[misc]
                if end is not None:
                    return total

    def replace(self, engine: Engine, events: Callable[[], Iterable[E]], head: HeadLike) -> Followed:
        """Write all books anew from genesis in one transaction; readers see the old books until it is done."""

        def work(session: Session) -> Followed:
            connection = session.connection()
            empty_books(connection, book_tables())
            state, total, iterator = _State(), Followed(), iter(events())
            while chunk := list(islice(iterator, CHUNK_EVENTS)):
                total += self._commit_chunk(connection, state, chunk, None)
            return total + self._commit_chunk(connection, state, [], head)

        with collected_seldom():
            return run(engine, work)

    def rebuild(self, events: Iterable[E], head: HeadLike, url: str = "sqlite://") -> Engine:
        """Books made from genesis in a database of their own, to be compared with the live ones."""
        engine = open_engine(url)
        SQLModel.metadata.create_all(engine, tables=book_tables())
        self.follow(engine, events, head)
        return engine

    def _commit_chunk(
        self, connection: Connection, state: _State, chunk: Sequence[E], head: HeadLike | None
    ) -> Followed:
        self._load(connection, state)
        fresh, repeated = self._sift(connection, state, chunk, head)
        assert state.batch is not None
        try:
            with connection.begin_nested():
                quarantined = self._apply(connection, state.batch, fresh)
        except (IntegrityError, DataError):  # a constraint refused the set: find out which event it was
            state.batch = Batch(connection)
            quarantined = self._apply_singly(connection, state, fresh)
        self._save(connection, state, fresh, head)
        return Followed(len(fresh) - quarantined, repeated, quarantined)

    def _load(self, connection: Connection, state: _State) -> None:
        """Lock and read the cursor; rows remembered stay good only while nobody else has moved it."""
        row = connection.execute(sa.select(table_of(BookCursor)).with_for_update()).mappings().first()
        if row is not None and row["chain_id"] != self.chain_id:
            raise Problem("books_of_another_chain", found=row["chain_id"], expected=self.chain_id)
        known = state.revision if row is None else row["revision"]
        if row is None:
            state.number, state.log_index, state.hash, state.revision = -1, -1, b"", ""
        else:
            state.number, state.log_index, state.hash = row["block_number"], row["log_index"], row["block_hash"]
        if state.batch is None or row is None or known != state.revision or len(state.batch) > _KEPT_ROWS:
            state.batch = Batch(connection)
        state.batch.attach(connection)
        state.revision = known

    def _sift(
        self, connection: Connection, state: _State, chunk: Sequence[E], head: HeadLike | None
    ) -> tuple[list[E], int]:
        """Tell new events from known ones and check that both fit what was applied before."""
        fresh: list[E] = []
        known: list[E] = []
        number, log_index, block_hash = state.number, state.log_index, state.hash
        for event in chunk:
            if (event.block_number, event.log_index) <= (number, log_index):
                known.append(event)
                continue
            if event.block_number == number and bytes(event.block_hash) != block_hash:
                raise Problem("books_reorganised", block=number)
            number, log_index, block_hash = event.block_number, event.log_index, bytes(event.block_hash)
            fresh.append(event)
        if head is not None and number > head.number and fresh:
            raise Problem("events_out_of_order", block=number)
        if head is not None and head.number == number and bytes(head.hash) != block_hash:
            raise Problem("books_reorganised", block=number)
        if known:
            _check_known(connection, state, known, fresh)
        return fresh, len(known)

    def _apply(self, connection: Connection, batch: Batch, events: Sequence[E]) -> int:
        poisoned: list[dict[str, Any]] = []
        handlers = self._handlers
        for event in events:
            batch.begin_event()
            try:
                for handler in handlers.get((event.contract, event.name), ()):
                    handler(batch, event)
            except DBAPIError:
                raise
            except Exception as error:
                batch.undo_event()
                poisoned.append(_quarantine_row(event, error))
        batch.flush()
        self._note(connection, events, poisoned)
        return len(poisoned)

    def _apply_singly(self, connection: Connection, state: _State, events: Sequence[E]) -> int:
        quarantined = 0
        for event in events:
            assert state.batch is not None
            try:
                with connection.begin_nested():
                    quarantined += self._apply(connection, state.batch, [event])
            except (IntegrityError, DataError) as error:
                state.batch = Batch(connection)
                self._note(connection, [event], [_quarantine_row(event, error)])
                quarantined += 1
        return quarantined

    def _note(self, connection: Connection, events: Sequence[E], poisoned: Sequence[Mapping[str, Any]]) -> None:
        rows = [
            {
                "block_number": event.block_number,
                "log_index": event.log_index,
                "chain_id": self.chain_id,
                "block_hash": bytes(event.block_hash),
                "transaction_hash": bytes(event.transaction_hash),
                "contract": event.contract,
                "name": event.name,
                "timestamp": event.timestamp,
            }
            for event in events
        ]
        if rows:
            connection.execute(sa.insert(table_of(BookEvent)), rows)
        if poisoned:
            connection.execute(sa.insert(table_of(BookQuarantine)), list(poisoned))

    def _save(self, connection: Connection, state: _State, fresh: Sequence[E], head: HeadLike | None) -> None:
        if fresh:
            last = fresh[-1]
            state.number, state.log_index, state.hash = last.block_number, last.log_index, bytes(last.block_hash)
        if head is not None and head.number >= state.number:
            state.number, state.log_index, state.hash = head.number, _END, bytes(head.hash)
        if state.number < 0:
            return
        state.revision = secrets.token_hex(8)
        values = {
            "block_number": state.number,
            "log_index": state.log_index,
            "block_hash": state.hash,
            "revision": state.revision,
        }
        moved = connection.execute(sa.update(table_of(BookCursor)).values(**values))
        if moved.rowcount == 0:
            connection.execute(sa.insert(table_of(BookCursor)).values(chain_id=self.chain_id, **values))


def position(engine: Engine) -> Position | None:
    """Where the books are, or None when they are empty."""
    with reading(engine) as session:
        cursor = session.exec(select(BookCursor)).one_or_none()
    if cursor is None:
        return None
    following = cursor.block_number + (cursor.log_index == _END)
    return Position(cursor.chain_id, cursor.block_number, cursor.block_hash, following)


def quarantine(session: Session) -> Sequence[BookQuarantine]:
    """Events that could not be applied, in ledger order."""
    order = (col(BookQuarantine.block_number), col(BookQuarantine.log_index))
    return session.exec(select(BookQuarantine).order_by(*order)).all()


def _is_on(source: EventSource[E], head: HeadLike, at: Position) -> bool:
    return at.block_number <= head.number and bytes(source.header(at.block_number).hash) == at.block_hash


def _check_known(connection: Connection, state: _State, known: Sequence[EventLike], fresh: Sequence[EventLike]) -> None:
    """Events at or before the cursor must be the ones that were applied."""
    numbers = [event.block_number for event in known]
    table = table_of(BookEvent)
    query = sa.select(table.c.block_number, table.c.log_index, table.c.block_hash)
    found: dict[tuple[int, int], bytes] = {
        (row.block_number, row.log_index): row.block_hash
        for row in connection.execute(query.where(table.c.block_number.between(min(numbers), max(numbers))))
    }
    found |= {(event.block_number, event.log_index): bytes(event.block_hash) for event in fresh}
    for event in known:
        applied = found.get((event.block_number, event.log_index))
        if applied is None and event.block_number == state.number:
            applied = state.hash if bytes(event.block_hash) != state.hash else None
        if applied is None:
            raise Problem("events_out_of_order", block=event.block_number)
        if applied != bytes(event.block_hash):
            raise Problem("books_reorganised", block=event.block_number)


def _quarantine_row(event: EventLike, error: Exception) -> dict[str, Any]:
    cause = getattr(error, "orig", None) or error
    return {
        "block_number": event.block_number,
        "log_index": event.log_index,
        "contract": event.contract,
        "name": event.name,
        "transaction_hash": bytes(event.transaction_hash),
        "error": f"{type(cause).__name__}: {cause}"[:300],
    }
