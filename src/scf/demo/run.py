"""What `scf demo` runs: opens a demo installation, sets its virtual time, tells the story or works through a list."""

from __future__ import annotations

import time
from datetime import time as wall_time
from pathlib import Path

from scf import terminal
from scf.app import App, open_app
from scf.demo.bankside import BankSide
from scf.demo.play import Audience, Play
from scf.demo.steps import STORY_DAYS
from scf.demo.story import Story
from scf.desk.anchoring import anchor
from scf.installation import OPERATOR_NAMES, Settings
from scf.kernel.clock import VirtualClock
from scf.kernel.dates import day_of, next_day, to_unix
from scf.kernel.money import format_money
from scf.kernel.private import private_folder
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key
from scf.receivables import queries


def story(data: Path, audience: Audience | None = None) -> None:
    """Tell the story in `data`; a second call goes on from where the first stopped."""
    tell = audience or terminal.Teller()
    settings = demo_settings(data)
    clock = VirtualClock(0)
    with open_demo(settings, clock) as app:
        start = int(app.fact("demo:start") or _story_start())
        app.set_fact("demo:start", str(start))
        clock.move_to(max(start, app.ledger.head().timestamp))
        play = Play(app, clock, start, tell)
        tell_story(play, Story(play, BankSide(play)))


def tell_story(play: Play, script: Story) -> None:
    """All chapters in order, the evidence log anchored after each that added to it."""
    script.cast()
    document = script.goods()
    number = script.issue(document)
    notes = script.pass_down(number)
    anchor_evidence(play.app)
    account, _ = script.finance(notes)
    script.release(account)
    anchor_evidence(play.app)
    script.maturity(number)
    script.open_business()
    script.bank.catch_up()
    script.jobs("after")
    anchor_evidence(play.app)
    _summary(play, number)


def deliveries(data: Path, path: Path, mapping: str, wanted: int | None) -> None:
    """Run the job on a delivery list; `wanted` receivables, or all."""
    from scf.demo.list_run import run_list  # late: only this command needs it

    run_list(data, path, mapping, wanted)


def demo_settings(data: Path) -> Settings:
    """Settings of a demo installation; the folder is marked, so that every later start knows its keys are public."""
    private_folder(data)
    (data / "demo").touch()
    return Settings.from_environment(data, demo=True)


def open_demo(settings: Settings, clock: VirtualClock, *, start: int | None = None) -> App:
    """Open a demo installation under a virtual clock that begins at `start` (the story's start by default).

    Raises Problem `demo_ledger_has_own_clock` where blocks take their time from a network.
    """
    if settings.ledger.startswith("rpc:"):
        raise Problem("demo_ledger_has_own_clock", ledger=settings.ledger)
    clock.move_to(_story_start() if start is None else start)
    return open_app(settings, clock)


def anchor_evidence(app: App) -> None:
    """Anchor the evidence log's head with the first operator's demo key."""
    key = demo_key(OPERATOR_NAMES[0])
    anchor(app.desk, key.address, lambda digest: sign_digest(key.private, digest))


def _story_start() -> int:
    today = day_of(int(time.time()))
    return to_unix(next_day(today, -STORY_DAYS), wall_time(9))


def _summary(play: Play, number: int) -> None:
    app = play.app
    with app.desk.session() as session:
        row = queries.receivable(session, number)
        live, face = queries.conservation(session, number)
        open_sums = queries.totals(session)
        obligor = app.parties.name_of(session, row.obligor)
    face_text, live_text = format_money(face, row.currency), format_money(live, row.currency)
    play.tell.chapter("Where things stand", "现状")
    play.tell.line(
        f"Receivable {number}: face {face_text}, accounted for {live_text}, state {row.state}.",
        f"凭证 {number}：面值 {face_text}，可核对 {live_text}，状态 {row.state}。",
    )
    for code, sums in open_sums.items():
        play.tell.line(
            f"{obligor} still owes {format_money(sums.outstanding_minor, code)}.",
            f"{obligor} 尚欠 {format_money(sums.outstanding_minor, code)}。",
        )
    data = app.settings.data
    play.tell.line(
        f"An auditor can run: scf audit export --data {data} bundle.zip && scf audit verify bundle.zip",
        f"审计师可运行：scf audit export --data {data} bundle.zip && scf audit verify bundle.zip",
    )
