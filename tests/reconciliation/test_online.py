"""Online reconciliation: what is joined, what is not, and what changes it later."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select
from tests.reconciliation.conftest import DAY, Desk, fact, trade

from scf.kernel.problems import Problem
from scf.reconciliation import service
from scf.reconciliation.models import Allocation, CaseRow, ExceptionRow, FactRow, NameRow, VerdictRow, WaitingPayment


def snapshot(desk: Desk) -> list[tuple[object, ...]]:
    tables = (FactRow, NameRow, CaseRow, Allocation, VerdictRow, ExceptionRow, WaitingPayment)
    return [tuple(row.model_dump().items()) for t in tables for row in desk.do(lambda s, t=t: s.exec(select(t)).all())]


def test_a_trade_that_agrees_is_matched_and_raises_nothing(desk: Desk) -> None:
    desk.take(*trade("PO-7"))
    assert desk.reason("PO-7") == "MATCHED"
    assert desk.codes() == []
    match = desk.do(lambda s: service.matches(s, "PO-7"))[-1]
    assert (match.rule_id, match.rule_version, match.confidence) == ("order-goods-invoice-money", 2, 1000)
    assert match.evidence_ids == ("e" * 64,)


def test_every_order_of_arrival_gives_the_same_answer(engine: Engine, clock: object) -> None:
    parts = trade("PO-7")
    for number, order in enumerate(itertools.permutations(parts)):
        renamed = [
            f.__class__(**{n: _renumber(getattr(f, n), number) for n in f.__dataclass_fields__})  # type: ignore[attr-defined]
            for f in order
        ]
        desk = Desk(engine, clock)  # type: ignore[arg-type]
        for one in renamed:
            desk.take(one)
        assert desk.reason(f"PO-7x{number}") == "MATCHED", [f.kind for f in order]
        assert desk.codes(f"PO-7x{number}") == []
    assert desk.do(lambda s: service.waiting_payments(s)) == []


def _renumber(value: object, number: int) -> object:
    if isinstance(value, str) and "PO-7" in value:
        return value.replace("PO-7", f"PO-7x{number}")
    return tuple(_renumber(v, number) for v in value) if isinstance(value, tuple) else value


def test_the_same_facts_twice_change_nothing(desk: Desk) -> None:
    facts = [*trade("PO-1"), fact("payment", None, None, 777, key="stray")]
    desk.take(*facts)
    before = snapshot(desk)
    again = desk.take(*facts)
    assert (again.new, again.known) == (0, len(facts))
    assert snapshot(desk) == before


def test_expected_is_not_an_exception_but_late_is(desk: Desk) -> None:
    desk.take(fact("order", "PO-2", 10, 100_000, promised_day=DAY + 5))
    assert (desk.reason("PO-2"), desk.codes()) == ("EXPECTED", [])
    desk.clock.advance(days=6)
    assert desk.do(lambda s: service.sweep(s, clock=desk.clock)).cases
    assert desk.codes() == ["NOT_DELIVERED"]
    assert "promised for 2026-03-06, and on 2026-03-07" in desk.sentences()[0]
    desk.clock.advance(days=1)
    desk.do(lambda s: service.sweep(s, clock=desk.clock))
    assert desk.codes() == ["NOT_DELIVERED"]


def test_partial_deliveries_add_up(desk: Desk) -> None:
    desk.take(fact("order", "PO-3", 10, 100_000, promised_day=DAY + 30))
    desk.take(fact("delivery", "PO-3", 4, reference="DN-1", day=DAY - 3))
    assert "PARTIAL" in desk.codes("PO-3")
    assert any("4 of 10" in s for s in desk.sentences())
    desk.take(fact("delivery", "PO-3", 6, reference="DN-2", day=DAY - 1))
    assert desk.codes("PO-3") == ["EARLY"]
    assert desk.codes("PO-3", "resolved") == ["PARTIAL"]


def test_a_second_source_confirms_and_does_not_double_the_goods(desk: Desk) -> None:
    desk.take(*trade("PO-4"))
    desk.take(fact("delivery", "PO-4", 10, source="buyer", trust=2, reference="GRN-9", despatch_reference="DN-PO-4"))
    assert desk.reason("PO-4") == "MATCHED"
    desk.take(fact("delivery", "PO-4", 10, source="warehouse", trust=2, key="event-1"))
    assert desk.reason("PO-4") == "MATCHED"


def test_a_contradicting_fact_reopens_the_match(desk: Desk) -> None:
    desk.take(*trade("PO-5"))
    desk.take(fact("delivery", "PO-5", 8, source="buyer", trust=2, reference="GRN-9", despatch_reference="DN-PO-5"))
    assert desk.reason("PO-5") == "CONTRADICTING_SOURCES"
    assert "carrier: quantity_milli 10000 against buyer: quantity_milli 8000" in desk.sentences()[0]
    history = desk.do(lambda s: service.matches(s, "PO-5"))
    assert [m.superseded for m in history] == [True] * (len(history) - 1) + [False]
    assert history[-1].supersedes == history[-2].verdict_id
    assert history[-2].reason == "MATCHED"


def test_a_withdrawn_event_counts_no_more(desk: Desk) -> None:
    facts = trade("PO-6")
    facts[1] = fact("delivery", "PO-6", 10, key="hash-1")
    desk.take(*facts)
    assert desk.reason("PO-6") == "MATCHED"
    desk.take(fact("delivery", "PO-6", None, key="withdraws hash-1", retracts="hash-1"))
    assert desk.reason("PO-6") == "PAID_BEFORE_DELIVERY"


@pytest.mark.parametrize("together", [True, False])
def test_an_event_withdrawn_before_it_arrives_never_counts(desk: Desk, together: bool) -> None:
    """Files come in any order: a declaration that was faster than its event withdraws it all the same."""
    facts = trade("PO-6")
    facts[1] = fact("delivery", "PO-6", 10, key="hash-1")
    facts.insert(0, fact("delivery", "PO-6", None, key="withdraws hash-1", retracts="hash-1"))
    desk.take(*facts) if together else [desk.take(one) for one in facts]
    assert desk.reason("PO-6") == "PAID_BEFORE_DELIVERY"


def test_a_corrected_fact_of_the_same_source_replaces_the_first(desk: Desk) -> None:
    desk.take(*trade("PO-8"))
    desk.take(fact("delivery", "PO-8", 9, reference="DN-PO-8"))
    assert "OVER_INVOICED" in desk.codes("PO-8")
    assert "CONTRADICTING_SOURCES" not in desk.codes("PO-8")


def test_one_invoice_number_for_two_invoices_is_a_duplicate(desk: Desk) -> None:
    desk.take(*trade("PO-9"))
    desk.take(fact("invoice", "PO-9", 10, 100_000, reference="INV-PO-9", account="CN01", day=DAY - 5))
    assert desk.reason("PO-9") == "DUPLICATE_INVOICE"


def test_a_diverted_payee_is_named(desk: Desk) -> None:
    facts = trade("PO-10")
    facts[3] = fact("payment", None, None, 100_000, invoice_references=("INV-PO-10",), key="b", account="XX66")
    desk.take(*facts)
    assert desk.codes("PO-10") == ["WRONG_PAYEE_ACCOUNT"]
    assert "goes to XX66, but CN01 was agreed" in desk.sentences()[0]


def test_references_written_differently_meet_with_less_confidence(desk: Desk) -> None:
    desk.take(fact("order", "PO-2O26/0O11", 10, 100_000))
    desk.take(fact("delivery", "po 2026 0011", 10, reference="D"))
    assert desk.do(lambda s: service.matches(s, "PO-2O26/0O11"))[-1].confidence == 950
    assert desk.do(lambda s: len(s.exec(select(CaseRow)).all())) == 1


def test_two_orders_that_differ_in_punctuation_stay_two(desk: Desk) -> None:
    desk.take(fact("order", "A-11", 10, 100_000), fact("order", "A11", 5, 50_000))
    desk.take(fact("delivery", "A-11", 10, reference="D1"), fact("delivery", "A11", 5, reference="D2"))
    assert desk.reason("A-11") == desk.reason("A11") == "EXPECTED"
    ambiguous = fact("delivery", "a.11", 1, reference="D3")
    assert desk.take(ambiguous).unplaced == 1
    page = desk.do(lambda s: service.exceptions(s))
    assert set(page.rows[0].suggestions) == {"A-11", "A11"}


def test_orders_of_two_buyers_with_one_number_stay_two(desk: Desk) -> None:
    desk.take(*trade("100", buyer="Core"))
    desk.take(fact("order", "100", 3, 3_000, buyer="Other", seller="Mill"))
    desk.take(fact("delivery", "100", 3, buyer="Other", seller="Mill", reference="X"))
    cases = desk.do(lambda s: s.exec(select(CaseRow).order_by(col(CaseRow.id))).all())
    assert [(c.buyer, c.reason) for c in cases] == [("core", "MATCHED"), ("other", "EXPECTED")]


def test_one_payment_for_several_invoices_is_divided(desk: Desk) -> None:
    for number, amount in ((1, 100_000), (2, 250_000), (3, 333_333)):
        desk.take(*trade(f"Q-{number}", amount=amount)[:3])
    names = ("INV-Q-1", "INV-Q-2", "INV-Q-3")
    desk.take(fact("payment", None, None, 683_333, invoice_references=names, key="b", account="CN01"))
    assert [desk.reason(f"Q-{n}") for n in (1, 2, 3)] == ["MATCHED"] * 3
    rows = desk.do(lambda s: s.exec(select(Allocation).where(col(Allocation.method) == "invoice")).all())
    assert sum(r.amount_minor for r in rows) == 683_333


def test_a_payment_with_no_reference_goes_to_the_only_candidate(desk: Desk) -> None:
    desk.take(*trade("R-1", amount=123_456)[:3], *trade("R-2", amount=500_000)[:3])
    desk.take(fact("payment", None, None, 123_456, key="b", account="CN01"))
    assert desk.reason("R-1") == "MATCHED"
    assert desk.do(lambda s: service.matches(s, "R-1"))[-1].confidence == 900


def test_two_candidates_are_a_suggestion_and_never_a_match(desk: Desk) -> None:
    desk.take(*trade("R-1", amount=100_000)[:3], *trade("R-2", amount=100_000)[:3])
    desk.take(fact("payment", None, None, 100_000, key="b", account="CN01"))
    page = desk.do(lambda s: service.exceptions(s, code="UNKNOWN_REFERENCE"))
    assert set(page.rows[0].suggestions) == {"R-1", "R-2"}
    fact_id = page.rows[0].fact_id
    desk.do(lambda s: service.allocate(s, fact_id, [("R-2", 100_000)], by="clerk", clock=desk.clock))
    assert (desk.reason("R-1"), desk.reason("R-2")) == ("EXPECTED", "MATCHED")
    assert desk.codes() == []


def test_two_payments_for_one_candidate_are_left_to_people(desk: Desk) -> None:
    first, second = (fact("payment", None, None, 100_000, key=k, account="CN01") for k in "ab")
    desk.take(first, second)
    desk.take(*trade("R-1", amount=100_000)[:3])
    assert desk.reason("R-1") == "EXPECTED"
    assert desk.codes() == ["UNKNOWN_REFERENCE"] * 2


def test_the_only_combination_is_taken_and_a_second_one_forbids_it(desk: Desk) -> None:
    for number, amount in ((1, 100_003), (2, 200_020), (3, 400_600)):
        desk.take(*trade(f"S-{number}", amount=amount)[:3])
    desk.take(fact("payment", None, None, 500_603, key="b", account="CN01"))
    assert [desk.reason(f"S-{n}") for n in (1, 2, 3)] == ["MATCHED", "EXPECTED", "MATCHED"]
    for number, amount in ((4, 100_000), (5, 300_000), (6, 200_000), (7, 200_000)):
        desk.take(*trade(f"T-{number}", amount=amount, seller="Loom")[:3])
    desk.take(fact("payment", None, None, 400_000, key="c", seller="Loom", account="ZZ"))
    assert {desk.reason(f"T-{n}") for n in (4, 5, 6, 7)} == {"EXPECTED"}


def test_several_payments_for_one_order_are_found_together(desk: Desk) -> None:
    desk.take(*trade("U-1", amount=300_003)[:3])
    desk.take(fact("payment", None, None, 100_001, key="a", account="CN01"))
    assert desk.reason("U-1") == "EXPECTED"
    desk.take(fact("payment", None, None, 200_002, key="b", account="CN01"))
    assert desk.reason("U-1") == "MATCHED"


def test_our_own_end_to_end_id_leads_home(desk: Desk) -> None:
    desk.take(*trade("V-1")[:3], fact("instruction", "V-1", None, 100_000, end_to_end_id="E2E1", key="E2E1"))
    assert desk.reason("V-1") == "EXPECTED"
    desk.take(fact("payment", None, None, 100_000, end_to_end_id="E2E1", key="bank", account="CN01", seller=None))
    assert desk.reason("V-1") == "MATCHED"


def test_the_payers_and_the_payees_bank_tell_of_one_payment(desk: Desk) -> None:
    desk.take(*trade("W-1"))
    desk.take(fact("payment", None, None, 100_000, source="bank 2", invoice_references=("INV-W-1",), key="z", day=DAY))
    assert desk.reason("W-1") == "MATCHED"


def test_money_back_reopens_what_was_paid(desk: Desk) -> None:
    desk.take(
        *trade(
            "X-1",
        )
    )
    desk.take(fact("payment", None, None, -100_000, invoice_references=("INV-X-1",), key="back", account="CN01"))
    assert "PARTIAL" in desk.codes("X-1")


def test_a_reference_of_punctuation_is_refused_and_nothing_is_written(desk: Desk) -> None:
    with pytest.raises(Problem, match="order_reference"):
        desk.take(fact("order", "PO-1", 1, 1), fact("delivery", "//", 1))
    assert snapshot(desk) == []


def test_a_decision_is_made_once_with_a_reason_and_stays_until_contradicted(desk: Desk) -> None:
    desk.take(*trade("Y-1")[:3], fact("payment", "Y-1", None, 90_000, key="b", account="CN01", day=DAY + 1))
    desk.clock.advance(days=40)
    desk.do(lambda s: service.sweep(s, clock=desk.clock))
    row = next(r for r in desk.do(lambda s: service.exceptions(s)).rows if r.code == "PAYMENT_DIFFERENCE")
    with pytest.raises(Problem, match="needs a reason"):
        desk.do(lambda s: service.decide(s, row.id, decision="accept", reason=" ", by="ann", clock=desk.clock))
    desk.do(lambda s: service.decide(s, row.id, decision="accept", reason="discount", by="ann", clock=desk.clock))
    with pytest.raises(Problem, match="already decided"):
        desk.do(lambda s: service.decide(s, row.id, decision="reject", reason="no", by="bob", clock=desk.clock))
    desk.do(lambda s: service.sweep(s, clock=desk.clock))
    assert "PAYMENT_DIFFERENCE" not in desk.codes("Y-1")
    desk.take(fact("payment", "Y-1", None, 1_000, key="c", account="CN01", day=DAY + 2))
    assert "PAYMENT_DIFFERENCE" in desk.codes("Y-1")


def test_the_queue_pages_by_key_and_counts_by_kind(desk: Desk) -> None:
    desk.take(*(fact("payment", None, None, 1_000 + n, key=f"k{n}", seller=f"S{n}", account=None) for n in range(7)))
    seen, after = [], None
    while True:
        page = desk.do(lambda s, a=after: service.exceptions(s, after=a, limit=3))
        seen += [row.id for row in page.rows]
        after = page.next
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert desk.do(lambda s: service.counts(s)) == {"UNKNOWN_REFERENCE": 7}


def test_the_timeline_has_goods_against_money(desk: Desk) -> None:
    desk.take(*trade("Z-1"))
    steps = desk.do(lambda s: service.timeline(s, "Z-1"))
    assert [(s.lane, s.kind) for s in steps] == [
        ("contract", "order"), ("goods", "delivery"), ("money", "invoice"), ("money", "payment"),
    ]  # fmt: skip


def test_an_invoice_sent_again_for_another_order_is_a_duplicate(desk: Desk) -> None:
    desk.take(*trade("DA-1"), *trade("DB-2")[:2])
    again = {"account": "CN01", "evidence_id": "f" * 64, "day": DAY - 9}
    desk.take(fact("invoice", "DB-2", 10, 100_000, reference="inv PO 10023", **again))
    assert desk.codes("DB-2") == []
    desk.take(fact("invoice", "DB-2", 10, 100_000, reference="inv da/1", **again))
    assert "DUPLICATE_INVOICE" in desk.codes("DB-2")
    assert any("invoice inv da/1 looks like invoice INV-DA-1" in s for s in desk.sentences())
    desk.take(fact("inspection", "DB-2", 10, passed=True))
    assert "DUPLICATE_INVOICE" in desk.codes("DB-2")


def test_a_payment_that_names_another_number_is_not_taken_for_this_one(desk: Desk) -> None:
    desk.take(*trade("PO-55501")[:3])
    desk.take(
        fact("payment", None, None, 100_000, invoice_references=("INV-PO-55502",), key="b", day=DAY - 9, account="CN01")
    )
    assert desk.reason("PO-55501") == "EXPECTED"
    desk.take(
        fact("payment", None, None, 100_000, invoice_references=("INV-PO-5551",), key="c", day=DAY - 9, account="CN01")
    )
    assert desk.reason("PO-55501") == "EXPECTED", "two payments want it"


def test_a_mistyped_number_is_matched_once_it_has_waited(desk: Desk) -> None:
    desk.take(*trade("PO-55501")[:3])
    desk.take(fact("payment", None, None, 100_000, invoice_references=("INV-PO-5551",), key="c", account="CN01"))
    assert desk.reason("PO-55501") == "EXPECTED"
    desk.clock.advance(days=3)
    desk.do(lambda s: service.sweep(s, clock=desk.clock))
    assert desk.reason("PO-55501") == "MATCHED"


def test_a_payment_moves_to_the_invoice_it_named_when_that_comes(desk: Desk) -> None:
    desk.take(*trade("PO-55501")[:3])
    desk.take(
        fact("payment", None, None, 100_000, invoice_references=("INV-PO-5551",), key="c", day=DAY - 9, account="CN01")
    )
    assert desk.reason("PO-55501") == "MATCHED"
    desk.take(*trade("PO-5551")[:3])
    assert (desk.reason("PO-55501"), desk.reason("PO-5551")) == ("EXPECTED", "MATCHED")
    history = [m.reason for m in desk.do(lambda s: service.matches(s, "PO-55501"))]
    assert history[-2:] == ["MATCHED", "EXPECTED"]
