"""Peppol order, despatch advice and answers: written, read back the same, refused when wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from scf.kernel.problems import Problem
from scf.standards import reading, ubl_orders
from scf.standards.records import DespatchAdvice, DocumentKind, Identifier, InvoiceResponse, Line, Order, Party

SELLER = Party("东方铸件有限公司", (Identifier("USCC", "91310000MA1FL0000X"),), "CN")
BUYER = Party("Great Machine Works", (Identifier("0088", "4012345000009"),), "DE")
LINE = Line("1", "Casting", "A-1", Decimal(3), "EA", Decimal("33.335"), 10_001)
ORDER = Order(
    kind="order",
    number="PO-1",
    issue_date=date(2026, 11, 1),
    currency="CNY",
    buyer=BUYER,
    seller=SELLER,
    lines=(LINE,),
    net_minor=10_001,
    deliver_by=date(2026, 12, 1),
    contract_reference="C-1",
    order_reference=None,
    response_code=None,
    syntax="UBL",
)
ADVICE = DespatchAdvice(
    number="DN-1",
    issue_date=date(2026, 11, 20),
    order_references=("PO-1",),
    supplier=SELLER,
    customer=BUYER,
    lines=(replace(LINE, price=None, net_minor=None, order_reference="PO-1", order_line_reference="1"),),
    shipped_on=date(2026, 11, 20),
    expected_on=date(2026, 11, 25),
    carrier="Road Carrier",
    transport_references=("CN-1",),
    syntax="UBL",
)
RESPONSE = InvoiceResponse(
    number="R-1",
    issue_date=date(2026, 11, 22),
    invoice_number="INV-7",
    status="CA",
    effective_on=date(2026, 11, 22),
    sender=replace(BUYER, country=None),
    receiver=replace(SELLER, country=None),
    reasons=("due date changed",),
)
PO = ubl_orders.write_order(ORDER)
DN = ubl_orders.write_despatch_advice(ADVICE)
IR = ubl_orders.write_invoice_response(RESPONSE)
TOTAL = b'"CNY">100.01</cbc:LineExtensionAmount>\n    <cbc:P'
ANSWER = b"""<OrderResponse xmlns="urn:oasis:names:specification:ubl:schema:xsd:OrderResponse-2"
 xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
 xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"><cbc:ID>A-1</cbc:ID>
 <cbc:IssueDate>2026-11-02</cbc:IssueDate><cbc:OrderResponseCode>CA</cbc:OrderResponseCode>
 <cac:OrderReference><cbc:ID>PO-1</cbc:ID></cac:OrderReference>
 <cac:SellerSupplierParty><cac:Party><cac:PartyName><cbc:Name>S</cbc:Name></cac:PartyName></cac:Party></cac:SellerSupplierParty>
 <cac:BuyerCustomerParty><cac:Party><cac:PartyName><cbc:Name>B</cbc:Name></cac:PartyName></cac:Party></cac:BuyerCustomerParty>
 <cac:OrderLine><cac:LineItem><cbc:ID>1</cbc:ID><cbc:LineStatusCode>3</cbc:LineStatusCode>
 <cbc:Quantity unitCode="EA">2</cbc:Quantity>
 <cac:Item><cbc:Name>Casting</cbc:Name></cac:Item></cac:LineItem></cac:OrderLine></OrderResponse>"""


def test_every_document_comes_back_the_same_through_the_one_door() -> None:
    for raw, kind, record in (
        (ubl_orders.write_order(ORDER), DocumentKind.UBL_ORDER, ORDER),
        (ubl_orders.write_despatch_advice(ADVICE), DocumentKind.UBL_DESPATCH_ADVICE, ADVICE),
        (ubl_orders.write_invoice_response(RESPONSE), DocumentKind.UBL_INVOICE_RESPONSE, RESPONSE),
    ):
        found = reading.read(raw)
        assert (found.kind, found.records) == (kind, (record,))


def test_an_order_response_says_what_changed() -> None:
    (answer,) = reading.read(ANSWER).records
    assert isinstance(answer, Order)
    assert (answer.kind, answer.order_reference, answer.response_code) == ("order_response", "PO-1", "CA")
    assert (answer.lines[0].status, answer.lines[0].quantity) == ("3", 2)


@pytest.mark.parametrize(
    ("raw", "old", "new", "code"),
    [
        (PO, TOTAL, TOTAL.replace(b".01", b".02"), "order_total_contradicts"),
        (PO, b"OrderLine>", b"OderLine>", "document_element_unknown"),
        (PO, b"Quantity", b"Quantety", "document_element_unknown"),
        (PO, b"2026-11-01", b"2026-11-31", "document_date_wrong"),
        (DN, b'unitCode="EA">3<', b'unitCode="EA">three<', "document_number_wrong"),
        (DN, b"DespatchSupplierParty", b"SellerSupplierParty", "document_element_missing"),
        (IR, b">CA<", b">OK<", "document_value_wrong"),
        (ANSWER, b">CA<", b">OK<", "document_value_wrong"),
    ],
)
def test_a_wrong_document_is_refused(raw: bytes, old: bytes, new: bytes, code: str) -> None:
    assert old in raw
    with pytest.raises(Problem) as caught:
        reading.read(raw.replace(old, new))
    assert caught.value.code == code


def test_a_table_needs_a_mapping() -> None:
    with pytest.raises(Problem) as caught:
        reading.read(b"a,b,c\n1,2,3\n")
    assert caught.value.code == "table_needs_mapping"


def test_a_response_may_name_its_parties_by_identifier_alone() -> None:
    """Peppol asks for a party's identifier in an answer, not for its name: both sides know who they are."""
    answer = ANSWERED.encode()
    nameless = answer.replace(b"<cbc:RegistrationName>Great Machine Works</cbc:RegistrationName>", b"")
    assert nameless != answer
    found = ubl_orders.read_order_response(nameless)
    assert found.buyer.name == "" and found.buyer.identifier("0088") == "4012345000009"
    with pytest.raises(Problem):
        ubl_orders.read_order_response(nameless.replace(b"4012345000009", b""))


ANSWERED = """<OrderResponse xmlns="urn:oasis:names:specification:ubl:schema:xsd:OrderResponse-2"
 xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
 xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
<cbc:CustomizationID>urn:fdc:peppol.eu:poacc:trns:order_response:3</cbc:CustomizationID>
<cbc:ID>A-1</cbc:ID><cbc:IssueDate>2026-11-02</cbc:IssueDate><cbc:OrderResponseCode>AP</cbc:OrderResponseCode>
<cac:OrderReference><cbc:ID>PO-1</cbc:ID></cac:OrderReference>
<cac:SellerSupplierParty><cac:Party><cac:PartyLegalEntity><cbc:RegistrationName>Castings</cbc:RegistrationName>
</cac:PartyLegalEntity></cac:Party></cac:SellerSupplierParty>
<cac:BuyerCustomerParty><cac:Party><cac:PartyIdentification><cbc:ID schemeID="0088">4012345000009</cbc:ID>
</cac:PartyIdentification><cac:PartyLegalEntity><cbc:RegistrationName>Great Machine Works</cbc:RegistrationName>
</cac:PartyLegalEntity></cac:Party></cac:BuyerCustomerParty></OrderResponse>"""


def test_an_order_agreement_answers_no_order_and_has_no_code() -> None:
    code, reference = "<cbc:OrderResponseCode>AP</cbc:OrderResponseCode>", "<cbc:ID>PO-1</cbc:ID>"
    agreement = ANSWERED.replace("order_response:3", "order_agreement:3").replace(code, "")
    agreement = agreement.replace(f"<cac:OrderReference>{reference}</cac:OrderReference>", "")
    found = ubl_orders.read_order_response(agreement.encode())
    assert (found.number, found.order_reference, found.response_code) == ("A-1", None, None)
    with pytest.raises(Problem):
        ubl_orders.read_order_response(ANSWERED.replace(code, "").encode())
