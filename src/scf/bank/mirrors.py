"""Mirrors of accounts at banks: whose they are, what they are for, and what a bank keeps locked."""

from __future__ import annotations

import re

from sqlmodel import Session

from scf.bank.models import BankAccount
from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem

_FIT = re.compile(r"[A-Za-z0-9./-]{1,35}")


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
    check_reference(release_reference)
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


def check_reference(text: str) -> None:
    """What a bank takes as a reference. Raises Problem `bank_reference_unfit`."""
    if not _FIT.fullmatch(text):
        raise Problem("bank_reference_unfit", reference=text[:40])
