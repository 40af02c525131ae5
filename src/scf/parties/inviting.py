"""A core enterprise invites a supplier that is not here yet: a link, good for one firm, once, until it expires.

Nothing is offered with it and nothing is owed by it; the firm joins with three answers as by any other invitation, and
can be issued to and paid once two operators enrolled it. Only the digest of the link's secret is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from scf.desk.service import Desk
from scf.kernel.identifiers import new_reference, secret_digest
from scf.kernel.problems import Problem
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.engine import BIG
from scf.store.evidence import Trust

GOOD_SECONDS = 14 * 86_400
"""How long a link is good."""


class SupplierInvitation(SQLModel, table=True):
    """One link of a core enterprise. Times in unix seconds."""

    __tablename__ = "supplier_invitation"

    id: str = Field(primary_key=True, max_length=24)
    digest: str = Field(unique=True, max_length=64, description="SHA-256 of the link's secret, hex")
    inviter: str = Field(index=True, max_length=42)
    to_name: str = Field(default="", max_length=120, description="Whom the enterprise has in mind")
    made_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG)
    withdrawn_at: int | None = Field(default=None, sa_type=BIG)
    joined_at: int | None = Field(default=None, sa_type=BIG)
    joined_as: str | None = Field(default=None, max_length=42)
    application_id: str | None = Field(default=None, index=True, max_length=24)
    evidence_id: str = Field(max_length=64)


class SupplierInvitations:
    """The door to invitations without a note."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def invite(self, session: Session, inviter: str, to_name: str) -> tuple[SupplierInvitation, str]:
        """Keep an invitation and return it with the link's secret, which is not kept."""
        now, secret, number = self._desk.clock.now(), secrets.token_urlsafe(18), new_reference("V")
        name = " ".join(to_name.split())[:120]
        kept = evidence.record(
            session,
            canonical_json({"invitation": number, "by": inviter, "to": name, "at": now}),
            kind="invitation",
            source="pages",
            sender=inviter,
            trust=Trust.T0,
            received_at=now,
            name=f"invitation-{number}.json",
        )
        row = SupplierInvitation(
            id=number,
            digest=secret_digest(secret),
            inviter=inviter,
            to_name=name,
            made_at=now,
            expires_at=now + GOOD_SECONDS,
            evidence_id=kept.evidence_id,
        )
        session.add(row)
        session.flush()
        return row, secret

    def find(self, session: Session, secret: str) -> SupplierInvitation:
        """The invitation behind a link. Raises Problem `supplier_link_over` for one unknown or taken back."""
        row = session.exec(
            select(SupplierInvitation).where(SupplierInvitation.digest == secret_digest(secret))
        ).one_or_none()
        if row is None or row.withdrawn_at is not None:
            raise Problem("supplier_link_over")
        return row

    def stage(self, row: SupplierInvitation) -> str:
        """`open`, `expired`, `withdrawn` or `joined`."""
        if row.withdrawn_at is not None:
            return "withdrawn"
        if row.joined_as is not None:
            return "joined"
        return "expired" if row.expires_at <= self._desk.clock.now() else "open"

    def take(self, session: Session, row: SupplierInvitation, address: str, application_id: str | None) -> None:
        """Use the link up for one firm, once among any number at the same moment. Raises `supplier_link_over`."""
        now = self._desk.clock.now()
        taken = session.exec(
            sa.update(SupplierInvitation)
            .where(
                col(SupplierInvitation.id) == row.id,
                col(SupplierInvitation.joined_as).is_(None),
                col(SupplierInvitation.withdrawn_at).is_(None),
                col(SupplierInvitation.expires_at) > now,
            )
            .values(joined_as=address, joined_at=now, application_id=application_id)
        )
        if taken.rowcount != 1:
            raise Problem("supplier_link_over")
        session.refresh(row)

    def withdraw(self, session: Session, invitation_id: str, firm: Collection[str]) -> None:
        """Take an open invitation back. Raises Problem `unknown_supplier_link`, also for another's or a used one."""
        row = self.own(session, invitation_id, firm)
        if self.stage(row) not in ("open", "expired"):
            raise Problem("unknown_supplier_link")
        row.withdrawn_at = self._desk.clock.now()
        session.add(row)

    def own(self, session: Session, invitation_id: str, firm: Collection[str]) -> SupplierInvitation:
        """An invitation of one's own firm. Raises Problem `unknown_supplier_link`."""
        row = session.get(SupplierInvitation, invitation_id)
        if row is None or row.inviter not in firm:
            raise Problem("unknown_supplier_link")
        return row

    def of(self, session: Session, firm: Collection[str], *, limit: int = 100) -> Sequence[SupplierInvitation]:
        """A firm's invitations, newest first."""
        query = select(SupplierInvitation).where(col(SupplierInvitation.inviter).in_(firm))
        order = query.order_by(col(SupplierInvitation.made_at).desc(), col(SupplierInvitation.id))
        return session.exec(order.limit(limit)).all()

    def of_application(self, session: Session, application_id: str) -> Sequence[SupplierInvitation]:
        """Invitations a firm came in by."""
        return session.exec(select(SupplierInvitation).where(SupplierInvitation.application_id == application_id)).all()
