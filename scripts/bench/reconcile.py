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

sys.path.insert(0, str(Path(__file__).parents[2]))

from scripts.bench import reconcile_rivals as rivals
from scripts.bench.reconcile_data import LAST_DAY, generate, quality

PARTS = ("bulk", "hand", "full_join", "whole", "pandas", "pandas_joins")


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
    answer: dict[str, Any] = {}
    if part == "whole":
        answer["exceptions"] = rivals.run_whole(folder, out, "hash(order_reference)")
    elif part in ("hand", "full_join"):
        rivals.run_hand(folder, out, rivals.LEFT_JOINS if part == "hand" else rivals.FULL_JOINS)
    elif part == "pandas":
        answer["exceptions"] = rivals.run_pandas_whole(folder, out)
    elif part == "pandas_joins":
        rivals.run_pandas(folder, out)
    else:
        summary = run_bulk(folder, out, memory, show=True)
        answer = {"exceptions": summary["exceptions"], "moved": summary["moved"]}
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "processor_s": round(time.process_time() - processor, 2),
        "peak_mib": peak_mib(),
        **answer,
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
    parser.add_argument("--skip", nargs="*", default=[], choices=(*PARTS[1:], "online", "quality"))
    parser.add_argument("--folder", type=Path, default=None, help="keep the data here")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
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
    parts = [part for part in PARTS if part not in chosen.skip]
    runs: dict[str, list[dict[str, Any]]] = {part: [] for part in parts}
    for _ in range(chosen.rounds):
        for part in parts:
            runs[part].append(child(["--part", part, "--folder", str(data), "--memory", chosen.memory]))
    best = {part: min(found, key=lambda run: run.get("processor_s", 1e9)) for part, found in runs.items()}

    def ratio(other: str, measure: str = "processor_s", *, upside_down: bool = False) -> float | None:
        one, two = best["bulk"].get(measure), best.get(other, {}).get(measure)
        return round(two / one if upside_down else one / two, 2) if one and two else None

    details: dict[str, Any] = {"key": chosen.key, "parts": best, "load_average": os.getloadavg()[0]}
    details["ratio_vs_hand_written_by_clock"] = ratio("hand", "seconds")
    details["ratio_vs_full_joins"] = ratio("full_join")
    details["ratio_vs_whole_logic"] = ratio("whole")
    details["ratio_vs_pandas_joins"] = ratio("pandas_joins", upside_down=True)
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
