"""Tables of the API room: tokens of programs, kept as digests only, and the last calls made with them."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from scf.store.engine import BIG


class ApiToken(SQLModel, table=True):
    """A token a program shows instead of a session. The secret itself is shown once and never stored."""

    __tablename__ = "api_token"

    digest: str = Field(primary_key=True, max_length=64, description="SHA-256 of the secret, hex")
    address: str = Field(index=True, max_length=42, description="Member address it acts as")
    name: str = Field(max_length=80, description="What its owner calls it")
    made_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)


class ApiCall(SQLModel, table=True):
    """One call of a program, without anything secret: no query, no body, no header."""

    __tablename__ = "api_call"

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    address: str = Field(index=True, max_length=42)
    token: str = Field(max_length=16, description="First characters of the token's digest")
    method: str = Field(max_length=8)
    path: str = Field(max_length=200)
    status: int
    millis: int
    at: int = Field(sa_type=BIG)
