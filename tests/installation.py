"""A small demo installation for tests: the cast enrolled, a virtual clock, and short ways to act and to take stock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from scf.app import App, open_app
from scf.demo.cast import CORE, FAIRWAY, LOTUS, address, enrol_cast, firm
from scf.demo.papers import invoice, logistics_event
from scf.demo.play import Play, Silence
from scf.demo.run import demo_settings
from scf.desk.service import Prepared
from scf.installation import OPERATOR_NAMES
from scf.kernel.clock import VirtualClock, today
from scf.kernel.dates import next_day, to_unix
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key
from scf.receivables.service import IssueRequest, PassRequest
from scf.store.evidence import Trust

START = to_unix(date(2026, 3, 2), time(9))
CNY = "CNY"


@dataclass(frozen=True, slots=True)
class Trade:
    """Goods sold: the commitment to their documents and the keyed tag of their invoice."""

    document: str
    fingerprint: str


class Installation:
    """One opened installation."""

    def __init__(self, folder: Path, *, ruleset: str = "CN") -> None:
        self.folder = folder
        self.clock = VirtualClock(START)
        self.app: App = open_app(replace(demo_settings(folder), ruleset=ruleset), self.clock)
        self.clock.move_to(self.app.ledger.head().timestamp)
        self.play = Play(self.app, self.clock, START, Silence())

    def who(self, code: str, seat: str = "account") -> str:
        return address(self.app, code, seat)

    def trade(
        self,
        number: str,
        gross_minor: int,
        *,
        seller: str = LOTUS,
        buyer: str = CORE,
        order: str = "",
        due_days: int = 60,
    ) -> Trade:
        """Import invoice and delivery of a trade and file them."""
        order = order or f"PO-{number}"
        day = today(self.clock)
        paper = invoice(number, seller, buyer, order, "Parts", gross_minor, day, next_day(day, due_days))
        event = logistics_event(order, "receiving", self.clock.now(), quantity=1, goods="parts", despatch=f"DN-{order}")
        ids = [
            self.app.documents.import_file(
                one.raw, one.name, source=firm(code).name, sender=firm(code).name, trust=trust
            ).evidence_id
            for one, code, trust in ((paper, seller, Trust.T1), (event, FAIRWAY, Trust.T3))
        ]
        with self.app.desk.session() as session:
            filed = self.app.receivables.file(
                session,
                ids,
                order_reference=order,
                invoice_number=number,
                invoice_minor=gross_minor,
                delivered_on=day.isoformat(),
            )
            document = filed.document
        return Trade(document, self.app.receivables.fingerprint(firm(seller).name, number, day))

    def request(self, trade: Trade, face_minor: int, *, creditor: str = LOTUS, days: int = 55) -> IssueRequest:
        return IssueRequest(
            self.who(CORE),
            self.who(creditor),
            face_minor,
            CNY,
            next_day(today(self.clock), days),
            trade.document,
            trade.fingerprint,
        )

    def sign(self, prepared: Prepared) -> list[list[bytes]]:
        return self.play.sign(prepared)

    def submit(self, prepared: Prepared, *, key: str = "") -> Mapping[str, Any]:
        """Sign with the demo keys and send an act of the receivables room."""
        key = key or prepared.digest.hex()[:32]
        parts = self.sign(prepared)[0]
        return self.app.receivables.submit(prepared.act, prepared.message, parts, key=key, caller="test")

    def submit_entrusted(self, prepared: Prepared, *, key: str = "") -> Mapping[str, Any]:
        key = key or prepared.digest.hex()[:32]
        return self.app.entrusted.submit(prepared.act, prepared.message, self.sign(prepared), key=key, caller="test")

    def issued(self, trade: Trade, face_minor: int, *, accept: bool = True) -> tuple[int, str]:
        """Issue and accept; returns the receivable's number and its root note."""
        reply = self.submit(self.app.receivables.prepare_issue(self.request(trade, face_minor)))
        note = str(reply["note"])
        if accept:
            self.submit(self.app.receivables.prepare_accept(note))
        return int(reply["receivable"]), note

    def passed(self, note: str, to: str, amount_minor: int, trade: Trade, *, accept: bool = True) -> str:
        """Offer a part of a note and accept it; returns the new note."""
        request = PassRequest(note, self.who(to), amount_minor, trade.document)
        child = str(self.submit(self.app.receivables.prepare_pass(request))["note"])
        if accept:
            self.submit(self.app.receivables.prepare_accept(child))
        return child

    def limit(self, kind: str, subject: str, minor: int | None = None, *, group: str = "", currency: str = CNY) -> None:
        """Two operators set a limit (or, kind `member`, put an obligor into a group) on the ledger."""
        limits = self.app.limits
        operators = [demo_key(name) for name in OPERATOR_NAMES[:2]]
        with self.app.desk.session() as session:
            row = limits.open(
                session, kind=kind, subject=subject, by=operators[0].address, currency=currency, limit_minor=minor,
                group=group,
            )  # fmt: skip
            number, digest = row.id, limits.typed(session, row).digest
        for pair in operators:
            limits.sign(number, pair.address, sign_digest(pair.private, digest))

    def stock(self) -> dict[str, str]:
        """Row count and digest of every table, and the ledger's head: equal when nothing was written."""
        return stock(self.app)

    @contextmanager
    def nothing_written(self) -> Iterator[None]:
        before = self.stock()
        yield
        after = self.stock()
        assert {name: (before.get(name), after[name]) for name in after if before.get(name) != after[name]} == {}

    def refused(self, code: str, act: Callable[[], object]) -> Problem:
        """`act` is refused with `code`, in both languages, without money moved and without a trace."""
        with self.nothing_written(), pytest.raises(Problem) as caught:
            act()
        problem = caught.value
        facts = problem.facts
        assert code in (problem.code, facts.get("reason"), facts.get("rule")), f"{problem.code}: {problem}"
        assert problem.money_moved == "no"
        english, chinese = problem.sentence("en"), problem.sentence("zh-CN")
        for sentence in (english, chinese):
            assert sentence != problem.code
            assert "?" not in sentence, sentence
            assert "{" not in sentence, sentence
        assert english != chinese
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
        return problem

    def close(self) -> None:
        self.app.close()

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stock(app: App) -> dict[str, str]:
    """Every table's row count and digest, and the ledger's head."""
    found: dict[str, str] = {}
    with app.engine.connect() as connection:
        names = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        for name in sorted(set(names) - {"book_cursor"}):  # the cursor counts starts too; the ledger's head is below
            rows = sorted(repr(tuple(row)) for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')))
            found[name] = f"{len(rows)} {hashlib.sha256(''.join(rows).encode()).hexdigest()[:16]}"
    head = app.ledger.head()
    found["ledger"] = f"{head.number} {bytes(head.hash).hex()[:16]}"
    return found


def signed_by(prepared: Prepared, private: bytes) -> bytes:
    """A signature of this act by any key."""
    return sign_digest(private, prepared.digest)


def enrolled_template(folder: Path) -> Path:
    """A folder with the cast enrolled, to be copied."""
    with Installation(folder) as made:
        enrol_cast(made.app)
    return folder
