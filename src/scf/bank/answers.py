"""The simulated bank's letters: status reports (pain.002), notifications (camt.054) and statements (camt.053)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from scf.bank.accounts import Account, Booking
from scf.bank.mail import Handling
from scf.kernel.dates import BEIJING
from scf.kernel.identifiers import reference_of
from scf.standards import camt, pain
from scf.standards.bank_records import Balance, Entry, PaymentStatus, PaymentStatusReport, Statement
from scf.standards.records import Party

ORDER_NAME = "pain.001.001.09"


def letter_id(bic: str, kind: str, *about: object) -> str:
    """A message id of 20 characters that is the same whenever the same letter is written."""
    text = "|".join([bic, kind, *(str(item) for item in about)])
    return reference_of(hashlib.sha256(text.encode()).digest())


def status_report(
    message_id: str,
    written_at: int,
    original_message_id: str,
    handled: Sequence[Handling],
    *,
    group_status: str | None = None,
    group_reason: tuple[str, str] | None = None,
) -> bytes:
    """A pain.002 that answers each instruction of a message, or the message as a whole."""
    if group_status is None:
        refused = sum(1 for item in handled if item.status == "RJCT")
        group_status = "RJCT" if refused == len(handled) else "PART" if refused else "ACCP"
    statuses = tuple(
        PaymentStatus(
            end_to_end_id=item.instruction.end_to_end_id,
            status=item.status,
            reason_code=item.reason_code,
            reason=item.reason,
            instruction_id=item.instruction.instruction_id,
            payment_information_id=item.instruction.payment_information_id,
            uetr=item.instruction.uetr,
            bank_transaction_id=item.booking_reference,
        )
        for item in handled
    )
    code, reason = group_reason or (None, None)
    return pain.write_002(
        PaymentStatusReport(
            message_id=message_id,
            created_at=moment(written_at),
            original_message_id=original_message_id,
            original_message_name=ORDER_NAME,
            group_status=group_status,
            statuses=statuses,
            group_reason_code=code,
            group_reason=reason,
        )
    )


def notifications(
    message_id: str, written_at: int, booked_on: date, entries: Iterable[Booking], holders: dict[str, Account]
) -> bytes | None:
    """A camt.054 with one notification for each customer account that `entries` touch; None where they touch none."""
    lines: dict[str, list[Entry]] = {}
    for booking in entries:
        for number, amount_minor in booking.legs:
            if not holders[number].is_own:
                line = entry_of(booking, amount_minor, holders[number].currency, booked_on)
                lines.setdefault(number, []).append(replace(line, entry_index=len(lines.get(number, []))))
    records = [
        Statement(
            id=letter_id(message_id, "notification", number),
            kind="camt.054",
            account=number,
            currency=holders[number].currency,
            created_at=moment(written_at),
            from_at=None,
            to_at=None,
            opening_minor=None,
            closing_minor=None,
            balances=(),
            entries=tuple(found),
            message_id=message_id,
            account_name=holders[number].holder,
        )
        for number, found in lines.items()
    ]
    return camt.write_054(message_id, moment(written_at), records) if records else None


def statement(
    bic: str, account: Account, day: date, sequence: int, opening_minor: int, lines: Sequence[tuple[Booking, int]]
) -> Statement:
    """One account's booked day; closing is opening plus the lines."""
    closing_minor = opening_minor + sum(amount for _, amount in lines)
    start = datetime.combine(day, time(0), BEIJING)
    return Statement(
        id=letter_id(bic, "statement", account.number, day),
        kind="camt.053",
        account=account.number,
        currency=account.currency,
        created_at=start + timedelta(days=1),
        from_at=start,
        to_at=start + timedelta(days=1, seconds=-1),
        opening_minor=opening_minor,
        closing_minor=closing_minor,
        balances=(
            Balance("OPBD", opening_minor, account.currency, day),
            Balance("CLBD", closing_minor, account.currency, day),
        ),
        entries=tuple(
            replace(entry_of(booking, amount, account.currency, day), entry_index=place)
            for place, (booking, amount) in enumerate(lines)
        ),
        message_id="",
        account_name=account.holder,
        sequence=str(sequence),
    )


def statement_file(message_id: str, day: date, records: Sequence[Statement], *, is_copy: bool = False) -> bytes:
    """A camt.053 of one day; `is_copy` marks every statement as sent before."""
    written = datetime.combine(day + timedelta(days=1), time(0), BEIJING)
    marked = [replace(item, copy_or_duplicate="DUPL") for item in records] if is_copy else records
    return camt.write_053(message_id, written, marked)


def entry_of(booking: Booking, amount_minor: int, code: str, booked_on: date) -> Entry:
    """A booking as one account sees it."""
    incoming = amount_minor > 0
    family = "RCDT" if incoming is not (booking.kind == "reversal") else "ICDT"
    family = "ICDT" if booking.kind == "return" else family
    other = (booking.debtor, booking.debtor_account) if incoming else (booking.creditor, booking.creditor_account)
    return Entry(
        booked_on=booked_on,
        value_on=booked_on,
        amount_minor=amount_minor,
        currency=code,
        end_to_end_id=booking.end_to_end_id,
        reference=None,
        structured_reference=booking.structured_reference,
        remittance=booking.remittance,
        counterparty=other[0],
        counterparty_account=other[1],
        is_reversal=booking.kind == "reversal",
        bank_transaction_id=booking.reference,
        uetr=booking.uetr,
        status="BOOK",
        instruction_id=booking.instruction_id,
        payment_information_id=booking.payment_information_id,
        debtor=Party(booking.debtor, account=booking.debtor_account),
        creditor=Party(booking.creditor, account=booking.creditor_account),
        bank_code=f"PMNT/{family}/{'RRTN' if booking.kind == 'return' else 'ESCT'}",
        return_reason=booking.reason,
    )


def moment(seconds: int) -> datetime:
    """Unix seconds as Beijing time, whole seconds."""
    return datetime.fromtimestamp(seconds, BEIJING)
