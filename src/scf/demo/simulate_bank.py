"""The bank of a simulated year: payments go out as files, come back as lines, and what failed is made anew."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from sqlmodel import Session, col, select

from scf.app import App
from scf.bank import service as bank
from scf.bank.balances import prove_balance
from scf.bank.chaos import Chaos
from scf.bank.gateway import BankFile, SimulatedGateway
from scf.bank.models import BankInstruction, BankLine, BankStatement, InstructionState
from scf.bank.simulator import SimulatedBank, account_number_of
from scf.demo.simulate_cast import CURRENCY, Actor, YearCast
from scf.kernel.clock import VirtualClock, today
from scf.kernel.dates import BEIJING, from_unix
from scf.kernel.problems import Problem
from scf.standards import pain
from scf.standards.bank_records import PaymentInstruction
from scf.standards.records import Party
from scf.store.engine import open_engine

BIC = "YEARCNBJXXX"
OWN_WORDS = "OWN"
"""Message ids of orders an obligor sends from its own system begin with this."""
QUIET_DAYS = 4
"""A payment to another bank that is older than this does not come back any more."""
_CHASED = re.compile(r"DUE\d+-(?!MG)")
"""What an obligor owes is paid anew by its own plan, under a new name."""
_OPEN = (InstructionState.WRITTEN, InstructionState.SENT, InstructionState.ACCEPTED)


def chaos_of(seed: int) -> Chaos:
    """The troubles of a bad year: each kind strikes often enough to be met, and none so often that no work is done."""
    return Chaos(
        seed,
        reject_ppm=30_000,
        delay_ppm=60_000,
        duplicate_ppm=200_000,
        reissue_ppm=100_000,
        bounce_ppm=80_000,
        stall_ppm=15_000,
    )


class YearBank:
    """One simulated bank that keeps every account of the year, or all but those at other banks."""

    def __init__(self, app: App, clock: VirtualClock, cast: YearCast, chaos: Chaos | None = None) -> None:
        self._app = app
        self._clock = clock
        self._cast = cast
        self.is_chaotic = chaos is not None
        engine = open_engine(f"sqlite:///{app.settings.data / 'bank.db'}")
        self.simulator = SimulatedBank(engine, clock, bic=BIC, chaos=chaos)
        self._gateway = _Mailbox(self.simulator)
        self.repayment = account_number_of("year repayment")
        self._payees: dict[str, tuple[str, str | None]] = {self.repayment: ("Repayment account", None)}
        self._closings: dict[str, int] = {}
        self._read_statements = 0

    def open(self, capital_minor: int) -> None:
        """Open all accounts and give cores and financiers their means."""
        self._payees |= {one.account: (one.name, one.elsewhere) for one in self._cast.everybody}
        here = [one for one in self._cast.everybody if one.elsewhere is None]
        # The bank carries a credit it took back after holders were paid, until its obligor makes it good.
        self.simulator.open_account(self.repayment, "Repayment account", CURRENCY, overdraft_minor=capital_minor)
        self.simulator.open_accounts([(one.account, one.name, CURRENCY) for one in here])
        with self._app.desk.session() as session:
            for number, name in [*((one.account, one.name) for one in here), (self.repayment, "Repayment account")]:
                self._mirror(session, number, name)
        for one in (*self._cast.cores, *self._cast.financiers):
            self.simulator.deposit(one.account, capital_minor, reference=f"capital {one.name}")
        self.exchange()

    def open_locked(self, account_id: int, number: str, payees: Iterable[str]) -> None:
        """Open an account that pays only under its release reference and only to these payees."""
        self._payees[number] = (f"Entrusted {account_id}", None)
        self.simulator.open_account(number, f"Entrusted {account_id}", CURRENCY)
        self.simulator.lock_account(number, f"EA{account_id}", list(payees))
        with self._app.desk.session() as session:
            self._mirror(session, number, f"Entrusted {account_id}")
            bank.lock_account(session, number, f"EA{account_id}", now=self._clock.now())

    # Payments --------------------------------------------------------------------------------------------------------

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
        name, agent = self._payees[creditor]
        bank.instruct_payment(
            session,
            end_to_end_id=end_to_end_id,
            debtor_account=debtor,
            creditor_account=creditor,
            creditor=name,
            creditor_agent=agent,
            amount_minor=amount_minor,
            currency=CURRENCY,
            execute_on=today(self._clock),
            now=self._clock.now(),
            release_reference=lock,
        )

    def pay_directly(self, end_to_end_id: str, payer: Actor, creditor: str, amount_minor: int) -> None:
        """A firm orders the bank from its own system; the installation learns of it from the line, if at all."""
        order = PaymentInstruction(
            end_to_end_id=end_to_end_id,
            amount_minor=amount_minor,
            currency=CURRENCY,
            execute_on=today(self._clock),
            debtor=Party(payer.name, account=payer.account),
            creditor=Party(self._payees[creditor][0], account=creditor),
        )
        name = f"{OWN_WORDS}{end_to_end_id}"
        self.simulator.receive(
            pain.write_001(name, from_unix(self._clock.now()).astimezone(BEIJING), payer.name, [order])
        )

    def mend(self, besides: Collection[str]) -> tuple[int, int]:
        """Make anew what the bank refused or brought back, but `besides`; returns how many of each there were."""
        refused = back = 0
        with self._app.desk.session() as session:
            for row in bank.failed_payments(session):
                if row.end_to_end_id in besides or _CHASED.match(row.end_to_end_id):
                    continue
                refused += row.state == InstructionState.REJECTED
                back += row.state == InstructionState.RETURNED
                now = self._clock.now()
                bank.pay_again(session, row.end_to_end_id, execute_on=today(self._clock), now=now)
        return refused, back

    def standing(self, session: Session, end_to_end_id: str) -> BankInstruction | None:
        """The newest attempt of a payment, also where it failed and none replaces it."""
        row = session.get(BankInstruction, end_to_end_id)
        while row is not None:
            name = bank.attempt_name(session, row.end_to_end_id)
            later = None if name == row.end_to_end_id else session.get(BankInstruction, name)
            if later is None:
                return row
            row = later
        return None

    def is_quiet(self) -> bool:
        """Whether no payment is under way, and none so young that another bank may still bring it back."""
        since = today(self._clock) - timedelta(days=QUIET_DAYS if self.is_chaotic else 0)
        with self._app.desk.session() as session:
            is_open = col(BankInstruction.state).in_(_OPEN)
            young = col(BankInstruction.executed_on) > since
            if session.exec(select(BankInstruction.end_to_end_id).where(is_open | young)).first() is not None:
                return False
            failed = [row for row in bank.failed_payments(session) if row.state == InstructionState.RETURNED]
        return not failed

    def exchange(self) -> None:
        """Files out, files in, until nothing new comes. Raises Problem `simulation_file_refused`."""
        for _ in range(4):
            said = bank.exchange(self._app.desk.engine, self._gateway, self._clock)
            if said.refused:
                raise Problem("simulation_file_refused", reason=said.refused[0])
            if not said.files:
                return

    def arrived(self, session: Session, creditors: Mapping[str, str]) -> dict[str, BankLine]:
        """The line that proves each payment that stands, by the name it was first given.

        At this bank that is the payee's credit; for an account at another bank, the payer's debit.
        """
        found: dict[str, BankLine] = {}
        for first, creditor in creditors.items():
            row = self.standing(session, first)
            if row is None or row.state != InstructionState.EXECUTED:
                continue
            is_here = self._payees[creditor][1] is None
            account = creditor if is_here else row.debtor_account
            query = select(BankLine).where(BankLine.end_to_end_id == row.end_to_end_id, BankLine.account == account)
            sign = col(BankLine.amount_minor) > 0 if is_here else col(BankLine.amount_minor) < 0
            line = session.exec(query.where(sign, ~col(BankLine.is_superseded))).first()
            if line is not None:
                found[first] = line
        return found

    def credits(self, session: Session, names: Collection[str], account: str) -> dict[str, BankLine]:
        """Credits on an account by end-to-end id, whoever ordered them."""
        listed = list(names)
        found: dict[str, BankLine] = {}
        for start in range(0, len(listed), 400):
            query = select(BankLine).where(
                col(BankLine.end_to_end_id).in_(listed[start : start + 400]),
                BankLine.account == account,
                col(BankLine.amount_minor) > 0,
                ~col(BankLine.is_superseded),
            )
            found |= {row.end_to_end_id: row for row in session.exec(query) if row.end_to_end_id}
        return found

    # What the statements say -----------------------------------------------------------------------------------------

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
        except Problem as problem:
            return problem.code == "bank_balance_unknown"  # nothing ever moved on it
        return True

    def gone_elsewhere_minor(self, capital_minor: int) -> int:
        """What left for other banks and did not come back, after what came from outside."""
        return self.simulator.balance_minor(f"{BIC}-{CURRENCY}") + capital_minor

    def _mirror(self, session: Session, number: str, name: str) -> None:
        bank.open_account(session, number=number, bank=BIC, currency=CURRENCY, holder=name, now=self._clock.now())


class _Mailbox(SimulatedGateway):
    """The installation's mailbox: the bank's answers to orders of a firm's own system go to that system."""

    def __init__(self, simulator: SimulatedBank) -> None:
        super().__init__(simulator)
        self._mark = f">{OWN_WORDS}".encode()

    def collect(self) -> list[BankFile]:
        """Take what is ours."""
        ours = []
        for file in super().collect():
            if file.name.startswith("pain.002") and self._mark in file.raw:
                self.acknowledge(file)
            else:
                ours.append(file)
        return ours
