"""Tables of the bank room: mirrors of bank accounts, payments instructed, files and what they prove.

Amounts are integers of the minor unit, a customer's credit positive; times are unix seconds. No row here is money: a
`BankLine` says that a bank's file said so.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from scf.store.engine import BIG

REPAYMENT = "repayment"
"""Purpose of the accounts on which obligors pay what is due."""


class InstructionState(StrEnum):
    """How far a payment has come. Only a bank line makes it executed."""

    WRITTEN = "written"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXECUTED = "executed"
    RETURNED = "returned"
    REVERSED = "reversed"
    WITHDRAWN = "withdrawn"


class BankAccount(SQLModel, table=True):
    """Mirror of an account at a bank. `lock_reference` is set while the bank keeps it locked for entrusted payment."""

    __tablename__ = "bank_account"

    number: str = Field(primary_key=True, max_length=34)
    bank: str = Field(max_length=11, description="BIC of the bank that keeps it")
    currency: str = Field(max_length=3)
    holder: str = Field(max_length=140, description="Name on the account")
    owner: str | None = Field(default=None, index=True, max_length=64, description="Member or programme it serves")
    purpose: str = Field(max_length=20, description="current, repayment or entrusted")
    lock_reference: str | None = Field(default=None, max_length=35)
    opened_at: int = Field(sa_type=BIG)
    locked_at: int | None = Field(default=None, sa_type=BIG)


class PayoutAccount(SQLModel, table=True):
    """Where a firm said its money goes, in one currency. The newest that holds already and was not stopped is used."""

    __tablename__ = "payout_account"

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    organisation_id: int = Field(index=True)
    currency: str = Field(max_length=3)
    holder: str = Field(max_length=140)
    number: str = Field(index=True, max_length=34, description="IBAN, or the number as a Chinese bank gives it")
    bank: str = Field(max_length=12, description="BIC, or a CNAPS number of twelve digits")
    stated_by: str = Field(max_length=42)
    agreed_by: str | None = Field(default=None, max_length=42)
    stated_at: int = Field(sa_type=BIG)
    holds_from: int = Field(sa_type=BIG)
    stopped_at: int | None = Field(default=None, sa_type=BIG)


class BankOrder(SQLModel, table=True):
    """A pain.001 file, its bytes kept as evidence before it is sent."""

    __tablename__ = "bank_order"

    message_id: str = Field(primary_key=True, max_length=35)
    bank: str = Field(max_length=11, index=True)
    evidence_id: str = Field(max_length=64)
    written_at: int = Field(sa_type=BIG)
    sent_at: int | None = Field(default=None, sa_type=BIG)
    answered_at: int | None = Field(default=None, sa_type=BIG)


class BankInstruction(SQLModel, table=True):
    """One payment to be made, known by its end-to-end id; written once, sent once, executed by proof of a bank line."""

    __tablename__ = "bank_instruction"
    __table_args__ = (
        sa.CheckConstraint("amount_minor > 0", name="bank_instruction_amount"),
        sa.CheckConstraint("debtor_account <> creditor_account", name="bank_instruction_sides"),
        sa.Index("ix_bank_instruction_open", "state", "message_id"),
    )

    end_to_end_id: str = Field(primary_key=True, max_length=35)
    state: str = Field(default=InstructionState.WRITTEN, max_length=10)
    message_id: str | None = Field(default=None, max_length=35, foreign_key="bank_order.message_id", index=True)
    debtor_account: str = Field(max_length=34, foreign_key="bank_account.number", index=True)
    creditor_account: str = Field(max_length=34, index=True)
    creditor: str = Field(max_length=140)
    creditor_agent: str | None = Field(default=None, max_length=11)
    amount_minor: int = Field(sa_type=BIG)
    currency: str = Field(max_length=3)
    execute_on: date
    remittance: str = Field(default="", max_length=140)
    release_reference: str | None = Field(default=None, max_length=35)
    purpose: str | None = Field(default=None, max_length=4, description="ISO external purpose code, e.g. SUPP")
    uetr: str = Field(max_length=36)
    reason_code: str | None = Field(default=None, max_length=35)
    reason: str | None = Field(default=None, max_length=210)
    bank_reference: str | None = Field(default=None, max_length=80, description="Bank's reference on the line")
    executed_on: date | None = None
    written_at: int = Field(sa_type=BIG)
    changed_at: int = Field(sa_type=BIG)


class BankFileRow(SQLModel, table=True):
    """A file the bank sent and what became of it: imported, or refused with a problem code for a person to look at."""

    __tablename__ = "bank_file"

    evidence_id: str = Field(primary_key=True, max_length=64)
    bank: str = Field(primary_key=True, max_length=11)
    name: str = Field(max_length=255)
    kind: str = Field(max_length=40)
    received_at: int = Field(sa_type=BIG)
    new_lines: int = 0
    problem: str | None = Field(default=None, max_length=60, index=True)
    facts: str | None = Field(default=None, sa_type=sa.Text)


class BankStatement(SQLModel, table=True):
    """A camt.053 statement with its balances, as one file said."""

    __tablename__ = "bank_statement"
    __table_args__ = (sa.UniqueConstraint("account", "statement_id", "page", "last_day"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    account: str = Field(max_length=34, index=True)
    statement_id: str = Field(max_length=35)
    page: str = Field(default="", max_length=10)
    first_day: date
    last_day: date
    currency: str = Field(max_length=3)
    opening_minor: int = Field(sa_type=BIG)
    closing_minor: int = Field(sa_type=BIG)
    trust: int
    evidence_id: str = Field(max_length=64)


class BankLine(SQLModel, table=True):
    """One booked movement as the bank tells it. `key` identifies it among all reports of the same movement.

    `is_superseded` marks the total of a batch whose single payments are known from another file.
    """

    __tablename__ = "bank_line"
    __table_args__ = (
        sa.UniqueConstraint("account", "key"),
        sa.Index("ix_bank_line_day", "account", "booked_on"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    account: str = Field(max_length=34)
    key: str = Field(max_length=160)
    bank_reference: str | None = Field(default=None, max_length=80)
    uetr: str | None = Field(default=None, max_length=36)
    booked_on: date
    value_on: date | None = None
    amount_minor: int = Field(sa_type=BIG)
    currency: str = Field(max_length=3)
    end_to_end_id: str | None = Field(default=None, max_length=35, index=True)
    structured_reference: str | None = Field(default=None, max_length=140)
    remittance: str = Field(default="", sa_type=sa.Text)
    counterparty: str | None = Field(default=None, max_length=140)
    counterparty_account: str | None = Field(default=None, max_length=34)
    payment_information_id: str | None = Field(default=None, max_length=35)
    is_reversal: bool = False
    return_reason: str | None = Field(default=None, max_length=35)
    batch_count: int = 1
    is_detail: bool = True
    is_superseded: bool = False
    trust: int
    evidence_id: str = Field(max_length=64, index=True)
    statement_evidence_id: str | None = Field(default=None, max_length=64)
    matched: str | None = Field(default=None, max_length=35, foreign_key="bank_instruction.end_to_end_id", index=True)
    match_kind: str | None = Field(default=None, max_length=12, description="end_to_end or reference")
    seen_at: int = Field(sa_type=BIG)
