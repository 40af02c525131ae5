"""Table of the API room: tokens of programs, kept as digests only."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class ApiToken(SQLModel, table=True):
    """A token a program shows instead of a session. The secret itself is shown once and never stored."""

    __tablename__ = "api_token"

    digest: str = Field(primary_key=True, max_length=64, description="SHA-256 of the secret, hex")
    address: str = Field(index=True, max_length=42, description="Member address it acts as")
    name: str = Field(max_length=80, description="What its owner calls it")
    made_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
