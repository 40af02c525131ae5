"""However badly the bank behaves: every payment ends once, every line counts once, both sides agree to the cent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import select
from tests.bank.town import HOLDERS, LOCKED, MONDAY, PAYEE, PAYER, Town

from scf.bank import service
from scf.bank.chaos import Chaos
from scf.bank.models import BankInstruction, BankLine
from scf.store.evidence import Trust

ENDS = {"executed", "rejected", "returned"}


def a_bad_month(town: Town) -> dict[str, int]:
    """Payments of all kinds over some weeks, exchanged at odd hours; returns amounts by end-to-end id."""
    town.bank.deposit(PAYER, 1_000_000, reference="opening")
    town.bank.deposit(LOCKED, 50_000, reference="loan")
    town.bank.lock_account(LOCKED, "REL-1", [PAYEE])
    with town.session() as session:
        service.lock_account(session, LOCKED, "REL-1", now=town.clock.now())
    paid: dict[str, int] = {}
    for day in range(12):
        for number in range(4):
            amount = 100 + 17 * day + number
            changes: dict[str, object] = {"execute_on": MONDAY + timedelta(days=day)}
            if number == 1:
                changes |= {"creditor_account": "9558801234567890", "creditor_agent": "OTHRCNBJXXX"}
            if number == 2:
                changes |= {"debtor_account": LOCKED, "release_reference": "REL-1"}
            paid[town.pay(f"{day}/{number}", amount, **changes)] = amount
            if number % 2:
                town.exchange()
        town.clock.advance(hours=23 + day % 5)
    for _ in range(12):
        town.clock.advance(days=1)
        town.exchange()
    town.settle()
    return paid


@pytest.mark.parametrize("seed", range(4))
def test_every_payment_ends_once_and_both_sides_agree(make_town: Callable[..., Town], seed: int) -> None:
    town = make_town(chaos=Chaos(seed))
    paid = a_bad_month(town)
    with town.session() as session:
        rows = {row.end_to_end_id: row for row in session.exec(select(BankInstruction)).all()}
        assert set(rows) == set(paid)
        assert {row.state for row in rows.values()} <= ENDS
        for name, row in rows.items():
            debits = session.exec(
                select(BankLine).where(
                    BankLine.matched == name, BankLine.account == row.debtor_account, BankLine.amount_minor < 0
                )
            ).all()
            assert [line.amount_minor for line in debits] == ([] if row.state == "rejected" else [-paid[name]])
        for number in HOLDERS:
            proof = service.prove_balance(session, number)
            assert proof.closing_minor + proof.later_minor == town.bank.balance_minor(number)
            assert service.booked_minor(session, number) == town.bank.balance_minor(number)
        assert service.refused_files(session) == []
        assert service.contradicting_lines(session) == []
        assert all(line.trust == Trust.T3 for line in session.exec(select(BankLine)).all())
    assert town.bank.faults() == []
    moved = sum(row.amount_minor for row in rows.values() if row.state == "executed" and row.debtor_account == LOCKED)
    assert town.bank.balance_minor(LOCKED) == 50_000 - moved
    assert town.bank.balance_minor(PAYEE) == sum(
        row.amount_minor for row in rows.values() if row.state == "executed" and row.creditor_account == PAYEE
    )


def test_trouble_does_strike(make_town: Callable[..., Town]) -> None:
    town = make_town(chaos=Chaos(11))
    a_bad_month(town)
    with town.session() as session:
        assert {row.state for row in service.payments(session)} == ENDS


def test_trouble_is_drawn_from_seed_and_name_alone() -> None:
    names = [str(number) for number in range(2_000)]
    once, again, other = Chaos(1), Chaos(1), Chaos(2)
    assert [once.rejects(name) for name in names] == [again.rejects(name) for name in reversed(names)][::-1]
    assert [once.rejects(name) for name in names] != [other.rejects(name) for name in names]
    assert 60 <= sum(once.rejects(name) for name in names) <= 140
