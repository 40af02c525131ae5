"""Maturity: what each kind of bank line does, what overdue does, who is asked to buy back, how a halt ends."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlmodel import select
from tests.financing.scene import FACE, Scene
from tests.installation import Installation

from scf.demo.cast import CORE, HARBOUR, LOTUS, PINE, RIVER
from scf.financing.collecting import Finding, creditor_reference, divide, interest_due_minor, payment_id
from scf.financing.collecting import Paid as PaidMoney
from scf.financing.models import BuyBackDemand
from scf.financing.waterfall import Bucket, ResidualTo
from scf.kernel.problems import Problem
from scf.receivables import queries
from scf.receivables.models import NoteState
from scf.rulebook.decisions import LateTerms

DAILY = LateTerms(500)


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return Scene(installation)


def test_paid_in_full_and_in_time(scene: Scene) -> None:
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    scene.arrives(FACE, "a", end_to_end=payment_id(number))
    lines = scene.look()
    assert [(one.finding, one.found_by, one.principal_minor, one.interest_minor, one.days_late) for one in lines] == [
        (Finding.FULL, "end_to_end", FACE, 0, 0)
    ]
    scene.attest(lines)
    assert scene.row(number).state == "closed"
    assert scene.look() == []


def test_a_structured_reference_and_then_the_amount_find_the_receivable(scene: Scene) -> None:
    first, _ = scene.issued("INV-1", 300_000_00)
    second, _ = scene.issued("INV-2", 400_000_00)
    scene.move_to(scene.due(first))
    scene.arrives(300_000_00, "a", reference=creditor_reference(first))
    scene.arrives(400_000_00, "b")
    assert [(one.receivable_id, one.found_by) for one in scene.look()] == [(first, "reference"), (second, "amount")]


def test_two_debts_of_one_amount_wait_for_a_person(scene: Scene) -> None:
    first, _ = scene.issued("INV-1", 300_000_00)
    scene.issued("INV-2", 300_000_00)
    scene.move_to(scene.due(first))
    scene.arrives(300_000_00, "a")
    (line,) = scene.look()
    assert (line.finding, line.state, line.receivable_id) == (Finding.AMBIGUOUS, "exception", None)
    with pytest.raises(Problem, match="line"):
        scene.app.maturity.prepare_attestation(line.line_id)
    with scene.app.desk.session() as session:
        assigned = scene.app.maturity.assign(session, line.line_id, first)
    scene.attest([assigned])
    assert scene.row(first).state == "closed"


def test_part_payments_and_late_interest_add_up(scene: Scene) -> None:
    number, note = scene.issued()
    scene.move_to(scene.due(number))
    scene.arrives(400_000_00, "a", end_to_end=payment_id(number, "1"))
    part = scene.look()
    assert part[0].finding == Finding.PARTIAL
    scene.attest(part)
    on = scene.due(number) + timedelta(days=30)
    scene.move_to(on)
    late = 600_000_00 * 30 * 500 // 1_000_000
    scene.arrives(600_000_00 + late, "b", end_to_end=payment_id(number, "2"))
    rest = scene.look()
    days = rest[0].days_late
    assert days in (28, 29, 30)  # a due day on a weekend moves to the next working day
    assert rest[0].interest_minor == 600_000_00 * days * 500 // 1_000_000
    assert rest[0].principal_minor + rest[0].interest_minor + rest[0].surplus_minor == 600_000_00 + late
    scene.attest(rest)
    assert scene.row(number).state == "closed"
    assert scene.conserved(number)
    with scene.app.desk.session() as session:
        assert queries.note(session, note).interest_minor == rest[0].interest_minor


def test_too_much_is_shown_and_never_credited(scene: Scene) -> None:
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    scene.arrives(FACE + 7, "a", end_to_end=payment_id(number))
    (line,) = scene.look()
    assert (line.finding, line.principal_minor, line.surplus_minor) == (Finding.OVER, FACE, 7)
    with scene.app.desk.session() as session:
        assert [one.line_id for one in scene.app.maturity.exceptions(session)] == [line.line_id]
    scene.attest([line])
    scene.arrives(5_00, "b", end_to_end=payment_id(number, "again"))
    (more,) = scene.look()
    assert (more.finding, more.state, more.surplus_minor) == (Finding.NOTHING_OWED, "exception", 5_00)


def test_a_line_taken_back_before_the_bank_attested_cancels_the_payment(scene: Scene) -> None:
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    reference = scene.arrives(FACE, "a", end_to_end=payment_id(number))
    scene.look()
    scene.bank.simulator.reverse(reference)
    (back,) = scene.look()
    assert (back.finding, back.state) == (Finding.REVERSED, "cancelled")
    scene.arrives(FACE, "b", end_to_end=payment_id(number, "2"))
    (again,) = scene.look()
    assert (again.finding, again.principal_minor) == (Finding.FULL, FACE)


def test_a_payment_reversed_after_settlement_is_flagged_and_what_was_settled_stays(scene: Scene) -> None:
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    reference = scene.arrives(FACE, "a", end_to_end=payment_id(number))
    scene.attest(scene.look())
    scene.bank.simulator.reverse(reference)
    (back,) = scene.look()
    assert (back.finding, back.state, back.receivable_id) == (Finding.REVERSED_AFTER_SETTLEMENT, "exception", number)
    assert scene.row(number).state == "closed"
    assert scene.conserved(number)


def test_a_line_the_bank_attested_before_anybody_looked_is_what_it_said_and_nothing_goes_back(scene: Scene) -> None:
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    reference = scene.arrives(FACE + 3, "a", end_to_end=payment_id(number))
    scene.at.submit(scene.app.receivables.prepare_payment(number, FACE, reference))
    scene.app.receivables.settle(number)
    (line,) = scene.look()
    assert (line.finding, line.found_by, line.principal_minor, line.surplus_minor) == (
        Finding.OVER, "attestation", FACE, 3,
    )  # fmt: skip
    assert scene.row(number).state == "closed"


def test_overdue_halts_the_obligor_by_fact_and_payment_lets_operators_cure_it(scene: Scene) -> None:
    number, _ = scene.issued()
    core = scene.at.who(CORE)
    scene.move_to(scene.due(number) + timedelta(days=4))
    assert len(scene.app.maturity.halt_overdue()) == 1
    assert scene.app.maturity.halt_overdue() == []
    scene.at.refused("CN-77-15-OVERDUE", lambda: scene.issued_again("INV-2"))
    scene.at.refused("obligor_still_overdue", lambda: scene.app.maturity.prepare_cure(core, "00" * 32))
    scene.arrives(FACE + FACE // 100, "a", end_to_end=payment_id(number))
    (line,) = scene.look()
    assert line.interest_minor == FACE * line.days_late * 500 // 1_000_000 > 0
    scene.attest([line])
    scene.cure(core, line.evidence_id)
    with scene.app.desk.session() as session:
        assert not scene.app.parties.member(session, core).halted
    scene.issued("INV-3", 100_00)


def test_only_the_assignor_of_the_note_sold_with_recourse_is_asked_to_buy_back(scene: Scene) -> None:
    number, root = scene.issued()
    pine = scene.at.passed(root, PINE, 200_000_00, scene.at.trade("INV-P", 200_000_00, seller=PINE, buyer=LOTUS))
    with_recourse = scene.sold(root, 300_000_00, recourse=True)
    scene.at.clock.advance(hours=1)
    without = scene.sold(pine, 100_000_00, recourse=False)
    scene.move_to(scene.due(number) + timedelta(days=12))
    with scene.app.desk.session() as session:
        (demand,) = scene.app.maturity.recourse.demand_buy_backs(session, number)
        assert scene.app.maturity.recourse.demand_buy_backs(session, number) == []
        assert (demand.note_id, demand.assignor) == (with_recourse, scene.at.who(LOTUS))
        assert demand.financier == scene.at.who(HARBOUR)
        late = scene.app.maturity.recourse.waterfall(session, with_recourse).still_owed.penalty_minor
        assert demand.amount_minor == 300_000_00 + late > 300_000_00
        lost = scene.app.maturity.recourse.waterfall(session, without)
        assert (lost.buy_back_minor, lost.residual_to) == (0, ResidualTo.FINANCIER)
        whole = scene.app.maturity.recourse.waterfall(session, with_recourse, extra_minor=demand.amount_minor + 5_00)
        assert (whole.residual_minor, whole.residual_to) == (5_00, ResidualTo.SUPPLIER)
        assert whole.paid[Bucket.FEES] == 50_000
        shares = scene.app.maturity.recourse.priority(session, number, 350_000_00)
        assert shares == {with_recourse: 300_000_00, without: 50_000_00}  # registered first, paid first
        assert len(session.exec(select(BuyBackDemand)).all()) == 1


def test_the_obligor_fails_with_three_tiers_holding(scene: Scene) -> None:
    number, root = scene.issued()
    pine = scene.at.passed(root, PINE, 500_000_01, scene.at.trade("INV-P", 500_000_01, seller=PINE, buyer=LOTUS))
    river = scene.at.passed(pine, RIVER, 200_000_00, scene.at.trade("INV-R", 200_000_00, seller=RIVER, buyer=PINE))
    notes = (root, pine, river)
    scene.move_to(scene.due(number) + timedelta(days=5))
    scene.app.maturity.halt_overdue()
    scene.arrives(333_333_33, "dividend", end_to_end=payment_id(number))
    (line,) = scene.look()
    assert line.finding == Finding.PARTIAL and line.principal_minor + line.interest_minor == 333_333_33
    scene.attest([line])
    with scene.app.desk.session() as session:
        rows = [queries.note(session, one) for one in notes]
        assert sum(row.settled_minor for row in rows) == line.principal_minor
        assert sum(row.interest_minor for row in rows) == line.interest_minor
        assert all(row.state == NoteState.HELD and row.amount_minor > 0 for row in rows)
        given_up = scene.app.maturity.recourse.write_off(session, river, scene.at.who(RIVER), "insolvent")
        assert given_up.amount_minor == rows[2].amount_minor
    assert scene.conserved(number)
    assert scene.row(number).outstanding_minor == FACE - line.principal_minor


def test_reminders_come_before_maturity_and_not_after(scene: Scene) -> None:
    number, _ = scene.issued()
    with scene.app.desk.session() as session:
        assert scene.app.maturity.reminders(session) == []
    scene.move_to(scene.due(number) - timedelta(days=7))
    with scene.app.desk.session() as session:
        found = scene.app.maturity.reminders(session, range(5, 12))
        assert [(one.receivable_id, one.outstanding_minor) for one in found] == [(number, FACE)]
    due = scene.app.maturity.due_day(scene.row(number).maturity)
    steps = {}
    for left in (8, 7, 5, 3, 2, 1, 0, -1):  # on the days before 7, 3 and 1 nobody looked
        scene.move_to(due - timedelta(days=left))
        with scene.app.desk.session() as session:
            steps[left] = [(one.step, one.days_left) for one in scene.app.maturity.reminders(session)]
    assert steps == {
        8: [], 7: [(7, 7)], 5: [(7, 5)], 3: [(3, 3)], 2: [(3, 2)], 1: [(1, 1)], 0: [(0, 0)], -1: [],
    }  # fmt: skip


def test_interest_runs_on_what_was_still_owed() -> None:
    due = date(2026, 4, 30)
    half = PaidMoney(due + timedelta(days=10), 500_000_00, 5_000_00)
    assert interest_due_minor(FACE, due, [], due + timedelta(days=30), DAILY) == 15_000_00
    assert interest_due_minor(FACE, due, [half], due + timedelta(days=30), DAILY) == 5_000_00
    assert divide(10, 20, 15, 3).principal_minor == 0
    assert divide(40, 20, 15, 3).surplus_minor == 5
