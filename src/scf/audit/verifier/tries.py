"""Merkle Patricia tries as headers commit to them (yellow paper, appendix D).

The root over a whole block is computed in one pass from the sorted keys, which is many times faster than inserting one
key after the other into a general trie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from . import rlp_codec as rlp
from .faults import Absent, Malformed
from .hashing import keccak

EMPTY_ROOT = keccak(b"\x80")
EMPTY_CODE_HASH = keccak(b"")
_Pair = tuple[bytes, bytes]  # nibbles, value


def _nibbles(key: bytes) -> bytes:
    return bytes([nibble for byte in key for nibble in (byte >> 4, byte & 15)])


def _hex_prefix(nibbles: bytes, leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    if len(nibbles) % 2:
        head, rest = bytes(((flag + 1) << 4 | nibbles[0],)), nibbles[1:]
    else:
        head, rest = bytes((flag << 4,)), nibbles
    return head + bytes([rest[i] << 4 | rest[i + 1] for i in range(0, len(rest), 2)])


def _reference(node: bytes) -> bytes:
    return node if len(node) < 32 else b"\xa0" + keccak(node)


def _common(first: bytes, last: bytes, depth: int) -> int:
    end = min(len(first), len(last))
    at = depth
    while at < end and first[at] == last[at]:
        at += 1
    return at


def _node(pairs: Sequence[_Pair], depth: int) -> bytes:
    """Encoded node over `pairs`, which are sorted and share their first `depth` nibbles."""
    if len(pairs) == 1:
        key, value = pairs[0]
        return rlp.encode([_hex_prefix(key[depth:], True), value])
    shared = _common(pairs[0][0], pairs[-1][0], depth)
    if shared > depth:
        child = _reference(_node(pairs, shared))
        return rlp.wrap_list([rlp.encode(_hex_prefix(pairs[0][0][depth:shared], False)), child])
    slots = [b"\x80"] * 17
    at = 0
    if len(pairs[0][0]) == depth:
        slots[16] = rlp.encode(pairs[0][1])
        at = 1
    while at < len(pairs):
        nibble = pairs[at][0][depth]
        stop = at + 1
        while stop < len(pairs) and pairs[stop][0][depth] == nibble:
            stop += 1
        slots[nibble] = _reference(_node(pairs[at:stop], depth + 1))
        at = stop
    return rlp.wrap_list(slots)


def root_of(entries: Mapping[bytes, bytes]) -> bytes:
    """Root of the trie that holds exactly `entries` (no empty values)."""
    if not entries:
        return EMPTY_ROOT
    return keccak(_node(sorted((_nibbles(key), value) for key, value in entries.items()), 0))


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Root over a block's transactions or receipts: key = RLP of the index."""
    return root_of({rlp.encode_int(index): value for index, value in enumerate(values)})


class NodePool:
    """Nodes of tries, found by their hash; what a proof needs and no more."""

    def __init__(self, encoded: Iterable[bytes]) -> None:
        self._encoded = {keccak(node): node for node in encoded}
        self._decoded: dict[bytes, list[rlp.Item]] = {}

    def node(self, reference: rlp.Item) -> list[rlp.Item]:
        """The node a parent refers to. Raises Absent when it is not there, Malformed when it is none."""
        if isinstance(reference, list):
            return _shaped(reference)
        node = self._decoded.get(reference)
        if node is None:
            encoded = self._encoded.get(reference)
            if encoded is None:
                raise Absent("a node of the path")
            node = self._decoded[reference] = _shaped(rlp.decode_list(encoded))
        return node

    def value(self, root: bytes, key: bytes) -> bytes | None:
        """Value under `key` in the trie of `root`; None when the path proves that there is none.

        Raises Absent when a node of the path is not in the pool, Malformed when one is no node.
        """
        if root == EMPTY_ROOT:
            return None
        path = _nibbles(key)
        reference: rlp.Item = root
        while True:
            node = self.node(reference)
            if len(node) == 17:
                reference, path = node[path[0]], path[1:]
                if reference == b"":
                    return None
                continue
            prefix = _nibbles(rlp.as_bytes(node[0]))
            if not prefix or prefix[0] > 3:
                raise Malformed("proof", "unknown kind of node")
            partial = prefix[1:] if prefix[0] & 1 else prefix[2:]
            if prefix[0] & 2:
                return rlp.as_bytes(node[1]) if partial == path else None
            if path[: len(partial)] != partial or len(partial) >= len(path):
                return None
            reference, path = node[1], path[len(partial) :]


def _shaped(node: list[rlp.Item]) -> list[rlp.Item]:
    if len(node) not in (2, 17):
        raise Malformed("proof", "unknown kind of node")
    return node
