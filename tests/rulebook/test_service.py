"""Acts are judged by the rules of the day; unknown is never a pass; a pending rule is replayed over the book."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.kernel.problems import Problem
from scf.rulebook.checks import Outcome
from scf.rulebook.facts import LABELS, TYPES, Facts, label
from scf.rulebook.rules import Severity
from scf.rulebook.service import ReplayRecord, Rulebook, Verdict

BOOK = Rulebook.load()
DAY = date(2026, 6, 30)
GOOD_ISSUE: dict[str, Any] = {
    "issue_date": DAY,
    "maturity_date": date(2026, 7, 31),
    "has_trade_evidence": True,
    "trust_level": 2,
    "prepayment": False,
    "invoice_assigned": False,
    "delivered_on": date(2026, 6, 10),
    "payment_due_on": date(2026, 8, 1),
    "obligor_size": "large",
    "creditor_is_small": True,
    "obligor_overdue": False,
}
SLOW_ISSUE = GOOD_ISSUE | {"creditor_is_small": False}
"""Between large firms only the voucher's own term counts."""
GOOD_PASS: dict[str, Any] = {
    "tier": 2,
    "children": 1,
    "amount_minor": 100_00,
    "min_amount_minor": 1_00,
    "has_trade_evidence": True,
    "prepayment": False,
    "returns_to_earlier_holder": False,
    "hops_today": 1,
}
GOOD_FINANCE: dict[str, Any] = {
    "financiers_invited": 2,
    "issue_date": DAY,
    "maturity_date": date(2026, 12, 30),
    "has_trade_evidence": True,
    "trust_level": 3,
    "obligor_overdue": False,
}


def _refusal(act: str, facts: dict[str, Any], **more: Any) -> Problem:
    with pytest.raises(Problem) as refusal:
        BOOK.judge(act, facts, DAY, **more).require()
    return refusal.value


@pytest.mark.parametrize(("act", "facts"), [("issue", GOOD_ISSUE), ("pass", GOOD_PASS), ("finance", GOOD_FINANCE)])
def test_an_act_with_all_its_facts_in_order_is_clear(act: str, facts: dict[str, Any]) -> None:
    judgement = BOOK.judge(act, facts, DAY)
    assert judgement.verdict is Verdict.CLEAR
    assert judgement.require() is judgement
    assert judgement.flagged == ()


def test_six_months_to_the_day_unless_the_bank_reviewed_the_term_and_never_more_than_twelve() -> None:
    refusal = _refusal("issue", SLOW_ISSUE | {"maturity_date": date(2026, 12, 31)})
    assert refusal.code == "rule_refused"
    assert refusal.facts["rule"] == "CN-77-11-REVIEW"
    assert (refusal.status, refusal.money_moved) == (422, "no")
    assert "2026-12-30" in str(refusal)
    assert "Notice 77 of 2025, Art. 11" in str(refusal)
    assert "银发〔2025〕77号 第十一条" in refusal.sentence("zh-CN")
    assert "2026-12-30" in refusal.sentence("zh-CN")
    assert str(refusal) != refusal.sentence("zh-CN")
    for facts in ({"maturity_date": date(2026, 12, 30)}, {"maturity_date": date(2026, 12, 31), "term_review": "B-1"}):
        BOOK.judge("issue", SLOW_ISSUE | facts, DAY).require()
    longest = {"issue_date": date(2026, 6, 30), "term_review": "B-1"}
    BOOK.judge("issue", SLOW_ISSUE | longest | {"maturity_date": date(2027, 6, 30)}, DAY).require()
    beyond = _refusal("issue", SLOW_ISSUE | longest | {"maturity_date": date(2027, 7, 1)})
    assert beyond.facts["rule"] == "CN-77-11-MAX"
    blank = {"term_review": "  ", "maturity_date": date(2026, 12, 31)}
    assert BOOK.judge("issue", SLOW_ISSUE | blank, DAY).verdict is Verdict.REFUSE


def test_a_missing_fact_is_unknown_and_stops_what_a_blocking_rule_needs() -> None:
    facts = {name: value for name, value in GOOD_ISSUE.items() if name != "delivered_on"}
    judgement = BOOK.judge("issue", facts | {"prepayment": None}, DAY)
    assert judgement.verdict is Verdict.UNKNOWN
    refusal = _refusal("issue", facts | {"prepayment": None})
    assert refusal.code == "rule_unknown"
    assert refusal.money_moved == "no"
    assert "date of delivery" in str(refusal)
    assert "交付日期" in refusal.sentence("zh-CN")


def test_nothing_known_is_unknown_for_every_act_in_every_ruleset() -> None:
    for name in BOOK.rulesets:
        for act in {act for rule in BOOK.list(DAY, name) for act in rule.applies_to}:
            assert BOOK.judge(act, {}, DAY, name).verdict in (Verdict.UNKNOWN, Verdict.REFUSE)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(sorted(GOOD_ISSUE)), min_size=1))
def test_taking_facts_away_never_makes_an_issue_clear(gone: set[str]) -> None:
    facts = {name: value for name, value in GOOD_ISSUE.items() if name not in gone}
    assert BOOK.judge("issue", facts, DAY).verdict is not Verdict.CLEAR


def test_a_warning_is_shown_and_does_not_stop_the_act() -> None:
    judgement = BOOK.judge("issue", GOOD_ISSUE | {"trust_level": 1}, DAY).require()
    assert judgement.verdict is Verdict.FLAG
    (finding,) = judgement.flagged
    assert (finding.rule_id, finding.severity, finding.blocks) == ("CN-77-10-TRUST", Severity.WARN, False)
    assert "T1" in finding.sentence("en")


def test_what_is_only_reported_does_not_change_the_verdict() -> None:
    judgement = BOOK.judge("pass", GOOD_PASS | {"returns_to_earlier_holder": True}, DAY)
    assert judgement.verdict is Verdict.CLEAR
    assert [finding.rule_id for finding in judgement.flagged] == ["CN-SPLIT-ROUND"]


@pytest.mark.parametrize(
    ("facts", "latest"),
    [
        ({}, date(2026, 8, 9)),  # delivery + 60
        ({"inspection_days": 10}, date(2026, 8, 19)),  # the buyer does not accept: the period's end starts the clock
        ({"inspection_days": 10, "accepted_on": date(2026, 6, 12)}, date(2026, 8, 11)),
        ({"inspection_days": 10, "accepted_on": date(2026, 9, 1)}, date(2026, 8, 19)),  # a late click gains nothing
        ({"accepted_on": date(2026, 9, 1)}, date(2026, 8, 9)),  # no inspection agreed: delivery counts
    ],
)
def test_the_payment_clock_cannot_be_held_back_by_the_buyer(facts: dict[str, Any], latest: date) -> None:
    base = {"obligor_size": "large", "creditor_is_small": True, "delivered_on": date(2026, 6, 10), "term_agreed": False}
    due = {"payment_due_on": latest}
    assert BOOK.judge("payment_term", base | facts | due, DAY).verdict is Verdict.CLEAR
    late = {"payment_due_on": date.fromordinal(latest.toordinal() + 1)}
    refusal = _refusal("payment_term", base | facts | late)
    assert refusal.facts["rule"] == "CN-802-09-LARGE"
    assert latest.isoformat() in str(refusal)


def test_a_public_body_has_thirty_days_and_by_contract_sixty_and_never_more() -> None:
    base = {"obligor_size": "public_body", "creditor_is_small": True, "delivered_on": date(2026, 6, 1)}

    def verdict(due: date, **more: Any) -> Verdict:
        return BOOK.judge("payment_term", base | {"payment_due_on": due} | more, DAY).verdict

    assert verdict(date(2026, 7, 1)) is Verdict.CLEAR
    assert verdict(date(2026, 7, 2)) is Verdict.UNKNOWN  # was a longer term agreed?
    assert verdict(date(2026, 7, 2), term_agreed=False) is Verdict.REFUSE
    assert verdict(date(2026, 7, 31), term_agreed=True) is Verdict.CLEAR
    assert verdict(date(2026, 8, 1), term_agreed=True) is Verdict.REFUSE


def test_one_financier_needs_a_signed_reason() -> None:
    one = GOOD_FINANCE | {"financiers_invited": 1}
    assert _refusal("finance", one).facts["rule"] == "CN-77-12-CHOICE"
    BOOK.judge("finance", one | {"single_financier_reason": "house bank of twenty years"}, DAY).require()
    assert _refusal("finance", one | {"single_financier_reason": " "}).facts["rule"] == "CN-77-12-CHOICE"


def test_financing_is_not_completed_without_its_registration() -> None:
    assert _refusal("complete_financing", {}).code == "rule_refused"
    BOOK.judge("complete_financing", {"registration_number": "ZD-1"}, DAY).require()


def test_rules_count_from_their_first_to_their_last_day() -> None:
    long = SLOW_ISSUE | {"maturity_date": date(2027, 6, 30)}
    before, first = date(2025, 6, 14), date(2025, 6, 15)
    assert "CN-77-11-REVIEW" not in [rule.id for rule in BOOK.list(before)]
    assert "CN-77-11-REVIEW" in [rule.id for rule in BOOK.list(first)]
    assert BOOK.judge("issue", long, before).verdict is not Verdict.REFUSE
    assert BOOK.judge("issue", long, first).verdict is Verdict.REFUSE


def test_the_pending_rule_replaces_the_old_one_in_its_own_set_and_on_its_own_day() -> None:
    ids = [rule.id for rule in BOOK.list(date(2026, 9, 14), "CN-PENDING")]
    assert "CN-77-11-MAX6" in ids
    assert "CN-77-11-MAX" not in ids
    assert "CN-77-11-MAX" in [rule.id for rule in BOOK.list(date(2026, 9, 13), "CN-PENDING")]
    assert "CN-77-11-MAX" in [rule.id for rule in BOOK.list(date(2026, 9, 14), "CN")]
    assert BOOK.rulesets["CN-PENDING"].pending
    assert BOOK.effective_on("CN-PENDING") == date(2026, 9, 14)


def _record(reference: str, maturity: date, amount_minor: int, **facts: Any) -> ReplayRecord:
    terms = SLOW_ISSUE | {"maturity_date": maturity} | facts
    return ReplayRecord(reference, "issue", terms, amount_minor, "CNY")


def test_replay_tells_what_a_pending_rule_would_refuse_and_the_sum() -> None:
    book = [
        _record("R1", date(2026, 12, 30), 100_00),
        _record("R2", date(2027, 1, 31), 200_00, term_review="B-1"),
        _record("R3", date(2027, 6, 30), 400_00, term_review="B-2"),
        _record("R4", date(2027, 6, 30), 800_00),  # already refused today: no review
        _record("R5", date(2027, 1, 31), 1600_00, term_review="B-3", obligor_overdue=None),
    ]
    replay = BOOK.replay(book, date(2026, 11, 23), "CN-PENDING")
    assert replay.examined == 5
    assert [one.record.reference for one in replay.refused] == ["R2", "R3", "R4", "R5"]
    assert [one.record.reference for one in replay.newly_refused] == ["R2", "R3"]
    assert replay.newly_refused_minor == {"CNY": 600_00}
    assert replay.refused_minor == {"CNY": 3000_00}
    assert "2026-12-30" in replay.refused[0].findings[0].sentence("zh-CN")
    today = BOOK.replay(book, date(2026, 11, 23), "CN")
    assert [one.record.reference for one in today.refused] == ["R4"]
    assert [one.record.reference for one in today.unknown] == ["R5"]
    assert today.newly_refused == ()


def test_a_decision_keeps_rule_version_and_digest() -> None:
    record = BOOK.judge("issue", GOOD_ISSUE | {"maturity_date": date(2026, 12, 31)}, DAY).record()
    assert (record["verdict"], record["ruleset"], record["as_of"]) == ("refuse", "CN", "2026-06-30")
    kept = next(finding for finding in record["findings"] if finding["rule"] == "CN-77-11-REVIEW")
    (rule,) = BOOK.show("CN-77-11-REVIEW")
    assert (kept["version"], kept["digest"], kept["outcome"]) == (1, rule.digest, "flag")
    assert kept["facts"]["latest"] == "2026-12-30"
    changed = rule.model_copy(update={"parameters": {**rule.parameters, "months": 7}})
    assert changed.digest != rule.digest


def test_india_and_the_eu_are_data_alone() -> None:
    assert _refusal("quote", {"recourse": True}, ruleset="IN").facts["rule"] == "IN-TREDS-RECOURSE"
    good = {"obligor_accepted": True, "invoice_assigned": False, "maturity_date": date(2026, 7, 15)}
    assert BOOK.judge("finance", good, DAY, "IN").verdict is Verdict.CLEAR
    short = _refusal("finance", good | {"maturity_date": date(2026, 7, 14)}, ruleset="IN")
    assert "15 days" in str(short)
    late = {
        "compensation_minor": 3000,
        "currency": "EUR",
        "late_rate_yearly_millionths": 90_000,
        "reference_rate_yearly_millionths": 21_500,
    }
    findings = BOOK.judge("late_interest", late, DAY, "EU").flagged
    assert [finding.rule_id for finding in findings] == ["EU-LATE-COMPENSATION", "EU-LATE-INTEREST"]
    assert "EUR 40.00" in findings[0].sentence("en")
    assert "2.15%" in findings[1].sentence("en")


def test_parameters_of_the_day_can_be_asked_for() -> None:
    assert BOOK.parameter("CN-802-17-DAILY", "minimum", DAY) == 500
    for unknown in (("CN-802-17-DAILY", "colour"), ("CN-NOT-THERE", "minimum")):
        with pytest.raises(Problem) as refusal:
            BOOK.parameter(*unknown, DAY)
        assert refusal.value.code == "unknown_rule"
    with pytest.raises(Problem):
        BOOK.parameter("CN-802-17-DAILY", "minimum", date(2020, 1, 1))


def test_dates_may_come_as_text_and_other_kinds_are_refused() -> None:
    text = SLOW_ISSUE | {"maturity_date": "2026-12-31", "issue_date": "2026-06-30", "colour": "red"}
    assert BOOK.judge("issue", text, DAY).verdict is Verdict.REFUSE
    for wrong in ({"tier": "2"}, {"tier": True}, {"prepayment": 0}, {"has_trade_evidence": "yes"}, {"tier": 1.0}):
        with pytest.raises(Problem) as refusal:
            BOOK.judge("pass", GOOD_PASS | wrong, DAY)
        assert refusal.value.code == "fact_unreadable"


def test_an_unknown_ruleset_or_rule_is_said() -> None:
    with pytest.raises(Problem) as refusal:
        BOOK.judge("issue", {}, DAY, "MARS")
    assert refusal.value.code == "unknown_ruleset"
    with pytest.raises(Problem):
        BOOK.show("XX-1")
    with pytest.raises(Problem):
        BOOK.effective_on("MARS")


def test_every_fact_has_its_name_in_both_languages() -> None:
    assert set(LABELS) == set(TYPES) == set(Facts.__annotations__)
    for name in TYPES:
        assert any("\u4e00" <= char <= "\u9fff" for char in label(name, "zh-CN"))
        assert label(name, "en").isascii()


def test_sentences_of_a_rule_have_the_same_blanks_in_both_languages() -> None:
    for name in BOOK.rulesets:
        for rule in BOOK.list(ruleset=name):
            blanks = [{part[1] for part in Formatter().parse(text)} for text in (rule.sentence.en, rule.sentence.zh_cn)]
            assert blanks[0] == blanks[1], rule.id


def test_what_was_not_read_in_its_source_says_so() -> None:
    unverified = {rule.id for rule in BOOK.list(ruleset="CN-PENDING") if rule.unverified}
    assert {"CN-LOAN-THRESHOLD", "CN-LOAN-TIME", "CN-77-11-MAX6", "CN-77-10-TRADE", "CN-77-12-CHOICE"} <= unverified
    assert not unverified & {"CN-77-11-MAX", "CN-77-13-REGISTER", "CN-802-09-LARGE", "CN-768-PRIORITY"}


OWN = """
[ruleset.XX]
title.en = "House rules"
title.zh-CN = "内部规则"
currency = "CNY"
extends = "CN"

[[rule]]
id = "XX-TENOR"
version = 1
title.en = "House tenor"
title.zh-CN = "内部期限"
article.en = "House policy 1"
article.zh-CN = "内部政策一"
source = "the programme's contract"
jurisdiction = "CN"
rulesets = ["XX"]
effective_from = 2026-01-01
severity = "block"
applies_to = ["issue"]
check = "within_months"
parameters = { start = ["issue_date"], end = ["maturity_date"], months = 1 }
sentence.en = "At most {months} month."
sentence.zh-CN = "最长 {months} 个月。"
"""


def test_an_installation_adds_its_own_rules_without_code(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    book = Rulebook.load(tmp_path)
    judgement = book.judge("issue", GOOD_ISSUE, DAY, "XX")
    assert [finding.rule_id for finding in judgement.flagged] == ["XX-TENOR"]
    assert len(judgement.findings) == len(BOOK.judge("issue", GOOD_ISSUE, DAY).findings) + 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('check = "within_months"', 'check = "astrology"', "astrology"),
        ("months = 1 }", "weeks = 1 }", "months"),
        ('["issue_date"]', '["birthday"]', "birthday"),
        ('severity = "block"', 'severity = "maybe"', "severity"),
        ('sentence.zh-CN = "最长 {months} 个月。"', "", "zh-CN"),
        ('rulesets = ["XX"]', 'rulesets = ["YY"]', "YY"),
        ('extends = "CN"', 'extends = "ZZ"', "ZZ"),
        ("effective_from = 2026-01-01", "effective_from = 2026-01-01\neffective_to = 2025-01-01", "effective_to"),
        ("[[rule]]", "[[rule]", "own.toml"),
        ('id = "XX-TENOR"', 'id = "CN-77-11-MAX"', "twice"),
        ('severity = "block"', 'severity = "block"\nweight = 3', "weight"),
        ('applies_to = ["issue"]', 'applies_to = ["issue", "baptise"]', "nobody asks about ['baptise']"),
    ],
)
def test_a_broken_rule_file_is_refused_by_name(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in OWN
    (tmp_path / "own.toml").write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(Problem) as refusal:
        Rulebook.load(tmp_path)
    assert refusal.value.code == "rulebook_unreadable"
    assert says in str(refusal.value)


def test_outcomes_read_as_words() -> None:
    assert [str(outcome) for outcome in Outcome] == ["clear", "flag", "unknown"]
