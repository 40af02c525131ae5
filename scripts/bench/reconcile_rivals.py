"""What the bulk run is measured beside: the best queries by hand on the same engine, and pandas.

All write Parquet with the same settings as the product (`SINK`), and all that use DuckDB run it with the same settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from scripts.bench.reconcile_data import LAST_DAY

SINK = "FORMAT parquet, PARQUET_VERSION V2, COMPRESSION lz4, DICTIONARY_SIZE_LIMIT 1"
"""The product's own: a third quicker to write than the engine's defaults."""

_STATUS = """CASE WHEN d.{k} IS NULL THEN 'no_delivery' WHEN p.{k} IS NULL THEN 'no_payment'
            WHEN abs(p.amount_minor - d.amount_minor) > 100
             AND abs(p.amount_minor - d.amount_minor) * 1000 > d.amount_minor * 5 THEN 'amount'
            WHEN p.day < d.day OR p.day > d.day + 120 THEN 'date' ELSE 'matched' END"""
_FILES = """read_parquet('{f}/orders.parquet') o
{how} JOIN read_parquet('{f}/deliveries.parquet', file_row_number = true) d ON d.{k} = o.{k}
{how} JOIN read_parquet('{f}/payments.parquet', file_row_number = true) p ON p.{k} = """
LEFT_JOINS = (
    "COPY (SELECT o.{k} AS k, d.file_row_number AS delivery_row, p.file_row_number AS payment_row, "
    + _STATUS + " AS status FROM " + _FILES + "o.{k}) TO '{out}/hand.parquet' (" + SINK + ")"
)  # fmt: skip
FULL_JOINS = (
    "COPY (SELECT coalesce(o.{k}, d.{k}, p.{k}) AS k, d.file_row_number AS delivery_row, p.file_row_number AS "
    "payment_row, CASE WHEN o.{k} IS NULL THEN 'stray' ELSE " + _STATUS + " END AS status FROM " + _FILES
    + "coalesce(o.{k}, d.{k})) TO '{out}/hand.parquet' (" + SINK + ")"
)  # fmt: skip

_SIDE = """(SELECT {key} AS k, sum(n) AS n, min(row_id) AS row_id, sum(amount_minor) AS amount_minor, min(day) AS day,
  max(day) AS last_day, any_value(order_reference) AS reference FROM {rows} GROUP BY 1)"""
_ROWS = """(SELECT 1 AS n, file_row_number AS row_id, order_reference, amount_minor, day
  FROM read_parquet('{{f}}/{name}.parquet', file_row_number = true))"""
_ONCE = """(SELECT count(*) AS n, min(file_row_number) AS row_id, any_value(order_reference) AS order_reference,
  amount_minor, day FROM read_parquet('{{f}}/{name}.parquet', file_row_number = true)
  GROUP BY {key}, {document}, amount_minor, day)"""
_NORM = "translate(regexp_replace(upper({k}), '[^A-Z0-9]+', '', 'g'), 'OI', '01')"
_REASON = """CASE WHEN o.k IS NULL THEN 'UNKNOWN_REFERENCE'
  WHEN p.k IS NOT NULL AND (d.k IS NULL OR p.day < d.day
    OR (o.amount_minor - d.amount_minor) * 1000 > greatest(100000, o.amount_minor * 5)
       AND (p.amount_minor - d.amount_minor) * 1000 > greatest(100000, d.amount_minor * 5)) THEN 'PAID_BEFORE_DELIVERY'
  WHEN (d.amount_minor - o.amount_minor) * 1000 > greatest(100000, o.amount_minor * 5) THEN 'QUANTITY_DIFFERENCE'
  WHEN (p.amount_minor - d.amount_minor) * 1000 > greatest(100000, d.amount_minor * 5)
    OR (d.amount_minor - p.amount_minor) * 1000 > greatest(100000, d.amount_minor * 5) AND {day} > d.last_day + 120
    THEN 'PAYMENT_DIFFERENCE'
  WHEN d.k IS NULL AND {day} > o.day + 90 THEN 'NOT_DELIVERED'
  WHEN d.k IS NOT NULL AND p.k IS NULL AND {day} > d.last_day + 120 THEN 'UNPAID'
  WHEN p.last_day > d.last_day + 120 THEN 'LATE'
  WHEN (o.amount_minor - least(d.amount_minor, p.amount_minor)) * 1000 > greatest(100000, o.amount_minor * 5)
    THEN 'PARTIAL'
  WHEN d.k IS NULL OR p.k IS NULL THEN 'EXPECTED' ELSE 'MATCHED' END"""


def whole_logic(key: str) -> list[str]:
    """By hand with the whole exception logic.

    Rows that repeat count once, those of one order add up, every kind that such files can show is named, and strays
    written differently are led to the order that lacks them. `key` is what the tables are joined by.
    """
    sides = {
        "o": _SIDE.format(key=key, rows=_ROWS.format(name="orders")),
        "d": _SIDE.format(key=key, rows=_ONCE.format(key=key, document="delivery_reference", name="deliveries")),
        "p": _SIDE.format(key=key, rows=_ONCE.format(key=key, document="payment_reference", name="payments")),
    }
    joined = (
        f"SELECT coalesce(o.reference, d.reference, p.reference) AS order_reference, o.row_id AS order_row, "
        f"d.row_id AS delivery_row, p.row_id AS payment_row, o.amount_minor AS ordered, d.amount_minor AS delivered, "
        f"p.amount_minor AS paid, d.day AS delivered_day, p.day AS paid_day, o.n AS n, "
        f"{_REASON.format(day=LAST_DAY)} AS reason FROM {sides['o']} o FULL JOIN {sides['d']} d ON d.k = o.k "
        f"FULL JOIN {sides['p']} p ON p.k = coalesce(o.k, d.k)"
    )
    columns = "order_reference, order_row, delivery_row, payment_row, ordered, delivered, paid"
    stray = f"SELECT *, {_NORM.format(k='order_reference')} AS norm FROM judged WHERE order_row IS NULL"
    lacking = (
        f"SELECT *, {_NORM.format(k='order_reference')} AS norm FROM judged WHERE order_row IS NOT NULL "
        "AND (delivery_row IS NULL OR payment_row IS NULL)"
    )
    return [
        f"CREATE TEMP TABLE judged AS {joined}",
        f"CREATE TEMP TABLE led AS SELECT s.order_reference AS was, l.* REPLACE ("
        f"coalesce(l.delivery_row, s.delivery_row) AS delivery_row, coalesce(l.payment_row, s.payment_row) AS "
        f"payment_row, coalesce(l.delivered, s.delivered) AS delivered, coalesce(l.paid, s.paid) AS paid) "
        f"FROM ({stray}) s JOIN ({lacking}) l USING (norm)",
        f"COPY (SELECT {columns} FROM judged WHERE reason = 'MATCHED' UNION ALL SELECT {columns} FROM led "
        f"WHERE delivered = paid AND ordered = paid) TO '{{out}}/hand.parquet' ({{how}})",
        f"COPY (SELECT {columns}, reason FROM judged WHERE reason <> 'MATCHED' AND order_reference NOT IN "
        "(SELECT was FROM led UNION ALL SELECT order_reference FROM led)) TO '{out}/hand_open.parquet' ({how})",
    ]


def run_whole(folder: Path, out: Path, key: str) -> dict[str, int]:
    """The whole exception logic by hand. Returns the open orders by reason."""
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false")
    for text in whole_logic(key):
        con.execute(text.format(f=folder, out=out, how=SINK))
    counted = con.execute(f"SELECT reason, count(*) FROM '{out}/hand_open.parquet' GROUP BY 1").fetchall()
    return {str(reason): int(count) for reason, count in counted}


def run_hand(folder: Path, out: Path, text: str) -> None:
    """A three-way query by hand. Left joins need two anti-joins more to find what belongs to no order."""
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false")
    con.execute(text.format(k="order_reference", f=folder, out=out, how="LEFT" if text is LEFT_JOINS else "FULL"))
    for side in ("deliveries", "payments") if text is LEFT_JOINS else ():
        con.execute(
            f"SELECT count(*) FROM '{folder}/{side}.parquet' x "
            f"ANTI JOIN '{folder}/orders.parquet' o USING (order_reference)"
        ).fetchall()


def run_pandas(folder: Path, out: Path) -> dict[str, int]:
    """The three-way join a person writes first in pandas: two left merges, five kinds."""
    import numpy as np
    import pandas as pd

    k = "order_reference"
    o = pd.read_parquet(folder / "orders.parquet", columns=[k])
    d = pd.read_parquet(folder / "deliveries.parquet", columns=[k, "amount_minor", "day", "delivery_reference"])
    p = pd.read_parquet(folder / "payments.parquet", columns=[k, "amount_minor", "day", "payment_reference"])
    m = o.merge(d, on=k, how="left").merge(p, on=k, how="left", suffixes=("", "_p"))
    tolerance = np.maximum(100, m.amount_minor * 5 // 1000)
    m["status"] = np.select(
        [m.delivery_reference.isna(), m.payment_reference.isna(), (m.amount_minor_p - m.amount_minor).abs() > tolerance,
         (m.day_p < m.day) | (m.day_p > m.day + 120)],
        ["no_delivery", "no_payment", "amount", "date"], "matched")  # fmt: skip
    m[[k, "delivery_reference", "payment_reference", "status"]].to_parquet(out / "pandas.parquet")
    return {"strays": int((~d[k].isin(o[k])).sum() + (~p[k].isin(o[k])).sum())}


def run_pandas_whole(folder: Path, out: Path) -> dict[str, int]:
    """The answer of `run_whole` in pandas. Only rows whose reference repeats are added up, which is the quick way."""
    import numpy as np
    import pandas as pd

    k = "order_reference"

    def side(name: str, letter: str, *document: str) -> Any:
        rows = pd.read_parquet(folder / f"{name}.parquet", columns=[k, *document, "amount_minor", "day"])
        rows["row"] = np.arange(len(rows))
        repeated = rows[k].duplicated(keep=False)
        single, several = rows[~repeated], rows[repeated]
        if document:
            several = several.drop_duplicates([k, *document, "amount_minor", "day"])
        added = several.groupby(k, as_index=False).agg(
            row=("row", "min"), amount=("amount_minor", "sum"), day=("day", "min"), last=("day", "max")
        )
        single = single[[k, "row", "amount_minor", "day"]].rename(columns={"amount_minor": "amount"})
        both = pd.concat([single.assign(last=single.day), added], ignore_index=True)
        return both.rename(columns={name: letter + name for name in ("row", "amount", "day", "last")})

    o = side("orders", "o")
    d = side("deliveries", "d", "delivery_reference")
    p = side("payments", "p", "payment_reference")
    strays = d[~d[k].isin(o[k])].merge(p[~p[k].isin(o[k])], on=k, how="outer")
    m = pd.concat([o.merge(d, on=k, how="left").merge(p, on=k, how="left"), strays], ignore_index=True)
    has_o, has_d, has_p = m.orow.notna(), m.drow.notna(), m.prow.notna()
    allowed_o, allowed_d = (np.maximum(100_000, m[name] * 5) for name in ("oamount", "damount"))
    short = (m.oamount - m.damount) * 1000 > allowed_o
    over, under = (m.pamount - m.damount) * 1000 > allowed_d, (m.damount - m.pamount) * 1000 > allowed_d
    due = m.dlast + 120
    m["reason"] = np.select(
        [~has_o, has_p & (~has_d | (m.pday < m.dday) | (short & over)), (m.damount - m.oamount) * 1000 > allowed_o,
         over | (under & (due < LAST_DAY)), ~has_d & (m.oday + 90 < LAST_DAY), has_d & ~has_p & (due < LAST_DAY),
         m.plast > due, (m.oamount - np.fmin(m.damount, m.pamount)) * 1000 > allowed_o, ~has_d | ~has_p],
        ["UNKNOWN_REFERENCE", "PAID_BEFORE_DELIVERY", "QUANTITY_DIFFERENCE", "PAYMENT_DIFFERENCE", "NOT_DELIVERED",
         "UNPAID", "LATE", "PARTIAL", "EXPECTED"], "MATCHED")  # fmt: skip
    columns = [k, "orow", "drow", "prow", "oamount", "damount", "pamount", "reason"]
    alone = m[~has_o]
    lacking = m[has_o & (~has_d | ~has_p)]
    alone, lacking = (
        t.assign(norm=t[k].str.upper().str.replace("[^A-Z0-9]+", "", regex=True).str.translate({79: "0", 73: "1"}))
        for t in (alone, lacking)
    )
    led = alone.merge(lacking, on="norm", suffixes=("_s", ""))
    for name in ("drow", "prow", "damount", "pamount"):
        led[name] = led[name].fillna(led[name + "_s"])
    whole = led[(led.damount == led.pamount) & (led.oamount == led.pamount)]
    pd.concat([m.loc[m.reason == "MATCHED", columns[:-1]], whole[columns[:-1]]]).to_parquet(out / "pandas.parquet")
    moved = pd.concat([led[k], led[k + "_s"]])
    rest = m.loc[(m.reason != "MATCHED") & ~m[k].isin(moved), columns]
    rest.to_parquet(out / "pandas_open.parquet")
    return {str(reason): int(count) for reason, count in rest.reason.value_counts().items()}
