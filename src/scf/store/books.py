"""Books: tables that only ledger events fill, and the batch through which handlers of events read and write them.

A handler never talks to the database. It asks the batch for a row by its key, inserts, changes or deletes; the batch
answers from memory what was written a moment ago and from the database what was not, and writes everything in sets when
a chunk of events is done. That is what makes a replay of a million events take minutes instead of an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import Connection, Table
from sqlmodel import SQLModel

Row = Mapping[str, Any]
"""A row of a book: column name -> value. Not to be changed in place; use `Batch.update`."""
Key = tuple[Any, ...]


class Book(SQLModel):
    """Base of tables that only ledger events fill: `class NoteBook(Book, table=True)`.

    A book needs a natural primary key (no counters) and no time but the ledger's, so that a replay gives equal rows.
    Facts outside the books must not point into them with foreign keys.
    """


def book_tables() -> list[Table]:
    """Every book the program knows, parents before children."""
    books = {table_of(model) for model in _subclasses(Book)}
    return [table for table in SQLModel.metadata.sorted_tables if table in books]


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a `table=True` class."""
    return cast(Table, model.__dict__.get("__table__"))


class _Slot:
    """What is known of one key: the row as the database has it, and as it shall be. None means no row."""

    __slots__ = ("current", "stored")

    def __init__(self, stored: dict[str, Any] | None) -> None:
        self.stored = stored
        self.current = stored


class _Shelf:
    """The statements and the known rows of one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.slots: dict[Key, _Slot] = {}
        self.dirty: dict[Key, _Slot] = {}
        self.key_names = tuple(column.name for column in table.primary_key.columns)
        self.names = tuple(column.name for column in table.columns)
        self.defaults = {c.name: c.default.arg for c in table.columns if isinstance(c.default, sa.ColumnDefault)}
        match_key = [c == sa.bindparam(f"key_{c.name}") for c in table.primary_key.columns]
        others: dict[str, Any] = {
            name: sa.bindparam(f"new_{name}") for name in self.names if name not in self.key_names
        }
        self.insert = sa.insert(table)
        self.update = sa.update(table).where(*match_key).values(others) if others else None
        self.delete = sa.delete(table).where(*match_key)
        self.select = sa.select(table).where(*match_key)

    def parameters(self, key: Key) -> dict[str, Any]:
        return {f"key_{name}": value for name, value in zip(self.key_names, key, strict=True)}


class Batch:
    """Rows of books as the events applied so far make them. Tables are named by their class, rows by primary key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._shelves: dict[type[SQLModel], _Shelf] = {}
        self._undo: list[tuple[_Shelf, Key, _Slot, dict[str, Any] | None]] = []

    def get(self, model: type[Book], *key: Any) -> Row | None:
        """The row with this primary key (values in column order), or None."""
        return self._slot(self._shelf(model), key).current

    def require(self, model: type[Book], *key: Any) -> Row:
        """The row with this primary key. Raises LookupError when there is none; the event is then quarantined."""
        row = self.get(model, *key)
        if row is None:
            raise LookupError(f"no row {key!r} in {table_of(model).name}")
        return row

    def insert(self, model: type[Book], **values: Any) -> Row:
        """Insert a row; columns left out take their default or NULL. Raises LookupError when the key is taken."""
        shelf = self._shelf(model)
        row = {name: values.pop(name, shelf.defaults.get(name)) for name in shelf.names}
        if values:
            raise LookupError(f"{shelf.table.name} has no column {sorted(values)}")
        key = tuple(row[name] for name in shelf.key_names)
        slot = self._slot(shelf, key, fresh=True)
        if slot.current is not None:
            raise LookupError(f"row {key!r} is already in {shelf.table.name}")
        self._put(shelf, key, slot, row)
        return row

    def update(self, model: type[Book], *key: Any, **changes: Any) -> Row:
        """Change columns of a row. Raises LookupError when there is no such row or column."""
        shelf = self._shelf(model)
        slot = self._slot(shelf, key)
        if slot.current is None:
            raise LookupError(f"no row {key!r} in {shelf.table.name}")
        row = slot.current | changes
        if len(row) != len(shelf.names) or not changes.keys().isdisjoint(shelf.key_names):
            raise LookupError(f"{shelf.table.name} cannot change {sorted(changes)}")
        self._put(shelf, key, slot, row)
        return row

    def delete(self, model: type[Book], *key: Any) -> None:
        """Delete a row. Raises LookupError when there is none."""
        shelf = self._shelf(model)
        slot = self._slot(shelf, key)
        if slot.current is None:
            raise LookupError(f"no row {key!r} in {shelf.table.name}")
        self._put(shelf, key, slot, None)

    def select(self, model: type[Book], **equals: Any) -> list[Row]:
        """Rows whose columns equal the given values, ordered by primary key.

        Writes what is buffered first, so it costs a round trip: for events that come seldom, not for each pass.
        """
        self.flush()
        shelf = self._shelf(model)
        query = sa.select(shelf.table).order_by(*shelf.table.primary_key.columns)
        for name, value in equals.items():
            query = query.where(shelf.table.c[name] == value)
        rows: list[Row] = []
        for found in self._connection.execute(query).mappings():
            key = tuple(found[name] for name in shelf.key_names)
            slot = shelf.slots.get(key)
            if slot is None:
                slot = shelf.slots[key] = _Slot(dict(found))
            if slot.current is not None:
                rows.append(slot.current)
        return rows

    def flush(self) -> None:
        """Write every buffered change: inserts parents first, deletes children first."""
        order = {table: place for place, table in enumerate(SQLModel.metadata.sorted_tables)}
        shelves = sorted((s for s in self._shelves.values() if s.dirty), key=lambda shelf: order[shelf.table])
        for shelf in reversed(shelves):
            gone = [key for key, slot in shelf.dirty.items() if slot.current is None and slot.stored is not None]
            if gone:
                self._connection.execute(shelf.delete, [shelf.parameters(key) for key in gone])
        for shelf in shelves:
            self._write(shelf)

    def begin_event(self) -> None:
        """From here on, `undo_event` takes everything back."""
        self._undo.clear()

    def undo_event(self) -> None:
        """Take back what was done since `begin_event`, whether or not it was flushed in between."""
        for shelf, key, slot, row in reversed(self._undo):
            slot.current = row
            shelf.dirty[key] = slot
            if row is None and slot.stored is None:  # nothing is known of this key any more: ask the database next time
                shelf.dirty.pop(key)
                shelf.slots.pop(key, None)
        self._undo.clear()

    def attach(self, connection: Connection) -> None:
        """Go on in another transaction of the same database, which must see what the last one committed."""
        self._connection = connection

    def __len__(self) -> int:
        return sum(len(shelf.slots) for shelf in self._shelves.values())

    def _shelf(self, model: type[SQLModel]) -> _Shelf:
        shelf = self._shelves.get(model)
        if shelf is None:
            shelf = self._shelves[model] = _Shelf(table_of(model))
        return shelf

    def _slot(self, shelf: _Shelf, key: Key, *, fresh: bool = False) -> _Slot:
        slot = shelf.slots.get(key)
        if slot is None:
            found = None if fresh else self._connection.execute(shelf.select, shelf.parameters(key)).mappings().first()
            slot = shelf.slots[key] = _Slot(None if found is None else dict(found))
        return slot

    def _put(self, shelf: _Shelf, key: Key, slot: _Slot, row: dict[str, Any] | None) -> None:
        self._undo.append((shelf, key, slot, slot.current))
        slot.current = row
        shelf.dirty[key] = slot

    def _write(self, shelf: _Shelf) -> None:
        fresh: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        for key, slot in shelf.dirty.items():
            row, stored = slot.current, slot.stored
            if row is not None and stored is None:
                fresh.append(row)
            elif row is not None and stored is not row and stored != row:
                others = {f"new_{name}": row[name] for name in shelf.names if name not in shelf.key_names}
                changed.append(shelf.parameters(key) | others)
            slot.stored = row
        if fresh:
            self._connection.execute(shelf.insert, fresh)
        if changed and shelf.update is not None:
            self._connection.execute(shelf.update, changed)
        shelf.dirty.clear()


def empty_books(connection: Connection, tables: Iterable[Table]) -> None:
    """Delete every row of `tables`, children first."""
    for table in reversed(list(tables)):
        connection.execute(sa.delete(table))


def _subclasses(base: type[SQLModel]) -> Iterator[type[SQLModel]]:
    child: type[SQLModel]
    for child in base.__subclasses__():
        if child.__dict__.get("__table__") is not None:
            yield child
        yield from _subclasses(child)
