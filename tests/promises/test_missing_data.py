"""Missing data is unknown, never a pass: at the door where a receivable is issued, and where a release is approved."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select
from tests.installation import Installation, Trade

from scf.demo.cast import LOTUS, firm
from scf.demo.papers import invoice
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.rulebook.checks import Outcome
from scf.rulebook.service import Rulebook, Verdict
from scf.store import evidence
from scf.store.evidence import Evidence, Trust

FACE = 100_000_00
BOOK = Rulebook.load()


def filed(at: Installation, number: str, trust: Trust, **facts: Any) -> Trade:
    """A trade of which only an invoice and these facts are on file."""
    paper = invoice(
        number, LOTUS, "core", f"PO-{number}", "Parts", FACE, today(at.clock), next_day(today(at.clock), 60)
    )
    name = firm(LOTUS).name
    one = at.app.documents.import_file(paper.raw, paper.name, source=name, sender=name, trust=trust)
    with at.app.desk.session() as session:
        document = at.app.receivables.file(session, [one.evidence_id], invoice_minor=FACE, **facts).document
    return Trade(document, at.app.receivables.fingerprint(name, number, today(at.clock)))


def test_an_issue_of_which_nobody_knows_the_delivery_is_not_prepared(shared_installation: Installation) -> None:
    at = shared_installation
    request = at.request(filed(at, "INV-1", Trust.T3), FACE)
    problem = at.refused("rule_unknown", lambda: at.app.receivables.prepare_issue(request))
    assert "date of delivery" in problem.sentence("en") and "交付日期" in problem.sentence("zh-CN")
    known = at.request(filed(at, "INV-2", Trust.T3, delivered_on=today(at.clock).isoformat()), FACE)
    at.app.receivables.prepare_issue(known)


def test_what_only_the_applicant_uploaded_is_issued_with_a_warning_and_finances_nothing(
    installation: Installation,
) -> None:
    at = installation
    day = today(at.clock).isoformat()
    _, note = at.issued(filed(at, "INV-1", Trust.T1, delivered_on=day), FACE)
    invited = [at.who("harbour"), at.who("farhill")]

    def ask() -> None:
        with at.app.desk.session() as session:
            at.app.financing.ask(session, note, FACE, invited)

    problem = at.refused("CN-77-10-CLEARED", ask)
    assert "T1" in problem.sentence("en")
    with at.app.desk.session() as session:
        warned = session.exec(select(Evidence).where(Evidence.kind == "decision")).all()
        raw = b" ".join(evidence.raw_bytes(session, one.evidence_id) for one in warned)
    assert b'"CN-77-10-TRUST"' in raw, "the issue's decision says that nobody independent was heard"


@pytest.mark.parametrize("ruleset", sorted(BOOK.rulesets))
def test_an_empty_request_is_clear_under_no_rule(ruleset: str) -> None:
    """Every rule of every act, asked with nothing known: not one of them says clear."""
    day = BOOK.effective_on(ruleset)
    acts = {act for rule in BOOK.list(day, ruleset) for act in rule.applies_to}
    assert acts
    for act in acts:
        judged = BOOK.judge(act, {}, day, ruleset)
        assert judged.verdict is not Verdict.CLEAR
        assert [finding.rule_id for finding in judged.findings if finding.outcome is Outcome.CLEAR] == []
