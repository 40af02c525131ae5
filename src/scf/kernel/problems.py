"""Problems: refusals that a person can read. Each says what happened, whether money moved, and what to do.

A problem carries a stable code and its facts; the sentence in zh-CN and en lives in the room's `sentences.toml`
(see `scf.kernel.sentences`). Faces turn it into one CLI line or `application/problem+json` (RFC 9457).
"""

from __future__ import annotations

from typing import Literal

MoneyMoved = Literal["no", "yes", "unknown"]


class Problem(Exception):
    """A refusal with a stable `code`, its `facts`, and the answer to "did money move?"."""

    def __init__(self, code: str, *, money_moved: MoneyMoved = "no", **facts: object) -> None:
        self.code = code
        self.money_moved: MoneyMoved = money_moved
        self.facts = facts
        super().__init__(code, facts)

    def sentence(self, language: str = "en") -> str:
        """The sentence for `language` (`en` or `zh-CN`)."""
        from scf.kernel.sentences import sentence  # late: sentences of all rooms are read on first use

        return sentence(self.code, language, **self.facts)

    @property
    def status(self) -> int:
        """HTTP status this problem answers with."""
        from scf.kernel.sentences import status

        return status(self.code)

    def __str__(self) -> str:
        return self.sentence("en")
