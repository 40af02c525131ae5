"""Payment orders out and their answers in: a file is kept as evidence before it is sent, and sent until it is answered.

Killed between any two steps, the next round finds the same file under the same message id and sends it again; the bank
executes a message id once.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from scf.bank.gateway import Gateway
from scf.bank.models import BankAccount, BankInstruction, BankOrder, InstructionState
from scf.bank.payees import bank_of
from scf.bank.statements import trust_in
from scf.kernel.clock import Clock
from scf.kernel.dates import BEIJING, from_unix
from scf.kernel.identifiers import reference_of
from scf.kernel.problems import Problem
from scf.standards import pain
from scf.standards.bank_records import PaymentInstruction, PaymentStatus
from scf.standards.records import DocumentKind, Party
from scf.store import evidence
from scf.store.evidence import Trust
from scf.store.session import run

PER_FILE = 1000
_UNANSWERED = (InstructionState.WRITTEN, InstructionState.SENT)
_REFUSED = ("RJCT", "CANC")
_DUPLICATE = "AM05"


def send(engine: Engine, gateway: Gateway, clock: Clock, *, initiator: str = "scf") -> int:
    """Write the waiting payments of this bank into pain.001 files and hand them over; returns how many files went."""
    while run(engine, lambda session: _write_order(session, gateway.bank, initiator, clock.now())):
        pass
    sent = 0
    for message_id, name, raw in run(engine, lambda session: _unsent(session, gateway.bank)):
        gateway.instruct(name, raw)
        run(engine, lambda session, of=message_id: _mark_sent(session, of, clock.now()))  # type: ignore[misc]
        sent += 1
    return sent


def ask_again(session: Session, bank: str, *, older_than: int) -> int:
    """Put orders sent before `older_than` (unix seconds) and not answered up for sending again; returns how many."""
    query = select(BankOrder).where(
        BankOrder.bank == bank, col(BankOrder.answered_at).is_(None), col(BankOrder.sent_at) < older_than
    )
    orders = session.exec(query).all()
    for order in orders:
        order.sent_at = None
    return len(orders)


def take_status(session: Session, raw: bytes, evidence_id: str, *, now: int) -> list[BankInstruction]:
    """Apply a pain.002 and return the payments whose state it changed.

    Accepted is not executed: only a bank line proves that. A duplicate (AM05) never rejects, because the first one
    stands; a payment proved by a line is not touched. Raises Problem of `pain.read_002`, `bank_status_unknown_order`,
    `bank_file_not_from_bank`.
    """
    report = pain.read_002(raw)
    order = session.get(BankOrder, report.original_message_id)
    if order is None:
        raise Problem("bank_status_unknown_order", message=report.original_message_id)
    if trust_in(session, evidence_id, order.bank) < Trust.T3:
        raise Problem("bank_file_not_from_bank")
    rows = session.exec(select(BankInstruction).where(BankInstruction.message_id == order.message_id)).all()
    listed = {item.end_to_end_id: item for item in report.statuses if item.end_to_end_id is not None}
    for item in report.statuses:
        if item.end_to_end_id is not None and item.reason_code != _DUPLICATE:
            listed[item.end_to_end_id] = item
    whole = None
    if report.group_status not in (None, "PART"):
        whole = PaymentStatus(None, report.group_status or "", report.group_reason_code, report.group_reason)
    changed = []
    for row in rows:
        status = listed.get(row.end_to_end_id, whole)
        if status is not None and _apply(row, status, now):
            changed.append(row)
    order.answered_at = order.answered_at or now
    session.flush()
    return changed


def _apply(row: BankInstruction, status: PaymentStatus, now: int) -> bool:
    refused = status.status in _REFUSED
    if status.reason_code == _DUPLICATE and refused:
        return False
    if row.state not in (*_UNANSWERED, InstructionState.ACCEPTED):
        return False
    state = InstructionState.REJECTED if refused else InstructionState.ACCEPTED
    before = (row.state, row.reason_code, row.reason)
    row.reason_code = None if status.reason_code is None else status.reason_code[:35]
    row.reason = None if status.reason is None else status.reason[:210]
    row.state = state
    if before == (row.state, row.reason_code, row.reason):
        return False
    row.changed_at = now
    return True


def _write_order(session: Session, bank: str, initiator: str, now: int) -> bool:
    query = (
        select(BankInstruction, BankAccount)
        .join(BankAccount, col(BankAccount.number) == col(BankInstruction.debtor_account))
        .where(
            BankInstruction.state == InstructionState.WRITTEN,
            col(BankInstruction.message_id).is_(None),
            BankAccount.bank == bank,
        )
        .order_by(col(BankInstruction.written_at), col(BankInstruction.end_to_end_id))
    )
    pairs = session.exec(query.limit(PER_FILE)).all()
    if not pairs:
        return False
    names = "|".join(row.end_to_end_id for row, _ in pairs)
    message_id = reference_of(hashlib.sha256(names.encode()).digest(), "M")
    created = from_unix(now).astimezone(BEIJING)
    raw = pain.write_001(message_id, created, initiator, [_instruction(session, *pair) for pair in pairs])
    kept = evidence.record(
        session,
        raw,
        kind=DocumentKind.PAIN_001.value,
        source=initiator,
        sender=initiator,
        trust=Trust.T0,
        received_at=now,
        name=_file_name(message_id),
    )
    session.add(BankOrder(message_id=message_id, bank=bank, evidence_id=kept.evidence_id, written_at=now))
    session.flush()
    for row, _ in pairs:
        row.message_id = message_id
    return True


def _instruction(session: Session, row: BankInstruction, payer: BankAccount) -> PaymentInstruction:
    return PaymentInstruction(
        end_to_end_id=row.end_to_end_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        execute_on=row.execute_on,
        debtor=Party(payer.holder, account=payer.number),
        creditor=Party(row.creditor, account=row.creditor_account),
        debtor_agent=payer.bank,
        creditor_agent=row.creditor_agent or bank_of(session, row.creditor_account),
        remittance=row.remittance,
        structured_reference=row.release_reference,
        instruction_id=row.end_to_end_id,
        uetr=row.uetr,
        purpose=row.purpose,
    )


def _unsent(session: Session, bank: str) -> list[tuple[str, str, bytes]]:
    query = select(BankOrder).where(BankOrder.bank == bank, col(BankOrder.sent_at).is_(None))
    orders = session.exec(query.order_by(col(BankOrder.written_at), col(BankOrder.message_id))).all()
    return [
        (order.message_id, _file_name(order.message_id), evidence.raw_bytes(session, order.evidence_id))
        for order in orders
    ]


def _mark_sent(session: Session, message_id: str, now: int) -> None:
    order = session.get(BankOrder, message_id)
    assert order is not None
    order.sent_at = now
    query = select(BankInstruction).where(
        BankInstruction.message_id == message_id, BankInstruction.state == InstructionState.WRITTEN
    )
    for row in session.exec(query).all():
        row.state = InstructionState.SENT
        row.changed_at = now


def _file_name(message_id: str) -> str:
    return f"pain.001-{message_id}.xml"
