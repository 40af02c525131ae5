"""The bank's part in the demonstration: payments go out as pain.001, come back as camt lines, and only then count."""

from __future__ import annotations

from dataclasses import dataclass

from scf.bank import service as bank
from scf.bank.gateway import SimulatedGateway
from scf.bank.simulator import SimulatedBank, account_number_of
from scf.demo.cast import CORE, FARHILL, FIRMS, HARBOUR, firm
from scf.demo.play import Play
from scf.jobs.banks import REPAYMENT
from scf.kernel.clock import today
from scf.kernel.dates import next_day, to_unix
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.parties.models import Seat
from scf.receivables import queries
from scf.store.engine import open_engine

BIC = "CIVBCNBJXXX"
CNY = "CNY"
WORKING_CAPITAL = {CORE: 3_000_000_00, HARBOUR: 5_000_000_00, FARHILL: 2_000_000_00}
LONGEST_HOLIDAY_DAYS = 14


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment that is proved: its end-to-end id, and the bank's reference of the line on the payee's side."""

    end_to_end_id: str
    reference: str


class BankSide:
    """A simulated bank with the cast's accounts, spoken to in files only."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.app = play.app
        self.simulator = SimulatedBank(
            open_engine(f"sqlite:///{self.app.settings.data / 'bank.db'}"), play.clock, bic=BIC
        )
        self.gateway = SimulatedGateway(self.simulator)
        self.locked_account = account_number_of("entrusted account 1")
        self.repayment_account = account_number_of("repayment account")

    def open_accounts(self) -> None:
        """Open every firm's account, the repayment account and the account to be locked; again changes nothing."""
        self.app.set_fact("demo:bank", BIC)  # a serving installation goes on speaking with this bank
        if all(one.bank != BIC for one in self.app.gateways):
            self.app.gateways.append(self.gateway)
        named = [(row.account, row.name) for row in FIRMS if row.account]
        named += [(self.repayment_account, "Repayment account"), (self.locked_account, "Entrusted account 1")]
        for number, holder in named:
            # What it took back after holders were paid, the bank carries until the obligor makes it good.
            carries = WORKING_CAPITAL[CORE] if number == self.repayment_account else 0
            self.simulator.open_account(number, holder, CNY, overdraft_minor=carries)
            with self.app.desk.session() as session:
                bank.open_account(
                    session,
                    number=number,
                    bank=BIC,
                    currency=CNY,
                    holder=holder,
                    now=self.play.clock.now(),
                    purpose=REPAYMENT if number == self.repayment_account else "current",
                )
        for code, amount in WORKING_CAPITAL.items():
            self.simulator.deposit(firm(code).account, amount, reference=f"opening-{code}")
        self.catch_up()

    def catch_up(self) -> None:
        """Take in whatever the bank has to say up to now: the statements of the days that are over."""
        self.app.documents.exchange(self.gateway)

    def fund(self, account: int, net_minor: int) -> str:
        """The financier pays into the account and the bank locks it; returns the bank's reference of the credit."""
        lock = f"EA{account}"
        payees = [row.account for row in FIRMS if row.account]
        self.simulator.lock_account(self.locked_account, lock, payees)
        with self.app.desk.session() as session:
            bank.lock_account(session, self.locked_account, lock, now=self.play.clock.now())
        return self._pay(f"FUND{account}", firm(HARBOUR).account, self.locked_account, net_minor).reference

    def release(self, account: int, stage: int, pays_for: str) -> None:
        """Pay out what the stage allows, then confirm it on the ledger with the bank's own line."""
        amount, order, payee = self.play.once(f"release-{account}-{stage}", lambda: self._order(account, stage))
        paid = self._pay(str(order), self.locked_account, str(payee), int(amount), lock=f"EA{account}", order=pays_for)
        self.play.entrusted_act(
            f"released-{account}-{stage}",
            lambda: self.app.entrusted.prepare_confirm_released(
                account, stage, int(amount), paid.end_to_end_id, paid.reference
            ),
        )

    def refund(self, account: int, stage: int) -> int:
        """Pay the refundable rest back to the financier, then confirm it; returns the amount in minor units."""
        amount, order = self.play.once(f"refund-{account}-{stage}", lambda: self._refund_order(account, stage))
        paid = self._pay(str(order), self.locked_account, firm(HARBOUR).account, int(amount), lock=f"EA{account}")
        self.play.entrusted_act(
            f"refunded-{account}-{stage}",
            lambda: self.app.entrusted.prepare_confirm_refunded(
                account, stage, int(amount), paid.end_to_end_id, paid.reference
            ),
        )
        return int(amount)

    def collect(self, receivable_id: int, amount_minor: int, pays_for: str) -> str:
        """The core enterprise pays what it owes; returns the bank's reference of the credit."""
        paid = self._pay(
            f"DUE{receivable_id}",
            firm(CORE).account,
            self.repayment_account,
            amount_minor,
            order=pays_for,
            by_note=True,
        )
        return paid.reference

    def pay_holders(self, receivable_id: int) -> None:
        """Hand the collected money to the holders, one payment a settlement."""
        with self.app.desk.session() as session:
            rows = queries.settlements_of(session, receivable_id)
            accounts = {row.payee: self._account_of(session.get(Seat, row.payee)) for row in rows}
        for row in rows:
            tag = keccak(row.note_id.encode()).hex()[:12].upper()
            self._pay(
                f"ST{receivable_id}R{row.round}{tag}", self.repayment_account, accounts[row.payee], row.principal_minor
            )

    def _account_of(self, seat: Seat | None) -> str:
        if seat is None:
            raise Problem("unknown_participant", who="-")
        return FIRMS[seat.organisation_id - 1].account

    def _order(self, account: int, stage: int) -> tuple[int, str, str]:
        with self.app.desk.session() as session:
            amount, order, payee = self.app.entrusted.payment_order(session, account, stage)
            return amount, order, payee.account

    def _refund_order(self, account: int, stage: int) -> tuple[int, str]:
        with self.app.desk.session() as session:
            return self.app.entrusted.refund_order(session, account, stage)

    def _pay(
        self,
        end_to_end_id: str,
        debtor: str,
        creditor: str,
        amount_minor: int,
        *,
        lock: str | None = None,
        order: str | None = None,
        by_note: bool = False,
    ) -> Paid:
        """Instruct a payment and wait, day by day over weekends and holidays, until the bank's line proves it."""
        with self.app.desk.session() as session:
            written = bank.instruct_payment(
                session,
                end_to_end_id=end_to_end_id,
                debtor_account=debtor,
                creditor_account=creditor,
                creditor=bank.account(session, creditor).holder,
                amount_minor=amount_minor,
                currency=CNY,
                execute_on=today(self.play.clock),
                now=self.play.clock.now(),
                release_reference=lock,
            )
            if order is not None:
                self.app.documents.tie_payment(session, written, order, by_note=by_note)
        for _ in range(LONGEST_HOLIDAY_DAYS):
            self.app.documents.exchange(self.gateway)
            with self.app.desk.session() as session:
                found = [row for row in bank.lines(session, creditor) if row.end_to_end_id == end_to_end_id]
                if bank.line_of(session, end_to_end_id) is not None and found and found[0].bank_reference:
                    return Paid(end_to_end_id, found[0].bank_reference)
            self.play.clock.move_to(to_unix(next_day(today(self.play.clock))) + 10 * 3600)
        raise Problem("demo_payment_not_executed", payment=end_to_end_id)
