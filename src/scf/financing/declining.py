"""A financier says no to a request, with its reason; the asker reads it, the other financiers do not."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from scf.financing.models import FinancingAsk, QuoteOffer
from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust


class Declined(SQLModel, table=True):
    """One financier's no to one request. Times in unix seconds."""

    __tablename__ = "financing_declined"

    ask_id: str = Field(primary_key=True, foreign_key="financing_ask.id")
    financier: str = Field(primary_key=True, max_length=42)
    reason: str = Field(sa_type=sa.Text)
    by: str = Field(max_length=42, description="Seat of the person who declined")
    at: int = Field(sa_type=BigInteger)
    evidence_id: str = Field(max_length=64)


def decline(session: Session, ask_id: str, financier: str, by: str, reason: str, *, clock: Clock) -> Declined:
    """Say no, once; the same again changes nothing.

    Raises Problem `unknown_ask`, `not_invited`, `decline_needs_reason` or `decline_after_quote`.
    """
    ask = session.get(FinancingAsk, ask_id)
    if ask is None:
        raise Problem("unknown_ask", ask=ask_id[:40])
    if financier not in ask.invited.split(","):
        raise Problem("not_invited", who=financier)
    found = session.get(Declined, (ask_id, financier))
    if found is not None:
        return found
    said = reason.strip()[:600]
    if not said:
        raise Problem("decline_needs_reason")
    quoted = select(QuoteOffer.quote_hash).where(
        QuoteOffer.ask_id == ask_id, QuoteOffer.financier == financier, QuoteOffer.expires_at > clock.now()
    )
    if session.exec(quoted).first() is not None:
        raise Problem("decline_after_quote")
    kept = evidence.record(
        session,
        canonical_json({"ask": ask_id, "financier": financier, "by": by, "reason": said, "at": clock.now()}),
        kind="declined",
        source="scf",
        sender=by,
        trust=Trust.T2,
        received_at=clock.now(),
        name=f"declined {ask_id}",
    )
    found = Declined(
        ask_id=ask_id, financier=financier, reason=said, by=by, at=clock.now(), evidence_id=kept.evidence_id
    )
    session.add(found)
    session.flush()
    return found


def declined_by(session: Session, financiers: Collection[str]) -> set[str]:
    """Requests these financiers said no to."""
    return set(session.exec(select(Declined.ask_id).where(col(Declined.financier).in_(financiers))))


def refusals_of(session: Session, ask_id: str) -> Sequence[Declined]:
    """Who said no to a request and why, oldest first."""
    return session.exec(select(Declined).where(Declined.ask_id == ask_id).order_by(col(Declined.at))).all()
