"""The whole main job on a permissioned network of four validators, with validators failing under it.

    scripts/network/build_geth.sh
    python scripts/network/clique.py [--passes 200] [--intents 0] [--folder DIR] [--json]

Four geth 1.13.15 nodes (Clique proof of authority, free gas, 127.0.0.1 alone) and the services of a real installation:

  1 main job    issue, accept, pass, refuse, finance, entrusted account, evidence, staged release, payment, settlement
  2 failures    one validator stopped (work goes on), two (work waits, nothing is lost), back (they catch up), one cut
                off and healed; at each step further receivables are issued, accepted and passes sent
  3 checks      books rebuilt from genesis equal the live ones; the same job on the embedded ledger gives the same
                register; the embedded engine executes the network's chain again to the same roots; the audit bundle
  4 moving up   an embedded installation's history becomes the history of a new network: all roots equal in every block;
                the installation goes on there

Exit code 0: all as it should be; 1: not; 3: skipped, with the reason.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT), str(ROOT / "scripts")]

from network import checks  # noqa: E402
from network.load import Load  # noqa: E402
from network.main_job import MainJob, job_on, run_main_job, settings_for  # noqa: E402
from network.validators import GETH, Network, network, wait_until  # noqa: E402

from scf.app import open_app  # noqa: E402
from scf.demo.play import DAY, Silence  # noqa: E402
from scf.demo.steps import STORY_DAYS  # noqa: E402
from scf.kernel.clock import VirtualClock  # noqa: E402
from scf.kernel.problems import Problem  # noqa: E402
from scf.ledger.embedded.engine import EmbeddedLedger  # noqa: E402

Tell = Callable[[str], None]
OPTIONS = "#confirmations=2&mining_s=120&patience_s=30"


class Told:
    """The story's lines as progress."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def chapter(self, english: str, chinese: str) -> None:
        """A new chapter begins."""
        self._tell(english)

    def line(self, english: str, chinese: str) -> None:
        """Something happened."""
        self._tell(f"  {english}")


def failures(net: Network, job: MainJob, load: Load, tell: Tell) -> dict[str, Any]:
    """Stop one, stop two, start them, cut one off, heal it; work goes on wherever it can."""
    found: dict[str, Any] = {}
    first, second, third, fourth = net.validators

    def work(number: int) -> None:
        job.one_more(number)
        load.passes(20)

    second.stop()
    work(1)
    tell("one validator stopped: work goes on")

    third.kill()
    stalled, failure = net.height(first), list[BaseException]()

    def wait_for_it() -> None:
        try:
            work(2)
        except BaseException as error:
            failure.append(error)

    waiting = threading.Thread(target=wait_for_it)
    waiting.start()
    time.sleep(8)
    found["blocks_with_two_stopped"] = net.height(first) - stalled
    if not waiting.is_alive():
        raise RuntimeError(f"work did not wait: {failure}")
    tell(f"a second one killed: {found['blocks_with_two_stopped']} more blocks, work waits")

    second.start(peers=1)
    third.start()
    waiting.join(180)
    if waiting.is_alive() or failure:
        raise RuntimeError(f"the waiting work was lost: {failure}")
    target = net.height(first)
    found["caught_up_s"] = wait_until(lambda: min(map(net.height, net.validators)) >= target, 60, "catching up")
    tell("both back: the waiting work is there, once; they caught up")

    net.cut_off(fourth)
    behind = net.height(fourth)
    work(3)
    found["blocks_cut_off"] = net.height(fourth) - behind
    if found["blocks_cut_off"] > 2:
        raise RuntimeError("the validator was not cut off")
    net.heal(fourth)
    target = net.height(first)
    found["healed_s"] = wait_until(lambda: net.height(fourth) >= target, 90, "healing")
    wait_until(net.agree, 60, "agreement")
    work(4)
    tell("one cut off and healed: all agree")
    return found


def on_network(folder: Path, start: int, options: argparse.Namespace, tell: Tell) -> dict[str, Any]:
    """Parts 1 to 3."""
    clock = VirtualClock(start)
    with network(folder / "network") as net:
        setting = "rpc:" + ",".join(net.urls) + OPTIONS
        with open_app(settings_for(folder / "there", setting), clock) as app:
            began = time.monotonic()
            job = job_on(app, clock, start, Told(tell))
            run_main_job(job)
            found: dict[str, Any] = {"main_job_s": round(time.monotonic() - began, 1)}
            tell(f"the main job is done on the network, in {found['main_job_s']} s")
            load = Load(net.urls)
            found["passes_per_s"] = load.measured(options.passes)
            tell(f"{options.passes} more passes, {found['passes_per_s']} a second")
            found |= failures(net, job, load, tell)
            load.check()
            if options.intents:
                found["intents"] = load.intents(options.intents)
                tell(f"{options.intents} signed intents: the same register as on the embedded ledger")
            found["passes"] = load.done
            found |= checks.books(app, tell)
            found |= checks.executed_again(app.ledger, folder, tell)
            found |= checks.audited(app, folder / "bundle", tell)
            found |= {"blocks": app.ledger.head().number, "branches_joined": net.unstuck}
            load.close()
    embedded_installation(folder / "here", start)
    return found | checks.same_register(folder / "there", folder / "here", tell)


def embedded_installation(folder: Path, start: int) -> None:
    """The same job on an embedded ledger, its days beginning at `start`."""
    clock = VirtualClock(start)
    with open_app(settings_for(folder, f"embedded:{folder / 'ledger.db'}"), clock) as app:
        job = job_on(app, clock, start, Silence())
        run_main_job(job)
        for number in (1, 2, 3, 4):
            job.one_more(number)


def moved_up(folder: Path, now: int, tell: Tell) -> dict[str, Any]:
    """Part 4: found a network with the history of an embedded installation that is some months old; go on there."""
    data, start = folder / "moving", now - (STORY_DAYS + 6) * DAY
    embedded_installation(data, start)
    with (
        EmbeddedLedger(data / "ledger.db", VirtualClock(start), read_only=True) as history,
        network(folder / "founded", history=history) as net,
    ):
        setting = "rpc:" + ",".join(net.urls) + OPTIONS
        report = checks.moved(data, setting)
        tell(report)
        clock = VirtualClock(start)
        with open_app(settings_for(data, setting), clock) as there:
            job_on(there, clock, start, Silence()).one_more(5)
            tell("and the installation goes on there")
            return {"moved": report} | {f"moved_{key}": value for key, value in checks.books(there, tell).items()}


def main() -> int:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=200, help="passes sent as load")
    parser.add_argument("--intents", type=int, default=0, help="also compare the register after so many signed intents")
    parser.add_argument("--folder", type=Path, help="keep all files there")
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON object")
    options = parser.parse_args()
    if not GETH.exists():
        missing = "Go is not installed" if shutil.which("go") is None else "run scripts/network/build_geth.sh"
        print(f"skipped: geth is not built ({missing})", file=sys.stderr)
        return 3
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr, flush=True)

    start = int(time.time())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        try:
            found = on_network(folder, start, options, tell)
            found |= moved_up(folder, start, tell)
        except (TimeoutError, RuntimeError, Problem) as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1
    found["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(found) if options.json else "\n".join(f"{key:26} {value}" for key, value in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
