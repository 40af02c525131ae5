"""RLP as typed functions (Yellow Paper, appendix B), over the `rlp` library."""

from __future__ import annotations

from typing import Any

import rlp as _rlp

_library: Any = _rlp  # the library carries no types


def rlp_encode(item: Any) -> bytes:
    """RLP of bytes or nested lists of bytes."""
    encoded: bytes = _library.encode(item)
    return encoded


def rlp_decode(data: bytes) -> Any:
    """Bytes or nested lists of bytes of some RLP. Raises rlp.DecodingError."""
    return _library.decode(data)


def integer(number: int) -> bytes:
    """An integer as RLP carries it: big-endian, no leading zeros, empty for 0."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
