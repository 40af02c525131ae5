"""References that are one reference mistyped: the Python and the SQL of one definition, held together by a test.

Believed only between one party, one amount and one currency, and only where nothing else fits; so a definition that is
wide here costs no wrong match. Another digit in the same place is no slip: it is how the next number is written.
"""

from __future__ import annotations

import re

from scf.reconciliation.facts import normalise

SLIPS = 2
"""Characters lost, added or swapped that may part a mistyped reference from the right one."""
SHORTEST = 5
"""Normalised references shorter than this are only compared by their numbers."""
FEWEST_DIGITS = 2
_NORMAL = "NULLIF(translate(regexp_replace(upper({k}), '[^A-Z0-9]+', '', 'g'), 'OI', '01'), '')"
_RUNS = re.compile(r"[0-9]+")
_LETTERS = re.compile(r"[^A-Z]+")


def slip_of_the_pen(one: str, two: str) -> bool:
    """Whether one reference is the other with characters lost, added or swapped, or without prefix or leading zeros."""
    left, right = normalise(one), normalise(two)
    if left is None or right is None:
        return False
    if left == right or _one_number(one, two):
        return True
    if min(len(left), len(right)) < SHORTEST or abs(len(left) - len(right)) > SLIPS:
        return False
    edits = _edits(left, right, swaps=True)
    return edits <= SLIPS and (len(left) != len(right) or edits < _edits(left, right, swaps=False))


def slip_sql(one: str, two: str) -> str:
    """The same as a condition of DuckDB on two text expressions."""
    left, right = _NORMAL.format(k=one), _NORMAL.format(k=two)
    pair = f"({left}, {right})"
    edits = (
        f"least(length({left}), length({right})) >= {SHORTEST} AND damerau_levenshtein{pair} <= {SLIPS} "
        f"AND (length({left}) <> length({right}) OR damerau_levenshtein{pair} < levenshtein{pair})"
    )
    ours, theirs = _runs_sql(one), _runs_sql(two)
    mine, yours = _letters_sql(one), _letters_sql(two)
    number = (
        f"(suffix('-' || {ours}, '-' || {theirs}) AND length(replace({theirs}, '-', '')) >= {FEWEST_DIGITS} "
        f"OR suffix('-' || {theirs}, '-' || {ours}) AND length(replace({ours}, '-', '')) >= {FEWEST_DIGITS}) "
        f"AND ({mine} = '' OR {yours} = '' OR {mine} = {yours})"
    )
    return f"({left} = {right} OR ({edits}) OR ({number}))"


def _one_number(one: str, two: str) -> bool:
    """INV-000123 is 123, INV-123 and 000123; RE 77-0012 is 77-12 and 12; 2024/12 is not 2025/12."""
    left, right = _numbers(one), _numbers(two)
    short, long = sorted((left, right), key=len)
    if not short or long[-len(short) :] != short or sum(map(len, short)) < FEWEST_DIGITS:
        return False
    mine, yours = _letters(one), _letters(two)
    return not mine or not yours or mine == yours


def _numbers(reference: str) -> list[str]:
    return [run.lstrip("0") or "0" for run in _RUNS.findall(reference)]


def _letters(reference: str) -> str:
    return _LETTERS.sub("", reference.upper())


def _runs_sql(text: str) -> str:
    runs = f"trim(regexp_replace({text}, '[^0-9]+', '-', 'g'), '-')"
    return f"regexp_replace({runs}, '(^|-)0+([0-9])', '\\1\\2', 'g')"


def _letters_sql(text: str) -> str:
    return f"regexp_replace(upper({text}), '[^A-Z]+', '', 'g')"


def _edits(left: str, right: str, *, swaps: bool) -> int:
    """Characters lost, added or replaced between two texts, and with `swaps` neighbours that changed places."""
    rows = [list(range(len(right) + 1))]
    for i, a in enumerate(left, 1):
        row = [i]
        for j, b in enumerate(right, 1):
            best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a != b))
            if swaps and i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, rows[i - 2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
