"""Killed at any moment, the bank and the platform go on from where they were: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import time as wall_time
from pathlib import Path

import pytest
from sqlmodel import select
from tests.bank.town import HOLDERS, MONDAY, PAYEE, PAYER, Town, start_bank

from scf.bank import service
from scf.bank.gateway import SimulatedGateway
from scf.bank.models import BankInstruction, BankLine
from scf.kernel.clock import VirtualClock
from scf.kernel.dates import to_unix
from scf.store.engine import open_engine
from scf.store.session import create_schema

PAYMENTS = 40


def open_town(folder: Path) -> Town:
    """The same town every time; its clock starts where the payments made so far have brought it."""
    clock = VirtualClock(to_unix(MONDAY, wall_time(10)))
    engine = open_engine(f"sqlite:///{folder}/platform.db")
    create_schema(engine)
    bank = start_bank(clock, open_engine(f"sqlite:///{folder}/bank.db"))
    town = Town(clock, bank, engine, SimulatedGateway(bank))
    town.mirror(*HOLDERS)
    return town


def run_payments(folder: Path) -> None:
    """Make all payments, each an instruction and an exchange, every fifth on a new day."""
    town = open_town(folder)
    town.bank.deposit(PAYER, 1_000_000, reference="opening")
    for number in range(PAYMENTS):
        town.pay(f"p{number}", 100 + number, now=0)
        town.exchange()
        print(number, flush=True)
    town.settle()
    print("done", flush=True)


def killed_after(folder: Path, lines: int, delay: float) -> int:
    """Run the payments in a process of their own and kill it after some output; returns how many it told of."""
    child = subprocess.Popen(
        [sys.executable, "-c", f"from tests.bank.test_crash import *; run_payments(Path({str(folder)!r}))"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": "src:."},
    )
    assert child.stdout is not None
    told = 0
    while told < lines and child.stdout.readline().strip() not in ("done", ""):
        told += 1
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    return told


def check(folder: Path) -> None:
    town = open_town(folder)
    expected = sum(100 + number for number in range(PAYMENTS))
    assert town.bank.faults() == []
    assert town.bank.balance_minor(PAYEE) == expected
    assert town.bank.balance_minor(PAYER) == 1_000_000 - expected
    with town.session() as session:
        rows = session.exec(select(BankInstruction)).all()
        assert len(rows) == PAYMENTS
        assert {row.state for row in rows} == {"executed"}
        debits = session.exec(select(BankLine).where(BankLine.account == PAYER, BankLine.amount_minor < 0)).all()
        assert sorted(-line.amount_minor for line in debits) == [100 + number for number in range(PAYMENTS)]
        for number in HOLDERS:
            assert service.booked_minor(session, number) == town.bank.balance_minor(number)
    town.clock.advance(days=1)
    town.settle()
    with town.session() as session:
        for number in (PAYER, PAYEE):
            assert service.prove_balance(session, number).closing_minor == town.bank.balance_minor(number)


@pytest.mark.parametrize("seed", [1])
def test_kill_nine_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    assert min(killed_after(tmp_path, dice.randint(2, 15), dice.random() * 0.05) for _ in range(3)) >= 2
    run_payments(tmp_path)
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 10))
def test_kill_nine_at_many_moments(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(10):
        killed_after(tmp_path, dice.randint(0, 30), dice.random() * 0.1)
    run_payments(tmp_path)
    check(tmp_path)
