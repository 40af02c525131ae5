"""Reading before signing: clause by clause, never faster than one can read, kept as evidence, signed where it fits."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from scf.api.access import Caller
from scf.api.act_kinds import Ready
from scf.api.office import stored
from scf.app import App
from scf.kernel.problems import Problem
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust
from scf.web.forms import CLAUSES, GENERAL_CLAUSE
from scf.web.i18n import translate
from scf.web.voice import clip_of, text_digest

CHARACTERS_A_SECOND = {"en": 60, "zh-CN": 20}
"""Faster than anybody reads; only pressing without looking is refused."""
SIGNS_READING = ("accept_quote",)
"""Acts whose signed message has room for the hash of what was read."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One statement to confirm: its words, and the static name of its recording, if there is one."""

    text: str
    clip: str | None


def clauses_of(act: str, language: str) -> list[Clause]:
    """The statements of an act in a language."""
    texts = [translate(language, clause) for clause in CLAUSES.get(act, (GENERAL_CLAUSE,))]
    return [Clause(text, clip_of(text, language)) for text in texts]


def seconds_to_read(content: Mapping[str, Any], speed: float) -> int:
    """The least time the text of a prepared act takes to read; `speed` above 1 makes it shorter."""
    language = str(content["language"])
    letters = len(content["summary"].get(language, "")) + sum(len(c.text) for c in clauses_of(content["act"], language))
    return int(letters / CHARACTERS_A_SECOND[language] / speed)


def check_read(content: Mapping[str, Any], form: FormData, speed: float) -> None:
    """Every box again, on the server. Raises Problem `clauses_not_confirmed` or `confirmed_too_fast`."""
    count = len(clauses_of(content["act"], str(content["language"])))
    missing = sum(not form.get(f"clause_{place}") for place in range(count))
    if missing:
        raise Problem("clauses_not_confirmed", missing=missing)
    given, needed = time.time() - float(content["at"]), seconds_to_read(content, speed)
    if given < needed:
        raise Problem("confirmed_too_fast", given=int(given), needed=needed)


def record_of(content: Mapping[str, Any], form: FormData, caller: Caller) -> dict[str, Any]:
    """What was shown, in which language, when, what was confirmed and heard. Times in unix seconds.

    `ticked_after_ms` and `sound` of a clause are what the browser says: None and `unknown` without scripts.
    """
    language, act = str(content["language"]), str(content["act"])
    clauses = clauses_of(act, language)
    said = [_said(clause, place, form) for place, clause in enumerate(clauses)]
    text = [content["summary"][language], *(clause.text for clause in clauses)]
    now = int(time.time())
    return {
        "act": act,
        "by": caller.address,
        "language": language,
        "text": text,
        "text_sha256": hashlib.sha256("\n".join(text).encode()).hexdigest(),
        "summary": content["summary"],
        "clauses": said,
        "shown_at": int(content["at"]),
        "confirmed_at": now,
        "read_seconds": now - int(content["at"]),
        "figures": _figures(content, form),
        "sound_played": any(one["sound"] == "played" for one in said),
    }


def with_reading(app: App, content: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """The prepared act with the hash of the reading inside what is signed, where its message has room for it."""
    if content["act"] not in SIGNS_READING:
        return dict(content["kept"])
    prepared = app.financing.prepare_accept_quote(str(content["kept"]["message"]["quoteHash"]), reading=record)
    return stored(Ready(prepared))


def keep_reading(app: App, caller: Caller, record: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """File the reading as evidence, beside the digest it was signed under."""
    inside = kept["message"].get("reading")
    content = {"reading": record, "reading_signed": inside, "signed_digest": kept["digest"]}
    with app.desk.session() as session:
        evidence.record(
            session,
            canonical_json(content),
            kind="reading",
            source="pages",
            sender=caller.name,
            trust=Trust.T0,
            received_at=app.clock.now(),
            name=f"reading-{kept['digest'][:12]}.json",
        )


def _said(clause: Clause, place: int, form: FormData) -> dict[str, Any]:
    after = str(form.get(f"after_{place}") or "")
    heard = str(form.get(f"heard_{place}") or "")
    return {
        "text_sha256": text_digest(clause.text),
        "ticked_after_ms": int(after) if after.isascii() and after.isdigit() and len(after) < 12 else None,
        "sound": "played" if heard == "yes" else "not played" if heard == "no" else "unknown",
    }


def _figures(content: Mapping[str, Any], form: FormData) -> dict[str, Any] | None:
    """The figures that could be heard, as text and hash, and whether they were; None where none were offered."""
    words = [str(one) for one in content.get("spoken") or []]
    if not words:
        return None
    said = " ".join(words)
    heard = {"yes": "played", "no": "not played"}.get(str(form.get("heard_figures") or ""), "unknown")
    return {"text": said, "text_sha256": text_digest(said), "sound": heard}


def missing_boxes(clauses: Sequence[Clause], form: FormData | None) -> list[bool]:
    """Which boxes were ticked, so that a refused confirmation comes back as it was sent."""
    return [bool(form and form.get(f"clause_{place}")) for place in range(len(clauses))]
