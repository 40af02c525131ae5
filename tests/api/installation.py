"""One small demo installation for the tests of API and pages: a story told up to an open entrusted account."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from scf.app import App, open_app
from scf.demo.bankside import BankSide
from scf.demo.cast import CORE, FARHILL, HARBOUR, LOTUS, PINE, RIVER, STONE, address
from scf.demo.play import Play, Silence
from scf.demo.story import Story
from scf.installation import Settings
from scf.kernel.clock import VirtualClock
from scf.receivables.service import PassRequest

START = int(datetime(2026, 1, 5, 1, tzinfo=UTC).timestamp())  # nine o'clock in Beijing


@dataclass
class Installation:
    """The opened installation and what the story left behind."""

    app: App
    clock: VirtualClock
    story: Story
    receivable: int
    notes: dict[str, str]
    account: int
    financed: str
    ask: str
    offered: str
    who: dict[tuple[str, str], str] = field(default_factory=dict)

    def at(self, code: str, seat: str = "account") -> str:
        """Address of a seat."""
        return address(self.app, code, seat)


@cache
def installation() -> Installation:
    """Open one installation for the whole test run."""
    folder = Path(tempfile.mkdtemp(prefix="scf-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    clock = VirtualClock(START)
    app = open_app(Settings(data=folder, demo=True), clock)
    play = Play(app, clock, START, Silence())
    story = Story(play, BankSide(play))
    story.cast()
    receivable = story.issue(story.goods())
    notes = story.pass_down(receivable)
    account, financed = story.finance(notes)
    # An open ask, and an offer nobody accepted yet.
    with app.desk.session() as session:
        ask = app.financing.ask(session, notes[LOTUS], 100_000_00, (address(app, HARBOUR), address(app, FARHILL))).id
    document = story._trade(RIVER, STONE, 5_000_00, 6)
    reply = play.receivable_act(
        "pass-open",
        lambda: app.receivables.prepare_pass(PassRequest(notes[RIVER], address(app, STONE), 5_000_00, document)),
    )
    return Installation(app, clock, story, receivable, notes, account, financed, ask, str(reply["note"]))


__all__ = ["CORE", "FARHILL", "HARBOUR", "LOTUS", "PINE", "RIVER", "STONE", "Installation", "installation"]
