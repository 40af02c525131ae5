"""Invoices: read with their totals checked, written and read back the same, assigned ones noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.kernel.problems import Problem
from scf.standards import ubl
from scf.standards.records import Identifier, Invoice, Party

CONTRADICT = "invoice_totals_contradict"
SELLER = Party("东方铸件有限公司", (Identifier("USCC", "91310000MA1FL0000X"),), "CN", "6222000000000002")
BUYER = Party("Great Machine Works", (Identifier("0088", "4012345000009"),), "DE")


def invoice(**more: object) -> Invoice:
    made = ubl.draft_invoice(
        number="INV-7",
        issue_date=date(2026, 11, 1),
        due_date=date(2027, 1, 30),
        currency="CNY",
        seller=SELLER,
        buyer=BUYER,
        lines=[("Casting", Decimal(3), "EA", Decimal("33.335")), ("Freight", Decimal(1), "EA", Decimal("10"))],
        order_reference="PO-1",
        despatch_reference="DN-1",
        contract_reference="C-1",
        payment_reference="RF18539007547034",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def same(read: Invoice, written: Invoice) -> bool:
    """Equal but for what the syntax adds."""
    return replace(read, syntax=written.syntax) == written


def test_a_drafted_invoice_adds_up() -> None:
    made = invoice()
    assert [line.net_minor for line in made.lines] == [10_001, 1_000]
    assert (made.net_minor, made.tax_minor, made.gross_minor, made.payable_minor) == (11_001, 1_430, 12_431, 12_431)


def test_an_invoice_comes_back_the_same() -> None:
    buyer_address = replace(BUYER, address=None)
    made = invoice(buyer=buyer_address, delivered_on=date(2026, 10, 30), notes=("货到付款",))
    read = ubl.read_invoice(ubl.write_invoice(made))
    assert same(read, made)
    assert not read.is_assigned


def test_rounding_inside_the_total_with_tax_is_told_and_must_still_add_up() -> None:
    made = invoice()
    raw = ubl.write_invoice(made).decode()
    total, payable = "<cbc:TaxInclusiveAmount", "<cbc:PayableAmount"
    currency = 'currencyID="CNY">'
    inside = raw.replace(f"{total} {currency}124.31<", f"{total} {currency}124.50<").replace(
        f"{payable} {currency}124.31<",
        f"<cbc:PayableRoundingAmount {currency}0.19</cbc:PayableRoundingAmount>{payable} {currency}124.50<",
    )
    read = ubl.read_invoice(inside.encode())
    assert (read.gross_minor, read.payable_minor, read.rounding_minor) == (12_450, 12_450, 19)
    assert [notice.code for notice in read.notices] == ["invoice_rounding_inside"]
    for wrong in ("124.51", "124.69"):
        with pytest.raises(Problem) as refused:
            ubl.read_invoice(inside.replace(f"{payable} {currency}124.50<", f"{payable} {currency}{wrong}<").encode())
        assert refused.value.code == CONTRADICT


def test_an_item_may_have_further_identifications() -> None:
    raw = ubl.write_invoice(invoice()).decode()
    further = "<cac:AdditionalItemIdentification><cbc:ID>X-1</cbc:ID></cac:AdditionalItemIdentification>"
    end = "<cac:ClassifiedTaxCategory>"
    assert ubl.read_invoice(raw.replace(end, further + end, 1).encode()).lines[0].description == "Casting"


def test_a_credit_note_comes_back_the_same() -> None:
    made = invoice(kind="credit_note", type_code="381", corrects=("INV-6",))
    assert same(ubl.read_invoice(ubl.write_invoice(made)), made)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.decimals(-1000, 1000, places=3).filter(bool),
            st.decimals(0, 100_000, places=4),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([Decimal(0), Decimal(3), Decimal("6"), Decimal("13"), Decimal("7.7")]),
    st.sampled_from(["CNY", "JPY", "BHD"]),
)
def test_every_drafted_invoice_passes_the_totals_check(
    rows: list[tuple[Decimal, Decimal]], rate: Decimal, code: str
) -> None:
    made = ubl.draft_invoice(
        number="X",
        issue_date=date(2026, 11, 1),
        due_date=None,
        currency=code,
        seller=SELLER,
        buyer=BUYER,
        lines=[("Thing", quantity, "EA", price) for quantity, price in rows],
        tax_rate_percent=rate,
    )
    read = ubl.read_invoice(ubl.write_invoice(made))
    assert (read.net_minor, read.tax_minor, read.payable_minor) == (made.net_minor, made.tax_minor, made.payable_minor)


@pytest.mark.parametrize(
    ("payee", "assigned"),
    [
        (None, False),
        (Party("Harbour Factoring"), True),
        (Party(""), True),
        (Party("东方铸件有限公司"), False),
        (Party("东方铸件有限公司", (Identifier("SEPA", "DE98ZZZ09999999999"),)), False),
        (Party("东方铸件有限公司", (Identifier("0088", "4099999000000"),)), True),
        (Party("Trading name", SELLER.identifiers), False),
    ],
)
def test_an_invoice_payable_to_another_is_assigned(payee: Party | None, assigned: bool) -> None:
    assert invoice(payee=payee).is_assigned is assigned


def test_a_factored_type_code_alone_says_assigned() -> None:
    assert invoice(type_code="393").is_assigned


def test_the_factor_and_its_account_are_kept_apart_from_the_seller() -> None:
    factor = Party("Harbour Factoring", (Identifier("0088", "4099999000000"),), None, "6222999")
    made = invoice(
        payee=factor, seller=replace(SELLER, account=None), payee_account="6222999", payee_accounts=("6222999",)
    )
    read = ubl.read_invoice(ubl.write_invoice(made))
    assert (read.is_assigned, read.payee, read.seller.account, read.payee_account) == (True, factor, None, "6222999")


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        (">110.01</cbc:LineExt", ">110.02</cbc:LineExt", CONTRADICT, "LineExtensionAmount"),
        (">110.01</cbc:TaxExc", ">110.00</cbc:TaxExc", CONTRADICT, "TaxExclusiveAmount"),
        (">124.31</cbc:TaxInc", ">124.30</cbc:TaxInc", CONTRADICT, "TaxInclusiveAmount"),
        (">124.31</cbc:Payable", ">1243.10</cbc:Payable", CONTRADICT, "PayableAmount"),
        ("<cbc:Percent>13<", "<cbc:Percent>3<", CONTRADICT, "TaxSubtotal"),
        (">124.31</cbc:Payable", ">124.311</cbc:Payable", "document_amount_too_fine", "PayableAmount"),
        (">124.31</cbc:Payable", ">1.2431E2</cbc:Payable", "document_number_wrong", "PayableAmount"),
        ('"CNY">124.31</cbc:Pay', '"USD">124.31</cbc:Pay', "document_currency_mixed", "PayableAmount"),
        (">CNY</cbc:Doc", ">XXX</cbc:Doc", "document_currency_unknown", "DocumentCurrencyCode"),
        ("<cbc:IssueDate>2026-11-01", "<cbc:IssueDate>01.11.2026", "document_date_wrong", "IssueDate"),
        ("<cbc:ID>INV-7</cbc:ID>", "<cbc:ID/>", "document_element_missing", "ID"),
        ("<cbc:ID>INV-7</cbc:ID>", "<cbc:ID>INV-7</cbc:ID><cbc:ID>INV-8</cbc:ID>", "document_element_repeated", "ID"),
        ("cbc:DueDate>", "cbc:DueDay>", "document_element_unknown", "DueDay"),
        ("cac:AccountingSupplierParty>", "cac:BuyerCustomerParty>", "document_element_missing", "AccountingSupp"),
    ],
)
def test_what_contradicts_is_refused_with_place_and_reason(old: str, new: str, code: str, place: str) -> None:
    text = ubl.write_invoice(invoice()).decode()
    assert old in text
    with pytest.raises(Problem) as caught:
        ubl.read_invoice(text.replace(old, new).encode())
    assert caught.value.code == code
    assert place in str(caught.value.facts["place"])
    assert "?" not in caught.value.sentence("zh-CN") + caught.value.sentence("en")


def test_an_allowance_that_is_not_in_the_totals_is_refused() -> None:
    text = ubl.write_invoice(invoice(allowance_minor=100, net_minor=10_901)).decode()
    stated = 'AllowanceTotalAmount currencyID="CNY">'
    with pytest.raises(Problem) as caught:
        ubl.read_invoice(text.replace(stated + "1.00", stated + "2.00").encode())
    assert caught.value.facts["rule"] == "BR-CO-11"


def test_a_line_whose_price_does_not_fit_is_read_and_noticed() -> None:
    text = ubl.write_invoice(invoice()).decode().replace(">33.335<", ">43.335<")
    read = ubl.read_invoice(text.encode())
    assert [notice.code for notice in read.notices] == ["invoice_line_differs"]


def test_another_ubl_document_is_refused() -> None:
    raw = ubl.write_invoice(invoice()).replace(b"Invoice-2", b"Reminder-2")
    with pytest.raises(Problem) as caught:
        ubl.read_invoice(raw)
    assert caught.value.code == "document_not_this_kind"


def test_what_is_collected_for_others_is_payable_in_the_extension_that_says_so_and_nowhere_else() -> None:
    """BG-DEX-09 of the XRechnung extension: third parties' claims are paid on top of the invoice's own total."""
    raw = ubl.write_invoice(invoice()).decode()
    start = raw.index("<cac:TaxTotal>")
    group = (
        '<cac:PrepaidPayment><cbc:ID>Parking</cbc:ID><cbc:PaidAmount currencyID="CNY">10.00</cbc:PaidAmount>'
        "</cac:PrepaidPayment>"
    )
    at = raw.index(">", raw.index("<cbc:PayableAmount")) + 1
    end = raw.index("<", at)
    more = f"{raw[:start]}{group}{raw[start:at]}{float(raw[at:end]) + 10:.2f}{raw[end:]}"
    with pytest.raises(Problem) as caught:
        ubl.read_invoice(more.encode())
    assert caught.value.code == CONTRADICT
    profile = raw[raw.index("<cbc:CustomizationID>") + 21 : raw.index("</cbc:CustomizationID>")]
    extended = more.replace(profile, profile + "#conformant#urn:xeinkauf.de:kosit:extension:xrechnung_3.0")
    found = ubl.read_invoice(extended.encode())
    assert found.payable_minor == found.gross_minor + 10_00
