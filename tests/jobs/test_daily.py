"""A day that runs by itself: reminders, what the bank says, overdue, buy-back demands, anchoring; nothing twice."""

from __future__ import annotations

from datetime import timedelta

from tests.financing.scene import FACE, Scene
from tests.installation import Installation

from scf.demo.cast import CORE, LOTUS
from scf.desk.anchoring import anchor
from scf.financing.collecting import payment_id
from scf.installation import OPERATOR_NAMES
from scf.jobs.service import DAY, Jobs
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key


def daily(scene: Scene) -> Jobs:
    app, key = scene.app, demo_key(OPERATOR_NAMES[0])
    return Jobs(
        app.desk,
        app.parties,
        app.receivables,
        app.maturity,
        app.notices,
        exchange=lambda: len(app.documents.exchange(scene.bank.gateway).new_lines),
        anchor=lambda: anchor(app.desk, key.address, lambda digest: sign_digest(key.private, digest)),
        repayment_accounts=[scene.account],
    )


def test_the_days_around_a_default_run_by_themselves_and_survive_a_restart(installation: Installation) -> None:
    scene = Scene(installation)
    number, root = scene.issued()
    scene.sold(root, 300_000_00, recourse=True)
    due = scene.due(number)
    jobs = daily(scene)
    scene.move_to(due - timedelta(days=4))
    jobs.start()
    jobs.run_due()
    scene.move_to(due + timedelta(days=3), 12)  # nobody was there for a week
    jobs = daily(scene)
    jobs.start()
    ran = jobs.run_due()
    assert all(one.succeeded for one in ran), [one.outcome for one in ran if not one.succeeded]
    assert sum(one.name == "bank" for one in ran) == 7
    assert jobs.run_due() == []
    core, lotus = installation.who(CORE), installation.who(LOTUS)
    with scene.app.desk.session() as session:
        kinds = {who: [one.kind for one in scene.app.notices.of(session, who)] for who in (core, lotus)}
        assert scene.app.parties.member(session, core).halted
        overdue = [one for one in scene.app.notices.of(session, core) if one.kind == "overdue"]
    assert kinds[core].count("overdue") == 1
    assert sorted(kinds[lotus]) == ["buy_back", "overdue"]
    assert overdue[0].transaction_hash is not None
    assert scene.app.contracts.evidence.read(scene.app.ledger, "head")[0] > 0


def test_an_offer_nobody_took_lapses_by_itself_and_a_payment_is_seen(installation: Installation) -> None:
    scene = Scene(installation)
    number, _ = scene.issued()
    other = installation.trade("INV-2", 10_000_00)
    reply = installation.submit(scene.app.receivables.prepare_issue(installation.request(other, 10_000_00)))
    jobs = daily(scene)
    installation.clock.advance(seconds=8 * DAY)
    jobs.start()
    jobs.run_due()
    with scene.app.desk.session() as session:
        kinds = [one.kind for one in scene.app.notices.of(session, installation.who(CORE))]
    assert kinds == ["lapsed"] and scene.row(int(reply["receivable"])).state == "cancelled"
    scene.move_to(scene.due(number))
    scene.arrives(FACE, "a", end_to_end=payment_id(number))
    jobs.run_due()
    assert scene.look() == []  # the job has seen it
