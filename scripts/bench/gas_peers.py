# SPDX-License-Identifier: Apache-2.0
"""The same work on published token implementations, for scripts/bench/gas.py."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eth_abi
from eth_hash.auto import keccak
from gas_regulated import measure_cmtat, measure_trex
from tests.contracts.chain import Receipts
from tests.contracts.world import member

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "contracts" / "peers"
MODULES = PEERS / "node_modules"
SPEC = importlib.util.spec_from_file_location("contract_compiler", ROOT / "scripts" / "contracts" / "compile.py")
assert SPEC is not None
assert SPEC.loader is not None
build = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)

FACE = 1_000_000_00
NAMES = {
    "OpenZeppelin1155": ("Balances.sol", "OpenZeppelin 5.7 ERC-1155, bare"),
    "OpenZeppelin6909": ("Balances.sol", "OpenZeppelin 5.7 ERC-6909, bare"),
    "Solady1155": ("Balances.sol", "Solady 0.1.26 ERC-1155, bare"),
    "Solady6909": ("Balances.sol", "Solady 0.1.26 ERC-6909, bare"),
    "Reference3525": ("Slots.sol", "ERC-3525 reference 1.5.0, bare"),
}
TREX = "ERC-3643 (T-REX 4.1.6), whole suite"
CMTAT = "CMTAT, standalone"
NO_CHECKOUT = "not available: it is in no package registry; name a checkout by --cmtat"


def _install() -> str | None:
    """Fetch the packages once; says why not where it cannot."""
    wanted = json.loads((PEERS / "package.json").read_text())["dependencies"]
    if all((MODULES / name / "package.json").is_file() for name in wanted):
        return None
    npm = shutil.which("npm")
    if npm is None:
        return "absent: npm is not installed"
    command = [
        npm,
        "install",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--silent",
        "--legacy-peer-deps",
    ]
    done = subprocess.run(command, cwd=PEERS, check=False, capture_output=True)
    return None if done.returncode == 0 else "absent: the packages could not be fetched"


def _place(name: str, importer: str) -> Path:
    if name.startswith("@openzeppelin/"):
        old = importer.startswith(("@solvprotocol/", "oz4/"))
        return MODULES / ("oz4" if old else "@openzeppelin/contracts") / name.removeprefix("@openzeppelin/contracts/")
    return (PEERS if "/" not in name else MODULES) / name


def _sources(first: str) -> tuple[dict[str, Any], list[str]]:
    """Sources of one adapter by unit name; the older OpenZeppelin goes by `oz4/`."""
    found: dict[str, Any] = {}
    waiting = [(first, "")]
    remap: list[str] = []
    if first == "Slots.sol":
        remap = ["@openzeppelin/contracts/=oz4/"]
    while waiting:
        name, importer = waiting.pop()
        if name in found:
            continue
        if first == "Slots.sol":
            name = name.replace("@openzeppelin/contracts/", "oz4/")
        text = _place(name, importer).read_text()
        found[name] = {"content": text}
        for target in re.findall(r'^import\s[^"]*"([^"]+)";', text, re.MULTILINE):
            if target.startswith("."):
                parts: list[str] = []
                for part in (*Path(name).parent.parts, *Path(target).parts):
                    if part == "..":
                        parts.pop()
                    elif part != ".":
                        parts.append(part)
                target = "/".join(parts)
            waiting.append((target, name))
    return found, remap


def _compile(file: str) -> dict[str, Any]:
    sources, remap = _sources(file)
    settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun", "remappings": remap}
    settings["outputSelection"] = {"*": {"*": ["abi", "evm.bytecode.object"]}}
    whole = {"language": "Solidity", "sources": sources, "settings": settings}
    return dict(build.solcx.compile_standard(whole, solc_binary=build.SHIM)["contracts"][file])


def _measure(code: str, is_notes: bool) -> dict[str, int]:
    chain = Receipts()
    accounts = chain.tester.get_accounts()
    first, ten = accounts[1], [member(f"peer {i}") for i in range(10)]
    chain.known.update(accounts)
    address = chain.deploy(bytes.fromhex(code))

    def send(signature: str, *args: Any, sender: str = first) -> int:
        kinds = signature[signature.index("(") + 1 : -1]
        kinds_list = re.findall(r"[a-z]+\d*(?:\[\])?", kinds)
        data = keccak(signature.encode())[:4] + eth_abi.encode(kinds_list, args)
        return chain.send(sender, address, data).gas

    send("issue(address,uint256,uint256)", accounts[2], 1, FACE)
    gas = {"issue": send("issue(address,uint256,uint256)", first, 2, FACE)}
    token = 2  # the id of the receivable, or of the second token
    gas["pass_1"] = send("passOne(uint256,address,uint256)", token, member("peer one"), FACE * 3 // 10)
    gas["pass_10"] = send("passMany(uint256,address[],uint256)", token, ten, FACE // 100)
    if is_notes:
        redeemed = send("redeemMany(uint256,uint256[])", 2, list(range(4, 14)))
    else:
        redeemed = send("redeemMany(uint256,address[])", 2, ten)
    gas["settle_per_note_10"] = -(-redeemed // 10)
    return gas


def measure_peers(cmtat: Path | None = None) -> dict[str, Any]:
    """Receipt gas by peer, or a sentence why there is none; `cmtat` is a checkout of CMTAT."""
    absent = _install()
    if absent is not None:
        return dict.fromkeys((*(title for _, title in NAMES.values()), TREX, CMTAT), absent)
    build.install_libraries()
    report: dict[str, Any] = {}
    made: dict[str, Any] = {}
    for name, (file, title) in NAMES.items():
        try:
            if file not in made:
                made[file] = _compile(file)
            report[title] = _measure(made[file][name]["evm"]["bytecode"]["object"], name == "Reference3525")
        except Exception as problem:
            report[title] = f"absent: {type(problem).__name__}"
            print(f"{title}: {str(problem)[:300]}", file=sys.stderr)
    whole: dict[str, Callable[[], dict[str, int]]] = {TREX: lambda: measure_trex(MODULES, build.SHIM)}
    if cmtat is None:
        report[CMTAT] = NO_CHECKOUT
    else:
        version = json.loads((cmtat / "package.json").read_text())["version"]
        whole[f"CMTAT {version}, standalone"] = lambda: measure_cmtat(cmtat, MODULES, build.MODULES, build.SHIM)
    for title, measure in whole.items():
        try:
            report[title] = measure()
        except Exception as problem:
            report[title] = f"absent: {type(problem).__name__}"
            print(f"{title}: {str(problem)[:300]}", file=sys.stderr)
    return report


def table(ours: dict[str, int], peers: dict[str, Any]) -> str:
    """Ours and the peers side by side."""
    columns = ("issue", "pass_1", "pass_10", "settle_per_note_10")
    lines = [f"{'':40}" + "".join(f"{c:>20}" for c in columns)]
    lines.append(f"{'scf, every duty':40}" + "".join(f"{ours[c]:>20,}" for c in columns))
    for title, row in peers.items():
        if isinstance(row, str):
            lines.append(f"{title:40}  {row}")
        else:
            lines.append(f"{title:40}" + "".join(f"{row[c]:>20,}" for c in columns))
    return "\n".join(lines)
