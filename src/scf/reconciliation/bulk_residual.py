"""The looser half of a bulk run, on the few rows whose own reference does not settle them.

Moves rows between cases by changing their key, each way only where the answer is unique: normalised references, then
references with a slip of the pen between the same parties and amounts, then rows without a reference by party, amount
and day, then what adds up in one way only among the payments and orders of a party (`combining`, as online).
"""

from __future__ import annotations

from collections import defaultdict

import duckdb

from scf.reconciliation.bulk_bands import amount_band, day_band, spread
from scf.reconciliation.bulk_columns import NORMAL, THROUGH
from scf.reconciliation.bulk_mentions import Shares, mentioned
from scf.reconciliation.combining import Due, Paid, combine
from scf.reconciliation.portable import SIDES, cases_sql, rule_sql
from scf.reconciliation.rule import Reason, Terms
from scf.reconciliation.slips import slip_sql

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
            self._unname()
            self._normalised()
        self._judge()
        self._divide(mentioned(self.connection, text_key=self.text_key), "mentioned", 900)
        self._misnamed()
        self._judge_again()
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

    def _unname(self) -> None:
        """A payment whose words have no digit names nothing ("monthly settlement"), unless an order is called so."""
        self.connection.execute(
            "UPDATE open_payments SET k = concat('no reference: payments row ', row_id) "
            "WHERE NOT regexp_matches(k, '[0-9]') AND k NOT IN (SELECT k FROM order_norms)"
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
        parties = self._both_have_parties(side)
        wanting = spread("wanting", t, early_days=t.early_days, late_days=window)
        span = t.early_days + window + 1
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE near AS SELECT s.row_id, s.k AS k_from, w.k AS k_to, {named} AS named "
            f"FROM open_{side} s JOIN {wanting} w ON {'s.party = w.party AND ' if parties else ''}"
            f"{amount_band(worth, t)} = w.band AND {day_band('s.day', span)} = w.days AND "
            f"{worth} BETWEEN w.amount_minor - {t.amount_fixed_minor} - w.amount_minor * {t.amount_per_mille} // 1000 "
            f"AND w.amount_minor + {t.amount_fixed_minor} + w.amount_minor * {t.amount_per_mille} // 1000 "
            f"AND abs({worth} - w.amount_minor) * 1000 <= "
            f"greatest({t.amount_fixed_minor} * 1000, {t.amount_per_mille} * w.amount_minor) "
            "AND (s.currency IS NULL OR w.currency IS NULL OR s.currency = w.currency) "
            f"AND s.day BETWEEN w.day - {t.early_days} AND w.day + {window} "
            "WHERE s.k NOT IN (SELECT k FROM order_norms)"
        )
        self._keep_slips(side)
        sole = (
            "SELECT row_id, k_from, k_to FROM (SELECT *, count(*) OVER (PARTITION BY row_id) AS a, "
            "count(*) OVER (PARTITION BY k_to) AS b FROM near) WHERE a = 1 AND b = 1 AND {which}"
        )
        self._apply(side, sole.format(which="named"), "slip of the pen", 920)
        if parties:
            self._apply(side, sole.format(which="NOT named"), "sole candidate", 900)

    def _misnamed(self) -> None:
        """Payments that name one order and mean another, as `misnamed` has it online."""
        if not self._both_have_parties("payments"):
            return
        self._wanting("payments")
        window = self.terms.payment_window_days
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE near AS SELECT s.row_id, s.k AS k_from, w.k AS k_to, true AS named "
            "FROM open_payments s JOIN state a ON a.order_reference = s.k AND a.orders > 0 "
            "AND s.amount_minor <> coalesce(a.owed_minor, a.ordered_minor) "
            "JOIN wanting w ON w.party = s.party AND w.amount_minor = s.amount_minor AND w.k <> s.k "
            "AND (s.currency IS NULL OR w.currency IS NULL OR s.currency = w.currency) "
            f"AND s.day BETWEEN w.day AND w.day + {window} "
            "WHERE s.row_id NOT IN (SELECT row_id FROM moves WHERE side = 'payments' AND amount_minor IS NOT NULL)"
        )
        self._keep_slips("payments", by_documents=True)
        sole = (
            "SELECT row_id, k_from, k_to FROM (SELECT *, count(*) OVER (PARTITION BY row_id) AS a, "
            "count(*) OVER (PARTITION BY k_to) AS b FROM near) WHERE a = 1 AND b = 1"
        )
        self._apply("payments", sole, "mistyped", 900)

    def _keep_slips(self, side: str, *, by_documents: bool = False) -> None:
        """Of rows that name something, keep those whose words nearly are the name of the order or of its documents.

        With `by_documents` the words are the documents of the order they name, for that is all that is left of them.
        """
        through = THROUGH.get(side)

        def names(key: str) -> str:
            said = f"SELECT DISTINCT {key} AS k, CAST({key} AS VARCHAR) AS name FROM near"
            if through is not None:
                said += (
                    f" UNION SELECT k, number FROM open_{through} "
                    f"WHERE number IS NOT NULL AND k IN (SELECT {key} FROM near)"
                )
            return said

        written = (
            names("k_from")
            if by_documents
            else "SELECT DISTINCT k_from AS k, CAST(k_from AS VARCHAR) AS name FROM near"
        )
        slip = slip_sql("written.name", "meant.name")
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE near AS SELECT * FROM near WHERE NOT named UNION ALL "
            f"SELECT DISTINCT n.* FROM near n JOIN ({names('k_to')}) meant ON meant.k = n.k_to "
            f"JOIN ({written}) written ON written.k = n.k_from WHERE n.named AND {slip}"
        )

    def _both_have_parties(self, side: str) -> bool:
        query = f"SELECT count(party) = count(*) FROM open_{side}"
        orders = "SELECT count(party) = count(*) FROM open_orders"
        row, other = self.connection.execute(query).fetchone(), self.connection.execute(orders).fetchone()
        return bool(row and row[0] and other and other[0])

    def _combinations(self) -> Shares:
        """What adds up in one way only among the open orders and the unplaced money of one party and currency.

        A payment may name one of the orders (which is then overpaid), an unknown one, or none.
        """
        if not self._both_have_parties("payments"):
            return []
        due: dict[tuple[str, str | None], list[Due]] = defaultdict(list)
        for reference, party, currency, amount, day in self.connection.execute(
            "SELECT c.order_reference, c.party, c.currency, coalesce(c.owed_minor, c.ordered_minor), "
            "coalesce(c.first_delivered_day, c.order_day) FROM state c "
            "WHERE c.orders > 0 AND c.payments = 0 AND c.deliveries + c.invoices > 0 "
            "AND coalesce(c.owed_minor, c.ordered_minor) > 0 ORDER BY 1"
        ).fetchall():
            due[party, currency].append(Due(reference, amount, day))
        over = 1 << Reason.PAYMENT_DIFFERENCE
        paid: dict[tuple[str, str | None], list[Paid]] = defaultdict(list)
        whole: dict[int, tuple[object, int, int]] = {}
        for row_id, key, party, currency, amount, owed, orders, day, nameless in self.connection.execute(
            f"SELECT p.row_id, p.k, p.party, coalesce(p.currency, c.currency), p.amount_minor, "
            f"coalesce(c.owed_minor, 0), c.orders, p.day, {f'p.{_LONELY}' if self.text_key else 'p.k < 0'} "
            f"FROM open_payments p JOIN state c ON c.order_reference = p.k WHERE c.payments = 1 AND c.payment_rows = 1 "
            f"AND p.row_id NOT IN (SELECT row_id FROM moves WHERE amount_minor IS NOT NULL) AND p.amount_minor > 0 "
            f"AND (c.orders = 0 OR (c.flags // {over} % 2 = 1 AND c.paid_minor > c.owed_minor)) ORDER BY p.row_id"
        ).fetchall():
            rest = amount - (owed if orders else 0)
            paid[party, currency].append(Paid(row_id, rest, day, nameless=bool(nameless), surplus=bool(orders)))
            whole[row_id] = key, amount, owed if orders else 0
        shares: Shares = []
        for who, money in paid.items():
            found = combine(money, due.get(who, []), window_days=self.terms.payment_window_days)
            shares += [(one.key, whole[one.key][0], order.key, part) for one, order, part in found]
            named = {one.key for one, _, _ in found if one.surplus}
            shares += [(row_id, whole[row_id][0], whole[row_id][0], whole[row_id][2]) for row_id in sorted(named)]
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
