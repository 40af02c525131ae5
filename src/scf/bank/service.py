"""The bank room's only door: mirrors of accounts, payments out, statements in, and the proof that balances agree.

Payments are two steps. `instruct_payment` writes the payment in the caller's transaction; `exchange` hands it to the
bank in a pain.001 file and imports what the bank has to say. A payment is made when a line of the bank's own statement
says so, and not before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from scf.bank import again, matching, orders, statements
from scf.bank.balances import BalanceProof, booked_minor, prove_balance
from scf.bank.gateway import BankFile, Gateway
from scf.bank.models import BankAccount, BankFileRow, BankInstruction, BankLine, InstructionState
from scf.bank.statements import bank_source
from scf.kernel.clock import Clock
from scf.kernel.identifiers import reference_of
from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem
from scf.standards import detect, signatures
from scf.standards.records import DocumentKind
from scf.store import evidence
from scf.store.evidence import Trust
from scf.store.session import run

__all__ = [
    "BalanceProof",
    "BankAccount",
    "BankInstruction",
    "BankLine",
    "Collected",
    "InstructionState",
    "Reaction",
    "account", "ask_again", "attempt_name",
    "bank_source",
    "booked_minor",
    "collect",
    "contradicting_lines",
    "credits_of",
    "exchange",
    "failed_payments",
    "import_statement",
    "import_status",
    "instruct_payment",
    "line_of",
    "lines",
    "lock_account",
    "open_account",
    "pay_again",
    "payment",
    "payment_reference",
    "payments",
    "prove_balance",
    "refused_files",
    "send_payments",
    "take_again",
    "unlock_account",
    "unmatched_lines",
    "withdraw_payment",
]  # fmt: skip

ask_again = orders.ask_again
attempt_name = again.attempt_name
failed_payments = again.failed_payments
pay_again = again.pay_again
Reaction = Callable[[Session, Sequence[BankLine]], None]
"""What a caller writes in the same transaction as new lines."""
_NAMES_AT_ONCE = 500
_FIT = re.compile(r"[A-Za-z0-9./-]{1,35}")
_STATEMENTS = (DocumentKind.CAMT_052, DocumentKind.CAMT_053, DocumentKind.CAMT_054)


@dataclass(frozen=True, slots=True)
class Collected:
    """What one collection brought: files, lines that are new (or newly from the bank itself), files refused."""

    files: int
    new_lines: tuple[BankLine, ...]
    changed_payments: tuple[str, ...]
    refused: tuple[str, ...]


def payment_reference(key: str, prefix: str = "P") -> str:
    """An end-to-end id of 21 characters for whatever `key` names, the same every time it is asked for."""
    return reference_of(hashlib.sha256(key.encode()).digest(), prefix)


# Mirrors of accounts


def open_account(
    session: Session,
    *,
    number: str,
    bank: str,
    currency: str,
    holder: str,
    now: int,
    owner: str | None = None,
    purpose: str = "current",
) -> BankAccount:
    """Take note of an account at a bank (BIC); the same again changes nothing. Raises Problem `bank_account_exists`."""
    known = session.get(BankAccount, number)
    code = currency_of(currency).code
    if known is not None:
        if (known.bank, known.currency, known.holder) != (bank, code, holder):
            raise Problem("bank_account_exists", account=number)
        return known
    row = BankAccount(
        number=number, bank=bank, currency=code, holder=holder, owner=owner, purpose=purpose, opened_at=now
    )
    session.add(row)
    session.flush()
    return row


def account(session: Session, number: str) -> BankAccount:
    """The mirror of an account. Raises Problem `bank_account_unknown`."""
    row = session.get(BankAccount, number)
    if row is None:
        raise Problem("bank_account_unknown", account=number)
    return row


def lock_account(session: Session, number: str, release_reference: str, *, now: int) -> BankAccount:
    """Take note that the bank locked the account: it pays only under `release_reference`. Again changes nothing.

    Raises Problem `bank_account_unknown`, `bank_account_locked` under another reference, `bank_reference_unfit`.
    """
    row = account(session, number)
    _check_reference(release_reference)
    if row.lock_reference not in (None, release_reference):
        raise Problem("bank_account_locked", account=number)
    if row.lock_reference is None:
        row.lock_reference, row.locked_at = release_reference, now
        session.flush()
    return row


def unlock_account(session: Session, number: str, release_reference: str) -> BankAccount:
    """Take note that the bank ended the lock. Raises Problem `bank_account_locked` for another reference."""
    row = account(session, number)
    if row.lock_reference not in (None, release_reference):
        raise Problem("bank_account_locked", account=number)
    row.lock_reference = row.locked_at = None
    session.flush()
    return row


# Payments out


def instruct_payment(
    session: Session,
    *,
    end_to_end_id: str,
    debtor_account: str,
    creditor_account: str,
    creditor: str,
    amount_minor: int,
    currency: str,
    execute_on: date,
    now: int,
    remittance: str = "",
    release_reference: str | None = None,
    creditor_agent: str | None = None,
    purpose: str | None = None,
) -> BankInstruction:
    """Write one payment, to be sent with the next exchange.

    The same end-to-end id again with the same contents gives the first one back (the day may differ); a payment the
    bank has made already under this id is tied to its line and never sent. Raises Problem `bank_instruction_conflict`,
    `bank_account_unknown`, `bank_account_locked` (a locked account pays only under its release reference),
    `bank_amount_not_positive`, `bank_same_account`, `bank_reference_unfit`.
    """
    _check_reference(end_to_end_id)
    payer = account(session, debtor_account)
    if amount_minor <= 0:
        raise Problem("bank_amount_not_positive", amount_minor=amount_minor)
    if debtor_account == creditor_account:
        raise Problem("bank_same_account", account=debtor_account)
    wanted = BankInstruction(
        end_to_end_id=end_to_end_id,
        debtor_account=debtor_account,
        creditor_account=creditor_account,
        creditor=creditor[:140],
        creditor_agent=creditor_agent,
        amount_minor=amount_minor,
        currency=currency_of(currency).code,
        execute_on=execute_on,
        remittance=remittance[:140],
        release_reference=release_reference,
        purpose=purpose,
        uetr=again.uetr_of(end_to_end_id),
        written_at=now,
        changed_at=now,
    )
    known = session.get(BankInstruction, end_to_end_id)
    if known is not None:
        if _contents(known) != _contents(wanted):
            raise Problem("bank_instruction_conflict", reference=end_to_end_id)
        return known
    if payer.lock_reference != release_reference and payer.lock_reference is not None:
        raise Problem("bank_account_locked", account=debtor_account)
    session.add(wanted)
    session.flush()
    matching.match_waiting(session, wanted, now=now)
    session.flush()
    return wanted


def withdraw_payment(session: Session, end_to_end_id: str, *, now: int) -> BankInstruction:
    """Take back a payment that is in no order yet.

    Raises Problem `bank_instruction_unknown`, `bank_instruction_sent`.
    """
    row = payment(session, end_to_end_id)
    if row.state == InstructionState.WITHDRAWN:
        return row
    if row.state != InstructionState.WRITTEN or row.message_id is not None:
        raise Problem("bank_instruction_sent", reference=end_to_end_id, money_moved="unknown")
    row.state, row.changed_at = InstructionState.WITHDRAWN, now
    session.flush()
    return row


def payment(session: Session, end_to_end_id: str) -> BankInstruction:
    """One payment. Raises Problem `bank_instruction_unknown`."""
    row = session.get(BankInstruction, end_to_end_id)
    if row is None:
        raise Problem("bank_instruction_unknown", reference=end_to_end_id)
    return row


def payments(
    session: Session, *, state: InstructionState | None = None, debtor_account: str | None = None
) -> Sequence[BankInstruction]:
    """Payments, oldest first."""
    query = select(BankInstruction).order_by(col(BankInstruction.written_at), col(BankInstruction.end_to_end_id))
    if state is not None:
        query = query.where(BankInstruction.state == state)
    if debtor_account is not None:
        query = query.where(BankInstruction.debtor_account == debtor_account)
    return session.exec(query).all()


# Files


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


def import_statement(session: Session, raw: bytes, evidence_id: str, *, now: int) -> list[BankLine]:
    """Take in a camt.052/053/054 file recorded as evidence; returns the lines that are new, tied to their payments.

    The same file twice changes nothing. Lines prove payments only where the evidence is the bank's own feed: trust T3
    and, for a mirrored account, source `bank_source(bic)`. Raises Problem of `camt.read`, `evidence_unknown`,
    `bank_statement_does_not_add_up`, `bank_statement_contradicts`.
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


# What the statements say


def lines(
    session: Session, account_number: str, *, since: date | None = None, until: date | None = None
) -> Sequence[BankLine]:
    """Lines of an account from the bank's own feed, in booking order."""
    query = select(BankLine).where(
        BankLine.account == account_number, BankLine.trust >= Trust.T3, ~col(BankLine.is_superseded)
    )
    if since is not None:
        query = query.where(BankLine.booked_on >= since)
    if until is not None:
        query = query.where(BankLine.booked_on <= until)
    return session.exec(query.order_by(col(BankLine.booked_on), col(BankLine.id))).all()


def line_of(session: Session, end_to_end_id: str) -> BankLine | None:
    """The debit line that proves a payment, or None while there is none."""
    row = payment(session, end_to_end_id)
    query = select(BankLine).where(
        BankLine.matched == end_to_end_id,
        BankLine.account == row.debtor_account,
        col(BankLine.amount_minor) < 0,
    )
    return session.exec(query.order_by(col(BankLine.id))).first()


def credits_of(session: Session, creditors: Mapping[str, str]) -> dict[str, str]:
    """The bank's references of credits, by end-to-end id, for payments to the accounts in `creditors` that arrived."""
    found: dict[str, str] = {}
    names = list(creditors)
    for start in range(0, len(names), _NAMES_AT_ONCE):
        query = select(BankLine).where(
            col(BankLine.end_to_end_id).in_(names[start : start + _NAMES_AT_ONCE]),
            col(BankLine.amount_minor) > 0,
            BankLine.trust >= Trust.T3,
            ~col(BankLine.is_superseded),
        )
        for row in session.exec(query):
            name = row.end_to_end_id or ""
            if row.account == creditors.get(name) and row.bank_reference:
                found[name] = row.bank_reference
    return found


def unmatched_lines(session: Session, account_number: str | None = None) -> Sequence[BankLine]:
    """Lines of the bank's own feed that no payment of ours explains: money in from others, and exceptions."""
    query = select(BankLine).where(
        col(BankLine.matched).is_(None), BankLine.trust >= Trust.T3, ~col(BankLine.is_superseded)
    )
    if account_number is not None:
        query = query.where(BankLine.account == account_number)
    return session.exec(query.order_by(col(BankLine.id))).all()


def contradicting_lines(session: Session) -> Sequence[BankLine]:
    """Lines that name a payment of ours but differ from it in account, amount or currency."""
    query = select(BankLine).join(BankInstruction, col(BankInstruction.end_to_end_id) == col(BankLine.end_to_end_id))
    return session.exec(query.where(col(BankLine.matched).is_(None), BankLine.trust >= Trust.T3)).all()


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


def _check_reference(text: str) -> None:
    if not _FIT.fullmatch(text):
        raise Problem("bank_reference_unfit", reference=text[:40])


def _contents(row: BankInstruction) -> tuple[object, ...]:
    return (
        row.debtor_account, row.creditor_account, row.creditor, row.creditor_agent, row.amount_minor, row.currency,
        row.remittance, row.release_reference, row.purpose,
    )  # fmt: skip
