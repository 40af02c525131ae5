"""Programmes and limits refuse in words before anyone signs; every decision is kept; pending rules are replayed."""

from __future__ import annotations

import json
from datetime import date

import pytest
from sqlmodel import select
from tests.financing.scene import Scene
from tests.installation import CNY, Installation

from scf.demo.cast import CORE, FARHILL, HARBOUR, LOTUS, PINE
from scf.kernel.problems import Problem
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
    with app.desk.session() as session:
        app.programmes.group(session, at.who(CORE), "North")
        app.programmes.set_limit(session, "group", "North", CNY, 150_000_00)
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
    with scene.app.desk.session() as session:
        scene.app.programmes.set_limit(session, "financier", installation.who(HARBOUR), CNY, 100_000_00)
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
