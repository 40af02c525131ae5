"""A register small enough to reason about: receivables are issued, notes are passed and settled; three books follow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from scf.store.books import Batch, Book
from scf.store.engine import BIG, Word
from scf.store.projection import Projection

CHAIN_ID = 7


class NoteBook(Book, table=True):
    __tablename__ = "test_note"
    __table_args__ = (sa.CheckConstraint("amount_minor >= 0", name="test_note_amount"),)
    note_id: int = Field(primary_key=True, sa_type=Word)
    receivable: str = Field(index=True, max_length=40)
    parent_id: int | None = Field(default=None, sa_type=Word)
    holder: str = Field(max_length=42)
    amount_minor: int = Field(sa_type=BIG)
    children: int = 0
    settled: bool = False


class HolderBook(Book, table=True):
    __tablename__ = "test_holder"
    holder: str = Field(primary_key=True, max_length=42)
    amount_minor: int = Field(sa_type=BIG)


@dataclass(frozen=True, slots=True)
class Event:
    contract: str
    name: str
    args: dict[str, Any]
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    log_index: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Head:
    number: int
    hash: bytes


def _move(batch: Batch, holder: str, by: int) -> None:
    row = batch.get(HolderBook, holder)
    if row is None:
        batch.insert(HolderBook, holder=holder, amount_minor=by)
    elif row["amount_minor"] + by == 0:
        batch.delete(HolderBook, holder)
    else:
        batch.update(HolderBook, holder, amount_minor=row["amount_minor"] + by)


def on_issued(batch: Batch, event: Event) -> None:
    args = event.args
    batch.insert(
        NoteBook, note_id=args["id"], receivable=args["receivable"], holder=args["to"], amount_minor=args["amount"]
    )
    _move(batch, args["to"], args["amount"])


def on_passed(batch: Batch, event: Event) -> None:
    args = event.args
    giver = batch.require(NoteBook, args["parent"])
    batch.insert(
        NoteBook,
        note_id=args["id"],
        receivable=giver["receivable"],
        parent_id=args["parent"],
        holder=args["to"],
        amount_minor=args["amount"],
    )
    _move(batch, args["to"], args["amount"])
    _move(batch, giver["holder"], -args["amount"])
    batch.update(
        NoteBook, args["parent"], amount_minor=giver["amount_minor"] - args["amount"], children=giver["children"] + 1
    )


def on_settled(batch: Batch, event: Event) -> None:
    for note in batch.select(NoteBook, receivable=event.args["receivable"]):
        batch.update(NoteBook, note["note_id"], settled=True)


def projection() -> Projection[Event]:
    issuing = {"Receivables.Issued": on_issued, "Receivables.Settled": on_settled}
    return Projection(CHAIN_ID, issuing, {"Receivables.Passed": on_passed})


GENESIS = Head(0, hashlib.sha256(b"0").digest())


@dataclass
class SmallLedger:
    """Blocks of events; `fork` lets two ledgers share a history and differ after it."""

    fork: str = "main"
    blocks: list[tuple[Head, list[Event]]] = field(
        default_factory=lambda: [(Head(0, hashlib.sha256(b"0").digest()), [])]
    )
    reads: list[int] = field(default_factory=list)

    def mine(self, *acts: tuple[str, dict[str, Any]]) -> Head:
        number = len(self.blocks)
        before = self.blocks[-1][0].hash
        block_hash = hashlib.sha256(before + repr((self.fork, acts)).encode()).digest()
        events = [
            Event("Receivables", name, args, number, block_hash, bytes([i]) + block_hash[1:], i, 1000 + number)
            for i, (name, args) in enumerate(acts)
        ]
        self.blocks.append((Head(number, block_hash), events))
        return self.blocks[-1][0]

    def branch(self, number: int, fork: str) -> SmallLedger:
        return SmallLedger(fork, self.blocks[: number + 1])

    def head(self) -> Head:
        return self.blocks[-1][0]

    def header(self, number: int) -> Head:
        return self.blocks[number][0]

    def events(self, first: int, last: int) -> Iterator[Event]:
        self.reads.append(first)
        return (event for _, events in self.blocks[first : last + 1] for event in events)

    def all_events(self) -> Iterable[Event]:
        return self.events(0, len(self.blocks))


def issued(note_id: int, to: str, amount: int, receivable: str = "R1") -> tuple[str, dict[str, Any]]:
    return "Issued", {"id": note_id, "to": to, "amount": amount, "receivable": receivable}


def passed(note_id: int, parent: int, to: str, amount: int) -> tuple[str, dict[str, Any]]:
    return "Passed", {"id": note_id, "parent": parent, "to": to, "amount": amount}


def settled(receivable: str = "R1") -> tuple[str, dict[str, Any]]:
    return "Settled", {"receivable": receivable}
