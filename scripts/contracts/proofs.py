#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run what proves the contracts from outside: forge (format, invariants, fuzz), halmos, slither.

    python scripts/contracts/proofs.py                # what is here; the rest is named and skipped
    python scripts/contracts/proofs.py --install      # fetch forge by npm, halmos and slither by pip
    python scripts/contracts/proofs.py --only forge   # one of forge, halmos, slither

They are tools beside the project: none is imported, none ships, and nothing of it runs in the product. Exit 1 when one
that ran found something: a badly formatted file, a broken invariant, a refuted claim, a finding without an answer in
docs/slither.md, or an answer to a finding that is gone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
PROOFS = CONTRACTS / "proofs"
FORGE = PROOFS / "node_modules" / "@foundry-rs" / "forge-linux-amd64" / "bin"
TOOLS = ROOT / "build" / "proof-tools"
ANSWERS = ROOT / "docs" / "slither.md"
PINNED = ("slither-analyzer==0.11.6", "halmos==0.3.3")
SOLIDITY = ("*.sol", "abstracts/*.sol", "interfaces/*.sol", "libraries/*.sol", "peers/*.sol", "proofs/*.sol")
REFUTED = "check_wrong"  # the one claim that must fail, or the prover proves nothing
ROW = re.compile(r"^\| `([a-z-]+)` \| `([^`]+)` \|", re.MULTILINE)
SECONDS = 900


def install() -> None:
    """Fetch the tools, each into a git-ignored folder."""
    npm = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    subprocess.run(npm, cwd=PROOFS, check=True)
    subprocess.run([sys.executable, "-m", "venv", str(TOOLS)], check=True)
    pip = [str(TOOLS / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PINNED]
    subprocess.run(pip, check=True)


def where(name: str) -> Path | None:
    """The tool, ours first, then the machine's; None where there is none."""
    for place in (FORGE / name, TOOLS / "bin" / name):
        if place.is_file():
            return place
    found = shutil.which(name)
    return Path(found) if found else None


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run with forge on the path, and keep what it says."""
    path = f"{FORGE}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def forge(program: Path) -> list[str]:
    """Formatting, then invariants and fuzz tests."""
    files = sorted(str(p.relative_to(CONTRACTS)) for pattern in SOLIDITY for p in CONTRACTS.glob(pattern))
    problems = []
    formatted = run([str(program), "fmt", "--check", *files], CONTRACTS)
    if formatted.returncode != 0:
        problems.append("forge fmt: " + (formatted.stdout + formatted.stderr)[-2000:])
    tested = run([str(program), "test"], CONTRACTS)
    print("\n".join(line for line in tested.stdout.splitlines() if line.startswith(("[PASS]", "[FAIL", "Ran "))))
    if tested.returncode != 0:
        problems.append("forge test: " + (tested.stdout + tested.stderr)[-3000:])
    return problems


def halmos(program: Path) -> list[str]:
    """Every claim proved for all values, and the wrong one refuted."""
    done = run([str(program), "--contract", "SymbolicTest", "--forge-build-out", "proofs/out"], CONTRACTS)
    text = re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr)
    verdicts = dict(reversed(found) for found in re.findall(r"\[(PASS|FAIL|ERROR|TIMEOUT)\] (\w+)\(", text))
    for name, verdict in sorted(verdicts.items()):
        print(f"[{verdict}] {name}" + (" (must be refuted)" if name == REFUTED else ""))
    problems = [f"halmos: {n} {v}" for n, v in verdicts.items() if (v == "PASS") == (n == REFUTED)]
    if REFUTED not in verdicts or len(verdicts) < 2:
        problems.append("halmos proved nothing: " + text[-1500:])
    return problems


def findings(program: Path) -> list[tuple[str, str]]:
    """What slither says of our own sources: check and the first element it names."""
    spec = importlib.util.spec_from_file_location("contract_compiler", Path(__file__).with_name("compile.py"))
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    output = ["abi", "evm.bytecode", "evm.deployedBytecode", "userdoc", "devdoc", "metadata"]
    whole = build.standard_json(build.read_sources(), output)
    whole["settings"]["outputSelection"]["*"][""] = ["ast"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in whole["sources"].items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(content["content"])
        (folder / "in.json").write_text(json.dumps(whole))
        command = [str(program), "in.json", "--compile-force-framework", "solc-json", "--solc", str(build.SHIM)]
        done = run([*command, "--filter-paths", "@openzeppelin", "--json", "out.json"], folder)
        if not (folder / "out.json").is_file():
            raise SystemExit("slither did not run: " + done.stderr[-2000:])
        report = json.loads((folder / "out.json").read_text())
    if not report["success"]:
        raise SystemExit(f"slither: {report['error']}")
    found = set()
    for one in report["results"].get("detectors", []):
        first = one["elements"][0]
        parent = first.get("type_specific_fields", {}).get("parent", {})
        owner = parent.get("name", "")
        if first["type"] in ("variable", "node"):
            owner = parent.get("type_specific_fields", {}).get("parent", {}).get("name", "") + "." + owner
        found.add((one["check"], f"{owner}.{first['name']}" if owner else first["name"]))
    return sorted(found)


def slither(program: Path) -> list[str]:
    """Each finding has an answer, each answer a finding."""
    found = findings(program)
    answers = [(check, place.replace("\\|", "|")) for check, place in ROW.findall(ANSWERS.read_text())]
    used: set[tuple[str, str]] = set()
    problems = []
    for check, place in found:
        fitting = [(c, p) for c, p in answers if c == check and re.fullmatch(p, place)]
        if not fitting:
            problems.append(f"slither: no answer in docs/slither.md to `{check}` at `{place}`")
        used.update(fitting)
    problems += [f"slither: nothing is found any more for `{c}` at `{p}`" for c, p in answers if (c, p) not in used]
    print(f"{len(found)} findings, {len(found) - len(problems)} answered")
    return problems


def main() -> int:
    """Run each tool that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="fetch the tools first")
    parser.add_argument("--only", choices=("forge", "halmos", "slither"), help="one of them")
    options = parser.parse_args()
    if options.install:
        install()
    problems: list[str] = []
    for name, tool in (("forge", forge), ("halmos", halmos), ("slither", slither)):
        if options.only not in (None, name):
            continue
        program = where(name)
        if program is None or (name == "halmos" and where("forge") is None):
            print(f"-- {name}: skipped, it is not installed (python scripts/contracts/proofs.py --install)")
            continue
        if not (CONTRACTS / "node_modules" / "solc").is_dir():
            print(f"-- {name}: skipped, the compiler's packages are not installed (make contracts fetches them)")
            continue
        print(f"-- {name}")
        problems += tool(program)
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
