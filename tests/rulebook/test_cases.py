"""One broken case and one met case for every rule that ships: a rule without its case fails here."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from scf.rulebook.checks import Outcome
from scf.rulebook.rules import Rule
from scf.rulebook.service import Finding, Rulebook

BOOK = Rulebook.load()
DAY = date(2026, 11, 23)
LARGE = {"obligor_size": "large", "creditor_is_small": True, "delivered_on": date(2026, 6, 1)}
PUBLIC = LARGE | {"obligor_size": "public_body"}

Case = tuple[dict[str, Any], dict[str, Any]]
CASES: dict[str, Case] = {
    "CN-77-11-MAX": (
        {"issue_date": date(2026, 1, 31), "maturity_date": date(2027, 2, 1)},
        {"issue_date": date(2026, 1, 31), "maturity_date": date(2027, 1, 31)},
    ),
    "CN-77-11-REVIEW": (
        {"issue_date": date(2026, 6, 30), "maturity_date": date(2026, 12, 31)},
        {"issue_date": date(2026, 8, 31), "maturity_date": date(2027, 2, 28)},
    ),
    "CN-77-11-MAX6": (
        {"issue_date": date(2026, 6, 30), "maturity_date": date(2026, 12, 31), "term_review": "BANK-1"},
        {"issue_date": date(2026, 6, 30), "maturity_date": date(2026, 12, 30)},
    ),
    "CN-77-10-TRADE": ({"has_trade_evidence": False}, {"has_trade_evidence": True}),
    "CN-77-10-PREPAYMENT": ({"prepayment": True}, {"prepayment": False}),
    "CN-77-10-DELIVERED": (
        {"delivered_on": date(2026, 7, 2), "issue_date": date(2026, 7, 1)},
        {"delivered_on": date(2026, 7, 1), "issue_date": date(2026, 7, 1)},
    ),
    "CN-77-10-CLEARED": ({"trust_level": 1}, {"trust_level": 2}),
    "CN-77-10-TRUST": ({"trust_level": 1}, {"trust_level": 2}),
    "CN-768-ONCE": ({"invoice_assigned": True}, {"invoice_assigned": False}),
    "CN-77-12-CHOICE": ({"financiers_invited": 1}, {"financiers_invited": 2}),
    "CN-77-13-REGISTER": ({"registration_number": "  "}, {"registration_number": "ZD-2026-1"}),
    "CN-FUND-DAYS": ({"business_days_to_payment": 2}, {"business_days_to_payment": 1}),
    "CN-77-15-OVERDUE": ({"obligor_overdue": True}, {"obligor_overdue": False}),
    "CN-77-15-FINANCE": ({"obligor_overdue": True}, {"obligor_overdue": False}),
    "CN-SPLIT-DEPTH": ({"tier": 11}, {"tier": 10}),
    "CN-SPLIT-COUNT": ({"children": 501}, {"children": 500}),
    "CN-SPLIT-SIZE": (
        {"amount_minor": 99_999, "min_amount_minor": 100_000},
        {"amount_minor": 100_000, "min_amount_minor": 100_000},
    ),
    "CN-SPLIT-ROUND": ({"returns_to_earlier_holder": True}, {"returns_to_earlier_holder": False}),
    "CN-SPLIT-HASTE": ({"hops_today": 4}, {"hops_today": 3}),
    "CN-77-FEE-CONFIRM": (
        {"fee_kind": "confirmation", "fee_payer": "supplier"},
        {"fee_kind": "confirmation", "fee_payer": "obligor"},
    ),
    "CN-802-09-LARGE": (
        LARGE | {"payment_due_on": date(2026, 8, 1), "term_agreed": False},
        LARGE | {"payment_due_on": date(2026, 7, 31)},
    ),
    "CN-802-09-PUBLIC": (
        PUBLIC | {"payment_due_on": date(2026, 8, 1), "term_agreed": True},
        PUBLIC | {"payment_due_on": date(2026, 7, 31), "term_agreed": True},
    ),
    "CN-802-11-TERM": (
        LARGE | {"maturity_date": date(2026, 8, 1), "term_agreed": False},
        LARGE | {"maturity_date": date(2026, 11, 1), "term_agreed": True},
    ),
    "CN-802-11-PUBLIC": (
        PUBLIC | {"maturity_date": date(2026, 7, 2), "term_agreed": False},
        PUBLIC | {"maturity_date": date(2026, 7, 1)},
    ),
    "CN-802-11-CONTRACT": (
        {"creditor_is_small": True, "maturity_date": date(2026, 7, 2), "payment_due_on": date(2026, 7, 1)},
        {"creditor_is_small": True, "maturity_date": date(2026, 7, 1), "payment_due_on": date(2026, 7, 1)},
    ),
    "CN-802-11-FREE": ({"accepted_freely": False}, {"accepted_freely": True}),
    "CN-802-15-UNDISPUTED": (
        {"held_minor": 10_001, "disputed_minor": 10_000},
        {"held_minor": 10_000, "disputed_minor": 10_000},
    ),
    "CN-802-16-CONFIRM": (
        {"confirmation_requested_on": DAY - timedelta(days=31)},
        {"confirmation_requested_on": DAY - timedelta(days=90), "confirmed_on": DAY - timedelta(days=60)},
    ),
    "CN-802-17-DAILY": (
        {"late_rate_agreed": False, "late_rate_daily_millionths": 499},
        {"late_rate_agreed": False, "late_rate_daily_millionths": 500},
    ),
    "CN-802-17-AGREED": (
        {"late_rate_agreed": True, "late_rate_yearly_millionths": 30_000, "reference_rate_yearly_millionths": 31_000},
        {"late_rate_agreed": True, "late_rate_yearly_millionths": 31_000, "reference_rate_yearly_millionths": 31_000},
    ),
    "CN-768-PRIORITY": ({"claim_rank": 2}, {"claim_rank": 1}),
    "CN-LOAN-PAYEE": ({"payee_is_counterparty": False}, {"payee_is_counterparty": True}),
    "CN-LOAN-USE": ({"use_matches": False}, {"use_matches": True}),
    "CN-LOAN-CONSENT": (
        {"account_purpose": "sale_proceeds"},
        {"account_purpose": "sale_proceeds", "separate_consent": "0xabc"},
    ),
    "CN-LOAN-THRESHOLD": (
        {"entrusted": False, "amount_minor": 1_000_000_001},
        {"entrusted": False, "amount_minor": 1_000_000_000},
    ),
    "CN-LOAN-TIME": ({"working_days_waited": 6}, {"working_days_waited": 5}),
    "CN-LOAN-URGENT": ({"urgent": True}, {"urgent": True, "bank_risk_note": "N-1"}),
    "IN-TREDS-RECOURSE": ({"recourse": True}, {"recourse": False}),
    "IN-TREDS-ACCEPTED": ({"obligor_accepted": False}, {"obligor_accepted": True}),
    "IN-TREDS-TENOR": (
        {"maturity_date": DAY + timedelta(days=14)},
        {"maturity_date": DAY + timedelta(days=15)},
    ),
    "IN-TREDS-ONCE": ({"invoice_assigned": True}, {"invoice_assigned": False}),
    "IN-TREDS-T2": (
        {"bid_accepted_on": DAY - timedelta(days=3)},
        {"bid_accepted_on": DAY - timedelta(days=3), "settled_on": DAY - timedelta(days=1)},
    ),
    "IN-TREDS-REGISTER": ({}, {"registration_number": "CERSAI-1"}),
    "IN-TREDS-PREMIUM": (
        {"fee_kind": "insurance", "fee_payer": "supplier"},
        {"fee_kind": "insurance", "fee_payer": "financier"},
    ),
    "IN-MSMED-45": (
        {"creditor_is_small": True, "accepted_on": date(2026, 1, 1), "maturity_date": date(2026, 2, 16)},
        {"creditor_is_small": True, "accepted_on": date(2026, 1, 1), "maturity_date": date(2026, 2, 15)},
    ),
    "EU-LATE-60": (
        LARGE | {"payment_due_on": date(2026, 8, 1), "term_agreed": False},
        LARGE | {"payment_due_on": date(2026, 9, 30), "term_agreed": True},
    ),
    "EU-LATE-PUBLIC": (
        PUBLIC | {"payment_due_on": date(2026, 7, 2), "term_agreed": False},
        PUBLIC | {"payment_due_on": date(2026, 7, 1)},
    ),
    "EU-LATE-INTEREST": (
        {"late_rate_yearly_millionths": 101_499, "reference_rate_yearly_millionths": 21_500},
        {"late_rate_yearly_millionths": 101_500, "reference_rate_yearly_millionths": 21_500},
    ),
    "EU-LATE-COMPENSATION": (
        {"compensation_minor": 3_999, "currency": "EUR"},
        {"compensation_minor": 4_000, "currency": "EUR"},
    ),
    "EU-LATE-30": (
        LARGE | {"payment_due_on": date(2026, 7, 2)},
        LARGE | {"payment_due_on": date(2026, 7, 1)},
    ),
}
_BY_ID = {rule.id: rule for name in BOOK.rulesets for rule in BOOK.list(ruleset=name)}
RULES = [_BY_ID[rule_id] for rule_id in sorted(_BY_ID)]
OPTIONAL = {"settled_on", "confirmed_on", "term_agreed", "term_review"}
"""Facts that only soften a rule or end a wait: without them it is judged as strictly or as of today."""


def _finding(rule: Rule, facts: dict[str, Any], act: str) -> Finding | None:
    judgement = BOOK.judge(act, facts, DAY, rule.rulesets[0])
    return next((finding for finding in judgement.findings if finding.rule_id == rule.id), None)


def test_every_rule_has_its_case() -> None:
    assert sorted(CASES) == [rule.id for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_broken_case_is_flagged_with_a_whole_sentence_and_a_met_one_is_clear(rule: Rule) -> None:
    broken, met = CASES[rule.id]
    for act in rule.applies_to:
        finding = _finding(rule, broken, act)
        assert finding is not None
        assert finding.outcome is Outcome.FLAG, finding
        for language in ("en", "zh-CN"):
            text = finding.sentence(language)
            assert "?" not in text and "{" not in text, text
        clear = _finding(rule, met, act)
        assert clear is not None
        assert clear.outcome is Outcome.CLEAR, clear


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_without_its_facts_is_never_clear(rule: Rule) -> None:
    """Of the met case, take away one fact after the other: unknown or flagged, or no longer this rule's case."""
    _, met = CASES[rule.id]
    for act in rule.applies_to:
        nothing = _finding(rule, {}, act)
        assert nothing is not None
        assert nothing.outcome is not Outcome.CLEAR
        assert nothing.missing or nothing.outcome is Outcome.FLAG
        for name in set(met) & set(rule.fact_names()) - OPTIONAL:
            finding = _finding(rule, {k: v for k, v in met.items() if k != name}, act)
            assert finding is not None
            assert finding.outcome is not Outcome.CLEAR, name
            if finding.outcome is Outcome.UNKNOWN:
                assert finding.missing
                assert "?" not in finding.sentence("en")
