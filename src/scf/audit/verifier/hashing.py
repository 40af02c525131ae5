"""Hashes and signature recovery, with the fastest implementation that is installed.

keccak-256 as Ethereum uses it, SHA-256 (FIPS 180-4), and public-key recovery on secp256k1 (SEC 1, 4.1.6) with the
low-s rule of EIP-2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = SECP256K1_ORDER // 2


try:  # called a dozen times a transaction: the C implementation without a dispatching layer where it is installed
    from sha3 import keccak_256 as _keccak_256

    def keccak(data: bytes) -> bytes:
        """keccak-256 of `data`."""
        digest: bytes = _keccak_256(data).digest()
        return digest

except ImportError:  # pragma: no cover - depends on the installation
    from eth_hash.auto import keccak as _library_keccak

    def keccak(data: bytes) -> bytes:
        """keccak-256 of `data`."""
        return _library_keccak(data)


def sha256(data: bytes) -> bytes:
    """SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def _recover_function() -> Callable[[bytes, bytes], bytes | None]:
    try:
        from coincurve import PublicKey
    except ImportError:  # pragma: no cover - depends on the installation
        return _recover_with_eth_keys

    def recover(digest: bytes, compact: bytes) -> bytes | None:
        try:
            return bytes(
                PublicKey.from_signature_and_message(compact, digest, hasher=None).format(compressed=False)[1:]
            )
        except Exception:
            return None

    return recover


def _recover_with_eth_keys(digest: bytes, compact: bytes) -> bytes | None:  # pragma: no cover
    from eth_keys.datatypes import Signature

    try:
        return Signature(compact).recover_public_key_from_msg_hash(digest).to_bytes()
    except Exception:
        return None


_recover = _recover_function()


def recover_address(digest: bytes, r: int, s: int, parity: int) -> bytes | None:
    """20-byte address whose key signed `digest`; None when the signature is invalid or `s` is in the upper half."""
    if not (0 < r < SECP256K1_ORDER and 0 < s <= _HALF_ORDER and parity in (0, 1)):
        return None
    public = _recover(digest, r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((parity,)))
    return None if public is None else keccak(public)[12:]


def recover_from_65(digest: bytes, signature: bytes) -> bytes | None:
    """Address behind a 65-byte r, s, v signature (v 27 or 28); None when it is not one."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    return recover_address(digest, r, s, signature[64] - 27)
