"""Are two sets of books equal, row for row? Works across SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Table

from scf.store.books import book_tables, table_of
from scf.store.engine import Word, is_postgresql
from scf.store.projection import BookCursor

_FETCH_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not the same on both sides; `left` or `right` is None where the row is missing.

    Where both sides have the row, only the columns that differ are given.
    """

    table: str
    key: tuple[Any, ...]
    left: Mapping[str, Any] | None
    right: Mapping[str, Any] | None


def compare(
    left: Engine, right: Engine, *, tables: Sequence[Table] | None = None, limit: int = 100
) -> list[Difference]:
    """The first `limit` differences between the books of two databases; an empty list means equal, row for row.

    The cursor is not compared: it says when a book was written, not what is in it.
    """
    chosen = [t for t in book_tables() if t is not table_of(BookCursor)] if tables is None else tables
    found: list[Difference] = []
    with left.connect() as a, right.connect() as b:
        for table in chosen:
            for difference in _differences(table, a, b):
                found.append(difference)
                if len(found) >= limit:
                    return found
    return found


def _differences(table: Table, a: Connection, b: Connection) -> Iterator[Difference]:
    names = [column.name for column in table.columns]
    places = [names.index(column.name) for column in table.primary_key.columns]
    lefts, rights = _rows(table, a), _rows(table, b)
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        if left == right:
            left, right = next(lefts, None), next(rights, None)
            continue
        left_key = None if left is None else tuple(left[place] for place in places)
        right_key = None if right is None else tuple(right[place] for place in places)
        if left is not None and left_key is not None and (right_key is None or left_key < right_key):
            yield Difference(table.name, left_key, dict(zip(names, left, strict=True)), None)
            left = next(lefts, None)
        elif right is not None and right_key is not None and (left_key is None or right_key < left_key):
            yield Difference(table.name, right_key, None, dict(zip(names, right, strict=True)))
            right = next(rights, None)
        elif left is not None and right is not None and left_key is not None:
            both = [(n, x, y) for n, x, y in zip(names, left, right, strict=True) if x != y]
            yield Difference(table.name, left_key, {n: x for n, x, _ in both}, {n: y for n, _, y in both})
            left, right = next(lefts, None), next(rights, None)


def _rows(table: Table, connection: Connection) -> Iterator[tuple[Any, ...]]:
    order: list[sa.ColumnElement[Any]] = []
    for column in table.primary_key.columns:
        textual = is_postgresql(connection) and isinstance(column.type, sa.String | Word)
        order.append(sa.collate(column, "C") if textual else column)  # the order of bytes, as SQLite and Python have it
    streaming = connection.execution_options(yield_per=_FETCH_ROWS)
    for row in streaming.execute(sa.select(table).order_by(*order)):
        yield tuple(row)
