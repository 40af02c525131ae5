"""Nothing that was changed is ever proved: not by accident, and not by an operator who makes all hashes fit again."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from pathlib import Path

import pytest
import rlp
from tests.audit.forge import Forge, fix_manifest
from tests.audit.story import LINES, Story, statement

from scf.audit.verifier import canonical, verify
from scf.audit.verifier.hashing import keccak
from scf.audit.verifier.interface import EVENTS
from scf.audit.verifier.merkle import tree_root
from scf.ledger.transactions import decode_transaction

TOPIC = {f"{event.contract}.{event.name}": event.topic for event in EVENTS.values()}


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def change_word(data: bytes, at: int, value: int) -> bytes:
    return data[: 32 * at] + word(value) + data[32 * at + 32 :]


def forged(forge: Forge, *expected: str, **changes: object) -> None:
    """The forgery is a contradiction, and the check that should notice does."""
    forge.save(**changes)
    report = verify(forge.folder)
    assert report.exit_code == 1, report.summary()
    assert report.level == "none"
    assert report.checks["files"].result == "pass"  # the hashes all fit
    assert report.checks["roots"].result == "pass"
    assert report.checks["headers"].result == "pass"
    found = {finding.key for check in report.checks.values() for finding in check.findings}
    assert set(expected) <= found, report.summary()


def test_rebuilding_an_unchanged_bundle_stays_proved(forge: Forge):
    forge.save()
    assert verify(forge.folder).exit_code == 0


def test_another_amount_in_an_event(forge: Forge):
    block, position, index = forge.find(TOPIC["Receivables.Passed"])
    log = forge.receipts[block][position][3][index]
    log[2] = change_word(log[2], 1, 400_001)
    forged(forge, "event_differs")


def test_another_amount_in_event_and_act(forge: Forge):
    """The operator even signs the envelope anew; the party's own signature does not follow."""
    block, position, index = forge.find(TOPIC["Receivables.Passed"])
    log = forge.receipts[block][position][3][index]
    log[2] = change_word(log[2], 1, 400_001)
    data = forge.data(block, position)
    forge.resign(block, position, data.replace(word(400_000), word(400_001)))
    forged(forge, "wrong_signature")


def test_another_recipient(forge: Forge, story: Story):
    block, position, index = forge.find(TOPIC["Receivables.Passed"])
    log = forge.receipts[block][position][3][index]
    thief = bytes.fromhex(story.world.addresses["carrier"][2:])
    victim, log[1][3] = log[1][3], thief.rjust(32, b"\0")
    forge.resign(block, position, forge.data(block, position).replace(victim, thief.rjust(32, b"\0")))
    forged(forge, "wrong_signature")


def test_an_event_more(forge: Forge):
    block, position, index = forge.find(TOPIC["Receivables.Accepted"])
    logs = forge.receipts[block][position][3]
    logs.append(logs[index])
    forged(forge, "event_unexplained")


def test_an_event_less(forge: Forge):
    block, position, index = forge.find(TOPIC["Receivables.Accepted"])
    del forge.receipts[block][position][3][index]
    forged(forge, "event_missing")


def test_a_transaction_left_out_in_the_middle(forge: Forge):
    block, position, _ = forge.find(TOPIC["Receivables.Returned"])
    del forge.bodies[block][position], forge.receipts[block][position]
    forged(forge, "nonce_gap")


def test_a_transaction_left_out_and_all_later_ones_signed_again(forge: Forge):
    block, position, _ = forge.find(TOPIC["Members.StandingSet"])
    del forge.bodies[block][position], forge.receipts[block][position]
    for number in range(block, len(forge.bodies)):
        for at in range(len(forge.bodies[number])):
            data = forge.data(number, at)
            forge.resign(number, at, data, decode_transaction(forge.bodies[number][at]).nonce - 1)
    forged(forge, "no_quorum", "sender_nonce")


def test_the_last_act_left_out(forge: Forge):
    forge.bodies[-1], forge.receipts[-1] = [], []
    forged(forge, "sender_nonce", "slot")


def test_the_last_act_said_to_have_failed(forge: Forge):
    forge.receipts[-1][0][1], forge.receipts[-1][0][3] = b"", []
    forged(forge, "slot")


def test_the_last_blocks_cut_off(forge: Forge):
    del forge.headers[-3:], forge.bodies[-3:], forge.receipts[-3:]
    forge.save()
    assert verify(forge.folder).exit_code in (1, 2)


def test_two_transactions_swapped(forge: Forge):
    first, second = forge.find(TOPIC["Members.Halted"])[0], forge.find(TOPIC["Members.Cured"])[0]
    for rows in (forge.bodies, forge.receipts):
        rows[first], rows[second] = rows[second], rows[first]
    forged(forge, "nonce_gap", "standing")


def test_another_share_of_a_payment(forge: Forge):
    block, position, index = forge.find(TOPIC["Receivables.Settled"], 1)
    logs = forge.receipts[block][position][3]
    first, second = logs[index], logs[index + 1]
    for log, by in ((first, 1), (second, -1)):
        log[2] = change_word(log[2], 0, int.from_bytes(log[2][:32], "big") + by)
    forged(forge, "share", "slot")


def test_money_released_twice_with_one_reference(forge: Forge):
    source = forge.find(TOPIC["EntrustedAccounts.ReleaseExecuted"])
    target = forge.find(TOPIC["EntrustedAccounts.ReleaseExecuted"], 1)
    forge.receipts[target[0]][target[1]][3] = forge.receipts[source[0]][source[1]][3]
    forge.resign(target[0], target[1], forge.data(source[0], source[1]))
    forged(forge, "reference_twice", "payment_twice")


def test_a_release_without_the_second_approval(forge: Forge):
    block, position, _ = forge.find(TOPIC["EntrustedAccounts.ReleaseApproved"], 1)
    forge.receipts[block][position][1], forge.receipts[block][position][3] = b"", []
    forged(forge, "released_without_ground")


def test_evidence_from_one_house_only(forge: Forge):
    block, position, _ = forge.find(TOPIC["EntrustedAccounts.EvidenceAttested"], 1)
    forge.receipts[block][position][1], forge.receipts[block][position][3] = b"", []
    forged(forge, "released_without_ground")


def test_a_key_nobody_rotated_to(forge: Forge):
    block, position, index = forge.find(TOPIC["Members.KeyRotated"])
    log = forge.receipts[block][position][3][index]
    log[1][3] = bytes(12) + b"\x11" * 20
    forged(forge, "event_differs", "slot")


def test_another_anchored_root(forge: Forge):
    block, position, index = forge.find(TOPIC["EvidenceLog.Anchored"])
    log = forge.receipts[block][position][3][index]
    log[1][2] = b"\x22" * 32
    forged(forge, "event_differs", "anchored_root")


@pytest.mark.parametrize("field", [2, 3, 7, 9, 12, 13, 14, 15])
def test_the_closing_header_has_no_free_field(forge: Forge, field: int):
    last = forge.headers[-1]
    forge.save()
    last[field] = bytes([1]) + last[field][1:] if last[field] else b"\x01"
    original = forge.headers[-1][13]
    forge.save()
    if field == 13:
        last[13] = bytes(31) + b"\x07"
        _write_headers(forge)
    report = verify(forge.folder)
    assert report.exit_code == 1 or (field == 3 and report.exit_code == 2), report.summary()
    assert original


def _write_headers(forge: Forge) -> None:
    encoded = [rlp.encode(header) for header in forge.headers]
    (forge.folder / "chain" / "headers.rlp").write_bytes(b"".join(encoded))
    fix_manifest(forge.folder, scope={"last_hash": "0x" + keccak(encoded[-1]).hex()})


def test_control_totals_that_are_not_so(forge: Forge):
    manifest = json.loads((forge.folder / "manifest.json").read_bytes())
    sums = manifest["totals"]["156"]
    for name in sums:
        manifest["totals"]["156"] = {**sums, name: str(int(sums[name]) + 1)}
        fix_manifest(forge.folder, totals=manifest["totals"])
        assert verify(forge.folder).exit_code == 1, name
    manifest["totals"]["156"] = sums
    fix_manifest(forge.folder, totals={**manifest["totals"], "840": sums})
    assert verify(forge.folder).exit_code == 1
    fix_manifest(forge.folder, totals={"156": {**sums, "bonus": "5"}})
    assert verify(forge.folder).exit_code != 0


@pytest.mark.parametrize(
    "scope",
    [
        {"chain_id": 1},
        {"genesis_hash": "0x" + "11" * 32},
        {"first_block": 1},
        {"last_block": 5},
        {"last_hash": "0x" + "11" * 32},
        {"last_timestamp": 7},
    ],
)
def test_a_scope_that_is_not_so(copy: Path, scope: dict[str, object]):
    fix_manifest(copy, scope=scope)
    assert verify(copy).exit_code == 1


def test_another_contract_named_as_ours(copy: Path):
    manifest = json.loads((copy / "manifest.json").read_bytes())
    for name in manifest["scope"]["contracts"]:
        fix_manifest(copy, scope={"contracts": {**manifest["scope"]["contracts"], name: "0x" + "12" * 20}})
        assert verify(copy).exit_code != 0, name


def test_evidence_rewritten(copy: Path):
    path = copy / "log" / "leaves.bin"
    raw = bytearray(path.read_bytes())
    raw[33] ^= 1
    path.write_bytes(bytes(raw))
    leaves = [bytes(raw[at : at + 32]) for at in range(0, len(raw), 32)]
    fix_manifest(copy, log={"root": "0x" + tree_root(leaves).hex()})
    report = verify(copy)
    assert report.exit_code == 1
    assert {finding.key for finding in report.checks["evidence_log"].findings} >= {"anchored_root"}


@pytest.mark.parametrize("at", range(len(LINES)))
@pytest.mark.parametrize("kind", ["amount", "missing", "twice"])
def test_a_bank_statement_that_says_otherwise(copy: Path, at: int, kind: str):
    lines = list(LINES)
    if kind == "amount":
        lines[at] = (lines[at][0], "1.00", *lines[at][2:])
    elif kind == "missing":
        del lines[at]
    else:
        lines.append(lines[at])
    (copy / "sources" / "index.json").write_bytes(canonical.encode([]))
    next((copy / "sources").glob("*.xml")).write_bytes(statement(tuple(lines)))
    fix_manifest(copy)
    report = verify(copy)
    assert report.exit_code == (2 if kind == "missing" else 1), report.summary()


def test_a_source_that_is_not_the_recorded_one(copy: Path):
    next((copy / "sources").glob("*.xml")).write_bytes(statement() + b"\n")
    fix_manifest(copy)
    report = verify(copy)
    assert report.exit_code == 1
    assert report.checks["sources"].result == "fail"


def test_a_statement_with_entities_is_refused(copy: Path):
    bomb = statement().replace(b"<Document", b'<!DOCTYPE x [<!ENTITY a "b">]><Document', 1)
    (copy / "sources" / "index.json").write_bytes(canonical.encode([]))
    next((copy / "sources").glob("*.xml")).write_bytes(bomb)
    fix_manifest(copy)
    assert verify(copy).exit_code == 3


def test_any_flipped_byte_is_noticed(bundle: Path, copy: Path):
    dice = random.Random(20_260)
    files = [path for path in sorted(copy.rglob("*")) if path.is_file()]
    for path in files:
        good = path.read_bytes()
        for _ in range(2):
            bad = bytearray(good)
            bad[dice.randrange(len(bad))] ^= 1 << dice.randrange(8)
            path.write_bytes(bytes(bad))
            assert verify(copy).exit_code != 0, path
        path.write_bytes(good)
    assert verify(copy).exit_code == 0


@pytest.mark.parametrize("flips", [6, pytest.param(150, marks=pytest.mark.slow)])
def test_any_flipped_byte_is_noticed_when_the_manifest_follows(copy: Path, flips: int):
    dice = random.Random(flips)
    for name in ("chain/headers.rlp", "chain/bodies.rlp", "chain/receipts.rlp", "state/nodes.rlp", "log/leaves.bin"):
        path = copy / name
        good = path.read_bytes()
        for _ in range(flips):
            bad = bytearray(good)
            bad[dice.randrange(len(bad))] ^= 1 << dice.randrange(8)
            path.write_bytes(bytes(bad))
            fix_manifest(copy)
            assert verify(copy).exit_code != 0, name
        path.write_bytes(good)
    fix_manifest(copy)
    assert verify(copy).exit_code == 0


def test_every_missing_file_is_noticed(bundle: Path, copy: Path):
    for path in sorted(bundle.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(bundle)
        (copy / name).unlink()
        expected = 3 if name.name == "manifest.json" else 2
        assert verify(copy).exit_code == expected, name
        shutil.copy(path, copy / name)
    assert verify(copy).exit_code == 0


def test_parts_left_out_of_the_manifest_too(bundle: Path, tmp_path: Path):
    for name in (
        "chain/bodies.rlp",
        "chain/receipts.rlp",
        "state/closing.json",
        "state/nodes.rlp",
        "abi/Members.json",
        "log",
    ):
        copy = Path(shutil.copytree(bundle, tmp_path / name.replace("/", "-")))
        target = copy / name
        changes: dict[str, object] = {}
        if target.is_dir():
            shutil.rmtree(target)
            changes["log"] = None
        else:
            target.unlink()
        fix_manifest(copy, **changes)
        assert verify(copy).exit_code == 2, name


def test_an_added_file_is_noticed(copy: Path):
    (copy / "extra.txt").write_text("more")
    assert verify(copy).exit_code == 1


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{", b"[]", b"{}", b'{"format":"scf-audit/2"}', b'{"format":"scf-audit/1"}', b"\xff\xfe", b"[" * 100_000],
)
def test_a_malformed_manifest(copy: Path, manifest: bytes):
    (copy / "manifest.json").write_bytes(manifest)
    report = verify(copy)
    assert report.exit_code == 3
    assert report.malformed
    assert report.summary("zh-CN")


@pytest.mark.parametrize("name", ["chain/headers.rlp", "chain/bodies.rlp", "chain/receipts.rlp", "log/leaves.bin"])
@pytest.mark.parametrize("raw", [b"\xc1", b"\xf8\x01\x01", b"\xff" * 9, b"\x80", b"abc"])
def test_malformed_parts(copy: Path, name: str, raw: bytes):
    (copy / name).write_bytes(raw)
    fix_manifest(copy)
    assert verify(copy).exit_code in (1, 3)


def test_files_that_are_no_bundles(tmp_path: Path):
    (tmp_path / "text.zip").write_text("hello")
    assert verify(tmp_path / "text.zip").exit_code == 3
    assert verify(tmp_path / "absent").exit_code == 3
    (tmp_path / "empty").mkdir()
    assert verify(tmp_path / "empty").exit_code == 3


def test_a_zip_cannot_lead_outside(tmp_path: Path):
    for number, name in enumerate(("../out.txt", "/etc/x", "a/../b", "a\\b")):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as target:
            target.writestr(name, "x")
        assert verify(path).exit_code == 3, name


def test_a_bomb_is_not_unpacked(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("manifest.json", b" " * 20_000_000)
    report = verify(tmp_path / "bomb.zip", max_bytes=1_000_000)
    assert report.exit_code == 3
    assert "allowed" in report.malformed


def test_a_link_is_refused(copy: Path, tmp_path: Path):
    (tmp_path / "secret").write_text("x")
    (copy / "sources" / "link").symlink_to(tmp_path / "secret")
    assert verify(copy).exit_code == 3
