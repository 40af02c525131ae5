"""Exceptions: who looks at which disagreement by when, and the sentence that says what disagrees with what."""

from __future__ import annotations

from dataclasses import dataclass

from scf.kernel.money import format_money
from scf.kernel.sentences import catalogue, sentence
from scf.reconciliation.facts import date_of
from scf.reconciliation.rule import Reason


@dataclass(frozen=True, slots=True)
class Handling:
    """Severity (`stop` holds money back, `act` asks somebody to act, `watch` only informs), owner, days to decide."""

    severity: str
    owner: str
    days: int


HANDLING = {
    Reason.CONTRADICTING_SOURCES: Handling("stop", "operator", 2),
    Reason.WRONG_PAYEE_ACCOUNT: Handling("stop", "finance", 1),
    Reason.DUPLICATE_INVOICE: Handling("stop", "finance", 2),
    Reason.UNKNOWN_REFERENCE: Handling("stop", "operator", 5),
    Reason.CURRENCY_DIFFERENCE: Handling("stop", "finance", 5),
    Reason.PAID_BEFORE_DELIVERY: Handling("stop", "finance", 2),
    Reason.OVER_INVOICED: Handling("stop", "purchasing", 5),
    Reason.INVOICED_NOT_DELIVERED: Handling("stop", "logistics", 5),
    Reason.PRICE_DIFFERENCE: Handling("stop", "purchasing", 5),
    Reason.QUANTITY_DIFFERENCE: Handling("stop", "logistics", 5),
    Reason.PAYMENT_DIFFERENCE: Handling("act", "finance", 5),
    Reason.DELIVERED_NOT_INVOICED: Handling("act", "supplier", 10),
    Reason.NOT_DELIVERED: Handling("act", "logistics", 5),
    Reason.UNPAID: Handling("act", "finance", 2),
    Reason.MISSING_EVIDENCE: Handling("act", "operator", 10),
    Reason.LATE: Handling("watch", "logistics", 30),
    Reason.EARLY: Handling("watch", "logistics", 30),
    Reason.PARTIAL: Handling("watch", "logistics", 30),
}


def explain(
    code: str,
    field: str,
    left: int,
    right: int,
    limit_milli: int,
    *,
    reference: str,
    currency: str | None = None,
    left_text: str | None = None,
    right_text: str | None = None,
    language: str = "en",
) -> str:
    """One sentence: what disagrees with what, by how much, and how much is allowed.

    The most specific sentence is taken: `exception_<code>_<field>`, else `exception_<code>`.
    """
    return sentence(
        sentence_code(code, field),
        language,
        reference=reference,
        left=left_text or _shown(field, left, currency),
        right=right_text or _shown(field, right, currency),
        difference=_difference(field, left - right, currency),
        limit=_difference(field, limit_milli // 1000, currency),
    )


def sentence_code(code: str, field: str) -> str:
    """Code of the most specific sentence there is for a reason and a field."""
    name = f"exception_{code.lower()}"
    special = f"{name}_{field}"
    return special if special in catalogue() else name


def _shown(field: str, value: int, currency: str | None) -> str:
    if field.endswith("_day"):
        return date_of(value).isoformat()
    return _difference(field, value, currency)


def _difference(field: str, value: int, currency: str | None) -> str:
    if field.endswith("_minor"):
        return format_money(value, currency) if currency else str(value)
    if field.endswith("_quantity"):
        return _decimal(value, 3)
    if field.endswith("_price"):
        return _decimal(value, 6)
    return str(abs(value)) if field.endswith("_day") else str(value)


def _decimal(value: int, places: int) -> str:
    sign, digits = ("-" if value < 0 else ""), str(abs(value)).rjust(places + 1, "0")
    return sign + f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
