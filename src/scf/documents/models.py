"""What was imported, and the saved column mappings of tables."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from scf.store.engine import BIG


class ImportedDocument(SQLModel, table=True):
    """One file that was taken, what it was, and how many facts came of it."""

    __tablename__ = "imported_document"

    evidence_id: str = Field(primary_key=True, max_length=64)
    source: str = Field(primary_key=True, max_length=128)
    kind: str = Field(max_length=40)
    name: str = Field(max_length=255)
    facts: int
    imported_at: int = Field(sa_type=BIG)


class SavedMapping(SQLModel, table=True):
    """A column mapping somebody saved for the tables of one source."""

    __tablename__ = "saved_mapping"

    name: str = Field(primary_key=True, max_length=80)
    text: str = Field(sa_type=sa.Text, description="TOML or JSON, see scf.standards.csvmapping")
    saved_at: int = Field(sa_type=BIG)


class TradePayment(SQLModel, table=True):
    """A payment of ours that pays for an order; other payments of ours (funding, holders) are no trade facts."""

    __tablename__ = "trade_payment"

    end_to_end_id: str = Field(primary_key=True, max_length=35)
    order_reference: str = Field(index=True, max_length=80)
    by_note: bool = Field(
        default=False, description="Discharges a receivable, so it goes to its holders' bank, not the seller"
    )
