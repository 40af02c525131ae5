"""The Merkle tree of RFC 6962 §2.1 (same hashes as RFC 9162): roots, proofs of inclusion and consistency, checks.

Everything here is pure. Proofs are computed from a lookup `node(level, index)` of complete subtrees: the node at
`level` and `index` covers leaves `index * 2**level` to `(index + 1) * 2**level - 1`. Checks refuse hashes that are
not 32 bytes and sizes below one, which the plain text of the RFC would let pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of a log without entries."""

Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry: SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def nodes_of(leaves: Sequence[bytes]) -> Node:
    """A lookup over leaf hashes held in memory, for tests and bundles."""
    levels: list[list[bytes]] = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return lambda level, index: levels[level][index]


def completed_by(index: int, leaf: bytes, node: Node) -> list[tuple[int, int, bytes]]:
    """Complete subtrees that appending leaf number `index` finishes: (level, index, hash), the leaf itself first."""
    finished = [(0, index, leaf)]
    level, place, digest = 0, index, leaf
    while place & 1:
        digest = node_hash(node(level, place - 1), digest)
        level, place = level + 1, place >> 1
        finished.append((level, place, digest))
    return finished


def root_of(size: int, node: Node) -> bytes:
    """Root of the first `size` leaves (MTH of the RFC)."""
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Audit path of leaf `index` in the tree of `size` leaves (PATH). Raises ValueError when index >= size."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_hash(middle, high, node))
            high = middle
        else:
            path.append(_range_hash(low, middle, node))
            low = middle
    return path[::-1]


def consistency_proof(old_size: int, size: int, node: Node) -> list[bytes]:
    """Proof that the tree of `old_size` is a prefix of that of `size` (PROOF). Raises ValueError when it cannot be."""
    if not 0 < old_size <= size:
        raise ValueError(f"a tree of {size} has no earlier tree of {old_size}")
    path: list[bytes] = []
    low, high, whole = 0, size, True
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            path.append(_range_hash(middle, high, node))
            high = middle
        else:
            path.append(_range_hash(low, middle, node))
            low, whole = middle, False
    if not whole:
        path.append(_range_hash(low, high, node))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` (a leaf hash) is entry `index` of the tree with `size` and `root` (RFC 9162 §2.1.3.2)."""
    if not _hashes(leaf, root, *proof) or not 0 <= index < size:
        return False
    place, last, digest = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            digest = node_hash(sibling, digest)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and digest == root


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree (`size`, `root`) extends the tree (`old_size`, `old_root`) (RFC 9162 §2.1.4.2)."""
    if not _hashes(old_root, root, *proof) or not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    place, last = old_size - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old, new = path[0], path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == old_root and new == root


def _hashes(*values: bytes) -> bool:
    return all(isinstance(value, bytes) and len(value) == HASH_BYTES for value in values)


def _split(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(low: int, high: int, node: Node) -> bytes:
    count = high - low
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, low >> level)
    middle = low + _split(count)
    return node_hash(_range_hash(low, middle, node), _range_hash(middle, high, node))
