"""Ten thousand real deliveries through the mapping that ships, against the answer key."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from scf.standards import csvmap
from scf.standards.detect import detect
from scf.standards.records import DocumentKind


def test_the_whole_delivery_history_is_read(samples: Path) -> None:
    raw = (samples / "deliveries" / "scms_delivery_history.csv").read_bytes()
    assert detect(raw, "scms_delivery_history.csv") == DocumentKind.CSV
    found = csvmap.preview(raw, csvmap.load_mapping("scms"))
    assert (found.total, found.rejected, found.skipped, found.repeated) == (10_324, (), (), ())
    assert (found.dialect.line_ending, found.dialect.encoding) == ("\r", "utf-8-sig")
    rows = csvmap.deliveries(found)
    assert Counter(row.punctuality for row in rows) == {"late": 1_186, "early": 2_814, "on_time": 6_324}
    assert len({row.vendor for row in rows}) == 73
    assert len({row.site for row in rows}) == 88
    assert len({row.reference for row in rows}) == 7_030
    assert sum(row.ordered_on is None for row in rows) == 5_732
    by_vendor: Counter[str] = Counter()
    for row in rows:
        by_vendor[row.vendor] += row.value_minor
    assert round(max(by_vendor.values()) / sum(by_vendor.values()) * 100, 1) == 66.7
