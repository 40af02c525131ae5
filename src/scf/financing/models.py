"""Asks, firm quotes and the registry's numbers: what happens before a financing stands on the ledger."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class FinancingAsk(SQLModel, table=True):
    """A holder asks invited financiers for a price on a part of its note."""

    __tablename__ = "financing_ask"

    id: str = Field(primary_key=True)
    note_id: str = Field(index=True, max_length=66)
    asker: str = Field(index=True, max_length=42)
    amount_minor: int = Field(sa_type=BigInteger)
    invited: str = Field(sa_type=sa.Text, description="Addresses of invited financiers, comma separated")
    single_reason: str | None = Field(default=None, description="Why fewer than two were invited")
    asked_at: int = Field(sa_type=BigInteger)


class QuoteOffer(SQLModel, table=True):
    """A financier's firm, signed, expiring price for one ask; sealed from other financiers."""

    __tablename__ = "quote_offer"

    quote_hash: str = Field(primary_key=True, max_length=66)
    ask_id: str = Field(foreign_key="financing_ask.id", index=True)
    financier: str = Field(index=True, max_length=42)
    message: str = Field(sa_type=sa.Text, description="The signed fields, JSON")
    signature: bytes = Field(sa_type=sa.LargeBinary)
    price: str = Field(sa_type=sa.Text, description="Every figure shown, JSON")
    net_minor: int = Field(sa_type=BigInteger)
    apr_ppm: int
    expires_at: int = Field(sa_type=BigInteger)


class Registration(SQLModel, table=True):
    """One entry of the simulated movable-property registry."""

    __tablename__ = "registration"

    number: str = Field(primary_key=True, max_length=32)
    note_id: str = Field(unique=True, max_length=66)
    fingerprint: str = Field(index=True, max_length=66)
    financier: str = Field(max_length=42)
    amount_minor: int = Field(sa_type=BigInteger)
    registered_at: int = Field(sa_type=BigInteger)


class RegistrationEnd(SQLModel, table=True):
    """An entry of the simulated registry that was taken out again: its sale came to nothing. Unix seconds."""

    __tablename__ = "registration_end"

    number: str = Field(primary_key=True, max_length=32)
    note_id: str = Field(max_length=66)
    ended_at: int = Field(sa_type=BigInteger)


class OutsideClaim(SQLModel, table=True):
    """Somebody outside this network claims an invoice: the registry's entry or a notice of transfer says so."""

    __tablename__ = "outside_claim"

    number: str = Field(primary_key=True, max_length=40, description="Number of the entry or of the notice")
    fingerprint: str = Field(index=True, max_length=66)
    claimant: str = Field(max_length=140)
    amount_minor: int = Field(sa_type=BigInteger)
    registered_at: int | None = Field(default=None, sa_type=BigInteger)
    noticed_at: int | None = Field(default=None, sa_type=BigInteger)
    evidence_id: str = Field(max_length=64)


class CollectedLine(SQLModel, table=True):
    """What a line on a repayment account means: which receivable it pays and how the amount divides, in minor units."""

    __tablename__ = "collected_line"

    line_id: int = Field(primary_key=True, sa_type=BigInteger, description="Number of the bank line")
    account: str = Field(index=True, max_length=34)
    receivable_id: int | None = Field(default=None, sa_type=BigInteger, index=True)
    found_by: str = Field(max_length=20, description="end_to_end, reference, amount, attestation, reversal or nothing")
    finding: str = Field(max_length=30, index=True)
    state: str = Field(max_length=12, index=True, description="prepared, cancelled or exception")
    amount_minor: int = Field(sa_type=BigInteger)
    principal_minor: int = Field(default=0, sa_type=BigInteger)
    interest_minor: int = Field(default=0, sa_type=BigInteger)
    surplus_minor: int = Field(default=0, sa_type=BigInteger)
    days_late: int = 0
    value_on: date
    bank_reference: str = Field(max_length=80)
    reference_hash: str = Field(index=True, max_length=66, description="The bank reference as the ledger keeps it")
    end_to_end_id: str | None = Field(default=None, index=True, max_length=35)
    evidence_id: str = Field(max_length=64)
    noted_at: int = Field(sa_type=BigInteger)


class BuyBackDemand(SQLModel, table=True):
    """The assignor of one note financed with recourse is asked to buy it back. Amounts in minor units."""

    __tablename__ = "buy_back_demand"

    note_id: str = Field(primary_key=True, max_length=66)
    receivable_id: int = Field(sa_type=BigInteger, index=True)
    financier: str = Field(index=True, max_length=42)
    assignor: str = Field(index=True, max_length=42)
    received_minor: int = Field(sa_type=BigInteger)
    amount_minor: int = Field(sa_type=BigInteger)
    demanded_at: int = Field(sa_type=BigInteger)
    pay_until: int = Field(sa_type=BigInteger)
    evidence_id: str = Field(max_length=64)


class WriteOff(SQLModel, table=True):
    """A holder gave up what a note still carries, for its own accounts; the claim on the obligor stays."""

    __tablename__ = "write_off"

    note_id: str = Field(primary_key=True, max_length=66)
    receivable_id: int = Field(sa_type=BigInteger, index=True)
    holder: str = Field(index=True, max_length=42)
    amount_minor: int = Field(sa_type=BigInteger)
    reason: str = Field(sa_type=sa.Text)
    written_at: int = Field(sa_type=BigInteger)
    evidence_id: str = Field(max_length=64)
