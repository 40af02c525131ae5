"""Maturity and bank troubles walked from the command line, the money in files of the simulated bank, to the cent."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.cli.lending import Ran, lend
from tests.financing.scene import FACE, Scene
from tests.installation import Installation

from scf.bank import service as bank
from scf.demo.cast import CORE, HARBOUR, LOTUS, PINE, RIVER, firm
from scf.financing.collecting import make_good_id, payment_id
from scf.kernel.clock import today

OPEN = (bank.InstructionState.WRITTEN, bank.InstructionState.SENT, bank.InstructionState.ACCEPTED)
LINE = re.compile(r"(?:^|[^\d.,-])(\d+) \d{4}-\d\d-\d\d ")


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return Scene(installation)


@pytest.fixture
def scf(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scene: Scene) -> Callable[..., Ran]:
    return lend(monkeypatch, capsys, scene.at, "scf.commands.maturity.opened", "scf.commands.bank.opened")


def newest(scf: Callable[..., Ran], *options: str) -> str:
    """Number of the newest line listed."""
    said = scf("maturity", "lines", *options).said
    found = LINE.search(said)
    assert found is not None, said
    return found.group(1)


def good(ran: Ran) -> str:
    assert ran.code == 0, ran.said
    return ran.said


def balance(scene: Scene, code: str) -> int:
    return scene.bank.simulator.balance_minor(firm(code).account)


def pays_out(scf: Callable[..., Ran], scene: Scene) -> None:
    """Days go by, over weekends and holidays, until the bank's lines prove what was ordered."""
    for _ in range(12):
        good(scf("bank", "exchange"))
        with scene.app.reading() as session:
            under_way = [one for state in OPEN for one in bank.payments(session, state=state)]
        if not under_way:
            return
        scene.move_to(today(scene.at.clock) + timedelta(days=1))
    raise AssertionError("the bank did not pay")


def test_in_parts_late_and_too_much(scf: Callable[..., Ran], scene: Scene) -> None:
    number, root = scene.issued()
    pine = scene.at.passed(root, PINE, 333_333_33, scene.at.trade("INV-P", 333_333_33, seller=PINE, buyer=LOTUS))
    assert pine
    before = {code: balance(scene, code) for code in (LOTUS, PINE)}
    scene.move_to(scene.due(number) - timedelta(days=3))
    assert "CNY 1,000,000.00" in good(scf("maturity", "due", "--days", "5"))

    scene.move_to(scene.due(number))
    scene.arrives(400_000_01, "part", end_to_end=payment_id(number))
    assert "1 on repayment accounts" in good(scf("bank", "exchange"))
    said = good(scf("maturity", "lines"))
    assert "partial (prepared)" in said and "400000.01" in said and "The paying bank signs" in said
    line = newest(scf)
    assert "CNY 400,000.01" in good(scf("maturity", "attest", line))
    assert scf("maturity", "attest", line).code == 0, "signed twice is signed once"
    pays_out(scf, scene)
    shares = {code: balance(scene, code) - before[code] for code in before}
    assert shares == {LOTUS: 266_666_67, PINE: 133_333_34}, "pro rata, the odd cent to the largest remainder"

    scene.move_to(scene.due(number) + timedelta(days=30))
    scene.app.jobs.scheduler._handlers["overdue"]("")
    said = good(scf("maturity", "due"))
    assert "CNY 599,999.99" in said and f"May not issue now: {firm(CORE).name}" in said
    interest = re.search(r"CNY 599,999\.99 CNY ([\d,.]+)", said)
    assert interest is not None
    owed = int(interest.group(1).replace(",", "").replace(".", ""))
    days = (scene.due(number) + timedelta(days=30) - scene.app.maturity.due_day(scene.row(number).maturity)).days
    assert owed == (599_999_99 * days * 5 + 5_000) // 10_000
    scene.arrives(599_999_99 + owed + 12_34, "rest", end_to_end=payment_id(number, "2"))
    good(scf("bank", "exchange"))
    line = newest(scf, "--exceptions")
    good(scf("maturity", "attest", line))
    assert "CNY 12.34" in good(scf("maturity", "give-back", line))
    assert scf("maturity", "give-back", line).code == 0, "ordered twice is ordered once"
    pays_out(scf, scene)
    assert f"SUR{line} rejected" in good(scf("bank", "payments", "--failed")), "that account is at another bank"
    assert newest(scf, "--exceptions") == line
    good(scf("maturity", "give-back", line, "--bic", "OTHRCNBJXXX"))
    pays_out(scf, scene)
    shares = {code: balance(scene, code) - before[code] for code in before}
    assert sum(shares.values()) == FACE + owed
    assert scene.bank.simulator.balance_minor(scene.account) == 0
    assert "settlement" in good(scf("maturity", "show", str(number)))

    core, evidence = scene.at.who(CORE), _evidence(scene, int(line))
    assert scf("maturity", "cure", core, "--evidence", "ab" * 32).code == 1
    assert firm(CORE).name in good(scf("maturity", "cure", core, "--evidence", evidence))
    assert "May not issue" not in good(scf("maturity", "due"))


def test_unexplained_then_assigned_and_taken_back_after_settlement(scf: Callable[..., Ran], scene: Scene) -> None:
    number, _ = scene.issued()
    scene.move_to(scene.due(number))
    first = scene.arrives(250_000_00, "who knows")
    good(scf("bank", "exchange"))
    assert "unmatched" in good(scf("maturity", "lines", "--exceptions"))
    line = newest(scf, "--exceptions")
    assert scf("maturity", "attest", line).code == 1
    assert "(partial)" in good(scf("maturity", "assign", line, str(number)))
    good(scf("maturity", "attest", line))
    pays_out(scf, scene)

    scene.bank.simulator.reverse(first)
    good(scf("bank", "exchange"))
    said = good(scf("maturity", "lines", "--exceptions"))
    assert "reversed_after_settlement" in said and "makes the amount good" in said
    back = newest(scf, "--exceptions")
    with scene.app.reading() as session:
        told = [one.kind for one in scene.app.notices.of(session, scene.at.who(CORE))]
    assert "payment_reversed" in told
    scene.arrives(750_000_00, "rest", end_to_end=payment_id(number, "2"))
    good(scf("bank", "exchange"))
    good(scf("maturity", "attest", newest(scf)))
    scene.arrives(250_000_00, "good again", end_to_end=make_good_id(number, int(back)))
    good(scf("bank", "exchange"))
    pays_out(scf, scene)
    assert newest_or_none(scf) is None
    assert scene.row(number).state == "closed" and scene.conserved(number)
    assert scene.bank.simulator.balance_minor(scene.account) == 0


def newest_or_none(scf: Callable[..., Ran]) -> str | None:
    found = LINE.search(good(scf("maturity", "lines", "--exceptions")))
    return found.group(1) if found else None


def _evidence(scene: Scene, line: int) -> str:
    from scf.financing.models import CollectedLine

    with scene.app.reading() as session:
        row = session.get(CollectedLine, line)
        assert row is not None
        return row.evidence_id


def test_recourse_waterfall_and_write_off(scf: Callable[..., Ran], scene: Scene) -> None:
    number, root = scene.issued()
    river = scene.at.passed(root, RIVER, 100_000_00, scene.at.trade("INV-R", 100_000_00, seller=RIVER, buyer=LOTUS))
    sold = scene.sold(root, 300_000_00, recourse=True)
    assert scf("maturity", "write-off", river, "--reason", "too early").code == 1
    scene.move_to(scene.due(number) + timedelta(days=12))
    scene.app.jobs.scheduler._handlers["overdue"]("")
    with scene.app.reading() as session:
        demands = {
            who: [one.kind for one in scene.app.notices.of(session, scene.at.who(who))].count("buy_back")
            for who in (LOTUS, RIVER, HARBOUR)
        }
    assert demands == {LOTUS: 1, RIVER: 0, HARBOUR: 0}, "the assignor of that note, and nobody else"
    said = good(scf("maturity", "waterfall", sold, "--cost", "10000"))
    assert said.index("cost") < said.index("penalty") < said.index("principal")
    claim = re.search(r"can be asked for ([\d.]+)", said)
    assert claim is not None
    cents = claim.group(1).replace(".", "")
    assert int(cents) > 300_000_00
    paid = good(scf("maturity", "waterfall", sold, "--cost", "10000", "--extra", str(int(cents) + 191_500_00)))
    assert "Residual 191500.00 to the supplier" in paid and "asked for 0.00" in paid
    assert "CNY 100,000.00" in good(scf("maturity", "write-off", river, "--reason", "insolvent"))
    assert "write-off" in good(scf("maturity", "show", str(number)))
    assert scf("maturity", "waterfall", root).code == 1


def test_what_the_bank_refuses_is_shown_and_made_anew(scf: Callable[..., Ran], scene: Scene) -> None:
    with scene.app.desk.session() as session:
        bank.instruct_payment(
            session,
            end_to_end_id="NOFUNDS",
            debtor_account=firm(PINE).account,
            creditor_account=firm(LOTUS).account,
            creditor=firm(LOTUS).name,
            amount_minor=10**12,
            currency="CNY",
            execute_on=today(scene.at.clock),
            now=scene.at.clock.now(),
        )
    good(scf("bank", "exchange"))
    said = good(scf("bank", "payments", "--failed"))
    assert "NOFUNDS rejected" in said and "AM04" in said and "makes it anew" in said
    scene.bank.simulator.deposit(firm(PINE).account, 10**12, reference="capital")
    assert "NOFUNDS.R2" in good(scf("bank", "again", "NOFUNDS"))
    good(scf("bank", "exchange"))
    assert "NOFUNDS" not in good(scf("bank", "payments", "--failed"))
    assert scf("bank", "again", "NOFUNDS.R2").code == 1
    assert scf("bank", "again", "NOBODY").code == 1
    assert "Every file" in good(scf("bank", "files"))
    assert scf("bank", "take", "ab" * 32, "--bic", "CIVBCNBJXXX").code == 1
