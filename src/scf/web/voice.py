"""Recorded voice beside the clauses: which text has a recording, found by the digest of exactly that text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from scf.web.forms import CLAUSES, GENERAL_CLAUSE
from scf.web.i18n import LOCALES, translate

FOLDER = Path(__file__).parent / "static" / "voice"
MANIFEST = FOLDER / "manifest.json"
"""Every recording with its language and the digest of what it says; written by `scripts/record_voice.py`."""
LANGUAGES = ("en", *LOCALES)


def text_digest(text: str) -> str:
    """SHA-256 of a text, hex: what a recording is named by."""
    return hashlib.sha256(text.encode()).hexdigest()


def spoken_texts() -> Iterator[tuple[str, str]]:
    """Language and text of every clause somebody may have to confirm."""
    sentences = dict.fromkeys(clause for clauses in (*CLAUSES.values(), (GENERAL_CLAUSE,)) for clause in clauses)
    for language in LANGUAGES:
        for sentence in sentences:
            yield language, translate(language, sentence)


def clip_of(text: str, language: str) -> str | None:
    """Static name of the recording of a text, or None where nobody recorded exactly these words."""
    name = f"{language}-{text_digest(text)[:16]}.ogg"
    return f"voice/{name}" if (FOLDER / name).is_file() else None
