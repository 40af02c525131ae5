#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a person with a cheap phone waits: pages on a slowed browser, nothing cached.

    python scripts/bench/pages.py [--data DIR] [--json]

Processor slowed four times, 1.6 Mbit/s, 150 ms of latency, a 360 px wide screen. `ready_ms` is from the request until
the last row of the page's main part is laid out, the median of the rounds; `kilobytes` is all that crossed the wire.
The page of nothing but our style sheet and scripts (`/sign-in` is the nearest) shows what the line itself costs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo_browser import chromium, demo_server, sign_in

PAGES = (
    ("Pine Creek", "/"),
    ("Pine Creek", "/receivables/1"),
    ("Pine Creek", "/early"),
    ("Pine Creek", "/act/pass"),
    ("Pine Creek", "/invite"),
    ("Pine Creek", "/month?of=2026-09"),
    ("Pine Creek", "/imports"),
    ("Pine Creek", "/documents"),
    ("Pine Creek", "/notices"),
    ("Pine Creek", "/standing"),
    ("Northbridge", "/"),
    ("Northbridge", "/to-accept"),
    ("Northbridge", "/to-approve"),
    ("Northbridge", "/payables"),
    ("Northbridge", "/chain"),
    ("Northbridge", "/receivables"),
    ("Northbridge", "/act/issue"),
    ("Harbour", "/"),
    ("Harbour", "/deals"),
    ("Harbour", "/book"),
    ("Harbour", "/guarantees"),
    ("Civic Bank", "/entrusted/1"),
    ("Platform Operator", "/exceptions"),
    ("Platform Operator", "/holds"),
    ("Platform Operator", "/lists"),
    ("Platform Operator", "/applications"),
    ("Platform Operator", "/health"),
    ("Platform Operator", "/flow"),
    ("Audit", "/verify"),
    ("Audit", "/records/1"),
    ("Audit", "/samples"),
    ("Audit", "/confirmations"),
    ("Audit", "/members"),
    ("Audit", "/developers"),
    ("Audit", "/developers/api"),
)
SLOWER = 4
BYTES_A_SECOND = 1_600_000 / 8
LATENCY_MS = 150


def visit(context: Any, address: str) -> tuple[float, int]:
    """Milliseconds until the page is ready, and bytes received."""
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    line = {"offline": False, "latency": LATENCY_MS, "downloadThroughput": BYTES_A_SECOND}
    wire.send("Network.emulateNetworkConditions", {**line, "uploadThroughput": BYTES_A_SECOND})
    wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    received = [0]
    wire.on("Network.loadingFinished", lambda event: received.__setitem__(0, received[0] + event["encodedDataLength"]))
    begun = time.perf_counter()
    page.goto(address, wait_until="domcontentloaded")
    page.locator("main > *").last.wait_for(state="attached")
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    ready = (time.perf_counter() - begun) * 1000
    page.wait_for_load_state()
    page.close()
    return ready, int(received[0])


def main() -> int:
    """Time each page. Exit 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder in which the demonstration was told already")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    with (
        tempfile.TemporaryDirectory() as fresh,
        demo_server(given.data or Path(fresh) / "data") as address,
        chromium() as browser,
    ):
        for firm, path in PAGES:
            context = browser.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN")
            sign_in(context, address, firm)
            context.new_page().goto(address + path)  # the server's own first time
            seen = [visit(context, address + path) for _ in range(given.rounds)]
            context.close()
            ready = round(statistics.median(one for one, _ in seen))
            rows.append({"firm": firm, "path": path, "ready_ms": ready, "kilobytes": round(seen[0][1] / 1000, 1)})
            if not given.json:
                print(f"{firm:14} {path:18} {ready:6} ms {rows[-1]['kilobytes']:7} kB", flush=True)
    if given.json:
        print(json.dumps({"pages": rows, "slowest_ms": max(row["ready_ms"] for row in rows)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
