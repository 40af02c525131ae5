"""UBL 2.1 invoices and credit notes under EN 16931: read with their totals checked, drafted and written.

A payee who is not the seller is kept apart (`Invoice.is_assigned`): such an invoice is already sold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Literal

from lxml import etree

from scf.standards import invoice_totals as totals
from scf.standards import tree
from scf.standards import ubl_parts as parts
from scf.standards.records import Invoice, Line, Notice, Party, TaxSubtotal
from scf.standards.refusals import refusal
from scf.standards.ubl_write import write_invoice

__all__ = ["CREDIT_TYPE_CODES", "draft_invoice", "read_invoice", "write_invoice"]

CREDIT_TYPE_CODES = frozenset(("81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "532"))
"""UNTDID 1001 codes that owe the other way."""
_TOTALS = {
    "line": "LineExtensionAmount",
    "allowance": "AllowanceTotalAmount",
    "charge": "ChargeTotalAmount",
    "net": "TaxExclusiveAmount",
    "gross": "TaxInclusiveAmount",
    "prepaid": "PrepaidAmount",
    "rounding": "PayableRoundingAmount",
    "payable": "PayableAmount",
}


def read_invoice(raw: bytes) -> Invoice:
    """An Invoice or CreditNote.

    Raises Problem (see `xml.parse`; `document_not_this_kind`, `document_element_missing`, `document_element_repeated`,
    `document_element_unknown`, `document_number_wrong`, `document_amount_too_fine`, `document_date_wrong`,
    `document_currency_unknown`, `document_currency_mixed`, `invoice_totals_contradict`).
    """
    root = parts.open_document(raw, "Invoice", "CreditNote")
    is_note = root.tag == "CreditNote"
    code = parts.document_currency(root)
    type_code = tree.text(root, "CreditNoteTypeCode" if is_note else "InvoiceTypeCode") or ("381" if is_note else "380")
    notices: list[Notice] = []
    elements = root.findall("CreditNoteLine" if is_note else "InvoiceLine")
    if not elements:
        raise refusal("document_element_missing", tree.place(root, "InvoiceLine"), element="InvoiceLine")
    lines = tuple(_line(element, code, is_note, notices) for element in elements)
    stated = _totals(root, code, lines)
    notices += totals.check(stated)
    accounts = _accounts(root)
    due = root.find("DueDate")
    due = root.find("PaymentMeans/PaymentDueDate") if due is None else due
    delivered = root.find("Delivery/ActualDeliveryDate")
    payee = parts.party(root.find("PayeeParty"))
    return Invoice(
        kind="credit_note" if is_note or type_code in CREDIT_TYPE_CODES else "invoice",
        number=tree.need_text(root, "ID"),
        issue_date=tree.day(tree.need(root, "IssueDate")),
        due_date=None if due is None else tree.day(due),
        currency=code,
        seller=_with_account(parts.need_party(root, "AccountingSupplierParty/Party"), None if payee else accounts),
        buyer=parts.need_party(root, "AccountingCustomerParty/Party"),
        payee=_with_account(payee, accounts) if payee else None,
        order_reference=tree.text(root, "OrderReference/ID"),
        despatch_reference=tree.text(root, "DespatchDocumentReference/ID"),
        contract_reference=tree.text(root, "ContractDocumentReference/ID"),
        lines=lines,
        net_minor=stated.minor("net"),
        tax_minor=stated.minor("tax"),
        gross_minor=stated.minor("gross"),
        payable_minor=stated.minor("payable"),
        tax_breakdown=tuple(row for row, _ in stated.breakdown),
        payment_reference=tree.text(root, "PaymentMeans/PaymentID"),
        payee_account=accounts[0] if accounts else None,
        syntax="UBL",
        line_total_minor=stated.minor("line"),
        allowance_minor=stated.minor("allowance"),
        charge_minor=stated.minor("charge"),
        prepaid_minor=stated.minor("prepaid"),
        rounding_minor=stated.minor("rounding"),
        type_code=type_code,
        delivered_on=None if delivered is None else tree.day(delivered),
        payee_accounts=accounts,
        corrects=_texts(root, "BillingReference/InvoiceDocumentReference/ID"),
        notes=_texts(root, "Note"),
        notices=tuple(notices),
    )


def _with_account(who: Party, accounts: tuple[str, ...] | None) -> Party:
    return replace(who, account=accounts[0]) if accounts else who


def _texts(root: etree._Element, path: str) -> tuple[str, ...]:
    return tuple(text for item in root.findall(path) if (text := tree.text_of(item)))


def _accounts(root: etree._Element) -> tuple[str, ...]:
    found = (parts.account(text) for text in _texts(root, "PaymentMeans/PayeeFinancialAccount/ID"))
    return tuple(dict.fromkeys(number for number in found if number))


def _line(element: etree._Element, code: str, is_note: bool, notices: list[Notice]) -> Line:
    quantity = element.find("CreditedQuantity" if is_note else "InvoicedQuantity")
    item = element.find("Item")
    base = parts.optional_number(element.find("Price/BaseQuantity"))
    line = Line(
        id=tree.need_text(element, "ID"),
        description=parts.item_name(item),
        item_id=parts.item_id(item),
        quantity=parts.optional_number(quantity),
        unit=None if quantity is None else quantity.get("unitCode"),
        price=parts.optional_number(element.find("Price/PriceAmount")),
        net_minor=parts.amount(tree.need(element, "LineExtensionAmount"), code),
        price_base_quantity=Decimal(1) if base is None else base,
        tax_rate_percent=parts.optional_number(element.find("Item/ClassifiedTaxCategory/Percent")),
        order_reference=tree.text(element, "OrderLineReference/OrderReference/ID"),
        order_line_reference=tree.text(element, "OrderLineReference/LineID"),
        despatch_reference=tree.text(element, "DespatchLineReference/DocumentReference/ID"),
    )
    allowances, charges = _allowances(element, code)
    notice = totals.line_notice(line, sum(allowances), sum(charges), code, lambda: tree.place(element))
    if notice is not None:
        notices.append(notice)
    return line


def _allowances(element: etree._Element, code: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Allowances and charges of the document or of one line."""
    sides: dict[bool, list[int]] = {False: [], True: []}
    for item in element.findall("AllowanceCharge"):
        indicator = tree.need(item, "ChargeIndicator")
        written = tree.text_of(indicator)
        if written not in ("true", "false", "1", "0"):
            raise refusal("document_value_wrong", tree.place(indicator), text=written or "", expected="true, false")
        sides[written in ("true", "1")].append(parts.amount(tree.need(item, "Amount"), code))
    return tuple(sides[False]), tuple(sides[True])


def _totals(root: etree._Element, code: str, lines: Sequence[Line]) -> totals.Totals:
    block = tree.need(root, "LegalMonetaryTotal")
    for name in ("line", "net", "gross", "payable"):
        tree.need(block, _TOTALS[name])
    stated = {
        name: totals.Stated(parts.amount(element, code), tree.place(element))
        for name, path in _TOTALS.items()
        if (element := block.find(path)) is not None
    }
    breakdown: tuple[tuple[TaxSubtotal, str], ...] = ()
    taxes = [item for item in root.findall("TaxTotal") if _is_in(tree.need(item, "TaxAmount"), code)]
    if len(taxes) > 1:
        raise refusal("document_element_repeated", tree.place(taxes[1]), element="TaxTotal")
    if taxes:
        amount = tree.need(taxes[0], "TaxAmount")
        stated["tax"] = totals.Stated(parts.amount(amount, code), tree.place(amount))
        breakdown = tuple(_subtotal(item, code) for item in taxes[0].findall("TaxSubtotal"))
    allowances, charges = _allowances(root, code)
    nets = tuple(line.net_minor or 0 for line in lines)
    others = _third_parties(root, code)
    return totals.Totals(code, tree.place(block), nets, allowances, charges, stated, breakdown, others)


def _third_parties(root: etree._Element, code: str) -> int:
    """What is collected for others on top (BG-DEX-09 of the XRechnung extension); elsewhere the group means nothing."""
    if ":extension:xrechnung" not in (tree.text(root, "CustomizationID") or ""):
        return 0
    return sum(parts.amount(tree.need(item, "PaidAmount"), code) for item in root.findall("PrepaidPayment"))


def _is_in(amount: etree._Element, code: str) -> bool:
    """Whether a tax total is in the document's currency; a second one may state the accounting currency (BT-111)."""
    return amount.get("currencyID", code) == code


def _subtotal(element: etree._Element, code: str) -> tuple[TaxSubtotal, str]:
    rate = element.find("TaxCategory/Percent")
    row = TaxSubtotal(
        category=tree.need_text(element, "TaxCategory/ID"),
        rate_percent=parts.optional_number(element.find("Percent") if rate is None else rate),
        base_minor=parts.amount(tree.need(element, "TaxableAmount"), code),
        tax_minor=parts.amount(tree.need(element, "TaxAmount"), code),
    )
    return row, tree.place(element)


def draft_invoice(
    *,
    number: str,
    issue_date: date,
    due_date: date | None,
    currency: str,
    seller: Party,
    buyer: Party,
    lines: Sequence[tuple[str, Decimal, str, Decimal]],
    tax_rate_percent: Decimal = Decimal(13),
    kind: Literal["invoice", "credit_note"] = "invoice",
    order_reference: str | None = None,
    despatch_reference: str | None = None,
    contract_reference: str | None = None,
    payee: Party | None = None,
    payment_reference: str | None = None,
) -> Invoice:
    """An invoice with its totals computed from `lines`: (description, quantity, unit code, unit price without tax).

    Net amounts are rounded once a line, tax once for the rate; both half up.
    """
    made = tuple(
        Line(
            id=str(index),
            description=description,
            item_id=None,
            quantity=quantity,
            unit=unit,
            price=price,
            net_minor=totals.line_net(quantity, price, currency),
            tax_rate_percent=tax_rate_percent,
        )
        for index, (description, quantity, unit, price) in enumerate(lines, start=1)
    )
    breakdown = totals.break_down(made)
    net, tax = sum(line.net_minor or 0 for line in made), sum(row.tax_minor for row in breakdown)
    account = (payee or seller).account
    return Invoice(
        kind=kind,
        number=number,
        issue_date=issue_date,
        due_date=due_date,
        currency=currency,
        seller=seller,
        buyer=buyer,
        payee=payee,
        order_reference=order_reference,
        despatch_reference=despatch_reference,
        contract_reference=contract_reference,
        lines=made,
        net_minor=net,
        tax_minor=tax,
        gross_minor=net + tax,
        payable_minor=net + tax,
        tax_breakdown=breakdown,
        payment_reference=payment_reference,
        payee_account=account,
        syntax="UBL",
        line_total_minor=net,
        type_code="381" if kind == "credit_note" else "380",
        payee_accounts=(account,) if account else (),
    )
