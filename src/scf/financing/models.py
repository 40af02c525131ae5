"""Asks, firm quotes and the registry's numbers: what happens before a financing stands on the ledger."""

from __future__ import annotations

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
