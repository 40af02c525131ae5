"""The whole main job on any ledger, through the same services a real installation uses.

Issue, accept, pass, refuse, quotes, financing, entrusted account, evidence, release in stages, payment, settlement.
The service's and the simulated bank's days pass quickly; the ledger keeps its own time. What has to wait for a deadline
on the ledger (the refund of a stage that was not delivered) is therefore left out: both stages are delivered in full.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from scf.app import App
from scf.demo.bankside import BankSide
from scf.demo.cast import CORE, FAIRWAY, LOTUS, MEASURE, PINE, STEEL, firm
from scf.demo.papers import Paper, invoice, net_of
from scf.demo.papers import order as purchase
from scf.demo.play import Audience, Play
from scf.demo.run import anchor_evidence, demo_settings
from scf.demo.steps import CNY, STEEL_ORDER, STORY_DAYS
from scf.demo.story import Story
from scf.installation import Settings
from scf.kernel.clock import VirtualClock
from scf.receivables.service import IssueRequest
from scf.store.evidence import Trust

_OF_THE_RUN = ("block_", "transaction_hash", "_at", "_since", "deadline", "until", "maturity", "issued", "revision")
"""Columns that say when and where something was written, which no two runs share."""
_SALTED = (
    *(
        "document",
        "evidence",
        "fingerprint",
        "account",
        "payee_account",
        "purpose",
        "consent",
        "rule",
        "bank_reference",
    ),
    *("payment_id", "quote_hash", "terms", "reading", "registration", "decision", "reason", "identity"),
)
"""Columns with salted or dated commitments."""


class MainJob(Story):
    """The story without what has to wait for the ledger's own clock."""

    def release(self, account: int) -> None:
        """Two stages are released on evidence, in full."""
        self.play.tell.chapter("Released on evidence", "凭证据分阶段释放")
        with self.app.desk.session() as session:
            stages = [self.app.entrusted.stage_view(session, account, number) for number in (0, 1)]
        total = sum(stage.amount_minor for stage in stages)
        for number, (stage, day, tonnes) in enumerate(zip(stages, (8, 13), (40, 60), strict=True)):
            self.play.at(day)
            if number == 0:
                self._import(
                    purchase(STEEL_ORDER, PINE, STEEL, "Steel", net_of(total), 100, self.day(6)), STEEL, Trust.T2
                )
            self._bill(f"INV-GR-42-{number + 1}", STEEL_ORDER, stage.amount_minor, day, tonnes)
            despatch = f"DN-0042-{number + 1}"
            papers = [
                (self._event(STEEL_ORDER, step, day, "steel", tonnes, despatch), who, Trust.T3)
                for step, who in (("receiving", FAIRWAY), ("inspecting", MEASURE))
            ]
            self._stage(f"s{number + 1}", account, number, stage.amount_minor, papers)
            paid = self.money(stage.amount_minor)
            self.play.tell.line(
                f"Stage {number + 1}: {tonnes} tonnes arrived and were inspected, two approvals: {paid} was paid.",
                f"第 {number + 1} 阶段：{tonnes} 吨到货并检验，两人批准，支付 {paid}。",
            )

    def one_more(self, number: int) -> str:
        """A further receivable of ¥10,000, issued and accepted; returns its root note."""
        order, bill, gross, day = f"PO-MORE-{number}", f"INV-MORE-{number}", 10_000_00, STORY_DAYS + number
        self.play.at(day)
        papers: list[tuple[Paper, str, Trust]] = [
            (purchase(order, CORE, LOTUS, "Brake castings", net_of(gross), 4, self.day(day - 3)), CORE, Trust.T2),
            (self._event(order, "receiving", day - 1, "castings", 4, f"DN-MORE-{number}"), FAIRWAY, Trust.T3),
            (
                invoice(
                    bill, LOTUS, CORE, order, "Brake castings", gross, self.day(day - 1), self.day(day + 50), quantity=4
                ),
                LOTUS,
                Trust.T1,
            ),
        ]
        document = self._file(f"more-{number}", papers, order, bill, gross, self.day(day - 1))
        fingerprint = self.app.receivables.fingerprint(firm(LOTUS).name, bill, self.day(day - 1))
        request = IssueRequest(
            *(self.who(CORE), self.who(LOTUS), gross, CNY, self.day(day + 50), document, fingerprint), min_minor=100
        )
        issued = self.play.receivable_act(f"issue-more-{number}", lambda: self.app.receivables.prepare_issue(request))
        self._accept(f"accept-more-{number}", str(issued["note"]))
        return str(issued["note"])


def settings_for(folder: Path, ledger: str) -> Settings:
    """Settings of an installation with demo keys on the given ledger."""
    plain = demo_settings(folder)
    return Settings(plain.data, ledger=ledger, demo=True)


def job_on(app: App, clock: VirtualClock, start: int, audience: Audience) -> MainJob:
    """The job on an installation; acts done before are not done again."""
    play = Play(app, clock, start, audience)
    return MainJob(play, BankSide(play))


def run_main_job(job: MainJob) -> int:
    """Do all of it; returns the receivable's number."""
    app = job.app
    job.cast()
    document = job.goods()
    number = job.issue(document)
    notes = job.pass_down(number)
    anchor_evidence(app)
    account, _ = job.finance(notes)
    job.release(account)
    anchor_evidence(app)
    job.maturity(number)
    job.bank.catch_up()
    anchor_evidence(app)
    return number


def register(data: Path) -> dict[str, list[str]]:
    """All books of an installation without times, places and salted commitments, so that two runs can be compared.

    Notes are named by their place in the tree (`1/0/2`: receivable, child, child), because an id follows from evidence.
    """
    sql = sqlite3.connect(f"file:{data / 'scf.db'}?mode=ro", uri=True)
    sql.row_factory = sqlite3.Row
    try:
        names = _places(sql)
        tables = [row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE name LIKE 'book_%'")]
        found = {}
        for table in sorted(set(tables) - {"book_cursor"}):
            rows = [_plain(dict(row), names) for row in sql.execute(f'SELECT * FROM "{table}"')]
            found[table] = sorted(json.dumps(row, sort_keys=True) for row in rows)
        return found
    finally:
        sql.close()


def _places(sql: sqlite3.Connection) -> dict[Any, str]:
    rows = sql.execute("SELECT id, parent_id, child_index, receivable_id FROM book_note").fetchall()
    parents = {row["id"]: row for row in rows}

    def place(note: str) -> str:
        row = parents[note]
        return (
            f"{row['receivable_id']}" if row["parent_id"] is None else f"{place(row['parent_id'])}/{row['child_index']}"
        )

    return {note: place(note) for note in parents}


def _plain(row: dict[str, Any], names: dict[Any, str]) -> dict[str, Any]:
    kept = {}
    for key, value in row.items():
        if key in _SALTED or key == "log_index" or any(part in key for part in _OF_THE_RUN) or key == "timestamp":
            continue
        if isinstance(value, bytes):
            value = value.hex()
        kept[key] = names.get(value, value)
    return kept
