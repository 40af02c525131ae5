"""Measure the reconciliation room: speed in bulk and online, and how well planted disturbances are found.

    python scripts/bench/reconcile.py --rows 5000000 --json

A seeded generator makes orders, deliveries and payments with known disturbances. The bulk run, the best hand-written
three-way query on the same engine, and pandas where it is installed, each run in a process of their own, so that peaks
are honest. Ratios are of processor time, which a busy machine distorts less than the clock does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[2]))

from scripts.bench.reconcile_data import LAST_DAY, generate, quality

_STATUS = """CASE WHEN d.{k} IS NULL THEN 'no_delivery' WHEN p.{k} IS NULL THEN 'no_payment'
            WHEN abs(p.amount_minor - d.amount_minor) > 100
             AND abs(p.amount_minor - d.amount_minor) * 1000 > d.amount_minor * 5 THEN 'amount'
            WHEN p.day < d.day OR p.day > d.day + 120 THEN 'date' ELSE 'matched' END"""
_FILES = """read_parquet('{f}/orders.parquet') o
{how} JOIN read_parquet('{f}/deliveries.parquet', file_row_number = true) d ON d.{k} = o.{k}
{how} JOIN read_parquet('{f}/payments.parquet', file_row_number = true) p ON p.{k} = """
LEFT_JOINS = (
    "COPY (SELECT o.{k} AS k, d.file_row_number AS delivery_row, p.file_row_number AS payment_row, "
    + _STATUS + " AS status FROM " + _FILES + "o.{k}) TO '{out}/hand.parquet' (FORMAT parquet)"
)  # fmt: skip
FULL_JOINS = (
    "COPY (SELECT coalesce(o.{k}, d.{k}, p.{k}) AS k, d.file_row_number AS delivery_row, p.file_row_number AS "
    "payment_row, CASE WHEN o.{k} IS NULL THEN 'stray' ELSE " + _STATUS + " END AS status FROM " + _FILES
    + "coalesce(o.{k}, d.{k})) TO '{out}/hand.parquet' (FORMAT parquet)"
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


def run_whole(folder: Path, out: Path, key: str) -> None:
    """The whole exception logic by hand."""
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false")
    for text in whole_logic(key):
        how = "FORMAT parquet, PARQUET_VERSION V2, COMPRESSION lz4, DICTIONARY_SIZE_LIMIT 1"
        con.execute(text.format(f=folder, out=out, how=how))


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


def run_pandas(folder: Path, out: Path) -> None:
    """The same in pandas."""
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
    print(int((~d[k].isin(o[k])).sum()), int((~p[k].isin(o[k])).sum()), file=sys.stderr)


def run_bulk(folder: Path, out: Path, memory: str, *, show: bool = False) -> dict[str, Any]:
    """The product's bulk run."""
    from scf.reconciliation.bulk import reconcile_files
    from scf.reconciliation.rule import Terms

    began: dict[str, float] = {}
    used: dict[str, float] = {}

    def progress(step: str, share: float) -> None:
        if show and share in (0.0, 1.0):
            now = time.perf_counter()
            began.setdefault(step, now)
            used.setdefault(step, time.process_time())
            if share == 1.0:
                cpu = time.process_time() - used[step]
                print(f"{step:36} {now - began[step]:7.2f} s {cpu:7.2f} s processor", file=sys.stderr, flush=True)

    return reconcile_files(
        folder / "orders.parquet", folder / "deliveries.parquet", None, folder / "payments.parquet", out,
        memory_limit=memory, terms=Terms(as_of_day=LAST_DAY, invoices_expected=0, early_days=60), progress=progress,
    )  # fmt: skip


def online(sizes: list[int], batch_facts: int = 20_000) -> dict[int, dict[str, float]]:
    """Facts a second into one SQLite file, measured over `batch_facts` when so many facts are there already."""
    from datetime import UTC, datetime

    from scf.kernel.clock import VirtualClock
    from scf.reconciliation import service
    from scf.store.engine import open_engine
    from scf.store.session import create_schema, transaction

    clock = VirtualClock(datetime(2026, 3, 1, 4, tzinfo=UTC))
    rates: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/online.sqlite")
        create_schema(engine)
        done = 0

        def take(until: int) -> None:
            nonlocal done
            while done < until:
                facts = _trades(done // 4, 500)
                with transaction(engine) as session:
                    service.take(session, facts, clock=clock)
                done += len(facts)

        for there in sizes:
            take(there)
            began, processor, before = time.perf_counter(), time.process_time(), done
            take(done + batch_facts)
            wall, cpu = time.perf_counter() - began, time.process_time() - processor
            rates[before] = {
                "facts_per_s": round((done - before) / wall), "facts_per_processor_s": round((done - before) / cpu),
            }  # fmt: skip
            print(before, rates[before], file=sys.stderr, flush=True)
        engine.dispose()
    return rates


def _trades(start: int, orders: int) -> list[Any]:
    """Order, delivery, invoice and payment of each of so many orders."""
    from scf.reconciliation.facts import Fact, Kind

    day, facts = 20_513, []
    for i in range(start, start + orders):
        party = {"evidence_id": f"{i:064x}", "buyer": "Core Enterprise", "seller": f"Supplier {i % 500}"}
        money = {"currency": "CNY", "amount_minor": 100_000 + i * 7919 % 9_000_011, **party}
        goods = {"quantity_milli": 10_000, "unit": "EA", "order_reference": f"PO-{i:09d}"}
        paid_to = {"account": f"CN{i % 500:010d}"}
        order = {"kind": Kind.ORDER, "source": "buyer", "trust": 2, "day": day - 60, "promised_day": day - 30}
        goods_in = {"kind": Kind.DELIVERY, "source": "carrier", "trust": 3, "day": day - 30}
        invoice = {"kind": Kind.INVOICE, "source": "seller", "trust": 2, "day": day - 29, "due_day": day + 9}
        payment = {"kind": Kind.PAYMENT, "source": "bank", "trust": 3, "day": day - 1, "key": f"b{i}"}
        facts += [
            Fact(**order, reference=f"PO-{i:09d}", **goods, **money),
            Fact(**goods_in, reference=f"DN-{i:09d}", **goods, **party),
            Fact(**invoice, reference=f"INV-{i:09d}", payable_minor=money["amount_minor"], **goods, **money, **paid_to),
            Fact(**payment, invoice_references=(f"INV-{i:09d}",), **money, **paid_to),
        ]
    return facts


def child(arguments: list[str]) -> dict[str, Any]:
    """Run one part in a process of its own and read its measures."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1:] or ["failed"]}
    sys.stderr.write(done.stderr)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def peak_mib() -> int:
    """Most memory this process held, in MiB; `ru_maxrss` would count what the parent held before it started us."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measured(part: str, folder: Path, out: Path, memory: str) -> dict[str, Any]:
    """Run `part` here; wall and processor seconds and peak MiB."""
    began, processor = time.perf_counter(), time.process_time()
    summary: dict[str, Any] = {}
    if part == "whole":
        run_whole(folder, out, "hash(order_reference)")
    elif part in ("hand", "full_join"):
        run_hand(folder, out, LEFT_JOINS if part == "hand" else FULL_JOINS)
    elif part == "pandas":
        run_pandas(folder, out)
    else:
        summary = run_bulk(folder, out, memory, show=True)
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "processor_s": round(time.process_time() - processor, 2),
        "peak_mib": peak_mib(),
        "exceptions": summary.get("exceptions"),
        "moved": summary.get("moved"),
    }


def main() -> None:
    """Read the arguments and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--key", choices=("text", "int"), default="text")
    parser.add_argument("--full", action="store_true", help="accounts, quantities, promises too, and per-kind quality")
    parser.add_argument("--memory", default="1GB", help="DuckDB's memory limit for the bulk run")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--online", type=lambda text: int(float(text)), nargs="*", default=[10_000], help="facts there already"
    )
    parser.add_argument(
        "--skip", nargs="*", default=[], choices=("hand", "full_join", "whole", "pandas", "online", "quality")
    )
    parser.add_argument("--folder", type=Path, default=None, help="keep the data here")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=("hand", "full_join", "whole", "pandas", "bulk"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        print(json.dumps(measured(chosen.part, chosen.folder, chosen.folder / "out", chosen.memory)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        result = compare(folder, chosen)
    if chosen.json:
        print(json.dumps(result["details"]), file=sys.stderr)
        print(json.dumps({key: value for key, value in result.items() if key != "details"}))
    else:
        print(json.dumps(result, indent=2))


def compare(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Generate, run every part, and put the figures side by side."""
    data = folder / f"{chosen.rows}-{chosen.key}-{'full' if chosen.full else 'lean'}"
    if not (data / "truth.parquet").exists():
        generate(data, chosen.rows, lean=not chosen.full, key=chosen.key)
    (data / "out").mkdir(exist_ok=True)
    parts = ["bulk", *(p for p in ("hand", "full_join", "whole", "pandas") if p not in chosen.skip)]
    runs: dict[str, list[dict[str, Any]]] = {part: [] for part in parts}
    for _ in range(chosen.rounds):
        for part in parts:
            runs[part].append(child(["--part", part, "--folder", str(data), "--memory", chosen.memory]))
    best = {part: min(found, key=lambda run: run.get("processor_s", 1e9)) for part, found in runs.items()}

    def ratio(other: str, mine: str = "bulk", upside_down: bool = False) -> float | None:
        one, two = best.get(mine, {}).get("processor_s"), best.get(other, {}).get("processor_s")
        return round(two / one if upside_down else one / two, 2) if one and two else None

    details: dict[str, Any] = {"key": chosen.key, "parts": best, "load_average": os.getloadavg()[0]}
    details["ratio_vs_full_joins"] = ratio("full_join")
    details["ratio_vs_whole_logic"] = ratio("whole")
    details["absent"] = [part for part, run in best.items() if "error" in run]
    if chosen.key == "text" and "error" not in best["bulk"] and "quality" not in chosen.skip:
        details["quality"] = quality(data, data / "out")
    rates: dict[int, dict[str, float]] = {}
    if "online" not in chosen.skip:
        rates = online(sorted(chosen.online))
        details["online"] = rates
    return {
        "rows": chosen.rows, "seconds": best["bulk"].get("seconds"),
        "ratio_vs_hand_written": ratio("hand"), "ratio_vs_pandas": ratio("pandas", upside_down=True),
        "peak_mib": best["bulk"].get("peak_mib"),
        "online_facts_per_s": min((rate["facts_per_s"] for rate in rates.values()), default=None),
        "details": details,
    }  # fmt: skip


if __name__ == "__main__":
    main()
