"""A payment the bank refused or brought back is made anew under a name of its own, once each time it failed.

The first name stays with what became of it; attempts are `NAME`, `NAME.R2`, `NAME.R3`, … A bank takes a name once.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from datetime import date

from sqlmodel import Session, col, select

from scf.bank import matching
from scf.bank.models import BankFileRow, BankInstruction, BankLine, BankOrder, InstructionState
from scf.kernel.problems import Problem
from scf.standards.records import DocumentKind
from scf.store import evidence

FAILED = (InstructionState.REJECTED, InstructionState.RETURNED, InstructionState.REVERSED)
"""States in which the money is not where it was sent, by the bank's own word."""
_ATTEMPT = re.compile(r"(.+)\.R([2-9]|[1-9]\d+)")
_COPIED = (
    "debtor_account", "creditor_account", "creditor", "creditor_agent", "amount_minor", "currency", "remittance",
    "release_reference", "purpose",
)  # fmt: skip


def uetr_of(end_to_end_id: str) -> str:
    """The UETR of a payment: a version-4 UUID, the same whenever the same name is meant."""
    return str(uuid.UUID(bytes=hashlib.sha256(end_to_end_id.encode()).digest()[:16], version=4))


def attempt_name(session: Session, end_to_end_id: str) -> str:
    """The name of the attempt that stands, or of the one to be made where all before it failed."""
    name = end_to_end_id
    while (row := session.get(BankInstruction, name)) is not None and row.state in FAILED:
        name = _next(name)
    return name


def pay_again(session: Session, end_to_end_id: str, *, execute_on: date, now: int) -> BankInstruction:
    """Write a failed payment anew, to be sent with the next exchange; where an attempt is under way, that one.

    `end_to_end_id` names the attempt that failed, or the first. Raises Problem `bank_instruction_unknown`, and
    `bank_reference_unfit` where the name has no room for another number.
    """
    first = session.get(BankInstruction, end_to_end_id)
    if first is None:
        raise Problem("bank_instruction_unknown", reference=end_to_end_id)
    name = attempt_name(session, end_to_end_id)
    if len(name) > 35:
        raise Problem("bank_reference_unfit", reference=name[:40])
    known = session.get(BankInstruction, name)
    if known is not None:
        return known
    row = BankInstruction(
        end_to_end_id=name,
        execute_on=execute_on,
        uetr=uetr_of(name),
        written_at=now,
        changed_at=now,
        **{field: getattr(first, field) for field in _COPIED},
    )
    session.add(row)
    session.flush()
    matching.match_waiting(session, row, now=now)
    session.flush()
    return row


def failed_payments(session: Session) -> Sequence[BankInstruction]:
    """Payments the bank refused or brought back that no later attempt replaces, oldest change first."""
    query = select(BankInstruction).where(col(BankInstruction.state).in_(FAILED))
    rows = session.exec(query.order_by(col(BankInstruction.changed_at), col(BankInstruction.end_to_end_id))).all()
    return [row for row in rows if not is_replaced(session, row.end_to_end_id)]


def is_replaced(session: Session, end_to_end_id: str) -> bool:
    """Whether a later attempt stands in the place of this one."""
    return session.get(BankInstruction, _next(end_to_end_id)) is not None


def word_on(session: Session, row: BankInstruction) -> str | None:
    """Evidence id of the newest word on a payment: the line that tells of it, the bank's answer, or the order sent."""
    lines = select(BankLine.evidence_id).where(
        BankLine.matched == row.end_to_end_id, BankLine.account == row.debtor_account
    )
    said = session.exec(lines.order_by(col(BankLine.id).desc())).first()
    order = session.get(BankOrder, row.message_id) if row.message_id else None
    if said is not None or order is None:
        return said
    answers = select(BankFileRow.evidence_id).where(
        BankFileRow.bank == order.bank,
        BankFileRow.kind == DocumentKind.PAIN_002.value,
        BankFileRow.received_at == row.changed_at,
    )
    about = order.message_id.encode()
    for evidence_id in session.exec(answers.order_by(BankFileRow.evidence_id)):
        if about in evidence.raw_bytes(session, evidence_id):
            return evidence_id
    return order.evidence_id


def _next(name: str) -> str:
    found = _ATTEMPT.fullmatch(name)
    return f"{found.group(1)}.R{int(found.group(2)) + 1}" if found else f"{name}.R2"
