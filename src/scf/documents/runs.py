"""Rows of imports: how a run begins, what its plan wrote, and what is forgotten with it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.documents import views
from scf.documents.models import ImportFact, ImportRow, ImportRun, ImportState
from scf.documents.planning import Plan
from scf.documents.readers import record_count
from scf.kernel.problems import Problem
from scf.receivables.models import Dossier
from scf.reconciliation.convert import Origin
from scf.standards.reading import Document
from scf.standards.records import DocumentKind
from scf.store import evidence
from scf.store.evidence import Trust


@dataclass(frozen=True, slots=True)
class Resting:
    """What is about to be taken back: the evidence and the orders its facts belong to."""

    evidence_id: str
    orders: frozenset[str]


def new_run(
    raw: bytes, name: str, kind: DocumentKind, *, source: str, sender: str, trust: int | Trust, now: int
) -> ImportRun:
    """A run as it begins, not written yet."""
    return ImportRun(
        state=ImportState.PREVIEWED,
        source=source,
        sender=sender,
        trust=int(trust),
        kind=kind.value,
        name=name[-255:],
        digest=hashlib.sha256(raw).hexdigest(),
        raw=raw,
        previewed_at=now,
    )


def applied_run(session: Session, evidence_id: str, source: str) -> ImportRun | None:
    """The import that brought this file from this source and stands."""
    query = select(ImportRun).where(ImportRun.digest == evidence_id, ImportRun.source == source)
    return session.exec(query.where(ImportRun.state == ImportState.APPLIED).limit(1)).first()


def is_known(session: Session, evidence_id: str, source: str) -> bool:
    """Whether this source brought the file another way, as a bank's own feed does, and nobody took it back."""
    undone = select(ImportRun.id).where(ImportRun.digest == evidence_id, ImportRun.source == source)
    if session.exec(undone.where(ImportRun.state == ImportState.UNDONE).limit(1)).first() is not None:
        return False
    return any(record.source == source for record in evidence.records_of(session, evidence_id))


def origin(run: ImportRun) -> Origin:
    """Where the facts of a run come from."""
    return Origin(run.source, run.trust, run.digest, applicant_can_write=run.trust < Trust.T2)


def write_plan(session: Session, run: ImportRun, document: Document, found: Plan) -> None:
    """The plan's rows, counts and facts in place of those written before."""
    clear(session, run)
    counts = found.counts()
    run.new, run.changed, run.duplicate = counts["new"], counts["changed"], counts["duplicate"]
    run.rejected, run.noted, run.records = counts["rejected"], counts["noted"], record_count(document)
    run.plan, run.notices = found.digest(), views.notices_text(document.notices)
    session.add(run)
    session.flush()
    rows = views.row_values(run.id or 0, found.rows)
    facts: dict[str, bool] = {}
    for row in found.rows:
        for digest in row.digests:
            facts[digest] = facts.get(digest, False) or row.standing in ("new", "changed")
    for chunk in chunks(rows):
        session.exec(sa.insert(ImportRow), params=chunk)
    written = [{"import_id": run.id, "digest": digest, "brought": brought} for digest, brought in facts.items()]
    for part in chunks(written):
        session.exec(sa.insert(ImportFact), params=part)


def clear(session: Session, run: ImportRun) -> None:
    """Forget a run's rows, facts and counts."""
    session.exec(sa.delete(ImportRow).where(col(ImportRow.import_id) == run.id))
    session.exec(sa.delete(ImportFact).where(col(ImportFact.import_id) == run.id))
    run.new = run.changed = run.duplicate = run.rejected = run.noted = run.records = 0


def forget(session: Session, run: ImportRun) -> None:
    """Give a run up, with its file."""
    clear(session, run)
    run.state, run.raw = ImportState.DISCARDED, None
    session.add(run)


def is_sole(session: Session, run: ImportRun) -> bool:
    """Whether no other applied import of this source brought the same file."""
    same = select(ImportRun.id).where(ImportRun.digest == run.digest, ImportRun.source == run.source)
    return session.exec(same.where(ImportRun.state == ImportState.APPLIED, ImportRun.id != run.id)).first() is None


def refuse_filed(session: Session, resting: Resting) -> None:
    """Documents filed for an issue or a pass stay as they were filed."""
    filed = select(Dossier).where(col(Dossier.evidence_ids).contains(resting.evidence_id))
    found = session.exec(filed.limit(1)).first()
    if found is not None:
        raise Problem(
            "undo_after_receivable", reference=found.invoice_number or found.order_reference or found.document[:18]
        )


def header(titles: Collection[str]) -> str:
    """Digest of a table's titles."""
    return hashlib.sha256("\x1f".join(titles).encode()).hexdigest()


def chunks(values: Sequence[Any], size: int = 5_000) -> list[Any]:
    """The values in lists of at most `size`."""
    return [values[start : start + size] for start in range(0, len(values), size)]
