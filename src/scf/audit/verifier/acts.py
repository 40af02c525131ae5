"""Every event is explained by the act in its transaction, and every act was signed by whom it had to be.

An act is a generator: it checks signatures against the register as it stands and yields the events that must follow,
one by one, so that later parts of the act see what earlier ones did.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .authority import INVALID, UNKNOWN, Authority
from .register import Event, Register


@dataclass(frozen=True, slots=True)
class Expected:
    """An event that must come next, with the arguments that are known; `optional` ones may be left out."""

    name: str
    args: Mapping[str, Any]
    contract: str = ""  # empty: the contract that was called
    optional: bool = False


Steps = Generator[Expected, Event | None, None]


@dataclass(slots=True)
class Context:
    """One act of one transaction."""

    register: Register
    authority: Authority
    contract: str
    args: Mapping[str, Any]
    sender: bytes | None
    timestamp: int
    record: str

    def signed(self, intent: str, values: Mapping[str, Any], key: bytes | None, signature: bytes, who: str) -> None:
        """The act's party signed it, in time."""
        deadline = values.get("deadline", values.get("expiry"))
        check = self.register.report.check("signatures")
        check.count()
        if deadline is not None and self.timestamp > deadline:
            check.fail("late_signature", f"{self.record} {who}", f"<= {deadline}", self.timestamp)
        digest = self.authority.digest(self.contract, intent, values)
        verdict = self.authority.verdict(key, digest, signature, self.sender)
        if verdict == INVALID:
            check.fail("wrong_signature", f"{self.record} {who}", key or b"", signature[:65])
        elif verdict == UNKNOWN:
            check.unprovable("foreign_account", f"{self.record} {who}", key or b"", demanded=False)

    def quorum(self, intent: str, values: Mapping[str, Any]) -> None:
        """The operator quorum signed, with the contract's next nonce."""
        check, nonces = self.register.report.check("signatures"), self.register.quorum_nonces
        check.count()
        nonce = nonces.get(self.contract, 0)
        nonces[self.contract] = nonce + 1
        digest = self.authority.digest(self.contract, intent, {**values, "nonce": nonce})
        if not self.authority.quorum(digest, self.args["signatures"]):
            check.fail("no_quorum", self.record, self.register.threshold, len(self.args["signatures"]))


Act = Callable[[Context], Steps]
Apply = Callable[[Event], None]


def follow(steps: Steps, contract: str, events: Sequence[Event], apply: Apply, register: Register, record: str) -> None:
    """Walk an act and its events side by side; apply each event to the register as it comes."""
    check = register.report.check("acts")
    check.count()
    at = 0
    event: Event | None = None
    try:
        expected = next(steps)
        while True:
            event = events[at] if at < len(events) else None
            where = expected.contract or contract
            if event is None or (event.contract, event.name) != (where, expected.name):
                if not expected.optional:
                    check.fail("event_missing", record, f"{where}.{expected.name}", event.record if event else "none")
                    break
                event = None
            else:
                at += 1
                for name, value in expected.args.items():
                    if event.args[name] != value:
                        check.fail("event_differs", f"{event.record} {name}", value, event.args[name])
                apply(event)
            expected = steps.send(event)
    except StopIteration:
        pass
    except (KeyError, IndexError) as error:
        check.fail("act_unfounded", record, "a known record", str(error)[:80])
    for event in events[at:]:
        check.fail("event_unexplained", event.record)
        apply(event)
