"""Sales of a simulated year: asked, quoted twice, taken, registered, paid; or lapsed, and the money sent back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from scf.bank import service as bank
from scf.bank.models import InstructionState
from scf.demo.simulate_cast import Actor
from scf.desk.service import Prepared
from scf.financing.price import Fee, Price
from scf.kernel.dates import day_of
from scf.ledger.types import Call
from scf.receivables import queries
from scf.receivables.books import hex32

if TYPE_CHECKING:
    from scf.demo.simulate_year import Holding, Year

SHORTEST_DAYS = 14
"""Notes that mature sooner are not sold: over the longest holidays their money would come after they fall due."""

Terms = tuple[str, Actor, int, Fee, bool]
"""What a quote is asked for: ask, financier, yearly rate in ppm, fee, recourse."""


@dataclass(slots=True)
class Sale:
    """A note part on its way to a financier: what the bank is to pay, what completes it, until when it waits."""

    note_id: str
    quote_hash: str
    registration: str
    net_minor: int
    end_to_end_id: str
    creditor_account: str
    locked_account: int
    seller: Actor
    financier: Actor
    lock_until: int


class Sales:
    """All sales that are under way."""

    def __init__(self, year: Year) -> None:
        self._year = year
        self._open: dict[str, Sale] = {}
        self._given_up: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether money of a sale is still on its way, or on its way back."""
        return bool(self._open)

    @property
    def not_to_be_paid(self) -> set[str]:
        """Names of payments that must not be made any more: their notes went back to the seller."""
        year, names = self._year, set(self._given_up)
        with year.app.desk.session() as session:
            for name, sale in self._open.items():
                if self._is_over(sale):
                    names |= {name, bank.attempt_name(session, name)}
                    row = year.bank.standing(session, name)
                    names |= {row.end_to_end_id} if row else set()
        return names

    def sell(self, day: date) -> None:
        """Holders ask two financiers, and take the better price."""
        year = self._year
        sellable, year.plan.sellable = year.plan.sellable, []
        chosen = [one for one in sellable if year.random.random() < 0.3 and one.obligor not in year.halted]
        wanted = []
        for one in chosen:
            with year.app.desk.session() as session:
                note = queries.note(session, one.note_id)
                row = queries.receivable(session, one.receivable_id)
                days = (day_of(row.maturity) - day).days
                if note.state != "held" or note.amount_minor < 10_000_00 or days < SHORTEST_DAYS:
                    continue
                amount = year.random.choice((note.amount_minor, note.amount_minor // 2))
                invited = year.random.sample(year.cast.financiers, 2)
                ask = year.app.financing.ask(session, one.note_id, amount, [who.address for who in invited]).id
            rates = sorted(year.random.sample(range(35_000, 75_000), 2))
            fee = Fee("handling", invited[0].name, year.random.randint(0, 500_00))
            terms = (ask, invited[0], rates[0], fee, year.random.random() < 0.5)
            _, figures = self._quote(terms, 0)
            locks = year.random.random() < 0.35
            wanted.append((one, terms, invited[1], rates[1], figures.net_minor if locks else 0))
        accounts = year.locked.open([(one.holder, terms[1], net) for one, terms, _, _, net in wanted if net])
        acts: list[tuple[str, Call]] = []
        sales = []
        for one, terms, other, rate, net in wanted:
            account = accounts.pop(0) if net else None
            quote_hash = self._firm(terms, account.id if account else 0)
            self._firm((terms[0], other, rate + 2_000, Fee("handling", other.name, 500_00), False), 0)
            prepared = year.app.financing.prepare_accept_quote(quote_hash)
            call = year.app.financing.accept_call(prepared.message, [year.sign(prepared, one.holder)])
            acts.append((f"year:sell:{quote_hash}", call))
            number = account.number if account else one.holder.account
            sales.append((one, terms[1], quote_hash, number, account.id if account else 0))
        for done, (one, financier, quote_hash, number, locked) in zip(year.relay(acts), sales, strict=True):
            args = done.event("FinancingLocked").args
            self._pay(hex32(args["noteId"]), args["quote"], one, financier, quote_hash, number, locked)

    def _pay(
        self,
        note_id: str,
        quote: dict[str, int],
        one: Holding,
        financier: Actor,
        quote_hash: str,
        number: str,
        locked: int,
    ) -> None:
        year, net = self._year, quote["net"]
        name = f"NET{year.tally.counts['financed']:06d}"
        year.tally.counts["financed"] += 1
        with year.app.desk.session() as session:
            registration = year.app.financing.register(session, note_id)
            year.bank.pay(session, name, financier.account, number, net)
        self._open[name] = Sale(
            note_id, quote_hash, registration, net, name, number, locked, one.holder, financier, quote["lockUntil"]
        )

    def complete(self) -> None:
        """The bank attests what it paid in time; what came too late goes back to the financier."""
        year = self._year
        with year.app.desk.session() as session:
            found = year.bank.arrived(session, {name: sale.creditor_account for name, sale in self._open.items()})
        acts: list[tuple[str, Call]] = []
        for name, line in found.items():
            sale, reference = self._open.pop(name), str(line.bank_reference)
            if sale.locked_account:
                year.locked.arrived(sale.locked_account, reference, is_late=self._is_over(sale))
            if self._is_over(sale):
                self._send_back(sale)
                continue
            year.tally.compare_quote(year.app, sale.quote_hash, sale.note_id, abs(line.amount_minor))
            prepared = year.app.financing.prepare_complete(sale.note_id, sale.registration, reference)
            message = prepared.message
            call = year.app.contracts.receivables.call(
                "completeFinancing",
                *(message[key] for key in ("noteId", "net", "registration", "bankReference", "deadline")),
                year.sign(prepared, year.cast.bank),
            )
            acts.append((f"year:complete:{name}", call))
        year.relay(acts)
        self._drop_lapsed()

    def _drop_lapsed(self) -> None:
        """Give up payments whose notes went back: taken out of the post, or refused by the bank for good."""
        year = self._year
        with year.app.desk.session() as session:
            for name, sale in list(self._open.items()):
                row = year.bank.standing(session, name)
                if row is None or not self._is_over(sale):
                    continue
                if row.state == InstructionState.WRITTEN and row.message_id is None:
                    bank.withdraw_payment(session, row.end_to_end_id, now=year.clock.now())
                if row.state in (InstructionState.WITHDRAWN, InstructionState.REJECTED, InstructionState.RETURNED):
                    self._given_up.add(row.end_to_end_id)
                    if sale.locked_account:
                        year.locked.dropped(sale.locked_account)
                    del self._open[name]
                    year.tally.counts["lapsed_sales"] += 1

    def _send_back(self, sale: Sale) -> None:
        """Money that came after the note went back: the seller pays it back; locked money is refunded by both sides."""
        year = self._year
        year.tally.counts["lapsed_sales"] += 1
        year.tally.counts["sent_back_minor"] += sale.net_minor
        if sale.locked_account:
            return  # see `LockedMoney.arrived`
        name = f"BCK{sale.end_to_end_id}"
        if sale.seller.elsewhere is not None:
            year.bank.simulator.deposit(
                sale.financier.account,
                sale.net_minor,
                reference=name,
                debtor=sale.seller.name,
                debtor_account=sale.seller.account,
                end_to_end_id=name,
            )
            return
        with year.app.desk.session() as session:
            year.bank.pay(session, name, sale.seller.account, sale.financier.account, sale.net_minor)

    def _is_over(self, sale: Sale) -> bool:
        return self._year.clock.now() >= sale.lock_until

    def _quote(self, terms: Terms, account: int) -> tuple[Prepared, Price]:
        ask, financier, rate, fee, recourse = terms
        return self._year.app.financing.prepare_quote(
            ask,
            financier.address,
            rate_ppm=rate,
            paying_bank=self._year.cast.bank.address,
            fees=(fee,),
            recourse=recourse,
            entrusted_account=account,
        )

    def _firm(self, terms: Terms, account: int) -> str:
        prepared, figures = self._quote(terms, account)
        signature = self._year.sign(prepared, terms[1])
        return str(self._year.app.financing.submit_quote(terms[0], prepared.message, [signature], figures).quote_hash)
