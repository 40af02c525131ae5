"""A seeded year of a programme: firms issue, pass, sell, lock, pay on time, late, in parts or never, all at a bank.

Everything goes the way real acts go (prepared, judged, signed, relayed, proved by bank lines); only the relaying is in
batches. The same seed gives the same year.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlmodel import Session

from scf.app import App
from scf.bank.calendar import business_day_from
from scf.demo.list_cast import chunks
from scf.demo.simulate_bank import YearBank
from scf.demo.simulate_cast import CURRENCY, Actor, YearCast
from scf.demo.simulate_dues import Dues
from scf.demo.simulate_locked import LockedMoney
from scf.demo.simulate_reversals import Reversals
from scf.demo.simulate_sales import Sales
from scf.demo.simulate_tally import Tally
from scf.desk.service import Done, Prepared
from scf.financing.collecting import due_day
from scf.financing.payouts import give_back
from scf.kernel.clock import VirtualClock, today
from scf.kernel.dates import to_unix
from scf.ledger.intents import quorum_digest
from scf.ledger.signing import sign_digest
from scf.ledger.types import Call
from scf.receivables import queries
from scf.receivables.books import hex32
from scf.receivables.service import IssueRequest, PassRequest
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

RELAY_AT_ONCE = 300
AFTER_CUT_OFF = 17 * 3600 + 1800
"""In a bad year the evening's orders miss the bank's cut-off and are executed on the next business day."""
FAILS_AFTER_PERCENT = 55
"""From this share of the issuing days on the last core enterprise promises what it will never pay."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A note in somebody's hands that may be passed on or sold."""

    note_id: str
    receivable_id: int
    holder: Actor
    obligor: str


@dataclass(slots=True)
class Days:
    """What is planned for which day."""

    payments: dict[date, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    planned: Counter[int] = field(default_factory=Counter)
    movable: list[Holding] = field(default_factory=list)
    sellable: list[Holding] = field(default_factory=list)


class Year:
    """One simulated year."""

    def __init__(
        self, app: App, clock: VirtualClock, cast: YearCast, bank: YearBank, seed: int, *, issuing_days: int
    ) -> None:
        self.app = app
        self.clock = clock
        self.cast = cast
        self.bank = bank
        self.random = random.Random(seed)  # repeatable on purpose: nothing secret comes of it
        self.tally = Tally()
        self.plan = Days()
        self.sales = Sales(self)
        self.fates: dict[int, str] = {}
        self.locked = LockedMoney(self)
        self.reversals = Reversals(self)
        self.dues = Dues(self)
        self.halted: set[str] = set()
        self.start = today(clock)
        self.issuing_days = issuing_days

    def run_day(self, day: date) -> None:
        """Everything of one day."""
        self.clock.move_to(to_unix(day) + 10 * 3600)
        number = (day - self.start).days
        working = self.app.maturity.calendar.is_business_day(day)
        if working:
            self._read_halts()
            if number < self.issuing_days:
                self._issue(day, number)
            self.sales.sell(day)
            self._pass_on(day)
            self.locked.act(day)
            self.dues.chase(day)
            self.dues.pay(day)
            self.reversals.take_back_late(day)
            self._mend()
        self.app.receivables.lapse_due()
        self.bank.exchange()
        if working:
            self.reversals.take_back_at_once()
        if not self.bank.is_chaotic:
            self.locked.prove(day - timedelta(days=1))
        self._collect(day)
        self.sales.complete()
        self.locked.confirm()
        if working:
            if self.bank.is_chaotic:
                self.clock.move_to(to_unix(day) + AFTER_CUT_OFF)
            self.bank.exchange()
        self._overdue()
        self.locked.remember()

    @property
    def is_finished(self) -> bool:
        """Whether nothing is planned or under way any more."""
        busy = (self.sales, self.locked, self.reversals, self.dues)
        return not (self.plan.payments or any(one.is_busy for one in busy)) and self.bank.is_quiet()

    # Issue and pass --------------------------------------------------------------------------------------------------

    def _issue(self, day: date, number: int) -> None:
        acts, made = [], []
        for place, core in enumerate(self.cast.cores):
            if core.address in self.halted:
                continue
            is_failing = place == len(self.cast.cores) - 1 and number * 100 >= self.issuing_days * FAILS_AFTER_PERCENT
            for _ in range(self.random.choice((0, 1, 1, 2))):
                creditor = self.random.choice(self.cast.tier(1))
                face = self.random.randint(50_000_00, 500_000_00)
                matures = day + timedelta(days=self.random.randint(25, 55))
                serial = f"{number:03d}-{place}-{self.tally.counts['asked']}"
                self.tally.counts["asked"] += 1
                document = self._document(f"INV-{serial}", face, day - timedelta(days=2), matures)
                prepared = self.app.receivables.prepare_issue(
                    IssueRequest(
                        core.address,
                        creditor.address,
                        face,
                        CURRENCY,
                        matures,
                        document,
                        self.app.receivables.fingerprint(creditor.name, f"INV-{serial}", day),
                        max_tier=8,
                        min_minor=100,
                    )
                )
                acts.append((f"year:issue:{serial}", self._call(prepared, core)))
                made.append((core, creditor, "never" if is_failing else self._fate()))
        accepted = []
        for done, (core, creditor, fate) in zip(self.relay(acts), made, strict=True):
            args = done.event("Issued").args
            self.fates[args["receivableId"]] = fate
            self._plan_payments(args["receivableId"], args["maturity"], fate)
            accepted.append(Holding(hex32(args["noteId"]), args["receivableId"], creditor, core.address))
        self.tally.counts["issued"] += len(acts)
        self._accept(accepted)

    def _fate(self) -> str:
        fates = ("on_time", "late", "partial", "over", "reversed", "reversed_late")
        return self.random.choices(fates, weights=(86, 3, 3, 2, 3, 3))[0]

    def _plan_payments(self, receivable_id: int, maturity: int, fate: str) -> None:
        due = due_day(maturity, self.app.maturity.calendar)
        if fate == "never":
            return
        if fate == "late":
            self.plan_payment(due + timedelta(days=self.random.randint(1, 12)), receivable_id, "rest")
            return
        self.plan_payment(due, receivable_id, {"partial": "half"}.get(fate, fate))
        if fate == "partial":
            self.plan_payment(due + timedelta(days=self.random.randint(2, 10)), receivable_id, "rest")

    def obligor_of(self, session: Session, receivable_id: int) -> Actor:
        """Who owes a receivable."""
        return self.cast.of(queries.receivable(session, receivable_id).obligor)

    def plan_payment(self, day: date, receivable_id: int, how: str) -> None:
        """The obligor pays on this day or the next business day: the rest, half, or too much."""
        self.plan.payments[business_day_from(self.app.maturity.calendar, day)].append((receivable_id, how))
        self.plan.planned[receivable_id] += 1

    def _pass_on(self, day: date) -> None:
        acts, offered = [], []
        movable, self.plan.movable = self.plan.movable, []
        for one in movable:
            below = self.cast.tier(one.holder.tier + 1) if one.holder.tier < 3 else []
            with self.app.desk.session() as session:
                note = queries.note(session, one.note_id)
            if not below or one.obligor in self.halted or self.random.random() > 0.55 or note.amount_minor < 1000:
                self.plan.sellable.append(one)
                continue
            to = self.random.choice(below)
            amount = self.random.randint(note.amount_minor // 5, note.amount_minor * 4 // 5)
            serial = f"{self.tally.counts['passes']:05d}"
            self.tally.counts["passes"] += 1
            document = self._document(f"TRADE-{serial}", amount, day - timedelta(days=1), day + timedelta(days=60))
            prepared = self.app.receivables.prepare_pass(PassRequest(one.note_id, to.address, amount, document))
            acts.append((f"year:pass:{serial}", self._call(prepared, one.holder)))
            offered.append((one, to))
            self.plan.sellable.append(one)
        taken: list[Holding] = []
        refused: list[Holding] = []
        for done, (one, to) in zip(self.relay(acts), offered, strict=True):
            child = Holding(hex32(done.event("Passed").args["noteId"]), one.receivable_id, to, one.obligor)
            (refused if self.random.random() < 0.06 else taken).append(child)
        self._accept(taken)
        self._refuse(refused)

    def _accept(self, offered: Sequence[Holding]) -> None:
        mine: dict[str, list[Holding]] = defaultdict(list)
        for one in offered:
            mine[one.holder.address].append(one)
        acts = []
        for notes in mine.values():
            message = {"noteIds": [int(one.note_id, 16) for one in notes], "deadline": self.clock.now() + 86_400}
            prepared = self.app.desk.prepare(
                "accept_many", "Receivables", "AcceptMany", message, signers=(notes[0].holder.address,), summary={}
            )
            acts.append((f"year:accept:{notes[0].note_id}", self._call(prepared, notes[0].holder)))
        self.relay(acts)
        self.plan.movable += offered

    def _refuse(self, offered: Sequence[Holding]) -> None:
        acts = []
        for one in offered:
            prepared = self.app.receivables.prepare_refuse(one.note_id, "cash was agreed")
            acts.append((f"year:refuse:{one.note_id}", self._call(prepared, one.holder)))
        self.relay(acts)
        self.tally.counts["refused"] += len(acts)

    # Pay and collect -------------------------------------------------------------------------------------------------

    def _mend(self) -> None:
        refused, back = self.bank.mend(self.sales.not_to_be_paid)
        self.tally.counts["rejections"] += refused
        self.tally.counts["returns"] += back

    def _collect(self, day: date) -> None:
        with self.app.desk.session() as session:
            lines = self.app.maturity.take_lines(session, self.bank.repayment)
            self.dues.arrived(lines)
            self.reversals.found(session, day, lines)
            for line in lines:
                if line.surplus_minor and line.receivable_id:
                    give_back(session, line.line_id, self.clock)
        acts = []
        for line in lines:
            if line.state == "prepared":
                prepared = self.app.maturity.prepare_attestation(line.line_id)
                acts.append((f"year:payment:{line.line_id}", self._call(prepared, self.cast.bank)))
                self.tally.counts["interest_minor"] += line.interest_minor
        self.relay(acts)
        numbers = dict.fromkeys(line.receivable_id for line in lines if line.receivable_id)
        settled = self.relay([act for number in numbers for act in self.app.receivables.settle_calls(number)])
        owed_out: Counter[str] = Counter()
        for done in settled:
            for event in done.events:
                if event.name == "Settled":
                    owed_out[event.args["payee"]] += event.args["principal"] + event.args["interest"]
        self._pay_holders(owed_out)

    def _pay_holders(self, owed_out: Counter[str]) -> None:
        stamp = f"{today(self.clock):%Y%m%d}"
        with self.app.desk.session() as session:
            for who, amount in sorted(owed_out.items()):
                if amount:
                    name = f"OUT{stamp}{who[2:14].upper()}"
                    self.bank.pay(session, name, self.bank.repayment, self.cast.of(who).account, amount)
                    self.tally.paid_out[who] += amount

    def _overdue(self) -> None:
        reported = self.app.maturity.halt_overdue()
        self.tally.counts["overdue"] += len(reported)
        with self.app.desk.session() as session:
            for done in reported:
                number = done.event("Halted").args["receivableId"]
                self.tally.counts["buy_backs"] += len(self.app.maturity.recourse.demand_buy_backs(session, number))
            late = {row.obligor for row in self.app.maturity.overdue(session)}
            stuck = [row.address for row in self.app.maturity.halted(session) if row.address not in late]
            paper = canonical_json({"paid": sorted(stuck), "on": today(self.clock).isoformat()})
            kept = self._keep(session, paper, "payment record") if stuck else ""
        for obligor in stuck:
            prepared = self.app.maturity.prepare_cure(obligor, kept)
            signatures = quorum_digest(self.cast.operators(), prepared.digest)
            name = f"cure {obligor} {today(self.clock)}"
            self.app.maturity.cure(prepared.message, signatures, key=name, caller="operators")
            self.tally.counts["cures"] += 1

    # Small things ----------------------------------------------------------------------------------------------------

    def relay(self, acts: Sequence[tuple[str, Call]]) -> list[Done]:
        """Send many calls, some at once."""
        done: list[Done] = []
        for batch in chunks(acts, RELAY_AT_ONCE):
            done += self.app.desk.relay(batch, check=False)
        self.tally.counts["transactions"] += len(acts)
        return done

    def sign(self, prepared: Prepared, actor: Actor) -> bytes:
        """The actor's signature: one key, or maker's and checker's joined."""
        return b"".join(sign_digest(key.private, prepared.digest) for key in actor.keys)

    def _call(self, prepared: Prepared, actor: Actor) -> Call:
        return self.app.receivables.call(prepared.act, prepared.message, self.sign(prepared, actor))

    def keep(self, text: dict[str, object], kind: str) -> str:
        """File a paper of a third party; returns its evidence id."""
        with self.app.desk.session() as session:
            return self._keep(session, canonical_json(text), kind)

    def keep_paper(self, raw: bytes, kind: str) -> str:
        """File the bytes of a third party's paper; returns its evidence id."""
        with self.app.desk.session() as session:
            return self._keep(session, raw, kind)

    def _keep(self, session: Session, raw: bytes, kind: str) -> str:
        return evidence.record(
            session, raw, kind=kind, source="year", sender="year", trust=Trust.T3, received_at=self.clock.now()
        ).evidence_id

    def _document(self, number: str, amount: int, delivered: date, due: date) -> str:
        with self.app.desk.session() as session:
            kept = self._keep(session, canonical_json({"invoice": number, "amount_minor": amount}), "trade record")
            return self.app.receivables.file(
                session,
                [kept],
                order_reference=f"PO-{number}",
                invoice_number=number,
                invoice_minor=amount,
                delivered_on=delivered.isoformat(),
                payment_due_on=due.isoformat(),
            ).document

    def _read_halts(self) -> None:
        with self.app.desk.session() as session:
            late = {row.obligor for row in self.app.maturity.overdue(session)}
            self.halted = late | {row.address for row in self.app.maturity.halted(session)}
