"""The daily proof: locked = released + refunded + held on the ledger, and held is what the bank's statement says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from scf.bank.models import BankLine, BankStatement
from scf.entrusted.models import EntrustedAccount, Movement, PayeeAccount
from scf.jobs.models import LockedAlarm, LockedProof
from scf.kernel.dates import day_of, next_day
from scf.receivables.service import reference_hash
from scf.store.evidence import Trust


@dataclass(frozen=True, slots=True)
class Proof:
    """One locked account against one statement, in minor units."""

    account_id: int
    account: str
    day: date
    held_minor: int
    stated_minor: int
    statement_evidence: str

    @property
    def difference_minor(self) -> int:
        """What the bank has more (or less) than the ledger says."""
        return self.stated_minor - self.held_minor


def prove_locked(session: Session, *, now: int) -> tuple[list[LockedProof], list[LockedAlarm]]:
    """Prove every locked account against each of the bank's statements not proved yet.

    A statement that differs by one minor unit opens an alarm; one that agrees later (a confirmation came) closes it.
    Returns what was proved and what alarms are new.
    """
    proved: list[LockedProof] = []
    alarms: list[LockedAlarm] = []
    for account, number in _accounts(session):
        for statement in _unproved(session, account.id, number):
            proof = _proof(session, account, number, statement)
            alarm = session.get(LockedAlarm, (account.id, proof.day))
            if proof.difference_minor == 0:
                row = LockedProof(
                    account_id=account.id,
                    day=proof.day,
                    held_minor=proof.held_minor,
                    statement_evidence=proof.statement_evidence,
                    proved_at=now,
                )
                session.add(row)
                proved.append(row)
                if alarm is not None and alarm.closed_at is None:
                    alarm.closed_at = now
                    session.add(alarm)
            elif alarm is None:
                alarm = LockedAlarm(
                    account_id=account.id,
                    day=proof.day,
                    account=number,
                    held_minor=proof.held_minor,
                    stated_minor=proof.stated_minor,
                    difference_minor=proof.difference_minor,
                    statement_evidence=proof.statement_evidence,
                    raised_at=now,
                )
                session.add(alarm)
                alarms.append(alarm)
    session.flush()
    return proved, alarms


def _accounts(session: Session) -> list[tuple[EntrustedAccount, str]]:
    rows = session.exec(
        select(EntrustedAccount, PayeeAccount.account)
        .join(PayeeAccount, col(PayeeAccount.commitment) == col(EntrustedAccount.account))
        .order_by(col(EntrustedAccount.id))
    )
    return [(account, number) for account, number in rows]


def _unproved(session: Session, account_id: int, number: str) -> list[BankStatement]:
    """One statement a day; banks send copies under other ids."""
    known = select(col(LockedProof.day)).where(LockedProof.account_id == account_id)
    rows = session.exec(
        select(BankStatement)
        .where(
            BankStatement.account == number,
            BankStatement.trust >= Trust.T3,
            col(BankStatement.last_day).not_in(known),
        )
        .order_by(col(BankStatement.last_day), col(BankStatement.id))
    )
    return list({row.last_day: row for row in rows}.values())


def _proof(session: Session, account: EntrustedAccount, number: str, statement: BankStatement) -> Proof:
    """What the ledger says was held at the end of the statement's day: what the bank booked later is taken back."""
    day = statement.last_day
    later = {
        reference_hash(reference)
        for reference in session.exec(
            select(BankLine.bank_reference).where(
                BankLine.account == number, BankLine.booked_on > day, col(BankLine.bank_reference).is_not(None)
            )
        )
        if reference is not None
    }
    moved = _moved(session, account.id)
    is_locked = account.locked_at is not None and account.bank_reference not in later
    held = account.locked_minor if is_locked else 0
    held -= sum(one.amount_minor for one in moved if one.bank_reference not in later)
    return Proof(account.id, number, day, held, statement.closing_minor, statement.evidence_id)


def day_by_day(session: Session, account_id: int, number: str, until: date) -> Iterator[tuple[date, int, int]]:
    """(day, held by the ledger, stated by the bank) for every day of an account, whatever was confirmed later.

    A confirmation counts from the day its line was booked; on a day without a statement the last closing stands. The
    days begin with the first line or confirmation and end with `until`.
    """
    account = session.get(EntrustedAccount, account_id)
    if account is None:
        return
    lines = session.exec(select(BankLine).where(BankLine.account == number, ~col(BankLine.is_superseded))).all()
    booked = {reference_hash(line.bank_reference): line.booked_on for line in lines if line.bank_reference}
    changes: dict[date, int] = {}
    moved = [(one.bank_reference, -one.amount_minor, one.executed_at) for one in _moved(session, account_id)]
    if account.locked_at is not None:
        moved.append((account.bank_reference or "", account.locked_minor, account.locked_at))
    for reference, amount, at in moved:
        day = booked.get(reference, day_of(at))
        changes[day] = changes.get(day, 0) + amount
    stated = {
        row.last_day: row.closing_minor
        for row in session.exec(select(BankStatement).where(BankStatement.account == number))
        if row.trust >= Trust.T3
    }
    days = [*changes, *(line.booked_on for line in lines)]
    if not days:
        return
    day, held, said = min(days), 0, 0
    while day < until:
        held += changes.get(day, 0)
        said = stated.get(day, said)
        yield day, held, said
        day = next_day(day)


def _moved(session: Session, account_id: int) -> Sequence[Movement]:
    return session.exec(select(Movement).where(Movement.account_id == account_id)).all()
