"""A line, entry or transaction lost or doubled on the way: refused, or told in a notice, wherever the file can show it.

Each standard has its own control: invoices and orders their totals, statements counts, sums and balances, payment
orders count and control sum, X12 its counts. What has none (events, notifications without a summary) cannot show it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree
from tests.conformance import corpus

from scf.kernel.problems import Problem
from scf.standards import reading
from scf.standards.bank_records import Statement
from scf.standards.records import Invoice, Order

REPEATING = (
    "InvoiceLine",
    "CreditNoteLine",
    "OrderLine",
    "IncludedSupplyChainTradeLineItem",
    "IssuItemInformation",
    "Ntry",
    "TxDtls",
    "CdtTrfTxInf",
    "PmtInf",
    "TaxSubtotal",
    "ApplicableTradeTax",
)


def variants(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The document with one of its repeating parts lost, and doubled, each in turn."""
    if raw.startswith(b"ISA"):
        ending = raw[105:106]
        segments = raw.split(ending)
        for place, segment in enumerate(segments):
            if re.match(rb"\s*(PO1|HL|SN1|LIN|ACK)\b", segment):
                yield f"lost {place}", ending.join(segments[:place] + segments[place + 1 :])
                yield f"doubled {place}", ending.join([*segments[:place], segment, *segments[place:]])
        return
    root = etree.fromstring(raw)
    for element in [item for item in root.iter("{*}*") if carries_money(item)]:
        parent = element.getparent()
        assert parent is not None
        name = etree.QName(element).localname
        twin = copy.deepcopy(element)
        place = parent.index(element)
        parent.insert(place, twin)
        yield f"doubled {name}", etree.tostring(root)
        parent.remove(twin)
        parent.remove(element)
        yield f"lost {name}", etree.tostring(root)
        parent.insert(place, element)


def carries_money(element: etree._Element) -> bool:
    """Whether sums or counts elsewhere in the document must show that this part is gone or came twice."""
    name, parent = etree.QName(element).localname, element.getparent()
    if name not in REPEATING or parent is None:
        return False
    if name == "TxDtls":  # a sole transaction repeats the amount of its entry
        return len(parent.findall("{*}TxDtls")) > 1
    if name == "ApplicableTradeTax" and etree.QName(parent).localname != "ApplicableHeaderTradeSettlement":
        return False
    amounts = [item.text or "" for item in element.iter("{*}*") if "Amount" in str(item.tag) or "Amt" in str(item.tag)]
    # EN 16931 lets the bases of the tax rows differ from the net total by less than one unit of the currency each.
    return any(abs(float(amount)) >= 1 for amount in amounts if amount.strip())


def has_control(document: reading.Document, raw: bytes) -> bool:
    """Whether the file says anything that a lost or doubled part must contradict."""
    for record in document.records:
        if isinstance(record, Statement) and record.adds_up is not True and b"TxsSummry" not in raw:
            return False
        if isinstance(record, Order) and record.net_minor is None and record.syntax == "UBL":
            return False
        if isinstance(record, Invoice) and not record.line_total_minor and record.syntax != "CN-EINVOICE":
            return False
    return True


def told(raw: bytes, name: str) -> tuple[str, ...] | None:
    """The notices of a reading; None when it is refused with place and reason."""
    try:
        return tuple(sorted(notice.code for notice in reading.read(raw, name).notices))
    except Problem as problem:
        assert problem.facts["place"] and problem.facts["reason"]
        return None


def check(name: str, raw: bytes) -> int:
    try:
        whole = reading.read(raw, name)
    except Problem:
        return 0
    if not has_control(whole, raw):
        return 0
    before = told(raw, name)
    tried = 0
    for what, damaged in variants(raw):
        after = told(damaged, name)
        if after == before:
            assert reading.read(damaged, name).records == whole.records, (name, what)
        tried += 1
    return tried


def files(samples: Path | None) -> list[tuple[str, bytes]]:
    return [
        (name, raw)
        for name, raw in corpus.seeds(samples)
        if raw.startswith(b"ISA") or (raw.lstrip(b"\xef\xbb\xbf").startswith(b"<") and len(raw) < 60_000)
    ]


@pytest.mark.timeout(120)
def test_own_documents_show_what_was_lost_or_doubled() -> None:
    assert sum(check(name, raw) for name, raw in files(None)) > 20


@pytest.mark.timeout(240)
def test_documents_nobody_here_wrote_show_what_was_lost_or_doubled(samples: Path) -> None:
    assert sum(check(name, raw) for name, raw in files(samples)) > 200
