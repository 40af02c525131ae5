"""The evidence log proved from the command line, and checked by a reader of RFC 6962 who has none of our code."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from tests.cli.test_cli import Scf, scf

from scf.demo.cast import CORE, LOTUS
from scf.demo.papers import invoice

__all__ = ["scf"]
DAY = date(2026, 3, 2)


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def root_by_inclusion(entry: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 §2.1.3.2."""
    place, last, found = index, size - 1, sha(b"\0", entry)
    for step in path:
        assert last > 0
        if place % 2 or place == last:
            found = sha(b"\1", step, found)
            while not place % 2 and place:
                place, last = place >> 1, last >> 1
        else:
            found = sha(b"\1", found, step)
        place, last = place >> 1, last >> 1
    assert last == 0
    return found


def roots_by_growth(old_size: int, size: int, old_root: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """RFC 9162 §2.1.4.2, for sizes that differ."""
    steps = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    place, last = old_size - 1, size - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        assert last > 0
        if place % 2 or place == last:
            old, new = sha(b"\1", step, old), sha(b"\1", step, new)
            while not place % 2 and place:
                place, last = place >> 1, last >> 1
        else:
            new = sha(b"\1", new, step)
        place, last = place >> 1, last >> 1
    assert last == 0
    return old, new


def test_a_file_handed_in_is_proved_in_the_log_and_the_log_proved_to_have_only_grown(
    scf: Scf, enrolled: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(enrolled, tmp_path / "data"))
    heads, ids = [json.loads(scf("evidence", "head", "--data", data).out)], []
    for number in range(1, 6):
        paper = invoice(f"INV-{number}", LOTUS, CORE, f"PO-{number}", "Parts", 113_00 * number, DAY, DAY)
        (tmp_path / paper.name).write_bytes(paper.raw)
        assert scf("import", tmp_path / paper.name, "--data", data).code == 0
        ids.append(hashlib.sha256(paper.raw).hexdigest())
        heads.append(json.loads(scf("evidence", "head", "--data", data).out))
    assert heads[-1]["size"] - heads[0]["size"] >= 5
    for at in heads[1:]:
        proof = json.loads(scf("evidence", "included", ids[0], "--size", at["size"], "--data", data).out)
        assert json.loads(proof["entry"])["evidence_id"] == ids[0]
        path = [bytes.fromhex(step) for step in proof["path"]]
        root = root_by_inclusion(proof["entry"].encode(), proof["leaf_index"], proof["size"], path)
        assert root.hex() == at["root"] == proof["root"], "the head held then, not one made up now"
        forged = proof["entry"].replace(ids[0], ids[1]).encode()
        assert root_by_inclusion(forged, proof["leaf_index"], proof["size"], path).hex() != at["root"]
    for old in heads[1:-1]:
        proof = json.loads(scf("evidence", "grown", old["size"], "--data", data).out)
        path = [bytes.fromhex(step) for step in proof["path"]]
        found = roots_by_growth(old["size"], proof["size"], bytes.fromhex(old["root"]), path)
        assert [root.hex() for root in found] == [old["root"], heads[-1]["root"]]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_proof_of_what_is_not_there_is_one_clear_line(
    scf: Scf, enrolled: Path, tmp_path: Path, language: str
) -> None:
    data = Path(shutil.copytree(enrolled, tmp_path / "data"))
    for asked in (["included", "ab" * 32], ["grown", 1_000_000], ["head", "--size", 1_000_000]):
        ran = scf("evidence", *asked, "--data", data, language=language)
        assert ran.code == 1 and ran.out == ""
        assert len(ran.err.strip().splitlines()) <= 3
