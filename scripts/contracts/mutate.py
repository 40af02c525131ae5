#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Break the contracts one line at a time and see whether the tests notice.

    python scripts/contracts/mutate.py --count 80 --seed 1 --jobs 2    # a sample, never two of one line
    python scripts/contracts/mutate.py --all                           # every mutant there is

A mutant changes one line of value or authority code: a check dropped, a comparison or sum turned round, a bit mask
changed, a statement left out. It is compiled and the fast contract tests run against it; a mutant that no test
fails on survives. Mutants that do not compile, or that compile to the same bytes, are not counted. Exit 1 when fewer
than 95 % are killed.

Verdicts are kept in build/mutation, one file for each state of the sources, so that a run that was stopped goes on
where it stopped and a larger sample judges only what is new. A verdict holds while the tests are the same; `--added`
also keeps the kills of earlier tests, for when tests were only added. Several runs beside each other do no harm: each
mutant has a folder of its own, and verdicts are appended a line at a time.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
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
    "abstracts/Limits.sol",
    "abstracts/SignedActs.sol",
    "abstracts/MemberMirror.sol",
    "abstracts/TypedDomain.sol",
    "libraries/Exposures.sol",
    "libraries/Notes.sol",
    "libraries/Roles.sol",
    "libraries/Shares.sol",
    "libraries/SumTree.sol",
    "libraries/Terms.sol",
)
TESTS = {
    "Receivables.sol": (
        "test_receivables.py", "test_limits.py", "test_attacks.py", "test_attack_orders.py", "test_attack_mass.py",
        "test_wrong_key.py",
    ),
    "EntrustedAccounts.sol": (
        "test_entrusted.py", "test_attack_orders.py", "test_attack_authority.py", "test_wrong_key.py",
    ),
    "Members.sol": (
        "test_members.py", "test_attack_authority.py", "test_receivables.py", "test_limits.py", "test_wrong_key.py",
    ),
    "abstracts/Limits.sol": ("test_limits.py", "test_receivables.py", "test_members.py", "test_wrong_key.py"),
    "libraries/Exposures.sol": ("test_limits.py", "test_receivables.py", "test_members.py"),
    "EvidenceLog.sol": ("test_members.py", "test_attack_orders.py"),
    "QuorumAccount.sol": ("test_members.py", "test_attack_authority.py"),
}  # fmt: skip
ALL_TESTS = (
    "test_receivables.py", "test_entrusted.py", "test_members.py", "test_attacks.py", "test_attack_orders.py",
    "test_attack_authority.py", "test_attack_mass.py", "test_wrong_key.py",
)  # fmt: skip
KEPT = ROOT / "build" / "mutation"
PYTEST = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
SECONDS = 300
COMPILES = 60  # after so many the compiler is started anew, because it never gives memory back
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
    (r"\b55\)", "39)"),
    (r"\b183\)", "167)"),
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
    "return upTo - gone < free ? upTo - gone : free;": "of two equal sums either is the smaller",
    "s.deniedSupport += toRefund < supported ? toRefund : supported;": "of two equal sums either is the smaller",
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


def digest_of(paths: Sequence[Path]) -> str:
    """A short name of what these files hold."""
    return hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in paths)).hexdigest()[:16]


class Compiler:
    """One solc that stays alive; a thread has its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._done = 0

    def __call__(self, whole: dict[str, Any]) -> dict[str, Any]:
        """Output of the compiler for its standard JSON."""
        if self._process is None or self._done >= COMPILES:
            self.close()
            self._process = subprocess.Popen(
                ["node", "--max-old-space-size=2048", str(build.SHIM), "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._done = 0
        self._done += 1
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(whole) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Bench:
    """What judges mutants: the original artifacts, a compiler a thread, and the verdicts kept so far."""

    def __init__(self, keep_kills: bool) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._compilers: list[Compiler] = []
        self.original = {n: json.loads((build.ARTIFACTS / f"{n}.json").read_text()) for n in build.PRODUCT}
        self.tests = digest_of(sorted((ROOT / "tests" / "contracts").glob("*.py")))
        self.file = KEPT / f"{digest_of([build.CONTRACTS / f for f in FILES])}.jsonl"
        self.kept: dict[str, str] = {}
        if self.file.is_file():
            for line in self.file.read_text().splitlines():
                row = json.loads(line)
                if row["tests"] == self.tests or (keep_kills and row["verdict"] != "survived"):
                    self.kept[row["mutant"]] = row["verdict"]

    def judge(self, mutant: Mutant) -> str:
        """The kept verdict, or a new one, kept at once."""
        name = hashlib.sha256(json.dumps(asdict(mutant)).encode()).hexdigest()[:24]
        if name not in self.kept:
            verdict = self._judge(mutant)
            with self._lock:
                self.kept[name] = verdict
                KEPT.mkdir(parents=True, exist_ok=True)
                with self.file.open("a") as out:
                    out.write(json.dumps({"mutant": name, "verdict": verdict, "tests": self.tests}) + "\n")
        return self.kept[name]

    def close(self) -> None:
        """End the compilers."""
        for compiler in self._compilers:
            compiler.close()

    def compiled(self, mutant: Mutant) -> dict[str, str] | None:
        """Code of the contracts the mutant's file is part of, by name, or None where it does not compile."""
        names = [mutant.file.removesuffix(".sol")] if "/" not in mutant.file else list(build.PRODUCT)
        lines = (build.CONTRACTS / mutant.file).read_text().splitlines()
        lines[mutant.line] = mutant.after
        whole = build.standard_json(build.read_sources({mutant.file: "\n".join(lines) + "\n"}), [])
        whole["settings"]["outputSelection"] = {f"{n}.sol": {n: ["evm.bytecode.object"]} for n in names}
        raw = self._compiler()(whole)
        if any(e["severity"] == "error" for e in raw.get("errors", [])):
            return None
        return {n: "0x" + raw["contracts"][f"{n}.sol"][n]["evm"]["bytecode"]["object"] for n in names}

    def _compiler(self) -> Compiler:
        if not hasattr(self._local, "compiler"):
            self._local.compiler = Compiler()
            with self._lock:
                self._compilers.append(self._local.compiler)
        found: Compiler = self._local.compiler
        return found

    def _judge(self, mutant: Mutant) -> str:
        """killed, survived, same or broken."""
        made = self.compiled(mutant)
        if made is None:
            return "broken"
        if all(code == self.original[n]["bytecode"] for n, code in made.items()):
            return "same"
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.original.items():
                changed = content | {"bytecode": made.get(name, content["bytecode"])}
                (Path(folder) / f"{name}.json").write_text(json.dumps(changed))
            tests = [str(ROOT / "tests" / "contracts" / t) for t in TESTS.get(mutant.file, ALL_TESTS)]
            try:
                done = subprocess.run(
                    [sys.executable, "-m", "pytest", *PYTEST, *tests],
                    cwd=ROOT,
                    env=os.environ | {"SCF_ARTIFACTS": folder},
                    capture_output=True,
                    timeout=SECONDS,
                )
            except subprocess.TimeoutExpired:
                return "killed"
        return "killed" if done.returncode == 1 else "survived" if done.returncode == 0 else "broken"


def report(chosen: Sequence[Mutant], verdicts: Sequence[str]) -> float:
    """Print survivors and sums; gives the share killed."""
    tally = {"killed": 0, "survived": 0, "same": 0, "equivalent": 0, "broken": 0}
    for mutant, verdict in zip(chosen, verdicts, strict=True):
        reviewed = verdict == "survived" and mutant.before.strip().startswith(tuple(EQUIVALENT))
        tally["equivalent" if reviewed else verdict] += 1
        if verdict == "survived" and not reviewed:
            print(f"{mutant.file}:{mutant.line + 1}")
            print(f"  - {mutant.before.strip()}\n  + {mutant.after.strip()}")
    counted = tally["killed"] + tally["survived"]
    share = tally["killed"] / counted if counted else 0.0
    print(f"{counted} mutants: {tally['killed']} killed ({share:.1%})")
    print(
        f"not counted: {tally['same']} the same bytes, {tally['equivalent']} equivalent, "
        f"{tally['broken']} that do not compile"
    )
    return share


def main() -> int:
    """Judge mutants and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--all", action="store_true", help="every mutant, also several of one line")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--added", action="store_true", help="tests were only added: what they killed stays killed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--progress", action="store_true", help="say each verdict as it falls")
    options = parser.parse_args()
    build.install_libraries()
    chosen = list(mutants()) if options.all else spread(options.count, options.seed)
    bench = Bench(options.added)
    verdicts = []
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            for mutant, verdict in zip(chosen, pool.map(bench.judge, chosen), strict=True):
                verdicts.append(verdict)
                if options.progress:
                    print(f"{verdict:9} {mutant.file}:{mutant.line + 1}", file=sys.stderr, flush=True)
    finally:
        bench.close()
    return 0 if report(chosen, verdicts) >= 0.95 else 1


if __name__ == "__main__":
    raise SystemExit(main())
