"""Who gets what of a payment inside one financed note: cost, penalty, fees, interest, principal, residual.

The residual goes back to the supplier with recourse (Civil Code Art. 766) and stays with the financier without
(Art. 767). The order is a signed term of the deal; the customary one is the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Bucket(StrEnum):
    """What a payment is applied to."""

    COST = "cost"
    PENALTY = "penalty"
    FEES = "fees"
    INTEREST = "interest"
    PRINCIPAL = "principal"


class ResidualTo(StrEnum):
    """Who receives what is left when every claim is paid."""

    SUPPLIER = "supplier"
    FINANCIER = "financier"


CUSTOMARY_ORDER = (Bucket.COST, Bucket.PENALTY, Bucket.FEES, Bucket.INTEREST, Bucket.PRINCIPAL)


@dataclass(frozen=True, slots=True)
class Owed:
    """What the financier is owed on one note, in minor units: enforcement cost, penalty, fees, interest, principal."""

    cost_minor: int = 0
    penalty_minor: int = 0
    fees_minor: int = 0
    interest_minor: int = 0
    principal_minor: int = 0

    def __post_init__(self) -> None:
        if min(self.of(bucket) for bucket in Bucket) < 0:
            raise ValueError("nothing owed is negative")

    def of(self, bucket: Bucket) -> int:
        """The amount owed in `bucket`."""
        amount: int = getattr(self, f"{bucket.value}_minor")
        return amount

    @property
    def total_minor(self) -> int:
        """All that is owed."""
        return sum(self.of(bucket) for bucket in Bucket)


@dataclass(frozen=True, slots=True)
class Allocation:
    """One payment applied: paid per bucket, what stays owed, and the residual with its receiver.

    `buy_back_minor` is what the assignor of this very note can be asked for: the shortfall with recourse, else 0.
    """

    received_minor: int
    paid: Mapping[Bucket, int]
    still_owed: Owed
    residual_minor: int
    residual_to: ResidualTo
    buy_back_minor: int

    @property
    def shortfall_minor(self) -> int:
        """What stays owed to the financier after this payment."""
        return self.still_owed.total_minor


def allocate(
    received_minor: int, owed: Owed, *, recourse: bool, order: Sequence[Bucket] = CUSTOMARY_ORDER
) -> Allocation:
    """Apply a payment to what is owed, in `order`; paid + residual = received, always.

    Raises ValueError for a negative payment or an order that does not name each bucket once.
    """
    if received_minor < 0:
        raise ValueError("a payment is not negative; reverse it instead")
    if sorted(order) != sorted(Bucket):
        raise ValueError("the order must name each bucket exactly once")
    left = received_minor
    paid: dict[Bucket, int] = {}
    for bucket in order:
        paid[bucket] = min(left, owed.of(bucket))
        left -= paid[bucket]
    still = Owed(**{f"{bucket.value}_minor": owed.of(bucket) - paid[bucket] for bucket in Bucket})
    return Allocation(
        received_minor=received_minor,
        paid=paid,
        still_owed=still,
        residual_minor=left,
        residual_to=ResidualTo.SUPPLIER if recourse else ResidualTo.FINANCIER,
        buy_back_minor=still.total_minor if recourse else 0,
    )
