"""Tables of people and how they get in. Secrets are kept as digests only; times in unix seconds."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from scf.store.engine import BIG


class Person(SQLModel, table=True):
    """A human being. One person may act for several firms; what each may do follows from the seats."""

    __tablename__ = "person"

    id: str = Field(primary_key=True, max_length=24)
    name: str = Field(max_length=80)
    contact: str = Field(unique=True, max_length=120, description="E-mail address in lower case, or phone number")
    handle: bytes = Field(unique=True, sa_type=sa.LargeBinary, description="What an authenticator knows the person by")
    language: str = Field(default="zh-CN", max_length=5)
    made_at: int = Field(sa_type=BIG)


class Membership(SQLModel, table=True):
    """A person may act from a seat of a firm until this is ended."""

    __tablename__ = "membership"

    person_id: str = Field(primary_key=True, foreign_key="person.id", max_length=24)
    address: str = Field(primary_key=True, index=True, max_length=42, description="Seat, a member address")
    since: int = Field(sa_type=BIG)
    ended_at: int | None = Field(default=None, sa_type=BIG)


class Passkey(SQLModel, table=True):
    """A public key of a person's authenticator (WebAuthn). Nothing here is secret."""

    __tablename__ = "passkey"

    credential_id: bytes = Field(primary_key=True, sa_type=sa.LargeBinary)
    person_id: str = Field(index=True, foreign_key="person.id", max_length=24)
    public_key: bytes = Field(sa_type=sa.LargeBinary)
    sign_count: int = Field(default=0, sa_type=BIG)
    name: str = Field(max_length=80)
    made_at: int = Field(sa_type=BIG)
    used_at: int | None = Field(default=None, sa_type=BIG)


class OneTimeLink(SQLModel, table=True):
    """A link that signs a person in once, within minutes. The link itself is never stored."""

    __tablename__ = "one_time_link"

    digest: str = Field(primary_key=True, max_length=64, description="SHA-256 of the secret, hex")
    person_id: str = Field(index=True, foreign_key="person.id", max_length=24)
    made_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG)
    used_at: int | None = Field(default=None, sa_type=BIG)


class ProvedAgain(SQLModel, table=True):
    """When somebody last proved within a session who they are, before signing something of weight."""

    __tablename__ = "proved_again"

    session_id: str = Field(primary_key=True, max_length=32)
    method: str = Field(max_length=12, description="passkey, code, or how the session before a change of firm began")
    at: int = Field(sa_type=BIG)


class OneTimeCode(SQLModel, table=True):
    """Six digits sent to a person, good once, for one session, within minutes and few tries; kept as a digest."""

    __tablename__ = "one_time_code"

    session_id: str = Field(primary_key=True, max_length=32)
    digest: str = Field(max_length=64, description="SHA-256 of session, salt and code, hex")
    salt: str = Field(max_length=32)
    expires_at: int = Field(sa_type=BIG)
    tries: int = 0


class OutsideIdentity(SQLModel, table=True):
    """A person as a provider of identities (OpenID Connect) knows it."""

    __tablename__ = "outside_identity"

    issuer: str = Field(primary_key=True, max_length=200)
    subject: str = Field(primary_key=True, max_length=200)
    person_id: str = Field(index=True, foreign_key="person.id", max_length=24)
    made_at: int = Field(sa_type=BIG)


class SignedIn(SQLModel, table=True):
    """One session of a browser. The cookie is signed and names this row; a row that ended opens nothing."""

    __tablename__ = "signed_in"

    id: str = Field(primary_key=True, max_length=32)
    person_id: str | None = Field(default=None, index=True, max_length=24, description="None for a demo identity")
    address: str = Field(index=True, max_length=42)
    method: str = Field(max_length=12, description="demo, token, link, passkey, oidc or join")
    device: str = Field(default="", max_length=60)
    made_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG)
    ended_at: int | None = Field(default=None, sa_type=BIG)
