"""Programmes and limits: what a core enterprise allows, how much is used, how much is free, and who refuses beyond.

The obligor's own limit is on the ledger as well. Limits of a group of obligors and of a financier are judged here under
one lock: a submitted act reserves its amount until the books show it or the reservation runs out.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from scf.desk.service import Desk
from scf.kernel.dates import add_months, day_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.models import Member
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.judging import hex_text
from scf.receivables.models import Financing, Note, NoteState, Receivable, ReceivableState
from scf.store.engine import is_postgresql

RESERVED_SECONDS = 900


class Programme(SQLModel, table=True):
    """Terms under which one obligor issues in one currency. Amounts in minor units, times in unix seconds."""

    __tablename__ = "programme"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=140)
    obligor: str = Field(index=True, max_length=42)
    currency: str = Field(max_length=3)
    tenor_months: int | None = Field(default=None, description="Longest term in calendar months")
    tenor_days: int | None = Field(default=None, description="Longest term in days")
    max_tier: int = 8
    min_minor: int = Field(default=1, sa_type=BigInteger)
    max_children: int = 500
    financiers: str = Field(default="", sa_type=sa.Text, description="Approved addresses, comma separated; blank: any")
    wording_en: str = Field(default="", sa_type=sa.Text)
    wording_zh: str = Field(default="", sa_type=sa.Text)
    opened_at: int = Field(sa_type=BigInteger)
    closed_at: int | None = Field(default=None, sa_type=BigInteger)


class GroupMember(SQLModel, table=True):
    """An obligor belongs to a group of companies whose debts count together."""

    __tablename__ = "group_member"

    obligor: str = Field(primary_key=True, max_length=42)
    group_name: str = Field(index=True, max_length=80)


class ExposureLimit(SQLModel, table=True):
    """The most that a group may owe or a financier may have bought, in minor units of a currency."""

    __tablename__ = "exposure_limit"
    __table_args__ = (sa.CheckConstraint("limit_minor >= 0", name="exposure_limit_amount"),)

    kind: str = Field(primary_key=True, max_length=10, description="group or financier")
    subject: str = Field(primary_key=True, max_length=80)
    currency: str = Field(primary_key=True, max_length=3)
    limit_minor: int = Field(sa_type=BigInteger)
    set_at: int = Field(sa_type=BigInteger)


class LimitReservation(SQLModel, table=True):
    """An amount on its way to the ledger; it counts until the books show the act, or until it runs out."""

    __tablename__ = "limit_reservation"

    kind: str = Field(primary_key=True, max_length=10)
    reference: str = Field(primary_key=True, max_length=66, description="Fingerprint of the issue or hash of the quote")
    subject: str = Field(index=True, max_length=80)
    currency: str = Field(max_length=3)
    amount_minor: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit as it stands, shown before anyone signs. Amounts in minor units."""

    kind: str
    subject: str
    currency: str
    limit_minor: int
    used_minor: int

    @property
    def free_minor(self) -> int:
        """What may still be used, never below zero."""
        return max(0, self.limit_minor - self.used_minor)


class Programmes:
    """The door to programmes and limits; its `check` and `reserve` are asked by whoever judges an act."""

    def __init__(self, desk: Desk, parties: Parties) -> None:
        self._desk = desk
        self._parties = parties

    def open(self, session: Session, *, name: str, obligor: str, currency: str, **terms: Any) -> Programme:
        """Open a programme; terms as in `Programme`. Raises Problem `programme_exists`."""
        code = currency_of(currency).code
        self._parties.member(session, obligor)
        if self.of(session, obligor, code) is not None:
            raise Problem("programme_exists", who=self._parties.name_of(session, obligor), currency=code)
        financiers = terms.pop("financiers", ())
        row = Programme(
            name=name,
            obligor=obligor,
            currency=code,
            financiers=",".join(financiers),
            opened_at=self._desk.clock.now(),
            **terms,
        )
        session.add(row)
        session.flush()
        return row

    def close(self, session: Session, programme_id: int) -> None:
        """End a programme; what was issued under it goes on."""
        row = session.get(Programme, programme_id)
        if row is not None and row.closed_at is None:
            row.closed_at = self._desk.clock.now()
            session.add(row)

    def of(self, session: Session, obligor: str, currency: str) -> Programme | None:
        """The open programme of an obligor in a currency."""
        return session.exec(
            select(Programme).where(
                Programme.obligor == obligor, Programme.currency == currency, col(Programme.closed_at).is_(None)
            )
        ).first()

    def all(self, session: Session) -> Sequence[Programme]:
        """All programmes, oldest first."""
        return session.exec(select(Programme).order_by(col(Programme.id))).all()

    # Limits ----------------------------------------------------------------------------------------------------------

    def group(self, session: Session, obligor: str, group_name: str) -> None:
        """Say that an obligor belongs to a group."""
        session.merge(GroupMember(obligor=obligor, group_name=group_name))
        session.flush()

    def set_limit(self, session: Session, kind: str, subject: str, currency: str, limit_minor: int) -> None:
        """Set the limit of a `group` (by name) or a `financier` (by address). The obligor's own is on the ledger."""
        if kind not in ("group", "financier"):
            raise Problem("unknown_limit_kind", kind=kind)
        code = currency_of(currency).code
        session.merge(
            ExposureLimit(
                kind=kind, subject=subject, currency=code, limit_minor=limit_minor, set_at=self._desk.clock.now()
            )
        )
        session.flush()

    def limits(
        self, session: Session, *, obligor: str | None = None, financier: str | None = None, currency: str = "CNY"
    ) -> list[LimitView]:
        """Limits that bind an obligor (its own, its group's) and a financier, with what is used and free."""
        views = []
        if obligor is not None:
            member = session.get(Member, obligor)
            if member is not None:
                used = queries.outstanding_of(session, obligor)
                views.append(LimitView("obligor", obligor, currency, member.limit_minor, used))
            group = session.get(GroupMember, obligor)
            if group is not None:
                views += self._view(session, "group", group.group_name, currency)
        if financier is not None:
            views += self._view(session, "financier", financier, currency)
        return views

    def check(self, session: Session, act: str, message: Mapping[str, Any]) -> None:
        """Refuse an act beyond its programme or its group's limit.

        Raises Problem `programme_…` or `amount_above_group_limit`.
        """
        if act == "issue":
            self._check_issue(session, message)
        elif act == "pass":
            self._check_pass(session, message)
        elif act == "finance":
            self._check_finance(session, message)

    def reserve(self, session: Session, act: str, message: Mapping[str, Any]) -> None:
        """Hold the amount of a submitted act against group and financier limits, under one lock; again changes nothing.

        `issue` takes the issue's message; `finance` takes `quoteHash`, `financier`, `amount` and `currency`.
        """
        if act == "issue":
            code = currency_of(int(message["currency"])).code
            group = session.get(GroupMember, message["obligor"])
            if group is not None:
                reference = hex_text(message["fingerprint"])
                self._hold(session, "group", group.group_name, code, reference, int(message["face"]))
        elif act == "finance":
            reference = hex_text(message["quoteHash"])
            who, code = str(message["financier"]), str(message["currency"])
            self._hold(session, "financier", who, code, reference, int(message["amount"]))

    # Inside ----------------------------------------------------------------------------------------------------------

    def _check_issue(self, session: Session, message: Mapping[str, Any]) -> None:
        code = currency_of(int(message["currency"])).code
        programme = self.of(session, message["obligor"], code)
        issued, matures = day_of(self._desk.clock.now()), day_of(int(message["maturity"]))
        if programme is not None:
            latest = latest_maturity(programme, issued)
            if latest is not None and matures > latest:
                raise Problem("programme_tenor", programme=programme.name, latest=latest.isoformat())
            if int(message["maxTier"]) > programme.max_tier:
                raise Problem("programme_tiers", programme=programme.name, maximum=programme.max_tier)
            if int(message["minAmount"]) < programme.min_minor:
                smallest = format_money(programme.min_minor, code)
                raise Problem("programme_smallest", programme=programme.name, minimum=smallest)
        for view in self.limits(session, obligor=message["obligor"], currency=code):
            if view.kind == "group":
                self._require_free(view, int(message["face"]))

    def _check_pass(self, session: Session, message: Mapping[str, Any]) -> None:
        note = queries.note(session, hex_text(message["parentId"]))
        row = queries.receivable(session, note.receivable_id)
        programme = self.of(session, row.obligor, row.currency)
        if programme is None:
            return
        if note.tier + 1 > programme.max_tier:
            raise Problem("programme_tiers", programme=programme.name, maximum=programme.max_tier)
        if note.children + 1 > programme.max_children:
            raise Problem("programme_parts", programme=programme.name, maximum=programme.max_children)
        if int(message["amount"]) < programme.min_minor:
            smallest = format_money(programme.min_minor, row.currency)
            raise Problem("programme_smallest", programme=programme.name, minimum=smallest)

    def _check_finance(self, session: Session, message: Mapping[str, Any]) -> None:
        note = queries.note(session, hex_text(message["noteId"]))
        row = queries.receivable(session, note.receivable_id)
        programme = self.of(session, row.obligor, row.currency)
        if programme is None or not programme.financiers:
            return
        for who in message["invited"]:
            if who not in programme.financiers.split(","):
                name = self._parties.name_of(session, who)
                raise Problem("programme_financier", programme=programme.name, who=name)

    def _view(self, session: Session, kind: str, subject: str, currency: str) -> list[LimitView]:
        row = session.get(ExposureLimit, (kind, subject, currency))
        if row is None:
            return []
        used = self._booked(session, kind, subject, currency) + self._reserved(session, kind, subject, currency)
        return [LimitView(kind, subject, currency, row.limit_minor, used)]

    def _booked(self, session: Session, kind: str, subject: str, currency: str) -> int:
        if kind == "group":
            query = (
                select(sa.func.coalesce(sa.func.sum(col(Receivable.outstanding_minor)), 0))
                .join(GroupMember, col(GroupMember.obligor) == col(Receivable.obligor))
                .where(GroupMember.group_name == subject, Receivable.currency == currency)
            )
        else:
            query = (
                select(sa.func.coalesce(sa.func.sum(col(Note.amount_minor)), 0))
                .join(Financing, col(Financing.note_id) == col(Note.id))
                .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
                .where(
                    Financing.financier == subject,
                    Receivable.currency == currency,
                    col(Note.state).in_((NoteState.HELD, NoteState.LOCKED)),
                )
            )
        return int(session.exec(query).one())

    def _reserved(self, session: Session, kind: str, subject: str, currency: str, besides: str = "") -> int:
        if kind == "group":
            booked = select(Receivable.fingerprint).where(Receivable.state != ReceivableState.CANCELLED)
        else:
            booked = select(Financing.quote_hash)
        query = select(sa.func.coalesce(sa.func.sum(col(LimitReservation.amount_minor)), 0)).where(
            LimitReservation.kind == kind,
            LimitReservation.subject == subject,
            LimitReservation.currency == currency,
            LimitReservation.until > self._desk.clock.now(),
            LimitReservation.reference != besides,
            col(LimitReservation.reference).not_in(booked),
        )
        return int(session.exec(query).one())

    def _hold(
        self, session: Session, kind: str, subject: str, currency: str, reference: str, amount_minor: int
    ) -> None:
        if session.get(ExposureLimit, (kind, subject, currency)) is None:
            return
        connection = session.connection()
        if is_postgresql(connection):
            session.execute(sa.select(sa.func.pg_advisory_xact_lock(zlib.crc32(b"exposure limits"))))
        limit = session.get(ExposureLimit, (kind, subject, currency), populate_existing=True)
        used = self._booked(session, kind, subject, currency)
        used += self._reserved(session, kind, subject, currency, besides=reference)
        if limit is not None:
            self._require_free(LimitView(kind, subject, currency, limit.limit_minor, used), amount_minor)
        session.merge(
            LimitReservation(
                kind=kind,
                reference=reference,
                subject=subject,
                currency=currency,
                amount_minor=amount_minor,
                until=self._desk.clock.now() + RESERVED_SECONDS,
            )
        )
        session.flush()

    def _require_free(self, view: LimitView, amount_minor: int) -> None:
        if amount_minor <= view.free_minor:
            return
        shown: dict[str, Any] = {
            "amount": format_money(amount_minor, view.currency),
            "limit": format_money(view.limit_minor, view.currency),
            "used": format_money(view.used_minor, view.currency),
            "free": format_money(view.free_minor, view.currency),
        }
        if view.kind == "group":
            raise Problem("amount_above_group_limit", group=view.subject, **shown)
        raise Problem("amount_above_financier_limit", **shown)


def latest_maturity(programme: Programme, issued_on: date) -> date | None:
    """The last day a receivable issued today may mature under a programme; None when it sets no term."""
    ends = []
    if programme.tenor_months is not None:
        ends.append(add_months(issued_on, programme.tenor_months))
    if programme.tenor_days is not None:
        ends.append(issued_on + timedelta(days=programme.tenor_days))
    return min(ends, default=None)
