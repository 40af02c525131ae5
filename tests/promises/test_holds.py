"""Every hold says why, who decides and by when; a dispute holds its own part alone."""

from __future__ import annotations

import pytest
from sqlmodel import select
from tests.entrusted.test_release import FIRST, opened
from tests.installation import Installation

from scf.demo.cast import LOTUS, PINE, firm
from scf.demo.papers import invoice
from scf.entrusted import queries
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.kernel.sentences import catalogue
from scf.ledger.hashing import keccak
from scf.reconciliation.exceptions import HANDLING, explain, sentence_code
from scf.reconciliation.facts import day_number
from scf.reconciliation.models import ExceptionRow
from scf.reconciliation.rule import Reason
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
