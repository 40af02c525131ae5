"""Files come in any order: what was taken back before it was told, and what comes back of our own, pay no debt."""

from __future__ import annotations

from datetime import date

import pytest
from tests.financing.scene import FACE, Scene
from tests.installation import Installation

from scf.bank import service as bank
from scf.bank.models import BankLine
from scf.demo.cast import LOTUS, firm
from scf.financing.collecting import Finding, payment_id
from scf.financing.models import CollectedLine
from scf.store.evidence import Trust


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return Scene(installation)


def told(scene: Scene, amount: int, key: str, name: str, **change: object) -> list[CollectedLine]:
    """The bank's feed tells of one line on the repayment account; what it means."""
    values = {
        "account": scene.account,
        "key": key,
        "bank_reference": key,
        "booked_on": scene.today(),
        "amount_minor": amount,
        "currency": "CNY",
        "end_to_end_id": name,
        "trust": int(Trust.T3),
        "evidence_id": "ab" * 32,
        "seen_at": scene.at.clock.now(),
    }
    with scene.app.desk.session() as session:
        session.add(BankLine(**(values | change)))  # type: ignore[arg-type]
        session.flush()
        return scene.app.maturity.take_lines(session, scene.account)


def test_a_reversal_told_before_its_credit_leaves_the_debt_as_it_was(scene: Scene) -> None:
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    name = payment_id(number)
    (back,) = told(scene, -FACE, "BACK-1", name, is_reversal=True)
    assert back.state == "exception", "nothing is known yet that it could undo"
    (credit,) = told(scene, FACE, "CREDIT-1", name)
    assert (credit.state, credit.finding) == ("cancelled", Finding.REVERSED)
    scene.at.refused("line_not_payable", lambda: scene.app.maturity.prepare_attestation(credit.line_id))
    (again,) = told(scene, FACE, "CREDIT-2", name)
    assert (again.state, again.principal_minor, again.surplus_minor) == ("prepared", FACE, 0), "paid anew, it counts"
    scene.attest([again])
    assert scene.row(number).outstanding_minor == 0
    assert scene.conserved(number)


def test_a_payment_to_a_holder_that_comes_back_is_no_payment_of_an_obligor(scene: Scene) -> None:
    """Even where its amount is exactly what somebody owes."""
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    with scene.app.desk.session() as session:
        bank.instruct_payment(
            session,
            end_to_end_id="OUT1",
            debtor_account=scene.account,
            creditor_account="9558801234567890",
            creditor=firm(LOTUS).name,
            creditor_agent="OTHRCNBJXXX",
            amount_minor=FACE,
            currency="CNY",
            execute_on=date(2026, 3, 2),
            now=scene.at.clock.now(),
        )
    (line,) = told(scene, FACE, "RETURN-1", "OUT1", matched="OUT1", return_reason="AC04")
    assert (line.finding, line.state, line.receivable_id) == (Finding.PAYOUT_BACK, "exception", None)
    assert scene.row(number).outstanding_minor == FACE
    with scene.app.reading() as session:
        assert [one.line_id for one in scene.app.maturity.exceptions(session)] == [line.line_id], "a person sees it"
    with scene.app.desk.session() as session:
        bank.payment(session, "OUT1").state = bank.InstructionState.RETURNED
        bank.pay_again(session, "OUT1", execute_on=date(2026, 3, 3), now=scene.at.clock.now())
        assert scene.app.maturity.exceptions(session) == [], "it was made anew"
