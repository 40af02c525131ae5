"""The shape of the database: created once, stamped with a version, refused when it is another one.

Every table's shape is remembered as a digest. A table of facts that differs from the program's is refused; a book (see
`scf.store.books`) that differs is dropped and made anew, because the next replay of the ledger fills it again.
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Table, event
from sqlmodel import Field, SQLModel, col

from scf.kernel.problems import Problem
from scf.store.books import book_tables
from scf.store.engine import is_postgresql, trouble_of
from scf.store.migrations import SCHEMA_VERSION, upgrade_from

M = TypeVar("M", bound=type[SQLModel])
_LOCK = 0x5CF0_5C4E  # advisory lock: one process at a time creates or upgrades


class SchemaVersion(SQLModel, table=True):
    """The one row that says which version of the schema this database has."""

    __tablename__ = "schema_version"
    id: int = Field(default=1, primary_key=True)
    version: int


class SchemaTable(SQLModel, table=True):
    """Digest of each table's shape as it was created."""

    __tablename__ = "schema_table"
    name: str = Field(primary_key=True, max_length=80)
    digest: str = Field(max_length=64)


def append_only(model: M) -> M:
    """Class decorator: triggers refuse UPDATE, DELETE (and TRUNCATE) on this table in both dialects."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    event.listen(table, "after_create", _guard)
    return model


def create_schema(engine: Engine) -> None:
    """Create what is missing of every table known to the program; do nothing on a database that is complete.

    The modules that define tables must have been imported. Raises Problem `schema_older`, `schema_newer` or
    `schema_differs`; `database_unreachable` when there is no database to talk to.
    """
    _prepare(engine, upgrade=False)


def upgrade_schema(engine: Engine) -> int:
    """Bring an older database to this program's version; returns the version it had. Raises Problem `schema_newer`."""
    return _prepare(engine, upgrade=True)


def table_digest(table: Table, engine: Engine) -> str:
    """Digest of names, types, nullability, keys, uniqueness and checks of a table."""
    lines = [
        f"{c.name} {c.type.compile(dialect=engine.dialect)} {'null' if c.nullable else 'not null'} {c.primary_key}"
        for c in table.columns
    ]
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            lines.append("unique " + ",".join(sorted(c.name for c in constraint.columns)))
        elif isinstance(constraint, sa.CheckConstraint):
            lines.append(f"check {constraint.sqltext}")
        elif isinstance(constraint, sa.ForeignKeyConstraint):
            lines.append("foreign " + ",".join(sorted(e.target_fullname for e in constraint.elements)))
    lines += [f"index {','.join(c.name for c in i.columns)} {i.unique}" for i in table.indexes]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _prepare(engine: Engine, *, upgrade: bool) -> int:
    try:
        options = {"isolation_level": "READ COMMITTED"} if is_postgresql(engine) else {}  # see what others made first
        with engine.execution_options(**options).begin() as connection:
            if is_postgresql(connection):
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            return _prepare_within(connection, engine, upgrade=upgrade)
    except sa.exc.DBAPIError as error:
        problem = trouble_of(error)
        if problem is None and not isinstance(error, sa.exc.OperationalError):
            raise
        raise problem or Problem("database_unreachable", reason=str(error.orig).splitlines()[0][:120]) from error


def _prepare_within(connection: Connection, engine: Engine, *, upgrade: bool) -> int:
    meta = [SchemaVersion.__table__, SchemaTable.__table__]  # type: ignore[attr-defined]
    SQLModel.metadata.create_all(connection, tables=meta)
    found = connection.execute(sa.select(col(SchemaVersion.version))).scalar_one_or_none()
    if found is not None and found > SCHEMA_VERSION:
        raise Problem("schema_newer", found=found, expected=SCHEMA_VERSION)
    if found is not None and found < SCHEMA_VERSION:
        if not upgrade:
            raise Problem("schema_older", found=found, expected=SCHEMA_VERSION)
        upgrade_from(connection, found)
        connection.execute(sa.delete(SchemaTable))
        connection.execute(sa.update(SchemaVersion).values(version=SCHEMA_VERSION))
    if found is None:
        connection.execute(sa.insert(SchemaVersion).values(id=1, version=SCHEMA_VERSION))
    _create_tables(connection, engine)
    return SCHEMA_VERSION if found is None else found


def _create_tables(connection: Connection, engine: Engine) -> None:
    known = {
        row.name: row.digest for row in connection.execute(sa.select(col(SchemaTable.name), col(SchemaTable.digest)))
    }
    tables = [t for t in SQLModel.metadata.sorted_tables if t.name not in ("schema_version", "schema_table")]
    digests = {table.name: table_digest(table, engine) for table in tables}
    if all(known.get(name) == digest for name, digest in digests.items()):
        return
    changed = [table for table in tables if known.get(table.name, digests[table.name]) != digests[table.name]]
    books = book_tables()
    for table in changed:
        if table not in books:
            raise Problem("schema_differs", table=table.name)
    if changed:  # one book that differs asks for a replay, and a replay starts with all books empty
        SQLModel.metadata.drop_all(connection, tables=books)
        connection.execute(sa.delete(SchemaTable).where(col(SchemaTable.name).in_([t.name for t in books])))
        known = {name: digest for name, digest in known.items() if name not in {t.name for t in books}}
    SQLModel.metadata.create_all(connection, tables=tables)
    fresh = [{"name": name, "digest": digest} for name, digest in digests.items() if name not in known]
    connection.execute(sa.insert(SchemaTable), fresh)


def _guard(table: Table, connection: Connection, **_: object) -> None:
    name = table.name
    if not is_postgresql(connection):
        for act in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER IF NOT EXISTS {name}_no_{act.lower()} BEFORE {act} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, 'append-only: {name}'); END"
            )
        return
    connection.exec_driver_sql(
        "CREATE OR REPLACE FUNCTION scf_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION USING MESSAGE = 'append-only: ' || TG_TABLE_NAME, ERRCODE = '23001'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE OR REPLACE TRIGGER {name}_no_change BEFORE UPDATE OR DELETE ON {name} "
        "FOR EACH ROW EXECUTE FUNCTION scf_append_only()"
    )
    connection.exec_driver_sql(
        f"CREATE OR REPLACE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION scf_append_only()"
    )
