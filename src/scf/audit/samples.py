"""Samples for an audit: a population with its count and total, a seed, a method, and a draw anyone can repeat.

Random: items in the order of SHA-256(seed | item), the first `size` of them. Monetary unit: every `total / size`-th
minor unit from a start that the seed gives, so that an item's chance is its amount (ISA 530).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.receivables.models import Receivable, ReceivableState
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

METHODS = ("random", "monetary_unit")
MOST = 1_000


class SampleDraw(SQLModel, table=True):
    """One draw as it was made; seed, method and population are enough to make it again. Amounts in minor units."""

    __tablename__ = "sample_draw"

    id: int | None = Field(default=None, primary_key=True)
    population: str = Field(max_length=20, description="issued or outstanding")
    currency: str = Field(max_length=3)
    until_id: int = Field(sa_type=BigInteger, description="Highest receivable of the population")
    count: int
    total_minor: int = Field(sa_type=BigInteger)
    digest: str = Field(max_length=64, description="SHA-256 of the population, item by item")
    seed: str = Field(max_length=64)
    method: str = Field(max_length=20)
    size: int
    chosen: str = Field(sa_type=sa.Text, description="Numbers of the receivables drawn, JSON")
    items: str = Field(sa_type=sa.Text, description="The population as (number, minor units), JSON")
    drawn_by: str = Field(max_length=42)
    drawn_at: int = Field(sa_type=BigInteger)
    evidence_id: str = Field(max_length=64)


@dataclass(frozen=True, slots=True)
class Population:
    """Receivables of one currency with the amount each counts for, by number."""

    kind: str
    currency: str
    items: tuple[tuple[int, int], ...]

    @property
    def total_minor(self) -> int:
        """Sum of all amounts in minor units."""
        return sum(minor for _, minor in self.items)

    @property
    def digest(self) -> str:
        """SHA-256 over number and amount of every item, in order."""
        text = "\n".join(f"{number}:{minor}" for number, minor in self.items)
        return hashlib.sha256(f"{self.kind}|{self.currency}|{text}".encode()).hexdigest()


def population(session: Session, kind: str, currency: str) -> Population:
    """All receivables ever issued (by face), or what is outstanding now. Raises Problem `sample_not_drawable`."""
    if kind not in ("issued", "outstanding"):
        raise Problem("sample_not_drawable", reason=kind[:20])
    amount = col(Receivable.face_minor) if kind == "issued" else col(Receivable.outstanding_minor)
    rows = session.execute(
        sa.select(col(Receivable.id), amount)
        .where(col(Receivable.currency) == currency, col(Receivable.state) != ReceivableState.CANCELLED, amount > 0)
        .order_by(col(Receivable.id))
    )
    return Population(kind, currency, tuple((int(number), int(minor)) for number, minor in rows))


def choose(items: Sequence[tuple[int, int]], *, seed: str, method: str, size: int) -> list[int]:
    """The numbers drawn from (number, minor units). The same arguments always give the same numbers.

    An item larger than the interval is drawn once, though it was hit several times. Raises Problem
    `sample_not_drawable` for an empty population, a size out of range or an unknown method.
    """
    if not items or not 0 < size <= min(MOST, len(items)) or method not in METHODS or not seed.strip():
        raise Problem("sample_not_drawable", reason=f"{method[:20]}, {size}/{len(items)}")
    if method == "random":
        ranked = sorted(items, key=lambda item: hashlib.sha256(f"{seed}|{item[0]}".encode()).digest())
        return sorted(number for number, _ in ranked[:size])
    total = sum(minor for _, minor in items)
    step = max(1, total // size)
    at = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") % step
    chosen, reached = [], 0
    for number, minor in items:
        reached += minor
        if at < reached:
            chosen.append(number)
            at += (reached - at + step - 1) // step * step
    return chosen


def draw(
    session: Session, kind: str, currency: str, *, seed: str, method: str, size: int, by: str, clock: Clock
) -> SampleDraw:
    """Draw and keep it, with the population it was drawn from, as evidence. Raises Problem `sample_not_drawable`."""
    people = population(session, kind, currency)
    chosen = choose(people.items, seed=seed, method=method, size=size)
    facts = {
        "population": kind,
        "currency": currency,
        "count": len(people.items),
        "total_minor": str(people.total_minor),
        "digest": people.digest,
        "seed": seed,
        "method": method,
        "size": size,
        "chosen": chosen,
        "by": by,
        "at": clock.now(),
    }
    kept = evidence.record(
        session,
        canonical_json(facts),
        kind="sample",
        source="audit",
        sender=by,
        trust=Trust.T2,
        received_at=clock.now(),
        name=f"sample {seed[:16]}",
    )
    row = SampleDraw(
        population=kind,
        currency=currency,
        until_id=people.items[-1][0],
        count=len(people.items),
        total_minor=people.total_minor,
        digest=people.digest,
        seed=seed,
        method=method,
        size=size,
        chosen=json.dumps(chosen),
        items=json.dumps(people.items),
        drawn_by=by,
        drawn_at=clock.now(),
        evidence_id=kept.evidence_id,
    )
    session.add(row)
    session.flush()
    return row


def again(row: SampleDraw) -> bool:
    """Whether drawing again from the kept population with the kept seed gives the same items and digest."""
    items = tuple((int(number), int(minor)) for number, minor in json.loads(row.items))
    same = Population(row.population, row.currency, items).digest == row.digest
    return same and choose(items, seed=row.seed, method=row.method, size=row.size) == json.loads(row.chosen)


def draws(session: Session, *, limit: int = 50) -> Sequence[SampleDraw]:
    """Draws, newest first."""
    return session.exec(select(SampleDraw).order_by(col(SampleDraw.id).desc()).limit(limit)).all()
