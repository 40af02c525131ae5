"""From typed records of documents to facts. Says nothing that the document does not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from scf.kernel.dates import BEIJING
from scf.kernel.money import pro_rata
from scf.reconciliation.facts import (
    Fact,
    FactLine,
    Kind,
    check,
    day_number,
    millionths,
    normalise,
    thousandths,
    words_of,
)
from scf.standards.bank_records import Entry, PaymentInstruction, Statement
from scf.standards.records import Delivery, DespatchAdvice, Invoice, Line, LogisticsEvent, Order, Party

_STEPS = {
    "receiving": Kind.DELIVERY,
    "shipping": Kind.DESPATCH,
    "accepting": Kind.INSPECTION,
    "inspecting": Kind.INSPECTION,
}
"""EPCIS business steps that say something of an order. Goods that arrive are not yet received."""
_CONTAINER_ACTIONS = {"STRP": Kind.DELIVERY, "LOAD": Kind.DESPATCH, "INSP": Kind.INSPECTION}
"""DCSA codes: a container counts as delivered when it is stripped, not when it reaches some port."""
_REFUSED = {"damaged", "non_sellable_other", "recalled", "destroyed", "non_conformant", "needs_replacement", "expired"}
_NOT_PROVIDED = {"NOTPROVIDED", "NONREF", "N0TPR0V1DED", "N0NREF"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from: organisation, trust 0-4, evidence id, whether the applicant could have written it."""

    source: str
    trust: int
    evidence_id: str
    applicant_can_write: bool = True


Who = Callable[[Party | None], str | None]
"""Names a party the same way whichever document it is in; the parties room can hand in a better one."""


def who(party: Party | None) -> str | None:
    """The party's first identifier, else its name."""
    if party is None:
        return None
    return next((item.value for item in party.identifiers if item.value), None) or party.name or None


def from_order(order: Order, origin: Origin, *, name: Who = who) -> Fact:
    """An order, or the seller's answer to one (which speaks of the order it answers)."""
    number = order.order_reference if order.kind == "order_response" and order.order_reference else order.number
    quantity, unit = _total(order.lines)
    return check(
        Fact(
            kind=Kind.ORDER,
            **_from(origin),
            day=day_number(order.issue_date),
            reference=number,
            order_reference=number,
            buyer=name(order.buyer),
            seller=name(order.seller),
            quantity_milli=quantity,
            unit=unit,
            price_micro=_price(order.lines),
            amount_minor=order.net_minor if order.currency else None,
            currency=order.currency,
            promised_day=day_number(order.deliver_by) if order.deliver_by else None,
            account=order.seller.account,
            lines=_lines(order.lines),
        )
    )


def from_invoice(invoice: Invoice, origin: Origin, *, name: Who = who) -> list[Fact]:
    """An invoice or credit note, one fact for each order its lines name; a credit note counts the other way.

    What is payable is divided over the orders in proportion to their net amounts and adds up to the document's.
    """
    orders = list(dict.fromkeys(line.order_reference for line in invoice.lines))
    if invoice.order_reference or len(orders) < 2 or None in orders:
        order = invoice.order_reference or (orders[0] if len(orders) == 1 else None)
        return [_invoice_part(invoice, invoice.lines, order, invoice.net_minor, invoice.payable_minor, origin, name)]
    lines = {order: tuple(line for line in invoice.lines if line.order_reference == order) for order in orders}
    nets = {n: max(sum(line.net_minor or 0 for line in lines[order]), 0) for n, order in enumerate(orders)}
    if sum(nets.values()) == 0:
        return [_invoice_part(invoice, invoice.lines, None, invoice.net_minor, invoice.payable_minor, origin, name)]
    net, payable = pro_rata(abs(invoice.net_minor), nets), pro_rata(abs(invoice.payable_minor), nets)
    return [
        _invoice_part(invoice, lines[order], order, net[n], payable[n], origin, name) for n, order in enumerate(orders)
    ]


def _invoice_part(
    invoice: Invoice, lines: tuple[Line, ...], order: str | None, net: int, payable: int, origin: Origin, name: Who
) -> Fact:
    sign = -1 if invoice.kind == "credit_note" else 1
    quantity, unit = _total(lines)
    return check(
        Fact(
            kind=Kind.CREDIT_NOTE if sign < 0 else Kind.INVOICE,
            **_from(origin),
            day=day_number(invoice.issue_date),
            reference=invoice.number,
            order_reference=_known(order),
            despatch_reference=_known(invoice.despatch_reference or _sole(line.despatch_reference for line in lines)),
            invoice_references=tuple(r for r in invoice.corrects if normalise(r)) if sign < 0 else (),
            structured_reference=_known(invoice.payment_reference),
            buyer=name(invoice.buyer),
            seller=name(invoice.seller),
            quantity_milli=None if quantity is None else sign * abs(quantity),
            unit=unit,
            price_micro=_price(lines),
            amount_minor=sign * abs(net),
            payable_minor=sign * abs(payable),
            currency=invoice.currency,
            due_day=day_number(invoice.due_date) if invoice.due_date else None,
            account=invoice.payee_account,
            payee=(name(invoice.payee) or "?") if invoice.is_assigned else None,
            lines=_lines(lines) if sign > 0 else (),
        )
    )


def from_despatch(advice: DespatchAdvice, origin: Origin, *, name: Who = who) -> list[Fact]:
    """One fact for each order the advice names: what the supplier says has left."""
    orders: list[str | None] = [r for r in dict.fromkeys(advice.order_references) if normalise(r)] or [None]
    facts = []
    for order in orders:
        mine = [line for line in advice.lines if len(orders) == 1 or line.order_reference == order]
        quantity, unit = _total(tuple(mine))
        facts.append(
            check(
                Fact(
                    kind=Kind.DESPATCH,
                    **_from(origin),
                    day=day_number(advice.shipped_on or advice.issue_date),
                    reference=_known(advice.number),
                    order_reference=order,
                    buyer=name(advice.customer),
                    seller=name(advice.supplier),
                    quantity_milli=quantity,
                    unit=unit,
                    lines=_lines(tuple(mine)),
                )
            )
        )
    return facts


def from_delivery(delivery: Delivery, origin: Origin, *, buyer: str | None = None) -> list[Fact]:
    """A row of a delivery list: the order it belongs to and, once captured, the delivery.

    The list's reference is the delivery note; rows of one order share `order_reference`, so the row's line id keeps
    them apart and the order of a line is the line's own.
    """
    order = f"{delivery.order_reference}/{delivery.line_id}" if delivery.line_id else delivery.order_reference
    quantity = thousandths(delivery.quantity)
    shared: dict[str, Any] = {
        "order_reference": order,
        "buyer": buyer,
        "seller": delivery.vendor,
        "quantity_milli": quantity,
        "amount_minor": delivery.value_minor,
        "currency": delivery.currency,
        **_from(origin),
    }
    known = [d for d in (delivery.ordered_on, delivery.scheduled_on, delivery.delivered_on) if d is not None]
    facts = []
    if known:
        facts.append(
            Fact(
                kind=Kind.ORDER,
                day=day_number(delivery.ordered_on or min(known)),
                reference=order,
                promised_day=day_number(delivery.scheduled_on) if delivery.scheduled_on else None,
                **shared,
            )
        )
    if delivery.delivered_on is not None:
        facts.append(
            Fact(
                kind=Kind.DELIVERY,
                day=day_number(delivery.delivered_on),
                reference=_known(delivery.reference),
                key=f"{delivery.reference}/{delivery.line_id}",
                **shared,
            )
        )
    return [check(fact) for fact in facts]


def from_event(event: LogisticsEvent, origin: Origin) -> Fact | None:
    """A logistics event that is evidence of goods leaving, arriving or inspected; None for any other.

    Planned and estimated events are no facts. An error declaration becomes the withdrawal of the event it declares.
    """
    if event.classifier != "ACT":
        return None
    container = event.syntax == "DCSA"
    kind = _CONTAINER_ACTIONS.get(event.action or "") if container else _STEPS.get(_term(event.biz_step))
    if kind is None and not event.is_error_declaration:
        return None
    said = {_term(item.scheme): item.value for item in event.biz_transactions}
    key = event.event_hash or event.event_id
    quantity, unit = _event_quantity(event)
    disposition = _term(event.disposition)
    passed = disposition not in _REFUSED if disposition or _term(event.biz_step) == "accepting" else None
    return check(
        Fact(
            kind=kind or Kind.DELIVERY,
            **_from(origin),
            day=day_number(event.time.astimezone(BEIJING).date()),
            key=f"withdraws {key}" if event.is_error_declaration else key,
            retracts=key if event.is_error_declaration else None,
            reference=_last_part(said.get("recadv")),
            order_reference=_last_part(said.get("po")),
            despatch_reference=_last_part(said.get("desadv") or said.get("bol")),
            quantity_milli=quantity,
            unit=unit,
            passed=passed if kind == Kind.INSPECTION else None,
        )
    )


def from_statement(
    statement: Statement, origin: Origin, *, owner: str | None, pays_suppliers: bool = True, name: Who = who
) -> list[Fact]:
    """Booked money of one account: `owner` paying out (debits) or being paid (credits), where it is known who that is.

    On the account of someone who pays suppliers (`pays_suppliers`), a credit marked as reversal is money back. Pending
    and informational entries are no facts.
    """
    facts = []
    for entry in statement.movements:
        if not entry.is_booked or entry.amount_minor == 0:
            continue
        facts.append(_payment(statement, entry, origin, owner, pays_suppliers, name))
    return facts


def from_instruction(
    instruction: PaymentInstruction,
    origin: Origin,
    *,
    order_reference: str | None,
    invoice_references: tuple[str, ...] = (),
) -> Fact:
    """A payment ordered by us: from now on its end-to-end id is known to belong to this order."""
    return check(
        Fact(
            kind=Kind.INSTRUCTION,
            **_from(origin),
            day=day_number(instruction.execute_on),
            key=instruction.end_to_end_id,
            order_reference=order_reference,
            invoice_references=invoice_references,
            end_to_end_id=instruction.end_to_end_id,
            amount_minor=instruction.amount_minor,
            currency=instruction.currency,
            account=instruction.creditor.account,
        )
    )


def _payment(statement: Statement, entry: Entry, origin: Origin, owner: str | None, pays: bool, name: Who) -> Fact:
    outgoing = entry.amount_minor < 0
    if entry.is_reversal:
        outgoing = not outgoing
    other_party = entry.creditor if outgoing else entry.debtor
    other = name(other_party) or entry.counterparty
    day = entry.value_on or entry.booked_on
    own = entry.bank_transaction_id or entry.uetr or entry.transaction_id
    place = f"{statement.id}:{entry.entry_index}"
    documents = (*entry.structured_references, *entry.document_references, entry.structured_reference or "")
    return check(
        Fact(
            kind=Kind.PAYMENT,
            **_from(origin),
            day=day_number(day) if day else 0,
            key=(f"{own}:{entry.detail_index or 0}" if own else place) + (":reversal" if entry.is_reversal else ""),
            end_to_end_id=_known(entry.end_to_end_id),
            structured_reference=_known(entry.structured_reference),
            invoice_references=tuple(dict.fromkeys(r for r in documents if _known(r))),
            mentions=words_of(entry.remittance),
            buyer=owner if outgoing else other,
            seller=other if outgoing else owner,
            amount_minor=abs(entry.amount_minor) * (-1 if entry.is_reversal else 1),
            currency=entry.currency,
            account=entry.counterparty_account if outgoing else statement.account,
        )
    )


def _from(origin: Origin) -> dict[str, Any]:
    return {
        "source": origin.source,
        "trust": int(origin.trust),
        "evidence_id": origin.evidence_id,
        "applicant_can_write": origin.applicant_can_write,
    }


def _known(reference: str | None) -> str | None:
    plain = (reference or "").strip()
    normal = normalise(plain)
    return plain if normal and normal not in _NOT_PROVIDED else None


def _sole(values: Iterable[str | None]) -> str | None:
    found = {value for value in values if value}
    return found.pop() if len(found) == 1 else None


def _total(lines: tuple[Line, ...]) -> tuple[int | None, str | None]:
    """Sum of the lines' quantities when all have one and the same unit."""
    units = {line.unit for line in lines}
    quantities = [line.quantity for line in lines]
    if len(units) != 1 or any(q is None for q in quantities):
        return None, None
    return thousandths(sum((q for q in quantities if q is not None), Decimal(0))), units.pop()


def _price(lines: tuple[Line, ...]) -> int | None:
    return millionths(lines[0].price, lines[0].price_base_quantity) if len(lines) == 1 else None


def _lines(lines: tuple[Line, ...]) -> tuple[FactLine, ...]:
    return tuple(
        FactLine(
            line.item_id or line.description or line.id,
            thousandths(line.quantity),
            line.unit,
            millionths(line.price, line.price_base_quantity),
            line.net_minor,
        )
        for line in lines
        if len(lines) > 1
    )


def _term(value: str | None) -> str:
    """The bare word of a vocabulary term, whether it is written as URN, web address or word."""
    return re.split(r"[:/#-]", value)[-1].lower() if value else ""


def _event_quantity(event: LogisticsEvent) -> tuple[int | None, str | None]:
    if event.syntax == "DCSA":
        return None, None  # one container is not one piece
    units = {item.unit for item in event.quantities}
    counted = [item.quantity for item in event.quantities]
    if event.quantities and len(units) == 1 and all(q is not None for q in counted):
        return thousandths(sum((q for q in counted if q is not None), Decimal(0))), units.pop()
    if event.epcs and not event.quantities and event.parent_id is None:
        return len(event.epcs) * 1000, None
    return None, None


def _last_part(value: str | None) -> str | None:
    """The number inside a business transaction id such as `urn:epcglobal:cbv:bt:0614141073467:1152`."""
    return _known(value.rsplit("/", 1)[-1].rsplit(":", 1)[-1]) if value else None
