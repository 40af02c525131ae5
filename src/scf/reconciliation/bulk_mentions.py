"""Payments of a bulk run that name their documents among other words, read and divided as online."""

from __future__ import annotations

from collections import defaultdict

import duckdb

from scf.reconciliation.bulk_columns import NORMAL
from scf.reconciliation.facts import SHORTEST_MENTION, SHORTEST_WORD, normalise, words_of
from scf.reconciliation.subset import divide

_OPEN = "coalesce(s.owed_minor, s.ordered_minor) - coalesce(s.paid_minor, 0)"
_DAY = "coalesce(s.first_delivered_day, s.order_day, 0)"
_ONE_WORD = "regexp_full_match(written, '[A-Za-z0-9]([A-Za-z0-9/._#-]*[A-Za-z0-9])?')"
"""A text that `words_of` takes for one word, itself; nearly all of them, and read without leaving the engine."""
Shares = list[tuple[int, object, object, int]]
"""(row, reference it has, reference it goes to, amount in minor units) each."""


def mentioned(connection: duckdb.DuckDBPyConnection, *, text_key: bool) -> Shares:
    """What open payments pay of the orders that they name by words, of these or of their invoices and deliveries.

    Looks at payments whose own reference is no order's, and at those that pay more than the order they name. Reads the
    tables `open_*`, `order_norms` and `state`; a word that several orders could mean counts for none.
    """
    own = "p.k" if text_key else "NULL"
    written = f"concat_ws(' | ', CASE WHEN {own} LIKE 'no reference: %' THEN NULL ELSE {own} END, p.text)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE naming AS SELECT p.row_id, p.k, s.orders > 0 AS known, p.amount_minor, "
        f"{_OPEN} AS still_open, {_DAY} AS day, p.party, {written} AS written FROM open_payments p "
        "JOIN state s ON s.order_reference = p.k WHERE p.amount_minor > 0 "
        "AND (s.orders = 0 OR (p.text IS NOT NULL AND s.paid_minor > coalesce(s.owed_minor, s.ordered_minor)))"
    )
    if not _words(connection):
        return []
    documents = " UNION ALL ".join(
        f"SELECT {NORMAL.format(k='number')} AS norm, k, party FROM open_{side}" for side in ("invoices", "deliveries")
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE documents AS SELECT norm, k, party FROM (SELECT n.norm, n.k, o.party FROM "
        f"order_norms n JOIN open_orders o ON o.k = n.k UNION ALL {documents}) SEMI JOIN words USING (norm) "
        "WHERE k IN (SELECT k FROM order_norms)"
    )
    # Two firms may use one number: the payee's own document goes first, and none of another known firm is meant.
    sole = "min(k) AS k, min(party) AS party FROM documents GROUP BY {by} HAVING count(DISTINCT k) = 1"
    meant = (
        "SELECT w.row_id, coalesce(own.k, CASE WHEN n.party IS NULL OR one.party IS NULL OR n.party NOT IN "
        "(SELECT party FROM open_orders WHERE party IS NOT NULL) THEN one.k END) AS k "
        "FROM words w JOIN naming n USING (row_id) "
        f"LEFT JOIN (SELECT norm, party AS whose, {sole.format(by='norm, party')}) own "
        "ON own.norm = w.norm AND own.whose = n.party "
        f"LEFT JOIN (SELECT norm, {sole.format(by='norm')}) one ON one.norm = w.norm"
    )
    found = connection.execute(
        f"SELECT m.row_id, m.k, any_value({_OPEN}), any_value({_DAY}) FROM ({meant}) m "
        "JOIN state s ON s.order_reference = m.k GROUP BY 1, 2"
    ).fetchall()
    cases: dict[int, list[tuple[int, object, int | None]]] = defaultdict(list)
    for row_id, reference, still_open, day in found:
        cases[row_id].append((day, reference, still_open))
    rows = connection.execute(
        "SELECT row_id, k, known, amount_minor, still_open, day FROM naming "
        "WHERE row_id IN (SELECT unnest(?)) ORDER BY row_id",
        [list(cases)],
    ).fetchall()
    paid: dict[object, int] = defaultdict(int)
    shares: Shares = []
    for row_id, key, known, amount, still_open, day in rows:
        others = [case for case in cases[row_id] if case[1] != key]
        if not others:
            continue
        named = sorted([*others, (day, key, still_open)] if known else others, key=lambda c: (c[0], str(c[1])))
        own_share = amount if known else 0  # what the state already counts as paid of the order it names
        opens = [
            None if left is None else left - paid[reference] + (own_share if reference == key else 0)
            for _, reference, left in named
        ]
        parts = divide(amount, opens) if len(named) > 1 else [amount]
        for (_, reference, _), part in zip(named, parts, strict=True):
            if part:
                shares.append((row_id, key, reference, part))
                paid[reference] += part - (own_share if reference == key else 0)
    return shares


def _words(connection: duckdb.DuckDBPyConnection) -> bool:
    """Temp table `words`: what each text of `naming` could name, normalised. Whether there is anything."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE words AS SELECT row_id, norm FROM (SELECT row_id, {NORMAL.format(k='written')} "
        f"AS norm FROM naming WHERE {_ONE_WORD} AND length(written) >= {SHORTEST_WORD} "
        f"AND regexp_matches(written, '[0-9]')) WHERE length(norm) >= {SHORTEST_MENTION}"
    )
    words = [
        (row_id, norm)
        for row_id, text in connection.execute(
            f"SELECT row_id, written FROM naming WHERE written <> '' AND NOT {_ONE_WORD}"
        ).fetchall()
        for norm in dict.fromkeys(normalise(word) for word in words_of(text))
        if norm and len(norm) >= SHORTEST_MENTION
    ]
    if words:
        connection.execute("INSERT INTO words SELECT unnest(?), unnest(?)", [list(c) for c in zip(*words, strict=True)])
    return bool(words) or connection.execute("SELECT 1 FROM words LIMIT 1").fetchone() is not None
