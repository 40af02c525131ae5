"""What early money costs: bank discount, fees, net, and the two yearly rates shown and signed with every quote.

Amounts are integers of the minor unit, rates are parts per million (5.50% a year = 55,000 ppm), days run from funding
(included) to payment (excluded). Everything is computed in fractions and rounded half up, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, Overflow, localcontext
from fractions import Fraction

from scf.kernel.dates import days_between
from scf.kernel.money import currency as currency_of
from scf.kernel.money import round_half_up
from scf.kernel.problems import Problem

PPM = 1_000_000
YEAR_DAYS = 365
"""Days of the year the shown yearly rates refer to, whatever basis the discount uses."""
_MAX_RATE_PPM = 2**32 - 1
_PRECISION = 60


@dataclass(frozen=True, slots=True)
class Fee:
    """One fee: `code` names what it is for, `payee` who gets it."""

    code: str
    payee: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Price:
    """Every figure of a quote; net + discount + fees = face.

    `due_on` is the contractual maturity, `pays_on` the day money is expected (later only when a holiday moved it); the
    days charged are counted to `pays_on`.
    """

    face_minor: int
    currency: str
    rate_ppm: int
    funded_on: date
    due_on: date
    pays_on: date
    days: int
    basis_days: int
    discount_minor: int
    fees: tuple[Fee, ...]
    fees_minor: int
    net_minor: int
    apr_ppm: int
    effective_ppm: int

    @property
    def cost_minor(self) -> int:
        """All the holder gives up for the early money: discount and fees."""
        return self.face_minor - self.net_minor

    @property
    def moved_days(self) -> int:
        """Days charged because a holiday moved the payment; say so beside the quote when above 0."""
        return days_between(self.due_on, self.pays_on)


def simple_interest_minor(amount_minor: int, rate_ppm: int, days: int, basis_days: int) -> int:
    """Simple interest on `amount_minor` at a yearly rate, rounded half up once. Bank discount is this on the face."""
    return round_half_up(Fraction(amount_minor * rate_ppm * days, PPM * basis_days))


def discount_at_yield_minor(face_minor: int, rate_ppm: int, days: int, basis_days: int) -> int:
    """True discount: what is deducted when the rate is a yield on the net, `face - face / (1 + r·d/B)`."""
    return face_minor - round_half_up(Fraction(face_minor) / (1 + Fraction(rate_ppm * days, PPM * basis_days)))


def apr_ppm(face_minor: int, net_minor: int, days: int) -> int:
    """All-in yearly rate, simple: `(face - net) / net · 365 / days`, fees included.

    Raises Problem `price_leaves_nothing` when nothing is paid out, `price_without_days` for no days, and
    `price_not_expressible` above what a quote can carry (32 bits).
    """
    _require_payable(face_minor, net_minor, days)
    rate = round_half_up(Fraction((face_minor - net_minor) * YEAR_DAYS * PPM, net_minor * days))
    return _expressible(rate, days)


def effective_ppm(face_minor: int, net_minor: int, days: int) -> int:
    """Effective annual rate with compounding: `(face / net) ^ (365 / days) - 1`. Raises as `apr_ppm` does."""
    _require_payable(face_minor, net_minor, days)
    with localcontext() as context:
        context.prec = _PRECISION
        try:
            growth = (Decimal(face_minor) / Decimal(net_minor)) ** (Decimal(YEAR_DAYS) / Decimal(days))
        except Overflow as error:
            raise Problem("price_not_expressible", days=days) from error
        if growth > _MAX_RATE_PPM:
            raise Problem("price_not_expressible", days=days)
        rate = ((growth - 1) * PPM).to_integral_value(ROUND_HALF_UP)
    return _expressible(int(rate), days)


def price(
    face_minor: int,
    currency: str,
    rate_ppm: int,
    funded_on: date,
    due_on: date,
    *,
    fees: Sequence[Fee] = (),
    pays_on: date | None = None,
    basis_days: int | None = None,
) -> Price:
    """Price a face amount funded on one day and paid on another, by bank discount.

    `basis_days` defaults to the currency's convention (360 or 365). Raises Problem `price_without_days` when maturity
    is not after funding, `price_leaves_nothing` when discount and fees eat the face, `price_not_expressible` above a
    rate a quote can carry; ValueError for negative amounts.
    """
    if face_minor <= 0 or rate_ppm < 0 or any(fee.amount_minor < 0 for fee in fees):
        raise ValueError("a price needs a positive face and no negative rate or fee")
    paid = pays_on or due_on
    if paid < due_on:
        raise ValueError("a payment day is never moved before maturity")
    basis = basis_days or currency_of(currency).year_basis_days
    days = days_between(funded_on, paid)
    if days <= 0:
        raise Problem("price_without_days", funded_on=funded_on.isoformat(), due_on=paid.isoformat())
    discount = simple_interest_minor(face_minor, rate_ppm, days, basis)
    fees_minor = sum(fee.amount_minor for fee in fees)
    net = face_minor - discount - fees_minor
    return Price(
        face_minor=face_minor,
        currency=currency_of(currency).code,
        rate_ppm=rate_ppm,
        funded_on=funded_on,
        due_on=due_on,
        pays_on=paid,
        days=days,
        basis_days=basis,
        discount_minor=discount,
        fees=tuple(fees),
        fees_minor=fees_minor,
        net_minor=net,
        apr_ppm=apr_ppm(face_minor, net, days),
        effective_ppm=effective_ppm(face_minor, net, days),
    )


def unearned_discount_minor(charged: Price, paid_on: date) -> int:
    """Discount to give back when the debtor pays early: only days actually gained are charged.

    1,000,000.00 at 5.50% for 60 days costs 9,166.67; paid two days early, 8,861.11. Late payment gives back nothing.
    """
    days = max(0, min(charged.days, days_between(charged.funded_on, paid_on)))
    earned = simple_interest_minor(charged.face_minor, charged.rate_ppm, days, charged.basis_days)
    return charged.discount_minor - earned


def late_days(due_on: date, paid_on: date) -> int:
    """Days of delay: the due day itself is still in time."""
    return max(0, days_between(due_on, paid_on))


def late_interest_minor(amount_minor: int, days: int, ppm_per_day: int) -> int:
    """Late interest at a daily rate, simple, rounded half up once: 1,000,000.00 for 30 days at 500 is 15,000.00."""
    return round_half_up(Fraction(amount_minor * ppm_per_day * days, PPM))


def format_rate(rate_ppm: int) -> str:
    """A rate in percent with four decimals, as shown and signed: 56,280 ppm is `5.6280%`."""
    return f"{Decimal(rate_ppm).scaleb(-4):.4f}%"


def _require_payable(face_minor: int, net_minor: int, days: int) -> None:
    if days <= 0:
        raise Problem("price_without_days", funded_on="?", due_on="?")
    if net_minor <= 0:
        raise Problem("price_leaves_nothing", face_minor=face_minor, cost_minor=face_minor - net_minor)


def _expressible(rate_ppm: int, days: int) -> int:
    if rate_ppm > _MAX_RATE_PPM:
        raise Problem("price_not_expressible", days=days)
    return rate_ppm
