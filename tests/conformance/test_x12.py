"""X12 interchanges nobody here wrote."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from scf.standards import x12
from scf.standards.detect import detect
from scf.standards.records import DespatchAdvice, DocumentKind, Order


@pytest.mark.parametrize("name", ["850", "850_2"])
def test_the_order_in_both_forms(samples: Path, name: str) -> None:
    raw = (samples / "edi-x12" / f"{name}.edi").read_bytes()
    assert detect(raw) == DocumentKind.X12
    (order,) = x12.read(raw, default_currency="USD")
    assert isinstance(order, Order)
    assert (order.number, str(order.issue_date), str(order.deliver_by)) == ("08292233294", "2010-11-27", "2010-12-14")
    assert (len(order.lines), order.net_minor, order.notices) == (6, 1_304_594, ())
    assert [line.quantity for line in order.lines] == [120, 220, 126, 76, 72, 696]


def test_the_acknowledgement(samples: Path) -> None:
    (answer,) = x12.read((samples / "edi-x12" / "855.edi").read_bytes())
    assert isinstance(answer, Order)
    assert (answer.order_reference, answer.response_code, answer.currency) == ("POTEST1112", "AD", "USD")
    assert [(line.status, line.accepted_quantity) for line in answer.lines] == [
        ("IA", 3),
        ("IR", 0),
        ("IR", 0),
        ("IA", 2),
    ]


def test_the_ship_notice(samples: Path) -> None:
    (advice,) = x12.read((samples / "edi-x12" / "856.edi").read_bytes())
    assert isinstance(advice, DespatchAdvice)
    assert (advice.number, advice.order_references, str(advice.shipped_on)) == ("829716", ("99999817",), "2011-12-06")
    assert [(line.item_id, line.quantity) for line in advice.lines] == [
        ("999999310145", Decimal(24)),
        ("999999311746", Decimal(6)),
    ]
