"""Invoice numbers that are one number written twice: the fuzzy half of looking for duplicate invoices.

Used only between invoices of one seller with one amount and currency, near each other in time. Consecutive numbers are
never alike: a firm that bills the same rent each month numbers its invoices one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scf.reconciliation.facts import normalise

NEAR_DAYS = 60
_COPY = re.compile(r"(COPY|C0PY|DUP|DUPL1CATE|REV|R|A|B|C|V)?\d?$")
_DIGITS = re.compile(r"\D+")


def same_number(one: str, two: str) -> bool:
    """Whether two invoice numbers look like one: other punctuation, a prefix, a copy mark, or two digits swapped."""
    left, right = normalise(one), normalise(two)
    if left is None or right is None:
        return False
    if left == right:
        return True
    short, long = sorted((left, right), key=len)
    if len(short) >= 4 and long.endswith(short) and not long[: -len(short)][-1:].isdigit():
        return True  # INV-10023 and 10023
    if len(short) >= 5 and long.startswith(short) and _is_copy_mark(long[len(short) :]):
        return True  # 10023 and 10023-COPY
    if _DIGITS.sub("", left).lstrip("0") == _DIGITS.sub("", right).lstrip("0") and len(_DIGITS.sub("", left)) >= 4:
        return True  # RE 0020077 and INV-20077: the digits are one number
    return _swapped(left, right)


def is_twin(later: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    """Whether an invoice looks like an earlier one of the same seller and amount that belongs to another order.

    Parts of one document, and copies that another source handed in, are no twins.
    """
    if later["case_id"] == earlier["case_id"] or later["evidence_id"] == earlier["evidence_id"]:
        return False
    return abs(later["day"] - earlier["day"]) <= NEAR_DAYS and same_number(later["number"], earlier["number"])


def _is_copy_mark(rest: str) -> bool:
    return bool(rest) and not rest.isdigit() and _COPY.fullmatch(rest) is not None


def _swapped(left: str, right: str) -> bool:
    """Whether exactly two neighbouring characters changed places."""
    if len(left) != len(right) or len(left) < 5:
        return False
    places = [i for i, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
    return (
        len(places) == 2
        and places[1] == places[0] + 1
        and left[places[0]] == right[places[1]]
        and left[places[1]] == right[places[0]]
    )
