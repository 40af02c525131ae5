"""The exception queue as the faces show it, cut down to what a caller may know."""

from __future__ import annotations

from typing import Any, BinaryIO

from sqlmodel import Session

from scf.api import reads
from scf.api.access import Caller
from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.reconciliation import service as reconciliation
from scf.reconciliation.facts import date_of
from scf.reconciliation.service import ExceptionView
from scf.store import evidence
from scf.store.evidence import Trust

MOST_EVIDENCE_BYTES = 16 * 1024 * 1024


def visible(session: Session, caller: Caller) -> set[str] | None:
    """Order references whose exceptions a caller may see; None for all.

    Overseers see all; a party those of orders behind its own notes.
    """
    return None if caller.sees_all else reads.orders_of(session, caller.addresses)


def open_exceptions(
    session: Session,
    caller: Caller,
    *,
    after: tuple[int, int] | None = None,
    limit: int = 50,
    **asked: Any,
) -> tuple[list[dict[str, Any]], tuple[int, int] | None]:
    """Exceptions the caller may see, the most urgent first, and where to go on; `asked` as the service takes it."""
    references = visible(session, caller)
    page = reconciliation.exceptions(session, after=after, limit=limit, references=references, **asked)
    return [shape(row) for row in page.rows], page.next


def seen(session: Session, caller: Caller, exception_id: int) -> ExceptionView:
    """One exception in any state. Raises Problem `exception_not_found`, also where the caller may not see it."""
    row = reconciliation.exception(session, exception_id)
    references = visible(session, caller)
    if references is not None and row.reference not in references:
        raise Problem("exception_not_found", id=exception_id)
    return row


def require_desk(caller: Caller) -> None:
    """Raises Problem `role_needed` unless the caller decides exceptions: the operator does."""
    caller.require(Role.OPERATOR)


def file_evidence(session: Session, caller: Caller, file: BinaryIO, name: str, clock: Clock) -> str:
    """Keep the file a decision rests on in the evidence log, as what it is: brought by who decides. Returns its id.

    Raises Problem `upload_too_large` or `evidence_empty`.
    """
    raw = file.read(MOST_EVIDENCE_BYTES + 1)
    if len(raw) > MOST_EVIDENCE_BYTES:
        raise Problem("upload_too_large", limit_mb=MOST_EVIDENCE_BYTES // 2**20)
    kept = evidence.record(
        session,
        raw,
        kind="letter",
        source=caller.name,
        sender=caller.name,
        trust=Trust.T1,
        received_at=clock.now(),
        name=name,
    )
    return kept.evidence_id


def desk_name(caller: Caller) -> str:
    """How a person stands in the queue as owner: its firm's name and seat."""
    return f"{caller.name[:50]} · {caller.duty}"[:80]


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
        "decision_evidence": row.decision_evidence,
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
