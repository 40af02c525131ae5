"""The looser half of a bulk run, on the few rows whose own reference does not settle them.

Moves rows between cases by changing their key, each way only where the answer is unique: normalised references, then
references with a slip of the pen between the same parties and amounts, then rows without a reference by party, amount
and day, then one payment for several orders when exactly one combination adds up.
"""

from __future__ import annotations

from collections import defaultdict

import duckdb

from scf.reconciliation.bulk_columns import NORMAL
from scf.reconciliation.bulk_mentions import Shares, mentioned
from scf.reconciliation.portable import SIDES, cases_sql, rule_sql
from scf.reconciliation.rule import Reason, Terms
from scf.reconciliation.subset import MAX_ITEMS, unique_subset

SLIPS = 2
"""Characters lost, added or swapped with their neighbour that may part a mistyped reference from the right one."""
_LONELY = "k LIKE 'no reference: %'"


class Residual:
    """One look at the open rows of a run."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, terms: Terms, *, text_key: bool, told: tuple[str, ...]
    ) -> None:
        self.connection, self.terms, self.told = connection, terms, told
        self.text_key = text_key
        key = "VARCHAR" if text_key else "BIGINT"
        connection.execute(
            f"CREATE TEMP TABLE moves (side VARCHAR, row_id BIGINT, k_from {key}, k_to {key}, amount_minor BIGINT, "
            "method VARCHAR, confidence INTEGER)"
        )
        connection.execute(f"CREATE TEMP TABLE touched (k {key})")

    def run(self) -> dict[str, int]:
        """All ways, the surest first. Returns how many rows each moved.

        Leaves the table `state`: what the rule says of every open reference.
        """
        self._name_orders()
        if self.text_key:
            self._normalised()
        self._judge()
        self._divide(mentioned(self.connection, text_key=self.text_key), "mentioned", 900)
        for side in SIDES[1:]:
            self._near(side)
        self._judge_again()
        self._divide(self._combinations(), "sole combination", 850)
        self._judge_again()
        counted = self.connection.execute("SELECT method, count(*) FROM moves GROUP BY 1 ORDER BY 1").fetchall()
        return {str(method): int(count) for method, count in counted}

    def _apply(self, side: str, query: str, method: str, confidence: int) -> None:
        """Note moves (row_id, k_from, k_to) of one side and change the keys."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE step AS {query}")
        self.connection.execute(
            f"INSERT INTO moves SELECT '{side}', row_id, k_from, k_to, NULL, '{method}', {confidence} FROM step"
        )
        self.connection.execute(f"UPDATE open_{side} t SET k = s.k_to FROM step s WHERE t.row_id = s.row_id")
        self.connection.execute("INSERT INTO touched SELECT unnest([k_from, k_to]) FROM step")

    def _name_orders(self) -> None:
        """Temp table `order_norms`: the open orders with their references in normalised form."""
        self.connection.execute(
            f"CREATE TEMP TABLE order_norms AS SELECT {NORMAL.format(k='CAST(k AS VARCHAR)')} AS norm, k FROM "
            "(SELECT DISTINCT k FROM open_orders)"
        )

    def _normalised(self) -> None:
        """Rows of an unknown reference go to the one order whose reference reads the same when normalised."""
        self.connection.execute(
            "CREATE TEMP TABLE known AS SELECT norm, min(k) AS k FROM order_norms WHERE norm IS NOT NULL GROUP BY 1 "
            "HAVING count(*) = 1"
        )
        for side in SIDES[1:]:
            stray = (
                f"SELECT row_id, k, {NORMAL.format(k='k')} AS norm FROM (SELECT row_id, k FROM open_{side} "
                f"ANTI JOIN order_norms USING (k)) WHERE {_LONELY.replace('LIKE', 'NOT LIKE')}"
            )
            query = f"SELECT t.row_id, t.k AS k_from, known.k AS k_to FROM ({stray}) t JOIN known USING (norm)"
            self._apply(side, query, "normalised", 950)

    def _judge(self) -> None:
        """Temp table `state`: what the rule says of the open references as they stand now."""
        self.connection.execute(f"CREATE TEMP TABLE state AS {self._judged('open_{side}')}")
        self.connection.execute("DELETE FROM touched")

    def _judge_again(self) -> None:
        """Bring `state` up to date for the references that rows were moved from or to."""
        if self.connection.execute("SELECT 1 FROM touched LIMIT 1").fetchone() is None:
            return
        chosen = self._judged("(SELECT * FROM open_{side} WHERE k IN (SELECT k FROM touched))")
        self.connection.execute("DELETE FROM state WHERE order_reference IN (SELECT k FROM touched)")
        self.connection.execute(f"INSERT INTO state {chosen}")
        self.connection.execute("DELETE FROM touched")

    def _judged(self, rows: str) -> str:
        cases = cases_sql({side: rows.format(side=side) for side in SIDES}, unique=False, told=self.told)
        return rule_sql(f"({cases})", self.terms)

    def _wanting(self, side: str) -> None:
        """Temp table `wanting`: orders that lack this side, with the amount and first day they wait for."""
        count = {"deliveries": "c.deliveries", "invoices": "c.invoices", "payments": "c.payments"}[side]
        worth = "c.ordered_minor" if side != "payments" else "coalesce(c.owed_minor, c.ordered_minor)"
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE wanting AS SELECT c.order_reference AS k, c.party, c.currency, "
            f"{worth} AS amount_minor, coalesce(c.first_delivered_day, c.order_day) AS day "
            f"FROM state c WHERE c.orders > 0 AND {count} = 0 AND {worth} > 0"
        )

    def _near(self, side: str) -> None:
        """Rows of unknown references that fit one order only, and are the only ones to fit it."""
        self._wanting(side)
        t = self.terms
        worth = "coalesce(s.payable_minor, s.amount_minor)"
        window = t.payment_window_days if side == "payments" else t.delivery_window_days + t.invoice_window_days
        named = f"NOT (s.{_LONELY})" if self.text_key else "s.k >= 0"
        pair = "(CAST(s.k AS VARCHAR), CAST(w.k AS VARCHAR))"
        # Another digit is another number; a slip loses, adds or swaps characters (a swap is one edit, or two in place).
        slip = (
            f"damerau_levenshtein{pair} <= {SLIPS} AND (length(CAST(s.k AS VARCHAR)) <> length(CAST(w.k AS VARCHAR)) "
            f"OR damerau_levenshtein{pair} < levenshtein{pair})"
        )
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE near AS SELECT s.row_id, s.k AS k_from, w.k AS k_to, {named} AS named "
            f"FROM open_{side} s JOIN wanting w ON {'s.party = w.party AND ' if self._both_have_parties(side) else ''}"
            f"{worth} BETWEEN w.amount_minor - {t.amount_fixed_minor} - w.amount_minor * {t.amount_per_mille} // 1000 "
            f"AND w.amount_minor + {t.amount_fixed_minor} + w.amount_minor * {t.amount_per_mille} // 1000 "
            f"AND abs({worth} - w.amount_minor) * 1000 <= "
            f"greatest({t.amount_fixed_minor} * 1000, {t.amount_per_mille} * w.amount_minor) "
            "AND (s.currency IS NULL OR w.currency IS NULL OR s.currency = w.currency) "
            f"AND s.day BETWEEN w.day - {t.early_days} AND w.day + {window} "
            f"WHERE s.k NOT IN (SELECT k FROM order_norms) AND (NOT ({named}) OR ({slip}))"
        )
        sole = (
            "SELECT row_id, k_from, k_to FROM (SELECT *, count(*) OVER (PARTITION BY row_id) AS a, "
            "count(*) OVER (PARTITION BY k_to) AS b FROM near) WHERE a = 1 AND b = 1 AND {which}"
        )
        self._apply(side, sole.format(which="named"), "slip of the pen", 920)
        if self._both_have_parties(side):
            self._apply(side, sole.format(which="NOT named"), "sole candidate", 900)

    def _both_have_parties(self, side: str) -> bool:
        query = f"SELECT count(party) = count(*) FROM open_{side}"
        orders = "SELECT count(party) = count(*) FROM open_orders"
        row, other = self.connection.execute(query).fetchone(), self.connection.execute(orders).fetchone()
        return bool(row and row[0] and other and other[0])

    def _combinations(self) -> Shares:
        """Payments that settle several orders of one party, when exactly one set of orders adds up to the cent.

        The payment may name one of the orders (which is then overpaid), an unknown one, or none.
        """
        if not self._both_have_parties("payments"):
            return []
        unpaid = self.connection.execute(
            "SELECT c.order_reference, c.party, coalesce(c.owed_minor, c.ordered_minor) FROM state c "
            "WHERE c.orders > 0 AND c.payments = 0 AND c.deliveries + c.invoices > 0 "
            "AND coalesce(c.owed_minor, c.ordered_minor) > 0 ORDER BY 1"
        ).fetchall()
        over = 1 << Reason.PAYMENT_DIFFERENCE
        payments = self.connection.execute(
            f"SELECT p.row_id, p.k, p.party, p.amount_minor, coalesce(c.owed_minor, 0), c.orders FROM open_payments p "
            f"JOIN state c ON c.order_reference = p.k WHERE c.payments = 1 AND c.payment_rows = 1 "
            f"AND p.row_id NOT IN (SELECT row_id FROM moves WHERE amount_minor IS NOT NULL) "
            f"AND (c.orders = 0 OR (c.flags // {over} % 2 = 1 AND c.paid_minor > c.owed_minor)) ORDER BY p.row_id"
        ).fetchall()
        open_by_party: dict[str, dict[object, int]] = defaultdict(dict)
        for reference, party, amount in unpaid:
            open_by_party[party][reference] = amount
        shares: Shares = []
        for row_id, key, party, amount, owed, orders in payments:
            candidates = open_by_party[party]
            if not 0 < len(candidates) <= MAX_ITEMS:
                continue
            names = list(candidates)
            rest = amount - (owed if orders else 0)
            chosen = unique_subset([candidates[n] for n in names], rest, at_least=1 if orders else 2)
            if chosen is None:
                continue
            shares += [(row_id, key, names[place], candidates.pop(names[place])) for place in chosen]
            if orders:
                shares.append((row_id, key, key, owed))
        return shares

    def _divide(self, shares: Shares, method: str, confidence: int) -> None:
        """Put shares of payments in the place of the payments."""
        if not shares:
            return
        connection = self.connection
        key = "VARCHAR" if self.text_key else "BIGINT"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE shares (row_id BIGINT, k_from {key}, k_to {key}, amount_minor BIGINT)"
        )
        connection.execute(
            "INSERT INTO shares SELECT unnest(?), unnest(?), unnest(?), unnest(?)",
            [list(column) for column in zip(*shares, strict=True)],
        )
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE divided AS SELECT p.* REPLACE (s.k_to AS k, s.amount_minor AS amount_minor) "
            "FROM open_payments p JOIN shares s ON s.row_id = p.row_id"
        )
        connection.execute("DELETE FROM open_payments WHERE row_id IN (SELECT row_id FROM shares)")
        connection.execute("INSERT INTO open_payments SELECT * FROM divided")
        connection.execute(
            "INSERT INTO moves SELECT 'payments', row_id, k_from, k_to, "
            "CASE WHEN count(*) OVER (PARTITION BY row_id) > 1 THEN amount_minor END, "
            f"'{method}', {confidence} FROM shares"
        )
        connection.execute("INSERT INTO touched SELECT unnest([k_from, k_to]) FROM shares")
