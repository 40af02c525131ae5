"""The rule as portable SQL text, rendered with integer terms and nothing else."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from importlib import resources

from scf.reconciliation.rule import Terms

SIDES = ("orders", "deliveries", "invoices", "payments")


@cache
def text_of(name: str) -> str:
    """One of the room's SQL texts, without its comment lines."""
    source = resources.files("scf.reconciliation").joinpath(name).read_text(encoding="utf-8")
    return "\n".join(line for line in source.splitlines() if not line.startswith("--"))


def rule_sql(cases: str, terms: Terms) -> str:
    """SQL that adds `flags` to the rows of relation `cases` (a name or a parenthesised query)."""
    return _render("rule.sql", terms, cases=cases)


def explain_sql(judged: str, terms: Terms) -> str:
    """SQL that adds reason, field, left_value, right_value and limit_milli to judged rows."""
    return _render("explain.sql", terms, judged=judged)


def _render(name: str, terms: Terms, **relations: str) -> str:
    numbers = {key: str(int(value)) for key, value in asdict(terms).items()}
    return text_of(name).format(**numbers, **relations)


def cases_sql(relations: dict[str, str], *, unique: bool) -> str:
    """SQL that gathers four canonical relations into cases.

    With `unique` every row is taken as the only one of its key: cheap, and right where keys do not repeat. Without it
    rows are added up; both give the same on unique keys.
    """
    text = text_of("side_unique.sql" if unique else "side.sql")
    sides = {side: f"({text.format(rows=relations[side])})" for side in SIDES}
    return text_of("combine.sql").format(**sides)
