"""Recursive Length Prefix (Ethereum yellow paper, appendix B), strict: one encoding for one value."""

from __future__ import annotations

from collections.abc import Iterator

from .faults import Malformed

Item = bytes | list["Item"]
_MAX_DEPTH = 64


def encode(item: Item) -> bytes:
    """RLP of bytes or of nested lists of bytes."""
    if isinstance(item, list):
        payload = b"".join([encode(part) for part in item])
        return _prefix(0xC0, len(payload)) + payload
    if len(item) == 1 and item[0] < 0x80:
        return item
    return _prefix(0x80, len(item)) + item


def encode_int(value: int) -> bytes:
    """RLP of an unsigned integer."""
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _prefix(offset: int, length: int) -> bytes:
    if length < 56:
        return bytes((offset + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((offset + 55 + len(size),)) + size


def wrap_list(encoded_items: list[bytes]) -> bytes:
    """RLP list of items that are encoded already."""
    payload = b"".join(encoded_items)
    return _prefix(0xC0, len(payload)) + payload


def _header(data: bytes, at: int, end: int) -> tuple[bool, int, int]:
    """(is a list, first byte of the payload, first byte after it). Raises Malformed."""
    if at >= end:
        raise Malformed("rlp", f"item expected at byte {at}")
    first = data[at]
    if first < 0x80:
        return False, at, at + 1
    is_list = first >= 0xC0
    short = first - (0xC0 if is_list else 0x80)
    if short < 56:
        start, length = at + 1, short
        if not is_list and length == 1 and start < end and data[start] < 0x80:
            raise Malformed("rlp", f"single byte with a needless prefix at byte {at}")
    else:
        width = short - 55
        start = at + 1 + width
        if start > end or data[at + 1] == 0:
            raise Malformed("rlp", f"bad length at byte {at}")
        length = int.from_bytes(data[at + 1 : start], "big")
        if length < 56:
            raise Malformed("rlp", f"long form for a short item at byte {at}")
    if start + length > end:
        raise Malformed("rlp", f"item at byte {at} runs past the end")
    return is_list, start, start + length


def _decode(data: bytes, at: int, end: int, depth: int) -> tuple[Item, int]:
    is_list, start, stop = _header(data, at, end)
    if not is_list:
        return data[start:stop], stop
    if depth > _MAX_DEPTH:
        raise Malformed("rlp", "lists nested too deep")
    items: list[Item] = []
    at = start
    while at < stop:
        item, at = _decode(data, at, stop, depth + 1)
        items.append(item)
    return items, stop


def decode(data: bytes) -> Item:
    """The one item `data` holds. Raises Malformed when there is none, more than one, or a second spelling of it."""
    item, stop = _decode(data, 0, len(data), 0)
    if stop != len(data):
        raise Malformed("rlp", f"{len(data) - stop} bytes after the item")
    return item


def decode_list(data: bytes) -> list[Item]:
    """Like `decode`, for a list."""
    item = decode(data)
    if not isinstance(item, list):
        raise Malformed("rlp", "a list was expected")
    return item


def split(data: bytes) -> Iterator[bytes]:
    """The encoded items of a stream of items, one after the other."""
    at, end = 0, len(data)
    while at < end:
        _, _, stop = _header(data, at, end)
        yield data[at:stop]
        at = stop


def as_bytes(item: Item, size: int | None = None) -> bytes:
    """`item` as a byte string, of exactly `size` bytes when given. Raises Malformed."""
    if isinstance(item, list) or (size is not None and len(item) != size):
        raise Malformed("rlp", f"a string of {size if size is not None else 'some'} bytes was expected")
    return item


def as_int(item: Item) -> int:
    """`item` as an unsigned integer without leading zeros. Raises Malformed."""
    if isinstance(item, list) or item[:1] == b"\0":
        raise Malformed("rlp", "an integer was expected")
    return int.from_bytes(item, "big")
