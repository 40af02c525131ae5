"""Money out of a repayment account: each holder's part of what was settled, and what came in above the debt.

Payments are written here and go out with the next exchange; a bank line proves them, as any payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from scf.bank import service as bank
from scf.bank.models import BankAccount, BankInstruction, BankLine
from scf.bank.payees import paid_on
from scf.financing.collecting import Finding
from scf.financing.models import CollectedLine
from scf.kernel.clock import Clock, today
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Payment, Settlement

_UNEXPLAINED = (Finding.UNMATCHED, Finding.AMBIGUOUS)


@dataclass(frozen=True, slots=True)
class Payout:
    """One holder's part of one payment, in minor units.

    `account` is None where none is known, `state` where nothing was ordered yet; `bank` is the BIC of an account that
    is still to be paid.
    """

    name: str
    payee: str
    amount_minor: int
    account: str | None
    state: str | None
    bank: str | None = None


def payout_name(row: Settlement) -> str:
    """End-to-end id of the payment that hands a settlement to its holder, the same every time."""
    return f"ST{row.receivable_id}R{row.round}{keccak(row.note_id.encode()).hex()[:12].upper()}"


def surplus_name(line_id: int) -> str:
    """End-to-end id of the payment that gives back what a line brought too much."""
    return f"SUR{line_id}"


def payouts(session: Session, parties: Parties, receivable_id: int, clock: Clock) -> list[Payout]:
    """What holders are to get of a receivable's payments, and how far the bank has come with it."""
    currency = queries.receivable(session, receivable_id).currency
    found = []
    for row in queries.settlements_of(session, receivable_id):
        name, total = payout_name(row), row.principal_minor + row.interest_minor
        standing = _standing(session, name)
        account = paid_on(session, parties, row.payee, currency, clock.now())
        found.append(
            Payout(
                name=standing.end_to_end_id if standing else name,
                payee=row.payee,
                amount_minor=total,
                account=standing.creditor_account if standing else account.number if account else None,
                state=standing.state if standing else None,
                bank=account.bic if account and not standing else None,
            )
        )
    return [one for one in found if one.amount_minor]


def pay_holders(session: Session, parties: Parties, receivable_id: int, clock: Clock) -> list[Payout]:
    """Order a payment to every holder that was settled and has none yet; again orders nothing twice.

    A holder without a known account is left out and shown as such. Raises Problem `repayment_account_missing`.
    """
    row = queries.receivable(session, receivable_id)
    settlements = {payout_name(one): one for one in queries.settlements_of(session, receivable_id)}
    for one in payouts(session, parties, receivable_id, clock):
        if one.state is not None or one.account is None:
            continue
        settled = settlements[one.name]
        source = _came_in_on(session, settled, row.currency)
        bank.instruct_payment(
            session,
            end_to_end_id=one.name,
            debtor_account=source,
            creditor_account=one.account,
            creditor=parties.name_of(session, one.payee),
            creditor_agent=one.bank,
            amount_minor=one.amount_minor,
            currency=row.currency,
            execute_on=today(clock),
            now=clock.now(),
        )
    return payouts(session, parties, receivable_id, clock)


def give_back(session: Session, line_id: int, clock: Clock, *, agent: str | None = None) -> BankInstruction:
    """Send what a line brought too much, or a credit nobody can explain, back to the account it came from; once.

    `agent` is the BIC of the bank that keeps the account, where the mirrors do not know it; what failed goes again.
    Raises Problem `nothing_to_give_back` or `line_without_payer`.
    """
    row, line = session.get(CollectedLine, line_id), session.get(BankLine, line_id)
    known = _standing(session, surplus_name(line_id))
    if known is not None:
        if known.state in bank.FAILED:
            known = bank.pay_again(session, known.end_to_end_id, execute_on=today(clock), now=clock.now())
            known.creditor_agent = agent or known.creditor_agent
            session.flush()
        return known
    whole = row.amount_minor if row and row.finding in _UNEXPLAINED and row.state == "exception" else 0
    amount_minor = (row.surplus_minor if row else 0) or max(whole, 0)
    if row is None or line is None or not amount_minor:
        raise Problem("nothing_to_give_back", line=line_id)
    if not line.counterparty_account or not line.counterparty:
        raise Problem("line_without_payer", line=line_id)
    return bank.instruct_payment(
        session,
        end_to_end_id=surplus_name(line_id),
        debtor_account=row.account,
        creditor_account=line.counterparty_account,
        creditor=line.counterparty,
        creditor_agent=_agent(session, line.counterparty_account) or agent,
        amount_minor=amount_minor,
        currency=line.currency,
        execute_on=today(clock),
        now=clock.now(),
        remittance=f"Returned {row.end_to_end_id or row.bank_reference}"[:140],
    )


def is_given_back(session: Session, line_id: int) -> bool:
    """Whether what a line brought too much was ordered back, and that did not fail."""
    standing = _standing(session, surplus_name(line_id))
    return standing is not None and standing.state not in bank.FAILED


def resolved(session: Session, rows: Sequence[CollectedLine]) -> set[int]:
    """Numbers of lines that ask for nobody any more: sent back, or a payout that was made anew."""
    found = set()
    for row in rows:
        if row.finding == Finding.PAYOUT_BACK:
            line = session.get(BankLine, row.line_id)
            if line is not None and line.matched is not None and bank.is_replaced(session, line.matched):
                found.add(row.line_id)
        elif is_given_back(session, row.line_id):
            found.add(row.line_id)
    return found


def _standing(session: Session, name: str) -> BankInstruction | None:
    """The newest attempt of a payment."""
    row = session.get(BankInstruction, name)
    if row is None:
        return None
    later = session.get(BankInstruction, bank.attempt_name(session, name))
    return later or row


def _came_in_on(session: Session, row: Settlement, currency: str) -> str:
    paid = session.get(Payment, (row.receivable_id, row.round))
    if paid is not None:
        query = select(CollectedLine.account).where(CollectedLine.reference_hash == paid.bank_reference)
        found = session.exec(query).first()
        if found is not None:
            return found
    query = select(BankAccount.number).where(BankAccount.purpose == "repayment", BankAccount.currency == currency)
    number = session.exec(query.order_by(BankAccount.number)).first()
    if number is None:
        raise Problem("repayment_account_missing", currency=currency)
    return number


def _agent(session: Session, number: str) -> str | None:
    known = session.get(BankAccount, number)
    return known.bank if known is not None else None
