"""What is known of firms beside their papers: line of business, the lists they are on, who guarantees for whom."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class FirmProfile(SQLModel, table=True):
    """Line of business of an organisation: a section letter of GB/T 4754 (C manufacturing, G transport …)."""

    __tablename__ = "firm_profile"

    organisation_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    industry: str = Field(max_length=1)
    source: str = Field(max_length=128)
    set_at: int = Field(sa_type=BigInteger)


class Guarantor(SQLModel, table=True):
    """A guarantor with a licence, as an operator registered it on evidence. Amounts in minor units."""

    __tablename__ = "guarantor"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=200)
    uscc: str = Field(unique=True, max_length=18)
    licence: str = Field(max_length=80)
    licence_until: str = Field(max_length=10, description="Last valid day, ISO")
    net_assets_minor: int | None = Field(default=None, sa_type=BigInteger, description="As last reported; None unknown")
    evidence_id: str = Field(max_length=64)
    registered_by: str = Field(max_length=42)
    registered_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)


class Guarantee(SQLModel, table=True):
    """A guarantor stands for what one obligor owes one financier, up to an amount and a day."""

    __tablename__ = "guarantee"
    __table_args__ = (sa.CheckConstraint("limit_minor > 0", name="guarantee_limit"),)

    id: int | None = Field(default=None, primary_key=True)
    guarantor_id: int = Field(foreign_key="guarantor.id", index=True)
    obligor: str = Field(index=True, max_length=42)
    financier: str = Field(index=True, max_length=42)
    currency: str = Field(max_length=3)
    limit_minor: int = Field(sa_type=BigInteger)
    until: str = Field(max_length=10)
    evidence_id: str = Field(max_length=64)
    made_at: int = Field(sa_type=BigInteger)


class ListEntry(SQLModel, table=True):
    """One entry of the blacklist: two operators, a reason, evidence, an authority and an end.

    `state`: proposed, in_force, ended or rejected.
    """

    __tablename__ = "list_entry"
    __table_args__ = (sa.Index("ix_list_entry_due", "state", "until"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(index=True)
    reason: str = Field(sa_type=sa.Text)
    evidence_id: str = Field(max_length=64)
    authority: str = Field(max_length=200)
    until: str = Field(max_length=10, description="Last day in force, ISO")
    state: str = Field(default="proposed", max_length=10)
    proposed_by: str = Field(max_length=42)
    proposed_at: int = Field(sa_type=BigInteger)
    agreed_by: str | None = Field(default=None, max_length=42)
    agreed_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    end_reason: str | None = Field(default=None, sa_type=sa.Text)
    end_reason_by: str | None = Field(default=None, max_length=42)
    ledger_transaction: str | None = Field(default=None, max_length=66)
