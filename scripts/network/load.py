"""Work on the network beside the main job: signed passes through a relayer of their own, each to be there once."""

from __future__ import annotations

import secrets
import time
from typing import Any

from tests.ledger.parity import register_after
from tests.ledger.programme import Programme

from scf.kernel.clock import VirtualClock
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.journal import MemoryJournal
from scf.ledger.relayer import Relayer
from scf.ledger.rpc.engine import RpcLedger

FACE = 1_000_000


class Load:
    """A programme with contracts and a relaying account of its own."""

    def __init__(self, urls: list[str]) -> None:
        self.ledger = RpcLedger(urls, confirmations=2, mining_s=120, patience_s=30, poll_s=0.2)
        self.relayer = Relayer(self.ledger, secrets.token_bytes(32), MemoryJournal())
        self.programme = Programme.start(self.relayer)
        self.note = self.programme.issue(FACE, "NETWORK-1")
        self.done = 0

    def passes(self, count: int) -> None:
        """Pass on `count` parts of the note in one submission."""
        receipts = self.relayer.send(self.programme.pass_calls(self.note, count, first=self.done))
        if not all(receipt.succeeded for receipt in receipts):
            raise RuntimeError("a pass failed on the network")
        self.done += count

    def measured(self, count: int) -> float:
        """The same, with a watch; passes a second until all are confirmed."""
        started = time.monotonic()
        self.passes(count)
        return round(count / (time.monotonic() - started), 1)

    def check(self) -> None:
        """Nothing lost, nothing doubled."""
        view = self.programme.contracts.receivables.read(self.ledger, "noteOf", self.note)
        if (view.children, view.amount) != (self.done, FACE - self.done):
            raise RuntimeError(f"{view} after {self.done} passes")

    def intents(self, count: int) -> dict[str, Any]:
        """The same signed intents here and on the embedded ledger must give the same register."""
        key, now = secrets.token_bytes(32), self.ledger.head().timestamp
        started = time.monotonic()
        there = register_after(self.ledger, key, count, now)
        seconds = round(time.monotonic() - started, 1)
        with EmbeddedLedger(":memory:", VirtualClock(now), chain_id=self.ledger.chain_id) as embedded:
            here = register_after(embedded, key, count, now)
        if here != there:
            raise RuntimeError(f"another register: {here} and {there}")
        return {"count": count, "seconds": seconds, "register": there["digest"]}

    def close(self) -> None:
        """Let go of connections."""
        self.ledger.close()
