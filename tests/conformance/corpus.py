"""Every file there is to mutate: the samples where present, and documents of our own making."""

from __future__ import annotations

from pathlib import Path

from tests.conformance import own_documents

SUFFIXES = {".xml", ".json", ".jsonld", ".edi", ".csv"}


def seeds(samples: Path | None) -> list[tuple[str, bytes]]:
    """Name and content, samples first; expected values beside the samples are no documents."""
    found: list[tuple[str, bytes]] = []
    if samples is not None:
        for path in sorted(samples.rglob("*")):
            if path.suffix not in SUFFIXES or (path.parent.name == "bank-statements" and path.suffix == ".json"):
                continue
            raw = path.read_bytes()
            if path.suffix == ".csv":
                raw = b"\r".join(raw.split(b"\r")[:40])
            found.append((path.name, raw if len(raw) < 60_000 else raw[:0]))
    return [item for item in found + own_documents.all_documents() if item[1]]
