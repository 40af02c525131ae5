"""Merkle sum tree of a mass pass, as contracts/libraries/SumTree.sol verifies it: who gets how much, in one word.

A node is uint192 hash << 64 | uint64 sum. A leaf's hash holds the depth of its tree and its place, an inner node's both
children; an empty place is zero. The root goes into the signed mass pass, a leaf's siblings from the leaf up are its
recipient's proof.
"""

from __future__ import annotations

from collections.abc import Sequence

from scf.ledger.hashing import keccak

MOST_LEAVES = 1 << 17
"""Recipients one mass pass may have."""
_LEAF_TAG = keccak(b"scf sum tree leaf")
_SUM = (1 << 64) - 1
_PADDING = bytes(12)


class SumTree:
    """All levels of the tree, leaves first, packed 32 bytes a node: 8.4 MB for 131,072 recipients."""

    def __init__(self, rows: Sequence[tuple[bytes, int]]) -> None:
        """`rows` are recipients (20 bytes) and amounts in minor units, in the order of their leaves.

        Raises ValueError when there are none or too many, when a recipient is no address, an amount is not positive,
        or the sum does not fit 64 bits.
        """
        if not 0 < len(rows) <= MOST_LEAVES:
            raise ValueError(f"1 to {MOST_LEAVES} recipients, not {len(rows)}")
        self.count = len(rows)
        self.total = 0
        self.depth = (self.count - 1).bit_length()
        start = _LEAF_TAG + self.depth.to_bytes(32, "big")
        level = bytearray()
        for place, (to, amount) in enumerate(rows):
            if len(to) != 20 or amount <= 0:
                raise ValueError(f"recipient {place}: an address and a positive amount are needed")
            self.total += amount
            if self.total > _SUM:
                raise ValueError("the sum does not fit 64 bits")
            hashed = keccak(start + place.to_bytes(32, "big") + _PADDING + to + amount.to_bytes(32, "big"))
            level += hashed[8:] + amount.to_bytes(8, "big")
        self._levels = [bytes(level)]
        for _ in range(self.depth):
            self._levels.append(_above(self._levels[-1]))

    @property
    def root(self) -> int:
        """The word that is signed and kept on the ledger."""
        return int.from_bytes(self._levels[-1], "big")

    def proof(self, leaf: int) -> list[int]:
        """Siblings of a leaf from the leaf up, exactly `depth` of them. Raises IndexError for no leaf of this tree."""
        if not 0 <= leaf < self.count:
            raise IndexError(leaf)
        found = []
        for height in range(self.depth):
            at = 32 * ((leaf >> height) ^ 1)
            found.append(int.from_bytes(self._levels[height][at : at + 32], "big"))
        return found


def _above(level: bytes) -> bytes:
    """Parents of a level; an odd one out is joined with an empty place."""
    if len(level) % 64:
        level += bytes(32)
    parents = bytearray()
    for at in range(0, len(level), 64):
        pair = level[at : at + 64]
        total = int.from_bytes(pair[24:32], "big") + int.from_bytes(pair[56:64], "big")
        parents += keccak(pair)[8:] + total.to_bytes(8, "big")
    return bytes(parents)
