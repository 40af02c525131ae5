"""Tables that name another table's documents instead of orders: payments their invoices, invoices their deliveries."""

from __future__ import annotations

from collections.abc import Mapping

from scf.reconciliation.bulk_columns import DOCS, NORMAL, THROUGH, quoted

Source = tuple[str, dict[str, str], str]
"""What is read, its columns with their types, and the expression of the row number."""


def lead_through(sources: dict[str, Source], found: dict[str, dict[str, str]]) -> list[str]:
    """Give tables that only name another table's documents the order references of those, where that is one order.

    Two firms may give one number to two documents, so a document of the row's own party or account goes first, and a
    number alone leads to no document of another firm. Changes `sources` and `found`; returns the tables changed. An
    unknown document's name stands for itself.
    """
    changed = []
    for name, other in THROUGH.items():
        if name not in sources or "key" in found[name] or not {"key", "document"} <= found.get(other, {}).keys():
            continue
        source, types, row = sources[name]
        lower = {column.lower(): column for column in types}
        column = next((lower[c] for c in DOCS[other] if c in lower and lower[c] not in found[name].values()), None)
        if column is None:
            continue
        joined = _joined(source, row, column, found[name], sources[other][0], found[other])
        sources[name] = joined, types | {"scf_key": "VARCHAR"}, "scf_number"
        found[name]["key"] = "scf_key"
        changed.append(name)
    return changed


def _joined(source: str, row: str, column: str, ours: Mapping[str, str], others: str, theirs: Mapping[str, str]) -> str:
    said = f"NULLIF(trim(CAST(s.{quoted(column)} AS VARCHAR)), '')"
    document = f"trim(CAST({quoted(theirs['document'])} AS VARCHAR))"
    key = quoted(theirs["key"])
    ways: list[str] = []
    joins: list[str] = []
    for meaning in ("party", "account", ""):
        if meaning and not (meaning in theirs and meaning in ours):
            continue
        whose, mine = (_who(theirs[meaning]), _who(ours[meaning], "s.")) if meaning else ("''", "''")
        for text, own in ((document, said), (NORMAL.format(k=document), NORMAL.format(k=said))):
            alias = f"m{len(ways)}"
            joins.append(
                f"LEFT JOIN (SELECT {text} AS document, {whose} AS whose, min(CAST({key} AS VARCHAR)) AS known "
                f"FROM {others} GROUP BY 1, 2 HAVING count(DISTINCT {key}) = 1) {alias} "
                f"ON {alias}.document = {own} AND {alias}.whose = {mine}"
            )
            ways.append(f"{alias}.known")
    if "party" in theirs and "party" in ours:
        party = _who(theirs["party"])
        joins.append(
            f"LEFT JOIN (SELECT DISTINCT {party} AS party FROM {others} WHERE {party} IS NOT NULL) firms "
            f"ON firms.party = {_who(ours['party'], 's.')}"
        )
        ways[-2:] = [f"CASE WHEN firms.party IS NULL THEN {way} END" for way in ways[-2:]]
    return (
        f"(SELECT s.*, s.{row} AS scf_number, coalesce({', '.join(ways)}, {said}) AS scf_key "
        f"FROM {source} s {' '.join(joins)})"
    )


def _who(column: str, prefix: str = "") -> str:
    return f"NULLIF(upper(trim(CAST({prefix}{quoted(column)} AS VARCHAR))), '')"
