"""Programmes and limits refuse in words before anyone signs; every decision is kept; pending rules are replayed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from sqlmodel import select
from tests.financing.scene import Scene
from tests.installation import CNY, Installation

from scf.demo.cast import CIVIC, CORE, FARHILL, HARBOUR, LOTUS, PINE
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.parties.keys import demo_key
from scf.receivables.programmes import LimitReservation
from scf.receivables.replay import book_records
from scf.receivables.service import PassRequest
from scf.store import evidence
from scf.store.evidence import Evidence

FACE = 100_000_00


def test_a_programme_binds_term_tiers_parts_and_financiers(installation: Installation) -> None:
    at, app = installation, installation.app
    with app.desk.session() as session:
        app.programmes.open(
            session,
            name="Castings",
            obligor=at.who(CORE),
            currency=CNY,
            tenor_days=60,
            max_tier=8,
            min_minor=1,
            max_children=1,
            financiers=[at.who(HARBOUR)],
        )
        with pytest.raises(Problem, match="open programme"):
            app.programmes.open(session, name="Again", obligor=at.who(CORE), currency=CNY)
    trade = at.trade("INV-1", FACE)
    at.refused("programme_tenor", lambda: app.receivables.prepare_issue(at.request(trade, FACE, days=61)))
    _, root = at.issued(trade, FACE)
    at.passed(root, PINE, 10_000_00, at.trade("INV-2", 10_000_00, seller=PINE, buyer=LOTUS))
    other = at.trade("INV-3", 10_000_00, seller=PINE, buyer=LOTUS)
    second = PassRequest(root, at.who(PINE), 10_000_00, other.document)
    at.refused("programme_parts", lambda: app.receivables.prepare_pass(second))

    def ask() -> None:
        with app.desk.session() as session:
            app.financing.ask(session, root, 1_000_00, [at.who(HARBOUR), at.who(FARHILL)])

    at.refused("programme_financier", ask)


def test_a_groups_limit_is_shown_refuses_and_is_held_while_an_act_is_on_its_way(installation: Installation) -> None:
    at, app = installation, installation.app
    at.limit("member", at.who(CORE), group="North")
    at.limit("group", "North", 150_000_00)
    at.issued(at.trade("INV-1", FACE), FACE)
    with app.desk.session() as session:
        views = {view.kind: view for view in app.programmes.limits(session, obligor=at.who(CORE))}
        assert (views["group"].used_minor, views["group"].free_minor) == (FACE, 50_000_00)
        assert views["obligor"].used_minor == FACE
        assert len(session.exec(select(LimitReservation)).all()) == 1  # booked by now, so it counts once
    second = at.trade("INV-2", FACE)
    at.refused("amount_above_group_limit", lambda: app.receivables.prepare_issue(at.request(second, FACE)))
    small = {"obligor": at.who(CORE), "currency": 156, "fingerprint": "0x01", "face": 40_000_00}
    with app.desk.session() as session:
        app.programmes.reserve(session, "issue", small)
        app.programmes.reserve(session, "issue", small)
    with app.desk.session() as session, pytest.raises(Problem, match="group"):
        app.programmes.reserve(session, "issue", {**small, "fingerprint": "0x02"})


def test_a_financiers_limit_stops_the_purchase(installation: Installation) -> None:
    scene = Scene(installation)
    _, root = scene.issued()
    installation.limit("financier", installation.who(HARBOUR), 100_000_00)
    scene.sold(root, 60_000_00, recourse=False)
    with pytest.raises(Problem, match="financier"):
        scene.sold(root, 60_000_00 - 1, recourse=False)
    scene.sold(root, 60_000_00 - 2, recourse=False, to=FARHILL)


def test_every_decision_is_kept_with_rule_version_and_transaction(installation: Installation) -> None:
    at = installation
    at.issued(at.trade("INV-1", FACE), FACE)
    with at.app.desk.session() as session:
        rows = session.exec(select(Evidence).where(Evidence.kind == "decision").order_by(Evidence.leaf_index)).all()
        kept = [json.loads(evidence.raw_bytes(session, row.evidence_id)) for row in rows]
    assert [one["act"] for one in kept] == ["issue", "accept"]
    issue = {found["rule"]: found for found in kept[0]["findings"]}
    assert issue["CN-77-11-MAX"]["version"] == 1 and issue["CN-77-11-MAX"]["outcome"] == "clear"
    assert issue["CN-77-10-TRUST"]["outcome"] == "clear"  # the carrier's own feed stands behind it
    assert issue["CN-802-11-CONTRACT"]["outcome"] == "clear"  # the invoice says when it is due
    assert all(one["transaction"].startswith("0x") and one["verdict"] for one in kept)


def test_an_invoice_that_names_another_payee_is_assigned_already(installation: Installation) -> None:
    at = installation
    trade = at.trade("INV-1", FACE)
    with at.app.desk.session() as session:
        ids = [one.evidence_id for one in session.exec(select(Evidence))]
        filed = at.app.receivables.file(
            session, ids, invoice_minor=FACE, delivered_on="2026-03-02", invoice_assigned=True
        )
        document = filed.document
    request = at.request(type(trade)(document, trade.fingerprint), FACE)
    at.refused("CN-768-ONCE", lambda: at.app.receivables.prepare_issue(request))


def test_the_replay_names_the_receivables_a_pending_rule_would_have_refused(installation: Installation) -> None:
    at = installation
    with at.app.desk.session() as session:  # a year's term, with the bank's recorded review
        trade = at.trade("INV-L", FACE)
        filed = at.app.receivables.file(
            session,
            ["ab" * 32],
            invoice_minor=FACE,
            delivered_on="2026-03-02",
            term_review="review 17",
            payment_due_on="2027-01-01",
        )
        long = type(trade)(filed.document, trade.fingerprint)
    reply = at.submit(at.app.receivables.prepare_issue(at.request(long, FACE, days=250)))
    at.submit(at.app.receivables.prepare_accept(str(reply["note"])))
    at.issued(at.trade("INV-S", 50_000_00), 50_000_00)
    with at.app.desk.session() as session:
        records = list(book_records(session, at.app.parties))
    found = at.app.rulebook.replay(records, date(2026, 10, 1), "CN-PENDING")
    assert found.examined == 2
    assert [one.record.reference for one in found.newly_refused] == [str(reply["receivable"])]
    assert found.newly_refused_minor == {CNY: FACE}


def test_terms_out_of_range_or_beyond_the_rule_are_refused_when_the_programme_opens(installation: Installation) -> None:
    at, app = installation, installation.app

    def opening(**terms: int) -> None:
        body = {"obligor": at.who(CORE), "currency": CNY, "name": "Castings", **terms}
        with app.desk.session() as session:
            app.changes.request(session, "open_programme", body, demo_key("core-maker").address)

    for name, value in (
        ("tenor_months", 0), ("tenor_days", -1), ("max_tier", 251), ("min_minor", 0), ("max_children", 0),
        ("funding_days", 3), ("funding_days", -1),
    ):  # fmt: skip
        problem = at.refused("programme_terms", lambda name=name, value=value: opening(**{name: value}))
        assert problem.facts["term"] == name
    beyond = at.refused("programme_funding_days", lambda: opening(funding_days=2))
    assert "CN-FUND-DAYS" in beyond.sentence("en") and "T+1" in beyond.sentence("zh-CN")


def test_a_programmes_day_of_payment_moves_the_price(installation: Installation) -> None:
    scene = Scene(installation)
    app, harbour = scene.app, installation.who(HARBOUR)
    with app.desk.session() as session:
        app.programmes.open(session, name="Same day", obligor=installation.who(CORE), currency=CNY, funding_days=0)
    _, root = scene.issued()
    with app.desk.session() as session:
        ask = app.financing.ask(session, root, FACE, [harbour, installation.who(FARHILL)]).id
        assert app.financing.funding.days_of_note(session, root) == 0
    _, figures = app.financing.prepare_quote(ask, harbour, rate_ppm=60_000, paying_bank=installation.who(CIVIC))
    assert figures.funded_on == day_of(app.clock.now())
    assert figures.days == (scene.due(1) - figures.funded_on).days


def test_a_programme_closed_or_opened_later_changes_nothing_for_what_was_issued(installation: Installation) -> None:
    at, app = installation, installation.app
    words = {"wording_en": "Paid to the holder, whatever we hold against you.", "wording_zh": "见票即付，不得抵销。"}
    with app.desk.session() as session:
        first = app.programmes.open(
            session, name="Old", obligor=at.who(CORE), currency=CNY, min_minor=1, max_children=1, **words
        ).id
    trade = at.trade("INV-1", FACE)
    prepared = app.receivables.prepare_issue(at.request(trade, FACE))
    assert words["wording_en"] in prepared.summary["en"] and words["wording_zh"] in prepared.summary["zh-CN"]
    note = str(at.submit(prepared)["note"])
    at.clock.advance(hours=1)
    with app.desk.session() as session:
        app.programmes.close(session, first or 0)
        app.programmes.open(session, name="New", obligor=at.who(CORE), currency=CNY, min_minor=50_000_00, tenor_days=9)
    accepting = app.receivables.prepare_accept(note)
    assert "Old" in accepting.summary["en"] and words["wording_en"] in accepting.summary["en"]
    at.submit(accepting)
    at.passed(note, PINE, 10_000_00, at.trade("INV-2", 10_000_00, seller=PINE, buyer=LOTUS))  # smaller than New allows
    other = at.trade("INV-3", 10_000_00, seller=PINE, buyer=LOTUS)
    second = PassRequest(note, at.who(PINE), 10_000_00, other.document)
    at.refused("programme_parts", lambda: app.receivables.prepare_pass(second))  # Old's own term still binds it
    late = at.trade("INV-4", FACE)
    at.refused("programme_tenor", lambda: app.receivables.prepare_issue(at.request(late, FACE)))
    short = app.receivables.prepare_issue(replace(at.request(late, FACE, days=8), min_minor=50_000_00))
    assert words["wording_en"] not in short.summary["en"]


def test_tiers_and_the_smallest_part_are_terms_of_a_programme(installation: Installation) -> None:
    at, app = installation, installation.app
    with app.desk.session() as session:
        app.programmes.open(session, name="Flat", obligor=at.who(CORE), currency=CNY, max_tier=2, min_minor=5_000_00)
    trade = at.trade("INV-1", FACE)
    deep = replace(at.request(trade, FACE), min_minor=5_000_00)
    at.refused("programme_tiers", lambda: app.receivables.prepare_issue(deep))
    at.refused("programme_smallest", lambda: app.receivables.prepare_issue(replace(deep, max_tier=2, min_minor=1)))
