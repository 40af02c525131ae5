"""Files from and to banks: orders handed over, what comes back taken in, each file in a transaction of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from scf.bank import matching, orders, statements
from scf.bank.gateway import BankFile, Gateway
from scf.bank.models import BankFileRow, BankInstruction, BankLine
from scf.bank.statements import bank_source
from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.standards import detect, signatures
from scf.standards.bank_records import Statement
from scf.standards.records import DocumentKind
from scf.store import evidence
from scf.store.evidence import Trust
from scf.store.session import run

Reaction = Callable[[Session, Sequence[BankLine]], None]
"""What a caller writes in the same transaction as new lines."""
_STATEMENTS = (DocumentKind.CAMT_052, DocumentKind.CAMT_053, DocumentKind.CAMT_054)


@dataclass(frozen=True, slots=True)
class Collected:
    """What one collection brought: files, lines that are new (or newly from the bank itself), files refused."""

    files: int
    new_lines: tuple[BankLine, ...]
    changed_payments: tuple[str, ...]
    refused: tuple[str, ...]


def send_payments(engine: Engine, gateway: Gateway, clock: Clock, *, initiator: str = "scf") -> int:
    """Hand all waiting payments of this bank over; returns how many files went. Safe to repeat after any crash."""
    return orders.send(engine, gateway, clock, initiator=initiator)


def collect(engine: Engine, gateway: Gateway, clock: Clock, *, react: Reaction | None = None) -> Collected:
    """Import what the bank has to say, each file in a transaction of its own and acknowledged only after it.

    `react` is called with a file's new lines inside that transaction, so that what has to follow (an outbox message) is
    written with them or not at all; when it raises, nothing of the file is taken and the file comes again. A file that
    is refused stays in the evidence with its problem (see `refused_files`) and holds nothing else up.
    """
    new_lines: list[BankLine] = []
    changed: list[str] = []
    refused: list[str] = []
    files = gateway.collect()
    for file in files:
        lines, names, problem = run(
            engine,
            lambda session, one=file: _import_file(session, gateway.bank, one, clock.now(), react),  # type: ignore[misc]
        )  # fmt: skip
        gateway.acknowledge(file)
        new_lines += lines
        changed += names
        refused += [problem] if problem else []
    return Collected(len(files), tuple(new_lines), tuple(changed), tuple(refused))


def exchange(
    engine: Engine, gateway: Gateway, clock: Clock, *, initiator: str = "scf", react: Reaction | None = None
) -> Collected:
    """Send what waits, then collect."""
    send_payments(engine, gateway, clock, initiator=initiator)
    return collect(engine, gateway, clock, react=react)


def import_statement(
    session: Session, raw: bytes | Sequence[Statement], evidence_id: str, *, now: int
) -> list[BankLine]:
    """Take in a camt.052/053/054 file recorded as evidence; returns the lines that are new, tied to their payments.

    `raw` is the file, or what `camt.read` gave of it. The same file twice changes nothing. Lines prove payments only
    where the evidence is the bank's own feed: trust T3 and, for a mirrored account, source `bank_source(bic)`. Raises
    Problem of `camt.read`, `evidence_unknown`, `bank_statement_does_not_add_up`, `bank_statement_contradicts`.
    """
    fresh = statements.take(session, raw, evidence_id, now=now)
    matching.match_lines(session, fresh, now=now)
    return fresh


def import_status(session: Session, raw: bytes, evidence_id: str, *, now: int) -> list[BankInstruction]:
    """Take in a pain.002 file recorded as evidence; returns the payments it changed. Raises Problem, see `orders`."""
    return orders.take_status(session, raw, evidence_id, now=now)


def refused_files(session: Session) -> Sequence[BankFileRow]:
    """Files from banks that could not be taken, with the problem; each waits for a person."""
    query = select(BankFileRow).where(col(BankFileRow.problem).is_not(None))
    return session.exec(query.order_by(col(BankFileRow.received_at))).all()


def take_again(
    session: Session, evidence_id: str, bank: str, *, now: int, react: Reaction | None = None
) -> BankFileRow:
    """Try a refused file once more, after what stood in its way was put right. Raises Problem `evidence_unknown`."""
    row = session.get(BankFileRow, (evidence_id, bank))
    if row is None:
        raise Problem("evidence_unknown", evidence=evidence_id[:64])
    if row.problem is not None:
        _take_file(session, row, evidence.raw_bytes(session, evidence_id), now, react)
    return row


def _import_file(
    session: Session, bank: str, file: BankFile, now: int, react: Reaction | None
) -> tuple[list[BankLine], list[str], str | None]:
    try:
        kind = detect.detect(file.raw, file.name).value
    except Problem:
        kind = "unreadable"
    signed = signatures.embedded(file.raw)
    about = {"kind": kind, "source": bank_source(bank), "sender": bank, "name": file.name}
    kept = evidence.record(session, file.raw, **about, trust=Trust.T3, received_at=now, signature=signed)
    if session.get(BankFileRow, (kept.evidence_id, bank)) is not None:
        return [], [], None
    row = BankFileRow(evidence_id=kept.evidence_id, bank=bank, name=file.name[-255:], kind=kind, received_at=now)
    session.add(row)
    fresh, changed = _take_file(session, row, file.raw, now, react)
    return fresh, changed, row.problem


def _take_file(
    session: Session, row: BankFileRow, raw: bytes, now: int, react: Reaction | None
) -> tuple[list[BankLine], list[str]]:
    fresh: list[BankLine] = []
    changed: list[str] = []
    try:
        with session.begin_nested():
            if row.kind == DocumentKind.PAIN_002:
                changed = [item.end_to_end_id for item in import_status(session, raw, row.evidence_id, now=now)]
            elif row.kind in _STATEMENTS:
                fresh = import_statement(session, raw, row.evidence_id, now=now)
            else:
                raise Problem("bank_file_unexpected", kind=row.kind)
        row.problem = row.facts = None
    except Problem as problem:
        row.problem = problem.code
        row.facts = json.dumps(problem.facts, ensure_ascii=False, default=str)
    row.new_lines += len(fresh)
    session.flush()
    if react is not None and fresh:
        react(session, fresh)
    return fresh, changed
