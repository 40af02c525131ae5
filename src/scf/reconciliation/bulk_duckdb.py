"""A bulk run on DuckDB, out of core: settle what is plainly right in one pass, look closely at the rest.

Pass one joins the four tables as if no order reference repeated and settles what is plainly matched, unless a row of
it turned up twice: then the reference does repeat and the pair proves nothing. All other references are gathered again
with their rows added up, given the looser matching, and judged by the whole rule.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from scf.kernel.problems import Problem
from scf.reconciliation.bulk_columns import NORMAL
from scf.reconciliation.bulk_residual import Residual
from scf.reconciliation.bulk_tables import Table, where_unreadable
from scf.reconciliation.portable import SIDES, cases_sql, explain_sql, plain_sql
from scf.reconciliation.rule import Terms

Progress = Callable[[str, float], None]
_BUCKET_ROWS = 16
_NUMBERS = ("day", "lli", "nor", "cro")
"""How the names of canonical columns that are numbers end."""
_STILL_SETTLED = "SELECT * FROM first_pass ANTI JOIN reopened USING (order_row) WHERE flags = 0"
_INT_ROWS = 2_000_000_000
_ROW_BYTES, _ROOM_BYTES = 100, 64 << 20
"""So much may pass one keep for each input row, and besides; a fifth of it is usual."""
RESTYLED_ORDERS = 200_000
"""Up to so many orders, settled ones are reopened for a stray row that names them written differently."""
ROW_OF = {"orders": "order", "deliveries": "delivery", "invoices": "invoice", "payments": "payment"}
PLAIN_COLUMNS = (
    "order_reference, order_rows, delivery_rows, invoice_rows, payment_rows, order_row, delivery_row, invoice_row, "
    "payment_row, order_sum, delivery_sum, invoice_sum, payment_sum, flags"
)
FIRST_COLUMNS = tuple(name for name in PLAIN_COLUMNS.split(", ") if not name.endswith("_rows"))
PARQUET = "FORMAT parquet, PARQUET_VERSION V2, COMPRESSION lz4, DICTIONARY_SIZE_LIMIT 1"
"""References, row numbers and amounts hardly repeat; looking for repetition would cost more than it saves."""


def connect(memory_limit: str, scratch: Path, threads: int | None) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that spills to `scratch` above `memory_limit`. Raises Problem `bulk_memory_unclear`."""
    connection = duckdb.connect()
    try:
        connection.execute("SET memory_limit = ?", [memory_limit])
    except duckdb.Error as error:
        raise Problem("bulk_memory_unclear", text=memory_limit[:40]) from error
    connection.execute(f"SET temp_directory = '{scratch / 'spill'}'")
    connection.execute("SET preserve_insertion_order = false")
    if threads is not None:
        connection.execute(f"SET threads = {int(threads)}")
    return connection


class DuckRun:
    """One run; the methods are its steps, in order."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        tables: dict[str, Table],
        terms: Terms,
        out: Path,
        scratch: Path,
        progress: Progress,
        engine: str = "duckdb",
    ) -> None:
        self.engine = engine
        self.connection, self.tables, self.terms = connection, tables, terms
        self.out, self.scratch, self.progress = out, scratch, progress
        self.rows: dict[str, int] = {}
        self.sums: dict[str, int] = {}
        self.unique = True
        self.outgrown = False
        self._most_bytes: int | None = None

    def one(self, query: str) -> Any:
        """The first value of the first row."""
        row = self.connection.execute(query).fetchone()
        return row[0] if row else None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Report the engine's own progress while a step runs."""
        done = threading.Event()

        def watch() -> None:
            beside = self.connection.cursor()
            while not done.wait(0.5):
                share = self.connection.query_progress()
                self.progress(name, max(share, 0.0) / 100)
                if self._most_bytes is not None and self._table_bytes(beside) > self._most_bytes:
                    self.outgrown = True
                    self.connection.interrupt()

        self.progress(name, 0.0)
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
        self.progress(name, 1.0)

    @staticmethod
    def _table_bytes(beside: duckdb.DuckDBPyConnection) -> int:
        """What tables in the making hold by now, in memory and spilled."""
        row = beside.execute(
            "SELECT sum(memory_usage_bytes + temporary_storage_bytes) FROM duckdb_memory() "
            "WHERE tag = 'IN_MEMORY_TABLE'"
        ).fetchone()
        return int(row[0] or 0) if row else 0

    def count_inputs(self) -> None:
        """Rows and amounts of every input: what the output has to add up to."""
        with self.step("count"):
            for name in SIDES:
                query = (
                    f"SELECT count(*), sum(coalesce(payable_minor, amount_minor, 0)) FROM {self.tables[name].select}"
                )
                try:
                    rows, total = self.connection.execute(query).fetchone() or (0, 0)
                except duckdb.Error as error:
                    raise self.unreadable(name, error) from error
                self.rows[name], self.sums[name] = int(rows), int(total or 0)

    def unreadable(self, name: str, error: duckdb.Error) -> Problem:
        """The refusal of a table that cannot be read: which row and column, else in the engine's words."""
        try:
            place = where_unreadable(self.connection, self.tables[name])
        except duckdb.Error:
            place = None
        reason = place or str(error).splitlines()[0][:160]
        return Problem("bulk_input_unreadable", table=name, reason=reason)

    def check_columns(self) -> None:
        """Convert every column of every table once, so that a value that cannot be read is refused with its place.

        Only for text: the numbers and days of Parquet are what they are.
        """
        for name in SIDES:
            table = self.tables[name]
            tried = [
                e
                for target, (e, c) in table.said.items()
                if c and ("VARCHAR" in e or "TIMESTAMP" in e) and target[-3:] in _NUMBERS
            ]
            if not tried:
                continue
            try:
                self.connection.execute(
                    f"SELECT {', '.join(f'max({e})' for e in tried)} FROM {table.source}"
                ).fetchall()
            except duckdb.Error as error:
                raise self.unreadable(name, error) from error

    def settle(self) -> None:
        """Pass one: join and judge every reference, taking keys as unique. What it leaves is the table `first_pass`.

        Text references are joined by their 64-bit hash, which halves the memory: see `_by_hash`.
        """
        if self.engine == "spark":
            self._settle_on_spark()
            return
        if self.rows["orders"] == 0:
            self.unique = False
            return
        relations = {name: self._by_hash(name) for name in SIDES}
        absent = {name: self.tables[name].absent for name in SIDES}
        cases = f"({cases_sql(relations, unique=True, absent=absent, named=True)})"
        judged = f"SELECT {', '.join(self._first_columns())} FROM ({plain_sql(cases, self.terms)})"
        # A join that outgrows its inputs has keys that repeat on several sides; adding up first is then cheaper.
        self._most_bytes = _ROOM_BYTES + _ROW_BYTES * sum(self.rows.values())
        try:
            with self.step("join"):
                self.connection.execute(f"CREATE TEMP TABLE first_pass AS {judged}")
        except duckdb.InterruptException:
            if not self.outgrown:  # somebody else wants it to stop
                raise
            self.unique = False
        finally:
            self._most_bytes = None

    def _first_columns(self) -> list[str]:
        """What is kept of pass one: the reference, which rows of which file, their amounts, and the flags."""
        columns = [column for column in FIRST_COLUMNS if not self._without(column)]
        return [f"CAST({column} AS INTEGER) AS {column}" if column == "flags" else column for column in columns]

    def _without(self, column: str) -> bool:
        """Whether a column belongs to a side that has no rows."""
        return any(column.startswith(f"{side}_") for name, side in ROW_OF.items() if self.rows[name] == 0)

    def _by_hash(self, name: str) -> str:
        """A side for pass one: integers to join by, narrow row numbers, and the order's own words.

        Of 50 million references a side two have one hash once in some 5,000 runs. References that meet so are seen as
        repeating and looked at by their text; only if each also lacks its own counterpart and the amounts agree could
        they pass, which is less likely than a bit flipping in memory.
        """
        table = self.tables[name]
        narrow = "INTEGER" if max(self.rows.values()) < _INT_ROWS else "BIGINT"
        key = "hash(k)" if table.text_key else "k"
        said = ", k AS reference" if name == "orders" else ""
        return f"(SELECT * REPLACE ({key} AS k, CAST(row_id AS {narrow}) AS row_id){said} FROM {table.select})"

    def _settle_on_spark(self) -> None:
        """The same texts on Spark: rows added up at once, since it is there for what does not fit here."""
        from scf.reconciliation.bulk_spark import judge_on_spark  # an extra: only who asks for Spark needs it

        with self.step("write canonical Parquet"):
            for name in SIDES:
                target = self.scratch / f"canonical_{name}.parquet"
                self.connection.execute(
                    f"COPY (SELECT * FROM {self.tables[name].select}) TO '{target}' (FORMAT parquet)"
                )
        self.progress("join and judge", 0.0)
        first = judge_on_spark(self.scratch, self.terms, PLAIN_COLUMNS, told=self.told())
        self.progress("join and judge", 1.0)
        self.connection.execute(f"CREATE VIEW first_pass AS SELECT * FROM read_parquet('{first}/*.parquet')")

    def find_open(self) -> None:
        """Rows that pass one did not settle, and rows it saw more than once: their reference repeats.

        What is merely expected is open too: a stray payment may be what it waits for. Raises Problem
        `bulk_counts_differ` when pass one has lost a row.
        """
        with self.step("find what is open"):
            if not self.unique:
                return
            if self.engine == "spark":
                self.connection.execute("CREATE TEMP TABLE reopened AS SELECT order_row FROM first_pass WHERE 1 = 0")
                self._reopen_restyled()
                return
            names = [name for name in SIDES if self.rows[name]]
            listed = ", ".join(["order_reference", *(f"{ROW_OF[name]}_row" for name in names)])
            self.connection.execute(f"CREATE TEMP TABLE open_rows AS SELECT {listed} FROM first_pass WHERE flags <> 0")
            self.connection.execute("CREATE TEMP TABLE reopened (order_row BIGINT)")
            joined, settled = self._counted(names, "first_pass"), self._counted(names, "first_pass WHERE flags = 0")
            for name in names:
                if joined[name] < self.rows[name]:
                    raise Problem(
                        "bulk_counts_differ", what=f"{name}: joined", expected=self.rows[name], found=joined[name]
                    )
            for name in names:  # nearly all that repeats shows in the orders: their rows were joined more than once
                if joined[name] > self.rows[name] and not self._disjoint(name, settled[name]):
                    self._reopen(name)
                    settled = self._counted(names, f"({_STILL_SETTLED})")
            self._reopen_restyled()
            self.connection.execute(
                f"INSERT INTO open_rows SELECT {listed} FROM first_pass SEMI JOIN reopened USING (order_row)"
            )
            self.connection.execute(
                "DELETE FROM first_pass WHERE flags <> 0 OR order_row IN (SELECT order_row FROM reopened)"
            )

    def _counted(self, names: list[str], relation: str) -> dict[str, int]:
        """By side: how often its rows are in there."""
        counts = ", ".join(f"count({ROW_OF[name]}_row)" for name in names)
        found = self.connection.execute(f"SELECT {counts} FROM {relation}").fetchone() or ()
        return dict(zip(names, (int(n) for n in found), strict=True))

    def _disjoint(self, name: str, settled: int) -> bool:
        """Whether the rows that are settled, counted as often as they are, and those that are open make up the input.

        Every row was joined at least once, so then none is settled twice and none is both.
        """
        row = f"{ROW_OF[name]}_row"
        is_open = self.one(
            f"SELECT count(DISTINCT {row}) FROM (SELECT {row} FROM open_rows UNION ALL "
            f"SELECT {row} FROM first_pass SEMI JOIN reopened USING (order_row))"
        )
        return settled + int(is_open) == self.rows[name]

    def _reopen(self, name: str) -> None:
        """Take back what pass one settled with a row of this side that turned up more than once."""
        rows = self._repeated_rows(name)
        self.connection.execute(
            f"INSERT INTO reopened SELECT DISTINCT order_row FROM first_pass WHERE {ROW_OF[name]}_row IN ({rows}) "
            "AND order_row IS NOT NULL"
        )

    def _reopen_restyled(self) -> None:
        """Take back settled orders that a row of no known order names in another way of writing.

        A second invoice or payment may hide there. It reads every reference once more, hence `RESTYLED_ORDERS`.
        """
        if not self.tables["orders"].text_key or self.rows["orders"] > RESTYLED_ORDERS:
            return
        stray = "FROM first_pass WHERE order_row IS NULL AND {row} IS NOT NULL"
        keys = " UNION ALL ".join(
            f"SELECT k FROM {self.tables[name].rows_in(f'SELECT {row} ' + stray.format(row=row))}"
            for name, row in ((name, f"{ROW_OF[name]}_row") for name in SIDES[1:] if self.rows[name])
        )
        if keys:
            self.connection.execute(
                f"INSERT INTO reopened SELECT order_row FROM first_pass WHERE flags = 0 AND "
                f"{NORMAL.format(k='order_reference')} IN (SELECT {NORMAL.format(k='k')} AS n FROM ({keys}) "
                "WHERE n IS NOT NULL)"
            )

    def _repeated_rows(self, name: str) -> str:
        """A query for the input rows that turned up more than once.

        Counting small blocks of row numbers first is four times cheaper than counting every row number.
        """
        column, rows = f"{ROW_OF[name]}_row", self.rows[name]
        blocks = (
            f"SELECT {column} // {_BUCKET_ROWS} AS block FROM first_pass WHERE {column} IS NOT NULL "
            f"GROUP BY 1 HAVING count(*) > least({_BUCKET_ROWS}, {rows} - {_BUCKET_ROWS} * block)"
        )
        return (
            f"SELECT {column} FROM first_pass WHERE {column} // {_BUCKET_ROWS} IN ({blocks}) "
            f"GROUP BY {column} HAVING count(*) > 1"
        )

    def gather_open(self) -> None:
        """The rows of all open references, side by side with the case they are thought to belong to."""
        with self.step("gather the open"):
            if self.engine == "spark":  # its first pass keeps one row number a reference; gather by reference
                self.connection.execute(
                    "CREATE TEMP TABLE open_keys AS SELECT order_reference AS k FROM first_pass "
                    "WHERE flags <> 0 OR order_row IN (SELECT order_row FROM reopened)"
                )
            for name in SIDES:
                row, table = f"{ROW_OF[name]}_row", self.tables[name]
                if self.engine == "spark":
                    rows = f"(SELECT * FROM {table.select} WHERE k IN (SELECT k FROM open_keys))"
                elif not self.unique or self.rows[name] == 0:
                    rows = table.select
                else:
                    rows = table.rows_in(f"SELECT {row} FROM open_rows WHERE {row} IS NOT NULL")
                    if name == "orders":  # pass one kept their references, which cost most to read
                        known = "SELECT DISTINCT order_row AS row_id, order_reference FROM open_rows"
                        rows = (
                            f"(SELECT t.* REPLACE (order_reference AS k) FROM {rows} t JOIN ({known}) USING (row_id))"
                        )
                self.connection.execute(f"CREATE TEMP TABLE open_{name} AS SELECT * FROM {rows}")

    def settled(self) -> str:
        """A query for what pass one settled for good, in PLAIN_COLUMNS."""
        if self.engine == "spark":
            return f"SELECT {PLAIN_COLUMNS} FROM first_pass ANTI JOIN reopened USING (order_row) WHERE flags = 0"
        if not self.unique:
            return ""
        columns = []
        for column in PLAIN_COLUMNS.split(", "):
            side = column.split("_")[0]
            if self._without(column):
                columns.append(f"{'CAST(NULL AS BIGINT)' if column.endswith('_row') else '0'} AS {column}")
            elif column in ("order_rows", "delivery_rows"):  # nothing is matched without them
                columns.append(f"1 AS {column}")
            elif column.endswith("_rows"):
                columns.append(f"CASE WHEN f.{side}_row IS NULL THEN 0 ELSE 1 END AS {column}")
            else:
                columns.append(f"f.{column}")
        chosen = ", ".join(columns)
        return f"SELECT {chosen} FROM first_pass f"

    def match_loosely(self) -> dict[str, int]:
        """Move rows to the case they belong to where their own reference does not say it. Returns moves by method."""
        with self.step("match without exact references"):
            text = self.tables["orders"].text_key
            return Residual(self.connection, self.terms, text_key=text, told=self.told()).run()

    def told(self) -> tuple[str, ...]:
        """Sides whose rows say who tells of them."""
        return tuple(name for name in SIDES if self.tables[name].has_sources)

    def judge_open(self) -> None:
        """Say of each open reference what disagrees with what."""
        with self.step("explain the open"):
            self.connection.execute(f"CREATE TEMP TABLE judged AS {explain_sql('state', self.terms)}")
            self.connection.execute("DROP TABLE state")
