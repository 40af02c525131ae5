"""Automatic quotes: the financier's own policy gives the figure, the figure shown is the figure signed and charged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.installation import Installation

from scf.demo.cast import CIVIC, FARHILL, HARBOUR, LOTUS, seat_key
from scf.financing import sealing
from scf.financing.comparing import compare
from scf.financing.policy import Terms, offered
from scf.kernel.clock import today
from scf.kernel.problems import Problem
from scf.receivables import queries

FACE = 500_000_00
BASE: dict[str, Any] = {
    "financier": "F",
    "currency": "CNY",
    "paying_bank": "B",
    "rates": [{"up_to_days": 30, "rate_ppm": 40_000}, {"up_to_days": 90, "rate_ppm": 50_000}],
    "sizes": [{"from_minor": 0, "add_ppm": 5_000}, {"from_minor": 100_000_00, "add_ppm": -1_000}],
    "obligors": {"K": {"limit_minor": 300_000_00}, "L": {"add_ppm": 7_000, "limit_minor": 300_000_00}},
    "min_minor": 1_000_00,
    "max_minor": 200_000_00,
    "fee_minor": 10_00,
    "fee_ppm": 1_000,
    "valid_until": 2_000_000_000,
}


def say(**changes: Any) -> Any:
    asked = {"obligor": "K", "amount_minor": 50_000_00, "days": 60, "used_minor": 0, "payee": "F"} | changes
    return offered(Terms.model_validate(BASE), **asked)


@pytest.mark.parametrize(
    ("changes", "rate", "fee"),
    [
        ({}, 55_000, 60_00),
        ({"days": 30}, 45_000, 60_00),
        ({"days": 31}, 55_000, 60_00),
        ({"obligor": "L"}, 62_000, 60_00),
        ({"amount_minor": 100_000_00}, 49_000, 110_00),
        ({"amount_minor": 99_999_99}, 55_000, 110_00),
    ],
)
def test_rate_and_fee_come_from_the_grid(changes: dict[str, Any], rate: int, fee: int) -> None:
    said = say(**changes)
    assert (said.rate_ppm, sum(one.amount_minor for one in said.fees), said.refusal) == (rate, fee, None)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"days": 91}, "term_too_long"),
        ({"obligor": "X"}, "obligor_not_bought"),
        ({"amount_minor": 999_99}, "amount_too_small"),
        ({"amount_minor": 200_000_01}, "amount_too_large"),
        ({"used_minor": 250_000_01}, "limit_used"),
    ],
)
def test_what_a_policy_refuses_has_a_name(changes: dict[str, Any], refusal: str) -> None:
    assert say(**changes).refusal == refusal


@pytest.mark.parametrize("amount", [1_000_00, 123_456_78, FACE])
def test_the_figure_shown_is_the_figure_signed_and_locked(installation: Installation, amount: int) -> None:
    at, app = installation, installation.app
    _, note = at.issued(at.trade("INV-1", FACE), FACE)
    with app.desk.session() as session:
        shown = app.quotes.figures(session, note, amount)
    assert [one.refusal for one in shown] == [None, None]
    _, offers = app.quotes.firm(note, amount)
    assert app.quotes.firm(note, amount)[1] == offers, "asked twice the same day, nothing new is signed"
    assert [(one.financier, one.net_minor, one.apr_ppm) for one in offers] == [
        (one.financier, one.price.net_minor, one.price.apr_ppm) for one in shown if one.price
    ]
    prepared = app.financing.prepare_accept_quote(offers[0].quote_hash)
    reply = app.financing.accept_quote(prepared.message, at.sign(prepared)[0], key="take", caller="t")
    with app.desk.session() as session:
        terms = app.financing.financing(session, str(reply["note"]))
    assert shown[0].price and (terms.net_minor, terms.fees_minor) == (
        shown[0].price.net_minor,
        shown[0].price.fees_minor,
    )


def test_a_policy_is_set_by_two_people_of_the_financier(installation: Installation) -> None:
    at, app = installation, installation.app
    who, officer = at.who(HARBOUR), at.who(HARBOUR, "credit-officer")
    with app.desk.session() as session:
        (policy,) = app.policies.of(session, [who])
        terms = json.loads(policy.terms) | {"rates": [{"up_to_days": 90, "rate_ppm": 30_000}]}
        row = app.changes.request(session, "set_quote_policy", terms, who)
        for person, code in ((who, "same_person"), (at.who(FARHILL), "unknown_pending_act")):
            with pytest.raises(Problem) as caught:
                app.changes.approve(session, row.id, person)
            assert caught.value.code == code
        with pytest.raises(Problem) as caught:
            app.changes.request(session, "set_quote_policy", terms, at.who(FARHILL))
        assert caught.value.code == "not_of_firm"
        with pytest.raises(Problem) as caught:
            app.changes.request(session, "set_quote_policy", terms | {"rates": []}, who)
        assert caught.value.code == "policy_not_readable"
        assert len(app.policies.of(session, [who])) == 1
        app.changes.approve(session, row.id, officer)
    _, note = at.issued(at.trade("INV-1", FACE), FACE)
    with app.desk.session() as session:
        best = app.quotes.figures(session, note, FACE)[0]
        assert best.financier == who and best.price and best.price.rate_ppm == 30_000
        end = app.changes.request(session, "withdraw_quote_policy", {"policy": 3}, who)
        app.changes.approve(session, end.id, officer)
        back = next(one for one in app.quotes.figures(session, note, FACE) if one.financier == who)
        assert back.price and back.price.rate_ppm == 48_000, "the earlier policy is in force again"


def test_one_financier_alone_needs_a_signed_reason(installation: Installation) -> None:
    at, app = installation, installation.app
    with app.desk.session() as session:
        (policy,) = app.policies.of(session, [at.who(FARHILL)])
        row = app.changes.request(session, "withdraw_quote_policy", {"policy": policy.id}, at.who(FARHILL))
        app.changes.approve(session, row.id, seat_key(FARHILL, "checker").address)
    _, note = at.issued(at.trade("INV-1", FACE), FACE)
    with pytest.raises(Problem, match="reason"):
        app.quotes.firm(note, FACE)
    assert len(app.quotes.firm(note, FACE, single_reason="only Harbour buys from this buyer")[1]) == 1


def test_quotes_are_sealed_until_the_holder_opens_them_and_none_comes_after(installation: Installation) -> None:
    at, app = installation, installation.app
    _, note = at.issued(at.trade("INV-1", FACE), FACE)
    with app.desk.session() as session:
        ask = app.financing.ask(session, note, FACE, [at.who(HARBOUR), at.who(FARHILL)]).id
        with pytest.raises(Problem) as caught:
            sealing.open_quotes(session, ask, at.who(LOTUS), at.clock.now())
        assert caught.value.code == "quotes_sealed"
    quote, figures = app.financing.prepare_quote(ask, at.who(HARBOUR), rate_ppm=50_000, paying_bank=at.who(CIVIC))
    app.financing.submit_quote(ask, quote.message, at.sign(quote)[0], figures)
    late, other = app.financing.prepare_quote(ask, at.who(FARHILL), rate_ppm=49_999, paying_bank=at.who(CIVIC))
    with app.desk.session() as session:
        with pytest.raises(Problem) as caught:
            sealing.open_quotes(session, ask, at.who(HARBOUR), at.clock.now())
        assert caught.value.code == "not_the_asker"
        assert len(sealing.open_quotes(session, ask, at.who(LOTUS), at.clock.now())) == 1
    at.refused("quotes_opened", lambda: app.financing.submit_quote(ask, late.message, at.sign(late)[0], other))


def test_a_request_ends_and_says_at_each_step_who_acts_until_when(installation: Installation) -> None:
    at, app = installation, installation.app
    _, note = at.issued(at.trade("INV-1", FACE), FACE)
    ask, offers = app.quotes.firm(note, FACE)

    def states() -> list[str]:
        with app.desk.session() as session:
            row = next(one for one in app.financing.asks_of(session, at.who(LOTUS)) if one.id == ask)
            found = sealing.steps(session, row, at.clock.now(), app.maturity.calendar, app.financing.funding.days())
        assert all(one.way_back["en"] and one.way_back["zh-CN"] for one in found)
        return [one.state for one in found]

    assert states() == ["done", "now", "later", "later"]
    prepared = app.financing.prepare_accept_quote(offers[0].quote_hash)
    sold = str(app.financing.accept_quote(prepared.message, at.sign(prepared)[0], key="take", caller="t")["note"])
    assert states() == ["done", "done", "now", "later"]
    with app.desk.session() as session:
        app.financing.register(session, sold)
    assert states() == ["done", "done", "done", "now"]
    at.clock.advance(days=2)
    assert states() == ["done", "done", "done", "late"], "T+1 is over, the lock is not"
    at.clock.advance(days=6)
    app.receivables.lapse_due()
    assert states() == ["done", "done", "done", "over"]
    with app.desk.session() as session:
        assert queries.note(session, note).amount_minor == FACE, "the lock ran out, the note is back"
    with app.desk.session() as session:
        again = app.financing.ask(session, note, FACE, [at.who(HARBOUR), at.who(FARHILL)]).id
    quote, figures = app.financing.prepare_quote(again, at.who(HARBOUR), rate_ppm=50_000, paying_bank=at.who(CIVIC))
    at.clock.advance(days=7, hours=1)
    at.refused("ask_over", lambda: app.financing.submit_quote(again, quote.message, at.sign(quote)[0], figures))


def test_a_job_answers_open_requests_once(installation: Installation) -> None:
    at, app = installation, installation.app
    _, note = at.issued(at.trade("INV-1", FACE), FACE)
    with app.desk.session() as session:
        app.financing.ask(session, note, FACE, [at.who(HARBOUR), at.who(FARHILL)])
    assert app.quotes.answer_open() == 2
    assert app.quotes.answer_open() == 0


def test_a_price_stands_beside_waiting_and_beside_cash_by_law(installation: Installation) -> None:
    at, app = installation, installation.app
    number, note = at.issued(at.trade("INV-1", FACE), FACE)
    with app.desk.session() as session:
        figures = app.quotes.figures(session, note, FACE)[0].price
        assert figures is not None
        found = compare(session, app.parties, app.rulebook, at.clock, app.maturity.calendar, note, figures)
        due = app.maturity.due_day(queries.receivable(session, number).maturity)
    assert (found.wait_minor, found.wait_until) == (FACE, due)
    assert found.early_minor + found.cost_of_early_minor == FACE
    assert found.lawful_on is not None and (found.lawful_on - today(at.clock)).days == 60, "large buyer: 60 days"
    assert found.lawful_rule == "CN-802-09-LARGE"
