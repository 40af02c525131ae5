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


HAND_WRITTEN = """
COPY (SELECT o.{k} AS k, d.file_row_number AS delivery_row, p.file_row_number AS payment_row,
       CASE WHEN d.{k} IS NULL THEN 'no_delivery' WHEN p.{k} IS NULL THEN 'no_payment'
            WHEN abs(p.amount_minor - d.amount_minor) > 100
             AND abs(p.amount_minor - d.amount_minor) * 1000 > d.amount_minor * 5 THEN 'amount'
            WHEN p.day < d.day OR p.day > d.day + 120 THEN 'date' ELSE 'matched' END AS status
FROM '{f}/orders.parquet' o
LEFT JOIN read_parquet('{f}/deliveries.parquet', file_row_number = true) d ON d.{k} = o.{k}
LEFT JOIN read_parquet('{f}/payments.parquet', file_row_number = true) p ON p.{k} = o.{k})
TO '{out}/hand.parquet' (FORMAT parquet)
"""


def run_hand(folder: Path, out: Path) -> None:
    """The best three-way query a person would write: left joins, one CASE, and two anti-joins for the strays."""
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false")
    con.execute(HAND_WRITTEN.format(k="order_reference", f=folder, out=out))
    for side in ("deliveries", "payments"):
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


def online(facts_there: int, batch_facts: int = 20_000) -> dict[str, float]:
    """Facts a second into SQLite, measured on the last `batch_facts` when `facts_there` are there already."""
    from datetime import UTC, datetime

    from scf.kernel.clock import VirtualClock
    from scf.reconciliation import service
    from scf.store.engine import open_engine
    from scf.store.session import create_schema, transaction

    clock = VirtualClock(datetime(2026, 3, 1, 4, tzinfo=UTC))
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/online.sqlite")
        create_schema(engine)
        began, processor, done = time.perf_counter(), time.process_time(), 0
        while done < facts_there + batch_facts:
            if done >= facts_there > done - 2_000 or done == facts_there:
                began, processor = time.perf_counter(), time.process_time()
            facts = _trades(done // 4, 500)
            with transaction(engine) as session:
                service.take(session, facts, clock=clock)
            done += len(facts)
        wall, cpu = time.perf_counter() - began, time.process_time() - processor
        engine.dispose()
    return {"facts_per_s": round(batch_facts / wall), "facts_per_processor_s": round(batch_facts / cpu)}


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
    if part == "hand":
        run_hand(folder, out)
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
    parser.add_argument("--skip", nargs="*", default=[], choices=("hand", "pandas", "online"))
    parser.add_argument("--folder", type=Path, default=None, help="keep the data here")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=("hand", "pandas", "bulk"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        print(json.dumps(measured(chosen.part, chosen.folder, chosen.folder / "out", chosen.memory)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        result = compare(folder, chosen)
    print(json.dumps(result, indent=None if chosen.json else 2))


def compare(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Generate, run every part, and put the figures side by side."""
    data = folder / f"{chosen.rows}-{chosen.key}-{'full' if chosen.full else 'lean'}"
    if not (data / "truth.parquet").exists():
        generate(data, chosen.rows, lean=not chosen.full, key=chosen.key)
    (data / "out").mkdir(exist_ok=True)
    parts = ["bulk", *(p for p in ("hand", "pandas") if p not in chosen.skip)]
    runs: dict[str, list[dict[str, Any]]] = {part: [] for part in parts}
    for _ in range(chosen.rounds):
        for part in parts:
            runs[part].append(child(["--part", part, "--folder", str(data), "--memory", chosen.memory]))
    best = {part: min(found, key=lambda run: run.get("processor_s", 1e9)) for part, found in runs.items()}

    def ratio(other: str, mine: str = "bulk", upside_down: bool = False) -> float | None:
        one, two = best.get(mine, {}).get("processor_s"), best.get(other, {}).get("processor_s")
        return round(two / one if upside_down else one / two, 2) if one and two else None

    result = {
        "rows": chosen.rows, "key": chosen.key, "seconds": best["bulk"].get("seconds"),
        "ratio_vs_hand_written": ratio("hand"), "ratio_vs_pandas": ratio("pandas", upside_down=True),
        "peak_mib": best["bulk"].get("peak_mib"), "parts": best, "load_average": os.getloadavg()[0],
    }  # fmt: skip
    if chosen.key == "text" and "error" not in best["bulk"]:
        result["quality"] = quality(data, data / "out")
    if "online" not in chosen.skip:
        rates = {there: online(there) for there in chosen.online}
        result["online_facts_per_s"] = {there: rate["facts_per_s"] for there, rate in rates.items()}
        result["online_facts_per_processor_s"] = {there: rate["facts_per_processor_s"] for there, rate in rates.items()}
    return result


if __name__ == "__main__":
    main()
