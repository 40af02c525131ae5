"""RLP (Yellow Paper, appendix B) of bytes and nested lists of bytes, which is all a ledger needs.

Encoding happens a dozen times a transaction; the general `rlp` library, which infers types as it goes, takes ten times
as long. Decoding is strict: what does not encode back to the same bytes is refused. Tests compare with the library.
"""

from __future__ import annotations

from typing import Any


def rlp_encode(item: Any) -> bytes:
    """RLP of bytes or of nested lists of bytes."""
    if isinstance(item, bytes):
        size = len(item)
        if size == 1 and item[0] < 0x80:
            return item
        if size < 56:
            return bytes((0x80 + size,)) + item
        length = integer(size)
        return bytes((0xB7 + len(length),)) + length + item
    body = b"".join([rlp_encode(part) for part in item])
    size = len(body)
    if size < 56:
        return bytes((0xC0 + size,)) + body
    length = integer(size)
    return bytes((0xF7 + len(length),)) + length + body


def rlp_decode(data: bytes) -> Any:
    """Bytes or nested lists of bytes of some RLP. Raises ValueError for anything but one whole canonical item."""
    item, end = _item(data, 0, len(data))
    if end != len(data):
        raise ValueError("bytes after the end of an RLP item")
    return item


def integer(number: int) -> bytes:
    """An integer as RLP carries it: big-endian, no leading zeros, empty for 0."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _item(data: bytes, at: int, limit: int) -> tuple[Any, int]:
    if at >= limit:
        raise ValueError("RLP ends in the middle of an item")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xC0:
        start, end = _span(data, at, limit, first, 0x80)
        if end - start == 1 and data[start] < 0x80:
            raise ValueError("RLP writes a small byte in two")
        return data[start:end], end
    start, end = _span(data, at, limit, first, 0xC0)
    items, at = [], start
    while at < end:
        item, at = _item(data, at, end)
        items.append(item)
    return items, end


def _span(data: bytes, at: int, limit: int, first: int, base: int) -> tuple[int, int]:
    """Where the content of the item at `at` begins and ends."""
    short = first - base
    if short < 56:
        start, size = at + 1, short
    else:
        start = at + 1 + short - 55
        size = int.from_bytes(data[at + 1 : start], "big")
        if start > limit or size < 56 or data[at + 1] == 0:
            raise ValueError("RLP states a length in the wrong form")
    if start + size > limit:
        raise ValueError("RLP ends in the middle of an item")
    return start, start + size
