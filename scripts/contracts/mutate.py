#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Break the contracts one line at a time and see whether the tests notice.

    python scripts/contracts/mutate.py --count 80 --seed 1 --jobs 2

A mutant changes one line of value or authority code: a check dropped, a comparison or sum turned round, a bit mask
changed, a statement left out. It is compiled and the fast contract tests run against it; a mutant that no test
fails on survives. Mutants that do not compile, or that compile to the same bytes, are not counted. Exit 1 when fewer
than 95 % are killed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("contract_compiler", Path(__file__).with_name("compile.py"))
assert SPEC is not None
assert SPEC.loader is not None
build = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)

FILES = (
    "Receivables.sol",
    "EntrustedAccounts.sol",
    "Members.sol",
    "EvidenceLog.sol",
    "QuorumAccount.sol",
    "abstracts/SignedActs.sol",
    "abstracts/MemberMirror.sol",
    "abstracts/TypedDomain.sol",
    "libraries/Notes.sol",
    "libraries/Roles.sol",
    "libraries/Shares.sol",
    "libraries/SumTree.sol",
    "libraries/Terms.sol",
)
TESTS = {
    "Receivables.sol": ("test_receivables.py", "test_attacks.py", "test_wrong_key.py"),
    "EntrustedAccounts.sol": ("test_entrusted.py", "test_wrong_key.py"),
    "Members.sol": ("test_members.py", "test_wrong_key.py"),
    "EvidenceLog.sol": ("test_members.py",),
    "QuorumAccount.sol": ("test_members.py",),
}
ALL_TESTS = ("test_receivables.py", "test_entrusted.py", "test_members.py", "test_attacks.py", "test_wrong_key.py")
SWAPS = (
    (r" < ", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r" && ", " || "),
    (r" \|\| ", " && "),
    (r" \+= ", " -= "),
    (r" -= ", " += "),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"\bgt\(", "lt("),
    (r"\blt\(", "gt("),
    (r"\bor\(failed, ", "and(failed, "),
    (r"iszero\(", "not("),
    (r", 3\)\) //", ", 1)) //"),
    (r"\b39\)", "35)"),
    (r"\b167\)", "163)"),
    (r" \| ", " & "),
    (r"\? (\w+) : (\w+);", r"? \2 : \1;"),
    (r"\btrue\b", "false"),
)
# Lines that only tell, name or serve, where a change cannot move value or authority.
SILENT = re.compile(
    r"^\s*(//|/\*|\*|import|pragma|event|error|emit|using|contract|library|abstract|function|struct|\}|\{|$)"
)
STATEMENT = re.compile(r"^\s*(if \(.*\) (revert|_refuse)|_require|_use|_good|t\.\w+ -=|delete |_\w+\[.*\] = ).*;$")
# Reviewed by hand: what no test can see. Start of the line -> why.
EQUIVALENT = {
    "if (failed >> 64 != 0) revert Errors.Receivables_NoteExists": "two paths with one 192-bit hash",
    "if (upTo > highest) {": "of two equal statements either may be called the higher",
    "failed := or(failed, shl(64, sload(slot)))": "two paths with one 192-bit hash",
}


@dataclass(frozen=True)
class Mutant:
    """One changed line."""

    file: str
    line: int
    before: str
    after: str


def mutants() -> Iterator[Mutant]:
    """Every mutant the rules give."""
    for file in FILES:
        for number, text in enumerate((build.CONTRACTS / file).read_text().splitlines()):
            if SILENT.match(text) or ("keccak256(" in text and '"' in text):
                continue
            code = text.split(" //")[0]
            for pattern, replacement in SWAPS:
                for found in re.finditer(pattern, code):
                    changed = code[: found.start()] + found.expand(replacement) + text[found.end() :]
                    yield Mutant(file, number, text, changed)
            if STATEMENT.match(text):
                yield Mutant(file, number, text, re.sub(r"\S.*", "{}", text))


def spread(count: int, seed: int) -> list[Mutant]:
    """A sample over all files, the larger ones with more; never two of the same line."""
    order = sorted(mutants(), key=lambda m: (m.file, m.line, m.after))
    random.Random(seed).shuffle(order)
    seen: set[tuple[str, int]] = set()
    chosen = []
    for mutant in order:
        if (mutant.file, mutant.line) not in seen:
            seen.add((mutant.file, mutant.line))
            chosen.append(mutant)
    return chosen[:count]


def compiled(mutant: Mutant, compiler: Path) -> dict[str, Any] | None:
    """Code of the contracts the mutant's file is part of, by name, or None where it does not compile."""
    names = [mutant.file.removesuffix(".sol")] if "/" not in mutant.file else list(build.PRODUCT)
    lines = (build.CONTRACTS / mutant.file).read_text().splitlines()
    lines[mutant.line] = mutant.after
    sources = build.read_sources({mutant.file: "\n".join(lines) + "\n"})
    whole = build.standard_json(sources, [])
    whole["settings"]["outputSelection"] = {f"{n}.sol": {n: ["evm.bytecode.object"]} for n in names}
    try:
        raw = build.solcx.compile_standard(whole, solc_binary=compiler)
    except build.solcx.exceptions.SolcError:
        return None
    return {n: "0x" + raw["contracts"][f"{n}.sol"][n]["evm"]["bytecode"]["object"] for n in names}


def judge(mutant: Mutant, compiler: Path) -> str:
    """killed, survived, same or broken."""
    made = compiled(mutant, compiler)
    if made is None:
        return "broken"
    original = {n: json.loads((build.ARTIFACTS / f"{n}.json").read_text()) for n in build.PRODUCT}
    if all(code == original[n]["bytecode"] for n, code in made.items()):
        return "same"
    with tempfile.TemporaryDirectory() as folder:
        for name, content in original.items():
            changed = content | {"bytecode": made.get(name, content["bytecode"])}
            (Path(folder) / f"{name}.json").write_text(json.dumps(changed))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
        command += [str(ROOT / "tests" / "contracts" / t) for t in TESTS.get(mutant.file, ALL_TESTS)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=os.environ | {"SCF_ARTIFACTS": folder}, capture_output=True, timeout=300
            )
        except subprocess.TimeoutExpired:
            return "killed"
    return "killed" if done.returncode == 1 else "survived" if done.returncode == 0 else "broken"


def main() -> int:
    """Judge a sample of mutants and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--progress", action="store_true", help="say each verdict as it falls")
    options = parser.parse_args()
    build.install_libraries()
    compiler = build.find_compiler(shim=False)
    chosen = spread(options.count, options.seed)
    tally = {"killed": 0, "survived": 0, "same": 0, "broken": 0}
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, verdict in zip(chosen, pool.map(lambda m: judge(m, compiler), chosen), strict=True):
            if verdict == "survived" and mutant.before.strip().startswith(tuple(EQUIVALENT)):
                verdict = "same"
            tally[verdict] += 1
            if options.progress:
                print(f"{verdict:9} {mutant.file}:{mutant.line + 1}", file=sys.stderr, flush=True)
            if verdict == "survived":
                print(f"{mutant.file}:{mutant.line + 1}", flush=True)
                print(f"  - {mutant.before.strip()}\n  + {mutant.after.strip()}", flush=True)
    counted = tally["killed"] + tally["survived"]
    share = tally["killed"] / counted if counted else 0.0
    print(f"{counted} mutants: {tally['killed']} killed ({share:.1%})")
    print(f"not counted: {tally['same']} the same bytes or equivalent, {tally['broken']} that do not compile")
    return 0 if share >= 0.95 else 1


if __name__ == "__main__":
    raise SystemExit(main())
