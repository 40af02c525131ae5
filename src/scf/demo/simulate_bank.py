"""The bank of a simulated year: payments go out as files, come back as lines, and locked accounts are proved daily."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, col, select

from scf.app import App
from scf.bank import service as bank
from scf.bank.balances import prove_balance
from scf.bank.gateway import SimulatedGateway
from scf.bank.models import BankLine, BankStatement
from scf.bank.simulator import SimulatedBank, account_number_of
from scf.demo.simulate_cast import CURRENCY, YearCast
from scf.kernel.clock import VirtualClock, today
from scf.kernel.problems import Problem
from scf.store.engine import open_engine

BIC = "YEARCNBJXXX"


class YearBank:
    """One simulated bank that keeps every account of the year."""

    def __init__(self, app: App, clock: VirtualClock, cast: YearCast) -> None:
        self._app = app
        self._clock = clock
        self._cast = cast
        self.simulator = SimulatedBank(open_engine(f"sqlite:///{app.settings.data / 'bank.db'}"), clock, bic=BIC)
        self._gateway = SimulatedGateway(self.simulator)
        self.repayment = account_number_of("year repayment")
        self._closings: dict[str, int] = {}
        self._read_statements = 0

    def open(self, capital_minor: int) -> None:
        """Open all accounts and give cores and financiers their means."""
        named = [(one.account, one.name) for one in self._cast.everybody] + [(self.repayment, "Repayment account")]
        # The bank carries a credit it took back after holders were paid, until its obligor makes it good.
        self.simulator.open_account(self.repayment, "Repayment account", CURRENCY, overdraft_minor=capital_minor)
        self.simulator.open_accounts([(number, name, CURRENCY) for number, name in named[:-1]])
        with self._app.desk.session() as session:
            for number, name in named:
                self._mirror(session, number, name)
        for one in (*self._cast.cores, *self._cast.financiers):
            self.simulator.deposit(one.account, capital_minor, reference=f"capital {one.name}")
        self.exchange()

    def open_locked(self, account_id: int, number: str, payees: Iterable[str]) -> None:
        """Open an account that pays only under its release reference and only to these payees."""
        self.simulator.open_account(number, f"Entrusted {account_id}", CURRENCY)
        self.simulator.lock_account(number, f"EA{account_id}", list(payees))
        with self._app.desk.session() as session:
            self._mirror(session, number, f"Entrusted {account_id}")
            bank.lock_account(session, number, f"EA{account_id}", now=self._clock.now())

    def pay(
        self,
        session: Session,
        end_to_end_id: str,
        debtor: str,
        creditor: str,
        amount_minor: int,
        lock: str | None = None,
    ) -> None:
        """Write one payment; it goes out with the next exchange."""
        bank.instruct_payment(
            session,
            end_to_end_id=end_to_end_id,
            debtor_account=debtor,
            creditor_account=creditor,
            creditor=bank.account(session, creditor).holder,
            amount_minor=amount_minor,
            currency=CURRENCY,
            execute_on=today(self._clock),
            now=self._clock.now(),
            release_reference=lock,
        )

    def exchange(self) -> None:
        """Files out, files in, until nothing new comes. Raises Problem `simulation_file_refused`."""
        for _ in range(4):
            said = bank.exchange(self._app.desk.engine, self._gateway, self._clock)
            if said.refused:
                raise Problem("simulation_file_refused", reason=said.refused[0])
            if not said.files:
                return

    def credits(self, session: Session, creditors: dict[str, str]) -> dict[str, BankLine]:
        """Credit lines by end-to-end id, for payments to the accounts in `creditors` that arrived."""
        names = list(creditors)
        found: dict[str, BankLine] = {}
        for start in range(0, len(names), 400):
            rows = session.exec(
                select(BankLine).where(
                    col(BankLine.end_to_end_id).in_(names[start : start + 400]),
                    col(BankLine.amount_minor) > 0,
                    ~col(BankLine.is_superseded),
                )
            )
            found |= {
                row.end_to_end_id: row
                for row in rows
                if row.end_to_end_id and creditors[row.end_to_end_id] == row.account
            }
        return found

    def closing_minor(self, session: Session, account: str) -> int | None:
        """What the bank's newest statement says is on an account; None before its first one.

        A statement comes for each day with a movement; on the days between, its closing balance stands.
        """
        rows = session.exec(
            select(BankStatement).where(col(BankStatement.id) > self._read_statements).order_by(col(BankStatement.id))
        )
        for row in rows:
            self._closings[row.account] = row.closing_minor
            self._read_statements = max(self._read_statements, row.id or 0)
        return self._closings.get(account)

    def proved(self, session: Session, account: str) -> bool:
        """Whether all lines of an account add up from statement to statement."""
        try:
            prove_balance(session, account)
        except Problem:
            return False
        return True

    def _mirror(self, session: Session, number: str, name: str) -> None:
        bank.open_account(session, number=number, bank=BIC, currency=CURRENCY, holder=name, now=self._clock.now())
