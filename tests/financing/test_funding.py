"""The money of a sale comes on T+1 by rule: the price counts from that day, a lock outlasts it, a miss is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from tests.financing.scene import Scene
from tests.installation import Installation

from scf.bank.calendar import ChinaCalendar
from scf.demo.cast import CIVIC, FARHILL, HARBOUR, LOTUS
from scf.financing.funding import FundingTerms
from scf.jobs.models import Notice
from scf.kernel.clock import VirtualClock
from scf.kernel.dates import day_of, to_unix
from scf.rulebook.service import Rulebook
from scf.store.evidence import Evidence, raw_bytes

FACE = 100_000_00
FRIDAY, MONDAY = date(2026, 3, 6), date(2026, 3, 9)
BOOK = Rulebook.load()


def terms_on(day: date, book: Rulebook = BOOK) -> FundingTerms:
    return FundingTerms(VirtualClock(to_unix(day) + 10 * 3600), book, "CN", ChinaCalendar(beyond="weekdays"))


def with_days(days: int) -> Rulebook:
    """The shipped rules, this one's number changed: what an installation's own rule file does."""
    rules = [
        rule.model_copy(update={"parameters": {**rule.parameters, "maximum": days}})
        if rule.id == "CN-FUND-DAYS"
        else rule
        for rule in BOOK.list(ruleset="CN")
    ]
    return Rulebook(BOOK.rulesets, rules)


@pytest.mark.parametrize(
    ("taken", "days", "paid"),
    [
        (date(2026, 3, 4), 1, date(2026, 3, 5)),
        (FRIDAY, 1, MONDAY),
        (FRIDAY, 2, date(2026, 3, 10)),
        (FRIDAY, 0, FRIDAY),
        (date(2026, 3, 7), 0, MONDAY),  # a Saturday
        (date(2026, 9, 30), 1, date(2026, 10, 8)),  # over the National Day holiday
    ],
)
def test_the_day_of_payment_is_the_rules_number_of_business_days(taken: date, days: int, paid: date) -> None:
    terms = terms_on(taken, with_days(days))
    assert (terms.days(), terms.usual_day()) == (days, paid)
    assert terms.days_waited(taken, paid) == days or days == 0


def test_without_a_rule_it_is_the_next_business_day() -> None:
    assert terms_on(FRIDAY, Rulebook(BOOK.rulesets, [])).usual_day() == MONDAY


def test_a_lock_outlasts_the_day_of_payment_over_the_longest_holiday() -> None:
    terms = terms_on(date(2026, 9, 30))
    taken_last = to_unix(date(2026, 10, 2))  # in the middle of the holiday
    paid = terms.pay_day(day_of(taken_last))
    assert paid == date(2026, 10, 8)
    assert terms.lock_end(taken_last) >= to_unix(paid) + 86_400, "the bank's line is told the day after"


def test_the_price_counts_from_the_day_of_payment_not_from_the_day_of_the_quote(installation: Installation) -> None:
    at, app = installation, installation.app
    at.clock.move_to(to_unix(FRIDAY) + 36_000)
    _, note = at.issued(at.trade("INV-1", FACE), FACE)
    with app.desk.session() as session:
        ask = app.financing.ask(session, note, FACE, [at.who(HARBOUR), at.who(FARHILL)]).id
    _, figures = app.financing.prepare_quote(ask, at.who(HARBOUR), rate_ppm=60_000, paying_bank=at.who(CIVIC))
    assert figures.funded_on == MONDAY
    assert figures.discount_minor == (FACE * 6 * figures.days + 18_000) // 36_000, "6% by 360 on the days that count"
    assert figures.days == (figures.due_on - MONDAY).days
    automatic = [one.price for one in _figures(at, note) if one.price]
    assert automatic and all(one.funded_on == MONDAY for one in automatic)


def _figures(at: Installation, note: str):  # type: ignore[no-untyped-def]
    with at.app.desk.session() as session:
        return at.app.quotes.figures(session, note, FACE)


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return Scene(installation)


def _taken(scene: Scene) -> str:
    at, app = scene.at, scene.app
    _, note = scene.issued("INV-1", FACE)
    with app.desk.session() as session:
        ask = app.financing.ask(session, note, FACE, [at.who(HARBOUR), at.who(FARHILL)]).id
    quote, figures = app.financing.prepare_quote(ask, at.who(HARBOUR), rate_ppm=60_000, paying_bank=at.who(CIVIC))
    offer = app.financing.submit_quote(ask, quote.message, at.sign(quote)[0], figures)
    accept = app.financing.prepare_accept_quote(offer.quote_hash)
    return str(app.financing.accept_quote(accept.message, at.sign(accept)[0], key="take", caller="t")["note"])


def _notices(scene: Scene, code: str) -> list[Notice]:
    with scene.app.reading() as session:
        told = scene.app.notices.of(session, scene.at.who(code))
    return [one for one in told if one.kind in ("late_payment", "lapsed")]


def test_money_that_misses_its_day_is_told_to_all_three_and_the_note_goes_back_by_itself(scene: Scene) -> None:
    sold = _taken(scene)
    with scene.app.reading() as session:
        lock_until = scene.app.financing.financing(session, sold).lock_until
    due = scene.app.financing.funding.pay_day(scene.today())
    scene.move_to(due)
    scene.app.jobs._lapse("")
    assert _notices(scene, LOTUS) == [], "the day itself is in time"
    scene.at.clock.move_to(to_unix(due) + 86_400)
    scene.app.jobs._lapse("")
    scene.app.jobs._lapse("")
    for code in (LOTUS, HARBOUR, CIVIC):
        told = _notices(scene, code)
        assert [one.kind for one in told] == ["late_payment"], "once each"
        assert due.isoformat() in told[0].en and due.isoformat() in told[0].zh and told[0].evidence_id
    scene.at.clock.move_to(lock_until)
    scene.app.jobs._lapse("")
    back = [one for one in _notices(scene, LOTUS) if one.kind == "lapsed"]
    assert len(back) == 1 and "the note is back with you" in back[0].en
    assert scene.conserved(1)


@pytest.mark.parametrize(("days_late", "outcome"), [(0, "clear"), (1, "flag")])
def test_the_decision_keeps_whether_the_money_came_on_its_day(scene: Scene, days_late: int, outcome: str) -> None:
    sold = _taken(scene)
    funding = scene.app.financing.funding
    with scene.app.desk.session() as session:
        number = scene.app.financing.register(session, sold)
    paid = funding.pay_day(scene.today())
    scene.move_to(funding.pay_day(paid) if days_late else paid)
    done = scene.app.financing.prepare_complete(sold, number, "LINE-1")
    scene.app.financing.complete(done.message, scene.at.sign(done)[0], key="complete", caller="t")
    with scene.app.reading() as session:
        kept = session.query(Evidence).filter(Evidence.name.like("complete_financing%")).all()
        record = json.loads(raw_bytes(session, kept[-1].evidence_id))
    found = {one["rule"]: one["outcome"] for one in record["findings"]}
    assert found["CN-FUND-DAYS"] == outcome


def test_a_quote_that_would_lock_a_note_longer_is_not_taken(scene: Scene) -> None:
    at, app = scene.at, scene.app
    _, note = scene.issued("INV-1", FACE)
    with app.desk.session() as session:
        ask = app.financing.ask(session, note, FACE, [at.who(HARBOUR), at.who(FARHILL)]).id
    quote, figures = app.financing.prepare_quote(ask, at.who(HARBOUR), rate_ppm=60_000, paying_bank=at.who(CIVIC))
    longer = replace(quote, message={**quote.message, "lockUntil": quote.message["lockUntil"] + 3600})
    at.refused(
        "quote_not_consistent",
        lambda: app.financing.submit_quote(ask, longer.message, at.sign(quote)[0], figures),
    )
