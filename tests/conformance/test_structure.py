"""Well-formed but wrong: elements dropped, doubled, moved, digits changed. Refused, or what is read still adds up."""

from __future__ import annotations

import copy
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree
from tests.conformance import corpus
from tests.conformance.test_damaged import optional_samples, proper, read

from scf.kernel.problems import Problem
from scf.standards.bank_records import Statement
from scf.standards.reading import Document
from scf.standards.records import DocumentKind, Invoice

__all__ = ["optional_samples"]
CHECKED = (DocumentKind.UBL_INVOICE, DocumentKind.UBL_CREDIT_NOTE, DocumentKind.CII_INVOICE)
STATEMENTS = (DocumentKind.CAMT_052, DocumentKind.CAMT_053, DocumentKind.CAMT_054)


def mutate(root: etree._Element, dice: random.Random) -> str:
    """Change one thing in the tree; returns the name of the element it was done to."""
    elements = [one for one in root.iter() if isinstance(one.tag, str) and one.getparent() is not None]
    one = dice.choice(elements)
    parent = one.getparent()
    assert parent is not None
    act = dice.choice(("drop", "double", "move", "digit"))
    if act == "drop":
        parent.remove(one)
    elif act == "double":
        parent.insert(parent.index(one), copy.deepcopy(one))
    elif act == "move":
        parent.remove(one)
        parent.insert(dice.randrange(len(parent) + 1), one)
    else:
        numbers = [x for x in elements if x.text and x.text.strip().replace(".", "", 1).isdigit()]
        if numbers:
            one = dice.choice(numbers)
            text = (one.text or "").strip()
            place = dice.choice([i for i, char in enumerate(text) if char != "."])
            one.text = text[:place] + dice.choice("0123456789") + text[place + 1 :]
    return etree.QName(one).localname


def money(document: Document) -> list[tuple[int, ...]]:
    """Every amount that could pay or be paid."""
    said: list[tuple[int, ...]] = []
    for record in document.records:
        if isinstance(record, Invoice):
            said.append((record.net_minor, record.tax_minor, record.gross_minor, record.payable_minor))
        if isinstance(record, Statement):
            said.append(tuple(sorted(entry.amount_minor for entry in record.entries)))
    return said


def run(samples: Path | None, count: int, seconds: float) -> Counter[str]:
    dice, outcomes = random.Random(20261128), Counter[str]()
    trees = []
    for name, raw in corpus.seeds(samples):
        if not raw.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
            continue
        try:
            document = read(raw, name)
        except Problem:
            continue  # a sample that is wrong on purpose
        if document.kind in (*CHECKED, *STATEMENTS):
            trees.append((name, etree.fromstring(raw), document))
    began = time.process_time()
    for _ in range(count):
        if time.process_time() - began > seconds:
            break
        name, root, before = dice.choice(trees)
        changed = copy.deepcopy(root)
        touched = mutate(changed, dice)
        try:
            after = read(etree.tostring(changed), name)
        except Problem as problem:
            proper(problem)
            outcomes["refused"] += 1
            continue
        for record in after.records:
            if isinstance(record, Invoice):
                assert record.net_minor + record.tax_minor == record.gross_minor
                assert sum(line.net_minor or 0 for line in record.lines) == record.line_total_minor
                assert sum(row.tax_minor for row in record.tax_breakdown) in (record.tax_minor, 0)
        if money(after) != money(before):
            # An invoice's sums cross-check each other; a bank's amount stands alone where it gives no balances.
            assert after.kind in STATEMENTS, f"{name}: {touched} changed what is owed and nobody noticed"
            outcomes["another amount"] += 1
        else:
            outcomes["same amounts"] += 1
    return outcomes


def test_three_hundred_misbuilt_files(optional_samples: Path | None) -> None:
    outcomes = run(optional_samples, 300, seconds=20)
    assert outcomes["refused"] > 30 and outcomes["same amounts"] > 30


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thirty_thousand_misbuilt_files(optional_samples: Path | None) -> None:
    outcomes = run(optional_samples, 30_000, seconds=120)
    assert sum(outcomes.values()) > 2_000
