"""What is committed is what the sources compile to; sizes, layouts and the words of the interfaces."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from tests.contracts.chain import ROOT, abi_of, artifact, canonical

CONTRACTS = ("Members", "Receivables", "EntrustedAccounts", "EvidenceLog", "QuorumAccount")


@pytest.mark.parametrize("name", CONTRACTS)
def test_under_twenty_four_kilobytes(name: str) -> None:
    assert (len(artifact(name)["deployedBytecode"]) - 2) // 2 < 24_000


@pytest.mark.parametrize("name", CONTRACTS)
def test_storage_layout_is_the_documented_one(name: str) -> None:
    """docs/contracts.md holds one table a contract: slot, offset, what."""
    text = (ROOT / "docs" / "contracts.md").read_text()
    section = text.split(f"### Storage of {name}\n", 1)[1].split("\n#", 1)[0]
    documented = re.findall(r"^\| (\d+) \| (\d+) \| `(\w+)` \|", section, re.MULTILINE)
    real = [(s["slot"], str(s["offset"]), s["label"]) for s in artifact(name)["storageLayout"]["storage"]]
    assert documented == real


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_external_function_says_what_it_does(name: str) -> None:
    notices = artifact(name)["userdoc"]["methods"]
    for item in abi_of(name):
        if item["type"] == "function" and item["name"] != "eip712Domain":
            signature = f"{item['name']}({','.join(canonical(i) for i in item['inputs'])})"
            assert notices.get(signature, {}).get("notice"), signature


@pytest.mark.slow
def test_the_sources_compile_to_the_committed_bytes() -> None:
    if not (ROOT / "contracts" / "node_modules").is_dir():
        pytest.skip("the compiler's packages are not installed here")
    command = [sys.executable, str(ROOT / "scripts" / "contracts" / "compile.py"), "--check", "--shim"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_lock_file_names_a_registry() -> None:
    package = json.loads((ROOT / "contracts" / "package.json").read_text())
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", v) for v in package["dependencies"].values())
    assert not (ROOT / "contracts" / "package-lock.json").exists()


@pytest.mark.parametrize("name", CONTRACTS)
def test_no_notice_is_about_something_that_is_not_there(name: str) -> None:
    """NatSpec goes with the ABI: one notice a function, none of a function that has gone, none that says nothing."""
    notices = artifact(name)["userdoc"]["methods"]
    real = {
        f"{i['name']}({','.join(canonical(p) for p in i['inputs'])})" for i in abi_of(name) if i["type"] == "function"
    }
    assert set(notices) - {"constructor"} <= real
    for signature, said in notices.items():
        assert len(said["notice"].split()) > 1, signature
        assert said["notice"].rstrip().endswith("."), signature


def test_notices_name_who_signs_or_may_call() -> None:
    """What a signer reads before it signs: the notice of each act says whose act it is."""
    whose = re.compile(
        r"obligor|recipient|giver|[Aa]nyone|holder|financier|bank|[Oo]perators?|`?Members`?|member|payer|beneficiary|"
        r"attestor|approver|party|parties|payee|key|signature|[Aa] note|people|others?",
    )
    for name in CONTRACTS[:4]:
        notices = artifact(name)["userdoc"]["methods"]
        for item in abi_of(name):
            if item["type"] == "function" and item["stateMutability"] == "nonpayable":
                signature = f"{item['name']}({','.join(canonical(i) for i in item['inputs'])})"
                assert whose.search(notices[signature]["notice"]), (signature, notices[signature]["notice"])
