"""The simulated bank's books: every booking sums to zero and no account goes where it may not."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from scf.bank.accounts import METADATA, Accounts, Booking, accounts
from scf.kernel.problems import Problem
from scf.store.engine import open_engine
from scf.store.session import transaction

DAY = date(2026, 3, 2)


def fresh_books(session: Session) -> Accounts:
    books = Accounts(session, DAY, 1_000)
    books.open("own", "Settlement", "CNY", is_own=True)
    for number in ("a", "b", "c"):
        books.open(number, f"holder of {number}", "CNY")
    return books


def booking(reference: str, *legs: tuple[str, int]) -> Booking:
    return Booking(reference=reference, kind="payment", legs=legs, debtor="x", creditor="y")


moves = st.lists(
    st.tuples(st.sampled_from(["own", "a", "b", "c"]), st.sampled_from(["own", "a", "b", "c"]), st.integers(1, 1_000)),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(moves=moves)
def test_whatever_is_asked_the_books_sum_to_zero_and_nobody_is_overdrawn(moves: list[tuple[str, str, int]]) -> None:
    engine = open_engine("sqlite://")
    METADATA.create_all(engine)
    with transaction(engine) as session:
        fresh_books(session)
    expected = dict.fromkeys(("own", "a", "b", "c"), 0)
    for place, (payer, payee, amount) in enumerate(moves):
        allowed = payer != payee and (payer == "own" or expected[payer] >= amount)
        try:
            with transaction(engine) as session:
                Accounts(session, DAY, 1_000).post([booking(f"r{place}", (payer, -amount), (payee, amount))])
        except Problem as problem:
            assert not allowed
            assert problem.code in ("bank_funds_insufficient", "bank_booking_unbalanced")
        else:
            assert allowed
            expected[payer] -= amount
            expected[payee] += amount
    with transaction(engine) as session:
        books = Accounts(session, DAY, 1_000)
        assert books.faults() == []
        assert {number: books.need(number).balance_minor for number in expected} == expected
        assert sum(expected.values()) == 0
        assert min(expected[number] for number in ("a", "b", "c")) >= 0
    engine.dispose()


@pytest.fixture
def session() -> Session:
    engine = open_engine("sqlite://")
    METADATA.create_all(engine)
    with Session(engine) as session:
        fresh_books(session)
        session.commit()
        yield session


@pytest.mark.parametrize("legs", [(), (("a", 5),), (("own", -5), ("a", 4)), (("own", -5), ("own", 5))])
def test_a_booking_that_does_not_balance_is_not_booked(session: Session, legs: tuple[tuple[str, int], ...]) -> None:
    with pytest.raises(Problem) as refused:
        Accounts(session, DAY, 1).post([booking("r", *legs)])
    assert refused.value.code == "bank_booking_unbalanced"


def test_a_batch_is_booked_whole_or_not_at_all() -> None:
    engine = open_engine("sqlite://")
    METADATA.create_all(engine)
    with transaction(engine) as session:
        fresh_books(session)
    good, bad = booking("good", ("own", -5), ("a", 5)), booking("bad", ("b", -1), ("a", 1))
    with pytest.raises(Problem), transaction(engine) as session:
        Accounts(session, DAY, 1).post([good, bad])
    with transaction(engine) as session:
        assert Accounts(session, DAY, 1).need("a").balance_minor == 0


def test_currencies_do_not_mix(session: Session) -> None:
    books = Accounts(session, DAY, 1)
    books.open("usd", "holder", "USD")
    with pytest.raises(Problem):
        books.post([booking("r", ("own", -5), ("usd", 5))])


def test_held_money_cannot_be_spent_until_it_is_released(session: Session) -> None:
    books = Accounts(session, DAY, 1)
    books.post([booking("in", ("own", -100), ("a", 100))])
    books.hold("a", 60, "h")
    books.hold("a", 60, "h")
    assert books.need("a").available_minor == 40
    with pytest.raises(Problem) as refused:
        books.post([booking("out", ("a", -41), ("b", 41))])
    assert refused.value.code == "bank_funds_insufficient"
    session.expire_all()
    books = Accounts(session, DAY, 1)
    books.release_hold("h")
    books.release_hold("h")
    books.post([booking("out", ("a", -100), ("b", 100))])
    assert books.need("a").balance_minor == 0


def test_the_database_itself_refuses_an_overdrawn_customer(session: Session) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        session.execute(sa.update(accounts).where(accounts.c.number == "a").values(balance_minor=-1))
    session.rollback()


def test_an_overdraft_is_used_to_its_limit(session: Session) -> None:
    books = Accounts(session, DAY, 1)
    books.open("credit", "holder", "CNY", overdraft_minor=100)
    books.post([booking("out", ("credit", -100), ("a", 100))])
    with pytest.raises(Problem):
        books.post([booking("more", ("credit", -1), ("a", 1))])


def test_a_lock_is_opened_only_by_its_own_reference(session: Session) -> None:
    books = Accounts(session, DAY, 1)
    books.lock("a", "REL", {"b"})
    books.lock("a", "REL", {"b"})
    assert not books.need("a").permits({"other", None}, "b")
    assert not books.need("a").permits({"REL"}, "c")
    assert books.need("a").permits({"REL"}, "b")
    for act in (books.lock, books.unlock):
        with pytest.raises(Problem) as refused:
            act("a", "other")
        assert refused.value.code == "bank_account_locked"
    books.unlock("a", "REL")
    assert books.need("a").permits(set(), "c")
