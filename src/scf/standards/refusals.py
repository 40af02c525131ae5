"""How this room refuses: a Problem with `place` (where in the document) and `reason` (what is wrong there)."""

from __future__ import annotations

from scf.kernel.problems import Problem
from scf.kernel.sentences import sentence

_LONGEST_QUOTE = 60
_LONGEST_PLACE = 240


def refusal(code: str, place: str, **facts: str | int) -> Problem:
    """The Problem `code` with its `place`, its facts and `reason`, the sentence without the place.

    Sentences of this room have the form `{place}: what is wrong`. Quoted text is cut, so that a document cannot fill
    the answer.
    """
    problem = Problem(code)
    problem.facts.update({key: quote(value) if isinstance(value, str) else value for key, value in facts.items()})
    reason = sentence(code, "en", **{"place": "", **problem.facts}).removeprefix(": ")
    problem.facts.update(place=_shorten(place), reason=reason)
    return problem


def _shorten(place: str) -> str:
    """A place of readable length: names come from the document and may be endless."""
    half = _LONGEST_PLACE // 2
    short = place if len(place) <= _LONGEST_PLACE else f"{place[:half]}…{place[-half:]}"
    return "".join(char if char.isprintable() else " " for char in short)


def quote(text: str) -> str:
    """`text` on one line, without control characters, cut to a length fit for a sentence."""
    plain = "".join(char if char.isprintable() else " " for char in text[: _LONGEST_QUOTE * 4])
    plain = " ".join(plain.split())
    return plain if len(plain) <= _LONGEST_QUOTE else plain[: _LONGEST_QUOTE - 1] + "…"
