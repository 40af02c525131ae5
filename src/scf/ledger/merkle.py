"""Roots of Ethereum's ordered tries (transactions, receipts) and log blooms, computed straight from the lists.

Yellow Paper, appendix D and section 4.3.1. Building the root recursively over sorted keys touches every node once; a
general trie would rewrite the path to the root for each item.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scf.ledger.encoding import integer, rlp_encode
from scf.ledger.hashing import keccak

EMPTY_ROOT = keccak(b"\x80")
"""Root of an empty trie."""
EMPTY_UNCLES = keccak(b"\xc0")
"""Hash of an empty list of uncles."""

_Item = tuple[tuple[int, ...], bytes]


def ordered_root(items: Sequence[bytes]) -> bytes:
    """Root of the trie that maps rlp(position) to each item."""
    if not items:
        return EMPTY_ROOT
    keyed = sorted((_nibbles(_key(position)), item) for position, item in enumerate(items))
    return keccak(rlp_encode(_node(keyed, 0)))


def bloom_of(values: Iterable[bytes]) -> int:
    """2048-bit bloom of addresses and topics (Yellow Paper, M3:2048)."""
    bloom = 0
    for value in values:
        digest = keccak(value)
        for at in (0, 2, 4):
            bloom |= 1 << (((digest[at] << 8) | digest[at + 1]) & 2047)
    return bloom


def _key(position: int) -> bytes:
    return rlp_encode(integer(position))


def _nibbles(key: bytes) -> tuple[int, ...]:
    return tuple(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _compact(nibbles: Sequence[int], leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    whole = [flag + 1, *nibbles] if len(nibbles) % 2 else [flag, 0, *nibbles]
    return bytes(high << 4 | low for high, low in zip(whole[::2], whole[1::2], strict=True))


def _node(items: list[_Item], depth: int) -> list[Any]:
    first, last = items[0][0], items[-1][0]
    if len(items) == 1:
        return [_compact(first[depth:], True), items[0][1]]
    shared = depth
    while shared < len(first) and first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return [_compact(first[depth:shared], False), _reference(_node(items, shared))]
    branches: list[Any] = [b""] * 17
    start = 0
    while start < len(items):
        nibble = items[start][0][depth]
        end = start
        while end < len(items) and items[end][0][depth] == nibble:
            end += 1
        branches[nibble] = _reference(_node(items[start:end], depth + 1))
        start = end
    return branches


def _reference(node: list[Any]) -> Any:
    encoded = rlp_encode(node)
    return node if len(encoded) < 32 else keccak(encoded)
