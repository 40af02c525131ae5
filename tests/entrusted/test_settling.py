"""How a held part ends: by agreement of both sides, or urgently, with the second organisation's evidence afterwards."""

from __future__ import annotations

import pytest
from tests.entrusted.test_release import FIRST, SECOND, Scene, opened
from tests.installation import Installation

from scf.demo.cast import CORE, FAIRWAY, HARBOUR, MEASURE, PINE
from scf.entrusted import queries
from scf.kernel.problems import Problem

HELD = 15_000_00


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return opened(installation)


def test_a_dispute_in_stage_two_holds_its_part_and_both_sides_end_it(scene: Scene) -> None:
    """Two fifths of stage two arrived and are paid; what is disputed waits, is agreed on, and adds up to the cent."""
    at, room, account = scene.at, scene.room, scene.account
    scene.ready(stage=0)
    amount, payment = scene.order()
    scene.confirm(amount, payment, "LINE-1")
    arrived = SECOND * 2 // 5
    scene.ready(arrived, stage=1)
    amount, payment = scene.order(1)
    assert amount == arrived, "a partial delivery releases its own share"
    scene.confirm(amount, payment, "LINE-2", stage=1)
    at.submit_entrusted(room.prepare_dispute(account, 1, at.who(PINE), HELD, "six plates are bent"))
    scene.ready(SECOND, stage=1)
    amount, payment = scene.order(1)
    assert amount == SECOND - arrived - HELD, "only the disputed part is held"
    scene.confirm(amount, payment, "LINE-3", stage=1)
    with pytest.raises(Problem) as caught:
        at.app.settling.prepare_resolve(account, 1, HELD, 1, "too much")
    assert caught.value.code == "nothing_disputed"
    prepared = at.app.settling.prepare_resolve(account, 1, 10_000_00, 5_000_00, "four were straightened")
    assert "10,000.00" in prepared.summary["en"] and "5,000.00" in prepared.summary["zh-CN"]
    at.submit_entrusted(prepared)
    amount, payment = scene.order(1)
    assert amount == 10_000_00
    scene.confirm(amount, payment, "LINE-4", stage=1)
    with at.app.desk.session() as session:
        back, order = room.refund_order(session, account, 1)
    assert back == 5_000_00
    at.submit_entrusted(room.prepare_confirm_refunded(account, 1, back, order, "LINE-5"))
    with at.app.desk.session() as session:
        row = queries.account(session, account)
    assert row.locked_minor == row.released_minor + row.refunded_minor == FIRST + SECOND
    assert row.refunded_minor == 5_000_00


def test_an_urgent_release_goes_on_one_evidence_and_is_checked_afterwards(scene: Scene) -> None:
    at, room, account, settling = scene.at, scene.room, scene.account, scene.at.app.settling

    def ask(amount: int = HELD, note: str = "The plant would stop.") -> object:
        return settling.prepare_urgent(account, 0, amount, "Steel for Monday.", note)

    for call, code in (
        (lambda: ask(note=" "), "urgent_without_note"),
        (lambda: ask(500_000_01), "urgent_above_cap"),
        (ask, "urgent_not_supported"),
    ):
        at.refused(code, call)
    scene.attest(FAIRWAY, scene.carrier)
    scene.approve(HARBOUR, "credit-officer")
    at.refused("urgent_not_supported", ask)
    scene.approve(CORE, "approver")
    settling.prepare_urgent(account, 0, 1_00, "Never signed.", "No matter.")
    with at.app.desk.session() as session:
        assert not settling.of_account(session, account), "what was only prepared binds nobody"
    prepared, asked = settling.prepare_urgent(account, 0, HELD, "Steel for Monday.", "The plant would stop.")
    at.submit_entrusted(prepared)
    with at.app.desk.session() as session:
        assert [one.reason for one in settling.of_account(session, account)] == [asked.reason]
    at.submit_entrusted(settling.prepare_resolve(account, 0, HELD, 0, "urgent, both sides agree"))
    amount, payment = scene.order()
    assert amount == HELD, "one organisation's evidence lets out what both sides agreed on, and no more"
    scene.confirm(amount, payment, "LINE-U")
    with at.app.desk.session() as session:
        words = settling.words(session, asked)
        assert "plant would stop" in words["en"] and "Steel for Monday" in words["zh-CN"]
        assert settling.check(session) == 0 and not settling.late(session)
    at.refused("urgent_unchecked", lambda: ask(1_00))
    at.clock.advance(days=11)
    with at.app.desk.session() as session:
        assert [one.stage for one in settling.late(session)] == [0]
        with pytest.raises(Problem) as caught:
            room.payment_order(session, account, 1)
        assert caught.value.code == "urgent_unchecked", "late: nothing else of this account moves"
        assert any(one.kind == "urgent" for one in at.app.holds.of(session, [at.who(PINE)]))
    scene.attest(MEASURE, scene.inspector)
    with at.app.desk.session() as session:
        assert settling.check(session) == 1 and not settling.late(session)
        assert not any(one.kind == "urgent" for one in at.app.holds.of(session, [at.who(PINE)]))
    amount, _ = scene.order()
    assert amount == FIRST - HELD, "checked: the rest of the stage goes on"
