"""Typed records that every importer yields and every writer takes: documents as facts, nothing of their syntax.

What banks are told and tell is in `bank_records`.

Amounts are integers of the currency's minor unit; quantities and unit prices are exact decimals. `None` means that the
document does not say: unknown, never zero and never "no".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from scf.kernel.sentences import sentence


class DocumentKind(StrEnum):
    """What a file is; the value is the name shown to people and kept with the evidence."""

    UBL_INVOICE = "UBL invoice"
    UBL_CREDIT_NOTE = "UBL credit note"
    UBL_ORDER = "UBL order"
    UBL_ORDER_RESPONSE = "UBL order response"
    UBL_DESPATCH_ADVICE = "UBL despatch advice"
    UBL_INVOICE_RESPONSE = "UBL invoice response"
    CII_INVOICE = "UN/CEFACT CII invoice"
    CN_EINVOICE = "China e-invoice"
    CN_OFD = "China e-invoice OFD"
    EPCIS_JSON = "EPCIS 2.0 JSON-LD"
    EPCIS_XML = "EPCIS XML"
    DCSA_EVENTS = "DCSA track & trace"
    X12 = "ASC X12 interchange"
    CAMT_052 = "camt.052 account report"
    CAMT_053 = "camt.053 statement"
    CAMT_054 = "camt.054 notification"
    PAIN_001 = "pain.001 credit transfer"
    PAIN_002 = "pain.002 status report"
    CSV = "CSV table"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something odd in a document that was read all the same: a code of this room's sentences, where, and the facts."""

    code: str
    place: str
    facts: tuple[tuple[str, str], ...] = ()

    def sentence(self, language: str = "en") -> str:
        """What is odd, for `language` (`en` or `zh-CN`)."""
        return sentence(self.code, language, place=self.place, **dict(self.facts))


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier under its scheme (`0088` for GLN, `VAT`, `USCC`, `LEI`, `BIC`, …); empty where none is given."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True)
class Party:
    """A party as the document names it; nobody has checked who it is."""

    name: str
    identifiers: tuple[Identifier, ...] = ()
    country: str | None = None
    account: str | None = None
    address: str | None = None

    def identifier(self, scheme: str) -> str | None:
        """First value under `scheme`, or None."""
        return next((item.value for item in self.identifiers if item.scheme == scheme), None)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order, despatch or invoice. `net_minor` is the stated line amount without tax.

    In an answer to an order, `status` is the answer's code and `accepted_quantity` what the seller will deliver.
    """

    id: str
    description: str
    item_id: str | None
    quantity: Decimal | None
    unit: str | None
    price: Decimal | None
    net_minor: int | None
    price_base_quantity: Decimal = Decimal(1)
    tax_rate_percent: Decimal | None = None
    order_reference: str | None = None
    order_line_reference: str | None = None
    despatch_reference: str | None = None
    status: str | None = None
    accepted_quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TaxSubtotal:
    """One row of the tax breakdown: category (`S`, `Z`, `E`, `AE`, …), rate, taxable base and tax."""

    category: str
    rate_percent: Decimal | None
    base_minor: int
    tax_minor: int


InvoiceSyntax = Literal["UBL", "CII", "CN-EINVOICE"]


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice or credit note under EN 16931 or the Chinese e-invoice standard, its totals checked.

    A credit note states positive amounts and is owed the other way. `gross_minor` is the total with tax,
    `payable_minor` what is still due after prepayment and rounding.
    """

    kind: Literal["invoice", "credit_note"]
    number: str
    issue_date: date
    due_date: date | None
    currency: str
    seller: Party
    buyer: Party
    payee: Party | None
    order_reference: str | None
    despatch_reference: str | None
    contract_reference: str | None
    lines: tuple[Line, ...]
    net_minor: int
    tax_minor: int
    gross_minor: int
    payable_minor: int
    tax_breakdown: tuple[TaxSubtotal, ...]
    payment_reference: str | None
    payee_account: str | None
    syntax: InvoiceSyntax
    line_total_minor: int = 0
    allowance_minor: int = 0
    charge_minor: int = 0
    prepaid_minor: int = 0
    rounding_minor: int = 0
    type_code: str = "380"
    delivered_on: date | None = None
    payee_accounts: tuple[str, ...] = ()
    corrects: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def is_assigned(self) -> bool:
        """Whether someone other than the seller is to be paid: sold to a factor, so it must not be financed again.

        True when a payee is named that is not recognisably the seller; EN 16931 allows a payee only where it differs
        from the seller, so doubt counts as assigned. Also true for the type codes of factored invoices (393, 396).
        """
        if self.type_code in ("393", "396"):
            return True
        if self.payee is None:
            return False
        same_name = bool(self.payee.name) and self.payee.name.casefold().split() == self.seller.name.casefold().split()
        # A SEPA creditor identifier (BT-90) says how one is paid, not who one is.
        mine = {item.value for item in self.seller.identifiers if item.value and item.scheme != "SEPA"}
        theirs = {item.value for item in self.payee.identifiers if item.value and item.scheme != "SEPA"}
        if mine and theirs:
            return not mine & theirs
        return not same_name


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase order (UBL Order, X12 850) or its answer (UBL OrderResponse, X12 855)."""

    kind: Literal["order", "order_response"]
    number: str
    issue_date: date
    currency: str | None
    buyer: Party
    seller: Party
    lines: tuple[Line, ...]
    net_minor: int | None
    deliver_by: date | None
    contract_reference: str | None
    order_reference: str | None
    response_code: str | None
    syntax: Literal["UBL", "X12"]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class DespatchAdvice:
    """What the supplier says has left (UBL DespatchAdvice, X12 856)."""

    number: str
    issue_date: date
    order_references: tuple[str, ...]
    supplier: Party
    customer: Party | None
    lines: tuple[Line, ...]
    shipped_on: date | None
    expected_on: date | None
    carrier: str | None
    transport_references: tuple[str, ...]
    syntax: Literal["UBL", "X12"]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class InvoiceResponse:
    """The buyer's answer to an invoice (Peppol invoice response): `AB` received, `AP` accepted, `RE` refused."""

    number: str
    issue_date: date
    invoice_number: str
    status: str
    effective_on: date | None
    sender: Party
    receiver: Party
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivered line: what was to come when, what came when, and what it is worth."""

    line_id: str
    reference: str
    order_reference: str
    vendor: str
    site: str | None
    country: str | None
    product: str
    quantity: Decimal
    value_minor: int
    currency: str
    scheduled_on: date | None = None
    shipped_on: date | None = None
    delivered_on: date | None = None
    recorded_on: date | None = None
    ordered_on: date | None = None
    row: int = 0

    @property
    def punctuality(self) -> Literal["early", "late", "on_time", "unknown"]:
        """Delivered against scheduled day; `unknown` where either is missing."""
        if self.scheduled_on is None or self.delivered_on is None:
            return "unknown"
        if self.delivered_on == self.scheduled_on:
            return "on_time"
        return "late" if self.delivered_on > self.scheduled_on else "early"


@dataclass(frozen=True, slots=True)
class EpcQuantity:
    """A class-level quantity; `unit` is a UN/ECE Recommendation 20 code, None for pieces."""

    epc_class: str
    quantity: Decimal | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class ErrorDeclaration:
    """A statement that an earlier event (same fields, same id) is wrong, and which events correct it."""

    declared_at: datetime
    reason: str | None
    corrective_event_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogisticsEvent:
    """What happened to goods, when, where and why (EPCIS 2.0, DCSA track & trace).

    `event_hash` is the CBV 2.0 hash id of an EPCIS event; it leaves out the event id, record time and error
    declaration, so an error declaration has the hash of the event it withdraws. `classifier` is DCSA's `ACT`, `PLN`
    or `EST`; only what has happened is evidence.
    """

    event_id: str | None
    event_hash: str | None
    kind: str
    action: str | None
    time: datetime
    recorded_at: datetime | None
    biz_step: str | None
    disposition: str | None
    read_point: str | None
    biz_location: str | None
    biz_transactions: tuple[Identifier, ...] = ()
    sources: tuple[Identifier, ...] = ()
    destinations: tuple[Identifier, ...] = ()
    epcs: tuple[str, ...] = ()
    quantities: tuple[EpcQuantity, ...] = ()
    parent_id: str | None = None
    output_epcs: tuple[str, ...] = ()
    output_quantities: tuple[EpcQuantity, ...] = ()
    error_declaration: ErrorDeclaration | None = None
    classifier: str = "ACT"
    zone_offset: str | None = None
    syntax: Literal["EPCIS", "DCSA"] = "EPCIS"

    @property
    def is_error_declaration(self) -> bool:
        """Whether this event withdraws an earlier one."""
        return self.error_declaration is not None

    @property
    def is_evidence(self) -> bool:
        """Whether it says that something happened: neither planned, estimated nor withdrawn."""
        return self.classifier == "ACT" and self.error_declaration is None
