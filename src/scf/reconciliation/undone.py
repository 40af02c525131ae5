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
TAKEN_UP_AGAIN = (Kind.ORDER, Kind.DESPATCH, Kind.DELIVERY, Kind.INSPECTION)
"""Kinds where a source that goes back to what it said before has changed its word a second time. A bank's movement is
told many times over, in several files and in fuller words; hearing an earlier telling again changes nothing."""
Standing = Literal["new", "changed", "duplicate"]


@dataclass(frozen=True, slots=True)
class Known:
    """How a fact stands to what is there; `earlier` is what it changes, `replaces` whether that one will give way.

    `key` is what it is, or will be, written under.
    """

    standing: Standing
    earlier: Fact | None = None
    replaces: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Coming:
    """A fact on its way in: the key it is written under, or the id of the row that is brought back."""

    digest: str
    fact_id: int | None = None
    generation: int = 0


def coming(shelf: Shelf, by_digest: Mapping[str, Fact]) -> dict[str, Coming]:
    """Of facts by digest, those that do not stand yet. Facts taken back and said again lose their mark.

    A fact that was replaced and is said again by a later file comes as a version of its own.
    """
    keys = {digest: digest for digest in by_digest} | _third_versions(shelf, by_digest)
    known = _rows(shelf, keys.values())
    gone = undone(shelf, known.values())
    fresh: dict[str, Coming] = {}
    for digest, key in keys.items():
        if key not in known:
            fresh[digest] = Coming(key)
        elif known[key] in gone and (found := _again(shelf, key, by_digest[digest])) is not None:
            fresh[digest] = found
    return fresh


def _third_versions(shelf: Shelf, by_digest: Mapping[str, Fact]) -> dict[str, str]:
    """Keys of the facts that were said before, gave way to another version, and are now said again by another file."""
    rows = _rows(shelf, [digest for digest, fact in by_digest.items() if fact.kind in TAKEN_UP_AGAIN])
    gone = undone(shelf, rows.values())
    known = {digest: fact_id for digest, fact_id in rows.items() if fact_id not in gone}
    watched = {by_digest[digest].identity(): digest for digest in known}
    latest = standing_of(shelf, {identity for identity in watched if identity is not None})
    now = {identity: shelf.facts[fact_id].digest() for identity, fact_id in latest.items()}
    shelf.load_facts(known.values())
    found: dict[str, str] = {}
    for digest, fact in by_digest.items():
        identity = fact.identity()
        if identity is None or identity not in now:
            continue
        if digest not in known:
            now[identity] = digest
        elif now[identity] != digest and shelf.facts[known[digest]].evidence_id != fact.evidence_id:
            found[digest] = hashlib.sha256(f"{digest} again {fact.evidence_id}".encode()).hexdigest()
            now[identity] = digest
    written = _rows(shelf, found.values())
    stale = written.keys() - {key for key, fact_id in written.items() if fact_id in undone(shelf, written.values())}
    return {digest: key for digest, key in found.items() if key not in stale}


def undone(shelf: Shelf, fact_ids: Collection[int]) -> set[int]:
    """Which of these facts were taken back."""
    return {row.fact_id for row in shelf.select((UNDONE.c.fact_id,), UNDONE.c.fact_id, fact_ids)}


def standing(shelf: Shelf, facts: Sequence[Fact]) -> list[Known]:
    """How each fact stands to what the same source said before, earlier facts of the list included."""
    said = {fact.digest(): fact for fact in reversed(facts)}
    keys = {digest: digest for digest in said} | _third_versions(shelf, dict(reversed(said.items())))
    digests = [keys[fact.digest()] for fact in facts]
    rows = _rows(shelf, digests)
    back = undone(shelf, rows.values())
    standing_now = {digest for digest, fact_id in rows.items() if fact_id not in back}
    standing_now |= {digest for digest, fact_id in rows.items() if fact_id in back and _others_stand(shelf, digest)}
    before_these = standing_of(shelf, {identity for fact in facts if (identity := fact.identity())})
    earlier = {identity: shelf.facts[fact_id] for identity, fact_id in before_these.items()}
    under = _keys_of(shelf, before_these.values())
    found: list[Known] = []
    for fact, digest in zip(facts, digests, strict=True):
        identity = fact.identity()
        before = earlier.get(identity) if identity else None
        if digest in standing_now:
            stands = (
                under.get(before_these.get(identity or "", 0))
                if before is not None and before.digest() == fact.digest()
                else None
            )
            found.append(Known("duplicate", key=stands or digest))
            continue
        standing_now.add(digest)
        replaces = before is not None and fact.kind in REPLACED
        found.append(Known("new" if before is None else "changed", before, replaces, digest))
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


def _keys_of(shelf: Shelf, fact_ids: Collection[int]) -> dict[int, str]:
    return {row.id: row.digest for row in shelf.select((FACT.c.id, FACT.c.digest), FACT.c.id, fact_ids)}


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
