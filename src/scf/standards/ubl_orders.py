"""Peppol order, order response, despatch advice and invoice response (UBL 2.1), read and written."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lxml import etree

from scf.kernel.money import format_plain
from scf.standards import tree
from scf.standards import ubl_parts as parts
from scf.standards.records import DespatchAdvice, InvoiceResponse, Line, Order, Party
from scf.standards.refusals import refusal

RESPONSES = ("AB", "IP", "UQ", "CA", "RE", "AP", "PD")
"""Invoice response: received, in process, under query, conditionally accepted, refused, accepted, paid."""
_ORDER_RESPONSES = ("AB", "AP", "CA", "RE")


def read_order(raw: bytes) -> Order:
    """A UBL Order.

    Raises Problem (see `ubl_parts.open_document`; `document_element_missing`, `document_element_repeated`,
    `document_number_wrong`, `document_amount_too_fine`, `document_date_wrong`, `document_currency_unknown`,
    `document_currency_mixed`, `order_total_contradicts`).
    """
    root = parts.open_document(raw, "Order")
    code = parts.document_currency(root)
    lines = _order_lines(root, code)
    if not lines:
        raise refusal("document_element_missing", tree.place(root, "OrderLine"), element="OrderLine")
    stated = root.find("AnticipatedMonetaryTotal/LineExtensionAmount")
    nets = [line.net_minor for line in lines]
    total = sum(net or 0 for net in nets) if None not in nets else None
    if stated is not None:
        amount = parts.amount(stated, code)
        if total is not None and amount != total:
            raise refusal(
                "order_total_contradicts",
                tree.place(stated),
                stated=format_plain(amount, code),
                found=format_plain(total, code),
            )
        total = amount
    due = root.find("Delivery/RequestedDeliveryPeriod/EndDate")
    due = root.find("Delivery/RequestedDeliveryPeriod/StartDate") if due is None else due
    return Order(
        kind="order",
        number=tree.need_text(root, "ID"),
        issue_date=tree.day(tree.need(root, "IssueDate")),
        currency=code,
        buyer=parts.need_party(root, "BuyerCustomerParty/Party"),
        seller=parts.need_party(root, "SellerSupplierParty/Party"),
        lines=lines,
        net_minor=total,
        deliver_by=None if due is None else tree.day(due),
        contract_reference=tree.text(root, "Contract/ID"),
        order_reference=None,
        response_code=None,
        syntax="UBL",
    )


def read_order_response(raw: bytes) -> Order:
    """A UBL OrderResponse: `response_code` `AB` received, `AP` accepted, `CA` with changes, `RE` refused.

    Raises Problem as `read_order` does, and `document_value_wrong`.
    """
    root = parts.open_document(raw, "OrderResponse")
    code = parts.document_currency(root) if root.find("DocumentCurrencyCode") is not None else None
    is_agreement = "order_agreement" in (tree.text(root, "CustomizationID", "ProfileID") or "").replace("-", "_")
    answer = tree.text(root, "OrderResponseCode") if is_agreement else tree.need_text(root, "OrderResponseCode")
    if answer is not None and answer not in _ORDER_RESPONSES:
        where = tree.place(root, "OrderResponseCode")
        raise refusal("document_value_wrong", where, text=answer, expected=", ".join(_ORDER_RESPONSES))
    promised = root.find("Delivery/PromisedDeliveryPeriod/EndDate")
    return Order(
        kind="order_response",
        number=tree.need_text(root, "ID"),
        issue_date=tree.day(tree.need(root, "IssueDate")),
        currency=code,
        buyer=parts.need_party(root, "BuyerCustomerParty/Party", known=True),
        seller=parts.need_party(root, "SellerSupplierParty/Party", known=True),
        lines=_order_lines(root, code),
        net_minor=None,
        deliver_by=None if promised is None else tree.day(promised),
        contract_reference=tree.text(root, "Contract/ID"),
        order_reference=tree.text(root, "OrderReference/ID")
        if is_agreement
        else tree.need_text(root, "OrderReference/ID"),
        response_code=answer,
        syntax="UBL",
    )


def _order_lines(root: etree._Element, code: str | None) -> tuple[Line, ...]:
    found = []
    for outer in root.findall("OrderLine"):
        element = tree.need(outer, "LineItem")
        quantity, item = element.find("Quantity"), element.find("Item")
        net = element.find("LineExtensionAmount")
        base = parts.optional_number(element.find("Price/BaseQuantity"))
        found.append(
            Line(
                id=tree.need_text(element, "ID"),
                description=parts.item_name(item),
                item_id=parts.item_id(item),
                quantity=parts.optional_number(quantity),
                unit=None if quantity is None else quantity.get("unitCode"),
                price=parts.optional_number(element.find("Price/PriceAmount")),
                net_minor=None if net is None or code is None else parts.amount(net, code),
                price_base_quantity=Decimal(1) if base is None else base,
                order_line_reference=tree.text(outer, "OrderLineReference/LineID"),
                status=tree.text(element, "LineStatusCode"),
            )
        )
    return tuple(found)


def read_despatch_advice(raw: bytes) -> DespatchAdvice:
    """A UBL DespatchAdvice.

    Raises Problem (see `ubl_parts.open_document`; `document_element_missing`, `document_element_repeated`,
    `document_number_wrong`, `document_date_wrong`).
    """
    root = parts.open_document(raw, "DespatchAdvice")
    elements = root.findall("DespatchLine")
    if not elements:
        raise refusal("document_element_missing", tree.place(root, "DespatchLine"), element="DespatchLine")
    lines = tuple(_despatch_line(element) for element in elements)
    orders = [tree.text_of(item) for item in root.findall("OrderReference/ID")]
    orders += [line.order_reference for line in lines]
    shipped = root.find("Shipment/Delivery/Despatch/ActualDespatchDate")
    expected = root.find("Shipment/Delivery/EstimatedDeliveryPeriod/EndDate")
    references = [*root.findall("Shipment/Consignment/ID"), *root.findall("Shipment/TransportHandlingUnit/ID")]
    carrier = root.find("Shipment/Consignment/CarrierParty")
    carrier = root.find("Shipment/Delivery/CarrierParty") if carrier is None else carrier
    customer = root.find("DeliveryCustomerParty/Party")
    found = parts.party(carrier)
    return DespatchAdvice(
        number=tree.need_text(root, "ID"),
        issue_date=tree.day(tree.need(root, "IssueDate")),
        order_references=tuple(dict.fromkeys(text for text in orders if text)),
        supplier=parts.need_party(root, "DespatchSupplierParty/Party"),
        customer=parts.party(customer),
        lines=lines,
        shipped_on=None if shipped is None else tree.day(shipped),
        expected_on=None if expected is None else tree.day(expected),
        carrier=(found.name or None) if found else None,
        transport_references=tuple(text for item in references if (text := tree.text_of(item)) and text != "NA"),
        syntax="UBL",
    )


def _despatch_line(element: etree._Element) -> Line:
    quantity, item = tree.need(element, "DeliveredQuantity"), element.find("Item")
    return Line(
        id=tree.need_text(element, "ID"),
        description=parts.item_name(item),
        item_id=parts.item_id(item),
        quantity=tree.number(quantity),
        unit=quantity.get("unitCode"),
        price=None,
        net_minor=None,
        order_reference=tree.text(element, "OrderLineReference/OrderReference/ID"),
        order_line_reference=tree.text(element, "OrderLineReference/LineID"),
    )


def read_invoice_response(raw: bytes) -> InvoiceResponse:
    """A Peppol invoice response (UBL ApplicationResponse).

    Raises Problem (see `ubl_parts.open_document`; `document_element_missing`, `document_element_repeated`,
    `document_value_wrong`, `document_date_wrong`).
    """
    root = parts.open_document(raw, "ApplicationResponse")
    answer = tree.need(root, "DocumentResponse")
    status = tree.need_text(answer, "Response/ResponseCode")
    if status not in RESPONSES:
        where = tree.place(answer, "Response/ResponseCode")
        raise refusal("document_value_wrong", where, text=status, expected=", ".join(RESPONSES))
    effective = answer.find("Response/EffectiveDate")
    reasons = (tree.text(item, "StatusReason", "StatusReasonCode") for item in answer.findall("Response/Status"))
    return InvoiceResponse(
        number=tree.need_text(root, "ID"),
        issue_date=tree.day(tree.need(root, "IssueDate")),
        invoice_number=tree.need_text(answer, "DocumentReference/ID"),
        status=status,
        effective_on=None if effective is None else tree.day(effective),
        sender=parts.party(tree.need(root, "SenderParty")) or Party(""),
        receiver=parts.party(tree.need(root, "ReceiverParty")) or Party(""),
        reasons=tuple(reason for reason in reasons if reason),
    )


def write_order(order: Order) -> bytes:
    """A UBL Order under Peppol BIS Ordering. Raises ValueError without currency."""
    if order.currency is None:
        raise ValueError("an order is written in a currency")
    root = parts.new_document("Order")
    parts.add(root, "CustomizationID", "urn:fdc:peppol.eu:poacc:trns:order:3")
    parts.add(root, "ProfileID", "urn:fdc:peppol.eu:poacc:bis:order_only:3")
    parts.add(root, "ID", order.number)
    parts.add(root, "IssueDate", order.issue_date.isoformat())
    parts.add(root, "DocumentCurrencyCode", order.currency)
    parts.add_if(root, "Contract/ID", order.contract_reference)
    parts.add_party(parts.add(root, "BuyerCustomerParty/Party"), order.buyer)
    parts.add_party(parts.add(root, "SellerSupplierParty/Party"), order.seller)
    if order.deliver_by is not None:
        parts.add(root, "Delivery/RequestedDeliveryPeriod/EndDate", order.deliver_by.isoformat())
    if order.net_minor is not None:
        total = parts.add(root, "AnticipatedMonetaryTotal")
        parts.add_amount(total, "LineExtensionAmount", order.net_minor, order.currency)
        parts.add_amount(total, "PayableAmount", order.net_minor, order.currency)
    for line in order.lines:
        _write_order_line(parts.add(root, "OrderLine/LineItem"), line, order.currency)
    return parts.to_bytes(root)


def _write_order_line(element: etree._Element, line: Line, code: str) -> None:
    parts.add(element, "ID", line.id)
    if line.quantity is not None:
        parts.add(element, "Quantity", parts.number(line.quantity), unitCode=line.unit or "C62")
    if line.net_minor is not None:
        parts.add_amount(element, "LineExtensionAmount", line.net_minor, code)
    if line.price is not None:
        parts.add(element, "Price/PriceAmount", parts.number(line.price), currencyID=code)
    _write_item(element, line)


def _write_item(element: etree._Element, line: Line) -> None:
    item = parts.add(element, "Item")
    parts.add(item, "Name", line.description)
    parts.add_if(item, "SellersItemIdentification/ID", line.item_id)


def write_despatch_advice(advice: DespatchAdvice) -> bytes:
    """A UBL DespatchAdvice under Peppol BIS. Raises ValueError without customer."""
    if advice.customer is None:
        raise ValueError("a despatch advice goes to a customer")
    root = parts.new_document("DespatchAdvice")
    parts.add(root, "CustomizationID", "urn:fdc:peppol.eu:poacc:trns:despatch_advice:3")
    parts.add(root, "ProfileID", "urn:fdc:peppol.eu:poacc:bis:despatch_advice:3")
    parts.add(root, "ID", advice.number)
    parts.add(root, "IssueDate", advice.issue_date.isoformat())
    if advice.order_references:
        parts.add(root, "OrderReference/ID", advice.order_references[0])
    parts.add_party(parts.add(root, "DespatchSupplierParty/Party"), advice.supplier)
    parts.add_party(parts.add(root, "DeliveryCustomerParty/Party"), advice.customer)
    _write_shipment(root, advice)
    for line in advice.lines:
        element = parts.add(root, "DespatchLine")
        parts.add(element, "ID", line.id)
        parts.add(element, "DeliveredQuantity", parts.number(line.quantity or Decimal(0)), unitCode=line.unit or "C62")
        reference = parts.add(element, "OrderLineReference")
        parts.add(reference, "LineID", line.order_line_reference or line.id)
        parts.add_if(reference, "OrderReference/ID", line.order_reference)
        _write_item(element, line)
    return parts.to_bytes(root)


def _write_shipment(root: etree._Element, advice: DespatchAdvice) -> None:
    shipment = parts.add(root, "Shipment")
    parts.add(shipment, "ID", "NA")
    for reference in advice.transport_references or (("NA",) if advice.carrier else ()):
        consignment = parts.add(shipment, "Consignment")
        parts.add(consignment, "ID", reference)
        if advice.carrier:
            parts.add(consignment, "CarrierParty/PartyName/Name", advice.carrier)
    if advice.shipped_on is None and advice.expected_on is None:
        return
    delivery = parts.add(shipment, "Delivery")
    if advice.expected_on is not None:
        parts.add(delivery, "EstimatedDeliveryPeriod/EndDate", advice.expected_on.isoformat())
    if advice.shipped_on is not None:
        parts.add(delivery, "Despatch/ActualDespatchDate", advice.shipped_on.isoformat())


def write_invoice_response(response: InvoiceResponse, reasons: Sequence[str] = ()) -> bytes:
    """A Peppol invoice response. Raises ValueError for an unknown status."""
    if response.status not in RESPONSES:
        raise ValueError(f"status {response.status} is not one of {', '.join(RESPONSES)}")
    root = parts.new_document("ApplicationResponse")
    parts.add(root, "CustomizationID", "urn:fdc:peppol.eu:poacc:trns:invoice_response:3")
    parts.add(root, "ProfileID", "urn:fdc:peppol.eu:poacc:bis:invoice_response:3")
    parts.add(root, "ID", response.number)
    parts.add(root, "IssueDate", response.issue_date.isoformat())
    for name, who in (("SenderParty", response.sender), ("ReceiverParty", response.receiver)):
        element = parts.add(root, name)
        for item in who.identifiers[:1]:
            parts.add(element, "EndpointID", item.value, **({"schemeID": item.scheme} if item.scheme else {}))
        parts.add(element, "PartyLegalEntity/RegistrationName", who.name)
    answer = parts.add(root, "DocumentResponse")
    inner = parts.add(answer, "Response")
    parts.add(inner, "ResponseCode", response.status)
    if response.effective_on is not None:
        parts.add(inner, "EffectiveDate", response.effective_on.isoformat())
    for reason in (*response.reasons, *reasons):
        parts.add(inner, "Status/StatusReason", reason)
    reference = parts.add(answer, "DocumentReference")
    parts.add(reference, "ID", response.invoice_number)
    parts.add(reference, "DocumentTypeCode", "380")
    return parts.to_bytes(root)
