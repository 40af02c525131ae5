"""The main job on a node of another make: driven there block by block, and moved there by a replay."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import time as wall_time
from pathlib import Path

import pytest
from sqlmodel import Session
from tests.e2e.conftest import Scf
from tests.ledger.nodes import anvil

from scf.app import App, open_app, rebuild_books
from scf.demo.bankside import BankSide
from scf.demo.play import Play, Silence
from scf.demo.run import demo_settings, tell_story
from scf.demo.steps import CNY, FACE, STORY_DAYS
from scf.demo.story import Story
from scf.kernel.clock import Clock, VirtualClock
from scf.kernel.dates import day_of, next_day, to_unix
from scf.ledger.rpc.engine import RpcLedger
from scf.ledger.types import Call, Receipt
from scf.receivables import queries
from scf.store.projection import quarantine


class SteeredNode(RpcLedger):
    """A development node whose block time follows a clock of ours: what the embedded engine does by itself."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__([url], clock, chain_id=20_260)
        self._story_clock = clock

    def submit(self, raws: Sequence[bytes]) -> list[Receipt]:
        self.request("evm_setNextBlockTimestamp", max(self._story_clock.now(), self.head().timestamp + 1))
        return super().submit(raws)

    def call(self, call: Call, *, sender: str | None = None, at: int | None = None) -> bytes:
        if at is None and self.head().timestamp < self._story_clock.now():  # a call sees the newest block's time
            self.request("evm_setNextBlockTimestamp", self._story_clock.now())
            self.request("evm_mine")
        return super().call(call, sender=sender, at=at)


def story_start() -> int:
    return to_unix(next_day(day_of(int(time.time())), -STORY_DAYS), wall_time(9))


def tell(app: App, clock: VirtualClock, start: int) -> None:
    play = Play(app, clock, start, Silence())
    tell_story(play, Story(play, BankSide(play)))


def register(session: Session) -> list[tuple[object, ...]]:
    """What the books say of the first receivable: state, conservation, who was paid what."""
    row = queries.receivable(session, 1)
    paid = sorted((item.payee, item.principal_minor) for item in queries.settlements_of(session, 1))
    return [(row.state, row.face_minor, *queries.conservation(session, 1)), *paid]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_story_on_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Issue, accept, pass, finance, release, payment and settlement give the same books as on the embedded ledger."""
    start = story_start()
    with anvil(extra=["--timestamp", str(start - 60)]) as (url, _):
        clock = VirtualClock(start)
        with monkeypatch.context() as patched:
            patched.setattr("scf.app.open_ledger", lambda *_, **__: SteeredNode(url, clock))
            node = open_app(demo_settings(tmp_path / "node"), clock)
        with node:
            tell(node, clock, start)
            assert rebuild_books(node, check=True)[0] == []
            with node.desk.session() as session:
                assert quarantine(session) == []
                there = register(session)
                outstanding = queries.totals(session)[CNY].outstanding_minor
    clock = VirtualClock(start)
    with open_app(demo_settings(tmp_path / "embedded"), clock) as embedded:
        tell(embedded, clock, start)
        with embedded.desk.session() as session:
            assert register(session) == there
            assert queries.totals(session)[CNY].outstanding_minor == outstanding
    assert there[0] == ("closed", FACE, FACE, FACE)
    assert sum(amount for _, amount in there[1:]) == FACE  # type: ignore[misc]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_moving_the_demonstration_to_a_node(scf: Scf, tmp_path: Path):
    """`scf ledger export`, then `scf ledger import --steer`: every root of every block is the same."""
    told = scf("demo", "--no-serve", "--data", tmp_path / "data")
    assert told.returncode == 0, told.stderr
    out = tmp_path / "chain.jsonl"
    exported = scf("ledger", "export", "--data", tmp_path / "data", out)
    assert exported.returncode == 0, exported.stderr
    with out.open(encoding="utf-8") as stream:
        facts = json.loads(stream.readline())
    with anvil(extra=["--timestamp", str(facts["genesis_timestamp"])]) as (url, _):
        imported = scf("ledger", "import", out, "--to", f"rpc:{url}", "--steer")
    assert imported.returncode == 0, imported.stdout + imported.stderr
    assert "roots equal in every block" in imported.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demonstration_with_anvil_beside_it(scf: Scf, tmp_path: Path):
    """The faster engine on one machine keeps the story's own time, and a second start goes on from its file."""
    with anvil():  # skips where anvil is not installed
        pass
    setting = {"SCF_LEDGER": f"sidecar:{tmp_path / 'ledger.db'}"}
    for _ in range(2):
        told = scf("demo", "--no-serve", "--data", tmp_path / "data", **setting)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "accounted for CNY 1,000,000.00, state closed" in told.stdout
