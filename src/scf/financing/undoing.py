"""Money that goes back and forth on a repayment account: payouts brought back, credits taken back and made good."""

from __future__ import annotations

from sqlmodel import Session, col, select

from scf.bank.models import BankInstruction, BankLine
from scf.financing.collecting import Finding
from scf.financing.models import CollectedLine


def is_payout_back(session: Session, line: BankLine) -> bool:
    """Whether this credit is a payment to a holder that the bank brought back: no obligor paid it."""
    if line.matched is None:
        return False
    ours = session.get(BankInstruction, line.matched)
    return ours is not None and ours.debtor_account == line.account


def reversed_before(session: Session, line: BankLine) -> CollectedLine | None:
    """The reversal of this very credit, where the bank's files told of it first; None without one."""
    if not line.end_to_end_id:
        return None
    query = select(CollectedLine).where(
        CollectedLine.account == line.account,
        CollectedLine.amount_minor == -line.amount_minor,
        CollectedLine.end_to_end_id == line.end_to_end_id,
        CollectedLine.found_by == "reversal",
        CollectedLine.state == "exception",
        CollectedLine.finding == Finding.UNMATCHED,
    )
    return session.exec(query.order_by(col(CollectedLine.line_id))).first()


def made_good(session: Session, receivable_id: int, line: BankLine) -> CollectedLine | None:
    """The credit taken back after holders were paid that this one of the same amount replaces; None without one."""
    query = select(CollectedLine).where(
        CollectedLine.account == line.account,
        CollectedLine.receivable_id == receivable_id,
        CollectedLine.amount_minor == -line.amount_minor,
        CollectedLine.state == "exception",
        CollectedLine.finding == Finding.REVERSED_AFTER_SETTLEMENT,
    )
    return session.exec(query.order_by(col(CollectedLine.line_id))).first()
