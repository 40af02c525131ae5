"""The proof that what is known here of an account is what the bank says: lines add up from statement to statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.bank.models import BankLine, BankStatement
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.store.evidence import Trust


@dataclass(frozen=True, slots=True)
class BalanceProof:
    """An account proved up to `last_day`: opening + movements = closing, all of them from the bank's own statements.

    `later_minor` is the sum of lines after that day, told but not yet stated.
    """

    account: str
    currency: str
    first_day: date
    last_day: date
    opening_minor: int
    movements_minor: int
    closing_minor: int
    later_minor: int
    statement_id: str
    evidence_id: str


def prove_balance(session: Session, account: str, *, until: date | None = None) -> BalanceProof:
    """Check every statement of an account against the one before and against the lines.

    Raises Problem `bank_balance_unknown` without a statement and `bank_balance_differs` when a statement is missing
    between two others or the lines differ from the balances by as much as one minor unit.
    """
    chain = _statements(session, account, until)
    if not chain:
        raise Problem("bank_balance_unknown", account=account)
    for before, after in pairwise(chain):
        if before.closing_minor != after.opening_minor:
            _differs(
                after, after.first_day, after.opening_minor - before.closing_minor, "statement missing / 缺少对账单"
            )
    first, last = chain[0], chain[-1]
    moved = _sum(session, account, first.first_day, last.last_day)
    difference = first.opening_minor + moved - last.closing_minor
    if difference:
        _differs(last, last.last_day, difference, "lines and balances / 明细与余额不符")
    return BalanceProof(
        account=account,
        currency=last.currency,
        first_day=first.first_day,
        last_day=last.last_day,
        opening_minor=first.opening_minor,
        movements_minor=moved,
        closing_minor=last.closing_minor,
        later_minor=_sum(session, account, None, None) - _sum(session, account, None, last.last_day),
        statement_id=last.statement_id,
        evidence_id=last.evidence_id,
    )


def booked_minor(session: Session, account: str) -> int:
    """The balance as far as the bank has told: opening of its first statement and every line since."""
    chain = _statements(session, account, None)
    if not chain:
        return _sum(session, account, None, None)
    return chain[0].opening_minor + _sum(session, account, chain[0].first_day, None)


def _statements(session: Session, account: str, until: date | None) -> Sequence[BankStatement]:
    query = select(BankStatement).where(BankStatement.account == account, BankStatement.trust >= Trust.T3)
    if until is not None:
        query = query.where(BankStatement.last_day <= until)
    ordered = query.order_by(col(BankStatement.last_day), col(BankStatement.first_day), col(BankStatement.id))
    chain: list[BankStatement] = []
    seen: set[tuple[object, ...]] = set()
    for row in session.exec(ordered):
        same = (row.first_day, row.last_day, row.opening_minor, row.closing_minor)
        if same not in seen:  # banks send copies under other ids
            seen.add(same)
            chain.append(row)
    return chain


def _sum(session: Session, account: str, first: date | None, last: date | None) -> int:
    query = select(sa.func.coalesce(sa.func.sum(col(BankLine.amount_minor)), 0)).where(
        BankLine.account == account, BankLine.trust >= Trust.T3, ~col(BankLine.is_superseded)
    )
    if first is not None:
        query = query.where(BankLine.booked_on >= first)
    if last is not None:
        query = query.where(BankLine.booked_on <= last)
    return int(session.exec(query).one())


def _differs(row: BankStatement, day: date, difference_minor: int, kind: str) -> None:
    shown = format_money(difference_minor, row.currency) if row.currency else str(difference_minor)
    raise Problem(
        "bank_balance_differs", account=row.account, day=day.isoformat(), difference=shown, kind=kind,
        difference_minor=difference_minor, money_moved="unknown",
    )  # fmt: skip
