"""What a stage asks for by name has to be shown by what was vouched for: despatch AND arrival, from two parties."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.entrusted.test_release import FIRST, Scene, evidence_of, open_request
from tests.installation import START, Installation

from scf.demo.cast import CORE, FAIRWAY, HARBOUR, MEASURE, PINE, STEEL, firm
from scf.demo.papers import invoice, logistics_event
from scf.entrusted.kinds import kinds_of
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.store.evidence import Trust


def opened(at: Installation, *needs: str) -> Scene:
    request = open_request(at)
    stages = tuple(replace(stage, needs=needs) for stage in request.stages)
    account = int(at.submit_entrusted(at.app.entrusted.prepare_open(replace(request, stages=stages)))["account"])
    at.submit_entrusted(at.app.entrusted.prepare_confirm_locked(account, f"LOCK-{account}"))
    left, came = (
        evidence_of(at, code, Trust.T3, step) for code, step in ((FAIRWAY, "shipping"), (MEASURE, "arriving"))
    )
    return Scene(at, account, left, came, came)


def approved(scene: Scene) -> None:
    scene.approve(HARBOUR, "credit-officer")
    scene.approve(CORE, "approver")


def test_despatch_and_arrival_from_two_parties_release_and_one_of_them_twice_does_not(
    installation: Installation,
) -> None:
    at, scene = installation, opened(installation, "despatch", "arrival")
    scene.attest(FAIRWAY, scene.inspector)
    scene.attest(MEASURE, scene.inspector)
    approved(scene)
    refused = at.refused("stage_not_releasable", scene.order)
    assert "evidence of despatch" in refused.sentence("en") and "发货" in refused.sentence("zh-CN")
    with at.app.desk.session() as session:
        assert scene.room.stage_view(session, scene.account, 0).releasable_minor == 0
        assert "despatch" in scene.room.turn(session, scene.account)["en"]
    other = opened(at, "despatch", "arrival")
    other.attest(FAIRWAY, other.carrier)
    other.attest(MEASURE, other.inspector)
    approved(other)
    assert other.order()[0] == FIRST


def test_what_both_sides_decide_goes_out_without_the_kind_that_is_missing(installation: Installation) -> None:
    at, scene = installation, opened(installation, "inspection")
    scene.attest(FAIRWAY, scene.carrier)
    scene.attest(MEASURE, scene.inspector)
    approved(scene)
    at.refused("stage_not_releasable", scene.order)
    at.submit_entrusted(scene.room.prepare_dispute(scene.account, 0, at.who(PINE), 5_00, "nobody inspects any more"))
    at.submit_entrusted(at.app.settling.prepare_resolve(scene.account, 0, 5_00, 0, "we waive the inspection"))
    assert scene.order()[0] == 5_00, "and no more than that"


@pytest.mark.parametrize(
    ("step", "kinds"),
    [
        ("shipping", {"despatch"}),
        ("departing", {"despatch"}),
        ("arriving", {"arrival"}),
        ("receiving", {"arrival", "delivery"}),
        ("inspecting", {"inspection"}),
        ("picking", set()),
    ],
)
def test_an_event_is_evidence_of_its_own_step_alone(step: str, kinds: set[str]) -> None:
    event = logistics_event("PO-9", step, START, quantity=1, goods="steel", despatch="DN-9")
    assert kinds_of(event.raw) == kinds


def test_what_cannot_be_read_or_is_no_evidence_of_goods_shows_nothing(shared_installation: Installation) -> None:
    day = today(shared_installation.clock)
    paper = invoice("INV-S", STEEL, PINE, "PO-9", "Steel", FIRST, day, next_day(day, 30))
    for raw in (b"", b"%PDF-1.4 a scan", b"{}", b"<x/>", paper.raw, firm(STEEL).name.encode()):
        assert kinds_of(raw) == set()
