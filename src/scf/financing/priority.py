"""Who comes first when several financiers claim the same receivable (Civil Code Art. 768).

Registered beats unregistered, and among registered the earlier time; unregistered go by the first notice that reached
the debtor; with neither, claims rank equally and share in proportion to the money financed. The 2020 guarantee
interpretation, Art. 66, applies the same order to pledges and plain transfers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from scf.kernel.money import pro_rata


@dataclass(frozen=True, slots=True)
class Claim:
    """One financier's claim on a receivable.

    `claim_minor` is the most it may take, `financed_minor` the money it advanced (its weight among equals); times are
    unix seconds: when it was registered, and when the notice of transfer reached the debtor.
    """

    claim_id: str
    claim_minor: int
    financed_minor: int
    registered_at: int | None = None
    noticed_at: int | None = None

    def __post_init__(self) -> None:
        if self.claim_minor < 0 or self.financed_minor < 0:
            raise ValueError("a claim is not negative")

    @property
    def _standing(self) -> tuple[int, int]:
        if self.registered_at is not None:
            return 0, self.registered_at
        if self.noticed_at is not None:
            return 1, self.noticed_at
        return 2, 0


def rank(claims: Iterable[Claim]) -> tuple[tuple[Claim, ...], ...]:
    """Ranks from first to last; claims in one rank are equal (same moment, or neither registered nor notified).

    The order in which claims are given never matters; inside a rank they are listed by id. Raises ValueError when two
    claims carry one id.
    """
    ordered = sorted(claims, key=lambda claim: (claim._standing, claim.claim_id))
    if len({claim.claim_id for claim in ordered}) != len(ordered):
        raise ValueError("each claim needs its own id")
    return tuple(tuple(group) for _, group in groupby(ordered, key=lambda claim: claim._standing))


def distribute(available_minor: int, claims: Iterable[Claim]) -> dict[str, int]:
    """Minor units each claim receives: rank by rank, pro rata by money financed inside a rank, never above the claim.

    Whatever a capped claim leaves goes to its equals before the next rank. Shares sum to
    min(available, all claims). Raises ValueError for a negative amount.
    """
    if available_minor < 0:
        raise ValueError("nothing negative can be distributed")
    shares: dict[str, int] = {}
    left = available_minor
    for equals in rank(claims):
        given = _share_among_equals(min(left, sum(claim.claim_minor for claim in equals)), equals)
        shares |= given
        left -= sum(given.values())
    return shares


def _share_among_equals(total: int, equals: Sequence[Claim]) -> dict[str, int]:
    shares = dict.fromkeys((claim.claim_id for claim in equals), 0)
    open_claims = list(equals)
    while total > 0 and open_claims:
        financed = {place: claim.financed_minor for place, claim in enumerate(open_claims)}
        weights = financed if any(financed.values()) else {p: c.claim_minor for p, c in enumerate(open_claims)}
        offered = pro_rata(total, weights)
        over = [place for place, claim in enumerate(open_claims) if offered[place] >= claim.claim_minor]
        if not over:
            return shares | {claim.claim_id: offered[place] for place, claim in enumerate(open_claims)}
        for place in over:
            shares[open_claims[place].claim_id] = open_claims[place].claim_minor
            total -= open_claims[place].claim_minor
        open_claims = [claim for place, claim in enumerate(open_claims) if place not in over]
    return shares
