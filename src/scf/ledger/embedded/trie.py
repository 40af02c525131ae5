"""Reading and rewriting Ethereum's state tries (Yellow Paper, appendix D), many keys in one pass.

A general trie writes the whole path to the root again for every key; here all changes of a block go through the trie
once, and every node they touch is read, encoded and hashed once. Keys are hashes, so none is the beginning of another
one. Paths are hexadecimal text: slicing and hex-prefix encoding are then done by the language itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scf.ledger.encoding import rlp_decode, rlp_encode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT

Load = Callable[[bytes], bytes]
Keep = Callable[[bytes, bytes], None]
Items = list[tuple[str, bytes]]

_FULL_BRANCH = 532
"""Bytes of a branch whose sixteen children are all hashes."""


def lookup(load: Load, root: bytes, key: bytes) -> bytes:
    """Value of a 32-byte key under `root`, empty where there is none; `load` gives a node's bytes by hash."""
    if root == EMPTY_ROOT:
        return b""
    path, at = key.hex(), 0
    body = load(root)
    while True:
        if len(body) == _FULL_BRANCH:
            start = 4 + 33 * int(path[at], 16)
            body, at = load(body[start : start + 32]), at + 1
            continue
        node = rlp_decode(body)
        while isinstance(node, list):  # a short node lies inside its parent
            if len(node) == 17:
                node, at = node[int(path[at], 16)], at + 1
                continue
            part, leaf = _plain(node[0])
            if path[at : at + len(part)] != part:
                return b""
            if leaf:
                value: bytes = node[1]
                return value
            node, at = node[1], at + len(part)
        if not node:
            return b""
        body = load(node)


def rewrite(load: Load, keep: Keep, root: bytes, changes: Mapping[bytes, bytes]) -> bytes:
    """New root after setting 32-byte keys to values, an empty value taking the key out; `keep` gets each new node."""
    items = sorted((key.hex(), value) for key, value in changes.items())
    if not items:
        return root
    top = None if root == EMPTY_ROOT else rlp_decode(load(root))
    node = _Rewriting(load, keep).update(top, items, 0)
    if node is None:
        return EMPTY_ROOT
    encoded = rlp_encode(node)
    new_root = keccak(encoded)
    keep(new_root, encoded)
    return new_root


class _Rewriting:
    def __init__(self, load: Load, keep: Keep) -> None:
        self._load = load
        self._keep = keep

    def update(self, node: list[Any] | None, items: Items, depth: int) -> list[Any] | None:
        """The node with all items set; they are sorted and share their first `depth` digits."""
        if node is None:
            return self._build([item for item in items if item[1]], depth)
        if len(node) == 17:
            return self._branch(node, items, depth)
        part, leaf = _plain(node[0])
        if leaf:
            merged = {items[0][0][:depth] + part: node[1], **dict(items)}
            return self._build(sorted(item for item in merged.items() if item[1]), depth)
        shared = _shared(part, (items[0][0], items[-1][0]), depth)
        if shared == len(part):
            return self._join(part, self.update(self._node(node[1]), items, depth + shared))
        rest = part[shared + 1 :]
        branch: list[Any] = [b""] * 17
        branch[int(part[shared], 16)] = self._reference([_compact(rest, False), node[1]]) if rest else node[1]
        return self._join(part[:shared], self._branch(branch, items, depth + shared))

    def _branch(self, node: list[Any], items: Items, depth: int) -> list[Any] | None:
        fresh: dict[int, list[Any] | None] = {}
        for digit, group in _groups(items, depth):
            child = node[digit]
            fresh[digit] = self.update(self._node(child) if child else None, group, depth + 1)
        left = [at for at in range(16) if (fresh[at] is not None if at in fresh else node[at])]
        if not left:
            return None
        if len(left) == 1:
            only = fresh[left[0]] if left[0] in fresh else self._node(node[left[0]])
            return self._join(f"{left[0]:x}", only)
        for digit, changed in fresh.items():
            node[digit] = b"" if changed is None else self._reference(changed)
        return node

    def _build(self, items: Items, depth: int) -> list[Any] | None:
        if not items:
            return None
        first = items[0][0]
        if len(items) == 1:
            return [_compact(first[depth:], True), items[0][1]]
        shared = _shared(first[depth:], (items[-1][0],), depth)
        branch: list[Any] = [b""] * 17
        for digit, group in _groups(items, depth + shared):
            child = self._build(group, depth + shared + 1)
            assert child is not None
            branch[digit] = self._reference(child)
        return self._join(first[depth : depth + shared], branch)

    def _join(self, path: str, node: list[Any] | None) -> list[Any] | None:
        """The node with some digits of path before it."""
        if node is None or not path:
            return node
        if len(node) == 17:
            return [_compact(path, False), self._reference(node)]
        part, leaf = _plain(node[0])
        return [_compact(path + part, leaf), node[1]]

    def _node(self, reference: Any) -> list[Any]:
        if isinstance(reference, list):
            return reference
        node: list[Any] = rlp_decode(self._load(reference))
        return node

    def _reference(self, node: list[Any]) -> Any:
        encoded = rlp_encode(node)
        if len(encoded) < 32:
            return node
        key = keccak(encoded)
        self._keep(key, encoded)
        return key


def _groups(items: Items, depth: int) -> Iterable[tuple[int, Items]]:
    start = 0
    while start < len(items):
        digit, end = items[start][0][depth], start + 1
        while end < len(items) and items[end][0][depth] == digit:
            end += 1
        yield int(digit, 16), items[start:end]
        start = end


def _shared(part: str, paths: Iterable[str], depth: int) -> int:
    """How many digits of `part` all paths have from `depth` on."""
    length = len(part)
    for path in paths:
        while path[depth : depth + length] != part[:length]:
            length -= 1
    return length


def _plain(compact: bytes) -> tuple[str, bool]:
    """Digits and kind (leaf or not) of a hex-prefix encoded path."""
    text = compact.hex()
    return (text[1:] if text[0] in "13" else text[2:]), text[0] in "23"


def _compact(path: str, leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    return bytes.fromhex(f"{flag + 1}{path}" if len(path) % 2 else f"{flag}0{path}")
