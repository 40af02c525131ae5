"""What a payer's treasurer takes to its own bank: one pain.001 of what is due, under references that maturity matches.

The file is a proposal to the payer's bank; nothing is instructed here. The same list on the same day carries the same
message id, so that a bank executes it once.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.bank.calendar import BankCalendar, business_day_from
from scf.bank.models import REPAYMENT, BankAccount
from scf.financing.collecting import Lateness, creditor_reference, due_day, owed, payment_id
from scf.kernel.clock import Clock, today
from scf.kernel.dates import BEIJING, from_unix
from scf.kernel.identifiers import reference_of
from scf.kernel.problems import Problem
from scf.parties.service import Parties
from scf.receivables.models import Payment, Receivable, ReceivableState
from scf.standards import pain
from scf.standards.bank_records import PaymentInstruction
from scf.standards.records import Party

_UETR = uuid.UUID("5d0e3a1c-8f4b-4f0e-9b62-1f6a0c9d7e21")


@dataclass(frozen=True, slots=True)
class Due:
    """One receivable to be paid: on which banking day, principal and late interest (minor units), and its references.

    `end_to_end_id` and `structured_reference` are what the bank's line is recognised by when the money arrives.
    """

    receivable_id: int
    pay_on: date
    due_on: date
    principal_minor: int
    interest_minor: int
    currency: str
    creditor: str
    end_to_end_id: str
    structured_reference: str

    @property
    def amount_minor(self) -> int:
        """Everything to be paid on that day."""
        return self.principal_minor + self.interest_minor


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """A pain.001 file: its message id, its bytes, and what it pays."""

    message_id: str
    raw: bytes
    payments: tuple[Due, ...]


def due_until(
    session: Session,
    parties: Parties,
    obligor: str,
    currency: str,
    until: date,
    *,
    clock: Clock,
    calendar: BankCalendar,
    lateness: Lateness,
) -> list[Due]:
    """What an obligor has to pay up to a day, soonest first; what is late already is paid on the next banking day."""
    now = business_day_from(calendar, today(clock))
    soonest = session.exec(
        select(Receivable)
        .where(
            Receivable.obligor == obligor,
            Receivable.currency == currency,
            Receivable.state == ReceivableState.LIVE,
            Receivable.outstanding_minor > 0,
        )
        .order_by(col(Receivable.maturity), col(Receivable.id))
    )
    rows = list(takewhile(lambda row: due_day(row.maturity, calendar) <= until, soonest))
    names = references(session, [row.id for row in rows])
    found = []
    for row in rows:
        due = due_day(row.maturity, calendar)
        pay_on = max(due, now)
        principal, interest = owed(session, row, pay_on, calendar, lateness)
        if principal + interest <= 0:
            continue
        found.append(
            Due(
                receivable_id=row.id,
                pay_on=pay_on,
                due_on=due,
                principal_minor=principal,
                interest_minor=interest,
                currency=row.currency,
                creditor=parties.name_of(session, row.creditor),
                end_to_end_id=names[row.id],
                structured_reference=creditor_reference(row.id),
            )
        )
    return found


def references(session: Session, receivable_ids: Sequence[int]) -> dict[int, str]:
    """End-to-end id of the next payment on each receivable; another one after each payment that counted."""
    before: dict[int, int] = {}
    for start in range(0, len(receivable_ids), 400):
        some = receivable_ids[start : start + 400]
        query = select(Payment.receivable_id, sa.func.count()).where(col(Payment.receivable_id).in_(some))
        before.update((one, int(count)) for one, count in session.exec(query.group_by(col(Payment.receivable_id))))
    return {one: payment_id(one, f"{before[one] + 1}" if one in before else "") for one in receivable_ids}


def payer_accounts(session: Session, parties: Parties, obligor: str, currency: str) -> Sequence[BankAccount]:
    """Accounts an obligor may pay from, as far as their mirrors name it as owner or holder."""
    firm = parties.organisation_of(session, obligor)
    names = [firm.name] if firm else []
    return session.exec(
        select(BankAccount)
        .where(
            BankAccount.currency == currency,
            BankAccount.purpose == "current",
            col(BankAccount.lock_reference).is_(None),
            (col(BankAccount.owner) == obligor) | col(BankAccount.holder).in_(names),
        )
        .order_by(BankAccount.number)
    ).all()


def payment_file(
    session: Session,
    parties: Parties,
    obligor: str,
    currency: str,
    until: date,
    account: str,
    *,
    clock: Clock,
    calendar: BankCalendar,
    lateness: Lateness,
) -> PaymentFile:
    """A pain.001 of what is due up to a day, from one of the obligor's accounts to the repayment account.

    Raises Problem `nothing_to_pay`, `payer_account_unknown` or `repayment_account_missing`.
    """
    payments = due_until(session, parties, obligor, currency, until, clock=clock, calendar=calendar, lateness=lateness)
    if not payments:
        raise Problem("nothing_to_pay", until=until.isoformat())
    mine = {row.number: row for row in payer_accounts(session, parties, obligor, currency)}
    payer = mine.get(account.replace(" ", ""))
    if payer is None:
        raise Problem("payer_account_unknown", account=account[:34])
    target = session.exec(
        select(BankAccount)
        .where(BankAccount.purpose == REPAYMENT, BankAccount.currency == currency)
        .order_by(BankAccount.number)
    ).first()
    if target is None:
        raise Problem("repayment_account_missing", currency=currency)
    facts = "|".join(f"{one.end_to_end_id} {one.amount_minor} {one.pay_on}" for one in payments)
    message_id = reference_of(hashlib.sha256(f"{payer.number}|{target.number}|{facts}".encode()).digest(), "D")
    instructions = [
        PaymentInstruction(
            end_to_end_id=one.end_to_end_id,
            amount_minor=one.amount_minor,
            currency=currency,
            execute_on=one.pay_on,
            debtor=Party(payer.holder, account=payer.number),
            creditor=Party(target.holder, account=target.number),
            debtor_agent=payer.bank,
            creditor_agent=target.bank,
            remittance=f"{one.creditor} {one.due_on.isoformat()}"[:140],
            structured_reference=one.structured_reference,
            instruction_id=one.end_to_end_id,
            uetr=str(uuid.uuid5(_UETR, f"{message_id} {one.end_to_end_id}")),
            purpose="SUPP",
        )
        for one in payments
    ]
    created = from_unix(clock.now()).astimezone(BEIJING)
    return PaymentFile(message_id, pain.write_001(message_id, created, payer.holder, instructions), tuple(payments))
