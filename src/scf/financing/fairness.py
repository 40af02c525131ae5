"""Fairness of a programme, measured: days to pay, days to confirm, price of early money by tier, refusals, fees.

Everything is counted from the books; what cannot be known (a delivery without a date) is left out and its number said.
What is published keeps firms apart from their figures: a tier or size of which fewer than `SMALLEST_CELL` firms sold is
put together with others like it, and where even together they are too few, it is not said at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sqlmodel import Session, col, select

from scf.kernel.dates import day_of, days_between
from scf.kernel.money import round_half_up
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Dossier, Financing, Note, NoteState, Receivable, ReceivableState


@dataclass(frozen=True, slots=True)
class Meter:
    """Figures of one obligor's programme in one currency. Rates in parts per million, days times ten.

    `days_to_pay_tenths` runs from delivery (issue where no delivery is known) to full payment, weighted by amount;
    `days_to_confirm_tenths` from delivery to issue; `days_late_tenths` from maturity to payment, early counts as zero.
    None where nothing was there to count.
    """

    obligor: str
    currency: str
    receivables: int
    face_minor: int
    paid_receivables: int
    without_delivery: int
    days_to_pay_tenths: int | None
    days_to_confirm_tenths: int | None
    days_late_tenths: int | None
    apr_ppm_by_tier: Mapping[int, int]
    financed_minor_by_tier: Mapping[int, int]
    offers: int
    refused: int
    refused_share_ppm: int
    fees_minor_by_payer: Mapping[str, int]
    sellers_by_tier: Mapping[int, frozenset[int]]
    sellers_by_size: Mapping[str, frozenset[int]]


SMALLEST_CELL = 3
"""Of so many different firms at least a published figure is made."""
TOGETHER = "other"
"""Name of the cell of tiers, or sizes, too small to be said apart."""


@dataclass(frozen=True, slots=True)
class Published:
    """What anybody may read of a meter by tier and by size; `withheld` names what is in no figure."""

    apr_ppm_by_tier: Mapping[str, int]
    financed_minor_by_tier: Mapping[str, int]
    withheld_tiers: tuple[str, ...]
    fees_minor_by_payer: Mapping[str, int]
    withheld_payers: tuple[str, ...]


def published(meter: Meter) -> Published:
    """The figures by tier and size, small ones put together or left out; no total is beside them to subtract from."""
    tiers = {str(tier): firms for tier, firms in meter.sellers_by_tier.items()}
    rates, amounts = meter.apr_ppm_by_tier, meter.financed_minor_by_tier
    said, together, withheld = _cells(tiers)
    weighted = sum(rates[int(tier)] * amounts[int(tier)] for tier in together)
    sum_together = sum(amounts[int(tier)] for tier in together)
    pooled = {TOGETHER: sum_together} if together else {}
    pooled_rate = {TOGETHER: round_half_up(Fraction(weighted, sum_together))} if together else {}
    sizes, sizes_together, sizes_withheld = _cells(meter.sellers_by_size)
    fees = meter.fees_minor_by_payer
    pooled_fees = {TOGETHER: sum(fees[size] for size in sizes_together)} if sizes_together else {}
    return Published(
        {**{tier: rates[int(tier)] for tier in said}, **pooled_rate},
        {**{tier: amounts[int(tier)] for tier in said}, **pooled},
        withheld,
        {**{size: fees[size] for size in sizes}, **pooled_fees},
        sizes_withheld,
    )


def _cells(firms: Mapping[str, frozenset[int]]) -> tuple[list[str], list[str], tuple[str, ...]]:
    """(said apart, said together, not said) of cells by the firms in each."""
    said = [name for name, inside in firms.items() if len(inside) >= SMALLEST_CELL]
    small = [name for name in firms if name not in said]
    whole = frozenset[int]().union(*(firms[name] for name in small))
    if len(small) > 1 and len(whole) >= SMALLEST_CELL:
        return said, small, ()
    return said, [], tuple(small)


def measure(session: Session, parties: Parties, obligor: str, currency: str = "CNY") -> Meter:
    """The meter of an obligor's programme, from everything it issued in a currency."""
    rows = session.exec(
        select(Receivable, Dossier)
        .join(Dossier, col(Dossier.document) == col(Receivable.document), isouter=True)
        .where(Receivable.obligor == obligor, Receivable.currency == currency)
        .order_by(col(Receivable.id))
    ).all()
    pay, confirm, late = _Mean(), _Mean(), _Mean()
    paid_count = unknown = 0
    for row, dossier in rows:
        delivered = date.fromisoformat(dossier.delivered_on) if dossier and dossier.delivered_on else None
        unknown += delivered is None
        if row.state == ReceivableState.CANCELLED:
            continue
        issued = day_of(row.issued_at)
        if delivered is not None:
            confirm.add(max(0, days_between(delivered, issued)), row.face_minor)
        if row.outstanding_minor == 0:
            paid_count += 1
            paid = day_of(max(one.paid_at for one in queries.payments_of(session, row.id)))
            pay.add(max(0, days_between(delivered or issued, paid)), row.face_minor)
            late.add(max(0, days_between(day_of(row.maturity), paid)), row.face_minor)
    live = [row for row, _ in rows if row.state != ReceivableState.CANCELLED]
    offers, refused = _offers(session, obligor, currency)
    rates, amounts, fees, in_tier, of_size = _financed(session, parties, obligor, currency)
    return Meter(
        obligor=obligor,
        currency=currency,
        receivables=len(live),
        face_minor=sum(row.face_minor for row in live),
        paid_receivables=paid_count,
        without_delivery=unknown,
        days_to_pay_tenths=pay.tenths(),
        days_to_confirm_tenths=confirm.tenths(),
        days_late_tenths=late.tenths(),
        apr_ppm_by_tier=rates,
        financed_minor_by_tier=amounts,
        offers=offers,
        refused=refused,
        refused_share_ppm=round_half_up(Fraction(refused * 1_000_000, offers)) if offers else 0,
        fees_minor_by_payer=fees,
        sellers_by_tier=in_tier,
        sellers_by_size=of_size,
    )


def _offers(session: Session, obligor: str, currency: str) -> tuple[int, int]:
    """(notes offered to somebody, those returned), financing offers left out."""
    financed = set(session.exec(select(Financing.note_id)))
    rows = session.exec(
        select(Note.id, Note.state, Note.giver, Note.holder)
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(Receivable.obligor == obligor, Receivable.currency == currency)
    ).all()
    counted = [state for note_id, state, giver, holder in rows if note_id not in financed and giver != holder]
    return len(counted), sum(state == NoteState.RETURNED for state in counted)


def _financed(
    session: Session, parties: Parties, obligor: str, currency: str
) -> tuple[dict[int, int], dict[int, int], dict[str, int], dict[int, frozenset[int]], dict[str, frozenset[int]]]:
    rows = session.exec(
        select(Financing, Note)
        .join(Note, col(Note.id) == col(Financing.note_id))
        .join(Receivable, col(Receivable.id) == col(Financing.receivable_id))
        .where(
            Receivable.obligor == obligor,
            Receivable.currency == currency,
            col(Financing.completed_at).is_not(None),
        )
    ).all()
    weighted: dict[int, int] = defaultdict(int)
    amounts: dict[int, int] = defaultdict(int)
    fees: dict[str, int] = defaultdict(int)
    in_tier: dict[int, set[int]] = defaultdict(set)
    of_size: dict[str, set[int]] = defaultdict(set)
    for terms, note in rows:
        tier = note.tier - 1  # the seller's
        weighted[tier] += terms.apr_ppm * terms.amount_minor
        amounts[tier] += terms.amount_minor
        organisation = parties.organisation_of(session, terms.seller)
        size = organisation.size if organisation else "unknown"
        fees[size] += terms.fees_minor
        if organisation is not None:
            in_tier[tier].add(organisation.id)
            of_size[size].add(organisation.id)
    rates = {tier: round_half_up(Fraction(weighted[tier], amounts[tier])) for tier in sorted(amounts)}
    houses = {tier: frozenset(in_tier[tier]) for tier in sorted(amounts)}
    sizes = {size: frozenset(of_size[size]) for size in sorted(fees)}
    return rates, dict(sorted(amounts.items())), dict(sorted(fees.items())), houses, sizes


class _Mean:
    """A mean of days weighted by amount, in tenths of a day, rounded once."""

    def __init__(self) -> None:
        self._sum = 0
        self._weight = 0

    def add(self, days: int, weight: int) -> None:
        self._sum += days * weight
        self._weight += weight

    def tenths(self) -> int | None:
        return round_half_up(Fraction(self._sum * 10, self._weight)) if self._weight else None
