"""What can go wrong at a bank, on purpose and repeatably: for tests and for the simulation of a bad year.

Every decision is drawn from the seed and the name of the thing it is about, never from a running generator, so that a
bank killed and started again decides the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Chaos:
    """How often each trouble strikes, in parts per million.

    `reject`: an instruction is refused without a reason one could have known. `delay`: it is executed a business day
    later. `stall`: it lies for days before it is executed. `duplicate`: an outgoing file is delivered twice. `reissue`:
    a statement comes again under another message id, marked as a duplicate. `bounce`: a payment to another bank comes
    back. `hold_back`: a file is delivered hours late. `shuffle`: files of one collection come in any order, so money
    may move before its order is answered.
    """

    seed: int
    reject_ppm: int = 50_000
    delay_ppm: int = 100_000
    duplicate_ppm: int = 200_000
    reissue_ppm: int = 100_000
    bounce_ppm: int = 100_000
    hold_back_ppm: int = 100_000
    hold_back_seconds: int = 6 * 3600
    shuffle: bool = True
    stall_ppm: int = 0
    stall_days: int = 10

    def rejects(self, end_to_end_id: str) -> bool:
        """Whether this instruction is refused."""
        return self._strikes("reject", end_to_end_id, self.reject_ppm)

    def delays(self, end_to_end_id: str) -> bool:
        """Whether this instruction waits a business day more."""
        return self._strikes("delay", end_to_end_id, self.delay_ppm)

    def stalls(self, end_to_end_id: str) -> bool:
        """Whether this instruction lies for `stall_days` calendar days more."""
        return self._strikes("stall", end_to_end_id, self.stall_ppm)

    def bounces(self, reference: str) -> bool:
        """Whether the other bank sends this payment back."""
        return self._strikes("bounce", reference, self.bounce_ppm)

    def reissues(self, message_id: str) -> bool:
        """Whether this statement is sent again as a duplicate."""
        return self._strikes("reissue", message_id, self.reissue_ppm)

    def deliveries(self, name: str) -> int:
        """How often the file of this name is delivered."""
        return 2 if self._strikes("duplicate", name, self.duplicate_ppm) else 1

    def seconds_held_back(self, name: str) -> int:
        """How long the file of this name is late."""
        return self.hold_back_seconds if self._strikes("hold back", name, self.hold_back_ppm) else 0

    def place(self, file_id: int, delivered: int) -> int:
        """Sorting key of a file within one collection."""
        return self._draw("shuffle", f"{file_id}/{delivered}") if self.shuffle else file_id

    def _strikes(self, trouble: str, name: str, ppm: int) -> bool:
        return self._draw(trouble, name) % _MILLION < ppm

    def _draw(self, trouble: str, name: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.seed}|{trouble}|{name}".encode()).digest()[:8], "big")
