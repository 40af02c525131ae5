"""An import from preview over apply to undo. A preview writes no fact; applying and undoing are one transaction each.

The file of a preview lies in its row and becomes evidence when it is applied. Undoing takes the facts back and records
that it did; evidence is never deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from sqlmodel import Session, col, select

from scf.bank import service as bank
from scf.desk.service import Desk
from scf.documents import bank_trace, runs, views
from scf.documents.models import (
    ImportedDocument,
    ImportFact,
    ImportRun,
    ImportState,
    SavedMapping,
    SourceMapping,
)
from scf.documents.planning import Plan, plan
from scf.documents.readers import STATEMENTS, TableRefusal, read_document, require_whole
from scf.documents.runs import Resting
from scf.documents.views import UNDO_SECONDS, ImportView, RowPage
from scf.kernel.dates import from_unix
from scf.kernel.problems import Problem
from scf.reconciliation import service as reconciliation
from scf.standards import csvguess, signatures
from scf.standards.bank_records import Statement
from scf.standards.csvmapping import TableMapping, load_mapping
from scf.standards.detect import detect
from scf.standards.reading import Document
from scf.standards.records import DocumentKind
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

__all__ = ["SHIPPED_MAPPINGS", "UNDO_SECONDS", "Imports", "Resting"]
SHIPPED_MAPPINGS = ("scms",)
Told = Callable[[int, int], None]
KEEP_SECONDS = 7 * 24 * 3600
"""So long a preview that nobody applied keeps its file."""
_OPEN = (ImportState.PREVIEWED, ImportState.NEEDS_MAPPING)


class Imports:
    """Preview, apply, undo; the part of the room's door that `Documents` inherits.

    `source` in every call is who brought the file, and only its own imports are found under it; None, for the operator
    at the command line, finds all. An import of another source is refused like one that does not exist.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.rests: list[Callable[[Session, Resting], None]] = [runs.refuse_filed]
        """Asked before an import is undone; each raises Problem when something of its room rests on it."""

    def preview(
        self,
        raw: bytes,
        name: str,
        *,
        source: str,
        sender: str,
        trust: int | Trust,
        mapping: str | None = None,
        strict: bool = False,
    ) -> ImportView:
        """What importing this file would do, kept under an id until it is applied. Nothing is joined yet.

        A table is read with `mapping`: the name of a saved or shipped one, or its text (TOML or JSON). Without it, with
        the one this source's tables of these titles were last applied with, else with a guess from titles and cells;
        where the guess is not complete, the state is `needs_mapping` and `table.missing` says what is. The same file
        of the same source again gives the same id, looked at afresh.

        Raises Problem of the reader with place and reason (then the file as a whole is refused and nothing kept),
        `document_not_importable`, `table_mapping_missing` for a name nobody saved, and with `strict` the first rejected
        row as `table_rows_rejected`.
        """
        now = self._desk.clock.now()
        digest = hashlib.sha256(raw).hexdigest()
        kind = detect(raw, name)
        with self._desk.session() as session:
            self._forget_old(session, source, now)
            same = select(ImportRun).where(ImportRun.source == source, ImportRun.digest == digest)
            run = session.exec(same.where(col(ImportRun.state).in_(_OPEN)).limit(1)).first()
            if run is None:
                run = runs.new_run(raw, name, kind, source=source, sender=sender, trust=trust, now=now)
            run.trust, run.sender, run.name, run.raw = int(trust), sender, name[-255:], raw
            session.add(run)
            session.flush()
            chosen = self._mapping(session, run, raw, mapping)
            self._look(session, run, raw, chosen, strict=strict)
            return views.of(run)

    def remap(self, import_id: int, mapping: str, *, source: str | None, strict: bool = False) -> ImportView:
        """Read a previewed table again with another mapping (name, TOML or JSON), as a person corrected it.

        Raises Problem `import_unknown`, `import_state` unless it is still a preview, and as `preview` does.
        """
        with self._desk.session() as session:
            run = self._run(session, import_id, source, *_OPEN)
            raw = run.raw or b""
            self._look(session, run, raw, self._mapping(session, run, raw, mapping), strict=strict)
            return views.of(run)

    def apply(
        self, import_id: int, *, source: str | None, by: str | None = None, leave_rejected: bool = False
    ) -> ImportView:
        """Do what the preview showed: keep the file as evidence and join its facts. Applied already: changes nothing.

        Raises Problem `import_unknown`; `import_state` for one that was discarded, undone or still needs a mapping;
        `import_has_rejected` while rows are rejected, unless `leave_rejected` says to take the others;
        `import_preview_stale` when something arrived since that changes what the preview showed: the preview is new
        then, nothing was applied. Money never moves.
        """
        with self._desk.session() as session:
            run = self._run(session, import_id, source, *_OPEN, ImportState.APPLIED)
            if run.state == ImportState.APPLIED:
                return views.of(run)
            if run.state == ImportState.NEEDS_MAPPING:
                raise Problem("import_state", id=import_id, state=run.state)
            raw, seen = run.raw or b"", run.plan
            mapping = None if run.mapping is None else load_mapping(run.mapping)
            document = read_document(raw, run.name, mapping)
            found = plan(session, document, runs.origin(run))
            if found.digest() == seen:
                if run.rejected and not leave_rejected:
                    raise Problem("import_has_rejected", id=import_id, rejected=run.rejected)
                self._carry_out(session, run, raw, document, found, by or run.sender)
                return views.of(run)
            runs.write_plan(session, run, document, found)
        raise Problem("import_preview_stale", id=import_id)

    def undo(self, import_id: int, *, source: str | None, by: str | None = None) -> ImportView:
        """Take an applied import back within 24 hours: what it brought counts no more, what it changed is as before.

        The file stays in the evidence, with a record that the import was undone. Undone already: changes nothing.
        Raises Problem `import_unknown`; `import_state` for one not applied; `undo_too_late`; and, when something rests
        on its rows, `undo_after_receivable`, `undo_after_release`, `undo_after_payment`, `undo_after_statement`,
        `undo_after_allocation`, `undo_after_decision` or `undo_after_change`; then nothing was changed.
        """
        with self._desk.session() as session:
            run = self._run(session, import_id, source, ImportState.APPLIED, ImportState.UNDONE)
            if run.state == ImportState.UNDONE:
                return views.of(run)
            now = self._desk.clock.now()
            applied = run.applied_at or 0
            if now > applied + UNDO_SECONDS:
                raise Problem("undo_too_late", id=import_id, until=from_unix(applied + UNDO_SECONDS).isoformat())
            digests = self._sole_digests(session, run)
            orders = frozenset(reconciliation.orders_of(session, digests))
            if runs.is_sole(session, run):
                for check in self.rests:
                    check(session, Resting(run.digest, orders))
            bank_trace.put_back(session, run.bank_changes)
            reconciliation.withdraw(session, digests, since=applied, clock=self._desk.clock)
            said = {"import": import_id, "evidence": run.digest, "undone_at": now, "by": by or run.sender}
            evidence.record(
                session,
                canonical_json(said),
                kind="import undone",
                source="scf",
                sender=by or run.sender,
                trust=Trust.T1,
                received_at=now,
            )
            imported = session.get(ImportedDocument, (run.digest, run.source))
            if imported is not None:
                session.delete(imported)
            run.state, run.undone_at, run.undone_by = ImportState.UNDONE, now, by or run.sender
            session.add(run)
            return views.of(run)

    def discard(self, import_id: int, *, source: str | None) -> ImportView:
        """Give up a preview; its file is forgotten. Raises Problem `import_unknown`, `import_state` once applied."""
        with self._desk.session() as session:
            run = self._run(session, import_id, source, *_OPEN, ImportState.DISCARDED)
            runs.forget(session, run)
            return views.of(run)

    def import_of(self, session: Session, import_id: int, *, source: str | None) -> ImportView:
        """One import as it stands. Raises Problem `import_unknown`."""
        return views.of(self._run(session, import_id, source))

    def import_rows(
        self,
        session: Session,
        import_id: int,
        *,
        source: str | None,
        standing: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> RowPage:
        """Rows of an import in the file's order, of one standing or all, in pages: `after` is the page's `next`.

        Raises Problem `import_unknown`.
        """
        self._run(session, import_id, source)
        return views.rows(session, import_id, standing=standing, after=after, limit=limit)

    def imports(self, session: Session, *, source: str | None, limit: int = 50) -> list[ImportView]:
        """Imports of a source (None: of all), the newest first, without those discarded."""
        query = select(ImportRun).where(ImportRun.state != ImportState.DISCARDED)
        if source is not None:
            query = query.where(ImportRun.source == source)
        return [views.of(run) for run in session.exec(query.order_by(col(ImportRun.id).desc()).limit(limit))]

    def mappings(self, session: Session) -> list[str]:
        """Names of the mappings a table can be read with: those that ship, then those saved."""
        return [*SHIPPED_MAPPINGS, *session.exec(select(SavedMapping.name).order_by(SavedMapping.name)).all()]

    # steps

    def _read_whole(self, session: Session, run: ImportRun, raw: bytes, mapping: str | None) -> Document:
        """The file, every row of it; a table needs a mapping that somebody saved, sent or applied before."""
        columns = self._mapping(session, run, raw, mapping)
        if run.kind == DocumentKind.CSV and columns is None:
            raise Problem("table_mapping_missing", name=run.name, known=", ".join(self.mappings(session)))
        document = read_document(raw, run.name, columns)
        require_whole(document, run.name)
        return document

    def _take_in(
        self, session: Session, run: ImportRun, raw: bytes, document: Document, told: Told | None = None
    ) -> None:
        """Preview and apply a file in one step. Raises Problem `table_rows_rejected`."""
        found = plan(session, document, runs.origin(run))
        first = next((row for row in found.rows if row.standing == "rejected"), None)
        if first is not None:
            rejected, where, why = found.counts()["rejected"], first.where, first.problem
            raise TableRefusal(
                "table_rows_rejected",
                name=run.name,
                rejected=rejected,
                total=len(found.rows),
                place=where,
                reason=why,
            )
        if document.preview is not None:
            run.shape = views.shape_of_preview(document.preview, raw)
            run.mapping = json.dumps(document.preview.mapping.to_dict())
        self._carry_out(session, run, raw, document, found, run.sender, told)

    def _carry_out(
        self,
        session: Session,
        run: ImportRun,
        raw: bytes,
        document: Document,
        found: Plan,
        by: str,
        told: Told | None = None,
    ) -> None:
        """Evidence, facts and bank lines of a plan that stands, in the caller's transaction."""
        now = self._desk.clock.now()
        kept = evidence.record(
            session,
            raw,
            kind=run.kind,
            source=run.source,
            sender=run.sender,
            trust=Trust(run.trust),
            received_at=now,
            name=run.name,
            signature=signatures.embedded(raw),
        )
        clock = self._desk.clock
        taken = reconciliation.take(session, found.facts, clock=clock, told=told) if found.facts else None
        if document.kind in STATEMENTS:
            with bank_trace.tracing(session) as trace:
                said = [record for record in document.records if isinstance(record, Statement)]
                bank.import_statement(session, said, kept.evidence_id, now=now)
            run.bank_changes = trace.text()
        runs.write_plan(session, run, document, found)
        if session.get(ImportedDocument, (kept.evidence_id, run.source)) is None:
            session.add(
                ImportedDocument(
                    evidence_id=kept.evidence_id,
                    source=run.source,
                    kind=run.kind,
                    name=run.name,
                    facts=len(found.facts),
                    imported_at=now,
                )
            )
        if document.preview is not None:
            header, text = runs.header(document.preview.header), json.dumps(document.preview.mapping.to_dict())
            session.merge(SourceMapping(source=run.source, header=header, text=text, saved_at=now))
        run.state, run.raw, run.applied_at, run.applied_by = ImportState.APPLIED, None, now, by
        run.exceptions = taken.opened if taken is not None else 0
        session.add(run)

    def _look(
        self, session: Session, run: ImportRun, raw: bytes, mapping: TableMapping | None, *, strict: bool
    ) -> None:
        """Read the file as it would be applied, and write what it would do."""
        if run.kind == DocumentKind.CSV and mapping is None:
            seen = csvguess.look(raw)
            if not seen.missing:
                mapping = TableMapping.from_dict(seen.suggestion)
            else:
                runs.clear(session, run)
                run.state, run.shape, run.mapping = ImportState.NEEDS_MAPPING, views.shape_of(seen), None
                session.add(run)
                return
        document = read_document(raw, run.name, mapping)
        if strict:
            require_whole(document, run.name)
        run.state = ImportState.PREVIEWED
        run.mapping = None if mapping is None else json.dumps(mapping.to_dict())
        if document.preview is not None:
            run.shape = views.shape_of_preview(document.preview, raw)
        runs.write_plan(session, run, document, plan(session, document, runs.origin(run)))

    def _mapping(self, session: Session, run: ImportRun, raw: bytes, mapping: str | None) -> TableMapping | None:
        """The mapping asked for, else the one last applied to such a table; None where there is none."""
        if run.kind != DocumentKind.CSV:
            return None
        if mapping is None:
            known = session.get(SourceMapping, (run.source, runs.header(csvguess.look(raw).header)))
            return None if known is None else load_mapping(known.text)
        if "\n" in mapping or mapping.lstrip().startswith("{"):
            return load_mapping(mapping)
        saved = session.get(SavedMapping, mapping)
        if saved is not None or mapping in SHIPPED_MAPPINGS:
            return load_mapping(saved.text if saved is not None else mapping)
        raise Problem("table_mapping_missing", name=run.name, known=", ".join(self.mappings(session)))

    def _run(self, session: Session, import_id: int, source: str | None, *states: ImportState) -> ImportRun:
        query = select(ImportRun).where(ImportRun.id == import_id)
        run = session.exec(query.with_for_update() if states else query).one_or_none()
        if run is None or (source is not None and run.source != source):
            raise Problem("import_unknown", id=import_id)
        if states and run.state not in states:
            raise Problem("import_state", id=import_id, state=run.state)
        return run

    def _sole_digests(self, session: Session, run: ImportRun) -> set[str]:
        """The facts this import brought and no other applied import says; shared ones pass to the other."""
        mine = select(ImportFact.digest).where(ImportFact.import_id == run.id, ImportFact.brought)
        digests = set(session.exec(mine).all())
        others: dict[str, ImportFact] = {}
        for chunk in runs.chunks(sorted(digests)):
            query = (
                select(ImportFact)
                .join(ImportRun, col(ImportRun.id) == col(ImportFact.import_id))
                .where(ImportFact.import_id != run.id, ImportRun.state == ImportState.APPLIED)
                .where(ImportRun.source == run.source, col(ImportFact.digest).in_(chunk))
            )
            others |= {row.digest: row for row in session.exec(query)}
        for row in others.values():
            row.brought = True
            session.add(row)
        return digests - others.keys()

    def _forget_old(self, session: Session, source: str, now: int) -> None:
        old = select(ImportRun).where(ImportRun.source == source, col(ImportRun.state).in_(_OPEN))
        for run in session.exec(old.where(col(ImportRun.previewed_at) < now - KEEP_SECONDS)).all():
            runs.forget(session, run)
