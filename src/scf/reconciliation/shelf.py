"""What one batch of facts reads and writes, in sets: rows come in by `IN` lists and go out by `executemany`.

Ids are given out here, inside the caller's transaction; the unique keys of the tables refuse a second writer that gave
out the same ones, and the caller's retry does the batch again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from scf.reconciliation.facts import Fact, from_json
from scf.reconciliation.fold import Part
from scf.reconciliation.models import (
    Allocation,
    CaseRow,
    ExceptionRow,
    FactRow,
    FactWithdrawn,
    InvoiceRow,
    NameRow,
    VerdictRow,
    WaitingPayment,
)
from scf.store.books import table_of

CHUNK = 5_000
"""Values in one `IN` list; SQLite takes 32,766 variables and PostgreSQL 65,535."""

FACT, WITHDRAWN, NAME, CASE = (table_of(m) for m in (FactRow, FactWithdrawn, NameRow, CaseRow))
ALLOCATION, VERDICT, EXCEPTION, WAITING, INVOICE = (
    table_of(m) for m in (Allocation, VerdictRow, ExceptionRow, WaitingPayment, InvoiceRow)
)
_NAME_COLUMNS = ("norm", "raw", "role", "owned", "fact_id", "case_id", "buyer", "seller")
CASE_COLUMNS = tuple(column.name for column in CASE.columns)


@dataclass(slots=True)
class Name:
    """A reference that is known or waited for."""

    norm: str
    raw: str
    role: str
    owned: bool
    fact_id: int
    case_id: int | None
    buyer: str | None
    seller: str | None


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values in lists of at most CHUNK."""
    listed = list(values)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]


class Shelf:
    """The rows of one batch and the session they are read from and written to."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.facts: dict[int, Fact] = {}
        self.cases: dict[int, dict[str, Any]] = {}
        self.parts: dict[int, list[Part]] = {}
        self.names: dict[tuple[str, str], list[Name]] = defaultdict(list)
        self.waiting_names: dict[str, list[Name]] = defaultdict(list)
        self.new_cases: set[int] = set()
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._next: dict[str, int] = {}
        self._known_names: set[str] = set()

    def next_id(self, table: sa.Table) -> int:
        """The next id of a table."""
        if table.name not in self._next:
            top = self.session.execute(sa.select(sa.func.max(table.c.id))).scalar()
            self._next[table.name] = (top or 0) + 1
        given = self._next[table.name]
        self._next[table.name] = given + 1
        return given

    def select(self, columns: Sequence[Any], where: Any, values: Collection[Any], *more: Any) -> Iterator[Any]:
        """Rows whose column `where` is in `values`, chunk by chunk."""
        for chunk in chunks(values):
            yield from self.session.execute(sa.select(*columns).where(where.in_(chunk), *more))

    def add(self, table: sa.Table, row: dict[str, Any]) -> None:
        """Write this row when the batch is done."""
        self.rows[table.name].append(row)

    def load_names(self, norms: Collection[str]) -> None:
        """Read every name with these normal forms, once."""
        asked = [norm for norm in dict.fromkeys(norms) if norm not in self._known_names]
        self._known_names.update(asked)
        c = NAME.c
        columns = (c.norm, c.raw, c.role, c.owned, c.fact_id, c.case_id, c.buyer, c.seller)
        for row in self.select(columns, c.norm, asked):
            self.keep_name(Name(*row))
        self.load_cases({n.case_id for key in asked for n in self._of(key) if n.case_id is not None})

    def keep_name(self, name: Name) -> None:
        """Remember a name read or made."""
        if name.owned:
            self.names[name.role, name.norm].append(name)
        elif name.case_id is None:
            self.waiting_names[name.norm].append(name)

    def _of(self, norm: str) -> Iterator[Name]:
        for role in ("order", "despatch", "invoice", "structured", "end_to_end"):
            yield from self.names.get((role, norm), ())

    def load_cases(self, ids: Collection[int]) -> None:
        """Read these cases, once."""
        for row in self.select(tuple(CASE.columns), CASE.c.id, [i for i in ids if i not in self.cases]):
            self.cases[row.id] = dict(zip(CASE_COLUMNS, row, strict=True))

    def load_parts(self, case_ids: Collection[int]) -> None:
        """Read the facts that belong to these cases, once."""
        asked = [i for i in case_ids if i not in self.parts]
        for case_id in asked:
            self.parts[case_id] = []
        a = ALLOCATION.c
        columns = (a.case_id, a.fact_id, a.amount_minor, a.payable_minor, a.confidence, FACT.c.content)
        stored = [i for i in asked if i not in self.new_cases]
        for chunk in chunks(stored):
            query = (
                sa.select(*columns)
                .join_from(ALLOCATION, FACT, FACT.c.id == a.fact_id)
                .where(a.case_id.in_(chunk), a.ended_by.is_(None))
            )
            for case_id, fact_id, amount, payable, confidence, content in self.session.execute(query):
                fact = self.facts.get(fact_id) or from_json(content)
                self.facts[fact_id] = fact
                self.parts[case_id].append(Part(fact_id, fact, amount, payable, confidence))

    def load_facts(self, ids: Collection[int]) -> None:
        """Read these facts, once."""
        for row in self.select((FACT.c.id, FACT.c.content), FACT.c.id, [i for i in ids if i not in self.facts]):
            self.facts[row.id] = from_json(row.content)

    def near(
        self, table: sa.Table, column: str, amount: str, asked: list[tuple[Any, ...]], *more: Any
    ) -> Iterable[Mapping[str, Any]]:
        """Rows of `table` whose party, currency and amount are asked for: (id, party, currency, low, high) each."""
        kinds = (sa.BigInteger, sa.String, sa.String, sa.BigInteger, sa.BigInteger)
        names = ("asked_for", "party", "money", "low", "high")
        columns: list[Any] = [sa.column(name, kind) for name, kind in zip(names, kinds, strict=True)]
        for start in range(0, len(asked), 1_000):
            wanted = sa.values(*columns, name="wanted").data(asked[start : start + 1_000]).cte("asked")
            query = sa.select(table, wanted.c.asked_for).join_from(
                wanted,
                table,
                sa.and_(
                    table.c[column] == wanted.c.party,
                    table.c.currency == wanted.c.money,
                    table.c[amount].between(wanted.c.low, wanted.c.high),
                    *more,
                ),
            )
            yield from (dict(row) for row in self.session.execute(query).mappings())

    def add_name(self, name: Name) -> None:
        """Write this name when the batch is done."""
        row = (name.norm, name.raw, name.role, name.owned, name.fact_id, name.case_id, name.buyer, name.seller)
        self.add(NAME, dict(zip(_NAME_COLUMNS, row, strict=True)))

    def write(self, changed_cases: Iterable[int]) -> None:
        """Write everything, parents before children. The caller commits."""
        for table in (FACT, WITHDRAWN):
            self._insert(table)
        changed = set(changed_cases)
        fresh = [self.cases[i] for i in sorted(changed & self.new_cases)]
        old = [self.cases[i] for i in sorted(changed - self.new_cases)]
        if fresh:
            self.session.execute(sa.insert(CASE), fresh)
            self.new_cases -= changed
        if old:
            names = [n for n in CASE_COLUMNS if n != "id"]
            update = sa.update(CASE).where(CASE.c.id == sa.bindparam("key"))
            update = update.values({n: sa.bindparam(f"new_{n}") for n in names})
            self.session.execute(update, [{"key": r["id"], **{f"new_{n}": r[n] for n in names}} for r in old])
        for table in (ALLOCATION, VERDICT, NAME, EXCEPTION, WAITING, INVOICE):
            self._insert(table)

    def _insert(self, table: sa.Table) -> None:
        rows = self.rows.pop(table.name, [])
        if rows:
            self.session.execute(sa.insert(table), rows)
