"""The page of money in and out: who sees what, and mending what failed without JavaScript."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import As, act_as, demo  # noqa: F401  fixtures
from tests.api.installation import CORE, LOTUS, Installation

from scf.bank import service as bank
from scf.demo.cast import firm
from scf.financing.collecting import payment_id
from scf.financing.models import CollectedLine
from scf.kernel.clock import today


def look(at: Installation) -> None:
    at.app.jobs.exchange_now()


def post(client: Any, **form: str) -> Any:
    return client.post("/money", data=form, follow_redirects=True)


def newest(at: Installation) -> int:
    with at.app.reading() as session:
        rows = at.app.maturity.exceptions(session)
        return rows[-1].line_id


def test_a_line_nobody_explains_is_assigned_and_shown_for_signing(demo: Installation, act_as: As) -> None:  # noqa: F811
    operator, civic = act_as("operator", "operator-1"), act_as("civic")
    assert "没有失败的付款" in act_as("operator", "operator-1", language="zh-CN").get("/money").text
    demo.story.bank.simulator.deposit(
        demo.story.bank.repayment_account, 77_77, reference="a", debtor="Somebody", debtor_account=firm(CORE).account
    )
    look(demo)
    line = newest(demo)
    assert "not explained" in operator.get("/money").text
    assert "77.77" not in civic.get("/money").text, "no receivable, so no bank of an obligor yet"
    assert "77.77" not in act_as("lotus").get("/money").text
    wrong = post(operator, act="assign", line=str(line), receivable="999")
    assert "999" in wrong.text and wrong.status_code == 404
    assert "no bank line" in post(act_as("lotus"), act="assign", line=str(line), receivable="1").text
    done = post(operator, act="assign", line=str(line), receivable=str(demo.receivable))
    assert "Assigned." in done.text
    page = civic.get("/money").text
    assert "Sign what the line proves" in page and f"receivable={demo.receivable}" in page
    form = civic.get(f"/act/payment?receivable={demo.receivable}&principal=77.77&bank_reference=X")
    assert form.status_code == 200 and "77.77" in form.text


def test_too_much_goes_back_and_a_refused_payment_is_made_anew(demo: Installation, act_as: As) -> None:  # noqa: F811
    operator, payer = act_as("operator", "operator-1"), act_as("harbour")
    with demo.app.desk.session() as session:
        bank.instruct_payment(
            session,
            end_to_end_id="BIGONE",
            debtor_account=firm("harbour").account,
            creditor_account=firm(LOTUS).account,
            creditor=firm(LOTUS).name,
            amount_minor=10**13,
            currency="CNY",
            execute_on=today(demo.clock),
            now=demo.clock.now(),
        )
    assert post(operator, act="nonsense", line="1").status_code == 404
    name = payment_id(demo.receivable, "x")
    with demo.app.reading() as session:
        outstanding = demo.app.maturity.reminders(session, range(400))[0].outstanding_minor
    demo.story.bank.simulator.deposit(
        demo.story.bank.repayment_account,
        outstanding + 5,
        reference="b",
        debtor=firm(CORE).name,
        debtor_account=firm(CORE).account,
        end_to_end_id=name,
    )
    look(demo)
    page = operator.get("/money").text
    assert "refused by the bank" in page and "AM04" in page and "too much" in page
    assert "BIGONE" in payer.get("/money").text
    assert "Ordered anew." in post(payer, act="again", payment="BIGONE").text
    assert "BIGONE" in post(act_as("farhill"), act="again", payment="BIGONE").text, "refused by name"
    with demo.app.reading() as session:
        rows = [one for one in demo.app.maturity.exceptions(session) if one.surplus_minor]
    assert "Ordered." in post(operator, act="back", line=str(rows[-1].line_id)).text
    with demo.app.reading() as session:
        assert rows[-1].line_id not in {one.line_id for one in demo.app.maturity.exceptions(session)}
        assert session.get(CollectedLine, rows[-1].line_id) is not None
