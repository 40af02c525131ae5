"""The bank room's only door: mirrors of accounts, payments out, statements in, and the proof that balances agree.

Payments are two steps. `instruct_payment` writes the payment in the caller's transaction; `exchange` hands it to the
bank in a pain.001 file and imports what the bank has to say. A payment is made when a line of the bank's own statement
says so, and not before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date

from sqlmodel import Session, col, select

from scf.bank import again, files, matching, mirrors, orders
from scf.bank.balances import BalanceProof, booked_minor, prove_balance
from scf.bank.files import Collected, Reaction
from scf.bank.models import BankAccount, BankFileRow, BankInstruction, BankLine, InstructionState
from scf.bank.statements import bank_source
from scf.kernel.identifiers import reference_of
from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem
from scf.store.evidence import Trust

__all__ = [
    "FAILED",
    "BalanceProof",
    "BankAccount",
    "BankFileRow",
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
    "is_replaced",
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
    "word_on",
]  # fmt: skip

ask_again = orders.ask_again
attempt_name = again.attempt_name
failed_payments = again.failed_payments
pay_again = again.pay_again
is_replaced = again.is_replaced
word_on = again.word_on
FAILED = again.FAILED
account = mirrors.account
lock_account = mirrors.lock_account
open_account = mirrors.open_account
unlock_account = mirrors.unlock_account
collect = files.collect
exchange = files.exchange
import_statement = files.import_statement
import_status = files.import_status
refused_files = files.refused_files
send_payments = files.send_payments
take_again = files.take_again
_NAMES_AT_ONCE = 500


def payment_reference(key: str, prefix: str = "P") -> str:
    """An end-to-end id of 21 characters for whatever `key` names, the same every time it is asked for."""
    return reference_of(hashlib.sha256(key.encode()).digest(), prefix)


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
    mirrors.check_reference(end_to_end_id)
    payer = mirrors.account(session, debtor_account)
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


def _contents(row: BankInstruction) -> tuple[object, ...]:
    return (
        row.debtor_account, row.creditor_account, row.creditor, row.creditor_agent, row.amount_minor, row.currency,
        row.remittance, row.release_reference, row.purpose,
    )  # fmt: skip
