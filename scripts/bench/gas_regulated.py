# SPDX-License-Identifier: Apache-2.0
"""Receipt gas of the regulated token suites, as published: ERC-3643 (T-REX, from npm) and CMTAT (from a checkout).

Both come whole, with their own compliance; nothing of them is copied or committed. CMTAT is in no package registry, so
it is measured where `--cmtat` or SCF_CMTAT names a checkout of its repository (measured with version 3.1.0).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import eth_abi
from eth_hash.auto import keccak
from tests.contracts.chain import Receipts, canonical
from tests.contracts.world import member

FACE = 1_000_000_00
NOBODY = "0x" + "00" * 20
TREX = "@tokenysolutions/t-rex/contracts"
TREX_PARTS = {
    "Token": f"{TREX}/token/Token.sol",
    "ClaimTopicsRegistry": f"{TREX}/registry/implementation/ClaimTopicsRegistry.sol",
    "TrustedIssuersRegistry": f"{TREX}/registry/implementation/TrustedIssuersRegistry.sol",
    "IdentityRegistryStorage": f"{TREX}/registry/implementation/IdentityRegistryStorage.sol",
    "IdentityRegistry": f"{TREX}/registry/implementation/IdentityRegistry.sol",
    "DefaultCompliance": f"{TREX}/compliance/legacy/DefaultCompliance.sol",
    "ModularCompliance": f"{TREX}/compliance/modular/ModularCompliance.sol",
    "TREXImplementationAuthority": f"{TREX}/proxy/authority/TREXImplementationAuthority.sol",
    "TokenProxy": f"{TREX}/proxy/TokenProxy.sol",
    "IdentityRegistryProxy": f"{TREX}/proxy/IdentityRegistryProxy.sol",
    "IdentityRegistryStorageProxy": f"{TREX}/proxy/IdentityRegistryStorageProxy.sol",
    "ClaimTopicsRegistryProxy": f"{TREX}/proxy/ClaimTopicsRegistryProxy.sol",
    "TrustedIssuersRegistryProxy": f"{TREX}/proxy/TrustedIssuersRegistryProxy.sol",
    "Identity": "@onchain-id/solidity/contracts/Identity.sol",
    "IdentityProxy": "@onchain-id/solidity/contracts/proxy/IdentityProxy.sol",
    "ImplementationAuthority": "@onchain-id/solidity/contracts/proxy/ImplementationAuthority.sol",
}
_IMPORT = re.compile(r'(?:^\s*import|\bfrom)\s+["\']([^"\']+)["\']', re.MULTILINE)


def sources_of(first: list[str], places: dict[str, Path]) -> dict[str, Any]:
    """Sources by unit name with all they import; `places` says where a prefix of names lies."""
    found: dict[str, Any] = {}
    waiting = list(first)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        prefix = max((p for p in places if name.startswith(p)), key=len)
        text = (places[prefix] / name.removeprefix(prefix)).read_text()
        found[name] = {"content": text}
        folder = Path(name).parent
        targets = _IMPORT.findall(text)
        waiting += [os.path.normpath(folder / one) if one.startswith(".") else one for one in targets]
    return found


def compile_with(package: str, modules: Path, shim: Path, sources: dict[str, Any], evm: str) -> dict[str, Any]:
    """Compiler output by unit name, by the compiler of an npm package. Raises RuntimeError with its first error."""
    settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": evm}
    settings["outputSelection"] = {"*": {"*": ["abi", "evm.bytecode.object"]}}
    whole = {"language": "Solidity", "sources": sources, "settings": settings}
    done = subprocess.run(
        ["node", str(shim), "--standard-json"],
        input=json.dumps(whole),
        env=os.environ | {"SCF_NODE_MODULES": str(modules), "SCF_SOLC_PACKAGE": package},
        capture_output=True,
        text=True,
        check=True,
    )
    made = json.loads(done.stdout)
    errors = [one["formattedMessage"] for one in made.get("errors", []) if one["severity"] == "error"]
    if errors:
        raise RuntimeError(errors[0])
    return dict(made["contracts"])


class Bench:
    """Deploys and calls by ABI on a chain that gives receipts."""

    def __init__(self) -> None:
        self.chain = Receipts()
        self.accounts: list[str] = list(self.chain.tester.get_accounts())
        self.chain.known.update(self.accounts)

    def deploy(self, made: dict[str, Any], *args: Any) -> str:
        """Address of a new contract."""
        inputs = next((i["inputs"] for i in made["abi"] if i["type"] == "constructor"), [])
        code = bytes.fromhex(made["evm"]["bytecode"]["object"])
        return self.chain.deploy(code + eth_abi.encode([canonical(i) for i in inputs], args))

    def send(self, abi: list[dict[str, Any]], to: str, name: str, *args: Any, sender: str = "") -> int:
        """Receipt gas of a call."""
        item = next(
            i for i in abi if i.get("name") == name and i["type"] == "function" and len(i["inputs"]) == len(args)
        )
        kinds = [canonical(i) for i in item["inputs"]]
        data = keccak(f"{name}({','.join(kinds)})".encode())[:4] + eth_abi.encode(kinds, args)
        return self.chain.send(sender or self.accounts[0], to, data).gas


def measure_trex(modules: Path, shim: Path) -> dict[str, int]:
    """ERC-3643 behind its own proxies, each holder in the identity registry, no claim topic asked for."""
    places = {"": modules, "@openzeppelin/contracts/": modules / "oz4"}
    places["@openzeppelin/contracts-upgradeable/"] = modules / "@openzeppelin" / "contracts-upgradeable"
    units = compile_with("solc17", modules, shim, sources_of(sorted(TREX_PARTS.values()), places), "london")
    made = {name: units[file][name] for name, file in TREX_PARTS.items()}
    bench = Bench()
    admin, first = bench.accounts[:2]
    second, ten = member("peer one"), [member(f"peer {i}") for i in range(10)]
    order = ("Token", "ClaimTopicsRegistry", "IdentityRegistry", "IdentityRegistryStorage", "TrustedIssuersRegistry",
             "ModularCompliance")  # fmt: skip
    parts = tuple(bench.deploy(made[name]) for name in order)
    authority = bench.deploy(made["TREXImplementationAuthority"], True, NOBODY, NOBODY)
    bench.send(made["TREXImplementationAuthority"]["abi"], authority, "addAndUseTREXVersion", (4, 0, 0), parts)
    topics = bench.deploy(made["ClaimTopicsRegistryProxy"], authority)
    issuers = bench.deploy(made["TrustedIssuersRegistryProxy"], authority)
    storage = bench.deploy(made["IdentityRegistryStorageProxy"], authority)
    compliance = bench.deploy(made["DefaultCompliance"])
    registry = bench.deploy(made["IdentityRegistryProxy"], authority, issuers, topics, storage)
    identities = bench.deploy(made["ImplementationAuthority"], bench.deploy(made["Identity"], admin, True))
    own = bench.deploy(made["IdentityProxy"], identities, admin)
    token = bench.deploy(made["TokenProxy"], authority, registry, compliance, "RCV", "RCV", 2, own)
    bench.send(made["IdentityRegistryStorage"]["abi"], storage, "bindIdentityRegistry", registry)
    bench.send(made["Token"]["abi"], token, "addAgent", admin)
    bench.send(made["IdentityRegistry"]["abi"], registry, "addAgent", admin)
    for who in (first, second, *ten):
        identity = bench.deploy(made["IdentityProxy"], identities, who)
        bench.send(made["IdentityRegistry"]["abi"], registry, "registerIdentity", who, identity, 42)
    abi = made["Token"]["abi"]
    bench.send(abi, token, "unpause")
    return _run(bench, abi, token, first)


def measure_cmtat(checkout: Path, modules: Path, own: Path, shim: Path) -> dict[str, int]:
    """CMTAT's standalone token; its batches are the minter's, so the admin is the first holder."""
    places = {"contracts/": checkout / "contracts", "@openzeppelin/contracts/": modules / "oz55"}
    places["@openzeppelin/contracts-upgradeable/"] = modules / "ozup55"
    file = "contracts/deployment/CMTATStandalone.sol"
    made = compile_with("solc", own, shim, sources_of([file], places), "cancun")[file]["CMTATStandalone"]
    bench = Bench()
    admin = bench.accounts[0]
    token = bench.deploy(
        made, NOBODY, admin, ("Receivable", "RCV", 2), ("1", ("", "", bytes(32)), ""), (NOBODY,) * 3
    )  # fmt: skip
    return _run(bench, made["abi"], token, admin)


def _run(bench: Bench, abi: list[dict[str, Any]], token: str, first: str) -> dict[str, int]:
    """Issue to one, pass 30 % to one new holder and 1 % each to ten, redeem the ten."""
    ten = [member(f"peer {i}") for i in range(10)]
    gas = {"issue": bench.send(abi, token, "mint", first, FACE)}
    gas["pass_1"] = bench.send(abi, token, "transfer", member("peer one"), FACE * 3 // 10, sender=first)
    gas["pass_10"] = bench.send(abi, token, "batchTransfer", ten, [FACE // 100] * 10, sender=first)
    gas["settle_per_note_10"] = -(-bench.send(abi, token, "batchBurn", ten, [FACE // 100] * 10) // 10)
    return gas
