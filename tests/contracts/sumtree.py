"""Merkle sum tree over (recipient, amount), as contracts/libraries/SumTree.sol verifies it."""

from __future__ import annotations

from collections.abc import Sequence

from eth_hash.auto import keccak

LEAF_TAG = keccak(b"scf sum tree leaf")
LOW = 2**64 - 1


def leaf(depth: int, index: int, to: str, amount: int) -> int:
    """hash << 64 | amount."""
    raw = LEAF_TAG + depth.to_bytes(32, "big") + index.to_bytes(32, "big") + bytes(12) + bytes.fromhex(to[2:])
    return (int.from_bytes(keccak(raw + amount.to_bytes(32, "big")), "big") << 64 & (2**256 - 1)) | amount


def join(left: int, right: int) -> int:
    """hash of both << 64 | sum of both."""
    total = (left & LOW) + (right & LOW)
    assert total <= LOW
    hashed = keccak(left.to_bytes(32, "big") + right.to_bytes(32, "big"))
    return (int.from_bytes(hashed, "big") << 64 & (2**256 - 1)) | total


class SumTree:
    """All levels, leaves first; an empty place is 0."""

    def __init__(self, rows: Sequence[tuple[str, int]]) -> None:
        self.depth = (len(rows) - 1).bit_length()
        self.levels = [[leaf(self.depth, i, to, amount) for i, (to, amount) in enumerate(rows)]]
        for _ in range(self.depth):
            below = self.levels[-1]
            if len(below) % 2:
                below.append(0)
            self.levels.append([join(below[i], below[i + 1]) for i in range(0, len(below), 2)])

    @property
    def root(self) -> int:
        return self.levels[-1][0]

    def proof(self, index: int) -> list[int]:
        """Siblings from the leaf up."""
        return [self.levels[d][(index >> d) ^ 1] for d in range(self.depth)]
