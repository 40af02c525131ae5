"""The same signed intents on every engine, and whether every register says the same afterwards.

    python scripts/bench/engines.py [--json] [--intents 5000] [--without network]

Engines, one after the other on this machine, all with the same relaying key and the same signed intents, byte for byte:
  embedded   py-evm driven directly, one SQLite file
  rpc        an anvil through JSON-RPC (scripts/network/install_anvil.sh)
  sidecar    an anvil beside us, its transactions in one SQLite file
  network    four geth validators, Clique proof of authority (scripts/network/build_geth.sh)

For each: `seconds` until all is mined and read back, `notes`, `events`, `gas`, and the `digest` of the whole register
(every note, every event with all its arguments, all gas, the contracts' addresses). Exit code 0: all equal; 1: not;
3: an engine is not installed and was not left out by name.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT), str(ROOT / "scripts")]

from network.validators import GETH, network  # noqa: E402
from tests.ledger.nodes import anvil  # noqa: E402
from tests.ledger.parity import register_after  # noqa: E402

from scf.kernel.clock import VirtualClock  # noqa: E402
from scf.kernel.problems import Problem  # noqa: E402
from scf.ledger.embedded.engine import EmbeddedLedger  # noqa: E402
from scf.ledger.protocol import Ledger  # noqa: E402
from scf.ledger.rpc.engine import RpcLedger  # noqa: E402
from scf.ledger.rpc.sidecar import SidecarLedger, find_anvil  # noqa: E402

CHAIN_ID = 20_260
ENGINES = ("embedded", "rpc", "sidecar", "network")


@contextmanager
def engine(name: str, folder: Path, now: int) -> Iterator[Ledger]:
    """One engine with an empty ledger whose time is about `now`."""
    if name == "embedded":
        with EmbeddedLedger(folder / "embedded.db", VirtualClock(now), chain_id=CHAIN_ID) as ledger:
            yield ledger
    elif name == "sidecar":
        with SidecarLedger(folder / "sidecar.db", VirtualClock(now), chain_id=CHAIN_ID) as sidecar:
            yield sidecar
    elif name == "rpc":
        with anvil(chain_id=CHAIN_ID) as (url, _), RpcLedger([url], chain_id=CHAIN_ID, mining_s=600) as node:
            yield node
    else:
        with (
            network(folder / "network") as net,
            RpcLedger(net.urls, confirmations=2, mining_s=600, patience_s=30, poll_s=0.2) as there,
        ):
            yield there


def missing(name: str) -> str:
    """Why an engine cannot run here; empty when it can."""
    if name == "network" and not GETH.exists():
        return "geth is not built (scripts/network/build_geth.sh)"
    if name in ("rpc", "sidecar"):
        try:
            find_anvil()
        except Problem as problem:
            return problem.sentence("en")
    return ""


def main() -> int:
    """Run all engines and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--intents", type=int, default=5_000)
    parser.add_argument("--without", action="append", default=[], choices=ENGINES, help="leave an engine out")
    options = parser.parse_args()
    chosen = [name for name in ENGINES if name not in options.without]
    gaps = {name: reason for name in chosen if (reason := missing(name))}
    if gaps:
        print("\n".join(f"{name}: {reason}" for name, reason in gaps.items()), file=sys.stderr)
        return 3
    key, now = secrets.token_bytes(32), int(time.time())
    found: dict[str, Any] = {}
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder, engine(name, Path(folder), now) as ledger:
            began = time.monotonic()
            register = register_after(ledger, key, options.intents, now)
            found[name] = {
                "seconds": round(time.monotonic() - began, 1),
                "notes": len(register["notes"]),
                "events": register["count"],
                "gas": register["gas"],
                "digest": register["digest"],
            }
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    equal = len({facts["digest"] for facts in found.values()}) == 1
    result = {"intents": options.intents, "equal": equal, "engines": found}
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{options.intents} intents, registers {'equal' if equal else 'NOT EQUAL'}: {', '.join(found)}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
