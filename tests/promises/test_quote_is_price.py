"""The quote is the price, to the cent: shown, signed, on the ledger, in the books and at the bank."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.financing.scene import Scene
from tests.installation import Installation

from scf.demo.cast import CIVIC, FARHILL, HARBOUR
from scf.financing.price import Fee, Price, price
from scf.kernel.dates import day_of, next_day
from scf.kernel.problems import Problem
from scf.ledger.contracts import Event
from scf.receivables.models import Financing

FACE = 5_000_000_00


@pytest.fixture(scope="module")
def holder(shared_installation: Installation) -> tuple[Installation, str]:
    """A large note that small parts are financed from, one example after the other."""
    _, root = shared_installation.issued(shared_installation.trade("INV-1", FACE), FACE)
    return shared_installation, root


def financed(
    at: Installation, note: str, amount: int, rate_ppm: int, fees: Sequence[Fee]
) -> tuple[Price, list[Event], Financing]:
    """Ask, quote, accept, register, complete; returns the figures quoted, the ledger's events and the books' row."""
    room = at.app.financing
    with at.app.desk.session() as session:
        ask = room.ask(session, note, amount, [at.who(HARBOUR), at.who(FARHILL)]).id
    quote, figures = room.prepare_quote(ask, at.who(HARBOUR), rate_ppm=rate_ppm, paying_bank=at.who(CIVIC), fees=fees)
    offer = room.submit_quote(ask, quote.message, at.sign(quote)[0], figures)
    accept = room.prepare_accept_quote(offer.quote_hash)
    first = at.app.ledger.head().number + 1
    reply = room.accept_quote(accept.message, at.sign(accept)[0], key=offer.quote_hash, caller="t")
    sold = str(reply["note"])
    with at.app.desk.session() as session:
        registration = room.register(session, sold)
    done = room.prepare_complete(sold, registration, f"LINE {sold}")
    room.complete(done.message, at.sign(done)[0], key=f"done {sold}", caller="t")
    with at.app.reading() as session:
        row = room.financing(session, sold)
        session.expunge(row)
    return figures, list(at.app.desk.events(first, at.app.ledger.head().number)), row


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    amount=st.integers(1_00, 50_000_00),
    rate_ppm=st.integers(0, 240_000),
    fees=st.lists(st.integers(0, 20), max_size=3),
    days=st.integers(0, 3),
)
def test_what_is_charged_is_what_was_quoted(
    holder: tuple[Installation, str], amount: int, rate_ppm: int, fees: list[int], days: int
) -> None:
    """From the service to the ledger's events and back into the books, for any rate, fees and day of funding."""
    at, note = holder
    at.clock.advance(days=days, hours=1)
    named = tuple(Fee(f"fee {place}", "platform", minor) for place, minor in enumerate(fees))
    figures, events, row = financed(at, note, amount, rate_ppm, named)
    locked = next(event.args for event in events if event.name == "FinancingLocked")
    completed = next(event.args for event in events if event.name == "FinancingCompleted")
    assert figures.net_minor + figures.discount_minor + sum(fees) == figures.face_minor == amount
    exact = Fraction(amount * rate_ppm * figures.days, 1_000_000 * figures.basis_days)
    assert abs(figures.discount_minor - exact) <= Fraction(1, 2)
    assert completed["net"] == figures.net_minor == row.net_minor
    signed = locked["quote"]
    assert [signed[name] for name in ("amount", "net", "discount", "fees", "aprPpm")] == [
        amount,
        figures.net_minor,
        figures.discount_minor,
        sum(fees),
        figures.apr_ppm,
    ]
    assert (row.amount_minor, row.discount_minor, row.fees_minor, row.apr_ppm) == (
        amount,
        figures.discount_minor,
        sum(fees),
        figures.apr_ppm,
    )


@settings(max_examples=200, deadline=None)
@given(
    face=st.integers(1_00, 10**13),
    rate_ppm=st.integers(0, 360_000),
    days=st.integers(1, 366),
    fees=st.lists(st.integers(0, 10**6), max_size=4),
    currency=st.sampled_from(["CNY", "USD", "EUR", "GBP", "JPY"]),
)
def test_every_cent_of_a_quote_is_named_and_rounded_once(
    face: int, rate_ppm: int, days: int, fees: list[int], currency: str
) -> None:
    start = date(2026, 1, 5)
    try:
        made = price(
            face, currency, rate_ppm, start, next_day(start, days), fees=[Fee("x", "y", minor) for minor in fees]
        )
    except Problem as problem:
        assert problem.code in ("price_leaves_nothing", "price_not_expressible")
        return
    assert made.net_minor + made.discount_minor + made.fees_minor == face
    exact = Fraction(face * rate_ppm * days, 1_000_000 * made.basis_days)
    assert -Fraction(1, 2) <= exact - made.discount_minor < Fraction(1, 2), "half a cent is rounded up"


@pytest.mark.parametrize(
    "field", ["net", "discount", "fees", "aprPpm", "amount", "terms", "recourse", "parentId", "lockUntil"]
)
def test_a_quote_whose_figures_are_others_than_those_shown_is_not_taken(
    holder: tuple[Installation, str], field: str
) -> None:
    (at, root), room = holder, holder[0].app.financing
    with at.app.desk.session() as session:
        ask = room.ask(session, root, 100_000_00, [at.who(HARBOUR), at.who(FARHILL)]).id
    quote, figures = room.prepare_quote(ask, at.who(HARBOUR), rate_ppm=50_000, paying_bank=at.who(CIVIC))
    wrong = {"recourse": True, "terms": "0x" + "11" * 32, "lockUntil": quote.message["lockUntil"] + 3600}
    other = {**quote.message, field: wrong[field] if field in wrong else quote.message[field] + 1}
    at.refused("quote_not_consistent", lambda: room.submit_quote(ask, other, at.sign(quote)[0], figures))
    assert room.submit_quote(ask, quote.message, at.sign(quote)[0], figures).net_minor == figures.net_minor


def test_a_bank_cannot_attest_another_amount_than_the_quoted_one(installation: Installation) -> None:
    """Not a cent less or more reaches the ledger, whatever the bank signs."""
    at, room = installation, installation.app.financing
    scene = Scene(at)
    _, root = scene.issued()
    with at.app.desk.session() as session:
        ask = room.ask(session, root, 100_000_00, [at.who(HARBOUR), at.who(FARHILL)]).id
    quote, figures = room.prepare_quote(ask, at.who(HARBOUR), rate_ppm=50_000, paying_bank=at.who(CIVIC))
    offer = room.submit_quote(ask, quote.message, at.sign(quote)[0], figures)
    shown = json.loads(offer.price)
    assert shown["net_minor"] == figures.net_minor and shown["due_on"] == day_of(scene.row(1).maturity).isoformat()
    accept = room.prepare_accept_quote(offer.quote_hash)
    sold = str(room.accept_quote(accept.message, at.sign(accept)[0], key="k", caller="t")["note"])
    with at.app.desk.session() as session:
        registration = room.register(session, sold)
    done = room.prepare_complete(sold, registration, "LINE-1")
    for cent in (-1, 1):
        message = {**done.message, "net": figures.net_minor + cent}
        other = at.app.desk.prepare(
            "complete_financing", done.contract, done.primary_type, message, signers=done.signers, summary=done.summary
        )
        with pytest.raises(Problem) as caught:
            room.complete(message, at.sign(other)[0], key=f"k{cent}", caller="t")
        assert caught.value.code == "ledger_refused" and caught.value.money_moved == "no"
    room.complete(done.message, at.sign(done)[0], key="right", caller="t")
