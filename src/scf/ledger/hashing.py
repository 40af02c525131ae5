"""Keccak-256, native where `safe-pysha3` is installed, otherwise the backend `eth-hash` chose."""

from __future__ import annotations

from collections.abc import Callable


def _choose() -> Callable[[bytes], bytes]:
    try:
        from sha3 import keccak_256
    except ImportError:
        from eth_utils.crypto import keccak as slow

        return slow

    def fast(data: bytes) -> bytes:
        digest: bytes = keccak_256(data).digest()
        return digest

    return fast


keccak: Callable[[bytes], bytes] = _choose()
"""Keccak-256 of some bytes, 32 bytes long."""
