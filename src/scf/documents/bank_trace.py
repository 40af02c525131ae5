"""What importing a statement changed among the bank's lines, remembered so that it can be put back exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import UOWTransaction
from sqlmodel import Session, SQLModel

from scf.bank.models import BankInstruction, BankLine, BankStatement
from scf.kernel.problems import Problem

_TABLES: dict[str, type[SQLModel]] = {m.__name__: m for m in (BankStatement, BankLine, BankInstruction)}


class Trace:
    """Rows made and rows changed between the first and the last look."""

    def __init__(self) -> None:
        self._made: dict[int, SQLModel] = {}
        self._before: dict[int, tuple[SQLModel, dict[str, Any]]] = {}

    def note(self, session: Session) -> None:
        """Look at what is about to be written."""
        for row in session.new:
            if type(row) in _TABLES.values():
                self._made[id(row)] = row
        for row in session.dirty:
            if type(row) in _TABLES.values() and id(row) not in self._made and id(row) not in self._before:
                self._before[id(row)] = row, _as_loaded(row)

    def text(self) -> str:
        """JSON of every row made or changed: table, key, before (null for a row that was made) and after."""
        rows: list[tuple[SQLModel, dict[str, Any] | None]] = [(row, None) for row in self._made.values()]
        rows += list(self._before.values())
        return f"[{', '.join(_changes(rows))}]"


def _changes(rows: Iterable[tuple[SQLModel, dict[str, Any] | None]]) -> Iterator[str]:
    for row, before in rows:
        after = row.model_dump(mode="json")
        if before != after:
            yield json.dumps({"table": type(row).__name__, "key": _key(row), "before": before, "after": after})


@contextmanager
def tracing(session: Session) -> Iterator[Trace]:
    """Trace what is written to the bank's tables inside the block."""
    trace = Trace()

    def look(one: Session, _context: UOWTransaction, _instances: object) -> None:
        trace.note(one)

    sa.event.listen(session, "before_flush", look)
    try:
        yield trace
        session.flush()
    finally:
        sa.event.remove(session, "before_flush", look)


def put_back(session: Session, text: str) -> None:
    """Put the rows of a trace back as they were before.

    Raises Problem `undo_after_payment` when a payment of ours is proved by one of the lines, and
    `undo_after_statement` when another file has told of one since; then the caller must not commit.
    """
    changes = json.loads(text)
    for change in changes:
        row = session.get(_TABLES[change["table"]], change["key"])
        matched = getattr(row, "matched", None) or (change["key"] if change["table"] == "BankInstruction" else None)
        if matched is not None:
            raise Problem("undo_after_payment", payment=str(matched))
        if row is None or row.model_dump(mode="json") != change["after"]:
            said = change["after"]
            raise Problem("undo_after_statement", account=said.get("account", ""), day=_day_of(said))
    for change in reversed(changes):
        model = _TABLES[change["table"]]
        row = session.get(model, change["key"])
        if change["before"] is None:
            session.delete(row)
        elif row is not None:
            row.sqlmodel_update(model.model_validate(change["before"]).model_dump())
            session.add(row)
    session.flush()


def _day_of(said: dict[str, Any]) -> str:
    return str(said.get("booked_on") or said.get("last_day") or "")


def _key(row: SQLModel) -> Any:
    return row.end_to_end_id if isinstance(row, BankInstruction) else getattr(row, "id", None)


def _as_loaded(row: SQLModel) -> dict[str, Any]:
    """The row as it stands in the database, before the changes that wait to be written."""
    plain: dict[str, Any] = row.model_dump()
    for attribute in sa.inspect(row).attrs:
        if attribute.history.deleted:
            plain[attribute.key] = attribute.history.deleted[0]
    loaded: dict[str, Any] = type(row).model_validate(plain).model_dump(mode="json")
    return loaded
