"""The documents of the demonstration, written with the same writers that read them: invoices, logistics events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from scf.demo.cast import Firm, firm
from scf.kernel.identifiers import make_uscc
from scf.standards.records import Identifier, Party
from scf.standards.ubl import draft_invoice
from scf.standards.ubl_write import write_invoice

VAT_PERCENT = Decimal(13)


@dataclass(frozen=True, slots=True)
class Paper:
    """A file as its sender would send it."""

    name: str
    raw: bytes


def party(code: str) -> Party:
    """A firm of the cast as documents name it."""
    row: Firm = firm(code)
    return Party(
        name=row.name,
        identifiers=(Identifier("USCC", make_uscc(row.uscc17)),),
        country="CN",
        account=row.account or None,
        address=None,
    )


def invoice(
    number: str,
    seller: str,
    buyer: str,
    order: str,
    goods: str,
    gross_minor: int,
    issued_on: date,
    due_on: date,
    *,
    quantity: int = 1,
) -> Paper:
    """A UBL invoice whose total with VAT is exactly `gross_minor` (CNY)."""
    net = (Decimal(gross_minor) / 100 / (1 + VAT_PERCENT / 100)).quantize(Decimal("0.01"))
    record = draft_invoice(
        number=number,
        issue_date=issued_on,
        due_date=due_on,
        currency="CNY",
        seller=party(seller),
        buyer=party(buyer),
        lines=[(goods, Decimal(quantity), "C62", net / quantity)],
        tax_rate_percent=VAT_PERCENT,
        order_reference=order,
    )
    return Paper(f"{number}.xml", write_invoice(record))


def logistics_event(
    order: str,
    step: str,
    at: int,
    *,
    quantity: int,
    goods: str,
    despatch: str,
) -> Paper:
    """An EPCIS 2.0 document with one ObjectEvent: `shipping`, `arriving`, `receiving` or `inspecting`."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "bizStep": step,
        "disposition": "in_transit" if step == "shipping" else "in_progress",
        "eventTime": moment,
        "eventTimeZoneOffset": "+08:00",
        "quantityList": [{"epcClass": f"urn:epc:class:lgtin:4012345.{goods}.{order}", "quantity": quantity}],
        "bizTransactionList": [
            {"type": "po", "bizTransaction": f"urn:epcglobal:cbv:bt:4012345000009:{order}"},
            {"type": "desadv", "bizTransaction": f"urn:epcglobal:cbv:bt:4012345000009:{despatch}"},
        ],
    }
    document = {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": moment,
        "epcisBody": {"eventList": [event]},
    }
    return Paper(f"{despatch}-{step}.jsonld", json.dumps(document, indent=1).encode())


def names_of(papers: Sequence[Paper]) -> str:
    """File names for a sentence."""
    return ", ".join(paper.name for paper in papers)
