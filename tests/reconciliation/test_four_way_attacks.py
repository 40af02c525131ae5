"""Attempts to have money released that is not due. None may be answered clear."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.reconciliation.conftest import DAY, Desk, fact
from tests.reconciliation.test_four_way import asked, codes, confirmed

from scf.reconciliation import service
from scf.reconciliation.convert import Origin, from_event, from_invoice
from scf.reconciliation.four_way import Answer
from scf.standards.records import ErrorDeclaration, Identifier, Invoice, LogisticsEvent, Party

SELLER_WORD = {"source": "seller", "trust": 1, "applicant_can_write": True}
BUYER = {"source": "buyer", "trust": 2, "applicant_can_write": False}
BANK = {"account": "CN01", "applicant_can_write": False}


def bills(quantity: int = 10, amount: int = 100_000, **more: Any) -> list[Any]:
    """An invoice as its seller and, confirming it, its buyer tell of it."""
    said = {"reference": "INV", "account": "CN01"} | more
    return [
        fact("invoice", "PO-1", quantity, amount, **said),
        fact("invoice", "PO-1", quantity, amount, **said | BUYER),
    ]


def refused(answer: Answer, how: str, code: str) -> None:
    assert (answer.answer, code in codes(answer)) == (how, True), codes(answer)
    assert all(why.en and why.zh and "{" not in why.en + why.zh for why in answer.reasons)


@pytest.mark.parametrize(
    "said",
    [
        {"source": "seller", "trust": 1},  # typed or uploaded by the applicant
        {"source": "SELLER ", "trust": 3, "applicant_can_write": False},  # its name written another way
        {"source": "91330100XX", "trust": 3, "applicant_can_write": False},  # its registration number
        {"source": "anybody", "trust": 1, "applicant_can_write": False},  # nobody that counts
    ],
)
def test_goods_that_only_the_applicant_tells_of_are_unknown(desk: Desk, said: dict[str, Any]) -> None:
    desk.take(fact("order", "PO-1", 10, 100_000), fact("delivery", "PO-1", 10, reference="DN", **said), *bills())
    refused(asked(desk, applicants={"seller", "91330100-XX"}), "unknown", "fourway_no_goods")


def test_one_source_under_two_spellings_is_not_two_sources(desk: Desk) -> None:
    goods = [fact("delivery", "PO-1", 10, reference="DN", source=name, trust=2) for name in ("Depot", "depot.")]
    desk.take(fact("order", "PO-1", 10, 100_000), *goods, *bills())
    refused(asked(desk), "unknown", "fourway_one_source")


def test_a_trusted_word_for_a_tenth_does_not_carry_the_other_nine(desk: Desk) -> None:
    goods = [
        fact("delivery", "PO-1", 1, reference="DN-1"),
        fact("delivery", "PO-1", 9, reference="DN-2", source="depot", trust=2),
    ]
    desk.take(fact("order", "PO-1", 10, 100_000), *goods, *bills())
    refused(asked(desk), "unknown", "fourway_goods_partly_proved")
    assert asked(desk, amount=10_000).answer == "clear"
    desk.take(fact("delivery", "PO-1", 9, reference="DN-2", source="buyer", trust=2))
    assert asked(desk).answer == "clear"


def test_the_same_goods_under_two_numbers_are_counted_once(desk: Desk) -> None:
    goods = [
        fact("delivery", "PO-1", 5, reference="DN-1"),
        fact("delivery", "PO-1", 5, reference="GRN-77", source="warehouse", day=DAY - 29),
    ]
    desk.take(fact("order", "PO-1", 10, 100_000), *goods, *bills())
    refused(asked(desk), "unknown", "fourway_goods_perhaps_same")
    assert asked(desk, amount=50_000).answer == "clear"


def test_a_part_of_the_goods_that_claims_the_whole_value(desk: Desk) -> None:
    order = fact("order", "PO-1", 10, 100_000, promised_day=DAY + 20)
    desk.take(order, fact("delivery", "PO-1", 1, 100_000, reference="DN"), *bills(1, 100_000))
    assert asked(desk).answer == "flag"
    assert "fourway_goods_short" in codes(asked(desk))


def test_goods_that_arrive_tomorrow_are_no_goods(desk: Desk) -> None:
    order = fact("order", "PO-1", 10, 100_000, promised_day=DAY + 20)
    desk.take(order, fact("delivery", "PO-1", 10, reference="DN", day=DAY + 1), *bills())
    answer = asked(desk)
    refused(answer, "unknown", "fourway_future")
    assert [row.refused_because for row in answer.rows if row.step.kind == "delivery"] == ["future"]


def test_an_invoice_dated_tomorrow_is_no_invoice(desk: Desk) -> None:
    desk.take(*confirmed()[:2], *bills(day=DAY + 1))
    refused(asked(desk), "unknown", "fourway_no_invoice")


def test_goods_counted_in_another_unit_are_not_valued(desk: Desk) -> None:
    desk.take(fact("order", "PO-1", 10, 100_000), fact("delivery", "PO-1", 10, reference="DN", unit="BOX"), *bills())
    refused(asked(desk), "unknown", "fourway_goods_unvalued")


def test_documents_in_two_currencies(desk: Desk) -> None:
    desk.take(*confirmed()[:2], *bills(currency="USD"))
    refused(asked(desk), "flag", "CURRENCY_DIFFERENCE")


def test_an_order_that_does_not_say_how_much_carries_no_advance(desk: Desk) -> None:
    desk.take(fact("order", "PO-1", None, None, account="CN01", promised_day=DAY + 9))
    stage = {"needs_goods": False, "needs_invoice": False}
    refused(asked(desk, amount=999_999, stage=stage), "unknown", "exception_missing_evidence_ordered_minor")


def test_the_account_is_changed_by_a_later_invoice(desk: Desk) -> None:
    desk.take(*confirmed(), *bills(reference="INV-2", account="CN66"))
    refused(asked(desk, account="CN66"), "flag", "WRONG_PAYEE_ACCOUNT")
    refused(asked(desk, account="CN01"), "flag", "WRONG_PAYEE_ACCOUNT")


def test_an_account_only_the_applicant_names(desk: Desk) -> None:
    mine, theirs = bills()
    desk.take(*confirmed()[:2], fact("invoice", "PO-1", 10, 100_000, reference="INV", account="CN66"),
              fact("invoice", "PO-1", 10, 100_000, reference="INV", **BUYER))  # fmt: skip
    assert mine.account == theirs.account == "CN01"
    refused(asked(desk, account="CN66"), "unknown", "fourway_account_unknown")


def test_a_credit_note_after_a_release_lowers_what_is_due(desk: Desk) -> None:
    paid = fact("payment", "PO-1", None, 60_000, key="b1", **BANK)
    desk.take(*confirmed(), paid)
    assert asked(desk, amount=40_000).answer == "clear"
    desk.take(fact("credit_note", "PO-1", -5, -50_000, reference="CN-1", **SELLER_WORD))  # against its own interest
    refused(asked(desk, amount=40_000), "flag", "fourway_already_paid")


def test_money_known_from_an_untrusted_statement_is_not_paid_again(desk: Desk) -> None:
    desk.take(*confirmed(), fact("payment", "PO-1", None, 100_000, key="b1", account="CN01", trust=1))
    refused(asked(desk), "flag", "fourway_already_paid")


def test_a_reversal_the_applicant_uploads_frees_nothing(desk: Desk) -> None:
    desk.take(*confirmed(), fact("payment", "PO-1", None, 100_000, key="b1", **BANK))
    desk.take(fact("payment", "PO-1", None, -100_000, key="b2", account="CN01", **SELLER_WORD))
    refused(asked(desk), "flag", "fourway_already_paid")
    desk.take(fact("payment", "PO-1", None, -100_000, key="b1r", **BANK))  # the bank itself says so
    assert asked(desk).answer == "clear"


def test_money_from_another_payers_account_is_money_all_the_same(desk: Desk) -> None:
    desk.take(*confirmed(), fact("payment", "PO-1", None, 100_000, key="b1", buyer="Somebody else", **BANK))
    refused(asked(desk), "flag", "fourway_already_paid")


def test_money_that_nobody_placed_may_have_been_for_this_order(desk: Desk) -> None:
    other = [fact("order", "PO-2", 10, 100_000), fact("delivery", "PO-2", 10, reference="DN-2"),
             fact("invoice", "PO-2", 10, 100_000, reference="INV-2", account="CN01")]  # fmt: skip
    desk.take(*confirmed(), *other, fact("payment", None, None, 100_000, key="b1", **BANK))
    refused(asked(desk), "unknown", "fourway_payment_waiting")
    waiting = desk.do(lambda s: service.waiting_payments(s))
    desk.do(lambda s: service.allocate(s, waiting[0][0], [("PO-2", 100_000)], by="ann", clock=desk.clock))
    assert asked(desk).answer == "clear"


@pytest.mark.parametrize("number", ["INV-1O0", "inv 100", "INV-100"])
def test_one_invoice_twice_also_with_the_letter_o(desk: Desk, number: str) -> None:
    order = fact("order", "PO-1", 20, 200_000)
    desk.take(order, fact("delivery", "PO-1", 20, reference="DN"), *bills(reference="INV-100"))
    assert asked(desk).answer == "clear"
    desk.take(*bills(10, 100_000, reference=number, day=DAY - 27))
    refused(asked(desk, amount=200_000), "flag", "DUPLICATE_INVOICE")


def test_one_invoice_for_two_orders(desk: Desk) -> None:
    desk.take(*confirmed(), fact("order", "PO-2", 10, 100_000), fact("delivery", "PO-2", 10, reference="DN2"))
    again = {"reference": "1NV-C0PY", "account": "CN01"} | BUYER | {"evidence_id": "f" * 64}
    desk.take(fact("invoice", "PO-2", 10, 100_000, **again | {"reference": "INV."}))
    refused(asked(desk, order="PO-2"), "flag", "DUPLICATE_INVOICE")


def test_an_order_amended_downwards_after_the_invoice(desk: Desk) -> None:
    desk.take(*confirmed())
    assert asked(desk).answer == "clear"
    desk.take(fact("order", "PO-1", 6, 60_000, evidence_id="f" * 64))
    refused(asked(desk), "flag", "OVER_INVOICED")


def test_an_order_the_applicant_amends_upwards(desk: Desk) -> None:
    desk.take(*confirmed(), fact("order", "PO-1", 20, 200_000, **SELLER_WORD))
    refused(asked(desk, amount=150_000), "flag", "CONTRADICTING_SOURCES")


def test_two_trusted_sources_that_contradict_each_other(desk: Desk) -> None:
    desk.take(*confirmed(), fact("delivery", "PO-1", 8, reference="DN", source="warehouse"))
    refused(asked(desk), "flag", "CONTRADICTING_SOURCES")


def test_an_accepted_contradiction_does_not_cover_the_next_one(desk: Desk) -> None:
    desk.take(*confirmed(), fact("delivery", "PO-1", 7, reference="DN", source="warehouse", trust=2))
    row = next(r for r in desk.do(lambda s: service.exceptions(s)).rows if r.code == "CONTRADICTING_SOURCES")
    desk.do(lambda s: service.decide(s, row.id, decision="accept", reason="recounted", by="ann", clock=desk.clock))
    assert asked(desk).answer == "clear"
    desk.take(fact("delivery", "PO-1", 2, reference="DN", source="warehouse", trust=2, evidence_id="f" * 64))
    refused(asked(desk), "flag", "CONTRADICTING_SOURCES")


def test_goods_refused_in_part_at_inspection(desk: Desk) -> None:
    desk.take(*confirmed(), fact("inspection", "PO-1", 4, passed=False, key="i1"))
    refused(asked(desk), "flag", "fourway_goods_short")


def received(**more: Any) -> LogisticsEvent:
    """The carrier's word that the goods of PO-1 were received."""
    said: dict[str, Any] = {
        "event_id": "e1", "event_hash": "h1", "kind": "object", "action": "OBSERVE",
        "time": datetime(2026, 1, 30, tzinfo=UTC), "recorded_at": None, "biz_step": "receiving", "disposition": None,
        "read_point": None, "biz_location": None,
        "biz_transactions": (Identifier(value="PO-1", scheme="po"), Identifier(value="DN", scheme="desadv")),
        "epcs": tuple(f"urn:epc:id:sgtin:4012345.011111.{n}" for n in range(10)),
    }  # fmt: skip
    return LogisticsEvent(**said | more)


CARRIER = Origin("carrier", 3, "c" * 64, applicant_can_write=False)


def test_an_event_declared_wrong_after_it_was_used(desk: Desk) -> None:
    event = from_event(received(), CARRIER)
    assert event is not None
    desk.take(fact("order", "PO-1", 10, 100_000), event, *bills())
    assert codes(asked(desk)) == ["fourway_consistent"]
    wrong = ErrorDeclaration(
        declared_at=datetime(2026, 2, 1, tzinfo=UTC), reason="incorrect_data", corrective_event_ids=()
    )
    mine = from_event(received(error_declaration=wrong), Origin("seller", 1, "d" * 64))
    withdrawn = from_event(received(error_declaration=wrong), CARRIER)
    assert mine is not None and withdrawn is not None
    desk.take(mine)  # nobody withdraws what another said
    assert codes(asked(desk)) == ["fourway_consistent"]
    desk.take(withdrawn)
    assert "fourway_no_goods" in codes(asked(desk))


@pytest.mark.parametrize("classifier", ["PLN", "EST", "REQ"])
def test_a_planned_event_is_no_fact_at_all(desk: Desk, classifier: str) -> None:
    event = received(syntax="DCSA", action="STRP", classifier=classifier)
    assert from_event(event, CARRIER) is None
    desk.take(fact("order", "PO-1", 10, 100_000, promised_day=DAY + 9), *bills())
    refused(asked(desk), "unknown", "fourway_no_goods")


def test_an_invoice_that_was_sold_to_a_factor_stops(desk: Desk) -> None:
    seller, buyer, factor = (Party(name=name, identifiers=()) for name in ("Mill", "Core", "Factor Bank"))
    sold = Invoice(
        kind="invoice", number="INV", issue_date=datetime(2026, 2, 1, tzinfo=UTC).date(), due_date=None, currency="CNY",
        seller=seller, buyer=buyer, payee=factor, order_reference="PO-1", despatch_reference=None,
        contract_reference=None, lines=(), net_minor=100_000, tax_minor=0, gross_minor=100_000, payable_minor=100_000,
        tax_breakdown=(), payment_reference=None, payee_account="CN01", syntax="UBL",
    )  # fmt: skip
    both = [Origin("seller", 1, "a" * 64), Origin("buyer", 2, "b" * 64, applicant_can_write=False)]
    desk.take(*confirmed()[:2], *(one for origin in both for one in from_invoice(sold, origin)))
    answer = asked(desk)
    refused(answer, "flag", "WRONG_PAYEE_ACCOUNT")
    assert any("Factor Bank" in why.en and "Mill" in why.en for why in answer.reasons)
