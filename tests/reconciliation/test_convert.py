"""Documents become facts that say what the document says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.kernel.problems import Problem
from scf.reconciliation import convert
from scf.reconciliation.duplicates import same_number
from scf.reconciliation.facts import Fact, Kind, check, day_number, from_json, normalise, to_json
from scf.reconciliation.fold import Part, fold
from scf.reconciliation.rule import Reason, Terms, judge
from scf.standards import csvmap
from scf.standards.bank_records import Entry, Statement
from scf.standards.csvmapping import load_mapping
from scf.standards.records import (
    Delivery,
    DespatchAdvice,
    EpcQuantity,
    ErrorDeclaration,
    Identifier,
    Invoice,
    Line,
    LogisticsEvent,
    Order,
    Party,
)

BUYER = Party("Core", (Identifier("0088", "4012345000009"),))
SELLER = Party("Mill", (), account="CN01")
ORIGIN = convert.Origin("carrier", 3, "e" * 64, applicant_can_write=False)


def line(number: str, quantity: str, price: str, net: int, unit: str = "EA", **more: str) -> Line:
    return Line(number, f"item {number}", f"SKU{number}", Decimal(quantity), unit, Decimal(price), net, **more)


INVOICE = Invoice(
    kind="invoice", number="R 1", issue_date=date(2026, 1, 5), due_date=date(2026, 2, 4), currency="CNY",
    seller=SELLER, buyer=BUYER, payee=None, order_reference="PO-1", despatch_reference="DN-1", contract_reference=None,
    lines=(line("1", "2.5", "4.00", 1_000), line("2", "1", "5", 500)), net_minor=1_500, tax_minor=195,
    gross_minor=1_695, payable_minor=1_695, tax_breakdown=(),
    payment_reference="RF18", payee_account="CN01", syntax="UBL",
)  # fmt: skip


def test_an_invoice_states_net_for_goods_and_gross_for_money() -> None:
    (said,) = convert.from_invoice(INVOICE, ORIGIN)
    assert (said.kind, said.reference, said.order_reference, said.despatch_reference) == (
        Kind.INVOICE,
        "R 1",
        "PO-1",
        "DN-1",
    )
    assert (said.amount_minor, said.payable_minor, said.quantity_milli) == (1_500, 1_695, 3_500)
    assert (said.buyer, said.seller, said.account) == ("4012345000009", "Mill", "CN01")
    assert said.due_day == day_number(date(2026, 2, 4))
    assert [part.price_micro for part in said.lines] == [4_000_000, 5_000_000]


def test_a_credit_note_counts_the_other_way() -> None:
    (said,) = convert.from_invoice(replace(INVOICE, kind="credit_note", corrects=("R 0",)), ORIGIN)
    assert (said.kind, said.amount_minor, said.payable_minor, said.quantity_milli) == (
        Kind.CREDIT_NOTE,
        -1_500,
        -1_695,
        -3_500,
    )
    assert said.invoice_references == ("R 0",)


def test_an_invoice_for_several_orders_is_divided_by_its_lines() -> None:
    lines = (line("1", "2", "3", 600, order_reference="PO-1"), line("2", "1", "9", 900, order_reference="PO-2"))
    said = convert.from_invoice(replace(INVOICE, order_reference=None, lines=lines), ORIGIN)
    assert [(f.order_reference, f.amount_minor, f.payable_minor) for f in said] == [
        ("PO-1", 600, 678),
        ("PO-2", 900, 1_017),
    ]
    assert sum(f.payable_minor or 0 for f in said) == INVOICE.payable_minor


def test_quantities_of_different_units_are_not_added() -> None:
    lines = (line("1", "2", "3", 600), line("2", "1", "9", 900, unit="KGM"))
    assert convert.from_invoice(replace(INVOICE, lines=lines), ORIGIN)[0].quantity_milli is None


def test_an_order_and_its_answer_speak_of_one_order() -> None:
    order = Order("order", "PO-1", date(2026, 1, 1), "CNY", BUYER, SELLER, (line("1", "10", "1", 1_000),), 1_000,
                  date(2026, 2, 1), None, None, None, "UBL")  # fmt: skip
    said = convert.from_order(order, ORIGIN)
    assert (said.reference, said.promised_day, said.account) == ("PO-1", day_number(date(2026, 2, 1)), "CN01")
    answer = replace(order, kind="order_response", number="OR-9", order_reference="PO-1")
    assert convert.from_order(answer, ORIGIN).order_reference == "PO-1"


def test_a_despatch_for_two_orders_is_two_facts() -> None:
    lines = (line("1", "2", "3", 1, order_reference="A"), line("2", "5", "3", 1, order_reference="B"))
    advice = DespatchAdvice("DN", date(2026, 1, 2), ("A", "B"), SELLER, BUYER, lines, None, None, None, (), "UBL")
    said = convert.from_despatch(advice, ORIGIN)
    assert [(f.order_reference, f.quantity_milli) for f in said] == [("A", 2_000), ("B", 5_000)]


def event(**changes: object) -> LogisticsEvent:
    base = LogisticsEvent(
        event_id="ev1", event_hash="ni:///sha-256;aa", kind="ObjectEvent", action="OBSERVE",
        time=datetime(2026, 1, 31, 17, tzinfo=UTC), recorded_at=None, biz_step="urn:epcglobal:cbv:bizstep:receiving",
        disposition=None, read_point=None, biz_location=None,
        biz_transactions=(Identifier("urn:epcglobal:cbv:btt:po", "urn:epcglobal:cbv:bt:0614141073467:PO-1"),
                          Identifier("https://ref.gs1.org/cbv/BTT-desadv", "urn:epcglobal:cbv:bt:0614141073467:DN-1")),
        quantities=(EpcQuantity("urn:epc:class:lgtin:1", Decimal(200), "KGM"),),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def test_an_event_says_what_arrived_on_the_day_in_beijing() -> None:
    said = convert.from_event(event(), ORIGIN)
    assert said is not None
    assert (said.kind, said.order_reference, said.despatch_reference) == (Kind.DELIVERY, "PO-1", "DN-1")
    assert (said.quantity_milli, said.unit, said.day) == (200_000, "KGM", day_number(date(2026, 2, 1)))


def test_plans_are_no_facts_and_errors_are_withdrawals() -> None:
    assert convert.from_event(event(classifier="PLN"), ORIGIN) is None
    assert convert.from_event(event(biz_step="urn:epcglobal:cbv:bizstep:commissioning"), ORIGIN) is None
    wrong = ErrorDeclaration(datetime(2026, 2, 2, tzinfo=UTC), None, ())
    said = convert.from_event(event(error_declaration=wrong), ORIGIN)
    assert said is not None
    assert said.retracts == "ni:///sha-256;aa"


def entry(amount: int, **more: object) -> Entry:
    values: dict[str, object] = {
        "booked_on": date(2026, 2, 1), "value_on": date(2026, 2, 2), "amount_minor": amount, "currency": "CNY",
        "end_to_end_id": "NOTPROVIDED", "reference": None, "structured_reference": None,
        "remittance": "invoice R-2026/77, thanks", "counterparty": "Mill", "counterparty_account": "CN01",
        "is_reversal": False, "bank_transaction_id": "TX1", "uetr": None, "status": "BOOK",
    }  # fmt: skip
    return Entry(**(values | more))  # type: ignore[arg-type]


def statement(*entries: Entry) -> Statement:
    return Statement("S1", "camt.053", "CN99", "CNY", None, None, None, None, None, (), entries, "M1")


def test_a_bank_line_says_who_paid_whom() -> None:
    out, back, income = convert.from_statement(
        statement(entry(-500), entry(500, is_reversal=True, bank_transaction_id="TX2"),
                  entry(700, bank_transaction_id="TX3")),
        ORIGIN, owner="Core",
    )  # fmt: skip
    assert (out.buyer, out.seller, out.account, out.amount_minor) == ("Core", "Mill", "CN01", 500)
    assert (back.buyer, back.seller, back.amount_minor) == ("Core", "Mill", -500)
    assert (income.buyer, income.seller, income.account) == ("Mill", "Core", "CN99")
    assert out.end_to_end_id is None
    assert out.mentions == ("R-2026/77",)


def test_pending_lines_are_no_facts_and_equal_lines_stay_two() -> None:
    lines = [entry(-500, bank_transaction_id=None, entry_index=n) for n in (0, 1)]
    said = convert.from_statement(statement(*lines, entry(-1, status="PDNG")), ORIGIN, owner="Core")
    assert len({fact.digest() for fact in said}) == 2


def test_a_delivery_row_is_an_order_and_a_delivery() -> None:
    row = Delivery("7", "ASN-1", "PO-1", "Mill", None, None, "drug", Decimal(10), 1_000, "USD", date(2026, 1, 5), None,
                   date(2026, 1, 9))  # fmt: skip
    order, delivery = convert.from_delivery(row, ORIGIN, buyer="Programme")
    assert (order.kind, order.promised_day) == (Kind.ORDER, day_number(date(2026, 1, 5)))
    assert (delivery.reference, delivery.order_reference, delivery.amount_minor) == ("ASN-1", "PO-1/7", 1_000)
    assert len(convert.from_delivery(replace(row, delivered_on=None), ORIGIN)) == 1


@pytest.mark.parametrize(
    ("raw", "normal"),
    [("po-2O26/oI", "P020260 1".replace(" ", "")), ("/", None), ("", None), ("１２", None), (" a b ", "AB")],
)
def test_references_are_normalised_as_documented(raw: str, normal: str | None) -> None:
    assert normalise(raw) == normal


@settings(deadline=None)
@given(st.text(max_size=30))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert once is None or normalise(once) == once


@settings(deadline=None)
@given(
    st.builds(
        Fact, kind=st.sampled_from(Kind), source=st.text(min_size=1, max_size=5), trust=st.integers(0, 4),
        evidence_id=st.just("e"), day=st.integers(0, 40_000), reference=st.none() | st.text(max_size=9),
        invoice_references=st.lists(st.text(max_size=4), max_size=3).map(tuple), amount_minor=st.none() | st.integers(),
        passed=st.none() | st.booleans(),
    )
)  # fmt: skip
def test_a_fact_survives_being_written_down(said: Fact) -> None:
    assert from_json(to_json(said)) == said
    assert from_json(to_json(said)).digest() == said.digest()


def test_an_amount_without_a_currency_is_refused() -> None:
    (said,) = convert.from_invoice(INVOICE, ORIGIN)
    for broken in ({"currency": None}, {"trust": 5}, {"amount_minor": 2**60}, {"reference": "--"}, {"source": ""}):
        with pytest.raises(Problem, match="cannot be used"):
            check(replace(said, **broken))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "two", "alike"),
    [
        ("INV-10023", "10023", True), ("INV-10023", "inv 10023", True), ("10023", "10023-COPY", True),
        ("10023", "10023A", True),
        ("INV-10023", "INV-10032", True), ("INV-10023", "INV-10024", False), ("R-2026-01", "R-2026-02", False),
        ("12", "2", False),
    ],
)  # fmt: skip
def test_numbers_that_are_one_number_written_twice(one: str, two: str, alike: bool) -> None:
    assert same_number(one, two) is same_number(two, one) is alike


def test_the_real_deliveries_have_the_known_punctuality(samples: Path) -> None:
    """All deliveries of the sample list through the rule: late, early and on time as its answer key says."""
    raw = (samples / "deliveries" / "scms_delivery_history.csv").read_bytes()
    rows = csvmap.deliveries(csvmap.preview(raw, load_mapping("scms")))
    late = early = 0
    for row in rows:
        facts = convert.from_delivery(row, ORIGIN, buyer="Programme")
        parts = [Part(n, one, one.amount_minor) for n, one in enumerate(facts)]
        reasons = {
            d.reason for d in judge(fold(parts).case, Terms(as_of_day=20_000, invoices_expected=0)).disagreements
        }
        late += Reason.LATE in reasons
        early += Reason.EARLY in reasons
    assert (len(rows), late, early) == (10_324, 1_186, 2_814)
