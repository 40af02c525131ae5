"""Books of entrusted-payment accounts, filled by ledger events alone. Amounts in minor units, times in unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from scf.store.books import Book


class EntrustedAccount(Book, table=True):
    """Books: one locked account as its parties signed it."""

    __tablename__ = "book_entrusted_account"

    id: int = Field(primary_key=True, sa_type=BigInteger)
    payer: str = Field(index=True, max_length=42)
    beneficiary: str = Field(index=True, max_length=42)
    bank: str = Field(max_length=42)
    currency: str = Field(max_length=3)
    amount_minor: int = Field(sa_type=BigInteger)
    locked_minor: int = Field(default=0, sa_type=BigInteger)
    released_minor: int = Field(default=0, sa_type=BigInteger)
    refunded_minor: int = Field(default=0, sa_type=BigInteger)
    account: str = Field(max_length=66, description="Salted commitment to the bank account")
    purpose: str = Field(max_length=66)
    consent: str = Field(max_length=66)
    bank_reference: str | None = Field(default=None, max_length=66)
    opened_at: int = Field(sa_type=BigInteger)
    locked_at: int | None = Field(default=None, sa_type=BigInteger)


class Stage(Book, table=True):
    """Books: one stage of a locked account."""

    __tablename__ = "book_stage"

    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    stage: int = Field(primary_key=True)
    payee: str = Field(index=True, max_length=42)
    payee_account: str = Field(max_length=66)
    amount_minor: int = Field(sa_type=BigInteger)
    released_minor: int = Field(default=0, sa_type=BigInteger)
    refunded_minor: int = Field(default=0, sa_type=BigInteger)
    disputed_minor: int = Field(default=0, sa_type=BigInteger)
    rule: str = Field(max_length=66)
    deadline: int = Field(sa_type=BigInteger)


class Duty(Book, table=True):
    """Books: who may attest (1) or approve (2) for an account."""

    __tablename__ = "book_duty"

    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    who: str = Field(primary_key=True, max_length=42)
    duty: int


class Attestation(Book, table=True):
    """Books: evidence one attestor vouched for, cumulative value it supports."""

    __tablename__ = "book_attestation"

    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    stage: int = Field(primary_key=True)
    attestor: str = Field(primary_key=True, max_length=42)
    up_to_minor: int = Field(sa_type=BigInteger)
    evidence: str = Field(max_length=66)
    attested_at: int = Field(sa_type=BigInteger)


class Approval(Book, table=True):
    """Books: release one approver agreed to, cumulative value."""

    __tablename__ = "book_approval"

    account_id: int = Field(primary_key=True, sa_type=BigInteger)
    stage: int = Field(primary_key=True)
    approver: str = Field(primary_key=True, max_length=42)
    up_to_minor: int = Field(sa_type=BigInteger)
    decision: str = Field(max_length=66)
    approved_at: int = Field(sa_type=BigInteger)


class Movement(Book, table=True):
    """Books: a release or refund the bank executed, or one that came back: one payment order, one statement line.

    What came back counts below zero, under a name of its own.
    """

    __tablename__ = "book_movement"

    payment_id: str = Field(primary_key=True, max_length=66)
    account_id: int = Field(sa_type=BigInteger, index=True)
    stage: int
    kind: str = Field(description="release, refund or returned")
    returns: str | None = Field(default=None, max_length=66, description="Payment id of what came back")
    amount_minor: int = Field(sa_type=BigInteger)
    bank_reference: str = Field(index=True, max_length=66)
    executed_at: int = Field(sa_type=BigInteger)


class Dispute(Book, table=True):
    """Books: a part of a stage held back, by whom and why (hash), and how it ended.

    `is_return` marks a release that came back: held by the fact, its reason the line that brought it.
    """

    __tablename__ = "book_dispute"

    id: str = Field(primary_key=True, description="block number : log index")
    account_id: int = Field(sa_type=BigInteger, index=True)
    stage: int
    raised_by: str | None = Field(default=None, max_length=42)
    amount_minor: int = Field(sa_type=BigInteger)
    to_release_minor: int = Field(default=0, sa_type=BigInteger)
    to_refund_minor: int = Field(default=0, sa_type=BigInteger)
    reason: str = Field(max_length=66)
    is_return: bool = False
    at: int = Field(sa_type=BigInteger)


class StageRule(SQLModel, table=True):
    """The words and data behind a stage's rule hash: which evidence releases it."""

    __tablename__ = "stage_rule"

    rule: str = Field(primary_key=True, max_length=66, description="keccak256 of the canonical JSON of the rest")
    title_en: str
    title_zh: str
    needs: str = Field(description="Evidence kinds all needed, comma separated: despatch,arrival")
    order_reference: str | None = Field(default=None, index=True)


class StatedWords(SQLModel, table=True):
    """The words behind a hash somebody signs (reason, decision, purpose, consent), filed as evidence."""

    __tablename__ = "stated_words"

    hash: str = Field(primary_key=True, max_length=66, description="keccak256 of the words' UTF-8 text")
    words: str
    evidence_id: str = Field(max_length=64)


class PayeeAccount(SQLModel, table=True):
    """The bank account behind a salted commitment on the ledger."""

    __tablename__ = "payee_account"

    commitment: str = Field(primary_key=True, max_length=66)
    owner: str = Field(max_length=42, description="Member address of the payee")
    name: str
    account: str
    salt: str = Field(max_length=66)
