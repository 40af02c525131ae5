"""Tables of parties: the registry (who is behind an address) and the books of members (what the ledger says)."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from scf.store.books import Book


class Organisation(SQLModel, table=True):
    """A legal entity. Known to the registry only; the ledger sees a number and a salted commitment."""

    __tablename__ = "organisation"

    id: int = Field(primary_key=True, description="Number the ledger uses for this entity, 1 and up")
    name: str = Field(index=True)
    uscc: str | None = Field(default=None, unique=True, description="Unified social credit code, GB 32100")
    country: str = Field(default="CN", max_length=2)
    size: str = Field(default="small", description="large, medium, small, micro, public_body, bank or service")
    salt: str = Field(description="Hex salt of the identity commitment")
    created_at: int = Field(sa_type=BigInteger)


class Seat(SQLModel, table=True):
    """A member address and the organisation and duty it stands for: a person's key or a firm's account."""

    __tablename__ = "seat"

    address: str = Field(primary_key=True, max_length=42)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    duty: str = Field(description="What this address does for the firm, e.g. `account`, `maker`, `checker`")
    created_at: int = Field(sa_type=BigInteger)


class CompanyGroup(SQLModel, table=True):
    """A group of companies by its name. The ledger knows its number only."""

    __tablename__ = "company_group"

    number: int = Field(primary_key=True, description="1 and up, at most 2^24 - 1")
    name: str = Field(unique=True, max_length=80)


class ExposureLimit(Book, table=True):
    """Books: the most that a group may owe or a financier may have bought, in minor units of a currency."""

    __tablename__ = "book_exposure_limit"

    kind: str = Field(primary_key=True, max_length=10, description="group or financier")
    subject: str = Field(primary_key=True, max_length=42, description="Number of the group, address of the financier")
    currency: str = Field(primary_key=True, max_length=3)
    limit_minor: int = Field(sa_type=BigInteger)
    set_at: int = Field(sa_type=BigInteger)


class Member(Book, table=True):
    """Books: one member of the ledger, as enrolled by the operator quorum."""

    __tablename__ = "book_member"

    address: str = Field(primary_key=True, max_length=42)
    key: str = Field(max_length=42)
    organisation_id: int = Field(sa_type=BigInteger, index=True)
    roles: int
    standing: int = 0
    halted: bool = False
    limit_minor: int = Field(default=0, sa_type=BigInteger)
    group_number: int = Field(default=0, index=True, description="Group whose debts count together; 0 for none")
    paying_bank: str | None = Field(default=None, max_length=42)
    identity: str = Field(max_length=66)
    enrolled_at: int = Field(sa_type=BigInteger)
