"""Every hold says why, who decides and by when; a dispute holds its own part alone."""

from __future__ import annotations

import pytest
from sqlmodel import select
from tests.entrusted.test_release import FIRST, Scene, opened
from tests.installation import Installation

from scf.app import rebuild_books
from scf.demo.cast import HARBOUR, LOTUS, PINE, firm
from scf.demo.papers import invoice
from scf.entrusted import queries
from scf.holds.models import HoldLift
from scf.installation import OPERATOR_NAMES
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.kernel.problems import Problem
from scf.kernel.sentences import catalogue
from scf.ledger.hashing import keccak
from scf.ledger.intents import quorum_digest
from scf.ledger.signing import sign_digest
from scf.parties.keys import KeyPair, demo_key
from scf.reconciliation.exceptions import HANDLING, explain, sentence_code
from scf.reconciliation.facts import day_number
from scf.reconciliation.models import ExceptionRow
from scf.reconciliation.rule import Reason
from scf.store import evidence
from scf.store.evidence import Trust


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.EXPECTED], ids=lambda r: r.name)
def test_every_kind_of_disagreement_has_an_owner_and_days_to_decide(reason: Reason) -> None:
    handling = HANDLING[reason]
    assert handling.severity in ("stop", "act", "watch")
    assert handling.owner and handling.days > 0
    said = catalogue()[sentence_code(reason.name, "")]
    assert said.en and said.zh_cn


def test_an_exception_that_opens_says_why_who_and_until_when(installation: Installation) -> None:
    at = installation
    day = today(at.clock)
    for gross in (100_00, 900_00):  # one number, two invoices: the second contradicts the first
        paper = invoice("INV-1", LOTUS, "core", "PO-1", "Parts", gross, day, next_day(day, 30))
        name = firm(LOTUS).name
        at.app.documents.import_file(paper.raw, paper.name, source=name, sender=name, trust=Trust.T2)
    with at.app.reading() as session:
        rows = session.exec(select(ExceptionRow).where(ExceptionRow.state == "open")).all()
        assert rows
        for row in rows:
            assert row.owner and row.deadline_day > day_number(day) and row.reference
            for language in ("en", "zh-CN"):
                said = explain(
                    row.code,
                    row.field,
                    row.left_value,
                    row.right_value,
                    row.limit_milli,
                    reference=row.reference,
                    currency=row.currency,
                    left_text=row.left_text,
                    right_text=row.right_text,
                    language=language,
                )
                assert row.reference in said and "?" not in said


def test_a_dispute_holds_its_part_with_its_author_and_reason(installation: Installation) -> None:
    scene = opened(installation)
    scene.ready()
    dispute = scene.room.prepare_dispute(scene.account, 0, installation.who(PINE), 100_00, "two crates are wet")
    installation.submit_entrusted(dispute)
    with installation.app.reading() as session:
        (row,) = queries.disputes(session, scene.account)
        assert (row.raised_by, row.amount_minor) == (installation.who(PINE), 100_00)
        assert row.reason == "0x" + keccak(b"two crates are wet").hex()
        assert scene.room.stage_view(session, scene.account, 0).releasable_minor == FIRST - 100_00


def test_every_hold_is_appealed_with_words_and_decided_by_two_operators(installation: Installation) -> None:
    """A disputed part and a frozen note: reason, owner, deadline; the appeal and its decision are evidence."""
    scene, at = opened(installation), installation
    app = at.app
    scene.ready()
    with pytest.raises(Problem) as caught:
        scene.room.prepare_dispute(scene.account, 0, at.who(PINE), 100_00, "  ")
    assert caught.value.code == "dispute_without_words"
    at.submit_entrusted(scene.room.prepare_dispute(scene.account, 0, at.who(PINE), 100_00, "two crates are wet"))
    _, note = at.issued(at.trade("INV-9", 500_00), 500_00)
    operators = [demo_key(name) for name in OPERATOR_NAMES[:2]]
    with app.desk.session() as session:
        until = at.clock.now() + 90 * 86_400
        order = app.holds.file_order(
            session, "Case 7: freeze", authority="District court", binds_until=until, by=operators[0].address
        )
        with pytest.raises(Problem) as refused:
            app.holds.file_order(session, "x", authority="y", binds_until=until, by=at.who(LOTUS))
        assert refused.value.code == "role_needed_to_hold"
    freeze(at, note, order.reason)
    with app.desk.session() as session:
        found = {one.kind: one for one in app.holds.of(session, [at.who(LOTUS), at.who(PINE)])}
        assert {"dispute", "frozen"} <= set(found)
        assert "two crates are wet" in found["dispute"].reason["en"] and "Case 7" in found["frozen"].reason["zh-CN"]
        assert found["frozen"].decide_by == until
        assert found["frozen"].evidence_id and found["dispute"].evidence_id, "the words are filed"
        for hold in found.values():
            assert hold.owner["en"] and hold.owner["zh-CN"] and hold.decide_by > at.clock.now()
        with pytest.raises(Problem) as refused:
            app.holds.appeal(session, found["frozen"].id, at.who(PINE), "not mine")
        assert refused.value.code == "unknown_hold"
        appeal = app.holds.appeal(session, found["frozen"].id, at.who(LOTUS), "the debt was paid last year")
        assert app.holds.appeal(session, found["frozen"].id, at.who(LOTUS), "again").id == appeal.id
        assert evidence.records_of(session, appeal.evidence_id)[0].kind == "appeal"
        assert {one.recipient for one in app.notices.of_firm(session, [key.address for key in operators])}
        body = {"appeal": appeal.id, "outcome": "upheld", "words": "the receipt is genuine"}
        change = app.changes.request(session, "decide_appeal", body, operators[0].address)
        with pytest.raises(Problem) as refused:
            app.changes.approve(session, change.id, operators[0].address)
        assert refused.value.code == "same_person"
        app.changes.approve(session, change.id, operators[1].address)
    with app.desk.session() as session:
        (row,) = app.holds.appeals(session, of=[at.who(LOTUS)])
        assert (row.state, row.decided_by, row.agreed_by) == ("upheld", operators[0].address, operators[1].address)
        assert row.decision_evidence_id and evidence.records_of(session, row.decision_evidence_id)
        assert any("upheld" in one.en for one in app.notices.of(session, at.who(LOTUS)))


FIRST_OPERATOR, SECOND_OPERATOR = (demo_key(name) for name in OPERATOR_NAMES[:2])


def signed(at: Installation, lift: str, operator: KeyPair) -> HoldLift:
    """An operator signs what the lift asks for now."""
    with at.app.desk.session() as session:
        prepared = at.app.holds.lift(session, lift)[1]
    assert prepared is not None and prepared.summary["en"] and prepared.summary["zh-CN"]
    return at.app.holds.sign_lift(lift, operator.address, sign_digest(operator.private, prepared.digest))


def disputed(at: Installation, minor: int = 100_00) -> tuple[Scene, str]:
    """A stage ready to be paid out with a disputed part; returns the scene and a document on file."""
    scene = opened(at)
    scene.ready()
    at.submit_entrusted(scene.room.prepare_dispute(scene.account, 0, at.who(PINE), minor, "two crates are wet"))
    return scene, scene.inspector


def test_operators_decide_a_dispute_nobody_resolved_in_time(installation: Installation) -> None:
    at, (scene, paper) = installation, disputed(installation)
    holds, hold = at.app.holds, f"dispute:{scene.account}:0"

    def lift(by: str, out: int = 60_00, back: int = 40_00, words: str = "60 of 100 crates are good") -> HoldLift:
        with at.app.desk.session() as session:
            return holds.open_lift(
                session, hold, by, words=words, evidence_id=paper, to_release_minor=out, to_refund_minor=back
            )

    at.refused("lift_too_early", lambda: lift(FIRST_OPERATOR.address))
    at.clock.advance(days=16)
    at.refused("operator_needed", lambda: lift(at.who(PINE)))
    at.refused("reason_missing", lambda: lift(FIRST_OPERATOR.address, words="  "))
    for out, back in ((60_00, 40_01), (0, 0), (-1, 2)):
        at.refused("lift_divides_wrongly", lambda out=out, back=back: lift(FIRST_OPERATOR.address, out, back))  # type: ignore[misc]
    row = lift(FIRST_OPERATOR.address)
    assert lift(SECOND_OPERATOR.address).id == row.id, "one decision is under way at a time"
    with at.app.desk.session() as session:
        assert holds.turn(session, row)["en"] == "Two operators have to sign."
        prepared = holds.lift(session, row.id)[1]
    assert prepared is not None
    stranger = sign_digest(demo_key("nobody of the cast").private, prepared.digest)
    at.refused("signature_not_of_signer", lambda: holds.sign_lift(row.id, FIRST_OPERATOR.address, stranger))
    at.refused("operator_needed", lambda: holds.sign_lift(row.id, at.who(PINE), stranger))
    signed(at, row.id, FIRST_OPERATOR)
    at.refused("same_operator", lambda: signed(at, row.id, FIRST_OPERATOR))
    with at.app.desk.session() as session:
        assert queries.stage(session, scene.account, 0).disputed_minor == 100_00, "one operator decides nothing"
        assert "operator-1 signed" in holds.turn(session, holds.lift(session, row.id)[0])["en"]
    done = signed(at, row.id, SECOND_OPERATOR)
    assert (done.state, done.first_by, done.second_by) == ("done", FIRST_OPERATOR.address, SECOND_OPERATOR.address)
    at.refused("lift_over", lambda: holds.sign_lift(row.id, SECOND_OPERATOR.address, stranger))
    with at.app.desk.session() as session:
        stage = scene.room.stage_view(session, scene.account, 0)
        assert (stage.disputed_minor, stage.releasable_minor, stage.refundable_minor) == (0, FIRST - 40_00, 40_00)
        (_, ended) = queries.disputes(session, scene.account)
        assert (ended.to_release_minor, ended.to_refund_minor, ended.reason) == (60_00, 40_00, done.reason)
        assert hold not in {one.id for one in holds.all(session)}
        for who in (at.who(PINE), at.who(HARBOUR)):
            assert any("A hold has ended: 60 of 100 crates" in one.en for one in at.app.notices.of(session, who))
    amount, payment = scene.order()
    assert amount == FIRST - 40_00
    scene.confirm(amount, payment, "LINE-Q")
    assert rebuild_books(at.app, check=True)[0] == []


def test_a_signature_made_void_by_another_act_of_the_operators_is_asked_for_again(installation: Installation) -> None:
    at, (scene, paper) = installation, disputed(installation)
    other = opened(at)
    other.ready()
    at.submit_entrusted(other.room.prepare_dispute(other.account, 0, at.who(PINE), 5_00, "one crate is missing"))
    at.clock.advance(days=16)
    with at.app.desk.session() as session:
        rows = [
            at.app.holds.open_lift(
                session, f"dispute:{one.account}:0", FIRST_OPERATOR.address,
                words="all of it is good", evidence_id=paper, to_release_minor=minor,
            )
            for one, minor in ((scene, 100_00), (other, 5_00))
        ]  # fmt: skip
        first, second = (row.id for row in rows)
    signed(at, first, FIRST_OPERATOR)
    signed(at, second, FIRST_OPERATOR)
    assert signed(at, second, SECOND_OPERATOR).state == "done"
    assert signed(at, first, SECOND_OPERATOR).state == "open", "what the first had signed is void"
    assert signed(at, first, FIRST_OPERATOR).state == "done"


def test_an_upheld_appeal_prepares_what_ends_the_hold(installation: Installation) -> None:
    """Against a frozen note and a dispute: the decision itself says who still signs, and with it the hold is gone."""
    at, (scene, _) = installation, disputed(installation)
    app = at.app
    _, note = at.issued(at.trade("INV-9", 500_00), 500_00)
    with app.desk.session() as session:
        until = at.clock.now() + 90 * 86_400
        order = app.holds.file_order(
            session, "Case 8", authority="District court", binds_until=until, by=FIRST_OPERATOR.address
        )
    freeze(at, note, order.reason)
    for hold, who in ((f"frozen:{note}", at.who(LOTUS)), (f"dispute:{scene.account}:0", at.who(HARBOUR))):
        with app.desk.session() as session:
            appeal = app.holds.appeal(session, hold, who, "this is wrong").id
            body = {"appeal": appeal, "outcome": "upheld", "words": "it is wrong indeed"}
            change = app.changes.request(session, "decide_appeal", body, FIRST_OPERATOR.address)
            app.changes.approve(session, change.id, SECOND_OPERATOR.address)
            [row] = app.holds.lifts(session, hold=hold)
            assert (row.state, row.appeal) == ("open", appeal)
            assert row.evidence_id == app.holds.appeals(session, hold=hold)[0].decision_evidence_id
        assert signed(at, row.id, SECOND_OPERATOR).state == "open"
        assert signed(at, row.id, FIRST_OPERATOR).state == "done"
        with app.desk.session() as session:
            assert hold not in {one.id for one in app.holds.all(session)}
            assert any("A hold has ended" in one.en for one in app.notices.of(session, who))
    with app.desk.session() as session:
        view = scene.room.stage_view(session, scene.account, 0)
        assert (view.disputed_minor, view.refundable_minor) == (0, 100_00), "the payer was right: its part goes back"


def test_a_hold_nobody_decided_in_time_is_told_to_the_operators_once_a_day(installation: Installation) -> None:
    scene, at = opened(installation), installation
    scene.ready()
    at.submit_entrusted(scene.room.prepare_dispute(scene.account, 0, at.who(PINE), 100_00, "two crates are wet"))
    before = at.app.holds.remind()
    at.clock.advance(days=16)
    assert at.app.holds.remind() > before
    at.app.holds.remind()
    with at.app.desk.session() as session:
        told = at.app.notices.of(session, demo_key(OPERATOR_NAMES[0]).address)
    assert len([one for one in told if one.kind == "hold" and "two crates" in one.en]) == 1


def freeze(at: Installation, note: str, reason: str) -> None:
    """Two operators freeze a note for a filed order."""
    contract = at.app.contracts.receivables
    nonce = contract.read(at.app.ledger, "quorumNonce")
    message = {"noteId": int(note, 16), "frozenStatus": True, "reason": reason, "nonce": nonce}
    prepared = at.app.desk.prepare("freeze", "Receivables", "SetFrozen", message, signers=(), summary={})
    keys = [demo_key(name).private for name in OPERATOR_NAMES[:2]]
    call = contract.call("setFrozenTokens", int(note, 16), True, reason, quorum_digest(keys, prepared.digest))
    at.app.desk.relay([("freeze", call)])
