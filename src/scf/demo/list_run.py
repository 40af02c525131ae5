"""The main job on a list of real deliveries: month by month issued, accepted, passed on, paid, settled."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from scf import terminal
from scf.app import App
from scf.demo.list_bank import ListBank
from scf.demo.list_cast import ListCast, chunks
from scf.demo.list_plan import Planned, Punctuality, plan, punctuality
from scf.demo.run import anchor_evidence, demo_settings, open_demo
from scf.desk.service import Done
from scf.kernel.clock import SystemClock, VirtualClock
from scf.kernel.dates import ceil_hour, day_of, to_unix
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.intents import digest
from scf.ledger.signing import sign_digest
from scf.ledger.types import Call
from scf.parties.keys import KeyPair
from scf.receivables.books import hex32
from scf.receivables.service import payment_message
from scf.reconciliation import service as reconciliation
from scf.standards import csvmap
from scf.standards.records import Delivery
from scf.store.evidence import Trust

PASSED_PERCENT = 80
"""Share of a delivered line that goes down to the site that made it: a choice of this run, not in the list."""
ACCEPT_AT_ONCE = 25
RELAY_AT_ONCE = 400
DAY = 86_400
VALID_SECONDS = 30 * DAY


@dataclass(slots=True)
class Tally:
    """What the run did, for the last lines."""

    issued: int = 0
    notes: int = 0
    settled: int = 0
    transactions: int = 0
    ledger_seconds: float = 0.0
    faces: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Live:
    """A receivable of the run that is on the ledger."""

    planned: Planned
    number: int
    root: int


def run_list(data: Path, path: Path, mapping: str, wanted: int | None) -> None:
    """Run the job on the list at `path`, in `data` or, where another story lives there, in its subfolder."""
    began = time.monotonic()
    raw = path.read_bytes()
    folder = _folder(data)
    clock = VirtualClock(0)
    settings = demo_settings(folder)
    first = _first_day(raw, mapping)
    with open_demo(settings, clock, start=to_unix(first) - 30 * DAY) as app:
        _same_run(app, f"{hashlib.sha256(raw).hexdigest()[:16]} {mapping} {wanted or 'all'}")
        terminal.say(f"Reading {path.name}", f"读取 {path.name}")
        report = app.documents.import_file(
            raw, path.name, source="delivery list", sender="programme", trust=Trust.T2, mapping=mapping
        )
        rows = _rows(raw, mapping)
        runner = ListRun(app, clock, rows, report.evidence_id)
        runner.run(wanted)
        anchor_evidence(app)
        _last_lines(app, runner.tally, punctuality(rows), rows, time.monotonic() - began)


class ListRun:
    """One run; every step has a reference of its own, so that a run that was killed goes on without doubling."""

    def __init__(self, app: App, clock: VirtualClock, rows: Sequence[Delivery], evidence_id: str) -> None:
        self.app = app
        self.clock = clock
        self.evidence_id = evidence_id
        self.rules_of = day_of(SystemClock().now())
        self.planned = plan(rows, PASSED_PERCENT)
        self.tally = Tally()
        self.cast = ListCast(
            app, (row.vendor for row in self.planned), (site for row in self.planned for site, _ in row.parts)
        )
        self.bank = ListBank(app, clock, self.cast)

    def run(self, wanted: int | None) -> None:
        """Take the first `wanted` delivery notes (all for None), month by month."""
        planned = self.planned if wanted is None else self.planned[:wanted]
        self.cast.enrol()
        self.bank.open_accounts({row.currency for row in planned}, sum(row.face_minor for row in planned))
        waiting: list[Live] = []
        with terminal.progress() as bar:
            issuing = bar.add_task("Issued, accepted, passed on", total=len(planned))
            settling = bar.add_task("Paid and settled", total=len(planned))
            for month, batch in _by_month(planned):
                self.clock.move_to(to_unix(month))
                waiting += self._issue([row for row in batch if self._allowed(row, month)], to_unix(month))
                bar.update(issuing, completed=self.tally.issued + sum(self.tally.refused.values()))
                waiting = self._pay_due(waiting, month)
                bar.update(settling, completed=self.tally.settled)
            while waiting:
                month = _next_month(max(month, min(live.planned.matures_on for live in waiting)))
                self.clock.move_to(to_unix(month))
                waiting = self._pay_due(waiting, month)
                bar.update(settling, completed=self.tally.settled)

    def _allowed(self, row: Planned, issued_on: date) -> bool:
        """What today's rulebook says of issuing this receivable; a refusal is counted by its rule."""
        facts = {
            "issue_date": issued_on,
            "maturity_date": row.matures_on,
            "delivered_on": row.delivered_on,
            "has_trade_evidence": True,
            "prepayment": False,
            "invoice_assigned": False,
            "obligor_overdue": False,
            "obligor_size": "large",
            "creditor_is_small": True,
            "trust_level": int(Trust.T2),
            "amount_minor": row.face_minor,
        }
        judged = self.app.rulebook.judge("issue", facts, as_of=self.rules_of, ruleset=self.app.settings.ruleset)
        try:
            judged.require()
        except Problem as refusal:
            self.tally.refused[str(refusal.facts.get("rule", refusal.code))] += 1
            return False
        return True

    # Issue, accept, pass, accept -------------------------------------------------------------------------------------

    def _issue(self, batch: Sequence[Planned], now: int) -> list[Live]:
        acts = []
        with self.app.desk.session() as session:
            documents = [
                self.app.receivables.file(
                    session,
                    [self.evidence_id],
                    salt=keccak(f"list: {row.note}".encode()),
                    order_reference=row.order,
                    invoice_number=row.note,
                    invoice_minor=row.face_minor,
                    delivered_on=row.delivered_on.isoformat(),
                ).document
                for row in batch
            ]
        for row, document in zip(batch, documents, strict=True):
            message = {
                "obligor": self.cast.programme,
                "creditor": self.cast.vendor(row.vendor).address,
                "face": row.face_minor,
                "currency": currency_of(row.currency).numeric,
                "maturity": to_unix(row.matures_on),
                "maxTier": 8,
                "minAmount": 1,
                "fingerprint": self.app.receivables.fingerprint(row.vendor, row.note, row.delivered_on),
                "document": document,
                "offerUntil": ceil_hour(now + 7 * DAY),
                "deadline": now + VALID_SECONDS,
            }
            signature = self._sign("Issue", message, self.cast.programme_keys())
            acts.append((f"list:issue:{row.note}", self.app.receivables.call("issue", message, signature)))
        lives = []
        for row, done in zip(batch, self._relay(acts), strict=True):
            args = done.event("Issued").args
            lives.append(Live(row, args["receivableId"], args["noteId"]))
            self._count_issue(row)
        self._accept(now, [(self.cast.vendor(live.planned.vendor), live.root) for live in lives], "vendor")
        self._pass(now, lives)
        return lives

    def _pass(self, now: int, lives: Sequence[Live]) -> None:
        acts = [(f"list:pass:{live.planned.note}", self._pass_call(live, now)) for live in lives if live.planned.parts]
        offered: list[tuple[KeyPair, int]] = []
        parts = [part for live in lives for part in live.planned.parts]
        notes = [event.args["noteId"] for done in self._relay(acts) for event in done.events if event.name == "Passed"]
        for (site, amount), note in zip(parts, notes, strict=True):
            offered.append((self.cast.site(site), note))
            self.tally.notes += 1
            self.tally.passed["minor"] += amount
        self._accept(now, offered, "site")

    def _pass_call(self, live: Live, now: int) -> Call:
        parts = live.planned.parts
        message = {
            "parentId": live.root,
            "childIndex": 0,
            "to": [self.cast.site(site).address for site, _ in parts],
            "amounts": [amount for _, amount in parts],
            "evidence": self._trade_documents(live.planned),
            "offerUntil": ceil_hour(now + 7 * DAY),
            "deadline": now + VALID_SECONDS,
        }
        signature = self._sign("PassMany", message, [self.cast.vendor(live.planned.vendor)])
        return self.app.receivables.call("pass_many", message, signature)

    def _trade_documents(self, row: Planned) -> list[str]:
        """The commitment behind each part: the same list, salted by note and site."""
        with self.app.desk.session() as session:
            return [
                self.app.receivables.file(
                    session,
                    [self.evidence_id],
                    salt=keccak(f"list trade: {row.note} {site}".encode()),
                    order_reference=row.order,
                    delivered_on=row.delivered_on.isoformat(),
                ).document
                for site, _ in row.parts
            ]

    def _accept(self, now: int, offered: Sequence[tuple[KeyPair, int]], what: str) -> None:
        """Each recipient accepts its notes, some at once."""
        mine: dict[str, list[int]] = {}
        keys = {key.address: key for key, _ in offered}
        for key, note in offered:
            mine.setdefault(key.address, []).append(note)
        acts = []
        for who, notes in mine.items():
            for batch in chunks(notes, ACCEPT_AT_ONCE):
                message = {"noteIds": list(batch), "deadline": now + VALID_SECONDS}
                signature = self._sign("AcceptMany", message, [keys[who]])
                reference = f"list:accept:{what}:{hex32(batch[0])[2:]}:{len(batch)}"
                acts.append((reference, self.app.receivables.call("accept_many", message, signature)))
        self._relay(acts)

    # Pay and settle --------------------------------------------------------------------------------------------------

    def _pay_due(self, waiting: list[Live], month: date) -> list[Live]:
        """The programme pays what is due by `month`, the bank attests each payment, every holder is settled."""
        due = [live for live in waiting if live.planned.matures_on <= month]
        if not due:
            return waiting
        references = self.bank.collect([(live.number, live.planned) for live in due])
        acts = []
        for live in due:
            message = payment_message(
                live.number,
                0,
                {live.root: live.planned.face_minor},
                live.planned.face_minor,
                0,
                references[live.number],
                to_unix(month) + VALID_SECONDS,
            )
            signature = self._sign("Payment", message, [self.cast.bank])
            acts.append((f"list:pay:{live.number}", self.app.receivables.call("payment", message, signature)))
        self._relay(acts)
        self._relay([act for live in due for act in self.app.receivables.settle_calls(live.number)])
        self.bank.pay_holders([(live.number, live.planned.currency) for live in due], f"{month:%Y%m}")
        self.tally.settled += len(due)
        return [live for live in waiting if live.planned.matures_on > month]

    # Small things ----------------------------------------------------------------------------------------------------

    def _sign(self, primary_type: str, message: dict[str, object], signers: Sequence[KeyPair]) -> bytes:
        signed = digest(self.app.contracts, "Receivables", primary_type, message)
        ordered = sorted(signers, key=lambda key: key.address.lower())
        return b"".join(sign_digest(key.private, signed) for key in ordered)

    def _relay(self, acts: Sequence[tuple[str, Call]]) -> list[Done]:
        done: list[Done] = []
        began = time.monotonic()
        for batch in chunks(acts, RELAY_AT_ONCE):
            done += self.app.desk.relay(batch, check=False)
        self.tally.ledger_seconds += time.monotonic() - began
        self.tally.transactions += len(acts)
        return done

    def _count_issue(self, row: Planned) -> None:
        self.tally.issued += 1
        self.tally.notes += 1
        self.tally.faces[row.currency] += row.face_minor


def _folder(data: Path) -> Path:
    """`data` itself, or its subfolder where a story with newer dates lives there already."""
    is_other = (data / "ledger.db").exists() and not (data / "list").exists()
    folder = data / "deliveries" if is_other else data
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "list").touch()
    if is_other:
        terminal.say(
            f"{data} holds another story; this run lives in {folder}.",
            f"{data} 已有其他内容，本次数据存放于 {folder}。",
        )
    return folder


def _same_run(app: App, what: str) -> None:
    """Time runs once: a folder goes on with the run it began. Raises Problem `list_run_differs`."""
    begun = app.fact("list:run")
    if begun is None:
        app.set_fact("list:run", what)
    elif begun != what:
        raise Problem("list_run_differs", folder=str(app.settings.data), begun=begun.split()[-1])


def _rows(raw: bytes, mapping: str) -> list[Delivery]:
    return csvmap.deliveries(csvmap.preview(raw, csvmap.load_mapping(mapping)))


def _first_day(raw: bytes, mapping: str) -> date:
    days = [row.delivered_on for row in _rows(raw, mapping) if row.delivered_on]
    return min(days)


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _by_month(planned: Sequence[Planned]) -> list[tuple[date, list[Planned]]]:
    months: dict[date, list[Planned]] = {}
    for row in planned:
        months.setdefault(_next_month(row.delivered_on), []).append(row)
    return sorted(months.items())


def _last_lines(app: App, tally: Tally, times: Punctuality, rows: Sequence[Delivery], seconds: float) -> None:
    value: Counter[str] = Counter()
    for row in rows:
        value[row.vendor] += row.value_minor
    top, top_minor = value.most_common(1)[0]
    with app.desk.session() as session:
        exceptions = reconciliation.counts(session)
    face = sum(tally.faces.values())
    code = next(iter(tally.faces), "USD")
    pace = tally.transactions / tally.ledger_seconds if tally.ledger_seconds else 0
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(exceptions.items())) or "none"
    percent = face and tally.passed["minor"] * 1000 // face
    terminal.out.print()
    for label, text in (
        ("receivables issued", f"{tally.issued} (settled {tally.settled})"),
        ("notes", str(tally.notes)),
        ("face in total", format_money(face, code)),
        ("tier-2 share", f"{percent // 10}.{percent % 10}%"),
        ("late / early / on time", f"{times.late} / {times.early} / {times.on_time}"),
        ("concentration", f"{len(value)} vendors; {top} holds {_percent(top_minor, sum(value.values()))} of value"),
        ("exceptions", kinds),
        ("refused by rule", ", ".join(f"{name} {count}" for name, count in sorted(tally.refused.items())) or "none"),
        ("ledger transactions a second", f"{pace:.0f} ({tally.transactions} transactions)"),
        ("seconds", f"{seconds:.0f}"),
    ):
        terminal.out.print(f"{label}: {text}")


def _percent(part: int, whole: int) -> str:
    tenths = (part * 2000 + whole) // (2 * whole) if whole else 0
    return f"{tenths // 10}.{tenths % 10}%"
