"""The rule as portable SQL text, rendered with integer terms and nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import cache
from importlib import resources

from scf.reconciliation.rule import SAME_DELIVERY_DAYS, Terms

SIDES = ("orders", "deliveries", "invoices", "payments")


@cache
def text_of(name: str) -> str:
    """One of the room's SQL texts, without its comment lines."""
    source = resources.files("scf.reconciliation").joinpath(name).read_text(encoding="utf-8")
    return "\n".join(line for line in source.splitlines() if not line.startswith("--"))


def rule_sql(cases: str, terms: Terms) -> str:
    """SQL that adds `flags` to the rows of relation `cases` (a name or a parenthesised query)."""
    return _render("rule.sql", terms, cases=cases)


def plain_sql(cases: str, terms: Terms) -> str:
    """SQL that adds `flags` to the rows of relation `cases`: 0 for plainly matched, -1 where `rule_sql` must say."""
    return _render("plain.sql", terms, cases=cases)


def explain_sql(judged: str, terms: Terms) -> str:
    """SQL that adds reason, field, left_value, right_value and limit_milli to judged rows."""
    return _render("explain.sql", terms, judged=judged)


def _render(name: str, terms: Terms, **relations: str) -> str:
    numbers = {key: str(int(value)) for key, value in asdict(terms).items()}
    return text_of(name).format(**numbers, **relations)


def cases_sql(
    relations: dict[str, str],
    *,
    unique: bool,
    absent: Mapping[str, Collection[str]] | None = None,
    named: bool = False,
    told: Collection[str] = (),
) -> str:
    """SQL that gathers four canonical relations into cases.

    With `unique` every row is taken as the only one of its key: cheap, and right where keys do not repeat. Without it
    rows are added up; both give the same on unique keys. `absent` names columns a side does not have: said outright,
    an engine need not carry them through its joins. A side without rows is absent as a whole (`{"invoices": {"*"}}`).
    `told` names sides whose rows say which source tells of them.
    `named` takes the order's reference from the column `reference` of the orders, where `k` is only joined by.
    """
    text = text_of("combine.sql")
    if named:
        text = re.sub(r"coalesce\([^)]*\) AS order_reference", "o.reference AS order_reference", text)
    for side, alias in zip(SIDES, "odip", strict=True):
        missing = (absent or {}).get(side, ())
        if "*" in missing:
            text = re.sub(rf"FULL JOIN \{{{side}\}} {alias} ON .*", "", text)
            text = re.sub(rf", {alias}\.k\b", "", text)
        if unique:
            for pattern, value in _AS_UNIQUE:
                text = re.sub(pattern.format(alias=alias), value.format(alias=alias), text)
        for column in _COLUMNS if "*" in missing else missing:
            text = re.sub(rf"\b{alias}\.{column}\b", f"CAST(NULL AS {_type(column)})", text)
    added = {side: _added(side, relations[side], with_sources=side in told) for side in SIDES}
    return text.format(**(relations if unique else added))


def _added(side: str, rows: str, *, with_sources: bool) -> str:
    plain = f"SELECT r.*, 0 AS confirms, 0 AS contradicts FROM {rows} r"
    by = {"by_amount": int(side != "deliveries"), "by_day": int(side == "deliveries"), "same_days": SAME_DELIVERY_DAYS}
    source = text_of("told.sql").format(rows=rows, **by) if with_sources else plain
    return f"({text_of('side.sql').format(rows=f'({source})')})"


def _type(column: str) -> str:
    if column in ("currency", "other_currency", "account", "other_account", "party"):
        return "VARCHAR(140)"
    return "INTEGER" if column.endswith("day") else "BIGINT"


_AS_UNIQUE = (
    (r"coalesce\({alias}\.n_(?:rows|docs), 0\)", "CASE WHEN {alias}.row_id IS NULL THEN 0 ELSE 1 END"),
    (r"coalesce\({alias}\.n_(?:repeated|equal|contradicting), 0\)", "0"),
    (r"\b{alias}\.raw_minor\b", "coalesce({alias}.payable_minor, {alias}.amount_minor)"),
    (r"\b{alias}\.(?:first|last)_day\b", "{alias}.day"),
    (r"\b{alias}\.first_row\b", "{alias}.row_id"),
    (r"\b{alias}\.other_currency\b", "CAST(NULL AS VARCHAR(140))"),
    (r"\b{alias}\.other_account\b", "{alias}.account"),
    (r"CASE WHEN {alias}\.k IS NULL", "CASE WHEN {alias}.row_id IS NULL"),
)
"""What the sums of side.sql are when there is one row: itself."""
_COLUMNS = (
    "n_rows", "n_docs", "n_repeated", "n_equal", "n_contradicting", "first_row", "row_id", "raw_minor",
    "quantity_milli", "amount_minor", "payable_minor", "price_micro", "currency", "other_currency", "party", "account",
    "other_account", "first_day", "last_day", "day", "promised_day", "due_day",
)  # fmt: skip
