"""One receivable proved on its own: what was shown, to what level, and what was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlmodel import Session

from scf.desk.service import Desk
from scf.kernel.problems import Problem
from scf.ledger.notes import note_id
from scf.receivables import queries
from scf.receivables.models import Dossier, NoteState, ReceivableState
from scf.store import evidence

Result = Literal["pass", "fail", "not-provable"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One check of a record: its code, what came out, over how many things, and what disagrees."""

    check: str
    result: Result
    count: int
    found: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordProof:
    """Every check of a receivable, and the same in a form to download. Level L0: this installation against itself."""

    receivable: int
    checks: tuple[Shown, ...]
    level: str
    content: dict[str, Any]

    @property
    def result(self) -> Result:
        """Fail when one check fails, not-provable when one could not be made, else pass."""
        results = {one.result for one in self.checks}
        return "fail" if "fail" in results else "not-provable" if "not-provable" in results else "pass"


def prove(session: Session, desk: Desk, receivable_id: int) -> RecordProof:
    """Check one receivable against the ledger and the evidence log. Raises Problem `unknown_receivable`."""
    row = queries.receivable(session, receivable_id)
    notes = queries.notes_of_receivable(session, receivable_id)
    live, due = queries.conservation(session, receivable_id)
    checks = [
        Shown(
            "conservation", "pass" if live == due else "fail", len(notes), () if live == due else (f"{live} ≠ {due}",)
        )
    ]
    wrong = []
    for note in notes:
        parent = int(note.parent_id, 16) if note.parent_id else 0
        expected = note_id(receivable_id, parent, note.child_index, bytes.fromhex(note.evidence.removeprefix("0x")))
        if expected != int(note.id, 16):
            wrong.append(note.id)
    checks.append(Shown("lineage", "fail" if wrong else "pass", len(notes), tuple(wrong[:5])))
    checks.append(_on_ledger(desk, notes))
    anchored = int(desk.contracts.evidence.read(desk.ledger, "head")[0])
    papers, shown = _papers(session, {note.evidence for note in notes} | {row.document}, anchored)
    checks.append(shown)
    head = desk.head()
    content = {
        "format": "scf-record/1",
        "receivable": row.id,
        "ledger": {"chain_id": desk.ledger.chain_id, "head": head.number, "hash": "0x" + bytes(head.hash).hex()},
        "terms": {
            "obligor": row.obligor,
            "creditor": row.creditor,
            "currency": row.currency,
            "face_minor": str(row.face_minor),
            "outstanding_minor": str(row.outstanding_minor),
            "maturity": row.maturity,
            "fingerprint": row.fingerprint,
            "document": row.document,
            "state": str(row.state) if row.state != ReceivableState.LIVE else "live",
        },
        "notes": [
            {
                "id": note.id,
                "parent": note.parent_id,
                "child_index": note.child_index,
                "evidence": note.evidence,
                "tier": note.tier,
                "holder": note.holder,
                "amount_minor": str(note.amount_minor),
                "settled_minor": str(note.settled_minor),
                "state": str(note.state),
            }
            for note in notes
        ],
        "evidence_log": {"anchored_size": anchored, "records": papers},
        "checks": [{"check": one.check, "result": one.result, "count": one.count} for one in checks],
        "level": "L0",
    }
    return RecordProof(receivable_id, tuple(checks), "L0", content)


def _on_ledger(desk: Desk, notes: Any) -> Shown:
    """Holder and amount of every note with value, asked of the contract itself."""
    wrong, count = [], 0
    for note in notes:
        if note.state not in (NoteState.HELD, NoteState.LOCKED, NoteState.OFFERED) or not note.amount_minor:
            continue
        count += 1
        try:
            holder = str(desk.contracts.receivables.read(desk.ledger, "ownerOf", int(note.id, 16)))
            amount = int(desk.contracts.receivables.read(desk.ledger, "balanceOf", int(note.id, 16)))
        except Problem:
            wrong.append(note.id)
            continue
        if amount != note.amount_minor or (note.state == NoteState.HELD and holder != note.holder):
            wrong.append(note.id)
    return Shown("ledger", "fail" if wrong else "pass", count, tuple(wrong[:5]))


def _papers(session: Session, documents: set[str], anchored: int) -> tuple[list[dict[str, Any]], Shown]:
    """Documents behind the notes, each with its place in the anchored evidence log and the path that proves it."""
    papers, loose, without = [], 0, 0
    for document in sorted(documents):
        dossier = session.get(Dossier, document)
        if dossier is None:
            without += 1
            continue
        for one in dossier.evidence_ids.split(","):
            for entry in evidence.records_of(session, one):
                inside = entry.leaf_index < anchored
                loose += not inside
                path = evidence.inclusion_proof(session, entry.leaf_index, anchored) if inside else []
                papers.append(
                    {
                        "document": document,
                        "salt": dossier.salt,
                        "evidence_id": one,
                        "leaf_index": entry.leaf_index,
                        "leaf_hash": bytes(entry.leaf_hash).hex(),
                        "inclusion": [bytes(step).hex() for step in path],
                    }
                )
    missing = loose + without
    result: Result = "not-provable" if missing or not papers else "pass"
    return papers, Shown("evidence", result, len(papers), (f"{missing}",) if missing else ())
