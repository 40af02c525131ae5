"""UN/CEFACT Cross Industry Invoices (D16B and later) under EN 16931, as in XRechnung, ZUGFeRD 2 and Factur-X."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from lxml import etree

from scf.standards import invoice_totals as totals
from scf.standards import tree, xml
from scf.standards import ubl_parts as parts
from scf.standards.records import Identifier, Invoice, Line, Notice, Party, TaxSubtotal
from scf.standards.refusals import refusal
from scf.standards.ubl import CREDIT_TYPE_CODES

_NAMESPACE = re.compile(r"urn:un:unece:uncefact:data:standard:(\w+):(\d+)")
_DAYS = {"102": "%Y%m%d", "203": "%Y%m%d%H%M", "204": "%Y%m%d%H%M%S", "205": "%Y%m%d%H%M%z"}
_LINE_SUMMATION = "SpecifiedTradeSettlementLineMonetarySummation"
_SUMMATION = "SpecifiedTradeSettlementHeaderMonetarySummation"
_TOTALS = {
    "line": "LineTotalAmount",
    "allowance": "AllowanceTotalAmount",
    "charge": "ChargeTotalAmount",
    "net": "TaxBasisTotalAmount",
    "gross": "GrandTotalAmount",
    "prepaid": "TotalPrepaidAmount",
    "rounding": "RoundingAmount",
    "payable": "DuePayableAmount",
}


def read_invoice(raw: bytes) -> Invoice:
    """A Cross Industry Invoice, credit notes included (by type code).

    Raises Problem as `ubl.read_invoice` does.
    """
    root = _open(raw)
    tree.check_names(root, "cii")
    document = tree.need(root, "ExchangedDocument")
    trade = tree.need(root, "SupplyChainTradeTransaction")
    agreement = tree.need(trade, "ApplicableHeaderTradeAgreement")
    delivery = tree.need(trade, "ApplicableHeaderTradeDelivery")
    settlement = tree.need(trade, "ApplicableHeaderTradeSettlement")
    code = tree.known_currency(
        tree.need_text(settlement, "InvoiceCurrencyCode"), tree.place(settlement, "InvoiceCurrencyCode")
    )
    type_code = tree.need_text(document, "TypeCode")
    notices: list[Notice] = []
    elements = [item for item in trade.findall("IncludedSupplyChainTradeLineItem") if not _is_heading(item)]
    if not elements:
        name = "IncludedSupplyChainTradeLineItem"
        raise refusal("document_element_missing", tree.place(trade, name), element=name)
    lines = tuple(_line(element, code, notices) for element in elements)
    stated = _totals(settlement, code, lines)
    notices += totals.check(stated)
    accounts = _accounts(settlement)
    payee = _payee(settlement)
    delivered = delivery.find("ActualDeliverySupplyChainEvent/OccurrenceDateTime")
    due = settlement.find("SpecifiedTradePaymentTerms/DueDateDateTime")
    seller = _need_party(agreement, "SellerTradeParty")
    first = accounts[0] if accounts else None
    return Invoice(
        kind="credit_note" if type_code in CREDIT_TYPE_CODES else "invoice",
        number=tree.need_text(document, "ID"),
        issue_date=_day(tree.need(document, "IssueDateTime")),
        due_date=None if due is None else _day(due),
        currency=code,
        seller=replace(seller, account=None if payee else first),
        buyer=_need_party(agreement, "BuyerTradeParty"),
        payee=replace(payee, account=first) if payee else None,
        order_reference=tree.text(agreement, "BuyerOrderReferencedDocument/IssuerAssignedID"),
        despatch_reference=tree.text(delivery, "DespatchAdviceReferencedDocument/IssuerAssignedID"),
        contract_reference=tree.text(agreement, "ContractReferencedDocument/IssuerAssignedID"),
        lines=lines,
        net_minor=stated.minor("net"),
        tax_minor=stated.minor("tax"),
        gross_minor=stated.minor("gross"),
        payable_minor=stated.minor("payable"),
        tax_breakdown=tuple(row for row, _ in stated.breakdown),
        payment_reference=tree.text(settlement, "PaymentReference"),
        payee_account=first,
        syntax="CII",
        line_total_minor=stated.minor("line"),
        allowance_minor=stated.minor("allowance"),
        charge_minor=stated.minor("charge"),
        prepaid_minor=stated.minor("prepaid"),
        rounding_minor=stated.minor("rounding"),
        type_code=type_code,
        delivered_on=None if delivered is None else _day(delivered),
        payee_accounts=accounts,
        corrects=_texts(settlement, "InvoiceReferencedDocument/IssuerAssignedID"),
        notes=_texts(document, "IncludedNote/Content"),
        notices=tuple(notices),
    )


def _open(raw: bytes) -> etree._Element:
    root = xml.parse(raw)
    name = etree.QName(root)
    namespace = _NAMESPACE.fullmatch(name.namespace or "")
    if name.localname != "CrossIndustryInvoice" or namespace is None:
        raise refusal("document_not_this_kind", tree.place(root), found=f"{name.localname} {name.namespace or ''}")
    used = {etree.QName(item).namespace or "" for item in root.iter("*")}
    xml.strip_namespaces(root, *(item for item in used if _NAMESPACE.fullmatch(item)))
    return root


def _texts(element: etree._Element, path: str) -> tuple[str, ...]:
    return tuple(text for item in element.findall(path) if (text := tree.text_of(item)))


def _day(element: etree._Element) -> date:
    """A date given with its UN/EDIFACT 2379 format code, or as ISO date-time."""
    inner = element.find("DateTimeString")
    if inner is None:
        inner = element.find("DateTime")
        return tree.day(tree.need(element, "DateTimeString") if inner is None else inner)
    text = tree.text_of(inner) or ""
    pattern = _DAYS.get(inner.get("format") or "102")
    if pattern is None or not re.fullmatch(r"\d{8,14}([+-]\d{4})?", text):
        raise refusal("document_date_wrong", tree.place(inner), text=text)
    try:
        return datetime.strptime(text, pattern).date()
    except ValueError as error:
        raise refusal("document_date_wrong", tree.place(inner), text=text) from error


def _party(element: etree._Element | None) -> Party | None:
    if element is None:
        return None
    found: list[Identifier] = []
    for path in ("ID", "GlobalID", "SpecifiedLegalOrganization/ID", "URIUniversalCommunication/URIID"):
        for item in element.findall(path):
            value = tree.text_of(item)
            if value:
                found.append(Identifier(item.get("schemeID") or "", value))
    for item in element.findall("SpecifiedTaxRegistration/ID"):
        value = tree.text_of(item)
        if value:
            scheme = item.get("schemeID") or "TAX"
            found.append(Identifier("VAT" if scheme == "VA" else scheme, value))
    lines = ("LineOne", "LineTwo", "LineThree", "PostcodeCode", "CityName", "CountrySubDivisionName")
    address = [text for name in lines if (text := tree.text(element, f"PostalTradeAddress/{name}"))]
    return Party(
        name=tree.text(element, "Name", "SpecifiedLegalOrganization/TradingBusinessName") or "",
        identifiers=tuple(dict.fromkeys(found)),
        country=tree.text(element, "PostalTradeAddress/CountryID"),
        address=", ".join(address) or None,
    )


def _need_party(parent: etree._Element, path: str) -> Party:
    element = tree.need(parent, path)
    found = _party(element)
    if found is None or not found.name:
        raise refusal("document_element_missing", tree.place(element, "Name"), element="Name")
    return found


def _payee(settlement: etree._Element) -> Party | None:
    """The payee; a reference to a factoring agreement alone also says that another is to be paid."""
    named = _party(settlement.find("PayeeTradeParty"))
    if named is not None:
        return named
    ultimate = _party(settlement.find("UltimatePayeeTradeParty"))
    if ultimate is not None:
        return ultimate
    for name in ("FactoringAgreementReferencedDocument", "FactoringListReferencedDocument"):
        found = settlement.find(name)
        if found is not None:
            return Party("", (Identifier("factoring", tree.text(found, "IssuerAssignedID") or "?"),))
    return None


def _accounts(settlement: etree._Element) -> tuple[str, ...]:
    found: list[str] = []
    for means in settlement.findall("SpecifiedTradeSettlementPaymentMeans"):
        for item in means.findall("PayeePartyCreditorFinancialAccount"):
            number = parts.account(tree.text(item, "IBANID", "ProprietaryID"))
            if number:
                found.append(number)
    return tuple(dict.fromkeys(found))


def _is_heading(element: etree._Element) -> bool:
    """Whether a line only sums up or explains others (BT-X-8 of Factur-X Extended) and bills nothing itself."""
    return tree.text(element, "AssociatedDocumentLineDocument/LineStatusReasonCode") in ("GROUP", "INFORMATION")


def _line(element: etree._Element, code: str, notices: list[Notice]) -> Line:
    settlement = tree.need(element, "SpecifiedLineTradeSettlement")
    quantity = element.find("SpecifiedLineTradeDelivery/BilledQuantity")
    price = "SpecifiedLineTradeAgreement/NetPriceProductTradePrice"
    base = parts.optional_number(element.find(f"{price}/BasisQuantity"))
    product = "SpecifiedTradeProduct"
    item_ids = [f"{product}/{name}" for name in ("GlobalID", "SellerAssignedID", "BuyerAssignedID")]
    line = Line(
        id=tree.need_text(element, "AssociatedDocumentLineDocument/LineID"),
        description=tree.text(element, f"{product}/Name", f"{product}/Description") or "",
        item_id=tree.text(element, *item_ids),
        quantity=parts.optional_number(quantity),
        unit=None if quantity is None else quantity.get("unitCode"),
        price=parts.optional_number(element.find(f"{price}/ChargeAmount")),
        net_minor=parts.amount(
            tree.need(settlement, "SpecifiedTradeSettlementLineMonetarySummation/LineTotalAmount"), code
        ),
        price_base_quantity=Decimal(1) if base is None else base,
        tax_rate_percent=parts.optional_number(settlement.find("ApplicableTradeTax/RateApplicablePercent")),
        order_reference=tree.text(element, "SpecifiedLineTradeAgreement/BuyerOrderReferencedDocument/IssuerAssignedID"),
        order_line_reference=tree.text(element, "SpecifiedLineTradeAgreement/BuyerOrderReferencedDocument/LineID"),
        despatch_reference=tree.text(
            element, "SpecifiedLineTradeDelivery/DespatchAdviceReferencedDocument/IssuerAssignedID"
        ),
    )
    allowances, charges = _allowances(settlement, code)
    notice = totals.line_notice(line, sum(allowances), sum(charges), code, lambda: tree.place(element))
    if notice is not None:
        notices.append(notice)
    return line


def _allowances(settlement: etree._Element, code: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sides: dict[bool, list[int]] = {False: [], True: []}
    for item in settlement.findall("SpecifiedTradeAllowanceCharge"):
        indicator = tree.need(item, "ChargeIndicator")
        written = tree.text(indicator, "Indicator", "IndicatorString")
        if written not in ("true", "false", "1", "0"):
            raise refusal("document_value_wrong", tree.place(indicator), text=written or "", expected="true, false")
        sides[written in ("true", "1")].append(parts.amount(tree.need(item, "ActualAmount"), code))
    for item in settlement.findall("SpecifiedLogisticsServiceCharge/AppliedAmount"):
        sides[True].append(parts.amount(item, code))
    return tuple(sides[False]), tuple(sides[True])


def _totals(settlement: etree._Element, code: str, lines: Sequence[Line]) -> totals.Totals:
    block = tree.need(settlement, _SUMMATION)
    for name in ("line", "net", "gross", "payable"):
        tree.need(block, _TOTALS[name])
    stated = {
        name: totals.Stated(parts.amount(element, code), tree.place(element))
        for name, path in _TOTALS.items()
        if (element := block.find(path)) is not None
    }
    taxes = [item for item in block.findall("TaxTotalAmount") if item.get("currencyID", code) == code]
    if len(taxes) > 1:
        raise refusal("document_element_repeated", tree.place(taxes[1]), element="TaxTotalAmount")
    if taxes:
        stated["tax"] = totals.Stated(parts.amount(taxes[0], code), tree.place(taxes[0]))
    breakdown = tuple(_subtotal(item, code) for item in settlement.findall("ApplicableTradeTax"))
    allowances, charges = _allowances(settlement, code)
    nets = tuple(line.net_minor or 0 for line in lines)
    return totals.Totals(code, tree.place(block), nets, allowances, charges, stated, breakdown)


def _subtotal(element: etree._Element, code: str) -> tuple[TaxSubtotal, str]:
    row = TaxSubtotal(
        category=tree.need_text(element, "CategoryCode"),
        rate_percent=parts.optional_number(element.find("RateApplicablePercent")),
        base_minor=parts.amount(tree.need(element, "BasisAmount"), code),
        tax_minor=parts.amount(tree.need(element, "CalculatedAmount"), code),
    )
    return row, tree.place(element)
