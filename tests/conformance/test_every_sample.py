"""Every sample through the one door: recognised, and read or refused as its folder says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.conformance.corpus import SUFFIXES

from scf.kernel.problems import Problem
from scf.standards import csvmap, reading
from scf.standards.records import DocumentKind

REFUSED = {"camt053.v2.wrong.xml"}
KINDS = {
    DocumentKind.CAMT_052: 1,
    DocumentKind.CAMT_053: 6,
    DocumentKind.CAMT_054: 2,
    DocumentKind.CII_INVOICE: 10,
    DocumentKind.CSV: 1,
    DocumentKind.EPCIS_JSON: 17,
    DocumentKind.UBL_CREDIT_NOTE: 1,
    DocumentKind.UBL_INVOICE: 14,
    DocumentKind.X12: 4,
}


def test_every_sample_is_read_or_refused_as_it_must(samples: Path) -> None:
    mapping = csvmap.load_mapping("scms")
    kinds: Counter[DocumentKind] = Counter()
    for path in sorted(samples.rglob("*")):
        if path.suffix not in SUFFIXES or (path.parent.name == "bank-statements" and path.suffix == ".json"):
            continue
        raw = path.read_bytes()
        if path.name in REFUSED or path.parent.name == "invalid":
            with pytest.raises(Problem) as caught:
                reading.read(raw, path.name, mapping)
            assert caught.value.facts["place"], path.name
            assert caught.value.facts["reason"], path.name
            continue
        document = reading.read(raw, path.name, mapping)
        assert document.records, path.name
        kinds[document.kind] += 1
    assert kinds == KINDS
