"""ASC X12 orders (850), order acknowledgements (855) and ship notices (856), releases 003010 to 008010."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from scf.standards.invoice_totals import line_net
from scf.standards.records import DespatchAdvice, Identifier, Line, Notice, Order, Party
from scf.standards.refusals import refusal
from scf.standards.tree import known_currency, x12_segments
from scf.standards.x12_text import Segment, TransactionSet, read_sets

_BUYER = ("BY", "OB", "BT")
_SELLER = ("SE", "VN", "SU", "SF", "SH")
_SCHEMES = {"1": "DUNS", "9": "DUNS+4", "UL": "GLN", "92": "buyer", "91": "seller", "15": "SAN", "ZZ": ""}
_ITEM_IDS = ("UP", "EN", "UK", "EO", "GT", "VN", "VP", "VC", "SK", "BP", "CB", "IN", "PI")


def read(raw: bytes, default_currency: str | None = None) -> list[Order | DespatchAdvice]:
    """The documents of an interchange, in order.

    `default_currency` serves orders without a CUR segment; without it their amounts stay None. Raises Problem as
    `x12_text.read_sets` does, and `x12_set_unsupported`, `document_element_missing`, `document_number_wrong`,
    `document_date_wrong`, `document_currency_unknown`, `x12_count_differs`.
    """
    sets = read_sets(raw)
    if not sets:
        raise refusal("document_element_missing", "interchange", element="ST")
    return [_document(item, default_currency) for item in sets]


def _document(found: TransactionSet, default_currency: str | None) -> Order | DespatchAdvice:
    if found.code == "850":
        return _order(found, "BEG", default_currency)
    if found.code == "855":
        return _order(found, "BAK", default_currency)
    if found.code == "856":
        return _ship_notice(found)
    raise refusal("x12_set_unsupported", f"ST {found.control}", number=found.code)


def _first(segments: Sequence[Segment], tag: str, found: TransactionSet) -> Segment:
    segment = next((item for item in segments if item.tag == tag), None)
    if segment is None:
        raise refusal("document_element_missing", f"ST {found.control}", element=tag)
    return segment


def _parties(segments: Sequence[Segment]) -> dict[str, Party]:
    """Parties by entity code: N1 with the address lines that follow it."""
    parties: dict[str, Party] = {}
    code = ""
    for segment in segments:
        if segment.tag == "N1":
            code = segment.need(1)
            scheme, value = segment.get(3), segment.get(4)
            ids = (Identifier(_SCHEMES.get(scheme or "", scheme or ""), value),) if value else ()
            parties[code] = Party(segment.get(2) or "", ids)
        elif segment.tag in ("N3", "N4") and code in parties:
            held = parties[code]
            text = ", ".join(part.strip() for part in segment.elements[:4] if part.strip())
            country = segment.get(4) if segment.tag == "N4" else None
            joined = ", ".join(part for part in (held.address, text) if part)
            parties[code] = replace(held, address=joined or None, country=held.country or country)
        elif segment.tag in ("PO1", "HL", "LIN"):
            code = ""
    return parties


def _pick(parties: dict[str, Party], codes: Sequence[str], fallback: tuple[str, str]) -> Party:
    """The party in the first role named; else who sent or got the interchange."""
    for code in codes:
        if code in parties:
            return parties[code]
    return Party("", (Identifier(_SCHEMES.get(fallback[0], fallback[0]), fallback[1]),))


def _order(found: TransactionSet, start: str, default_currency: str | None) -> Order:
    segments = found.segments
    head = _first(segments, start, found)
    is_answer = start == "BAK"
    number = head.need(3)
    issued = head.day_at(4 if is_answer else 5)
    if issued is None:
        raise refusal("document_element_missing", head.place, element=f"{start}{4 if is_answer else 5:02d}")
    money = next((item for item in segments if item.tag == "CUR"), None)
    code = known_currency(money.need(2), money.place) if money is not None else default_currency
    lines = tuple(_lines(segments, code))
    if not lines:
        raise refusal("document_element_missing", head.place, element="PO1")
    _check_count(segments, (len(lines),))
    parties = _parties(segments)
    first, second = (found.receiver, found.sender) if is_answer else (found.sender, found.receiver)
    nets = [line.net_minor for line in lines]
    total = sum(net or 0 for net in nets) if None not in nets else None
    return Order(
        kind="order_response" if is_answer else "order",
        number=(head.get(8) or number) if is_answer else number,
        issue_date=issued,
        currency=code,
        buyer=_pick(parties, _BUYER, first),
        seller=_pick(parties, _SELLER, second),
        lines=lines,
        net_minor=total,
        deliver_by=_date_of(segments, ("002", "010", "074", "063")),
        contract_reference=head.get(7 if is_answer else 6),
        order_reference=number if is_answer else None,
        response_code=head.get(2) if is_answer else None,
        syntax="X12",
        notices=(*_strangers(segments), *_total_notices(segments, lines)),
    )


def _date_of(segments: Sequence[Segment], qualifiers: Sequence[str]) -> date | None:
    for segment in segments:
        if segment.tag == "DTM" and segment.get(1) in qualifiers:
            return segment.day_at(2)
    return None


def _check_count(segments: Sequence[Segment], counts: Sequence[int]) -> None:
    """CTT01 must be one of the counts of what was read (lines, or hierarchy levels)."""
    for segment in segments:
        if segment.tag == "CTT":
            stated = segment.number_at(1)
            if stated is not None and stated not in counts:
                raise refusal("x12_count_differs", f"{segment.place}01", stated=str(stated), found=str(counts[0]))


def _total_notices(segments: Sequence[Segment], lines: Sequence[Line]) -> tuple[Notice, ...]:
    """A notice where the stated total (AMT) is not quantity x price added up."""
    total = sum((line.quantity or Decimal(0)) * (line.price or Decimal(0)) for line in lines)
    notices = []
    for segment in segments:
        if segment.tag == "AMT" and segment.get(1) in ("1", "TT"):
            stated = segment.number_at(2)
            if stated is not None and abs(stated - total) >= Decimal("0.01") * len(lines):
                facts = (("stated", str(stated)), ("found", str(total)))
                notices.append(Notice("x12_total_differs", segment.place, facts))
    return (*notices, *_hash_notices(segments, lines))


def _hash_notices(segments: Sequence[Segment], lines: Sequence[Line]) -> Iterator[Notice]:
    """A notice where the hash total (CTT02) is not the sum of the quantities; partners may also hash something else."""
    total = sum((line.quantity or Decimal(0) for line in lines), Decimal(0))
    for segment in segments:
        stated = segment.number_at(2) if segment.tag == "CTT" else None
        if stated is not None and stated != total:
            facts = (("stated", str(stated)), ("found", str(total)))
            yield Notice("x12_hash_differs", segment.place, facts)


def _item_id(segment: Segment, first: int) -> str | None:
    """The item's identifier from (qualifier, value) pairs, the best known qualifier first."""
    pairs = {segment.get(at): segment.get(at + 1) for at in range(first, len(segment.elements), 2)}
    return next((pairs[name] for name in _ITEM_IDS if pairs.get(name)), None)


def _lines(segments: Sequence[Segment], code: str | None) -> list[Line]:
    lines: list[Line] = []
    for segment in segments:
        if segment.tag == "PO1":
            quantity, price = segment.number_at(2), segment.number_at(4)
            is_priced = quantity is not None and price is not None and code is not None
            lines.append(
                Line(
                    id=segment.get(1) or str(len(lines) + 1),
                    description="",
                    item_id=_item_id(segment, 6),
                    quantity=quantity,
                    unit=segment.get(3),
                    price=price,
                    net_minor=line_net(quantity, price, code) if is_priced else None,  # type: ignore[arg-type]
                )
            )
        elif lines and segment.tag == "PID" and not lines[-1].description:
            lines[-1] = replace(lines[-1], description=segment.get(5) or "")
        elif lines and segment.tag == "ACK":
            lines[-1] = replace(lines[-1], status=segment.need(1), accepted_quantity=segment.number_at(2))
    return lines


def _ship_notice(found: TransactionSet) -> DespatchAdvice:
    segments = found.segments
    head = _first(segments, "BSN", found)
    issued = head.day_at(3)
    if issued is None:
        raise refusal("document_element_missing", head.place, element="BSN03")
    lines, orders, levels = _shipped(segments)
    _check_count(segments, (levels, len(lines)))
    if not lines:
        raise refusal("document_element_missing", head.place, element="SN1")
    parties = _parties(segments)
    carrier = next((item for item in segments if item.tag == "TD5"), None)
    customer = _pick(parties, ("ST", "BY", "OB"), found.receiver)
    return DespatchAdvice(
        number=head.need(2),
        issue_date=issued,
        order_references=orders,
        supplier=_pick(parties, ("SF", "SH", "SE", "VN", "SU"), found.sender),
        customer=customer,
        lines=tuple(lines),
        shipped_on=_date_of(segments, ("011", "110")),
        expected_on=_date_of(segments, ("017", "067", "002")),
        carrier=(carrier.get(5) or carrier.get(3)) if carrier else None,
        transport_references=tuple(
            value for item in segments if item.tag == "REF" and item.get(1) in ("BM", "CN") and (value := item.get(2))
        ),
        syntax="X12",
        notices=(*_strangers(segments), *_hash_notices(segments, lines)),
    )


def _strangers(segments: Sequence[Segment]) -> tuple[Notice, ...]:
    """A notice for every segment these documents do not have: it was left aside."""
    known = x12_segments()
    return tuple(
        Notice("x12_segment_unknown", item.place, (("tag", item.tag),)) for item in segments if item.tag not in known
    )


def _shipped(segments: Sequence[Segment]) -> tuple[list[Line], tuple[str, ...], int]:
    """Items of the hierarchy, each with the order above it; the orders; the number of levels."""
    lines: list[Line] = []
    order_of: dict[str, str] = {}
    parent_of: dict[str, str] = {}
    level = ""
    item: Segment | None = None
    for segment in segments:
        if segment.tag == "HL":
            level, item = segment.need(1), None
            if level in parent_of:
                raise refusal("document_element_repeated", segment.place, element=f"HL {level}")
            parent_of[level] = segment.get(2) or ""
            if parent_of[level] and parent_of[level] not in parent_of:
                raise refusal("document_value_wrong", f"{segment.place}02", text=parent_of[level], expected="HL above")
        elif segment.tag == "PRF":
            order_of[level] = segment.need(1)
        elif segment.tag == "LIN":
            item = segment
        elif segment.tag == "SN1":
            quantity = segment.number_at(2)
            lines.append(
                Line(
                    id=segment.get(1) or (item.get(1) if item else None) or str(len(lines) + 1),
                    description="",
                    item_id=_item_id(item, 2) if item else None,
                    quantity=quantity,
                    unit=segment.get(3),
                    price=None,
                    net_minor=None,
                    order_reference=_above(level, parent_of, order_of),
                )
            )
        elif segment.tag == "PID" and lines and not lines[-1].description:
            lines[-1] = replace(lines[-1], description=segment.get(5) or "")
    return lines, tuple(dict.fromkeys(order_of.values())), len(parent_of)


def _above(level: str, parent_of: dict[str, str], order_of: dict[str, str]) -> str | None:
    """The order of this level or of the nearest one above it."""
    seen: set[str] = set()
    while level and level not in seen:
        if level in order_of:
            return order_of[level]
        seen.add(level)
        level = parent_of.get(level, "")
    return None
