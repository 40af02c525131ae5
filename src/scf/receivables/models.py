"""Books of receivables and notes (filled by ledger events alone) and the dossier of documents behind a receivable."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from scf.store.books import Book


class ReceivableState(StrEnum):
    """Where a receivable stands; overdue follows from maturity and time and is not stored."""

    OFFERED = "offered"
    LIVE = "live"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class NoteState(StrEnum):
    """Where a note stands."""

    OFFERED = "offered"
    HELD = "held"
    LOCKED = "locked"
    MASS = "mass"
    RETURNED = "returned"
    SETTLED = "settled"


_WORDS = {
    NoteState.OFFERED: {"en": "offered", "zh-CN": "待签收"},
    NoteState.HELD: {"en": "held", "zh-CN": "持有中"},
    NoteState.LOCKED: {"en": "locked for financing", "zh-CN": "融资锁定"},
    NoteState.MASS: {"en": "passed to many and not yet taken up", "zh-CN": "批量流转待领取"},
    NoteState.RETURNED: {"en": "returned to its giver", "zh-CN": "已退回"},
    NoteState.SETTLED: {"en": "settled", "zh-CN": "已兑付"},
}
_FROZEN = {"en": "frozen by order", "zh-CN": "已被依令冻结"}


class Receivable(Book, table=True):
    """Books: the terms of one receivable and what is still unpaid. Amounts in minor units, times in unix seconds."""

    __tablename__ = "book_receivable"

    id: int = Field(primary_key=True, sa_type=BigInteger)
    obligor: str = Field(index=True, max_length=42)
    creditor: str = Field(index=True, max_length=42)
    root_note_id: str = Field(max_length=66)
    face_minor: int = Field(sa_type=BigInteger)
    outstanding_minor: int = Field(sa_type=BigInteger)
    paid_minor: int = Field(default=0, sa_type=BigInteger)
    interest_paid_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str = Field(max_length=3)
    maturity: int = Field(sa_type=BigInteger, index=True)
    max_tier: int
    min_minor: int = Field(sa_type=BigInteger)
    fingerprint: str = Field(index=True, max_length=66)
    document: str = Field(index=True, max_length=66)
    state: str = Field(default=ReceivableState.OFFERED, index=True)
    issued_at: int = Field(sa_type=BigInteger)
    state_since: int = Field(sa_type=BigInteger)


class Note(Book, table=True):
    """Books: one holder's part. `amount_minor` is what it carries now, `original_minor` what it was made with."""

    __tablename__ = "book_note"

    id: str = Field(primary_key=True, max_length=66)
    receivable_id: int = Field(sa_type=BigInteger, index=True)
    parent_id: str | None = Field(default=None, index=True, max_length=66)
    child_index: int
    evidence: str = Field(max_length=66)
    tier: int
    giver: str = Field(max_length=42)
    holder: str = Field(index=True, max_length=42)
    original_minor: int = Field(sa_type=BigInteger)
    amount_minor: int = Field(sa_type=BigInteger)
    settled_minor: int = Field(default=0, sa_type=BigInteger)
    interest_minor: int = Field(default=0, sa_type=BigInteger)
    children: int = 0
    state: str = Field(index=True)
    offer_until: int = Field(sa_type=BigInteger)
    frozen: bool = False
    recourse: bool = False
    financed: bool = False
    made_at: int = Field(sa_type=BigInteger)
    accepted_at: int | None = Field(
        default=None, sa_type=BigInteger, description="When it became its holder's; None while only offered or locked"
    )
    state_since: int = Field(sa_type=BigInteger)

    def standing(self) -> dict[str, str]:
        """Where this note stands, in words for a refusal."""
        return _FROZEN if self.frozen else _WORDS[NoteState(self.state)]


class MassPass(Book, table=True):
    """Books: a note's value committed to many recipients as the root of a Merkle sum tree (hash 192 bits, sum 64)."""

    __tablename__ = "book_mass_pass"

    mass_id: str = Field(primary_key=True, max_length=66)
    receivable_id: int = Field(sa_type=BigInteger, index=True)
    root: str = Field(max_length=66)
    recipients: int


class MassShare(SQLModel, table=True):
    """The filed list of a mass pass by place: who gets how much, in minor units. The evidence log holds the same."""

    __tablename__ = "mass_share"

    document: str = Field(primary_key=True, max_length=66, description="Commitment the list is filed under")
    leaf: int = Field(primary_key=True)
    recipient: str = Field(index=True, max_length=42)
    amount_minor: int = Field(sa_type=BigInteger)


class Payment(Book, table=True):
    """Books: one payment of an obligor as attested by its paying bank."""

    __tablename__ = "book_payment"

    receivable_id: int = Field(primary_key=True, sa_type=BigInteger)
    round: int = Field(primary_key=True)
    bank: str = Field(max_length=42)
    principal_minor: int = Field(sa_type=BigInteger)
    interest_minor: int = Field(sa_type=BigInteger)
    base_minor: int = Field(sa_type=BigInteger, description="Outstanding before this payment")
    bank_reference: str = Field(index=True, max_length=66)
    paid_at: int = Field(sa_type=BigInteger)


class Settlement(Book, table=True):
    """Books: what one note received of one payment."""

    __tablename__ = "book_settlement"

    note_id: str = Field(primary_key=True, max_length=66)
    round: int = Field(primary_key=True)
    receivable_id: int = Field(sa_type=BigInteger, index=True)
    payee: str = Field(index=True, max_length=42)
    principal_minor: int = Field(sa_type=BigInteger)
    interest_minor: int = Field(sa_type=BigInteger)
    settled_at: int = Field(sa_type=BigInteger)


class Financing(Book, table=True):
    """Books: the firm price a note was locked at, and what completed it. Price figures in minor units, APR in ppm."""

    __tablename__ = "book_financing"

    note_id: str = Field(primary_key=True, max_length=66)
    receivable_id: int = Field(sa_type=BigInteger, index=True)
    quote_hash: str = Field(index=True, max_length=66)
    seller: str = Field(index=True, max_length=42)
    financier: str = Field(index=True, max_length=42)
    paying_bank: str = Field(max_length=42)
    amount_minor: int = Field(sa_type=BigInteger)
    net_minor: int = Field(sa_type=BigInteger)
    discount_minor: int = Field(sa_type=BigInteger)
    fees_minor: int = Field(sa_type=BigInteger)
    apr_ppm: int
    recourse: bool
    terms: str = Field(max_length=66)
    reading: str = Field(max_length=66, description="Hash of the text read and confirmed")
    entrusted_account: int = Field(default=0, sa_type=BigInteger)
    lock_until: int = Field(sa_type=BigInteger)
    registration: str | None = Field(default=None)
    bank_reference: str | None = Field(default=None, max_length=66)
    completed_at: int | None = Field(default=None, sa_type=BigInteger)


class NoteHold(Book, table=True):
    """Books: a court order's freeze or forced move of a note, with the hash of its reason."""

    __tablename__ = "book_note_hold"

    id: str = Field(primary_key=True, description="block number : log index of the order")
    note_id: str = Field(index=True, max_length=66)
    kind: str = Field(description="frozen, released or moved")
    reason: str = Field(max_length=66)
    ordered_at: int = Field(sa_type=BigInteger)


class Dossier(SQLModel, table=True):
    """The documents behind one issue or pass: which evidence stands behind the commitment on the ledger."""

    __tablename__ = "dossier"

    document: str = Field(primary_key=True, max_length=66, description="Commitment on the ledger")
    salt: str = Field(max_length=66)
    evidence_ids: str = Field(description="Evidence ids (sha-256, hex), comma separated, in the order committed")
    order_reference: str | None = Field(default=None, index=True)
    invoice_number: str | None = Field(default=None)
    invoice_minor: int | None = Field(default=None, sa_type=BigInteger)
    delivered_on: str | None = Field(default=None)
    made_at: int = Field(sa_type=BigInteger)


class TradeTerms(SQLModel, table=True):
    """Terms of the trade behind a dossier that rules ask for and no document of it says. Dates in ISO text."""

    __tablename__ = "trade_terms"

    document: str = Field(primary_key=True, max_length=66)
    payment_due_on: str | None = Field(default=None, max_length=10)
    accepted_on: str | None = Field(default=None, max_length=10)
    inspection_days: int | None = Field(default=None)
    term_agreed: bool | None = Field(default=None)
    prepayment: bool | None = Field(default=None)
    invoice_assigned: bool | None = Field(default=None)
    term_review: str | None = Field(default=None, description="The bank's recorded review of a longer term")
