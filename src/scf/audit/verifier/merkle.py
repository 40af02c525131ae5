"""The evidence log's tree (RFC 6962, section 2.1): leaf = SHA-256(0x00 ‖ data), node = SHA-256(0x01 ‖ left ‖ right)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .hashing import sha256

EMPTY_ROOT = sha256(b"")


def leaf_hash(data: bytes) -> bytes:
    """Hash of one leaf's data."""
    return sha256(b"\x00" + data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right)


class Frontier:
    """The right edge of a growing tree: enough to know the root at every size while leaves stream by."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # complete subtrees, largest first

    def append(self, leaf: bytes) -> None:
        """Add the hash of one more leaf."""
        size, node = self.size, leaf
        while size & 1:
            node = node_hash(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Tree head at the present size."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = node_hash(peak, node)
        return node


def roots_at(leaves: Iterable[bytes], sizes: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """(size, root) at each of `sizes` the leaves reach, in growing order; each head extends the one before."""
    wanted = sorted(set(sizes))
    frontier, at = Frontier(), 0
    if wanted and wanted[0] == 0:
        yield 0, EMPTY_ROOT
        at = 1
    for leaf in leaves:
        if at >= len(wanted):
            return
        frontier.append(leaf)
        if frontier.size == wanted[at]:
            yield frontier.size, frontier.root()
            at += 1


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Tree head over all `leaves` (hashes)."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()
