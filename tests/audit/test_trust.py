"""What the auditor brings: challenge, genesis, contracts, code, witnesses, the last audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.audit.forge import Forge, fix_manifest
from tests.audit.story import Story
from tests.audit.world import World, key_of

from scf.audit.bundle import write
from scf.audit.verifier import verify
from scf.audit.verifier.merkle import tree_root
from scf.audit.verifier.trust import head_digest, read_head
from scf.ledger.intents import quorum_digest
from scf.ledger.signing import address_of

WITNESSES = {name: key_of(f"witness {name}") for name in ("bank", "notary")}


def manifest_of(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / "manifest.json").read_bytes())
    return found


def co_signed(bundle: Path, *names: str, number: int | None = None) -> dict[str, Any]:
    scope = manifest_of(bundle)["scope"]
    head: dict[str, Any] = {
        "number": scope["last_block"],
        "hash": scope["last_hash"],
        "log": manifest_of(bundle)["log"],
    }
    if number is not None:
        head |= {"number": number, "hash": scope["genesis_hash"]}
    digest = head_digest(scope["chain_id"], read_head(head, "test"))
    signatures = [{"witness": n, "signature": "0x" + quorum_digest([WITNESSES[n]], digest)[0].hex()} for n in names]
    return {**head, "signatures": signatures}


def trust_of(*heads: dict[str, Any], threshold: int = 2) -> dict[str, Any]:
    addresses = {name: address_of(key).lower() for name, key in WITNESSES.items()}
    return {"witnesses": addresses, "witness_threshold": threshold, "heads": list(heads)}


def test_the_challenge(bundle: Path, story: Story, tmp_path: Path):
    assert verify(bundle, {"nonce": "challenge-7"}).exit_code == 0
    assert verify(bundle, {"nonce": "challenge-8"}).exit_code == 1  # last year's bundle again
    write(story.world.ledger, story.world.contracts, tmp_path / "b", evidence=story.leaves)
    assert verify(tmp_path / "b", {"nonce": "challenge-8"}).exit_code == 2


def test_what_is_known_from_elsewhere(bundle: Path):
    manifest = manifest_of(bundle)
    state = json.loads((bundle / "state" / "closing.json").read_bytes())
    known = {
        "chain_id": manifest["scope"]["chain_id"],
        "genesis_hash": manifest["scope"]["genesis_hash"],
        "contracts": manifest["scope"]["contracts"],
        "code_hashes": {name: entry["code_hash"] for name, entry in state["accounts"].items()},
    }
    assert verify(bundle, known).exit_code == 0
    other = "0x" + "77" * 32
    for change in (
        {"chain_id": 1},
        {"genesis_hash": other},
        {"contracts": {**known["contracts"], "Members": "0x" + "77" * 20}},
        {"code_hashes": {**known["code_hashes"], "Receivables": other}},
    ):
        assert verify(bundle, {**known, **change}).exit_code == 1, change


def test_two_witnesses_make_level_one(bundle: Path):
    both = trust_of(co_signed(bundle, "bank", "notary"))
    report = verify(bundle, both, require="L1")
    assert (report.exit_code, report.level) == (0, "L1"), report.summary()
    one = verify(bundle, trust_of(co_signed(bundle, "bank")), require="L1")
    assert (one.exit_code, one.level) == (2, "L0")
    assert verify(bundle, trust_of(co_signed(bundle, "bank"))).exit_code == 0  # level 0 was all that was asked
    assert verify(bundle, trust_of(co_signed(bundle, "bank", "bank")), require="L1").exit_code == 2
    assert verify(bundle, require="L1").exit_code == 2
    assert verify(bundle, require="L2").exit_code == 2
    with pytest.raises(ValueError, match="L9"):
        verify(bundle, require="L9")


def test_a_head_in_the_middle_is_not_the_whole(bundle: Path):
    early = co_signed(bundle, "bank", "notary", number=0)
    report = verify(bundle, trust_of(early), require="L1")
    assert (report.exit_code, report.level) == (2, "L0")
    assert verify(bundle, trust_of(early)).exit_code == 0


def test_signatures_in_the_bundle_count_only_for_known_witnesses(copy: Path):
    head = co_signed(copy, "bank", "notary")
    (copy / "witness").mkdir()
    (copy / "witness" / "heads.json").write_text(json.dumps([head]))
    fix_manifest(copy)
    assert verify(copy, trust_of(), require="L1").exit_code == 0
    assert verify(copy, require="L1").exit_code == 2  # nobody told the verifier whom to believe


def test_a_witness_did_not_sign_this_chain(bundle: Path, forge: Forge):
    head = co_signed(bundle, "bank", "notary")
    forge.headers[-1][11] = (int.from_bytes(forge.headers[-1][11], "big") + 1).to_bytes(4, "big")
    forge.save()
    report = verify(forge.folder, trust_of(head))
    assert report.exit_code == 1
    assert {finding.key for finding in report.checks["witnesses"].findings} >= {"head_hash"}
    stolen = {**head, "hash": manifest_of(forge.folder)["scope"]["last_hash"]}
    assert verify(forge.folder, trust_of(stolen)).exit_code == 1  # the signature is over another head


def test_this_audit_continues_the_last_one(story: Story, tmp_path: Path):
    world = World.start()
    leaves = list(story.leaves)
    world.anchor(3, tree_root(leaves[:3]), 0)
    write(world.ledger, world.contracts, tmp_path / "first", evidence=leaves[:3])
    first = verify(tmp_path / "first")
    assert first.exit_code == 0, first.summary()
    (tmp_path / "first.json").write_text(first.to_json())
    world.anchor(7, tree_root(leaves), 3)
    write(world.ledger, world.contracts, tmp_path / "second", evidence=leaves)
    second = verify(tmp_path / "second", since=tmp_path / "first.json")
    assert second.exit_code == 0, second.summary()
    assert second.checks["since"].records == 2
    other = World.start()
    other.anchor(7, tree_root(leaves), 0)
    other.enrolment("bank", 8, 1)
    write(other.ledger, other.contracts, tmp_path / "other", evidence=leaves)
    rewritten = verify(tmp_path / "other", since=tmp_path / "first.json")
    assert rewritten.exit_code == 1
    assert verify(tmp_path / "first", since=json.loads(second.to_json())).exit_code == 2  # shorter than what was seen


@pytest.mark.parametrize(
    "trust",
    [
        {"chain": 1},
        {"chain_id": "1"},
        {"genesis_hash": "0x1"},
        {"heads": [3]},
        {"heads": [{"number": 1}]},
        {"contracts": []},
    ],
)
def test_a_trust_file_that_cannot_be_read_is_never_ignored(bundle: Path, trust: dict[str, Any]):
    assert verify(bundle, trust).exit_code == 3


def test_trust_from_a_file(bundle: Path, tmp_path: Path):
    path = tmp_path / "trust.json"
    path.write_text(json.dumps({"nonce": "challenge-7"}))
    assert verify(bundle, path).exit_code == 0
    path.write_text("{")
    assert verify(bundle, path).exit_code == 3
