"""What an auditor asks counterparties: debts of obligors, notes of holders, locked balances of banks, by the books."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col

from scf.entrusted.models import EntrustedAccount
from scf.receivables.models import Note, NoteState, Receivable, ReceivableState

OWED, HELD, LOCKED = "owed", "held", "locked"
MATTERS = (OWED, HELD, LOCKED)
"""Owed by an obligor; held by a holder, without what is still offered or locked; locked at a bank, an account each."""


class ConfirmationMatter(SQLModel, table=True):
    """What a question is about; a question without one asks an obligor what it owes."""

    __tablename__ = "audit_confirmation_matter"

    confirmation_id: int = Field(primary_key=True, foreign_key="audit_confirmation.id")
    matter: str = Field(max_length=10)
    subject: str = Field(default="", max_length=40, description="Number of the entrusted account, else empty")


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one counterparty, and the figure of the books it is not told (minor units)."""

    matter: str
    respondent: str
    currency: str
    books_minor: int
    subject: str = ""


def questions(session: Session, matters: Collection[str]) -> Iterator[Question]:
    """Every question the books give rise to now; nobody is asked about nothing."""
    if OWED in matters:
        yield from _owed(session)
    if HELD in matters:
        yield from _held(session)
    if LOCKED in matters:
        yield from _locked(session)


def _owed(session: Session) -> Iterator[Question]:
    query = (
        sa.select(col(Receivable.obligor), col(Receivable.currency), sa.func.sum(col(Receivable.outstanding_minor)))
        .where(col(Receivable.state) != ReceivableState.CANCELLED, col(Receivable.outstanding_minor) > 0)
        .group_by(col(Receivable.obligor), col(Receivable.currency))
        .order_by(col(Receivable.obligor), col(Receivable.currency))
    )
    for who, code, minor in session.execute(query):
        yield Question(OWED, who, code, int(minor))


def _held(session: Session) -> Iterator[Question]:
    query = (
        sa.select(col(Note.holder), col(Receivable.currency), sa.func.sum(col(Note.amount_minor)))
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(col(Note.state) == NoteState.HELD, col(Note.amount_minor) > 0)
        .group_by(col(Note.holder), col(Receivable.currency))
        .order_by(col(Note.holder), col(Receivable.currency))
    )
    for who, code, minor in session.execute(query):
        yield Question(HELD, who, code, int(minor))


def _locked(session: Session) -> Iterator[Question]:
    rest = col(EntrustedAccount.locked_minor) - EntrustedAccount.released_minor - EntrustedAccount.refunded_minor
    query = (
        sa.select(col(EntrustedAccount.bank), col(EntrustedAccount.currency), col(EntrustedAccount.id), rest)
        .where(col(EntrustedAccount.locked_at).is_not(None), rest > 0)
        .order_by(col(EntrustedAccount.id))
    )
    for who, code, number, minor in session.execute(query):
        yield Question(LOCKED, who, code, int(minor), str(number))
