"""What every bank adapter has to do, whatever stands behind it: the same tests for each way to a bank.

To try another adapter, write a function that takes a town (its simulated bank and clock) and returns the gateway and a
`step` that lets the other side work, and add it to `ADAPTERS`. The tests know files and bank lines, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from tests.bank.town import MONDAY, PAYER, Town, order, transfer

from scf.bank import service
from scf.bank.chaos import Chaos
from scf.bank.gateway import FolderBank, FolderGateway, Gateway, SimulatedGateway
from scf.bank.models import BankInstruction, BankLine, BankOrder
from scf.bank.simulator import SimulatedBank

ELSEWHERE = {"creditor_account": "9558801234567890", "creditor_agent": "OTHRCNBJXXX"}


@dataclass(frozen=True, slots=True)
class Adapter:
    """A way to a bank, and how to let the bank's own side do its work."""

    gateway: Gateway
    step: Callable[[], object]


def in_process(bank: SimulatedBank, folder: Path) -> Adapter:
    return Adapter(SimulatedGateway(bank), lambda: None)


def by_folders(bank: SimulatedBank, folder: Path) -> Adapter:
    other_end = FolderBank(bank, folder / "out", folder / "in")
    return Adapter(FolderGateway(bank.bic, folder / "out", folder / "in"), other_end.work)


ADAPTERS = {"in process": in_process, "drop folders": by_folders}


class Counter:
    """The customer's side: instruct, exchange, look at lines and states."""

    def __init__(self, town: Town, adapter: Adapter) -> None:
        self.town, self.adapter = town, adapter

    def exchange(self, rounds: int = 2) -> list[str]:
        refused: list[str] = []
        for _ in range(rounds):
            service.send_payments(self.town.engine, self.adapter.gateway, self.town.clock)
            self.adapter.step()
            refused += service.collect(self.town.engine, self.adapter.gateway, self.town.clock).refused
        return refused

    def state(self, name: str) -> BankInstruction:
        with self.town.session() as session:
            return service.payment(session, name)

    def debits(self, name: str) -> list[int]:
        with self.town.session() as session:
            query = select(BankLine).where(BankLine.end_to_end_id == name, BankLine.account == PAYER)
            return [line.amount_minor for line in session.exec(query) if line.amount_minor < 0]


@pytest.fixture(params=sorted(ADAPTERS))
def opened(request: pytest.FixtureRequest, make_town: Callable[..., Town], tmp_path: Path) -> Callable[..., Counter]:
    """Open a bank with these options, and the way to it."""

    def make(**options: object) -> Counter:
        town = make_town(**options)
        town.bank.deposit(PAYER, 1_000_000, reference="opening")
        return Counter(town, ADAPTERS[request.param](town.bank, tmp_path / "files"))

    return make


@pytest.fixture
def counter(opened: Callable[..., Counter]) -> Counter:
    return opened()


def test_a_payment_in_time_is_executed_on_its_day_and_proved_by_a_line(counter: Counter) -> None:
    name = counter.town.pay("P1", 12_345)
    assert counter.exchange() == []
    row = counter.state(name)
    assert (row.state, row.executed_on) == ("executed", MONDAY) and row.bank_reference
    assert counter.debits(name) == [-12_345]


def test_after_the_cut_off_it_is_the_next_business_day(counter: Counter) -> None:
    counter.town.clock.advance(hours=9)
    name = counter.town.pay("P1", 100)
    counter.exchange()
    assert counter.state(name).state == "accepted", "accepted is not executed"
    counter.town.clock.advance(days=1)
    counter.exchange()
    assert counter.state(name).executed_on == MONDAY + timedelta(days=1)


def test_over_a_weekend_it_waits_for_monday(counter: Counter) -> None:
    saturday = MONDAY + timedelta(days=5)
    name = counter.town.pay("P1", 100, execute_on=saturday)
    counter.exchange()
    counter.town.clock.advance(days=8)
    counter.exchange()
    assert counter.state(name).executed_on == MONDAY + timedelta(days=7)


def test_a_refusal_names_its_reason_moves_nothing_and_may_be_made_anew(counter: Counter) -> None:
    name = counter.town.pay("P1", 5_000_000)
    counter.exchange()
    row = counter.state(name)
    assert (row.state, row.reason_code) == ("rejected", "AM04") and row.reason
    assert counter.debits(name) == []
    counter.town.bank.deposit(PAYER, 5_000_000, reference="more")
    now = counter.town.clock.now()
    with counter.town.session() as session:
        assert [one.end_to_end_id for one in service.failed_payments(session)] == [name]
        again = service.pay_again(session, name, execute_on=MONDAY, now=now).end_to_end_id
        assert service.pay_again(session, name, execute_on=MONDAY, now=now).end_to_end_id == again, "once"
    assert again == f"{name}.R2"
    counter.exchange()
    assert (counter.state(again).state, counter.debits(again)) == ("executed", [-5_000_000])
    with counter.town.session() as session:
        assert service.failed_payments(session) == []


def test_money_another_bank_sends_back_is_returned_with_its_reason(counter: Counter) -> None:
    name = counter.town.pay("P1", 777, **ELSEWHERE)
    counter.exchange()
    reference = counter.state(name).bank_reference or ""
    counter.town.bank.return_payment(reference, "AC04")
    counter.exchange()
    row = counter.state(name)
    assert (row.state, row.reason_code) == ("returned", "AC04")
    assert counter.town.bank.balance_minor(PAYER) == 1_000_000


def test_the_same_order_handed_over_twice_is_executed_once(counter: Counter) -> None:
    name = counter.town.pay("P1", 900)
    counter.exchange()
    with counter.town.session() as session:
        for sent in session.exec(select(BankOrder)):
            sent.sent_at = None  # as after a crash before it was noted
            session.add(sent)
    counter.exchange()
    assert (counter.state(name).state, counter.debits(name)) == ("executed", [-900])
    assert counter.town.bank.balance_minor(PAYER) == 1_000_000 - 900


def test_files_and_statements_that_come_twice_and_in_any_order_count_once(opened: Callable[..., Counter]) -> None:
    twice = Chaos(3, reject_ppm=0, delay_ppm=0, hold_back_ppm=0, duplicate_ppm=1_000_000, reissue_ppm=1_000_000)
    counter = opened(chaos=twice)
    names = [counter.town.pay(f"P{number}", 100 + number) for number in range(5)]
    for _ in range(4):
        counter.exchange()
        counter.town.clock.advance(days=1)
    assert counter.exchange() == []
    for number, name in enumerate(names):
        assert (counter.state(name).state, counter.debits(name)) == ("executed", [-100 - number])
    with counter.town.session() as session:
        proof = service.prove_balance(session, PAYER)
    assert proof.closing_minor + proof.later_minor == counter.town.bank.balance_minor(PAYER)


def test_a_payment_that_arrives_before_its_instruction_is_never_sent(counter: Counter) -> None:
    town = counter.town
    town.bank.receive(order("FROM-ELSEWHERE", transfer("P1", 4_242)))
    counter.exchange()
    with town.session() as session:
        assert [row.problem for row in service.refused_files(session)] == ["bank_status_unknown_order"]
    assert counter.debits("P1") == [-4_242], "the line is there, nobody here has ordered it"
    town.pay("P1", 4_242, end_to_end_id="P1")
    assert counter.state("P1").state == "executed"
    counter.exchange()
    assert counter.debits("P1") == [-4_242]
    assert town.bank.balance_minor(PAYER) == 1_000_000 - 4_242


def test_a_collected_file_comes_again_until_it_is_acknowledged(counter: Counter) -> None:
    counter.town.pay("P1", 100)
    service.send_payments(counter.town.engine, counter.adapter.gateway, counter.town.clock)
    counter.adapter.step()
    gateway = counter.adapter.gateway
    first = {file.name for file in gateway.collect()}
    assert first and {file.name for file in gateway.collect()} == first
    for file in gateway.collect():
        gateway.acknowledge(file)
        gateway.acknowledge(file)
    assert gateway.collect() == []
