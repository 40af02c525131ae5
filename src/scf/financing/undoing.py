"""Money that comes back on a repayment account: our own payments brought back, and credits taken back before told."""

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
