"""Invitations: a holder wishes to pass a part of a note to a firm that is not a member yet.

The ledger knows only enrolled recipients, so the wish is kept here, off the ledger, and locks nothing: the note stays
the holder's until the firm is enrolled, the holder signs the pass to its address, and the firm accepts. The link works
for one firm, once, until it expires; only its digest is kept.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from scf.desk.service import Desk, Prepared
from scf.kernel.dates import day_of
from scf.kernel.identifiers import new_reference, secret_digest
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Note, NoteState
from scf.receivables.service import PassRequest, Receivables
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.engine import BIG
from scf.store.evidence import Trust

DAYS = (3, 7, 14, 30)
"""For how many days a link may be good."""
_DAY = 86_400


class Stage(StrEnum):
    """How far an invitation has come."""

    OPEN = "open"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    JOINED = "joined"
    """The firm asked to take part, or was a member already; the pass is not signed yet."""
    PASSED = "passed"


class Invitation(SQLModel, table=True):
    """A holder's wish. Amounts in minor units, times in unix seconds."""

    __tablename__ = "invitation"
    __table_args__ = (sa.CheckConstraint("amount_minor > 0", name="invitation_amount"),)

    id: str = Field(primary_key=True, max_length=24)
    digest: str = Field(unique=True, max_length=64, description="SHA-256 of the link's secret, hex")
    note_id: str = Field(index=True, max_length=66)
    inviter: str = Field(index=True, max_length=42)
    amount_minor: int = Field(sa_type=BIG)
    currency: str = Field(max_length=3)
    document: str = Field(max_length=66, description="Commitment to the documents of the trade")
    trade: str = Field(sa_type=sa.Text, description="What the holder said of the trade, JSON")
    to_name: str = Field(default="", max_length=120, description="Whom the holder has in mind")
    sign_at_once: bool = Field(default=False, description="The holder's demo key signs as soon as the firm is enrolled")
    made_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG)
    withdrawn_at: int | None = Field(default=None, sa_type=BIG)
    joined_at: int | None = Field(default=None, sa_type=BIG)
    joined_as: str | None = Field(default=None, max_length=42, description="Member address the offer goes to")
    application_id: str | None = Field(default=None, index=True, max_length=24)
    evidence_id: str = Field(max_length=64, description="The wish as it was filed")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a holder asks for: who may join with which amount of which note."""

    note_id: str
    amount_minor: int
    document: str
    trade: Mapping[str, Any]
    to_name: str = ""
    days: int = 7
    sign_at_once: bool = False


class Invitations:
    """The door to invitations."""

    def __init__(self, desk: Desk, parties: Parties, receivables: Receivables) -> None:
        self._desk = desk
        self._parties = parties
        self._receivables = receivables

    def invite(self, session: Session, holders: Collection[str], wish: Wish) -> tuple[Invitation, str]:
        """Keep a holder's wish and return it with the link's secret, which is not kept.

        Raises Problem `unknown_note`, `invitation_days`, `invitation_above_note`, and what would refuse the pass.
        """
        note = queries.note(session, wish.note_id)
        if note.holder not in holders:
            raise Problem("unknown_note", note=wish.note_id)
        if wish.days not in DAYS:
            raise Problem("invitation_days", days=", ".join(str(days) for days in DAYS))
        self._receivables.judge_pass(session, note.id, wish.amount_minor, wish.document)
        receivable = queries.receivable(session, note.receivable_id)
        promised_minor = self.promised(session, note.id)
        if promised_minor + wish.amount_minor > note.amount_minor:
            raise Problem(
                "invitation_above_note",
                amount=format_money(wish.amount_minor, receivable.currency),
                free=format_money(max(0, note.amount_minor - promised_minor), receivable.currency),
                promised=format_money(promised_minor, receivable.currency),
            )
        now = self._desk.clock.now()
        secret, number = secrets.token_urlsafe(18), new_reference("V")
        said = {"invitation": number, "note": note.id, "amount_minor": wish.amount_minor, "document": wish.document}
        kept = evidence.record(
            session,
            canonical_json({**said, "by": note.holder, "to": wish.to_name, "at": now}),
            kind="invitation",
            source="pages",
            sender=note.holder,
            trust=Trust.T0,
            received_at=now,
            name=f"invitation-{number}.json",
        )
        row = Invitation(
            id=number,
            evidence_id=kept.evidence_id,
            digest=secret_digest(secret),
            note_id=note.id,
            inviter=note.holder,
            amount_minor=wish.amount_minor,
            currency=receivable.currency,
            document=wish.document,
            trade=canonical_json(dict(wish.trade)).decode(),
            to_name=" ".join(wish.to_name.split())[:120],
            sign_at_once=wish.sign_at_once,
            made_at=now,
            expires_at=min(now + wish.days * _DAY, receivable.maturity),
        )
        session.add(row)
        session.flush()
        return row, secret

    def promised(self, session: Session, note_id: str) -> int:
        """What open invitations of a note, and those whose pass is not signed yet, add up to, in minor units."""
        rows = session.exec(select(Invitation).where(Invitation.note_id == note_id)).all()
        return sum(row.amount_minor for row in rows if self.stage(session, row) in (Stage.OPEN, Stage.JOINED))

    def renew(self, session: Session, invitation_id: str, holders: Collection[str], *, days: int = 7) -> str:
        """A new link in place of one that was lost or expired; the old one stops working.

        Raises Problem `unknown_invitation` or `invitation_over`.
        """
        row = self.own(session, invitation_id, holders)
        if self.stage(session, row) not in (Stage.OPEN, Stage.EXPIRED):
            raise Problem("invitation_over")
        secret = secrets.token_urlsafe(18)
        maturity = queries.receivable(session, queries.note(session, row.note_id).receivable_id).maturity
        row.digest = secret_digest(secret)
        row.expires_at = min(self._desk.clock.now() + days * _DAY, maturity)
        session.add(row)
        return secret

    def withdraw(self, session: Session, invitation_id: str, holders: Collection[str]) -> None:
        """Take an invitation back. Raises Problem `unknown_invitation` or `invitation_over`."""
        row = self.own(session, invitation_id, holders)
        if self.stage(session, row) not in (Stage.OPEN, Stage.EXPIRED, Stage.JOINED):
            raise Problem("invitation_over")
        row.withdrawn_at = self._desk.clock.now()
        session.add(row)

    def own(self, session: Session, invitation_id: str, holders: Collection[str]) -> Invitation:
        """An invitation of the caller. Raises Problem `unknown_invitation`, also for another's."""
        row = session.get(Invitation, invitation_id)
        if row is None or row.inviter not in holders:
            raise Problem("unknown_invitation")
        return row

    def of(self, session: Session, holders: Collection[str], *, limit: int = 100) -> Sequence[Invitation]:
        """A holder's invitations, newest first."""
        query = select(Invitation).where(col(Invitation.inviter).in_(holders))
        return session.exec(query.order_by(col(Invitation.made_at).desc(), col(Invitation.id)).limit(limit)).all()

    def of_application(self, session: Session, application_id: str) -> Sequence[Invitation]:
        """Invitations a firm came in by."""
        return session.exec(select(Invitation).where(Invitation.application_id == application_id)).all()

    def get(self, session: Session, invitation_id: str) -> Invitation:
        """An invitation by its number. Raises Problem `unknown_invitation`."""
        row = session.get(Invitation, invitation_id)
        if row is None:
            raise Problem("unknown_invitation")
        return row

    def find(self, session: Session, secret: str) -> Invitation:
        """The invitation behind a link. Raises Problem `invitation_unknown`."""
        row = session.exec(select(Invitation).where(Invitation.digest == secret_digest(secret))).one_or_none()
        if row is None:
            raise Problem("invitation_unknown")
        return row

    def stage(self, session: Session, row: Invitation) -> Stage:
        """How far it has come; whether the pass is there is read from the books."""
        if row.joined_as is not None and self.passed(session, row) is not None:
            return Stage.PASSED
        if row.withdrawn_at is not None:
            return Stage.WITHDRAWN
        if row.joined_as is not None:
            return Stage.JOINED
        return Stage.EXPIRED if row.expires_at <= self._desk.clock.now() else Stage.OPEN

    def passed(self, session: Session, row: Invitation) -> Note | None:
        """The note that was passed on this invitation, or None."""
        query = select(Note).where(
            Note.parent_id == row.note_id,
            Note.holder == row.joined_as,
            Note.original_minor == row.amount_minor,
            col(Note.made_at) >= (row.joined_at or 0),
        )
        return session.exec(query.order_by(col(Note.child_index)).limit(1)).one_or_none()

    def take(self, session: Session, row: Invitation, address: str, application_id: str | None) -> None:
        """Use the link up for one firm, once among any number at the same moment.

        Raises Problem `invitation_over` or `invitation_expired`.
        """
        now = self._desk.clock.now()
        if row.expires_at <= now and row.joined_as is None:
            raise Problem("invitation_expired")
        taken = session.exec(
            sa.update(Invitation)
            .where(
                col(Invitation.id) == row.id,
                col(Invitation.joined_as).is_(None),
                col(Invitation.withdrawn_at).is_(None),
            )
            .values(joined_as=address, joined_at=now, application_id=application_id)
        )
        if taken.rowcount != 1:
            raise Problem("invitation_over")
        session.refresh(row)

    def prepare_pass(self, row: Invitation) -> Prepared:
        """What the holder signs once the firm is enrolled. Raises Problem of what refuses the pass."""
        return self._receivables.prepare_pass(
            PassRequest(row.note_id, str(row.joined_as), row.amount_minor, row.document)
        )

    def facts(self, session: Session, row: Invitation) -> dict[str, Any]:
        """What the invited firm is told: who, how much, due when, promised by whom, and whether it is still there."""
        note = queries.note(session, row.note_id)
        receivable = queries.receivable(session, note.receivable_id)
        there = note.state == NoteState.HELD and not note.frozen and note.amount_minor >= row.amount_minor
        return {
            "inviter": self._parties.name_of(session, row.inviter),
            "obligor": self._parties.name_of(session, receivable.obligor),
            "amount": {"minor": str(row.amount_minor), "currency": row.currency},
            "maturity": day_of(receivable.maturity).isoformat(),
            "expires_on": day_of(row.expires_at).isoformat(),
            "there": there,
        }

    def trade_of(self, row: Invitation) -> dict[str, Any]:
        """What the holder said of the trade behind it."""
        said: dict[str, Any] = json.loads(row.trade)
        return said
