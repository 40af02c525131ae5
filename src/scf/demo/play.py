"""Steps of a demonstration that can be killed at any moment and go on: each step has a name, a moment and one effect.

What a step will sign is stored before it is signed, so that a second attempt signs the same bytes; the desk makes sure
that the same bytes have one effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from scf.app import App
from scf.demo.cast import demo_signers
from scf.desk.service import Prepared
from scf.kernel.clock import VirtualClock
from scf.ledger.intents import digest
from scf.ledger.signing import sign_digest
from scf.receivables.service import plain

HOUR = 3600
DAY = 24 * HOUR


class Audience(Protocol):
    """Who is told the story: the terminal, or nobody in tests."""

    def chapter(self, english: str, chinese: str) -> None:
        """A new chapter begins."""
        ...

    def line(self, english: str, chinese: str) -> None:
        """Something happened."""
        ...


class Silence:
    """Tells nobody."""

    def chapter(self, english: str, chinese: str) -> None:
        """Says nothing."""

    def line(self, english: str, chinese: str) -> None:
        """Says nothing."""


class Play:
    """The installation, its virtual clock and its audience."""

    def __init__(self, app: App, clock: VirtualClock, start: int, audience: Audience) -> None:
        self.app = app
        self.clock = clock
        self.start = start
        self.tell = audience

    def at(self, day: int, hour: int = 9) -> None:
        """Move time to `hour` o'clock (Beijing) of a day counted from the story's start; never back."""
        self.clock.move_to(self.start + day * DAY + (hour - 9) * HOUR)

    def sign(self, prepared: Prepared) -> list[list[bytes]]:
        """Signature parts of each signer in order, with the demo keys."""
        return [
            [sign_digest(key.private, prepared.digest) for key in demo_signers(self.app, who)]
            for who in prepared.signers
        ]

    def act(
        self,
        name: str,
        prepare: Callable[[], Prepared],
        submit: Callable[[Prepared, list[list[bytes]]], Mapping[str, Any]],
    ) -> Mapping[str, Any]:
        """One signed act: prepared once, signed the same way each time, submitted under its name."""
        prepared = self._prepared(name, prepare)
        return submit(prepared, self.sign(prepared))

    def receivable_act(self, name: str, prepare: Callable[[], Prepared]) -> Mapping[str, Any]:
        """An act of the receivables room."""

        def submit(prepared: Prepared, signatures: list[list[bytes]]) -> Mapping[str, Any]:
            return self.app.receivables.submit(prepared.act, prepared.message, signatures[0], key=name, caller="demo")

        return self.act(name, prepare, submit)

    def entrusted_act(self, name: str, prepare: Callable[[], Prepared]) -> Mapping[str, Any]:
        """An act of the entrusted room."""

        def submit(prepared: Prepared, signatures: list[list[bytes]]) -> Mapping[str, Any]:
            return self.app.entrusted.submit(prepared.act, prepared.message, signatures, key=name, caller="demo")

        return self.act(name, prepare, submit)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """A value made once and remembered: later calls, also after a restart, give the same (JSON) value."""
        stored = self.app.fact(f"demo:{name}")
        if stored is None:
            stored = json.dumps(make())
            self.app.set_fact(f"demo:{name}", stored)
        return json.loads(stored)

    def _prepared(self, name: str, prepare: Callable[[], Prepared]) -> Prepared:
        def store() -> dict[str, Any]:
            made = prepare()
            return {
                "act": made.act,
                "contract": made.contract,
                "primary_type": made.primary_type,
                "message": plain(made.message),
                "signers": list(made.signers),
                "summary": made.summary,
            }

        kept = self.once(f"step:{name}", store)
        return Prepared(
            act=kept["act"],
            contract=kept["contract"],
            primary_type=kept["primary_type"],
            message=kept["message"],
            signers=tuple(kept["signers"]),
            summary=kept["summary"],
            typed_data={},
            digest=digest(self.app.contracts, kept["contract"], kept["primary_type"], kept["message"]),
        )
