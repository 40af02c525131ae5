"""A service killed between any two of store, sign, send, mine, mark and answer leaves one effect, on both engines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ledger.chains import KEYS, Tally
from tests.ledger.nodes import ROOT, anvil

from scf.kernel.clock import SystemClock
from scf.ledger.artifacts import Artifact
from scf.ledger.contracts import Handle
from scf.ledger.open import open_ledger
from scf.ledger.protocol import Ledger
from scf.ledger.signing import address_of

RELAYER = address_of(KEYS[5])
POINTS = ("before journal", "inside journal", "after journal", "after send", "after mark", "never")
_SERVICE = """
import json, os, signal, sys
from pathlib import Path
setting, journal_path, address, point = sys.argv[1:5]
from scf.kernel.clock import SystemClock
from scf.ledger.artifacts import read_artifact
from scf.ledger.contracts import Handle
from scf.ledger.hashing import keccak
from scf.ledger.journal import Entry
from scf.ledger.open import open_ledger
from scf.ledger.relayer import Relayer
from scf.store.engine import open_engine
from scf.store.relay_journal import SqlJournal
from scf.store.schema import create_schema
from tests.ledger.chains import KEYS

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Journal(SqlJournal):
    def reserve(self, chain_id, sender, references, first_free, sign):
        if point == "before journal":
            die()
        def signing(reference, nonce):
            if point == "inside journal" and reference == references[-1]:
                die()
            return sign(reference, nonce)
        found = super().reserve(chain_id, sender, references, first_free, signing)
        if point == "after journal":
            die()
        return found
    def mark(self, chain_id, mined):
        if point == "after send":
            die()
        super().mark(chain_id, mined)
        if point == "after mark":
            die()

engine = open_engine("sqlite:///" + journal_path)
create_schema(engine)
artifact = read_artifact(json.loads(Path("tests/ledger/tally/Tally.json").read_text()))
handle = Handle(artifact, address)
with open_ledger(setting, SystemClock()) as ledger:
    relayer = Relayer(ledger, KEYS[5], Journal(engine, Entry, keccak))
    relayer.recover()
    calls = [(f"act:{n}", handle.call("add", n, bytes(32))) for n in (1, 20, 300)]
    receipts = relayer.send(calls, check=False)
    print(sum(receipt.succeeded for receipt in receipts), flush=True)
"""


def _serve(setting: str, journal: Path, address: str, point: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", _SERVICE, setting, str(journal), address, point]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


def _one_effect(setting: str, folder: Path, artifact: Artifact, points: tuple[str, ...]) -> None:
    def opened() -> Ledger:
        return open_ledger(setting, SystemClock())

    for number, point in enumerate(points):
        ledger = opened()
        tally = Tally.deploy(ledger, artifact, KEYS[0])
        nonce = ledger.nonce(RELAYER)
        ledger.close()
        journal = folder / f"journal{number}.db"
        killed = _serve(setting, journal, tally.handle.address, point)
        assert killed.returncode == (0 if point == "never" else -signal.SIGKILL), killed.stderr
        again = _serve(setting, journal, tally.handle.address, "never")
        assert (again.returncode, again.stdout) == (0, "3\n"), again.stderr
        ledger = opened()
        assert Tally(ledger, Handle(artifact, tally.handle.address), KEYS[0]).total == 321, point
        assert ledger.nonce(RELAYER) == nonce + 3
        ledger.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with anvil() as (found, _):
        yield found


@pytest.mark.slow
def test_the_embedded_engine_at_every_point(tmp_path: Path, tally_artifact: Artifact):
    _one_effect(f"embedded:{tmp_path / 'l.db'}", tmp_path, tally_artifact, POINTS)


@pytest.mark.slow
def test_a_node_at_every_point(tmp_path: Path, tally_artifact: Artifact, url: str):
    _one_effect(f"rpc:{url}", tmp_path, tally_artifact, POINTS)
