"""Programmes and limits: what a core enterprise allows, how much is used, how much is free, and who refuses beyond.

The limits of an obligor, of its group and of a financier are on the ledger, which refuses beyond them. Here they are
shown before anyone signs, and judged under one lock, so that nobody is told yes who would be refused there: a submitted
act reserves its amount until the books show it or the reservation runs out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
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
from scf.parties.limits import group_name, limit_of
from scf.parties.models import Member
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.judging import hex_text
from scf.receivables.models import Financing, Note, NoteState, Receivable, ReceivableState
from scf.store.engine import is_postgresql

RESERVED_SECONDS = 900
RANGES: Mapping[str, tuple[int, int]] = {
    "tenor_months": (1, 120),
    "tenor_days": (1, 3_660),
    "max_tier": (1, 250),
    "min_minor": (1, 2**48 - 1),
    "max_children": (1, 65_535),
    "funding_days": (0, 2),
}
"""What a programme's terms may be: months, days, tiers, minor units, parts, business days (T+0 to T+2)."""


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
    funding_days: int | None = Field(default=None, description="Business days from price to payment; blank: by rule")
    financiers: str = Field(default="", sa_type=sa.Text, description="Approved addresses, comma separated; blank: any")
    wording_en: str = Field(default="", sa_type=sa.Text)
    wording_zh: str = Field(default="", sa_type=sa.Text)
    opened_at: int = Field(sa_type=BigInteger)
    closed_at: int | None = Field(default=None, sa_type=BigInteger)


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
        self.funding_rule: Callable[[], tuple[str, int]] = lambda: ("-", RANGES["funding_days"][1])
        """The rule on the day of payment in force today, and its business days."""

    def open(self, session: Session, *, name: str, obligor: str, currency: str, **terms: Any) -> Programme:
        """Open a programme; terms as in `Programme`. Raises Problem `programme_exists`."""
        code = currency_of(currency).code
        self._parties.member(session, obligor)
        self.check_terms(terms)
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

    def check_terms(self, terms: Mapping[str, Any]) -> None:
        """Raises Problem `programme_terms` with the term and its range, `programme_funding_days` with the rule."""
        for name, (least, most) in RANGES.items():
            if terms.get(name) is not None and not least <= int(terms[name]) <= most:
                raise Problem("programme_terms", term=name, least=least, most=most, given=terms[name])
        rule, days = self.funding_rule()
        if terms.get("funding_days") is not None and int(terms["funding_days"]) > days:
            raise Problem("programme_funding_days", given=terms["funding_days"], most=days, rule=rule)

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

    def at(self, session: Session, obligor: str, currency: str, moment: int) -> Programme | None:
        """The programme open at a moment: what is closed or opened later changes nothing for what was issued before."""
        return session.exec(
            select(Programme)
            .where(
                Programme.obligor == obligor,
                Programme.currency == currency,
                Programme.opened_at <= moment,
                sa.or_(col(Programme.closed_at).is_(None), col(Programme.closed_at) > moment),
            )
            .order_by(col(Programme.id))
        ).first()

    def of_receivable(self, session: Session, row: Receivable) -> Programme | None:
        """The programme a receivable was issued under."""
        return self.at(session, row.obligor, row.currency, row.issued_at)

    def wording(self, session: Session, obligor: str, currency: str, moment: int) -> tuple[str, str]:
        """The contract wording to be read with an issue and its acceptance, in English and Chinese; blank for none."""
        programme = self.at(session, obligor, currency, moment)
        if programme is None or not (programme.wording_en or programme.wording_zh):
            return "", ""
        english, chinese = programme.wording_en or programme.wording_zh, programme.wording_zh or programme.wording_en
        return f" Terms of the programme “{programme.name}”: {english}", f"项目“{programme.name}”条款：{chinese}"

    def funding_days(self, session: Session, row: Receivable) -> int | None:
        """Business days to payment its programme asks for; None where the rule alone says."""
        programme = self.of_receivable(session, row)
        return programme.funding_days if programme else None

    def all(self, session: Session) -> Sequence[Programme]:
        """All programmes, oldest first."""
        return session.exec(select(Programme).order_by(col(Programme.id))).all()

    # Limits ----------------------------------------------------------------------------------------------------------

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
                if member.group_number:
                    views += self._view(session, "group", str(member.group_number), currency)
        if financier is not None:
            views += self._view(session, "financier", financier, currency)
        return views

    def check(self, session: Session, act: str, message: Mapping[str, Any]) -> None:
        """Refuse an act beyond its programme or its group's limit.

        Raises Problem `programme_…`, `amount_above_group_limit` or `amount_above_financier_limit`.
        """
        if act == "issue":
            self._check_issue(session, message)
        elif act == "pass":
            self._check_pass(session, message)
        elif act == "finance":
            self._check_finance(session, message)
        elif act == "quote":
            for view in self._view(session, "financier", str(message["financier"]), str(message["currency"])):
                self._require_free(view, int(message["amount"]))

    def reserve(self, session: Session, act: str, message: Mapping[str, Any]) -> None:
        """Hold the amount of a submitted act against group and financier limits, under one lock; again changes nothing.

        `issue` takes the issue's message; `finance` takes `quoteHash`, `financier`, `amount` and `currency`.
        """
        if act == "issue":
            code = currency_of(int(message["currency"])).code
            member = session.get(Member, message["obligor"])
            if member is not None and member.group_number:
                reference = hex_text(message["fingerprint"])
                self._hold(session, "group", str(member.group_number), code, reference, int(message["face"]))
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
        programme = self.of_receivable(session, row)
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
        programme = self.of_receivable(session, row)
        if programme is None or not programme.financiers:
            return
        for who in message["invited"]:
            if who not in programme.financiers.split(","):
                name = self._parties.name_of(session, who)
                raise Problem("programme_financier", programme=programme.name, who=name)

    def _view(self, session: Session, kind: str, subject: str, currency: str) -> list[LimitView]:
        limit_minor = limit_of(session, kind, subject, currency)
        if limit_minor is None:
            return []
        used = self._booked(session, kind, subject, currency) + self._reserved(session, kind, subject, currency)
        shown = group_name(session, int(subject)) if kind == "group" else subject
        return [LimitView(kind, shown, currency, limit_minor, used)]

    def _booked(self, session: Session, kind: str, subject: str, currency: str) -> int:
        if kind == "group":
            query = (
                select(sa.func.coalesce(sa.func.sum(col(Receivable.outstanding_minor)), 0))
                .join(Member, col(Member.address) == col(Receivable.obligor))
                .where(Member.group_number == int(subject), Receivable.currency == currency)
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
            # One that was cancelled before may be issued again under its fingerprint; that one is not booked yet.
            since = col(LimitReservation.until) - RESERVED_SECONDS
            booked = select(Receivable.fingerprint).where(
                sa.or_(col(Receivable.state) != ReceivableState.CANCELLED, col(Receivable.issued_at) >= since)
            )
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
        if limit_of(session, kind, subject, currency) is None:
            return
        connection = session.connection()
        if is_postgresql(connection):
            session.execute(sa.select(sa.func.pg_advisory_xact_lock(zlib.crc32(b"exposure limits"))))
        limit_minor = limit_of(session, kind, subject, currency)
        used = self._booked(session, kind, subject, currency)
        used += self._reserved(session, kind, subject, currency, besides=reference)
        if limit_minor is not None:
            shown = group_name(session, int(subject)) if kind == "group" else subject
            self._require_free(LimitView(kind, shown, currency, limit_minor, used), amount_minor)
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
