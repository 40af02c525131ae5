"""From a line on a repayment account to what it pays: which receivable, how much debt, how much late interest.

Matched by end-to-end id, then by structured reference, then by amount; what fits nothing or several is an exception for
a person. Late money pays interest before principal (Civil Code, Art. 561).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlmodel import Session, col, select

from scf.bank.calendar import BankCalendar, business_day_from
from scf.bank.models import BankAccount, BankLine
from scf.financing.models import CollectedLine
from scf.financing.price import late_days, late_interest_minor
from scf.kernel.dates import day_of
from scf.receivables import queries
from scf.receivables.models import Dossier, Receivable, ReceivableState
from scf.rulebook.decisions import LateTerms

Lateness = Callable[[Receivable], LateTerms]
"""What lateness of a receivable costs."""

_DUE = re.compile(r"DUE(\d+)(?:[^0-9].*)?")
_RF = re.compile(r"RF\d\d0*(\d+)")


class Finding(StrEnum):
    """What a line turned out to be."""

    FULL = "full"
    PARTIAL = "partial"
    OVER = "over"
    UNMATCHED = "unmatched"
    AMBIGUOUS = "ambiguous"
    NOTHING_OWED = "nothing_owed"
    REVERSED = "reversed"
    REVERSED_AFTER_SETTLEMENT = "reversed_after_settlement"
    PAYOUT_BACK = "payout_back"
    MADE_GOOD = "made_good"


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that counted: when it was there, and what of it was principal and interest, in minor units."""

    on: date
    principal_minor: int
    interest_minor: int


@dataclass(frozen=True, slots=True)
class Division:
    """How an amount divides over one debt: principal + interest + surplus = amount."""

    finding: Finding
    principal_minor: int
    interest_minor: int
    surplus_minor: int
    days_late: int


def payment_id(receivable_id: int, part: str = "") -> str:
    """End-to-end id an obligor pays a receivable under; `part` tells several payments apart."""
    return f"DUE{receivable_id}" + (f"-{part}" if part else "")


def make_good_id(receivable_id: int, line_id: int) -> str:
    """End-to-end id under which an obligor makes good what the bank took back, on line `line_id`, after settlement."""
    return payment_id(receivable_id, f"MG{line_id}")


def creditor_reference(receivable_id: int) -> str:
    """Structured reference of a receivable with check digits (ISO 11649)."""
    body = f"{receivable_id:06d}"
    return f"RF{98 - int(body + '271500') % 97:02d}{body}"


def due_day(maturity: int, calendar: BankCalendar) -> date:
    """Last day on which payment is in time: maturity, or the next day on which banks book (Civil Code, Art. 203)."""
    return business_day_from(calendar, day_of(maturity))


def interest_due_minor(face_minor: int, due_on: date, paid: Iterable[Paid], on: date, terms: LateTerms) -> int:
    """Late interest not yet paid on `on`: each day's on what was still owed then, rounded once a stretch of days.

    The fixed sum of the terms is owed once something was owed for a day too long.
    """
    owed, interest, last, is_late = face_minor, 0, due_on, False
    for one in sorted(paid, key=lambda item: item.on):
        if one.on > last:
            is_late |= owed > 0
            interest += late_interest_minor(owed, late_days(last, one.on), terms.ppm_per_day)
            last = one.on
        owed -= one.principal_minor
        interest -= one.interest_minor
    is_late |= owed > 0 and on > last
    interest += late_interest_minor(owed, late_days(last, on), terms.ppm_per_day)
    return max(0, interest + (terms.fixed_minor if is_late else 0))


def divide(amount_minor: int, owed_minor: int, interest_minor: int, days_late: int) -> Division:
    """Divide a payment: interest first, then principal, the rest is surplus. Raises ValueError below zero."""
    if min(amount_minor, owed_minor, interest_minor) < 0:
        raise ValueError("nothing here is negative")
    interest = min(amount_minor, interest_minor)
    principal = min(amount_minor - interest, owed_minor)
    surplus = amount_minor - interest - principal
    if owed_minor + interest_minor == 0:
        finding = Finding.NOTHING_OWED
    elif surplus:
        finding = Finding.OVER
    else:
        finding = Finding.FULL if principal == owed_minor else Finding.PARTIAL
    return Division(finding, principal, interest, surplus, days_late)


def match(
    session: Session, line: BankLine, calendar: BankCalendar, lateness: Lateness
) -> tuple[Receivable | None, str, Finding | None]:
    """The receivable a credit pays and how that was found, or None with what is wrong."""
    for found_by, numbers in (("end_to_end", _named(line)), ("reference", _referenced(session, line))):
        rows = [row for row in (session.get(Receivable, number) for number in numbers) if row is not None]
        rows = [row for row in rows if row.currency == line.currency and row.state != ReceivableState.CANCELLED]
        if len(rows) == 1:
            return rows[0], found_by, None
        if len(rows) > 1:
            return None, found_by, Finding.AMBIGUOUS
    fitting = _by_amount(session, line, calendar, lateness)
    if len(fitting) == 1:
        return fitting[0], "amount", None
    return None, "nothing", Finding.AMBIGUOUS if fitting else Finding.UNMATCHED


def paid_so_far(session: Session, row: Receivable) -> list[Paid]:
    """What was paid on a receivable: attested on the ledger, or prepared from a line and not attested yet."""
    lines = _lines_of(session, row.id)
    days = {line.reference_hash: line.value_on for line in lines}
    attested = queries.payments_of(session, row.id)
    paid = [
        Paid(days.get(one.bank_reference, day_of(one.paid_at)), one.principal_minor, one.interest_minor)
        for one in attested
    ]
    known = {one.bank_reference for one in attested}
    return paid + [
        Paid(line.value_on, line.principal_minor, line.interest_minor)
        for line in lines
        if line.state == "prepared" and line.reference_hash not in known
    ]


def owed(session: Session, row: Receivable, on: date, calendar: BankCalendar, lateness: Lateness) -> tuple[int, int]:
    """(principal, late interest) a receivable still asks for on a day, what is prepared already taken off."""
    paid = paid_so_far(session, row)
    principal = row.face_minor - sum(one.principal_minor for one in paid)
    if row.state in (ReceivableState.CANCELLED, ReceivableState.OFFERED):
        return 0, 0
    return principal, interest_due_minor(row.face_minor, due_day(row.maturity, calendar), paid, on, lateness(row))


def _lines_of(session: Session, receivable_id: int) -> Sequence[CollectedLine]:
    return session.exec(
        select(CollectedLine)
        .where(CollectedLine.receivable_id == receivable_id, CollectedLine.amount_minor > 0)
        .order_by(col(CollectedLine.line_id))
    ).all()


def _named(line: BankLine) -> list[int]:
    found = _DUE.fullmatch(line.end_to_end_id or "")
    return [int(found.group(1))] if found else []


def _referenced(session: Session, line: BankLine) -> list[int]:
    reference = (line.structured_reference or "").replace(" ", "").upper()
    found = _RF.fullmatch(reference)
    if found and creditor_reference(int(found.group(1))) == reference:
        return [int(found.group(1))]
    words = {reference, *line.remittance.upper().split()} - {""}
    if not words:
        return []
    rows = session.exec(
        select(Receivable.id, Dossier.invoice_number)
        .join(Dossier, col(Dossier.document) == col(Receivable.document))
        .where(Receivable.outstanding_minor > 0, col(Dossier.invoice_number).is_not(None))
    )
    return [number for number, invoice in rows if (invoice or "").upper() in words]


def _by_amount(session: Session, line: BankLine, calendar: BankCalendar, lateness: Lateness) -> list[Receivable]:
    query = select(Receivable).where(
        Receivable.state == ReceivableState.LIVE,
        Receivable.outstanding_minor > 0,
        Receivable.outstanding_minor <= line.amount_minor,
        Receivable.currency == line.currency,
    )
    payer = session.get(BankAccount, line.counterparty_account or "")
    if payer is not None and payer.owner is not None:
        query = query.where(Receivable.obligor == payer.owner)
    on = line.value_on or line.booked_on
    fitting = []
    for row in session.exec(query.order_by(col(Receivable.maturity), col(Receivable.id))):
        principal, interest = owed(session, row, on, calendar, lateness)
        if principal and line.amount_minor in (principal, principal + interest):
            fitting.append(row)
    return fitting
