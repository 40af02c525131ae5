"""Bands of amounts and days: what is nearly equal is joined by equal bands instead of comparing all with all.

Two amounts within the rule's tolerance lie in one band or in neighbouring ones: bands are twice the fixed tolerance
wide where that one decides, and grow by twice the tolerance per mille above. A span of days touches at most two bands
of its own length. Bands only narrow what is compared; the exact comparison stays with the caller.
"""

from __future__ import annotations

from scf.reconciliation.rule import Terms

_WIDEST_PER_MILLE = 400
"""Above this, neighbouring bands would no longer hold all that is within the tolerance."""


def amount_band(amount: str, terms: Terms) -> str:
    """SQL for the band of an amount in minor units; one band for everything where the tolerance is as wide as that."""
    fixed, per_mille = terms.amount_fixed_minor, terms.amount_per_mille
    if per_mille > _WIDEST_PER_MILLE:
        return "CAST(0 AS BIGINT)"
    width = max(2 * fixed, 1)
    if per_mille == 0:
        return f"CAST(floor({amount} / {width}.0) AS BIGINT)"
    turn = max(fixed * 1000 // per_mille, 1)
    above = f"{turn} / {width}.0 + ln({amount} / {turn}.0) / ln(1 + 2 * {per_mille} / 1000.0)"
    return f"CAST(floor(CASE WHEN {amount} <= {turn} THEN {amount} / {width}.0 ELSE {above} END) AS BIGINT)"


def day_band(day: str, span_days: int) -> str:
    """SQL for the band of a day, among bands of `span_days`."""
    return f"CAST(floor(({day}) / {max(span_days, 1)}.0) AS BIGINT)"


def spread(relation: str, terms: Terms, *, early_days: int, late_days: int) -> str:
    """SQL for rows of `relation` (`amount_minor`, `day`) with each `band` and `days` in which a counterpart may lie."""
    span = early_days + late_days + 1
    first, last = day_band(f"day - {early_days}", span), day_band(f"day + {late_days}", span)
    middle = f"(SELECT *, {amount_band('amount_minor', terms)} AS middle FROM {relation})"
    banded = f"(SELECT *, unnest([middle - 1, middle, middle + 1]) AS band FROM {middle})"
    return f"(SELECT *, unnest(list_distinct([{first}, {last}])) AS days FROM {banded})"
