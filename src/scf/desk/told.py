"""What a member is told: the words in both languages, and the transaction or the evidence that proves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Told:
    """One thing told to one member. `key` makes it unique; `words` has `en` and `zh-CN`."""

    key: str
    recipient: str
    kind: str
    words: Mapping[str, str]
    transaction_hash: str | None = None
    evidence_id: str | None = None


class TellAll(Protocol):
    """Tells many members at once, each once."""

    def __call__(self, session: Session, told: Sequence[Told]) -> int:
        """Keep what was not told before; returns how many that were."""
        ...
