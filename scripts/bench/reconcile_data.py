"""A seeded generator of orders, deliveries and payments with known disturbances, and how well they were found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

KINDS = (
    "missing_delivery", "missing_payment", "late_delivery", "short_payment", "diverted_payee", "paid_twice",
    "line_sent_twice", "split_delivery", "split_payment", "merged_payment", "mistyped_payment", "swapped_payment",
    "mistyped_delivery", "restyled_payment",
)  # fmt: skip
"""Planted disturbances; each strikes `per_100k` of 100,000 orders."""
EXPECTED_REASON = {
    "missing_delivery": "PAID_BEFORE_DELIVERY", "missing_payment": "UNPAID", "late_delivery": "LATE",
    "short_payment": "PAYMENT_DIFFERENCE", "diverted_payee": "WRONG_PAYEE_ACCOUNT", "paid_twice": "PAYMENT_DIFFERENCE",
}  # fmt: skip
"""What a disturbance must end in; the others must end matched, because a machine can repair them."""
LINKED = ("split_delivery", "split_payment", "merged_payment", "mistyped_payment", "swapped_payment",
          "mistyped_delivery", "restyled_payment", "line_sent_twice")  # fmt: skip
LAST_DAY = 20_950


def generate(
    folder: Path, rows: int, *, seed: int = 7, per_100k: int = 72, lean: bool = False, key: str = "text"
) -> None:
    """Write orders, deliveries, payments and the truth as Parquet. `lean` leaves out accounts, quantities, promises.

    The default strikes about 1% of orders. Half a per cent of payments and deliveries belong to no order at all. Each
    file has its rows in an order of its own, so that no engine profits from it. Nothing is held in memory: everything
    said of order `i` follows from `i`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false; SET memory_limit = '1GB'")
    plan = _Plan(rows + rows % 2, seed, per_100k, lean, key)
    for name, query in (
        ("orders", plan.orders()),
        ("deliveries", plan.deliveries()),
        ("payments", plan.payments()),
        ("truth", f"SELECT {plan.number('i')} AS order_reference, kind FROM {plan.base('truth')}"),
    ):
        con.execute(f"COPY ({query}) TO '{folder / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    con.close()


class _Plan:
    """The SQL of the generated tables."""

    def __init__(self, rows: int, seed: int, per_100k: int, lean: bool, key: str) -> None:
        self.rows, self.seed, self.per_100k, self.lean, self.key = rows, seed, per_100k, lean, key

    def pick(self, column: str, salt: int, of: int) -> str:
        """A number below `of` that follows from `column`."""
        return f"CAST(hash({column}, {self.seed * 1000 + salt}) % {of} AS BIGINT)"

    def amount(self, i: str) -> str:
        """What order `i` is worth, in minor units."""
        return f"(10000 + {self.pick(i, 2, 50_000_000)})"

    def number(self, i: str) -> str:
        """The reference of order `i`."""
        if self.key == "int":
            return f"CAST({i} * 2 + 1000000000 AS BIGINT)"
        return f"printf('PO-2026-%010d/001', {i} * 1009 + 1000)"

    def base(self, name: str) -> str:
        """All orders with what befell them, shuffled: a large prime step walks through all numbers below `rows`."""
        step = {"orders": 694_847_539, "deliveries": 472_882_027, "payments": 961_748_941, "truth": 1}[name]
        single = [kind for kind in KINDS if kind != "merged_payment"]
        cases = " ".join(f"WHEN b < {(n + 1) * self.per_100k} THEN '{kind}'" for n, kind in enumerate(single))
        pair = "(i // 2)"
        return (
            f"(SELECT i, {self.pick(pair, 1, max(1000, self.rows // 25))} AS s, {self.amount('i')} AS amount, "
            f"CAST(20400 + {self.pick(pair, 3, 365)} AS INTEGER) AS day, "
            f"CASE WHEN {self.pick(pair, 8, 100_000)} < {self.per_100k} THEN 'merged_payment' {cases} ELSE 'none' END "
            f"AS kind FROM (SELECT i, {self.pick('i', 4, 100_000)} AS b FROM "
            f"(SELECT (j * {step} + 17) % {self.rows} AS i FROM range({self.rows}) t(j))))"
        )

    def forms(self) -> dict[str, str]:
        """An order's reference as written: right, two digits swapped, one lost, or in another style."""
        ref = self.number("i")
        if self.key == "int":
            return dict.fromkeys(("right", "swapped", "lost", "restyled"), ref)
        return {
            "right": ref,
            "swapped": f"left({ref}, 15) || substr({ref}, 17, 1) || substr({ref}, 16, 1) || substr({ref}, 18)",
            "lost": f"left({ref}, 13) || substr({ref}, 15)",
            "restyled": f"lower(replace(replace({ref}, '-', ' '), '0', 'o'))",
        }

    def orders(self) -> str:
        """The orders."""
        more = ", 'CNY' AS currency, printf('CN%012d', s) AS account"
        more += ", amount // 100 * 1000 AS quantity_milli, CAST(day + 45 AS INTEGER) AS promised_day"
        columns = f"{self.number('i')} AS order_reference, s AS supplier, amount AS amount_minor, day"
        return f"SELECT {columns}{'' if self.lean else more} FROM {self.base('orders')}"

    def deliveries(self) -> str:
        """What was delivered of them, and some goods that belong to none."""
        forms = self.forms()
        late = "CASE kind WHEN 'late_delivery' THEN 46 ELSE 0 END"
        day = f"CAST(day + 1 + {self.pick('i', 5, 44)} + {late} AS INTEGER)"

        def row(said: str, truth: str, amount: str, quantity: str, mark: str, when: str) -> str:
            more = "" if self.lean else f", 'CNY' AS currency, {quantity} AS quantity_milli"
            return (
                f"SELECT {said} AS order_reference, {truth} AS truth, s AS supplier, {amount} AS amount_minor, "
                f"{day} AS day, 'GRN' || i || '{mark}' AS delivery_reference{more} FROM {self.base('deliveries')} "
                f"WHERE {when}"
            )

        said = f"CASE kind WHEN 'mistyped_delivery' THEN {forms['lost']} ELSE {forms['right']} END"
        truth, whole, part = forms["right"], "amount // 100 * 1000", "amount // 200 * 1000"
        return " UNION ALL ".join(
            (
                row(said, truth, "amount", whole, "", "kind NOT IN ('split_delivery', 'missing_delivery')"),
                row(said, truth, "amount // 2", part, "a", "kind = 'split_delivery'"),
                row(said, truth, "amount - amount // 2", f"{whole} - {part}", "b", "kind = 'split_delivery'"),
                row(self.number("(i + 900000000)"), "NULL", "amount", "1000", "x", "hash(i, 77) % 1000 < 5"),
            )
        )

    def payments(self) -> str:
        """What was paid for them. Two orders that are paid together are one payment that names the first."""
        forms = self.forms()
        late = "CASE kind WHEN 'late_delivery' THEN 45 ELSE 0 END"
        day = f"CAST(day + 50 + {self.pick('i', 6, 70)} + {late} AS INTEGER)"
        payee = "CASE kind WHEN 'diverted_payee' THEN 'XX66' ELSE printf('CN%012d', s) END"

        def row(said: str, truth: str, amount: str, mark: str, when: str) -> str:
            more = "" if self.lean else f", 'CNY' AS currency, {payee} AS account"
            return (
                f"SELECT {said} AS order_reference, {truth} AS truth, s AS supplier, CAST({amount} AS BIGINT) "
                f"AS amount_minor, {day} AS day, '{mark}' || i AS payment_reference{more} "
                f"FROM {self.base('payments')} WHERE {when}"
            )

        right = f"CAST({forms['right']} AS VARCHAR)"
        said = (
            f"CASE kind WHEN 'mistyped_payment' THEN {forms['lost']} WHEN 'swapped_payment' THEN {forms['swapped']} "
            f"WHEN 'restyled_payment' THEN {forms['restyled']} ELSE {forms['right']} END"
        )
        short = "CASE kind WHEN 'short_payment' THEN amount - amount // 50 - 200 ELSE amount END"
        both = f"{right} || ' ' || CAST({self.number('(i + 1)')} AS VARCHAR)"
        plain = "kind NOT IN ('split_payment', 'merged_payment', 'missing_payment')"
        return " UNION ALL ".join(
            (
                row(said, right, short, "P", plain),
                row(said, right, "amount // 3", "A", "kind = 'split_payment'"),
                row(said, right, "amount - amount // 3", "B", "kind = 'split_payment'"),
                row(said, right, "amount", "Q", "kind = 'paid_twice'"),
                row(said, right, "amount", "P", "kind = 'line_sent_twice'"),
                row(said, both, f"amount + {self.amount('(i + 1)')}", "M", "kind = 'merged_payment' AND i % 2 = 0"),
                row(self.number("(i + 800000000)"), "NULL", "amount", "X", "hash(i, 78) % 1000 < 5"),
            )
        )


def quality(folder: Path, out: Path) -> dict[str, Any]:
    """Precision and recall of links (which order does a payment or delivery belong to) and of reasons, per kind."""
    con = duckdb.connect()
    con.execute(f"CREATE VIEW truth AS SELECT * FROM '{folder}/truth.parquet'")
    result: dict[str, Any] = {"links": {}, "reasons": {}}
    for side in ("deliveries", "payments"):
        con.execute(
            f"CREATE OR REPLACE TABLE linked AS SELECT f.file_row_number AS row_id, f.truth, "
            "coalesce(m.k_to, o.order_reference) AS found, m.method "
            f"FROM read_parquet('{folder}/{side}.parquet', file_row_number=true) f "
            "LEFT JOIN (SELECT row_id, string_agg(k_to, ' ' ORDER BY k_to) AS k_to, max(method) AS method "
            f"FROM '{out}/moves.parquet' "
            f"WHERE side = '{side}' GROUP BY 1) m ON m.row_id = f.file_row_number "
            f"LEFT JOIN '{folder}/orders.parquet' o ON o.order_reference = f.order_reference"
        )
        line = con.execute(
            "SELECT count(*) FILTER (found = truth), count(found), count(truth), "
            "count(*) FILTER (found <> truth OR (truth IS NULL AND found IS NOT NULL)) FROM linked"
        ).fetchone() or (0, 0, 0, 0)
        right, made, true, wrong = line
        result["links"][side] = {
            "precision": round(right / max(made, 1), 6), "recall": round(right / max(true, 1), 6), "wrong": wrong,
        }  # fmt: skip
        by_method = con.execute(
            "SELECT coalesce(method, 'exact reference'), count(*) FILTER (found = truth), count(found) FROM linked "
            "WHERE found IS NOT NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
        result["links"][side]["by_method"] = {m: {"made": n, "right": r} for m, r, n in by_method}
    con.execute(
        "CREATE TABLE judged AS SELECT t.kind, coalesce(e.reason, "
        "CASE WHEN m.order_reference IS NOT NULL THEN 'MATCHED' "
        f"ELSE 'EXPECTED' END) AS reason FROM truth t LEFT JOIN '{out}/exceptions.parquet' e USING (order_reference) "
        f"LEFT JOIN '{out}/matches.parquet' m USING (order_reference)"
    )
    seen = con.execute("SELECT DISTINCT kind FROM truth").fetchall()
    lean = "account" not in {
        c[0] for c in con.execute(f"DESCRIBE SELECT * FROM '{folder}/payments.parquet'").fetchall()
    }
    for kind in (*KINDS, "none"):
        if (kind,) not in seen or (lean and kind in ("late_delivery", "diverted_payee")):
            continue  # without promises and accounts these two cannot be seen by anybody
        want = EXPECTED_REASON.get(kind, "MATCHED")
        hit, planted = con.execute(
            "SELECT count(*) FILTER (reason = ?), count(*) FROM judged WHERE kind = ?", [want, kind]
        ).fetchone() or (0, 0)
        mine = [k for k in (*KINDS, "none") if EXPECTED_REASON.get(k, "MATCHED") == want]
        marks = ", ".join("?" for _ in mine)
        said, right = con.execute(
            f"SELECT count(*), count(*) FILTER (kind IN ({marks})) FROM judged WHERE reason = ?", [*mine, want]
        ).fetchone() or (0, 0)
        result["reasons"][kind] = {
            "planted": planted, "expected": want, "recall": round(hit / planted, 6) if planted else None,
            "precision_of_reason": round(right / said, 6) if said else None,
        }  # fmt: skip
    con.close()
    return result
