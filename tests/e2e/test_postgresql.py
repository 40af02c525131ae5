"""The whole demonstration with its books in PostgreSQL: killed, started again, rebuilt from the ledger, equal."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from tests.e2e.conftest import SCF, Scf, environment

KILL_AT_BLOCKS = (3, 17, 30)
"""While the contracts are deployed, while notes are passed, while stages are released."""


def blocks(folder: Path) -> int:
    """Number of the newest block in the ledger file, read beside its writer; -1 while there is none."""
    try:
        with sqlite3.connect(f"file:{folder / 'ledger.db'}?mode=ro", uri=True) as sql:
            return int(sql.execute("SELECT coalesce(max(number), -1) FROM block").fetchone()[0])
    except sqlite3.Error:
        return -1


def killed_at(folder: Path, url: str, block: int) -> None:
    """Start the demonstration and kill it as soon as the ledger has `block`."""
    process = subprocess.Popen(
        [*SCF, "demo", "--no-serve", "--data", str(folder)],
        env=environment({"SCF_DATABASE": url}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        give_up = time.monotonic() + 240
        while blocks(folder) < block:
            assert process.poll() is None, "the demonstration ended before it could be killed"
            assert time.monotonic() < give_up
            time.sleep(0.01)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_demonstration_survives_being_killed(scf: Scf, postgresql: str, tmp_path: Path):
    folder = tmp_path / "data"
    for block in KILL_AT_BLOCKS:
        killed_at(folder, postgresql, block)
    told = scf("demo", "--no-serve", "--data", folder, SCF_DATABASE=postgresql)
    assert told.returncode == 0, told.stderr
    assert "face CNY 1,000,000.00, accounted for CNY 1,000,000.00, state closed" in told.stdout
    assert not (folder / "scf.db").exists()
    checked = scf("books", "rebuild", "--check", "--data", folder, SCF_DATABASE=postgresql)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    height = blocks(folder)
    again = scf("demo", "--no-serve", "--data", folder, SCF_DATABASE=postgresql)
    assert again.returncode == 0, again.stderr
    assert again.stdout == told.stdout
    assert blocks(folder) == height
    bundle = tmp_path / "bundle.zip"
    assert scf("audit", "export", "--data", folder, bundle, SCF_DATABASE=postgresql).returncode == 0
    verified = scf("audit", "verify", bundle)
    assert verified.returncode == 0, verified.stdout + verified.stderr
