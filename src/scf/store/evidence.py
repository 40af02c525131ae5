"""The evidence log: raw bytes as received, each record a leaf of an RFC 6962 tree whose head is anchored.

A record says which bytes came from which source, in whose name, when, and how far the source can be trusted. The same
bytes from the same source are recorded once; the same bytes from another source are another record, because two
independent sources are worth more than one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from scf.kernel.problems import Problem
from scf.store import merkle
from scf.store.commands import canonical_json
from scf.store.engine import BIG
from scf.store.schema import append_only


class Trust(IntEnum):
    """How far a source can be trusted. Only T2 and above may clear a trade; only T3, or two T2, may release money."""

    T0 = 0
    """Typed by the applicant."""
    T1 = 1
    """Uploaded."""
    T2 = 2
    """Signed by the counterparty."""
    T3 = 3
    """A third party's own feed: bank, carrier, tax."""
    T4 = 4
    """Registry or regulator."""


@append_only
class EvidenceBytes(SQLModel, table=True):
    """Bytes as they were received; the id is their SHA-256 in hexadecimal."""

    __tablename__ = "evidence_bytes"
    evidence_id: str = Field(primary_key=True, max_length=64)
    raw: bytes = Field(sa_type=sa.LargeBinary)


@append_only
class Evidence(SQLModel, table=True):
    """One leaf of the log: these bytes, from this source, at this time (unix seconds)."""

    __tablename__ = "evidence"
    __table_args__ = (
        sa.UniqueConstraint("evidence_id", "source"),
        sa.CheckConstraint("trust BETWEEN 0 AND 4", name="evidence_trust"),
    )
    leaf_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    evidence_id: str = Field(max_length=64, foreign_key="evidence_bytes.evidence_id")
    kind: str = Field(max_length=60, index=True)
    source: str = Field(max_length=128)
    sender: str = Field(max_length=128)
    trust: int
    received_at: int = Field(sa_type=BIG)
    name: str | None = Field(default=None, max_length=255)
    signature: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    leaf_hash: bytes = Field(sa_type=sa.LargeBinary)


@append_only
class EvidenceNode(SQLModel, table=True):
    """Hash of a complete subtree, kept so that heads and proofs cost a few reads however long the log is."""

    __tablename__ = "evidence_node"
    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    place: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    digest: bytes = Field(sa_type=sa.LargeBinary)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a `record`: `is_new` is False when the same source had brought the same bytes before."""

    evidence_id: str
    leaf_index: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Head:
    """Size and root of the log, as anchored on the ledger."""

    size: int
    root: bytes


def record(
    session: Session,
    raw: bytes,
    *,
    kind: str,
    source: str,
    sender: str,
    trust: Trust,
    received_at: int,
    signature: bytes | None = None,
    name: str | None = None,
) -> Recorded:
    """Append `raw` to the log, unless this source brought these bytes before; then nothing changes.

    Raises Problem `evidence_empty` for no bytes.
    """
    if not raw:
        raise Problem("evidence_empty", name=name or kind)
    evidence_id = hashlib.sha256(raw).hexdigest()
    known = session.exec(
        select(Evidence.leaf_index).where(Evidence.evidence_id == evidence_id, Evidence.source == source)
    ).one_or_none()
    if known is not None:
        return Recorded(evidence_id, known, is_new=False)
    entry = Evidence(
        leaf_index=size(session),
        evidence_id=evidence_id,
        kind=kind,
        source=source,
        sender=sender,
        trust=int(trust),
        received_at=received_at,
        name=None if name is None else name[-255:],
        signature=signature,
        leaf_hash=b"",
    )
    entry.leaf_hash = merkle.leaf_hash(entry_bytes(entry))
    if session.get(EvidenceBytes, evidence_id) is None:
        session.add(EvidenceBytes(evidence_id=evidence_id, raw=raw))
        session.flush()
    session.add(entry)
    finished = merkle.completed_by(entry.leaf_index, entry.leaf_hash, _stored_node(session))
    session.flush()
    rows = [{"level": level, "place": place, "digest": digest} for level, place, digest in finished]
    session.exec(sa.insert(EvidenceNode), params=rows)
    return Recorded(evidence_id, entry.leaf_index, is_new=True)


def entry_bytes(entry: Evidence) -> bytes:
    """The bytes a leaf stands for: canonical JSON of the record without its hash. Anyone with the row can redo it."""
    return canonical_json(
        {
            "evidence_id": entry.evidence_id,
            "kind": entry.kind,
            "leaf_index": entry.leaf_index,
            "name": entry.name,
            "received_at": entry.received_at,
            "sender": entry.sender,
            "signature": None if entry.signature is None else entry.signature.hex(),
            "source": entry.source,
            "trust": entry.trust,
        }
    )


def size(session: Session) -> int:
    """Number of records in the log."""
    last = session.exec(select(sa.func.max(col(Evidence.leaf_index)))).one()
    return 0 if last is None else int(last) + 1


def head(session: Session, at_size: int | None = None) -> Head:
    """Head of the log now, or as it was at an earlier size. Raises Problem `proof_out_of_range`."""
    now = size(session)
    wanted = now if at_size is None else at_size
    if not 0 <= wanted <= now:
        raise Problem("proof_out_of_range", wanted=wanted, size=now)
    return Head(wanted, merkle.root_of(wanted, _stored_node(session)))


def inclusion_proof(session: Session, leaf_index: int, at_size: int | None = None) -> list[bytes]:
    """Audit path of a record in the log of `at_size` (default: now). Raises Problem `proof_out_of_range`."""
    now = size(session)
    tree = now if at_size is None else at_size
    if not 0 <= leaf_index < tree <= now:
        raise Problem("proof_out_of_range", wanted=leaf_index, size=now)
    return merkle.inclusion_proof(leaf_index, tree, _stored_node(session))


def consistency_proof(session: Session, old_size: int, at_size: int | None = None) -> list[bytes]:
    """Proof that the log of `old_size` is a prefix of the log of `at_size`. Raises Problem `proof_out_of_range`."""
    now = size(session)
    tree = now if at_size is None else at_size
    if not 0 < old_size <= tree <= now:
        raise Problem("proof_out_of_range", wanted=old_size, size=now)
    return merkle.consistency_proof(old_size, tree, _stored_node(session))


def raw_bytes(session: Session, evidence_id: str) -> bytes:
    """The bytes of an id, as received. Raises Problem `evidence_unknown`."""
    row = session.get(EvidenceBytes, evidence_id)
    if row is None:
        raise Problem("evidence_unknown", evidence=evidence_id[:64])
    return row.raw


def records_of(session: Session, evidence_id: str) -> Sequence[Evidence]:
    """Every record of these bytes, one for each source, in the order they came."""
    return session.exec(
        select(Evidence).where(Evidence.evidence_id == evidence_id).order_by(col(Evidence.leaf_index))
    ).all()


def trust_of(session: Session, evidence_id: str) -> Trust | None:
    """Highest trust any source gives these bytes; None when they were never recorded."""
    best = session.exec(select(sa.func.max(col(Evidence.trust))).where(Evidence.evidence_id == evidence_id)).one()
    return None if best is None else Trust(best)


def first_broken_record(session: Session) -> int | None:
    """Recompute every hash from the bytes up and return the first leaf that does not fit, or None when all do.

    This finds what a person with access to the file changed; that whole records were cut off or rewritten together with
    their hashes shows only against a head anchored earlier.
    """
    leaves: list[bytes] = []
    query = select(Evidence, EvidenceBytes.raw).join(EvidenceBytes).order_by(col(Evidence.leaf_index))
    for place, (entry, raw) in enumerate(session.exec(query)):
        fits = entry.leaf_index == place and hashlib.sha256(raw).hexdigest() == entry.evidence_id
        if not fits or merkle.leaf_hash(entry_bytes(entry)) != entry.leaf_hash:
            return place
        leaves.append(entry.leaf_hash)
    node, stored = merkle.nodes_of(leaves), _stored_node(session)
    for place in range(len(leaves)):
        for level, index, digest in merkle.completed_by(place, leaves[place], node):
            if stored(level, index) != digest:
                return place
    return None


def _stored_node(session: Session) -> merkle.Node:
    def lookup(level: int, index: int) -> bytes:
        query = select(EvidenceNode.digest).where(EvidenceNode.level == level, EvidenceNode.place == index)
        return bytes(session.exec(query).one())

    return lookup
