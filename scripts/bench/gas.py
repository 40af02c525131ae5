#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one act costs: receipt gas of our contracts, beside published token implementations on the same work.

    python scripts/bench/gas.py                # ours and the peers, as a table
    python scripts/bench/gas.py --cmtat PATH   # CMTAT too, from a checkout (it is in no package registry)
    python scripts/bench/gas.py --json         # the promised figures as JSON, ours alone
    python scripts/bench/gas.py --json-all     # every act of ours, and the peers under `peers`
    python scripts/bench/gas.py --ours         # without the peers (no npm, no compiler)

Figures are receipt gas (21,000 + call data + execution - refunds) on py-evm. Ours carry all duties: membership and
standing of both sides, freeze, maturity, halted obligor, smallest amount, tier, consent (an offer that the recipient
accepts), lineage and evidence. The peers' figures come from thin adapters in contracts/peers that give each library the
same work with nothing beside it, and from ERC-3643 and CMTAT as they are published. Packages are fetched from npm into
a git-ignored folder, and one that cannot be fetched or compiled is reported as absent.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(Path(__file__).resolve().parent)]

from tests.contracts import signing  # noqa: E402
from tests.contracts.chain import Receipts  # noqa: E402
from tests.contracts.sumtree import SumTree  # noqa: E402
from tests.contracts.world import SUPPLIER, World, member, note_id, tag  # noqa: E402

TARGETS = {
    "issue": 155_000,
    "pass_1": 64_000,
    "pass_1_signed": 72_000,
    "pass_10": 345_000,
    "settle_per_note_10": 9_500,
    "mass_pass_10000": 120_000,
    "materialise": 90_000,
}
FACE = 1_000_000_00


def measure_ours(mass_leaves: int = 10_000) -> dict[str, int]:
    """Receipt gas of every act, by name."""
    chain = Receipts()
    world = World(chain)
    for name in ("core", "supplier 1"):
        chain.adopt(bytes.fromhex(signing.key(name).to_hex()))
    world.enrol_many([(f"new {i}", 300 + i, SUPPLIER) for i in range(40)])
    fresh = iter(range(40))
    gas: dict[str, int] = {}
    world.accepted()  # the first receivable of an installation writes a few slots for the first time

    root = world.issue()
    gas["issue"] = world.gas
    world.accept(root, "supplier 1")
    gas["accept_root"] = world.gas
    world.pass_on(root, "supplier 1", f"new {next(fresh)}", FACE * 3 // 10, direct=True)
    gas["pass_1"] = world.gas
    child = world.pass_on(root, "supplier 1", f"new {next(fresh)}", FACE // 10)
    gas["pass_1_signed"] = world.gas
    world.accept(child, "new 1")
    gas["accept"] = world.gas
    holder = "new 1"
    for _ in range(3):  # the same act farther down
        name = f"new {next(fresh)}"
        child = world.pass_on(child, holder, name, FACE // 100)
        world.accept(child, name)
        holder = name
    world.pass_on(child, holder, f"new {next(fresh)}", FACE // 200)
    gas["pass_1_signed_tier_6"] = world.gas
    untouched = world.issue()
    world.pass_on(untouched, "supplier 1", f"new {next(fresh)}", FACE // 10)
    gas["accept_and_pass_1_signed"] = world.gas

    rows = [(f"new {next(fresh)}", FACE // 100) for _ in range(10)]
    ten = world.pass_many(root, "supplier 1", rows, direct=True)
    gas["pass_10"] = world.gas
    for (name, _), note in zip(rows, ten, strict=True):
        world.accept(note, name)
    world.pass_many(root, "supplier 1", [(f"new {next(fresh)}", FACE // 100) for _ in range(10)])
    gas["pass_10_signed"] = world.gas

    locked = world.finance(world.quote(root, amount=FACE // 10), "supplier 1")
    gas["finance"] = world.gas
    world.complete(locked)
    gas["complete_financing"] = world.gas

    people = [(f"new {i % 40}", 1_00 + i) for i in range(mass_leaves)]
    tree = SumTree([(member(n), a) for n, a in people])
    other = world.accepted(face=10 * FACE)
    mass = world.pass_mass(other, "supplier 1", tree.root, mass_leaves)
    gas["mass_pass_10000"] = world.gas
    leaf = mass_leaves * 3 // 4 + 1
    world.materialise(mass, leaf, *people[leaf], tree.proof(leaf))
    gas["materialise"] = world.gas

    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, FACE)
    gas["record_payment"] = world.gas
    world.settle(receivable, 0, ten)
    gas["settle_per_note_10"] = -(-world.gas // 10)
    world.settle(receivable, 0, [root])
    gas["settle_1"] = world.gas
    assert note_id(receivable, 0, 0, tag(("document", 2))) == root
    return gas


def main() -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the promised figures as JSON, and nothing else")
    parser.add_argument("--json-all", action="store_true", help="print every act and the peers as JSON")
    parser.add_argument("--ours", action="store_true", help="leave the peers out")
    parser.add_argument("--cmtat", type=Path, default=os.environ.get("SCF_CMTAT"), help="a checkout of CMTAT")
    options = parser.parse_args()
    ours = measure_ours()
    if options.json:
        print(json.dumps({name: ours[name] for name in TARGETS}, indent=1))
        return 0
    report: dict[str, Any] = dict(ours)
    if not options.ours:
        from gas_peers import measure_peers

        report["peers"] = measure_peers(Path(options.cmtat) if options.cmtat else None)
    if options.json_all:
        print(json.dumps(report, indent=1))
        return 0
    for name, figure in ours.items():
        target = TARGETS.get(name)
        print(f"{name:26} {figure:9,}" + (f"   target {target:,}" if target else ""))
    if not options.ours:
        from gas_peers import table

        print()
        print(table(ours, report["peers"]))
    return 0 if all(ours[name] <= target for name, target in TARGETS.items()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
