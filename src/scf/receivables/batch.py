"""Many notes accepted at once, from a file: every row is checked before anything is signed, and all go or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from scf.desk.service import Desk, Prepared
from scf.kernel.money import format_money, parse_minor
from scf.kernel.problems import Problem
from scf.receivables import queries
from scf.receivables.models import NoteState
from scf.standards.csvlist import read_list

MOST_AT_ONCE = 100
"""Notes one signature may accept."""
_MAX_BYTES = 1_000_000
_COLUMNS = {"note": ("note", "凭证"), "amount": ("amount", "金额")}
_NOTE = re.compile(r"0x[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of the file: a note and, where the file says it, the amount the reader expects."""

    line: int
    note_id: str
    amount: str | None


def read_batch(raw: bytes) -> list[BatchRow]:
    """Read a CSV with a column `note` and optionally `amount`.

    Raises Problem `batch_unreadable` or `batch_row_refused` with the line.
    """
    rows: list[BatchRow] = []
    seen: set[str] = set()
    found = read_list(
        raw, _COLUMNS, optional=("amount",), most_bytes=_MAX_BYTES, most_rows=MOST_AT_ONCE, code="batch_unreadable"
    )
    for line, cells in found:
        note = cells["note"].lower()
        if not _NOTE.fullmatch(note):
            raise Problem("batch_row_refused", line=line, reason="note")
        if note in seen:
            raise Problem("batch_row_refused", line=line, reason="twice / 重复")
        seen.add(note)
        rows.append(BatchRow(line, note, cells["amount"] or None))
    return rows


def prepare_accept_many(desk: Desk, session: Session, holder: str, rows: Sequence[BatchRow]) -> Prepared:
    """Typed data with which a recipient accepts all these notes; each must be offered to it, for the amount named.

    Raises Problem `batch_row_refused` with the line.
    """
    totals: dict[str, int] = {}
    for row in rows:
        note = queries.note(session, row.note_id)
        code = queries.receivable(session, note.receivable_id).currency
        if note.holder != holder or note.state != NoteState.OFFERED:
            raise Problem("batch_row_refused", line=row.line, reason="not offered to you / 未向您开立或流转")
        if row.amount is not None and parse_minor(row.amount, code) != note.amount_minor:
            shown = format_money(note.amount_minor, code)
            raise Problem("batch_row_refused", line=row.line, reason=f"amount / 金额 {shown}")
        totals[code] = totals.get(code, 0) + note.amount_minor
    total = ", ".join(format_money(amount, code) for code, amount in sorted(totals.items()))
    return desk.prepare(
        "accept_many",
        "Receivables",
        "AcceptMany",
        {"noteIds": [int(row.note_id, 16) for row in rows], "deadline": desk.clock.now() + 3 * 86_400},
        signers=(holder,),
        summary={
            "en": f"You accept {len(rows)} notes, together {total}.",
            "zh-CN": f"您签收 {len(rows)} 张凭证，合计 {total}。",
        },
    )
