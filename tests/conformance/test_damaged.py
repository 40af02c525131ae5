"""Damaged files: one refusal with place and reason, or a proper reading; never a crash, a hang or a silent half."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conformance import corpus, mutations
from tests.standards.test_csvmap import MAPPING

from scf.kernel.problems import Problem
from scf.kernel.sentences import catalogue
from scf.standards import csvmap, reading
from scf.standards.records import DocumentKind

SCMS = csvmap.load_mapping("scms")
OWN = csvmap.TableMapping.from_dict(MAPPING)
LONGEST_SECONDS = 5.0
STRICT = frozenset(DocumentKind) - {DocumentKind.CN_EINVOICE, DocumentKind.DCSA_EVENTS}
"""Kinds whose element names are all known; the other two stand open to fields that their makers add."""


def read(raw: bytes, name: str) -> reading.Document:
    return reading.read(raw, name, OWN if name.startswith("own") else SCMS)


def judge(raw: bytes, name: str) -> str:
    """`read` or the code of a proper refusal; anything else fails the test."""
    started = time.monotonic()
    try:
        document = read(raw, name)
        outcome = "read"
        if document.preview is not None:
            assert len(document.records) == len(document.preview.rows)
            for item in document.preview.rejected:
                proper(item.problem)
    except Problem as problem:
        proper(problem)
        outcome = problem.code
    assert time.monotonic() - started < LONGEST_SECONDS
    return outcome


def proper(problem: Problem) -> None:
    """A refusal has a sentence in both languages, a place and a reason, and is short."""
    assert problem.code in catalogue()
    assert problem.facts["place"]
    assert problem.facts["reason"]
    for language in ("en", "zh-CN"):
        assert len(problem.sentence(language)) < 1_000
    assert problem.status in (413, 422)
    assert problem.money_moved == "no"


def run(samples: Path | None, count: int, seed: int) -> dict[str, int]:
    chance = random.Random(seed)
    seeds = corpus.seeds(samples)
    outcomes: dict[str, int] = {}
    for index in range(count):
        name, raw = seeds[index % len(seeds)]
        outcome = judge(mutations.damaged(chance, raw), name)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


@pytest.fixture(scope="module")
def optional_samples(request: pytest.FixtureRequest) -> Path | None:
    try:
        return request.getfixturevalue("samples")  # type: ignore[no-any-return]
    except pytest.skip.Exception:
        return None


@pytest.mark.timeout(120)
def test_five_hundred_damaged_files(optional_samples: Path | None) -> None:
    outcomes = run(optional_samples, 500, seed=20261123)
    assert len(outcomes) > 10
    assert sum(outcomes.values()) == 500


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_twenty_thousand_damaged_files(optional_samples: Path | None) -> None:
    outcomes = run(optional_samples, 20_000, seed=7)
    assert sum(outcomes.values()) == 20_000


def check_misspelt(name: str, raw: bytes, every: int) -> int:
    """Misspell one name at a time: the file is refused, or the name carried nothing that we read."""
    variants = mutations.misspelt(raw)
    _, plain = next(variants)
    whole = read(plain, name)
    if whole.kind not in STRICT:
        return 0
    tried = 0
    prefixes = {"example", "example2", "example3", "example4", "ext1", "ext2", "ext3", "rail"}
    for index, (where, damaged) in enumerate(variants):
        if index % every or ":" in where.rsplit("/", 1)[-1] or where in prefixes:
            continue
        tried += 1
        try:
            found = read(damaged, name)
        except Problem as problem:
            proper(problem)
            continue
        assert content(found) == content(whole), (name, where)
    return tried


def content(document: reading.Document) -> Any:
    return document.kind, document.records


def is_structured(name: str, raw: bytes) -> bool:
    return name.endswith((".xml", ".json", ".jsonld")) and 0 < len(raw) < 40_000


@pytest.mark.timeout(120)
def test_no_misspelt_name_is_skipped_in_silence(optional_samples: Path | None) -> None:
    tried = 0
    for name, raw in corpus.seeds(optional_samples):
        if is_structured(name, raw) and judge(raw, name) == "read":
            tried += check_misspelt(name, raw, every=7 if len(raw) < 8_000 else 97)
    assert tried > (100 if optional_samples else 15)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_no_misspelt_name_anywhere_is_skipped_in_silence(optional_samples: Path | None) -> None:
    for name, raw in corpus.seeds(optional_samples):
        if is_structured(name, raw) and judge(raw, name) == "read":
            check_misspelt(name, raw, every=1)


@pytest.mark.timeout(120)
def test_values_of_another_kind_end_in_a_refusal_or_a_reading(optional_samples: Path | None) -> None:
    for name, raw in corpus.seeds(optional_samples):
        if is_structured(name, raw):
            for index, (_, damaged) in enumerate(mutations.confused(raw)):
                if index % (2 if name.startswith("own") else 61) == 0:
                    judge(damaged, name)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [item[0] for item in corpus.seeds(None)])
def test_a_file_cut_short_is_never_read_as_whole(name: str) -> None:
    raw = dict(corpus.seeds(None))[name]
    if name.endswith(".csv"):
        pytest.skip("a table cut at the end of a row is a shorter table")
    for end in range(0, len(raw.rstrip()) - 1, max(1, len(raw) // 40)):
        assert judge(raw[:end], name) != "read"
