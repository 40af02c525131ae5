"""The exception queue as the faces show it, cut down to what a caller may know."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from scf.api import reads
from scf.api.access import Caller
from scf.kernel.problems import Problem
from scf.reconciliation import service as reconciliation
from scf.reconciliation.facts import date_of
from scf.reconciliation.service import ExceptionView


def open_exceptions(
    session: Session, caller: Caller, *, after: tuple[int, int] | None = None, limit: int = 50
) -> tuple[list[dict[str, Any]], tuple[int, int] | None]:
    """Open exceptions the caller may see, the most urgent first, and where to go on.

    Overseers see all; a party those of orders behind its own notes.
    """
    page = reconciliation.exceptions(session, after=after, limit=limit)
    rows = page.rows
    if not caller.sees_all:
        mine = reads.orders_of(session, caller.addresses)
        rows = tuple(row for row in rows if row.reference in mine)
    return [shape(row) for row in rows], page.next


def shape(row: ExceptionView) -> dict[str, Any]:
    """One exception as answers show it."""
    return {
        "id": row.id,
        "code": row.code,
        "severity": row.severity,
        "reference": row.reference,
        "sentence": {"en": row.sentence_en, "zh-CN": row.sentence_zh},
        "owner": row.owner,
        "decide_by": date_of(row.deadline_day).isoformat(),
        "state": row.state,
        "suggestions": list(row.suggestions),
        "decision": row.decision,
        "decision_reason": row.decision_reason,
        "decided_by": row.decided_by,
    }


def cursor_text(cursor: tuple[int, int] | None) -> str | None:
    """A queue position as opaque text."""
    return None if cursor is None else f"{cursor[0]}-{cursor[1]}"


def read_cursor(text: str | None) -> tuple[int, int] | None:
    """The position behind opaque text. Raises Problem `cursor_not_valid`."""
    if not text:
        return None
    day, _, number = text.rpartition("-")
    try:
        return int(day), int(number)
    except ValueError as error:
        raise Problem("cursor_not_valid", cursor=text[:40]) from error
