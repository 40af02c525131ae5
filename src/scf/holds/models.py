"""Orders behind frozen notes and appeals against holds. Times in unix seconds, amounts in minor units."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class HoldOrder(SQLModel, table=True):
    """The order of a court or authority for which a note is frozen: its words, whose it is, until when it binds."""

    __tablename__ = "hold_order"

    reason: str = Field(primary_key=True, max_length=66, description="keccak256 of the words, as the ledger keeps it")
    authority: str = Field(max_length=140)
    words: str = Field(sa_type=sa.Text)
    binds_until: int = Field(sa_type=BigInteger)
    filed_by: str = Field(max_length=42)
    filed_at: int = Field(sa_type=BigInteger)
    evidence_id: str = Field(max_length=64)


class Appeal(SQLModel, table=True):
    """Somebody whom a hold concerns disagrees with it; two operators decide by a day, with words."""

    __tablename__ = "appeal"

    id: str = Field(primary_key=True, max_length=40)
    hold: str = Field(index=True, max_length=140)
    kind: str = Field(max_length=20)
    appellant: str = Field(index=True, max_length=42)
    words: str = Field(sa_type=sa.Text)
    made_at: int = Field(sa_type=BigInteger)
    decide_by: int = Field(sa_type=BigInteger)
    state: str = Field(default="open", index=True, max_length=10, description="open, upheld or rejected")
    decision: str | None = Field(default=None, sa_type=sa.Text)
    decided_by: str | None = Field(default=None, max_length=42)
    agreed_by: str | None = Field(default=None, max_length=42)
    decided_at: int | None = Field(default=None, sa_type=BigInteger)
    evidence_id: str = Field(max_length=64)
    decision_evidence_id: str | None = Field(default=None, max_length=64)


class HoldLift(SQLModel, table=True):
    """The operators' act that ends a hold: its words and evidence, what it divides, who signed, where it stands."""

    __tablename__ = "hold_lift"

    id: str = Field(primary_key=True, max_length=40)
    hold: str = Field(index=True, max_length=140)
    kind: str = Field(max_length=20, description="dispute, frozen, halt or standing")
    appeal: str | None = Field(default=None, max_length=40, description="The upheld appeal it follows from")
    words: str = Field(sa_type=sa.Text)
    reason: str = Field(max_length=66, description="keccak256 of the words, as the ledger keeps it")
    evidence_id: str = Field(max_length=64)
    to_release_minor: int = Field(default=0, sa_type=BigInteger)
    to_refund_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str = Field(max_length=3)
    parties: str = Field(sa_type=sa.Text, description="Addresses the hold concerned, comma separated")
    opened_by: str = Field(max_length=42)
    opened_at: int = Field(sa_type=BigInteger)
    state: str = Field(default="open", index=True, max_length=10, description="open or done")
    nonce: int | None = Field(default=None, sa_type=BigInteger, description="The quorum's counter the first signed at")
    first_by: str | None = Field(default=None, max_length=42)
    first_signature: str | None = Field(default=None, sa_type=sa.Text, description="Hex, one after the other an act")
    second_by: str | None = Field(default=None, max_length=42)
    done_at: int | None = Field(default=None, sa_type=BigInteger)
    transaction: str | None = Field(default=None, max_length=66)
