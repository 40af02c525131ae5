#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compile contracts/*.sol and write one artifact a contract, or check that the committed ones are what comes out.

    python scripts/contracts/compile.py            # write src/scf/ledger/artifacts/*.json
    python scripts/contracts/compile.py --check    # exit 1 and name the difference if they are not up to date

The compiler is solc 0.8.30 through py-solc-x: an installed native binary if there is one, else the npm package of
the same version (`--shim`, or automatically where the native binary cannot be fetched). Both give the same bytes.
Libraries come from npm into the git-ignored contracts/node_modules, in the exact versions of contracts/package.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import solcx

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
MODULES = CONTRACTS / "node_modules"
ARTIFACTS = ROOT / "src" / "scf" / "ledger" / "artifacts"
SHIM = Path(__file__).resolve().parent / "solc-shim.js"
VERSION = "0.8.30"
PRODUCT = ("Members", "Receivables", "EntrustedAccounts", "EvidenceLog", "QuorumAccount")
SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": False,
    "evmVersion": "paris",
    "metadata": {"bytecodeHash": "none"},
}
OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout", "userdoc", "devdoc"]
IMPORT = re.compile(r'^import\s[^"]*"([^"]+)";', re.MULTILINE)


def install_libraries() -> None:
    """Bring the npm packages of contracts/package.json into contracts/node_modules, once."""
    wanted = json.loads((CONTRACTS / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        found = MODULES / name / "package.json"
        if not found.is_file() or json.loads(found.read_text())["version"] != version:
            break
    else:
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed once, to fetch the compiler and the library named in contracts/package.json")
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    subprocess.run(command, cwd=CONTRACTS, check=True)


def find_compiler(shim: bool) -> Path:
    """Path of a solc 0.8.30: native where py-solc-x has or can fetch it, else our shim over the npm package."""
    if not shim:
        try:
            solcx.install_solc(VERSION)
            return Path(solcx.install.get_executable(VERSION))
        except Exception as problem:
            reason = type(problem).__name__
            print(f"native solc {VERSION} not available ({reason}), using the npm package", file=sys.stderr)
    SHIM.chmod(SHIM.stat().st_mode | stat.S_IXUSR)
    return SHIM


def read_sources(overrides: dict[str, str] | None = None) -> dict[str, str]:
    """Every source by its import name, following imports into node_modules; `overrides` replaces some of ours."""
    sources: dict[str, str] = {}
    waiting = sorted(p.relative_to(CONTRACTS).as_posix() for p in CONTRACTS.glob("*.sol"))
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        place = MODULES / name if name.startswith("@") else CONTRACTS / name
        sources[name] = (overrides or {}).get(name) or place.read_text()
        for target in IMPORT.findall(sources[name]):
            waiting.append(target if not target.startswith(".") else os.path.normpath(Path(name).parent / target))
    return dict(sorted(sources.items()))


def standard_json(sources: dict[str, str], output: list[str]) -> dict[str, Any]:
    """The compiler's input."""
    return {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": SETTINGS | {"outputSelection": {"*": {"*": output}}},
    }


def compile_all(compiler: Path, sources: dict[str, str], output: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Compiler output of the product's contracts by name; a warning in our own sources is an error."""
    try:
        result = solcx.compile_standard(standard_json(sources, output or OUTPUT), solc_binary=compiler)
    except solcx.exceptions.SolcError as problem:
        raise SystemExit(problem.message) from None
    own = [e for e in result.get("errors", []) if not e["sourceLocation"]["file"].startswith("@")]
    if own:
        sys.exit("\n".join(e["formattedMessage"] for e in own))
    return {name: result["contracts"][f"{name}.sol"][name] for name in PRODUCT}


def layout(raw: dict[str, Any]) -> dict[str, Any]:
    """The storage layout without the compiler's running numbers, so that it only changes when the layout does."""

    def plain(text: str) -> str:
        return re.sub(r"\)\d+_", ")_", text)

    types = {plain(k): v for k, v in (raw.get("types") or {}).items()}
    for value in types.values():
        for key in ("base", "key", "value"):
            if key in value:
                value[key] = plain(value[key])
        for member in value.get("members", []):
            member["type"] = plain(member["type"])
            member.pop("astId", None)
            member.pop("contract", None)
    slots = [
        {"label": s["label"], "slot": s["slot"], "offset": s["offset"], "type": plain(s["type"])}
        for s in raw.get("storage", [])
    ]
    return {"storage": slots, "types": types}


def artifact(name: str, raw: dict[str, Any], source_hash: str) -> dict[str, Any]:
    """What the service needs to deploy, call and explain one contract."""
    return {
        "contractName": name,
        "abi": raw["abi"],
        "bytecode": "0x" + raw["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + raw["evm"]["deployedBytecode"]["object"],
        "storageLayout": layout(raw["storageLayout"]),
        "userdoc": raw["userdoc"],
        "compiler": {"version": VERSION, "settings": SETTINGS},
        "sourceHash": source_hash,
    }


def main() -> int:
    """Compile, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed artifacts, write nothing")
    parser.add_argument("--shim", action="store_true", help="use the npm compiler even where a native one is at hand")
    options = parser.parse_args()
    install_libraries()
    sources = read_sources()
    whole = hashlib.sha256("".join(f"{n}\0{t}\0" for n, t in sources.items()).encode()).hexdigest()
    compiled = compile_all(find_compiler(options.shim), sources)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    differing = []
    for name, raw in compiled.items():
        text = json.dumps(artifact(name, raw, whole), indent=1, sort_keys=True) + "\n"
        path = ARTIFACTS / f"{name}.json"
        if options.check:
            if not path.is_file() or path.read_text() != text:
                differing.append(path.relative_to(ROOT).as_posix())
        else:
            path.write_text(text)
            print(f"{name:18} {len(raw['evm']['deployedBytecode']['object']) // 2:6,} bytes")
    if differing:
        print("not what the sources compile to: " + ", ".join(differing), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
