"""Typed records of what banks are told and tell: statements with entries and balances, payment orders and answers.

Amounts are integers of the currency's minor unit; those of a statement are signed as its account sees them. `None`
means that the file does not say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from scf.standards.records import Notice, Party


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance of a statement by its ISO code (`OPBD`, `CLBD`, …), negative when in debit."""

    kind: str
    amount_minor: int
    currency: str
    day: date | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement on an account: a booked entry, or one transaction of a batch entry.

    `amount_minor` is signed (credit > 0). For a batch it is the transaction's amount, otherwise the amount booked;
    `exact_amount` keeps every decimal the bank wrote. `instructed_minor` is what was ordered when it differs in
    amount or currency (exchange, charges). `status` is `BOOK`, `PDNG` or `INFO`; only `BOOK` is money moved.
    """

    booked_on: date | None
    value_on: date | None
    amount_minor: int
    currency: str
    end_to_end_id: str | None
    reference: str | None
    structured_reference: str | None
    remittance: str
    counterparty: str | None
    counterparty_account: str | None
    is_reversal: bool
    bank_transaction_id: str | None
    uetr: str | None
    status: str
    exact_amount: Decimal = Decimal(0)
    instruction_id: str | None = None
    payment_information_id: str | None = None
    transaction_id: str | None = None
    structured_references: tuple[str, ...] = ()
    document_references: tuple[str, ...] = ()
    debtor: Party | None = None
    creditor: Party | None = None
    instructed_minor: int | None = None
    instructed_currency: str | None = None
    charges_minor: int | None = None
    bank_code: str | None = None
    return_reason: str | None = None
    entry_index: int = 0
    detail_index: int | None = None
    batch_count: int = 1
    information: str | None = None
    booked_minor: int | None = field(default=None, compare=False)
    """What the bank booked for the whole entry, of which this may be one transaction; signed."""
    whole: Entry | None = field(default=None, compare=False)
    """The entry as one movement, where its transactions do not add up to what was booked."""

    @property
    def is_booked(self) -> bool:
        """Whether the bank says the money moved."""
        return self.status == "BOOK"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, report or notification about one account, entries in the file's order."""

    id: str
    kind: Literal["camt.052", "camt.053", "camt.054"]
    account: str
    currency: str | None
    created_at: datetime | None
    from_at: datetime | None
    to_at: datetime | None
    opening_minor: int | None
    closing_minor: int | None
    balances: tuple[Balance, ...]
    entries: tuple[Entry, ...]
    message_id: str
    account_name: str | None = None
    sequence: str | None = None
    page: str | None = None
    is_last_page: bool | None = None
    copy_or_duplicate: str | None = None
    version: int | None = None
    notices: tuple[Notice, ...] = ()

    @property
    def adds_up(self) -> bool | None:
        """Whether opening + booked entries = closing; None where balances are missing or currencies mixed."""
        booked = [entry for entry in self.entries if entry.is_booked]
        balance_currencies = {item.currency for item in self.balances if item.kind in ("OPBD", "PRCD", "CLBD")}
        if self.opening_minor is None or self.closing_minor is None or len(balance_currencies) != 1:
            return None
        if {entry.currency for entry in booked} - balance_currencies or self.is_last_page is False:
            return None
        return self.opening_minor + self.booked_minor == self.closing_minor

    @property
    def movements(self) -> tuple[Entry, ...]:
        """The entries as money moved: a batch that its transactions do not add up to is one movement of its amount."""
        found: dict[tuple[int, int], Entry] = {}
        for place, entry in enumerate(self.entries):
            key = (entry.entry_index, -1) if entry.whole is not None else (entry.entry_index, place)
            found.setdefault(key, entry.whole or entry)
        return tuple(found.values())

    @property
    def booked_minor(self) -> int:
        """Sum of what the bank booked, each batch once with the amount of its entry."""
        told = (entry for entry in self.entries if entry.is_booked)
        batches = {entry.entry_index: entry.booked_minor for entry in told if entry.booked_minor is not None}
        alone = (entry.amount_minor for entry in self.entries if entry.is_booked and entry.booked_minor is None)
        return sum(minor for minor in batches.values() if minor is not None) + sum(alone)


@dataclass(frozen=True, slots=True)
class PaymentInstruction:
    """One credit transfer to be executed. `amount_minor` > 0; `execute_on` is the day in the bank's calendar.

    `transfer_currency` is set where the amount is stated in the debtor's currency and shall arrive in another.
    """

    end_to_end_id: str
    amount_minor: int
    currency: str
    execute_on: date
    debtor: Party
    creditor: Party
    debtor_agent: str | None = None
    creditor_agent: str | None = None
    remittance: str = ""
    structured_reference: str | None = None
    instruction_id: str | None = None
    uetr: str | None = None
    purpose: str | None = None
    payment_information_id: str | None = None
    transfer_currency: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """A pain.001 message: its id, who sends it, and its instructions."""

    message_id: str
    created_at: datetime
    initiator: str
    instructions: tuple[PaymentInstruction, ...]


@dataclass(frozen=True, slots=True)
class PaymentStatus:
    """What the bank says of one instruction: `ACSC` settled, `ACSP` on its way, `PDNG` pending, `RJCT` refused."""

    end_to_end_id: str | None
    status: str
    reason_code: str | None = None
    reason: str | None = None
    instruction_id: str | None = None
    payment_information_id: str | None = None
    uetr: str | None = None
    bank_transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentStatusReport:
    """A pain.002 message. `group_status` speaks for every instruction of the original that is not listed."""

    message_id: str
    created_at: datetime
    original_message_id: str
    original_message_name: str
    group_status: str | None
    statuses: tuple[PaymentStatus, ...]
    group_reason_code: str | None = None
    group_reason: str | None = None
