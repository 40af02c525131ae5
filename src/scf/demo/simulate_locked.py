"""Entrusted accounts of a simulated year: opened for a sale, released by stages, refunded, proved every day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlmodel import select

from scf.bank.simulator import account_number_of
from scf.demo.papers import logistics_event
from scf.demo.simulate_cast import CURRENCY, Actor
from scf.desk.service import Prepared
from scf.entrusted import queries
from scf.entrusted.acts import ACTS
from scf.entrusted.models import EntrustedAccount
from scf.entrusted.ruling import SALE_PROCEEDS
from scf.entrusted.service import OpenRequest, StagePlan
from scf.jobs.locked_proof import day_by_day, prove_locked
from scf.kernel.clock import today
from scf.kernel.dates import to_unix
from scf.ledger.types import Call

if TYPE_CHECKING:
    from scf.demo.simulate_year import Year


@dataclass(slots=True)
class Task:
    """Something to do on a stage from a day on: release up to a value, or pay back what is left."""

    day: date
    stage: int
    kind: str
    up_to_minor: int = 0


@dataclass(slots=True)
class Locked:
    """One account: its number at the bank, whose money it is, what is still to be done."""

    id: int
    number: str
    financier: Actor
    payee: Actor
    amount_minor: int
    seller: Actor
    tasks: list[Task] = field(default_factory=list)
    is_locked: bool = False
    lock_reference: str = ""
    is_late: bool = False


class LockedMoney:
    """All entrusted accounts of the year."""

    def __init__(self, year: Year) -> None:
        self._year = year
        self._accounts: dict[int, Locked] = {}
        self._moving: dict[str, tuple[Locked, int, int, str]] = {}
        self._held: dict[int, int] = {}

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to be released, refunded or confirmed."""
        return bool(self._moving) or any(one.tasks for one in self._accounts.values())

    @property
    def accounts(self) -> Sequence[Locked]:
        """All accounts."""
        return list(self._accounts.values())

    def open(self, wanted: Sequence[tuple[Actor, Actor, int]]) -> list[Locked]:
        """Open an account for each (seller, financier, amount): both sign, the bank opens and locks it."""
        year, acts, made = self._year, [], []
        for seller, financier, amount in wanted:
            serial = year.tally.counts["locked_accounts"]
            year.tally.counts["locked_accounts"] += 1
            number = account_number_of(f"year locked {serial}")
            here = [one for one in year.cast.suppliers if one.elsewhere is None]
            payee = year.random.choice([one for one in here if one.address != seller.address])
            first = amount * 40 // 100
            plans = tuple(self._plan(payee, part, days) for part, days in ((first, 40), (amount - first, 60)))
            prepared = year.app.entrusted.prepare_open(
                OpenRequest(
                    payer=financier.address,
                    beneficiary=seller.address,
                    bank=year.cast.bank.address,
                    currency=CURRENCY,
                    account=number,
                    purpose=f"materials {serial}",
                    funds=SALE_PROCEEDS,
                    consent=f"{seller.name} agrees to the stages.",
                    separate_consent=f"{seller.name} agrees that these proceeds are locked for {payee.name}.",
                    contract=f"HT-{serial}",
                    stages=plans,
                    attestors=tuple(one.address for one in year.cast.attestors),
                    approvers=tuple(one.address for one in year.cast.approvers),
                )
            )
            acts.append((f"year:open:{serial}", self._call(prepared, financier, seller)))
            made.append((number, financier, payee, amount, first, seller))
        opened = []
        for done, (number, financier, payee, amount, first, seller) in zip(year.relay(acts), made, strict=True):
            account = Locked(done.event("Opened").args["accountId"], number, financier, payee, amount, seller)
            year.bank.open_locked(account.id, number, (payee.account, financier.account))
            self._plan_tasks(account, first)
            self._accounts[account.id] = account
            opened.append(account)
        return opened

    def arrived(self, account_id: int, bank_reference: str, *, is_late: bool = False) -> None:
        """The bank's line says that the money is in the account; it is confirmed with the next `confirm`.

        Money that came too late for its sale is held and given back by payer and beneficiary together.
        """
        account = self._accounts[account_id]
        account.lock_reference, account.is_late = bank_reference, is_late
        if is_late:
            account.tasks = [Task(today(self._year.clock), stage, "give back") for stage in (0, 1)]

    def dropped(self, account_id: int) -> None:
        """The sale came to nothing before any money was there."""
        self._accounts[account_id].tasks = []

    def act(self, day: date) -> None:
        """Attest, approve and order what is due today."""
        year, acts, orders = self._year, [], []
        for account in self._accounts.values():
            if not account.is_locked:
                continue
            due = [task for task in account.tasks if task.day <= day]
            account.tasks = [task for task in account.tasks if task.day > day]
            for task in due:
                if task.kind == "release":
                    acts += self._sign_release(account, task)
                if task.kind == "give back":
                    self._agree_to_give_back(account, task.stage)
                orders.append((account, task))
        year.relay(acts)
        with year.app.desk.session() as session:
            for account, task in orders:
                if task.kind == "release":
                    amount, name, payee = year.app.entrusted.payment_order(session, account.id, task.stage)
                    to = payee.account
                else:
                    amount, name = year.app.entrusted.refund_order(session, account.id, task.stage)
                    to = account.financier.account
                year.bank.pay(session, name, account.number, to, amount, lock=f"EA{account.id}")
                self._moving[name] = (account, task.stage, amount, task.kind)

    def confirm(self) -> None:
        """Confirm on the ledger what the bank's lines prove: locked, released, paid back."""
        year, acts = self._year, []
        creditors = {
            name: account.payee.account if kind == "release" else account.financier.account
            for name, (account, _, _, kind) in self._moving.items()
        }
        with year.app.desk.session() as session:
            found = year.bank.arrived(session, creditors)
        for account in self._accounts.values():
            if account.lock_reference and not account.is_locked:
                prepared = year.app.entrusted.prepare_confirm_locked(account.id, account.lock_reference)
                acts.append((f"year:locked:{account.id}", self._call(prepared, year.cast.bank)))
                account.is_locked = True
        for name, line in found.items():
            account, stage, amount, kind = self._moving.pop(name)
            is_release = kind == "release"
            prepare = (
                year.app.entrusted.prepare_confirm_released
                if is_release
                else year.app.entrusted.prepare_confirm_refunded
            )
            prepared = prepare(account.id, stage, amount, str(line.end_to_end_id), str(line.bank_reference))
            acts.append((f"year:moved:{name}", self._call(prepared, year.cast.bank)))
            year.tally.counts["released_minor" if is_release else "refunded_minor"] += amount
        year.relay(acts)

    def remember(self) -> None:
        """Take down what the ledger says is held in each account at the end of this day."""
        with self._year.app.desk.session() as session:
            rows = session.exec(select(EntrustedAccount)).all()
        self._held = {row.id: row.locked_minor - row.released_minor - row.refunded_minor for row in rows}

    def prove(self, day: date) -> None:
        """Compare what was held at the end of `day` with the bank's own statement up to that day."""
        tally = self._year.tally
        with self._year.app.desk.session() as session:
            for account_id, held in self._held.items():
                said = self._year.bank.closing_minor(session, self._accounts[account_id].number) or 0
                tally.counts["locked_proofs"] += 1
                if said != held:
                    tally.counts["locked_differences"] += 1
                    tally.notes.append(f"{day} EA{account_id}: held {held}, statement {said}")

    def prove_all(self) -> None:
        """Every account on every day: what the ledger confirmed of the lines booked by then, against the statements."""
        tally, last = self._year.tally, today(self._year.clock)
        with self._year.app.desk.session() as session:
            for account in self._accounts.values():
                for day, held, said in day_by_day(session, account.id, account.number, last):
                    tally.counts["locked_proofs"] += 1
                    if said != held:
                        tally.counts["locked_differences"] += 1
                        tally.notes.append(f"{day} EA{account.id}: ledger {held}, statement {said}")
            tally.counts["locked_alarms_open"] = len(prove_locked(session, now=self._year.clock.now())[1])

    def _agree_to_give_back(self, account: Locked, stage: int) -> None:
        """The payer holds the whole stage, and both sides agree that it goes back."""
        year, key = self._year, f"{account.id}:{stage}"
        with year.app.desk.session() as session:
            amount = queries.stage(session, account.id, stage).amount_minor
        why = "The money came after the note went back"
        held = year.app.entrusted.prepare_dispute(account.id, stage, account.financier.address, amount, why)
        year.relay([(f"year:late:{key}", self._call(held, account.financier))])
        agreed = year.app.settling.prepare_resolve(account.id, stage, 0, amount, "Paid back to the financier")
        year.relay([(f"year:back:{key}", self._call(agreed, account.financier, account.seller))])

    def _sign_release(self, account: Locked, task: Task) -> list[tuple[str, Call]]:
        year, acts = self._year, []
        tag = f"{account.id}:{task.stage}:{task.up_to_minor}"
        for who, step in zip(year.cast.attestors, ("receiving", "inspecting"), strict=True):
            event = logistics_event(
                f"PO-{tag}", step, year.clock.now(), quantity=1, goods="steel", despatch=f"DN-{tag}"
            )
            paper = year.keep_paper(event.raw, "logistics event")
            prepared = year.app.entrusted.prepare_attest(account.id, task.stage, who.address, task.up_to_minor, paper)
            acts.append((f"year:attest:{tag}:{who.name}", self._call(prepared, who)))
        for who in year.cast.approvers:
            prepared = year.app.entrusted.prepare_approve(
                account.id, task.stage, who.address, task.up_to_minor, "evidence seen"
            )
            acts.append((f"year:approve:{tag}:{who.name}", self._call(prepared, who)))
        return acts

    def _call(self, prepared: Prepared, *signers: Actor) -> Call:
        signatures = [self._year.sign(prepared, who) for who in signers]
        return ACTS[prepared.act].call(self._year.app.contracts, prepared.message, signatures)

    def _plan(self, payee: Actor, amount: int, days: int) -> StagePlan:
        return StagePlan(
            payee=payee.address,
            payee_account=payee.account,
            amount_minor=amount,
            title_en=f"{days} days",
            title_zh=f"{days} 天",
            needs=("arrival", "inspection"),
            deadline=self._year.clock.now() + days * 86_400,
        )

    def _plan_tasks(self, account: Locked, first: int) -> None:
        year = self._year
        day = year.start + timedelta(days=(year.clock.now() - to_unix(year.start)) // 86_400)
        second = account.amount_minor - first
        account.tasks.append(Task(day + timedelta(days=year.random.randint(3, 15)), 0, "release", first))
        later = day + timedelta(days=year.random.randint(16, 30))
        fate = year.random.random()
        if fate < 0.6:
            account.tasks.append(Task(later, 1, "release", second))
        else:
            if fate < 0.85:
                account.tasks.append(Task(later, 1, "release", second // 2))
            account.tasks.append(Task(day + timedelta(days=61), 1, "refund"))
