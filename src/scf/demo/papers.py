"""The documents of the demonstration, written with the same writers that read them: invoices, logistics events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from scf.demo.cast import Firm, firm
from scf.kernel.dates import BEIJING
from scf.kernel.identifiers import make_uscc
from scf.standards import epcis, ubl_orders
from scf.standards.records import EpcQuantity, Identifier, Line, Order, Party
from scf.standards.ubl import draft_invoice
from scf.standards.ubl_write import write_invoice

VAT_PERCENT = Decimal(13)
PRICE_STEP = Decimal("0.000001")


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
        lines=[(goods, Decimal(quantity), "C62", (net / quantity).quantize(PRICE_STEP))],
        tax_rate_percent=VAT_PERCENT,
        order_reference=order,
    )
    return Paper(f"{number}.xml", write_invoice(record))


def order(number: str, buyer: str, seller: str, goods: str, net_minor: int, quantity: int, day: date) -> Paper:
    """A UBL order of one line worth `net_minor` (CNY, without VAT)."""
    price = (Decimal(net_minor) / 100 / quantity).quantize(PRICE_STEP)
    line = Line("1", goods, None, Decimal(quantity), "C62", price, net_minor)
    record = Order(
        kind="order",
        number=number,
        issue_date=day,
        currency="CNY",
        buyer=party(buyer),
        seller=party(seller),
        lines=(line,),
        net_minor=net_minor,
        deliver_by=None,
        contract_reference=None,
        order_reference=None,
        response_code=None,
        syntax="UBL",
    )
    return Paper(f"{number}.xml", ubl_orders.write_order(record))


def net_of(gross_minor: int) -> int:
    """What is left of a total without its 13% VAT, in minor units."""
    net = (Decimal(gross_minor) / (1 + VAT_PERCENT / 100)).quantize(Decimal(1))
    return int(net)


def logistics_event(order: str, step: str, at: int, *, quantity: int, goods: str, despatch: str) -> Paper:
    """An EPCIS 2.0 document with one ObjectEvent: `shipping`, `receiving` or `inspecting`."""
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
