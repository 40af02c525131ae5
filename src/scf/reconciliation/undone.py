"""Facts that were taken back, and how they come again: what was said stays written, but counts only while it stands.

`recon_fact` is append-only and knows each statement once. A fact that an undone import brought carries a mark; said
again by the same source it is brought back, and with another trust it becomes a row of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from scf.reconciliation.facts import Fact, Kind
from scf.reconciliation.models import FactUndone
from scf.reconciliation.shelf import ALLOCATION, FACT, WITHDRAWN, Shelf
from scf.store.books import table_of

UNDONE = table_of(FactUndone)
REPLACED = (Kind.ORDER, Kind.INSTRUCTION, Kind.DESPATCH, Kind.DELIVERY, Kind.INSPECTION, Kind.PAYMENT)
"""Kinds whose later fact of the same identity replaces the earlier. An invoice number used twice stays two facts."""
Standing = Literal["new", "changed", "duplicate"]


@dataclass(frozen=True, slots=True)
class Known:
    """How a fact stands to what is there; `earlier` is what it changes, `replaces` whether that one will give way."""

    standing: Standing
    earlier: Fact | None = None
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Coming:
    """A fact on its way in: the key it is written under, or the id of the row that is brought back."""

    digest: str
    fact_id: int | None = None
    generation: int = 0


def coming(shelf: Shelf, by_digest: Mapping[str, Fact]) -> dict[str, Coming]:
    """Of facts by digest, those that do not stand yet. Facts taken back and said again lose their mark."""
    known = _rows(shelf, by_digest)
    gone = undone(shelf, known.values())
    fresh = {digest: Coming(digest) for digest in by_digest if digest not in known}
    for digest in [digest for digest, fact_id in known.items() if fact_id in gone]:
        found = _again(shelf, digest, by_digest[digest])
        if found is not None:
            fresh[digest] = found
    return {digest: fresh[digest] for digest in by_digest if digest in fresh}


def undone(shelf: Shelf, fact_ids: Collection[int]) -> set[int]:
    """Which of these facts were taken back."""
    return {row.fact_id for row in shelf.select((UNDONE.c.fact_id,), UNDONE.c.fact_id, fact_ids)}


def standing(shelf: Shelf, facts: Sequence[Fact]) -> list[Known]:
    """How each fact stands to what the same source said before, earlier facts of the list included."""
    digests = [fact.digest() for fact in facts]
    rows = _rows(shelf, digests)
    back = undone(shelf, rows.values())
    standing_now = {digest for digest, fact_id in rows.items() if fact_id not in back}
    standing_now |= {digest for digest, fact_id in rows.items() if fact_id in back and _others_stand(shelf, digest)}
    before_these = standing_of(shelf, {identity for fact in facts if (identity := fact.identity())})
    earlier = {identity: shelf.facts[fact_id] for identity, fact_id in before_these.items()}
    found: list[Known] = []
    for fact, digest in zip(facts, digests, strict=True):
        if digest in standing_now:
            found.append(Known("duplicate"))
            continue
        standing_now.add(digest)
        identity = fact.identity()
        before = earlier.get(identity) if identity else None
        found.append(Known("new") if before is None else Known("changed", before, fact.kind in REPLACED))
        if identity:
            earlier[identity] = fact
    return found


def next_generation(shelf: Shelf, fact_ids: Collection[int]) -> dict[int, int]:
    """The generation of these facts' next allocations."""
    columns = (ALLOCATION.c.fact_id, ALLOCATION.c.generation)
    top: dict[int, int] = {}
    for row in shelf.select(columns, ALLOCATION.c.fact_id, fact_ids):
        top[row.fact_id] = max(top.get(row.fact_id, 0), row.generation + 1)
    return top


def facts_by_digest(shelf: Shelf, digests: Collection[str]) -> set[int]:
    """Ids of the facts said under these digests that stand now."""
    keys = {key for digest in digests for key in (digest, *_variants(digest).values())}
    ids = set(_rows(shelf, keys).values())
    return ids - undone(shelf, ids)


def _again(shelf: Shelf, digest: str, fact: Fact) -> Coming | None:
    """How a fact comes back whose row was taken back; None when it stands already under another trust."""
    variants = _variants(digest)
    rows = _rows(shelf, [digest, *variants.values()])
    back = undone(shelf, rows.values())
    if any(fact_id not in back for fact_id in rows.values()):
        return None
    shelf.load_facts(rows.values())
    same = [fact_id for fact_id in rows.values() if _as_said(shelf.facts[fact_id]) == _as_said(fact)]
    if not same:
        return Coming(variants[fact.trust])
    shelf.session.execute(sa.delete(UNDONE).where(UNDONE.c.fact_id == same[0]))
    return Coming(digest, same[0], next_generation(shelf, same).get(same[0], 0))


def _others_stand(shelf: Shelf, digest: str) -> bool:
    rows = _rows(shelf, _variants(digest).values())
    return bool(set(rows.values()) - undone(shelf, rows.values()))


def _as_said(fact: Fact) -> tuple[int, bool]:
    return fact.trust, fact.applicant_can_write


def _variants(digest: str) -> dict[int, str]:
    """Keys of the same statement taken back and then brought again with this trust."""
    return {trust: hashlib.sha256(f"{digest} trust {trust}".encode()).hexdigest() for trust in range(5)}


def _rows(shelf: Shelf, digests: Collection[str]) -> dict[str, int]:
    return {row.digest: row.id for row in shelf.select((FACT.c.digest, FACT.c.id), FACT.c.digest, digests)}


def standing_of(shelf: Shelf, identities: Collection[str]) -> dict[str, int]:
    """Id of the latest standing fact of each identity; the facts are loaded."""
    rows = sorted(shelf.select((FACT.c.id, FACT.c.identity), FACT.c.identity, identities), key=lambda row: row.id)
    ids = [row.id for row in rows]
    withdrawn = shelf.select((WITHDRAWN.c.fact_id, WITHDRAWN.c.by_fact_id), WITHDRAWN.c.fact_id, ids)
    replaced_by = {row.fact_id: row.by_fact_id for row in withdrawn}
    back = undone(shelf, [*ids, *replaced_by.values()])
    stands = [row for row in rows if row.id not in back and replaced_by.get(row.id, row.id) in {row.id, *back}]
    found = {row.identity: row.id for row in stands}
    shelf.load_facts(found.values())
    return found
