"""The books of receivables and notes, filled from events alone: what an auditor needs and nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils import to_checksum_address
from tests.contracts.chain import Event
from tests.contracts.world import FINANCED, FROZEN, LOCKED, MASS, OFFERED, RECOURSE

PENDING = OFFERED | LOCKED | MASS


@dataclass
class NoteState:
    holder: str
    amount: int
    tier: int
    flags: int
    settled_rounds: int = 0


@dataclass
class TermsState:
    face: int
    outstanding: int
    paid: int = 0
    settled: int = 0
    rounds: int = 0
    cancelled: bool = False


class Book:
    """Apply events in order; unknown ones are somebody else's."""

    def __init__(self) -> None:
        self.notes: dict[int, NoteState] = {}
        self.terms: dict[int, TermsState] = {}
        self.paths: dict[int, tuple[int, int, int, bytes]] = {}
        self.trees: dict[int, Any] = {}

    def apply(self, event: Event) -> None:
        handler = getattr(self, f"_on_{event.name}", None)
        if handler is not None and event.contract == "Receivables":
            handler(event.args)

    def unsettled(self, receivable: int) -> dict[int, int]:
        """Amounts a new payment would be shared over."""
        return {n: s.amount for n, s in self.notes.items() if n >> 192 == receivable and s.amount}

    def _child(self, parent: int, note: int, index: int, evidence: bytes, holder: str, amount: int, flags: int) -> None:
        assert note not in self.notes, "an id is used once"
        giver = self.notes[parent]
        assert amount <= giver.amount
        giver.amount -= amount
        self.notes[note] = NoteState(to_checksum_address(holder), amount, giver.tier + 1, flags)
        self.paths[note] = (parent >> 192, parent, index, evidence)

    def _on_Issued(self, e: dict[str, Any]) -> None:
        self.terms[e["receivableId"]] = TermsState(e["face"], e["face"])
        self.notes[e["noteId"]] = NoteState(to_checksum_address(e["creditor"]), e["face"], 1, OFFERED)
        self.paths[e["noteId"]] = (e["receivableId"], 0, 0, e["document"])

    def _on_Accepted(self, e: dict[str, Any]) -> None:
        assert to_checksum_address(e["holder"]) == self.notes[e["noteId"]].holder
        self.notes[e["noteId"]].flags &= ~OFFERED

    def _on_Passed(self, e: dict[str, Any]) -> None:
        flags = OFFERED if e["offerUntil"] else 0
        self._child(e["parentId"], e["noteId"], e["childIndex"], e["evidence"], e["to"], e["amount"], flags)

    def _on_MassPassed(self, e: dict[str, Any]) -> None:
        holder, amount = self.notes[e["parentId"]].holder, e["root"] & (2**64 - 1)
        self._child(e["parentId"], e["massId"], e["childIndex"], e["evidence"], holder, amount, MASS)

    def _on_Materialised(self, e: dict[str, Any]) -> None:
        mass = self.notes[e["massId"]]
        mass.amount -= e["amount"]
        assert e["noteId"] not in self.notes
        self.notes[e["noteId"]] = NoteState(to_checksum_address(e["to"]), e["amount"], mass.tier, 0)

    def _on_FinancingLocked(self, e: dict[str, Any]) -> None:
        quote = e["quote"]
        flags = OFFERED | LOCKED | (RECOURSE if quote[8] else 0)
        self._child(e["parentId"], e["noteId"], e["childIndex"], quote[10], e["financier"], quote[3], flags)

    def _on_FinancingCompleted(self, e: dict[str, Any]) -> None:
        note = self.notes[e["noteId"]]
        note.flags = (note.flags & ~PENDING) | FINANCED

    def _on_Returned(self, e: dict[str, Any]) -> None:
        note = self.notes[e["noteId"]]
        assert note.amount == e["amount"]
        note.amount, note.flags = 0, 0
        if e["parentId"]:
            self.notes[e["parentId"]].amount += e["amount"]
        else:
            terms = self.terms[e["noteId"] >> 192]
            terms.cancelled, terms.outstanding = True, 0

    def _on_PaymentRecorded(self, e: dict[str, Any]) -> None:
        terms = self.terms[e["receivableId"]]
        assert e["round"] == terms.rounds
        terms.rounds += 1
        terms.outstanding -= e["principal"]
        terms.paid += e["principal"]
        assert terms.outstanding == e["outstanding"]

    def _on_Settled(self, e: dict[str, Any]) -> None:
        note = self.notes[e["noteId"]]
        assert e["principal"] <= note.amount
        note.amount -= e["principal"]
        self.terms[e["noteId"] >> 192].settled += e["principal"]
        if note.amount == 0:
            note.flags &= ~PENDING

    def _on_Frozen(self, e: dict[str, Any]) -> None:
        note = self.notes[e["tokenId"]]
        note.flags = note.flags | FROZEN if e["frozenStatus"] else note.flags & ~FROZEN

    def _on_ForcedTransfer(self, e: dict[str, Any]) -> None:
        parent = self.notes[e["tokenId"]]
        amount, parent.amount = parent.amount, 0
        assert e["noteId"] not in self.notes
        self.notes[e["noteId"]] = NoteState(to_checksum_address(e["to"]), amount, parent.tier + 1, 0)
