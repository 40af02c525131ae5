"""A release the payee's bank sends back is held again: paid anew, or back to the payer, only as both sides agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.entrusted.test_release import FIRST, SECOND, Scene, opened
from tests.installation import Installation

from scf.app import rebuild_books
from scf.demo.cast import PINE, STEEL
from scf.entrusted import queries


def sums(scene: Scene) -> tuple[int, int, int, int]:
    """(released, refunded, held in dispute, still locked); what was locked is their sum at every instant."""
    with scene.at.app.desk.session() as session:
        row = queries.account(session, scene.account)
        stages = queries.stages(session, scene.account)
        moved = sum(one.amount_minor for one in queries.movements(session, scene.account))
    left = sum(one.amount_minor - one.released_minor - one.refunded_minor for one in stages)
    assert row.released_minor + row.refunded_minor + left == row.locked_minor == FIRST + SECOND
    assert moved == row.released_minor + row.refunded_minor
    return row.released_minor, row.refunded_minor, sum(one.disputed_minor for one in stages), left


def back(scene: Scene, amount: int, payment: str, line: str, *, stage: int = 0) -> None:
    scene.at.submit_entrusted(scene.room.prepare_confirm_returned(scene.account, stage, amount, payment, line))


@pytest.fixture
def paid(installation: Installation) -> Scene:
    scene = opened(installation)
    scene.ready()
    amount, payment = scene.order()
    assert (amount, payment) == (FIRST, f"EA{scene.account}S0R0")
    scene.confirm(amount, payment, "LINE-1")
    return scene


def test_what_came_back_is_held_and_paid_again_only_as_both_sides_agree(paid: Scene) -> None:
    at, room, first = paid.at, paid.room, f"EA{paid.account}S0R0"
    assert sums(paid) == (FIRST, 0, 0, SECOND)
    back(paid, FIRST, first, "LINE-2")
    assert sums(paid) == (0, 0, FIRST, FIRST + SECOND)
    at.refused("stage_not_releasable", paid.order)
    with at.app.desk.session() as session:
        turn = room.turn(session, paid.account)
        (hold,) = [one for one in at.app.holds.all(session) if one.kind == "dispute"]
    assert "came back" in turn["en"] and "退回" in turn["zh-CN"]
    assert "came back from the payee's bank" in hold.reason["en"] and hold.amount_minor == FIRST
    assert {at.who(PINE), at.who(STEEL)} <= hold.parties and hold.decide_by > hold.since
    at.submit_entrusted(at.app.settling.prepare_resolve(paid.account, 0, FIRST, 0, "the account was closed; pay again"))
    amount, payment = paid.order()
    assert (amount, payment) == (FIRST, f"{first}.R2"), "a name the bank never heard before"
    paid.confirm(amount, payment, "LINE-3")
    assert sums(paid) == (FIRST, 0, 0, SECOND)
    assert rebuild_books(at.app, check=True)[0] == []


def test_what_came_back_goes_to_the_payer_where_both_sides_say_so(paid: Scene) -> None:
    """And the old evidence and approvals release nothing of it again."""
    at = paid.at
    back(paid, FIRST, f"EA{paid.account}S0R0", "LINE-2")
    at.submit_entrusted(at.app.settling.prepare_resolve(paid.account, 0, 0, FIRST, "the seller is closed"))
    at.refused("stage_not_releasable", paid.order)
    with at.app.desk.session() as session:
        amount, payment = paid.room.refund_order(session, paid.account, 0)
    assert amount == FIRST
    at.submit_entrusted(paid.room.prepare_confirm_refunded(paid.account, 0, amount, payment, "LINE-3"))
    assert sums(paid) == (0, FIRST, 0, SECOND)
    back(paid, FIRST, payment, "LINE-4")
    assert sums(paid) == (0, 0, 0, FIRST + SECOND)
    with at.app.desk.session() as session:
        again, name = paid.room.refund_order(session, paid.account, 0)
    assert again == FIRST and name != payment, "a refund that came back is owed to the payer still"
    at.submit_entrusted(paid.room.prepare_confirm_refunded(paid.account, 0, again, name, "LINE-5"))
    assert sums(paid) == (0, FIRST, 0, SECOND)
    assert rebuild_books(at.app, check=True)[0] == []


def test_a_part_comes_back_and_the_rest_stays_paid(paid: Scene) -> None:
    first = f"EA{paid.account}S0R0"
    back(paid, 100_01, first, "LINE-2")
    assert sums(paid) == (FIRST - 100_01, 0, 100_01, SECOND + 100_01)
    paid.at.refused("payment_not_out", lambda: back(paid, FIRST, first, "LINE-3"))
    back(paid, FIRST - 100_01, first, "LINE-3")
    paid.at.refused("payment_not_out", lambda: back(paid, 1, first, "LINE-4"))
    assert sums(paid) == (0, 0, FIRST, FIRST + SECOND)


def test_nothing_comes_back_that_was_not_paid_and_no_line_counts_twice(paid: Scene) -> None:
    at, room, first = paid.at, paid.room, f"EA{paid.account}S0R0"
    at.refused("payment_not_out", lambda: back(paid, 1, "EA9S0R0", "LINE-2"))
    at.refused("payment_not_out", lambda: back(paid, 1, first, "LINE-2", stage=1))
    at.refused("payment_not_out", lambda: back(paid, FIRST + 1, first, "LINE-2"))
    at.refused("payment_not_out", lambda: back(paid, 0, first, "LINE-2"))
    back(paid, 5, first, "LINE-2")
    at.refused("ledger_already_used", lambda: back(paid, 6, first, "LINE-2"))
    prepared = room.prepare_confirm_returned(paid.account, 0, 5, first, "LINE-3")
    stranger = replace(prepared, signers=(at.who(PINE),))
    at.refused("ledger_refused", lambda: at.submit_entrusted(stranger))
    more = replace(prepared, message={**prepared.message, "amount": FIRST})
    at.refused("ledger_refused", lambda: at.submit_entrusted(more))
    unknown = replace(prepared, message={**prepared.message, "paymentId": "0x" + "ab" * 32})
    at.refused("ledger_refused", lambda: at.submit_entrusted(unknown))
    assert sums(paid)[0] == FIRST - 5
