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
from scf.demo.simulate_locked import LockedMoney
from scf.demo.simulate_reversals import Reversals
from scf.demo.simulate_tally import Tally
from scf.desk.service import Done, Prepared
from scf.financing.collecting import due_day, owed, payment_id
from scf.financing.price import Fee, Price
from scf.kernel.clock import VirtualClock, today
from scf.kernel.dates import day_of, to_unix
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
FAILS_AFTER_PERCENT = 55
"""From this share of the issuing days on the last core enterprise promises what it will never pay."""

Terms = tuple[str, Actor, int, Fee, bool]
"""What a quote is asked for: ask, financier, yearly rate in ppm, fee, recourse."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A note in somebody's hands that may be passed on or sold."""

    note_id: str
    receivable_id: int
    holder: Actor
    obligor: str


@dataclass(slots=True)
class Sale:
    """A note part on its way to a financier: what the bank is to pay, and what completes it."""

    note_id: str
    quote_hash: str
    registration: str
    net_minor: int
    end_to_end_id: str
    creditor_account: str
    locked_account: int


@dataclass(slots=True)
class Days:
    """What is planned for which day."""

    payments: dict[date, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
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
        self.sales: dict[str, Sale] = {}
        self.fates: dict[int, str] = {}
        self.locked = LockedMoney(self)
        self.reversals = Reversals(self)
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
            self._sell(day)
            self._pass_on(day)
            self.locked.act(day)
            self._obligors_pay(day)
            self.reversals.take_back_late(day)
        self.app.receivables.lapse_due()
        self.bank.exchange()
        if working:
            self.reversals.take_back_at_once(day)
        self.locked.prove(day - timedelta(days=1))
        self._collect()
        self._complete_sales()
        self.locked.confirm()
        if working:
            self.bank.exchange()
        self._overdue()
        self.locked.remember()

    @property
    def is_finished(self) -> bool:
        """Whether nothing is planned or under way any more."""
        return not (self.plan.payments or self.sales or self.locked.is_busy or self.reversals.is_busy)

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

    # Sell ------------------------------------------------------------------------------------------------------------

    def _sell(self, day: date) -> None:
        sellable, self.plan.sellable = self.plan.sellable, []
        chosen = [one for one in sellable if self.random.random() < 0.3 and one.obligor not in self.halted]
        wanted = []
        for one in chosen:
            with self.app.desk.session() as session:
                note = queries.note(session, one.note_id)
                row = queries.receivable(session, one.receivable_id)
                if note.state != "held" or note.amount_minor < 10_000_00 or (day_of(row.maturity) - day).days < 8:
                    continue
                amount = self.random.choice((note.amount_minor, note.amount_minor // 2))
                invited = self.random.sample(self.cast.financiers, 2)
                ask = self.app.financing.ask(session, one.note_id, amount, [who.address for who in invited]).id
            rates = sorted(self.random.sample(range(35_000, 75_000), 2))
            fee = Fee("handling", invited[0].name, self.random.randint(0, 500_00))
            terms = (ask, invited[0], rates[0], fee, self.random.random() < 0.5)
            _, figures = self._quote(terms, 0)
            locks = self.random.random() < 0.35
            wanted.append((one, terms, invited[1], rates[1], figures.net_minor if locks else 0))
        accounts = self.locked.open([(one.holder, terms[1], net) for one, terms, _, _, net in wanted if net])
        acts, sales = [], []
        for one, terms, other, rate, net in wanted:
            account = accounts.pop(0) if net else None
            quote_hash = self._firm(terms, account.id if account else 0)
            self._firm((terms[0], other, rate + 2_000, Fee("handling", other.name, 500_00), False), 0)
            prepared = self.app.financing.prepare_accept_quote(quote_hash)
            acts.append(
                (
                    f"year:sell:{quote_hash}",
                    self.app.financing.accept_call(prepared.message, [self.sign(prepared, one.holder)]),
                )
            )
            sales.append((one, terms[1], quote_hash, account))
        for done, (one, financier, quote_hash, account) in zip(self.relay(acts), sales, strict=True):
            args = done.event("FinancingLocked").args
            note_id, net = hex32(args["noteId"]), args["quote"]["net"]
            creditor = account.number if account else one.holder.account
            end_to_end = f"NET{self.tally.counts['financed']:06d}"
            self.tally.counts["financed"] += 1
            with self.app.desk.session() as session:
                registration = self.app.financing.register(session, note_id)
                self.bank.pay(session, end_to_end, financier.account, creditor, net)
            self.sales[end_to_end] = Sale(
                note_id, quote_hash, registration, net, end_to_end, creditor, account.id if account else 0
            )

    def _quote(self, terms: Terms, account: int) -> tuple[Prepared, Price]:
        ask, financier, rate, fee, recourse = terms
        return self.app.financing.prepare_quote(
            ask,
            financier.address,
            rate_ppm=rate,
            paying_bank=self.cast.bank.address,
            fees=(fee,),
            recourse=recourse,
            entrusted_account=account,
        )

    def _firm(self, terms: Terms, account: int) -> str:
        prepared, figures = self._quote(terms, account)
        signature = self.sign(prepared, terms[1])
        return str(self.app.financing.submit_quote(terms[0], prepared.message, [signature], figures).quote_hash)

    def _complete_sales(self) -> None:
        with self.app.desk.session() as session:
            found = self.bank.credits(session, {name: sale.creditor_account for name, sale in self.sales.items()})
        acts = []
        for name, line in found.items():
            sale = self.sales.pop(name)
            reference = str(line.bank_reference)
            self.tally.compare_quote(self.app, sale.quote_hash, sale.note_id, line.amount_minor)
            prepared = self.app.financing.prepare_complete(sale.note_id, sale.registration, reference)
            message = prepared.message
            call = self.app.contracts.receivables.call(
                "completeFinancing",
                *(message[key] for key in ("noteId", "net", "registration", "bankReference", "deadline")),
                self.sign(prepared, self.cast.bank),
            )
            acts.append((f"year:complete:{name}", call))
            if sale.locked_account:
                self.locked.arrived(sale.locked_account, reference)
        self.relay(acts)

    # Pay and collect -------------------------------------------------------------------------------------------------

    def _obligors_pay(self, day: date) -> None:
        calendar = self.app.maturity.calendar
        for receivable_id, how in self.plan.payments.pop(day, []):
            with self.app.desk.session() as session:
                row = queries.receivable(session, receivable_id)
                principal, interest = owed(session, row, day, calendar)
                amount = {"half": principal // 2, "over": principal + interest + 77}.get(how, principal + interest)
                core = self.cast.of(row.obligor)
                if amount:
                    name = payment_id(receivable_id, str(day.toordinal()))
                    self.bank.pay(session, name, core.account, self.bank.repayment, amount)
                    self.reversals.paid(day, name, receivable_id, how)

    def _collect(self) -> None:
        with self.app.desk.session() as session:
            lines = self.app.maturity.take_lines(session, self.bank.repayment)
            for line in lines:
                if line.surplus_minor and line.receivable_id:
                    back = self.cast.of(queries.receivable(session, line.receivable_id).obligor)
                    self.bank.pay(session, f"RET{line.line_id}", self.bank.repayment, back.account, line.surplus_minor)
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
                self.tally.counts["buy_backs"] += len(self.app.maturity.demand_buy_backs(session, number))
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
