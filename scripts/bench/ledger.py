"""Measures the embedded ledger against stock web3 + eth-tester on the same signed passes, in one run.

    python scripts/bench/ledger.py [--json] [--passes 2000] [--stock 100] [--sustained 50000] [--chain 100000]

Figures:
  tx_per_s              raw signed passes a second into the embedded ledger, durable, intents verified by the contract
  relayed_tx_per_s      the same through the relayer with its journal in SQL
  stock_tx_per_s        the same passes, one by one, receipt fetched, through web3 and eth-tester as
                        `pip install "web3[tester]"` gives them: signatures in pure Python, hashing by pycryptodome
  stock_tuned_tx_per_s  the same with coincurve and the native keccak given to the stock stack too
  ratio, ratio_tuned    tx_per_s over each of them
  sidecar_tx_per_s      the same into anvil beside us, journaled first (where anvil is installed)
  sustained_tx_per_s    over --sustained passes, with memory at their first tenth and at the end
  open_100k_s           opening a chain of --chain transactions in a fresh process, imports not counted
  logs_100k_s           reading as many logs from it
  peak_mib              most memory the process held up to the end of the sustained passes
Figures ending in _cpu count processor seconds instead of wall time, which a busy machine disturbs less.
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
PURE = {"ECC_BACKEND_CLASS": "eth_keys.backends.NativeECCBackend", "ETH_HASH_BACKEND": "pycryptodome"}
TUNED = {"ETH_HASH_BACKEND": "pysha3"}


class Watch:
    """Wall and processor seconds of a block of work."""

    def __enter__(self) -> Watch:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu


def resident_mib() -> float:
    """Memory the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def rate(count: int, seconds: float) -> float:
    """Units a second, one decimal."""
    return round(count / seconds, 1) if seconds else 0.0


def open_programme(path: str, journal: Any = None) -> Any:
    """A programme on a new embedded chain."""
    from tests.ledger.chains import KEYS
    from tests.ledger.programme import Programme

    from scf.kernel.clock import SystemClock
    from scf.ledger.embedded.engine import EmbeddedLedger
    from scf.ledger.journal import MemoryJournal
    from scf.ledger.relayer import Relayer

    ledger = EmbeddedLedger(path, SystemClock(), chain_id=20_260)
    return Programme.start(Relayer(ledger, KEYS[9], journal or MemoryJournal()), limit=10**15)


def raw_passes(
    programme: Any, note: int, count: int, first: int, nonce: int, *, key: bytes, fee: int = 0
) -> list[bytes]:
    """Signed transactions of signed passes."""
    from scf.ledger.signing import canonical
    from scf.ledger.transactions import sign_transaction

    chain_id = programme.relayer.ledger.chain_id
    return [
        sign_transaction(
            key, chain_id=chain_id, nonce=nonce + at, to=canonical(call.to), data=call.data, gas=1_000_000, max_fee=fee
        )
        for at, (_, call) in enumerate(programme.pass_calls(note, count, first=first))
    ]


def measure_embedded(folder: Path, passes: int) -> dict[str, float]:
    """Raw passes into the embedded ledger."""
    from tests.ledger.chains import KEYS

    programme = open_programme(str(folder / "passes.db"))
    ledger, note = programme.relayer.ledger, programme.issue(10**12, "BENCH")
    ledger.submit(raw_passes(programme, note, 50, 0, 0, key=KEYS[2]))  # prepares the code, as any running service has
    raws = raw_passes(programme, note, passes, 50, 50, key=KEYS[2])
    with Watch() as watch:
        receipts = ledger.submit(raws)
    assert all(receipt.succeeded for receipt in receipts)
    single = raw_passes(programme, note, 20, 50 + passes, 50 + passes, key=KEYS[2])
    with Watch() as one:
        for raw in single:
            ledger.submit([raw])
    ledger.close()
    return {
        "tx_per_s": rate(passes, watch.wall),
        "tx_per_s_cpu": rate(passes, watch.cpu),
        "gas_per_pass": receipts[-1].gas_used,
        "one_call_ms": round(one.wall / 20 * 1000, 1),
    }


def measure_relayed(folder: Path, passes: int) -> dict[str, float]:
    """Passes through the relayer with its journal in SQL: the whole way of the service."""
    from scf.ledger.hashing import keccak
    from scf.ledger.journal import Entry
    from scf.store.engine import open_engine
    from scf.store.relay_journal import SqlJournal
    from scf.store.schema import create_schema

    engine = open_engine(f"sqlite:///{folder / 'journal.db'}")
    create_schema(engine)
    programme = open_programme(str(folder / "relayed.db"), SqlJournal(engine, Entry, keccak))
    note = programme.issue(10**12, "BENCH")
    programme.relayer.send(programme.pass_calls(note, 50))
    calls = programme.pass_calls(note, passes, first=50)
    with Watch() as watch:
        receipts = programme.relayer.send(calls)
    assert all(receipt.succeeded for receipt in receipts)
    programme.relayer.ledger.close()
    return {"relayed_tx_per_s": rate(passes, watch.wall), "relayed_tx_per_s_cpu": rate(passes, watch.cpu)}


def measure_stock(passes: int) -> dict[str, float]:
    """The same passes through web3 and eth-tester, one by one, receipt fetched (run in a process of its own)."""
    from tests.ledger.programme import Programme
    from web3 import EthereumTesterProvider, Web3

    from scf.ledger.journal import MemoryJournal
    from scf.ledger.relayer import Relayer
    from scf.ledger.rpc.engine import RpcLedger
    from scf.ledger.rpc.transport import ProviderTransport

    provider = EthereumTesterProvider()
    web3 = Web3(provider)
    keys = [key.to_bytes() for key in provider.ethereum_tester.backend.account_keys]
    fee = 2 * 10**9
    relayer = Relayer(RpcLedger([ProviderTransport(provider)]), keys[0], MemoryJournal(), max_fee=fee)
    programme = Programme.start(relayer, limit=10**15, now=int(time.time()))
    note = programme.issue(10**12, "BENCH")
    raws = raw_passes(programme, note, passes + 5, 0, 0, key=keys[1], fee=fee)
    for raw in raws[:5]:
        web3.eth.get_transaction_receipt(web3.eth.send_raw_transaction(raw))
    with Watch() as watch:
        for raw in raws[5:]:
            receipt = web3.eth.get_transaction_receipt(web3.eth.send_raw_transaction(raw))
    assert receipt["status"] == 1
    return {"tx_per_s": rate(passes, watch.wall), "tx_per_s_cpu": rate(passes, watch.cpu)}


def measure_sidecar(folder: Path, passes: int) -> dict[str, float]:
    """Passes into anvil beside us, journaled first, and the replay on the next start; empty without anvil."""
    from tests.ledger.chains import KEYS
    from tests.ledger.programme import Programme

    from scf.kernel.clock import SystemClock
    from scf.kernel.problems import Problem
    from scf.ledger.journal import MemoryJournal
    from scf.ledger.relayer import Relayer
    from scf.ledger.rpc.sidecar import SidecarLedger

    try:
        ledger = SidecarLedger(folder / "sidecar.db", SystemClock())
    except Problem:
        return {}
    programme = Programme.start(Relayer(ledger, KEYS[9], MemoryJournal()), limit=10**15)
    raws = raw_passes(programme, programme.issue(10**12, "BENCH"), passes, 0, 0, key=KEYS[2])
    with Watch() as watch:
        assert all(receipt.succeeded for receipt in ledger.submit(raws))
    ledger.close()
    with Watch() as again:
        SidecarLedger(folder / "sidecar.db", SystemClock()).close()
    return {"sidecar_tx_per_s": rate(passes, watch.wall), "sidecar_restart_s": round(again.wall, 2)}


def fill(folder: Path, sustained: int, chain: int, tell: Callable[[str], None]) -> dict[str, float]:
    """A long chain: first passes, with memory watched, then small transactions up to its length."""
    from tests.ledger.chains import KEYS, Tally

    from scf.ledger.artifacts import read_artifact

    programme = open_programme(str(folder / "chain.db"))
    ledger, note, spent, cpu = programme.relayer.ledger, 0, 0.0, 0.0
    early = late = resident_mib()
    for first, count in _parts(sustained, 2_000):
        if first % 60_000 == 0:
            note = programme.issue(10**12, f"BENCH-{first}")
        raws = raw_passes(programme, note, count, first % 60_000, first, key=KEYS[2])
        with Watch() as watch:
            assert all(receipt.succeeded for receipt in ledger.submit(raws))
        spent, cpu, late = spent + watch.wall, cpu + watch.cpu, resident_mib()
        early = late if first < sustained // 10 else early
        tell(f"passes {first + count}, {resident_mib():.0f} MiB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    artifact = read_artifact(json.loads((ROOT / "tests/ledger/tally/Tally.json").read_text()))
    tally = Tally.deploy(ledger, artifact, KEYS[3])
    for first, count in _parts(max(0, chain - sustained), 2_000):
        tally.send([1] * count)
        tell(f"small transactions {first + count}")
    ledger.close()
    return {
        "sustained_tx_per_s": rate(sustained, spent),
        "sustained_tx_per_s_cpu": rate(sustained, cpu),
        "memory_first_tenth_mib": round(early, 1),
        "memory_end_mib": round(late, 1),
        "peak_mib": round(peak, 1),
        "file_mib": round((folder / "chain.db").stat().st_size / 2**20, 1),
    }


def measure_open(path: str, logs: int) -> dict[str, float]:
    """Opening and reading an existing chain (run in a process of its own)."""
    from scf.kernel.clock import SystemClock
    from scf.ledger.embedded.engine import EmbeddedLedger

    with Watch() as opening:
        ledger = EmbeddedLedger(path, SystemClock())
    head, count = ledger.head(), 0
    with Watch() as reading:
        for _ in ledger.logs(0, head.number):
            count += 1
            if count >= logs:
                break
    with Watch() as oldest:
        block = ledger.block(1)
        assert block.transactions
    ledger.close()
    return {
        "open_100k_s": round(opening.wall, 3),
        "open_100k_s_cpu": round(opening.cpu, 3),
        "logs_100k_s": round(reading.wall, 3),
        "logs_100k_s_cpu": round(reading.cpu, 3),
        "logs_read": count,
        "oldest_block_ms": round(oldest.wall * 1000, 2),
    }


def _parts(total: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(0, total, size):
        yield first, min(size, total - first)


def in_process(arguments: Sequence[str], environment: dict[str, str]) -> dict[str, float]:
    """One measurement in a fresh Python."""
    run = subprocess.run(
        [sys.executable, __file__, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(run.stderr)
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--passes", type=int, default=2_000)
    parser.add_argument("--stock", type=int, default=100, help="passes through the stock stack, which is slow")
    parser.add_argument("--sustained", type=int, default=50_000)
    parser.add_argument("--chain", type=int, default=100_000)
    parser.add_argument("--only-stock", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--only-open", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_stock:
        print(json.dumps(measure_stock(options.only_stock)))
        return
    if options.only_open:
        print(json.dumps(measure_open(options.only_open[0], int(options.only_open[1]))))
        return

    def tell(line: str) -> None:
        print(line, file=sys.stderr)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, float] = dict(measure_embedded(folder, options.passes))
        tell("embedded measured")
        for prefix, environment in (("stock", PURE), ("stock_tuned", TUNED)):
            stock = in_process(["--only-stock", str(options.stock)], environment)
            found |= {f"{prefix}_{key}": value for key, value in stock.items()}
            tell(f"{prefix} measured")
        found["ratio"] = round(found["tx_per_s"] / found["stock_tx_per_s"], 1)
        found["ratio_cpu"] = round(found["tx_per_s_cpu"] / found["stock_tx_per_s_cpu"], 1)
        found["ratio_tuned"] = round(found["tx_per_s"] / found["stock_tuned_tx_per_s"], 1)
        found["ratio_tuned_cpu"] = round(found["tx_per_s_cpu"] / found["stock_tuned_tx_per_s_cpu"], 1)
        found |= measure_relayed(folder, options.passes)
        found |= measure_sidecar(folder, options.passes)
        found |= fill(folder, options.sustained, options.chain, tell)
        found |= in_process(["--only-open", str(folder / "chain.db"), str(options.chain)], {})
        found |= {"sustained": options.sustained, "chain": options.chain}
    print(json.dumps(found) if options.json else "\n".join(f"{key:26} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
