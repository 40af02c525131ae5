"""The documents of the demonstration, written with the same writers that read them: invoices, logistics events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from scf.demo.cast import Firm, firm
from scf.kernel.dates import BEIJING
from scf.kernel.identifiers import make_uscc
from scf.standards import epcis
from scf.standards.records import EpcQuantity, Identifier, Party
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


def logistics_event(order: str, step: str, at: int, *, quantity: int, goods: str, despatch: str) -> Paper:
    """An EPCIS 2.0 document with one ObjectEvent: `shipping`, `arriving`, `receiving` or `inspecting`."""
    moment = datetime.fromtimestamp(at, BEIJING)
    event = epcis.object_event(
        time=moment,
        biz_step=step,
        disposition="in_transit" if step == "shipping" else "in_progress",
        quantities=[EpcQuantity(f"urn:epc:class:lgtin:4012345.{goods}.{order}", Decimal(quantity), None)],
        biz_transactions=[
            Identifier("po", f"urn:epcglobal:cbv:bt:4012345000009:{order}"),
            Identifier("desadv", f"urn:epcglobal:cbv:bt:4012345000009:{despatch}"),
        ],
    )
    return Paper(f"{despatch}-{step}.jsonld", epcis.write([event], moment))
