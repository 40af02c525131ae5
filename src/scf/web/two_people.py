"""Signing by two people from pages: a person's own key signs, never the firm's account as a whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from scf.api.access import Caller
from scf.app import App
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.web.pages import Pages

_CHARACTERS_A_SECOND = {"en": 60, "zh-CN": 20}


def is_person(app: App, caller: Caller) -> bool:
    """Whether one key signs for this seat; a firm's two-key account is no person."""
    if not app.settings.demo:
        return True
    from scf.demo.cast import demo_signers  # the cast exists only in demo installations

    return len(demo_signers(app, caller.address)) == 1


def signatures_of(app: App, caller: Caller, digests: Sequence[bytes], form: FormData) -> list[bytes]:
    """This person's signature over each digest: made with the demo key, or given on the form, one a line.

    Raises Problem `person_needed`, `signatures_missing` or `signature_not_hex`.
    """
    if not is_person(app, caller):
        raise Problem("person_needed", caller=caller.name)
    if app.settings.demo:
        from scf.demo.cast import demo_signers

        key = demo_signers(app, caller.address)[0]
        return [sign_digest(key.private, digest) for digest in digests]
    given = str(form.get("signatures") or "").split()
    if len(given) != len(digests):
        raise Problem("signatures_missing", act="sign", needed=len(digests), given=len(given))
    try:
        return [bytes.fromhex(text.removeprefix("0x")) for text in given]
    except ValueError as error:
        raise Problem("signature_not_hex") from error


def check_reading(request: Request, content: Mapping[str, Any], form: FormData, text: Sequence[str]) -> None:
    """Every clause confirmed, and not faster than it can be read; slowness has no limit.

    Raises Problem `clauses_not_confirmed` or `confirmed_too_fast`.
    """
    missing = sum(not form.get(f"clause_{place}") for place in range(len(text)))
    if missing:
        raise Problem("clauses_not_confirmed", missing=missing)
    given, needed = time.time() - float(content["at"]), seconds_to_read(request, text)
    if given < needed:
        raise Problem("confirmed_too_fast", given=int(given), needed=needed)


def seconds_to_read(request: Request, text: Sequence[str]) -> int:
    """The least time these clauses take to read, in seconds."""
    pages: Pages = request.app.state.pages
    speed = float(request.app.state.reading_speed)
    return int(len("".join(text)) / _CHARACTERS_A_SECOND[pages.language(request)] / speed)
