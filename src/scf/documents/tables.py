"""Rows of a mapped table as facts. A table says what its columns say and nothing more."""

from __future__ import annotations

from typing import Any

from scf.reconciliation import convert
from scf.reconciliation.convert import Origin
from scf.reconciliation.facts import Fact, Kind, check, day_number, normalise, thousandths, words_of
from scf.standards.csvmap import Row
from scf.standards.records import Delivery


def facts_of_row(row: Row, record: str, origin: Origin) -> list[Fact]:
    """Facts of one accepted row of a mapping of `record` (delivery, order, invoice, payment).

    Raises Problem `fact_unusable`.
    """
    values = dict(row.values)
    if record == "delivery":
        return convert.from_delivery(Delivery(**values, row=row.number), origin)
    return [check({"order": _order, "invoice": _invoice, "payment": _payment}[record](values, row, origin))]


def label_of_row(row: Row, record: str) -> str:
    """How people call the row."""
    names = {"delivery": ("reference", "line_id"), "order": ("number", "line_id"), "invoice": ("number",)}
    if record == "payment":
        names["payment"] = ("bank_transaction_id", "end_to_end_id", "remittance")
    said = [str(row.values[name]) for name in names[record] if row.values.get(name)]
    return " · ".join(said)[:200]


def _order(values: dict[str, Any], row: Row, origin: Origin) -> Fact:
    number = values["number"] + (f"/{values['line_id']}" if values["line_id"] else "")
    days = [day for day in (values["ordered_on"], values["deliver_by"]) if day is not None]
    return Fact(
        kind=Kind.ORDER,
        day=day_number(min(days)) if days else 0,
        reference=number,
        order_reference=number,
        buyer=values["buyer"],
        seller=values["seller"],
        quantity_milli=thousandths(values["quantity"]),
        amount_minor=values["value_minor"],
        currency=values["currency"],
        promised_day=day_number(values["deliver_by"]) if values["deliver_by"] else None,
        **_from(origin),
    )


def _invoice(values: dict[str, Any], row: Row, origin: Origin) -> Fact:
    payable = values["payable_minor"]
    net = values["net_minor"]
    if net is None and values["tax_minor"] is not None:
        net = payable - values["tax_minor"]
    return Fact(
        kind=Kind.CREDIT_NOTE if payable < 0 else Kind.INVOICE,
        day=day_number(values["issue_date"]),
        reference=values["number"],
        order_reference=_known(values["order_reference"]),
        despatch_reference=_known(values["despatch_reference"]),
        buyer=values["buyer"],
        seller=values["seller"],
        amount_minor=net,
        payable_minor=payable,
        currency=values["currency"],
        due_day=day_number(values["due_date"]) if values["due_date"] else None,
        account=values["payee_account"],
        **_from(origin),
    )


def _payment(values: dict[str, Any], row: Row, origin: Origin) -> Fact:
    """As on a statement: below zero is money paid to the counterparty, above zero money it paid."""
    remittance = values["remittance"] or ""
    outgoing = values["amount_minor"] < 0
    return Fact(
        kind=Kind.PAYMENT,
        day=day_number(values["value_on"] or values["booked_on"]),
        key=values["bank_transaction_id"],
        end_to_end_id=_known(values["end_to_end_id"]),
        structured_reference=_known(values["structured_reference"]),
        mentions=words_of(remittance),
        buyer=None if outgoing else values["counterparty"],
        seller=values["counterparty"] if outgoing else None,
        amount_minor=abs(values["amount_minor"]),
        currency=values["currency"],
        account=values["counterparty_account"] if outgoing else None,
        **_from(origin),
    )


def _known(reference: str | None) -> str | None:
    return reference if reference and normalise(reference) else None


def _from(origin: Origin) -> dict[str, Any]:
    return {
        "source": origin.source,
        "trust": int(origin.trust),
        "evidence_id": origin.evidence_id,
        "applicant_can_write": origin.applicant_can_write,
    }
