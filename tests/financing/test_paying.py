"""The treasurer's payment order: what the bank executes from it is recognised at maturity, to the cent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.financing.scene import BUYER_ACCOUNT, CNY, FACE, Scene
from tests.installation import Installation

from scf.demo.cast import CORE, LOTUS
from scf.financing.collecting import Finding
from scf.financing.paying import PaymentFile, payer_accounts, payment_file
from scf.kernel.problems import Problem
from scf.standards import pain


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return Scene(installation)


def ordered(scene: Scene, days: int = 5, account: str = BUYER_ACCOUNT) -> PaymentFile:
    """The payment order of the core enterprise up to so many days from now."""
    app = scene.app
    with app.reading() as session:
        return payment_file(
            session,
            app.parties,
            scene.at.who(CORE),
            CNY,
            scene.today() + timedelta(days=days),
            account,
            clock=app.clock,
            calendar=app.maturity.calendar,
            lateness=app.maturity.lateness,
        )


def test_the_bank_executes_the_file_and_maturity_finds_every_receivable(scene: Scene) -> None:
    first, _ = scene.issued("INV-1", 120_000_01)
    second, _ = scene.issued("INV-2", 80_000_00)
    scene.move_to(scene.due(first))
    made = ordered(scene)
    order = pain.read_001(made.raw)
    assert order.message_id == made.message_id
    assert [(one.end_to_end_id, one.amount_minor, one.currency) for one in order.instructions] == [
        (f"DUE{first}", 120_000_01, CNY),
        (f"DUE{second}", 80_000_00, CNY),
    ]
    assert all(one.structured_reference and one.structured_reference.startswith("RF") for one in order.instructions)
    assert {one.debtor.account for one in order.instructions} == {BUYER_ACCOUNT}
    assert {one.creditor.account for one in order.instructions} == {scene.account}
    assert ordered(scene).message_id == made.message_id, "the same list is the same order, executed once by a bank"
    scene.bank.gateway.instruct("treasurer.xml", made.raw)
    scene.at.clock.advance(days=1)
    lines = scene.look()
    assert sorted((one.receivable_id or 0, one.finding, one.found_by, one.principal_minor) for one in lines) == [
        (first, Finding.FULL, "end_to_end", 120_000_01),
        (second, Finding.FULL, "end_to_end", 80_000_00),
    ]
    scene.attest(lines)
    assert scene.row(first).state == scene.row(second).state == "closed"
    with pytest.raises(Problem) as caught:
        ordered(scene)
    assert caught.value.code == "nothing_to_pay"


def test_a_late_debt_is_paid_with_its_interest_and_a_second_payment_has_a_name_of_its_own(scene: Scene) -> None:
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    scene.arrives(FACE // 2, "part", end_to_end=f"DUE{number}")
    scene.attest(scene.look())
    scene.move_to(scene.due(number) + timedelta(days=10))
    made = ordered(scene)
    (one,) = made.payments
    assert one.end_to_end_id == f"DUE{number}-2"
    assert one.principal_minor == FACE - FACE // 2 and one.interest_minor > 0
    assert one.pay_on >= scene.today()
    scene.bank.gateway.instruct("rest.xml", made.raw)
    scene.at.clock.advance(days=(one.pay_on - scene.today()).days + 1)
    (line,) = scene.look()
    assert (line.finding, line.receivable_id) == (Finding.FULL, number)
    assert (line.principal_minor, line.interest_minor) == (one.principal_minor, one.interest_minor)


def test_only_an_own_account_pays_and_nothing_before_its_day(scene: Scene) -> None:
    scene.issued()
    with scene.app.reading() as session:
        mine = payer_accounts(session, scene.app.parties, scene.at.who(CORE), CNY)
        assert [row.number for row in mine] == [BUYER_ACCOUNT]
        theirs = payer_accounts(session, scene.app.parties, scene.at.who(LOTUS), CNY)[0].number
    for days, account, code in ((90, theirs, "payer_account_unknown"), (90, "", "payer_account_unknown")):
        scene.at.refused(code, lambda days=days, account=account: ordered(scene, days, account))
    scene.at.refused("nothing_to_pay", lambda: ordered(scene, 3))
