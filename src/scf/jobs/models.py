"""Jobs with their due times, what became of each run, alarms and notices. Times in unix seconds."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from scf.store.engine import BIG


class Job(SQLModel, table=True):
    """One thing to be done at one moment. `key` makes it unique: the same job asked for twice is one job."""

    __tablename__ = "job"
    __table_args__ = (sa.Index("ix_job_due", "state", "due_at"),)

    key: str = Field(primary_key=True, max_length=120)
    name: str = Field(index=True, max_length=40)
    due_at: int = Field(sa_type=BIG)
    argument: str = Field(default="", sa_type=sa.Text)
    state: str = Field(default="waiting", max_length=10, description="waiting, running, done or failed")
    attempts: int = 0
    started_at: int | None = Field(default=None, sa_type=BIG)
    finished_at: int | None = Field(default=None, sa_type=BIG)
    outcome: str | None = Field(default=None, sa_type=sa.Text)


class LockedAlarm(SQLModel, table=True):
    """The bank's statement and the ledger differ on a locked account: by how much, on which statement."""

    __tablename__ = "locked_alarm"

    account_id: int = Field(primary_key=True, sa_type=BIG)
    day: date = Field(primary_key=True)
    account: str = Field(max_length=34)
    held_minor: int = Field(sa_type=BIG)
    stated_minor: int | None = Field(default=None, sa_type=BIG)
    difference_minor: int | None = Field(default=None, sa_type=BIG)
    statement_evidence: str | None = Field(default=None, max_length=64)
    raised_at: int = Field(sa_type=BIG)
    closed_at: int | None = Field(default=None, sa_type=BIG)


class LockedProof(SQLModel, table=True):
    """A locked account proved against one statement of the bank."""

    __tablename__ = "locked_proof"

    account_id: int = Field(primary_key=True, sa_type=BIG)
    day: date = Field(primary_key=True)
    held_minor: int = Field(sa_type=BIG)
    statement_evidence: str = Field(max_length=64)
    proved_at: int = Field(sa_type=BIG)


class Notice(SQLModel, table=True):
    """Something a member should know, with the proof behind it. `key` makes it unique."""

    __tablename__ = "notice"
    __table_args__ = (sa.Index("ix_notice_of", "recipient", "made_at"),)

    key: str = Field(primary_key=True, max_length=160)
    recipient: str = Field(max_length=42, description="Member address")
    kind: str = Field(index=True, max_length=40)
    en: str = Field(sa_type=sa.Text)
    zh: str = Field(sa_type=sa.Text)
    transaction_hash: str | None = Field(default=None, max_length=66)
    evidence_id: str | None = Field(default=None, max_length=64)
    made_at: int = Field(sa_type=BIG)
    read_at: int | None = Field(default=None, sa_type=BIG)


class NoticeDelivery(SQLModel, table=True):
    """One notice handed to one outside channel, once."""

    __tablename__ = "notice_delivery"

    key: str = Field(primary_key=True, max_length=160)
    channel: str = Field(primary_key=True, max_length=20)
    state: str = Field(default="waiting", max_length=10, description="waiting, sent or failed")
    attempts: int = 0
    sent_at: int | None = Field(default=None, sa_type=BIG)
    error: str | None = Field(default=None, max_length=200)
