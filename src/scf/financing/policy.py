"""A financier's own policy for automatic quotes: a grid of rates, what it adds, its limits and its end.

A policy is data. It is set and withdrawn by two people of the financier (`set_quote_policy`, `withdraw_quote_policy`);
what it says for an amount is a pure function, so that the figure a holder is shown is the figure that is signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import BigInteger
from sqlmodel import Field as Column
from sqlmodel import Session, SQLModel, col, select

from scf.desk.service import Desk
from scf.financing.price import PPM, Fee, format_rate
from scf.kernel.dates import day_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money, round_half_up
from scf.kernel.problems import Problem
from scf.parties.changes import Asked, ChangeKind
from scf.parties.service import Parties, Role
from scf.store.commands import canonical_json


class QuotePolicy(SQLModel, table=True):
    """A policy as two people of the financier set it; the newest one in force is asked. Times in unix seconds."""

    __tablename__ = "quote_policy"

    id: int | None = Column(default=None, primary_key=True)
    financier: str = Column(index=True, max_length=42)
    currency: str = Column(max_length=3)
    terms: str = Column(sa_type=sa.Text, description="`Terms` as canonical JSON")
    set_by: str = Column(max_length=42)
    agreed_by: str = Column(max_length=42)
    set_at: int = Column(sa_type=BigInteger)
    valid_until: int = Column(sa_type=BigInteger)
    withdrawn_at: int | None = Column(default=None, sa_type=BigInteger)


class Band(BaseModel):
    """The yearly rate up to so many days."""

    model_config = ConfigDict(extra="forbid")
    up_to_days: int = Field(gt=0, le=400)
    rate_ppm: int = Field(ge=0, le=PPM)


class Size(BaseModel):
    """What is added to the rate from an amount on; may be negative."""

    model_config = ConfigDict(extra="forbid")
    from_minor: int = Field(ge=0)
    add_ppm: int = Field(ge=-PPM, le=PPM)


class Buyer(BaseModel):
    """An obligor this financier buys from: what is added for it, and how much of it may be held in all."""

    model_config = ConfigDict(extra="forbid")
    add_ppm: int = Field(default=0, ge=-PPM, le=PPM)
    limit_minor: int = Field(ge=0)


class Terms(BaseModel):
    """Everything a policy says. Amounts in minor units, rates in parts per million a year."""

    model_config = ConfigDict(extra="forbid")
    financier: str
    currency: str
    paying_bank: str
    rates: list[Band] = Field(min_length=1, max_length=50)
    sizes: list[Size] = Field(default_factory=list, max_length=50)
    obligors: dict[str, Buyer] = Field(min_length=1, max_length=1000)
    min_minor: int = Field(ge=1)
    max_minor: int = Field(ge=1)
    fee_minor: int = Field(default=0, ge=0)
    fee_ppm: int = Field(default=0, ge=0, le=PPM)
    recourse: bool = False
    valid_until: int = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Terms:
        days = [band.up_to_days for band in self.rates]
        amounts = [size.from_minor for size in self.sizes]
        if days != sorted(set(days)) or amounts != sorted(set(amounts)):
            raise ValueError("bands rise and none comes twice")
        if self.min_minor > self.max_minor:
            raise ValueError("the smallest amount is above the largest")
        return self


@dataclass(frozen=True, slots=True)
class Offered:
    """What a policy says to one amount: rate and fees, or `refusal`, the name of what it refuses for."""

    rate_ppm: int = 0
    fees: tuple[Fee, ...] = ()
    refusal: str | None = None


def offered(terms: Terms, *, obligor: str, amount_minor: int, days: int, used_minor: int, payee: str) -> Offered:
    """Rate and fees for an amount of an obligor's debt over so many days, `used_minor` of it being held already.

    Refusals: `amount_too_small`, `amount_too_large`, `obligor_not_bought`, `limit_used`, `term_too_long`.
    """
    buyer = terms.obligors.get(obligor)
    if buyer is None:
        return Offered(refusal="obligor_not_bought")
    if amount_minor < terms.min_minor:
        return Offered(refusal="amount_too_small")
    if amount_minor > terms.max_minor:
        return Offered(refusal="amount_too_large")
    if used_minor + amount_minor > buyer.limit_minor:
        return Offered(refusal="limit_used")
    band = next((band for band in terms.rates if days <= band.up_to_days), None)
    if band is None:
        return Offered(refusal="term_too_long")
    size = next((size.add_ppm for size in reversed(terms.sizes) if amount_minor >= size.from_minor), 0)
    fee = terms.fee_minor + round_half_up_ppm(amount_minor, terms.fee_ppm)
    fees = (Fee("handling", payee, fee),) if fee else ()
    return Offered(max(0, band.rate_ppm + buyer.add_ppm + size), fees)


def round_half_up_ppm(amount_minor: int, ppm: int) -> int:
    """A share of an amount in parts per million, rounded half up once."""
    return round_half_up(Fraction(amount_minor * ppm, PPM))


class Policies:
    """The door to policies."""

    def __init__(self, desk: Desk, parties: Parties) -> None:
        self._desk = desk
        self._parties = parties

    def in_force(self, session: Session, currency: str) -> Sequence[tuple[QuotePolicy, Terms]]:
        """The newest valid policy of each financier in a currency, by address."""
        rows = session.exec(
            select(QuotePolicy)
            .where(
                QuotePolicy.currency == currency,
                col(QuotePolicy.withdrawn_at).is_(None),
                QuotePolicy.valid_until > self._desk.clock.now(),
            )
            .order_by(col(QuotePolicy.financier), col(QuotePolicy.id))
        )
        newest = {row.financier: row for row in rows}
        return [(row, Terms.model_validate_json(row.terms)) for row in newest.values()]

    def of(self, session: Session, financiers: Sequence[str] | None) -> Sequence[QuotePolicy]:
        """Policies of these financiers (None: of all), newest first."""
        query = select(QuotePolicy).order_by(col(QuotePolicy.id).desc())
        if financiers is not None:
            query = query.where(col(QuotePolicy.financier).in_(financiers))
        return session.exec(query).all()

    def kinds(self) -> Sequence[ChangeKind]:
        """The changes `set_quote_policy` (body: `Terms`) and `withdraw_quote_policy` (body: `policy`)."""
        return (
            ChangeKind("set_quote_policy", self._look, self._apply),
            ChangeKind("withdraw_quote_policy", self._look_at_end, self._end),
        )

    def _look(self, session: Session, body: Mapping[str, Any]) -> Asked:
        terms = read_terms(body)
        member = self._parties.member(session, terms.financier)
        if not Role(member.roles) & Role.FINANCIER:
            raise Problem("role_of_financier_needed", who=self._parties.name_of(session, terms.financier))
        self._parties.member(session, terms.paying_bank)
        for who in terms.obligors:
            self._parties.member(session, who)
        if terms.valid_until <= self._desk.clock.now():
            raise Problem("policy_not_readable", place="valid_until", reason="is over already / 已过期")
        code = currency_of(terms.currency).code
        known = [row.id for row, _ in self.in_force(session, code) if row.financier == terms.financier]
        low, high = min(one.rate_ppm for one in terms.rates), max(one.rate_ppm for one in terms.rates)
        least, most = format_money(terms.min_minor, code), format_money(terms.max_minor, code)
        day = day_of(terms.valid_until).isoformat()
        return Asked(
            {
                "en": f"Quote by itself from {least} to {most} at {format_rate(low)} to {format_rate(high)} a year, "
                f"{len(terms.obligors)} obligors, until {day}.",
                "zh-CN": f"自动报价：金额 {least} 至 {most}，年贴现率 {format_rate(low)} 至 {format_rate(high)}，"
                f"{len(terms.obligors)} 家付款人，有效期至 {day}。",
            },
            terms.financier,
            known,
            amount_minor=terms.max_minor,
            currency=code,
        )

    def _apply(self, session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        terms = read_terms(body)
        session.add(
            QuotePolicy(
                financier=terms.financier,
                currency=currency_of(terms.currency).code,
                terms=canonical_json(terms.model_dump()).decode(),
                set_by=maker,
                agreed_by=checker,
                set_at=self._desk.clock.now(),
                valid_until=terms.valid_until,
            )
        )
        session.flush()

    def _look_at_end(self, session: Session, body: Mapping[str, Any]) -> Asked:
        row = session.get(QuotePolicy, int(body["policy"]))
        if row is None or row.withdrawn_at is not None:
            raise Problem("unknown_policy", policy=body["policy"])
        words = {"en": f"End quote policy {row.id}.", "zh-CN": f"终止自动报价政策 {row.id}。"}
        return Asked(words, row.financier, row.withdrawn_at)

    def _end(self, session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        row = session.get(QuotePolicy, int(body["policy"]))
        assert row is not None  # looked at before
        row.withdrawn_at = self._desk.clock.now()
        session.add(row)
        session.flush()


def read_terms(body: Mapping[str, Any]) -> Terms:
    """The terms of a policy as somebody gave them. Raises Problem `policy_not_readable` naming what is wrong."""
    try:
        return Terms.model_validate(json.loads(canonical_json(dict(body))))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "policy"
        raise Problem("policy_not_readable", place=place, reason=str(first["msg"])[:120]) from error
