"""Every hold says why, who decides and by when; a dispute holds its own part alone."""

from __future__ import annotations

import pytest
from sqlmodel import select
from tests.entrusted.test_release import FIRST, opened
from tests.installation import Installation

from scf.app import OPERATOR_NAMES
from scf.demo.cast import LOTUS, PINE, firm
from scf.demo.papers import invoice
from scf.entrusted import queries
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.kernel.problems import Problem
from scf.kernel.sentences import catalogue
from scf.ledger.hashing import keccak
from scf.ledger.intents import quorum_digest
from scf.parties.keys import demo_key
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
