"""Words somebody signs: filed as evidence first, then named by their hash in the message."""

from __future__ import annotations

from sqlmodel import Session

from scf.entrusted.models import StatedWords
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.store import evidence
from scf.store.evidence import Trust

CONTRACT_MARK = " · contract / 合同 "
"""Between an account's purpose and the contract it serves, in the words both sides sign."""
CONSENT_MARK = "Separate consent to the locking of sale proceeds / 锁定转让价款的单独同意: "
"""What a separate consent begins with: it is a text of its own and can be no other one."""


def text_hash(text: str) -> str:
    """What is signed for a text."""
    return "0x" + keccak(text.encode()).hex()


def state_words(session: Session, words: str, kind: str, by: str, *, now: int) -> str:
    """File what somebody says and return the hash it signs. Raises Problem `dispute_without_words` for nothing."""
    said = words.strip()
    if not said and kind == "dispute":
        raise Problem("dispute_without_words")
    hashed = text_hash(words)
    if said and session.get(StatedWords, hashed) is None:
        kept = evidence.record(
            session,
            words.encode(),
            kind=kind,
            source=f"{kind} words",
            sender=by,
            trust=Trust.T2,
            received_at=now,
        )
        session.add(StatedWords(hash=hashed, words=words, evidence_id=kept.evidence_id))
        session.flush()
    return hashed


def words_behind(session: Session, hashed: str) -> str | None:
    """The words filed under a hash, or None."""
    found = session.get(StatedWords, hashed)
    return found.words if found is not None else None
