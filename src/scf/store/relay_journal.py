"""The relayer's memory in SQL: a transaction is signed and stored under its reference before it is sent.

A reference is sent at most once, whatever crashes in between, because the next attempt finds the stored bytes. The
class satisfies the ledger room's `Journal` by its shape; the entry type and the hash function are handed in, as the
two rooms do not know each other: `SqlJournal(engine, Entry, keccak)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlmodel import Field, Session, SQLModel

from scf.kernel.problems import Problem
from scf.store.books import table_of
from scf.store.engine import BIG
from scf.store.schema import append_only
from scf.store.session import reading, run

Sign = Callable[[str, int], bytes]
"""Signs the raw transaction of (reference, nonce)."""
_AT_ONCE = 400


class EntryLike(Protocol):
    """A signed transaction under its reference; `block_number` is None until it is known to be mined."""

    @property
    def reference(self) -> str: ...  # noqa: D102
    @property
    def chain_id(self) -> int: ...  # noqa: D102
    @property
    def sender(self) -> str: ...  # noqa: D102
    @property
    def nonce(self) -> int: ...  # noqa: D102
    @property
    def raw(self) -> bytes: ...  # noqa: D102
    @property
    def transaction_hash(self) -> bytes: ...  # noqa: D102
    @property
    def block_number(self) -> int | None: ...  # noqa: D102


T = TypeVar("T", bound=EntryLike)


class RelayEntry(SQLModel, table=True):
    """A signed transaction, stored before it was sent."""

    __tablename__ = "relay_entry"
    __table_args__ = (
        sa.UniqueConstraint("chain_id", "sender", "nonce"),
        sa.Index("ix_relay_pending", "chain_id", "sender", "block_number", "nonce"),
    )
    chain_id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    reference: str = Field(primary_key=True, max_length=200)
    sender: str = Field(max_length=42)
    nonce: int = Field(sa_type=BIG)
    raw: bytes = Field(sa_type=sa.LargeBinary)
    transaction_hash: bytes = Field(sa_type=sa.LargeBinary)
    block_number: int | None = Field(default=None, sa_type=BIG)


@append_only
class RelaySuperseded(SQLModel, table=True):
    """Signed bytes that were replaced under their reference: they were public, so they are kept."""

    __tablename__ = "relay_superseded"
    transaction_hash: bytes = Field(primary_key=True, sa_type=sa.LargeBinary)
    chain_id: int = Field(sa_type=BIG)
    reference: str = Field(max_length=200, index=True)
    nonce: int = Field(sa_type=BIG)
    raw: bytes = Field(sa_type=sa.LargeBinary)


class SqlJournal(Generic[T]):
    """Durable list of signed transactions; every method is one transaction, safe between threads and processes."""

    def __init__(self, engine: Engine, entry: Callable[..., T], keccak: Callable[[bytes], bytes]) -> None:
        self._engine = engine
        self._entry = entry
        self._keccak = keccak

    def reserve(self, chain_id: int, sender: str, references: Sequence[str], first_free: int, sign: Sign) -> list[T]:
        """One entry for each reference, in order and durable on return: the stored one, else a new one.

        New entries take consecutive nonces from max(`first_free`, highest stored nonce of the sender + 1), signed by
        `sign` inside the transaction. Nothing is stored when `sign` raises.
        """

        def work(session: Session) -> list[T]:
            connection = session.connection()
            known = _stored(connection, chain_id, references)
            nonce = _next_nonce(connection, chain_id, sender, first_free)
            fresh: list[dict[str, Any]] = []
            for reference in references:
                if reference in known:
                    continue
                raw = bytes(sign(reference, nonce))
                known[reference] = {
                    "chain_id": chain_id,
                    "reference": reference,
                    "sender": sender,
                    "nonce": nonce,
                    "raw": raw,
                    "transaction_hash": bytes(self._keccak(raw)),
                    "block_number": None,
                }
                fresh.append(known[reference])
                nonce += 1
            if fresh:
                connection.execute(sa.insert(table_of(RelayEntry)), fresh)
            return [self._entry(**known[reference]) for reference in references]

        return run(self._engine, work, alone=f"relay {chain_id}")

    def mark(self, chain_id: int, mined: Sequence[tuple[str, int]]) -> None:
        """Note (reference, block number) of transactions that are mined."""
        if not mined:
            return
        table = table_of(RelayEntry)
        statement = (
            sa.update(table)
            .where(table.c.chain_id == chain_id, table.c.reference == sa.bindparam("of_reference"))
            .values(block_number=sa.bindparam("in_block"))
        )
        rows = [{"of_reference": reference, "in_block": number} for reference, number in mined]
        run(self._engine, lambda session: session.connection().execute(statement, rows) and None)

    def pending(self, chain_id: int, sender: str) -> list[T]:
        """Entries of the sender not known to be mined, by nonce."""
        table = table_of(RelayEntry)
        query = (
            sa.select(table)
            .where(table.c.chain_id == chain_id, table.c.sender == sender, table.c.block_number.is_(None))
            .order_by(table.c.nonce)
        )
        with reading(self._engine) as session:
            return [self._entry(**row) for row in session.connection().execute(query).mappings()]

    def find(self, chain_id: int, reference: str) -> T | None:
        """The entry of a reference, or None."""
        with reading(self._engine) as session:
            row = _stored(session.connection(), chain_id, [reference]).get(reference)
        return None if row is None else self._entry(**row)

    def replace(self, entry: T) -> None:
        """Put another signed transaction under a reference that was never mined; the old bytes are kept apart.

        Raises Problem `relay_unknown_reference`, or `relay_already_mined` when the stored one is mined.
        """

        def work(session: Session) -> None:
            connection = session.connection()
            old = _stored(connection, entry.chain_id, [entry.reference]).get(entry.reference)
            if old is None:
                raise Problem("relay_unknown_reference", reference=entry.reference)
            if old["block_number"] is not None:
                raise Problem("relay_already_mined", money_moved="yes", reference=entry.reference)
            if old["transaction_hash"] != entry.transaction_hash:
                kept = {name: old[name] for name in ("transaction_hash", "chain_id", "reference", "nonce", "raw")}
                if session.get(RelaySuperseded, old["transaction_hash"]) is None:
                    connection.execute(sa.insert(table_of(RelaySuperseded)), [kept])
            table = table_of(RelayEntry)
            connection.execute(
                sa.update(table)
                .where(table.c.chain_id == entry.chain_id, table.c.reference == entry.reference)
                .values(
                    sender=entry.sender,
                    nonce=entry.nonce,
                    raw=bytes(entry.raw),
                    transaction_hash=bytes(entry.transaction_hash),
                    block_number=entry.block_number,
                )
            )

        run(self._engine, work, alone=f"relay {entry.chain_id}")

    def versions(self, chain_id: int, references: Sequence[str]) -> dict[str, list[bytes]]:
        """Hashes of the transactions that were replaced under these references: one of them may have been mined."""
        table = table_of(RelaySuperseded)
        found: dict[str, list[bytes]] = {}
        with reading(self._engine) as session:
            for start in range(0, len(references), _AT_ONCE):
                some = references[start : start + _AT_ONCE]
                query = sa.select(table.c.reference, table.c.transaction_hash).where(
                    table.c.chain_id == chain_id, table.c.reference.in_(some)
                )
                for reference, key in session.connection().execute(query):
                    found.setdefault(reference, []).append(key)
        return found

    def recent(self, chain_id: int, sender: str, count: int) -> list[T]:
        """The sender's `count` newest entries known to be mined, newest first."""
        table = table_of(RelayEntry)
        query = (
            sa.select(table)
            .where(table.c.chain_id == chain_id, table.c.sender == sender, table.c.block_number.is_not(None))
            .order_by(table.c.nonce.desc())
            .limit(count)
        )
        with reading(self._engine) as session:
            return [self._entry(**row) for row in session.connection().execute(query).mappings()]

    def next_nonce(self, chain_id: int, sender: str, first_free: int) -> int:
        """The nonce the next new entry would take."""
        with reading(self._engine) as session:
            return _next_nonce(session.connection(), chain_id, sender, first_free)


def _stored(connection: Connection, chain_id: int, references: Sequence[str]) -> dict[str, dict[str, Any]]:
    table, found = table_of(RelayEntry), {}
    for start in range(0, len(references), _AT_ONCE):
        some = references[start : start + _AT_ONCE]
        query = sa.select(table).where(table.c.chain_id == chain_id, table.c.reference.in_(some))
        found.update({row["reference"]: dict(row) for row in connection.execute(query).mappings()})
    return found


def _next_nonce(connection: Connection, chain_id: int, sender: str, first_free: int) -> int:
    table = table_of(RelayEntry)
    query = sa.select(sa.func.max(table.c.nonce)).where(table.c.chain_id == chain_id, table.c.sender == sender)
    highest = connection.execute(query).scalar_one()
    return first_free if highest is None else max(first_free, int(highest) + 1)
