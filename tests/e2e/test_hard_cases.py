"""Cases made by hand, to the cent: partial delivery, a dispute in stage two, a failing obligor with three tiers."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from sqlmodel import select
from tests.entrusted.test_release import FIRST, SECOND, Scene, opened
from tests.financing.scene import FACE
from tests.financing.scene import Scene as MoneyScene
from tests.installation import Installation

from scf.app import rebuild_books
from scf.demo.cast import CORE, FARHILL, HARBOUR, LOTUS, PINE, RIVER, STEEL
from scf.entrusted import queries as accounts
from scf.financing.collecting import Finding, payment_id
from scf.financing.failure import of_note
from scf.financing.models import BuyBackDemand
from scf.installation import OPERATOR_NAMES
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key
from scf.receivables import queries


def sums(scene: Scene) -> tuple[int, int, int]:
    """(released, refunded, still locked); together what was locked, at every instant."""
    with scene.at.app.desk.session() as session:
        row = accounts.account(session, scene.account)
        stages = accounts.stages(session, scene.account)
    left = sum(one.amount_minor - one.released_minor - one.refunded_minor for one in stages)
    assert row.released_minor == sum(one.released_minor for one in stages)
    assert row.refunded_minor == sum(one.refunded_minor for one in stages)
    assert row.released_minor + row.refunded_minor + left == row.locked_minor == FIRST + SECOND
    return row.released_minor, row.refunded_minor, left


def paid_out(scene: Scene, expected: int, line: str, *, stage: int = 0) -> None:
    amount, payment = scene.order(stage)
    assert amount == expected
    scene.confirm(amount, payment, line, stage=stage)
    sums(scene)


def paid_back(scene: Scene, expected: int, line: str, *, stage: int) -> None:
    with scene.at.app.desk.session() as session:
        amount, payment = scene.room.refund_order(session, scene.account, stage)
    assert amount == expected
    scene.at.submit_entrusted(scene.room.prepare_confirm_refunded(scene.account, stage, amount, payment, line))
    sums(scene)


def test_partial_delivery_and_a_dispute_in_each_stage_end_to_the_cent(installation: Installation) -> None:
    at, scene = installation, opened(installation)
    scene.ready(26_000_00)  # 65 of 100 tonnes came
    paid_out(scene, 26_000_00, "LINE-1")
    at.refused("stage_not_releasable", scene.order)
    scene.ready(FIRST)  # the rest came, some of it wet
    at.submit_entrusted(scene.room.prepare_dispute(scene.account, 0, at.who(PINE), 3_500_00, "seven tonnes are wet"))
    paid_out(scene, 10_500_00, "LINE-2")
    assert sums(scene) == (36_500_00, 0, 63_500_00)

    scene.ready(SECOND, stage=1)
    held = scene.room.prepare_dispute(scene.account, 1, at.who(STEEL), 12_345_67, "the price of 12 tonnes is open")
    at.submit_entrusted(held)
    paid_out(scene, 47_654_33, "LINE-3", stage=1)
    at.refused("stage_not_releasable", lambda: scene.order(1))
    settle = at.app.settling.prepare_resolve(scene.account, 1, 10_000_00, 2_345_67, "the price is agreed")
    at.submit_entrusted(settle)
    paid_out(scene, 10_000_00, "LINE-4", stage=1)
    paid_back(scene, 2_345_67, "LINE-5", stage=1)

    at.clock.advance(days=16)  # nobody agreed on the wet tonnes
    first, second = (demo_key(name) for name in OPERATOR_NAMES[:2])
    with at.app.desk.session() as session:
        lift = at.app.holds.open_lift(
            session,
            f"dispute:{scene.account}:0",
            first.address,
            words="four of seven can be used",
            evidence_id=scene.inspector,
            to_release_minor=2_000_00,
            to_refund_minor=1_500_00,
        ).id
    for operator in (first, second):
        with at.app.desk.session() as session:
            prepared = at.app.holds.lift(session, lift)[1]
        assert prepared is not None
        at.app.holds.sign_lift(lift, operator.address, sign_digest(operator.private, prepared.digest))
    paid_out(scene, 2_000_00, "LINE-6")
    paid_back(scene, 1_500_00, "LINE-7", stage=0)
    assert sums(scene) == (96_154_33, 3_845_67, 0)
    with at.app.desk.session() as session:
        assert scene.room.turn(session, scene.account)["en"] == "Everything was released or paid back."
    assert rebuild_books(at.app, check=True)[0] == []


def test_the_obligor_fails_while_three_tiers_and_two_financiers_hold(installation: Installation) -> None:
    at, scene = installation, MoneyScene(installation)
    number, root = scene.issued()
    pine = at.passed(root, PINE, 500_000_01, at.trade("INV-P", 500_000_01, seller=PINE, buyer=LOTUS))
    river = at.passed(pine, RIVER, 200_000_00, at.trade("INV-R", 200_000_00, seller=RIVER, buyer=PINE))
    with_recourse = scene.sold(river, 120_000_00, recourse=True)
    without = scene.sold(pine, 100_000_00, recourse=False, to=FARHILL)
    notes = (root, pine, river, with_recourse, without)
    held = (499_999_99, 200_000_01, 80_000_00, 120_000_00, 100_000_00)
    assert sum(held) == FACE

    with at.app.desk.session() as session:  # what each was told before
        nets = [scene.app.financing.financing(session, one).net_minor for one in (with_recourse, without)]
        told = [of_note(session, scene.app.parties, one) for one in notes]
        assert [(one.not_received_minor, one.to_pay_back_minor) for one in told[:3]] == [
            (499_999_99, 0),
            (200_000_01, 0),  # sold without recourse: its money stays
            (80_000_00, 120_000_00),  # sold with recourse: it may have to buy back
        ]
        assert [one.worst_case_minor for one in told] == [499_999_99, 200_000_01, 200_000_00, *nets]

    scene.move_to(scene.due(number) + timedelta(days=6))
    scene.app.maturity.halt_overdue()
    scene.arrives(300_000_00, "dividend", end_to_end=payment_id(number))
    (line,) = scene.look()
    interest = FACE * 500 * line.days_late // 1_000_000
    assert line.days_late > 0 and line.finding == Finding.PARTIAL
    assert (line.interest_minor, line.principal_minor) == (interest, 300_000_00 - interest)
    scene.attest([line])
    with at.app.desk.session() as session:
        rows = [queries.note(session, one) for one in notes]
    for row, share in zip(rows, held, strict=True):
        for got, of in ((row.settled_minor, line.principal_minor), (row.interest_minor, interest)):
            assert abs(Fraction(share * of, FACE) - got) < 1, "a share is off by less than a cent"
        assert row.amount_minor == share - row.settled_minor
    assert sum(row.settled_minor for row in rows) == line.principal_minor
    assert sum(row.interest_minor for row in rows) == interest

    with at.app.desk.session() as session:
        (demand,) = scene.app.maturity.recourse.demand_buy_backs(session, number)
        assert (demand.note_id, demand.assignor, demand.financier) == (with_recourse, at.who(RIVER), at.who(HARBOUR))
        terms, sold = scene.app.financing.financing(session, with_recourse), rows[3]
        late = sold.interest_minor + int(Fraction(sold.amount_minor * 500 * line.days_late, 1_000_000) + Fraction(1, 2))
        owed = late + terms.fees_minor + terms.discount_minor + terms.net_minor
        assert terms.fees_minor + terms.discount_minor + terms.net_minor == 120_000_00
        assert demand.amount_minor == owed - sold.settled_minor - sold.interest_minor
        assert len(session.exec(select(BuyBackDemand)).all()) == 1, "nobody else is asked: not Pine, not Lotus"
        for who in (at.who(PINE), at.who(LOTUS), at.who(CORE)):
            assert demand.assignor != who
        lost = scene.app.maturity.recourse.waterfall(session, without)
        assert lost.buy_back_minor == 0
        assert sum(lost.paid.values()) + lost.residual_minor == rows[4].settled_minor + rows[4].interest_minor
        whole = scene.app.maturity.recourse.waterfall(session, with_recourse, extra_minor=demand.amount_minor)
        assert (whole.shortfall_minor, whole.residual_minor) == (0, 0), "the demand is exactly what is missing"
    assert scene.conserved(number)


def test_a_payment_taken_back_after_settlement_moves_no_note_and_waits_for_a_person(installation: Installation) -> None:
    at, scene = installation, MoneyScene(installation)
    number, root = scene.issued()
    part = at.passed(root, PINE, 333_333_33, at.trade("INV-P", 333_333_33, seller=PINE, buyer=LOTUS))
    scene.move_to(scene.due(number))
    reference = scene.arrives(FACE, "a", end_to_end=payment_id(number))
    scene.attest(scene.look())

    def settled() -> list[int]:
        with at.app.desk.session() as session:
            return [queries.note(session, one).settled_minor for one in (root, part)]

    assert settled() == [666_666_67, 333_333_33]
    scene.bank.simulator.reverse(reference)
    (back,) = scene.look()
    assert (back.finding, back.state, back.amount_minor) == (
        Finding.REVERSED_AFTER_SETTLEMENT,
        "exception",
        -FACE,
    )
    assert settled() == [666_666_67, 333_333_33], "holders keep what the bank attested"
    with at.app.desk.session() as session:
        assert back.line_id in {one.line_id for one in scene.app.maturity.exceptions(session)}
    at.refused("line_not_payable", lambda: scene.app.maturity.prepare_attestation(back.line_id))
    assert scene.look() == [], "seen once"
    assert scene.conserved(number)


@pytest.mark.parametrize("minor", [0, -1, FIRST + 1])
def test_nobody_disputes_nothing_or_more_than_a_stage_has(installation: Installation, minor: int) -> None:
    at, scene = installation, opened(installation)
    with pytest.raises(Problem):
        at.submit_entrusted(scene.room.prepare_dispute(scene.account, 0, at.who(PINE), minor, "all of it"))
    sums(scene)
