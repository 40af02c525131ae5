"""A chain with a small counting contract, and the real contracts where their artifacts are built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ledger.chains import KEYS, Tally

from scf.kernel.clock import VirtualClock
from scf.ledger.artifacts import Artifact, read_artifact
from scf.ledger.embedded.engine import EmbeddedLedger

START = 1_790_000_000


@pytest.fixture(scope="session")
def tally_artifact() -> Artifact:
    return read_artifact(json.loads((Path(__file__).parent / "tally" / "Tally.json").read_text()))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def ledger(tmp_path: Path, clock: VirtualClock) -> Iterator[EmbeddedLedger]:
    with EmbeddedLedger(tmp_path / "ledger.db", clock, chain_id=20_260) as opened:
        yield opened


@pytest.fixture
def tally(ledger: EmbeddedLedger, tally_artifact: Artifact) -> Tally:
    return Tally.deploy(ledger, tally_artifact, KEYS[0])
