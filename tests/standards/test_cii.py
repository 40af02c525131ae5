"""Cross Industry Invoices as Factur-X Extended has them: headings over lines, several electronic addresses."""

from __future__ import annotations

import pytest

from scf.kernel.problems import Problem
from scf.standards import cii

NAMESPACES = (
    'xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" '
    'xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100" '
    'xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"'
)


def line(number: str, amount: str, *, status: str = "") -> str:
    said = f"<ram:LineStatusReasonCode>{status}</ram:LineStatusReasonCode>" if status else ""
    return (
        f"<ram:IncludedSupplyChainTradeLineItem><ram:AssociatedDocumentLineDocument><ram:LineID>{number}</ram:LineID>"
        f"{said}</ram:AssociatedDocumentLineDocument><ram:SpecifiedTradeProduct><ram:Name>Part {number}</ram:Name>"
        "</ram:SpecifiedTradeProduct><ram:SpecifiedLineTradeSettlement>"
        "<ram:SpecifiedTradeSettlementLineMonetarySummation>"
        f"<ram:LineTotalAmount>{amount}</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLineMonetarySummation>"
        "</ram:SpecifiedLineTradeSettlement></ram:IncludedSupplyChainTradeLineItem>"
    )


def invoice(*lines: str, total: str = "100.00", tax: str = "20.00", gross: str = "120.00") -> bytes:
    day = '<udt:DateTimeString format="102">20260530</udt:DateTimeString>'
    addresses = "".join(f'<ram:URIID schemeID="{one}">a@{one}</ram:URIID>' for one in ("0204", "EM"))
    return (
        f"<rsm:CrossIndustryInvoice {NAMESPACES}><rsm:ExchangedDocument><ram:ID>RE-1</ram:ID>"
        f"<ram:TypeCode>380</ram:TypeCode><ram:IssueDateTime>{day}</ram:IssueDateTime></rsm:ExchangedDocument>"
        f"<rsm:SupplyChainTradeTransaction>{''.join(lines)}<ram:ApplicableHeaderTradeAgreement>"
        "<ram:SellerTradeParty><ram:Name>Musterbetrieb AG</ram:Name></ram:SellerTradeParty>"
        f"<ram:BuyerTradeParty><ram:Name>Auftraggeber GmbH</ram:Name><ram:URIUniversalCommunication>{addresses}"
        "</ram:URIUniversalCommunication></ram:BuyerTradeParty></ram:ApplicableHeaderTradeAgreement>"
        "<ram:ApplicableHeaderTradeDelivery/><ram:ApplicableHeaderTradeSettlement>"
        "<ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode><ram:ApplicableTradeTax>"
        f"<ram:CalculatedAmount>{tax}</ram:CalculatedAmount><ram:TypeCode>VAT</ram:TypeCode>"
        f"<ram:BasisAmount>{total}</ram:BasisAmount><ram:CategoryCode>S</ram:CategoryCode>"
        "<ram:RateApplicablePercent>20</ram:RateApplicablePercent></ram:ApplicableTradeTax>"
        "<ram:SpecifiedTradeSettlementHeaderMonetarySummation>"
        f"<ram:LineTotalAmount>{total}</ram:LineTotalAmount><ram:TaxBasisTotalAmount>{total}</ram:TaxBasisTotalAmount>"
        f'<ram:TaxTotalAmount currencyID="EUR">{tax}</ram:TaxTotalAmount>'
        f"<ram:GrandTotalAmount>{gross}</ram:GrandTotalAmount><ram:DuePayableAmount>{gross}</ram:DuePayableAmount>"
        "</ram:SpecifiedTradeSettlementHeaderMonetarySummation></ram:ApplicableHeaderTradeSettlement>"
        "</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"
    ).encode()


def test_a_heading_over_lines_is_billed_by_its_lines_alone() -> None:
    read = cii.read_invoice(
        invoice(
            line("1", "100.00", status="GROUP"),
            line("101", "60.00", status="DETAIL"),
            line("102", "40.00"),
            line("9", "7.00", status="INFORMATION"),
        )
    )
    assert [item.id for item in read.lines] == ["101", "102"]
    assert (read.net_minor, read.payable_minor) == (10_000, 12_000)


def test_a_heading_cannot_hide_that_its_lines_add_up_to_less() -> None:
    with pytest.raises(Problem) as refused:
        cii.read_invoice(invoice(line("1", "100.00", status="GROUP"), line("101", "60.00", status="DETAIL")))
    assert refused.value.code == "invoice_totals_contradict"
    assert refused.value.facts["rule"] == "BR-CO-10"


def test_headings_alone_bill_nothing() -> None:
    with pytest.raises(Problem, match="IncludedSupplyChainTradeLineItem"):
        cii.read_invoice(invoice(line("1", "100.00", status="GROUP")))


def test_a_buyer_may_have_several_electronic_addresses() -> None:
    read = cii.read_invoice(invoice(line("1", "100.00")))
    assert {item.value for item in read.buyer.identifiers} == {"a@0204", "a@EM"}
