"""What a holder is told before it accepts, against what happens on the same note when the obligor never pays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.entrusted.test_release import DAY, open_request
from tests.financing.scene import FACE, Scene
from tests.installation import START, Installation

from scf.demo.cast import CIVIC, CORE, FARHILL, HARBOUR, LOTUS, PINE, RIVER, firm
from scf.entrusted import queries as accounts
from scf.entrusted.queries import not_paid_out
from scf.financing.failure import if_taken, of_note
from scf.financing.models import BuyBackDemand, QuoteOffer
from scf.financing.price import late_interest_minor
from scf.financing.recourse import BUY_BACK_DAYS
from scf.receivables import queries


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return Scene(installation)


def offered(scene: Scene, note: str, minor: int, *, recourse: bool, account: int = 0) -> str:
    app, at = scene.app, scene.at
    with app.desk.session() as session:
        ask = app.financing.ask(session, note, minor, [at.who(HARBOUR), at.who(FARHILL)]).id
    quote, figures = app.financing.prepare_quote(
        ask, at.who(HARBOUR), rate_ppm=60_000, paying_bank=at.who(CIVIC), recourse=recourse, entrusted_account=account
    )
    return app.financing.submit_quote(ask, quote.message, at.sign(quote)[0], figures).quote_hash


def taken(scene: Scene, quote: str) -> str:
    app, at = scene.app, scene.at
    accept = app.financing.prepare_accept_quote(quote)
    note = str(app.financing.accept_quote(accept.message, at.sign(accept)[0], key=quote, caller="t")["note"])
    with app.desk.session() as session:
        number = app.financing.register(session, note)
    done = app.financing.prepare_complete(note, number, f"LINE {note}")
    app.financing.complete(done.message, at.sign(done)[0], key=f"complete {note}", caller="t")
    return note


def fails(scene: Scene, number: int) -> None:
    """Six days after the due day nothing came, and the daily job says so."""
    scene.move_to(scene.due(number) + timedelta(days=6))
    scene.app.jobs._overdue("")


def test_told_before_and_true_after_for_three_tiers_with_and_without_recourse(scene: Scene) -> None:
    at, app = scene.at, scene.app
    number, root = scene.issued()
    pine = at.passed(root, PINE, 500_000_01, at.trade("INV-P", 500_000_01, seller=PINE, buyer=LOTUS))
    offer = at.passed(pine, RIVER, 200_000_00, at.trade("INV-R", 200_000_00, seller=RIVER, buyer=PINE), accept=False)
    with app.reading() as session:
        before = of_note(session, app.parties, offer)
    assert [(one.kind, one.payer) for one in before.steps] == [("claim", firm(CORE).name)]
    at.submit(app.receivables.prepare_accept(offer))

    kept, owed = offered(scene, pine, 100_000_00, recourse=False), offered(scene, offer, 120_000_00, recourse=True)
    with app.reading() as session:
        told = {
            code: if_taken(session, app.parties, quote, not_paid_out, app.maturity.due_day)
            for code, quote in ((PINE, kept), (RIVER, owed))
        }
    assert [one.kind for one in told[PINE].steps] == ["claim", "keep"]
    assert [one.kind for one in told[RIVER].steps] == ["claim", "pay_back"]
    assert (told[PINE].worst_case_minor, told[RIVER].worst_case_minor) == (200_000_01, 200_000_00)
    assert (told[RIVER].not_received_minor, told[RIVER].to_pay_back_minor) == (80_000_00, 120_000_00)

    sold = {PINE: taken(scene, kept), RIVER: taken(scene, owed)}
    with app.reading() as session:
        assert of_note(session, app.parties, pine).worst_case_minor == told[PINE].worst_case_minor
        assert of_note(session, app.parties, offer).worst_case_minor == told[RIVER].worst_case_minor
        lender = of_note(session, app.parties, sold[RIVER])
    fails(scene, number)
    with app.reading() as session:
        demands = {code: session.get(BuyBackDemand, note) for code, note in sold.items()}
        held = {code: queries.note(session, note).amount_minor for code, note in ((LOTUS, root), (PINE, pine))}
        held[RIVER] = queries.note(session, offer).amount_minor
        river_pays = next(one for one in told[RIVER].steps if one.kind == "pay_back")
        demand = demands[RIVER]
    assert demands[PINE] is None, "sold without recourse: nobody asks Pine for anything"
    assert demand is not None
    assert (demand.assignor, demand.financier) == (at.who(RIVER), at.who(HARBOUR))
    due = app.maturity.due_day(scene.row(number).maturity)
    late = (scene.today() - due).days
    interest = late_interest_minor(120_000_00, late, 500)
    assert demand.amount_minor == river_pays.amount_minor + interest, "the face told, and late interest on top"
    assert demand.pay_until - demand.demanded_at == BUY_BACK_DAYS * DAY
    assert river_pays.from_on == due + timedelta(days=1) <= scene.today()
    assert held == {LOTUS: 499_999_99, PINE: told[PINE].not_received_minor, RIVER: told[RIVER].not_received_minor}
    assert lender.steps[-1].amount_minor == demand.amount_minor - interest


def test_a_price_paid_into_an_entrusted_account_is_told_as_not_yet_the_holders(scene: Scene) -> None:
    at, app = scene.at, scene.app
    number, note = scene.issued()
    request = replace(
        open_request(at), beneficiary=at.who(LOTUS), funds="sale_proceeds", separate_consent="Lock it for our steel.",
    )  # fmt: skip
    account = int(at.submit_entrusted(app.entrusted.prepare_open(request))["account"])
    locked = sum(stage.amount_minor for stage in request.stages)
    at.submit_entrusted(app.entrusted.prepare_confirm_locked(account, "LOCK"))
    quote = offered(scene, note, FACE, recourse=False, account=account)
    with app.reading() as session:
        net = session.get_one(QuoteOffer, quote).net_minor
        told = if_taken(session, app.parties, quote)
        known = if_taken(session, app.parties, quote, not_paid_out)
    assert [one.kind for one in told.steps] == ["locked", "keep"]
    assert told.worst_case_minor == known.worst_case_minor == net, "before a stage is paid, all of it may go back"
    assert "not to you" in told.steps[0].words["en"] and "不归您" in told.steps[0].words["zh-CN"]
    taken(scene, quote)
    with app.reading() as session:
        before = of_note(session, app.parties, note, not_paid_out)
    assert before.worst_case_minor == min(net, locked)
    scene.at.clock.move_to(START + 40 * DAY)  # past every deadline
    with app.desk.session() as session:
        back = [app.entrusted.refund_order(session, account, stage) for stage in (0, 1)]
    for stage, (amount, payment) in enumerate(back):
        at.submit_entrusted(app.entrusted.prepare_confirm_refunded(account, stage, amount, payment, f"BACK {stage}"))
    fails(scene, number)
    with app.reading() as session:
        row = accounts.account(session, account)
        after = of_note(session, app.parties, note, not_paid_out)
        assert session.get(BuyBackDemand, note) is None
    assert row.refunded_minor == before.worst_case_minor == after.worst_case_minor, "what was told is what went back"
