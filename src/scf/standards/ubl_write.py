"""Writer of UBL 2.1 invoices and credit notes under EN 16931, elements in schema order."""

from __future__ import annotations

from decimal import Decimal

from lxml import etree

from scf.standards import ubl_parts as parts
from scf.standards.records import Invoice, Line


def write_invoice(invoice: Invoice) -> bytes:
    """A UBL Invoice or CreditNote with the record's own totals; reading it back gives the record again.

    Allowances and charges are written as one of each, since the record keeps their sums.
    """
    is_note = invoice.kind == "credit_note"
    root = parts.new_document("CreditNote" if is_note else "Invoice")
    parts.add(root, "CustomizationID", "urn:cen.eu:en16931:2017")
    parts.add(root, "ID", invoice.number)
    parts.add(root, "IssueDate", invoice.issue_date.isoformat())
    if invoice.due_date is not None and not is_note:
        parts.add(root, "DueDate", invoice.due_date.isoformat())
    parts.add(root, "CreditNoteTypeCode" if is_note else "InvoiceTypeCode", invoice.type_code)
    for note in invoice.notes:
        parts.add(root, "Note", note)
    parts.add(root, "DocumentCurrencyCode", invoice.currency)
    parts.add_if(root, "OrderReference/ID", invoice.order_reference)
    for number in invoice.corrects:
        parts.add(root, "BillingReference/InvoiceDocumentReference/ID", number)
    parts.add_if(root, "DespatchDocumentReference/ID", invoice.despatch_reference)
    parts.add_if(root, "ContractDocumentReference/ID", invoice.contract_reference)
    parts.add_party(parts.add(root, "AccountingSupplierParty/Party"), invoice.seller)
    parts.add_party(parts.add(root, "AccountingCustomerParty/Party"), invoice.buyer)
    _payee(root, invoice)
    if invoice.delivered_on is not None:
        parts.add(root, "Delivery/ActualDeliveryDate", invoice.delivered_on.isoformat())
    _payment_means(root, invoice, is_note)
    _allowance(root, invoice, is_charge=False, minor=invoice.allowance_minor)
    _allowance(root, invoice, is_charge=True, minor=invoice.charge_minor)
    _tax(root, invoice)
    _totals(root, invoice)
    for line in invoice.lines:
        _line(root, line, invoice, is_note)
    return parts.to_bytes(root)


def _payee(root: etree._Element, invoice: Invoice) -> None:
    if invoice.payee is None:
        return
    element = parts.add(root, "PayeeParty")
    for item in invoice.payee.identifiers:
        parts.add(element, "PartyIdentification/ID", item.value, **({"schemeID": item.scheme} if item.scheme else {}))
    parts.add(element, "PartyName/Name", invoice.payee.name)


def _payment_means(root: etree._Element, invoice: Invoice, is_note: bool) -> None:
    accounts = invoice.payee_accounts or ((invoice.payee_account,) if invoice.payee_account else ())
    due = invoice.due_date if is_note else None
    for account in accounts or ((None,) if invoice.payment_reference or due else ()):
        means = parts.add(root, "PaymentMeans")
        parts.add(means, "PaymentMeansCode", "30")
        if due is not None:
            parts.add(means, "PaymentDueDate", due.isoformat())
        parts.add_if(means, "PaymentID", invoice.payment_reference)
        parts.add_if(means, "PayeeFinancialAccount/ID", account)


def _category(invoice: Invoice, rate: Decimal | None) -> str:
    """Tax category of a rate: as in the breakdown, else standard or zero."""
    for row in invoice.tax_breakdown:
        if (row.rate_percent or 0) == (rate or 0):
            return row.category
    return "S" if rate else "Z"


def _allowance(root: etree._Element, invoice: Invoice, *, is_charge: bool, minor: int) -> None:
    if not minor:
        return
    rate = invoice.tax_breakdown[0].rate_percent if invoice.tax_breakdown else None
    element = parts.add(root, "AllowanceCharge")
    parts.add(element, "ChargeIndicator", "true" if is_charge else "false")
    parts.add(element, "AllowanceChargeReason", "Charge" if is_charge else "Allowance")
    parts.add_amount(element, "Amount", minor, invoice.currency)
    _tax_category(element, "TaxCategory", _category(invoice, rate), rate)


def _tax_category(parent: etree._Element, name: str, category: str, rate: Decimal | None) -> None:
    element = parts.add(parent, name)
    parts.add(element, "ID", category)
    if rate is not None:
        parts.add(element, "Percent", parts.number(rate))
    parts.add(element, "TaxScheme/ID", "VAT")


def _tax(root: etree._Element, invoice: Invoice) -> None:
    element = parts.add(root, "TaxTotal")
    parts.add_amount(element, "TaxAmount", invoice.tax_minor, invoice.currency)
    for row in invoice.tax_breakdown:
        subtotal = parts.add(element, "TaxSubtotal")
        parts.add_amount(subtotal, "TaxableAmount", row.base_minor, invoice.currency)
        parts.add_amount(subtotal, "TaxAmount", row.tax_minor, invoice.currency)
        _tax_category(subtotal, "TaxCategory", row.category, row.rate_percent)


def _totals(root: etree._Element, invoice: Invoice) -> None:
    element = parts.add(root, "LegalMonetaryTotal")
    rows = (
        ("LineExtensionAmount", invoice.line_total_minor, True),
        ("TaxExclusiveAmount", invoice.net_minor, True),
        ("TaxInclusiveAmount", invoice.gross_minor, True),
        ("AllowanceTotalAmount", invoice.allowance_minor, False),
        ("ChargeTotalAmount", invoice.charge_minor, False),
        ("PrepaidAmount", invoice.prepaid_minor, False),
        ("PayableRoundingAmount", invoice.rounding_minor, False),
        ("PayableAmount", invoice.payable_minor, True),
    )
    for name, minor, is_required in rows:
        if is_required or minor:
            parts.add_amount(element, name, minor, invoice.currency)


def _line(root: etree._Element, line: Line, invoice: Invoice, is_note: bool) -> None:
    element = parts.add(root, "CreditNoteLine" if is_note else "InvoiceLine")
    parts.add(element, "ID", line.id)
    if line.quantity is not None:
        name = "CreditedQuantity" if is_note else "InvoicedQuantity"
        parts.add(element, name, parts.number(line.quantity), unitCode=line.unit or "C62")
    parts.add_amount(element, "LineExtensionAmount", line.net_minor or 0, invoice.currency)
    if line.order_line_reference or line.order_reference:
        reference = parts.add(element, "OrderLineReference")
        parts.add(reference, "LineID", line.order_line_reference or "NA")
        parts.add_if(reference, "OrderReference/ID", line.order_reference)
    if line.despatch_reference:
        despatch = parts.add(element, "DespatchLineReference")
        parts.add(despatch, "LineID", line.id)
        parts.add(despatch, "DocumentReference/ID", line.despatch_reference)
    item = parts.add(element, "Item")
    parts.add(item, "Name", line.description)
    parts.add_if(item, "SellersItemIdentification/ID", line.item_id)
    _tax_category(item, "ClassifiedTaxCategory", _category(invoice, line.tax_rate_percent), line.tax_rate_percent)
    if line.price is not None:
        price = parts.add(element, "Price")
        parts.add(price, "PriceAmount", parts.number(line.price), currencyID=invoice.currency)
        if line.price_base_quantity != 1:
            base = parts.number(line.price_base_quantity)
            parts.add(price, "BaseQuantity", base, unitCode=line.unit or "C62")
