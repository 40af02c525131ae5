"""Ids of notes: an id proves its descent (`IReceivables`)."""

from __future__ import annotations

from scf.ledger.hashing import keccak

_LOW_192 = 2**192 - 1


def note_id(receivable_id: int, parent_id: int, child_index: int, evidence: bytes) -> int:
    """Id of the child `child_index` of `parent_id`; a root note has parent 0, index 0 and its document as evidence."""
    words = parent_id.to_bytes(32, "big") + child_index.to_bytes(32, "big") + evidence
    return receivable_id << 192 | int.from_bytes(keccak(words), "big") & _LOW_192


def receivable_of(note: int) -> int:
    """Id of the receivable a note is part of."""
    return note >> 192
