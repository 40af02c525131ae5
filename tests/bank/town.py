"""A platform and a simulated bank side by side, each with a database of its own, on one virtual clock."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine
from sqlmodel import Session

from scf.bank import service
from scf.bank.gateway import SimulatedGateway
from scf.bank.service import Collected
from scf.bank.simulator import SimulatedBank, account_number_of
from scf.kernel.clock import VirtualClock
from scf.standards import pain
from scf.standards.bank_records import PaymentInstruction
from scf.standards.records import Party
from scf.store.engine import open_engine
from scf.store.session import transaction

MONDAY = date(2026, 3, 2)
PAYER, PAYEE, LOCKED = (account_number_of(name) for name in ("payer", "payee", "locked"))


@dataclass
class Town:
    """One bank, one platform, and the way between them."""

    clock: VirtualClock
    bank: SimulatedBank
    engine: Engine
    gateway: SimulatedGateway

    def session(self) -> AbstractContextManager[Session]:
        return transaction(self.engine)

    def mirror(self, *numbers: str) -> None:
        with transaction(self.engine) as session:
            for number in numbers:
                service.open_account(
                    session,
                    number=number,
                    bank=self.bank.bic,
                    currency="CNY",
                    holder=HOLDERS[number],
                    now=self.clock.now(),
                )

    def pay(self, key: str, amount_minor: int, **changes: object) -> str:
        name = service.payment_reference(key)
        values: dict[str, object] = {
            "end_to_end_id": name,
            "debtor_account": PAYER,
            "creditor_account": PAYEE,
            "creditor": HOLDERS[PAYEE],
            "amount_minor": amount_minor,
            "currency": "CNY",
            "execute_on": MONDAY,
            "now": self.clock.now(),
        }
        with transaction(self.engine) as session:
            service.instruct_payment(session, **(values | changes))  # type: ignore[arg-type]
        return name

    def exchange(self) -> Collected:
        return service.exchange(self.engine, self.gateway, self.clock)

    def settle(self) -> None:
        """Exchange until the bank has nothing more to say."""
        while self.exchange().files:
            pass

    def state(self, name: str) -> str:
        with transaction(self.engine) as session:
            return service.payment(session, name).state


HOLDERS = {PAYER: "核心企业甲", PAYEE: "供应商乙", LOCKED: "受托支付专户"}


def start_bank(clock: VirtualClock, engine: Engine | None = None, **options: object) -> SimulatedBank:
    bank = SimulatedBank(engine or open_engine("sqlite://"), clock, **options)  # type: ignore[arg-type]
    for number, holder in HOLDERS.items():
        bank.open_account(number, holder, "CNY")
    return bank


def order(message_id: str, *items: PaymentInstruction) -> bytes:
    return pain.write_001(message_id, datetime(2026, 3, 2, 10), "platform", items)


def transfer(name: str, amount_minor: int, **changes: object) -> PaymentInstruction:
    values: dict[str, object] = {
        "end_to_end_id": name,
        "amount_minor": amount_minor,
        "currency": "CNY",
        "execute_on": MONDAY,
        "debtor": Party(HOLDERS[PAYER], account=PAYER),
        "creditor": Party(HOLDERS[PAYEE], account=PAYEE),
    }
    return PaymentInstruction(**(values | changes))  # type: ignore[arg-type]
