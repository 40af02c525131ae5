"""secp256k1: keys, recoverable signatures, addresses. coincurve does the work; eth-keys where it is not installed."""

from __future__ import annotations

from functools import lru_cache

from eth_keys.main import KeyAPI

from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak

try:
    import coincurve
except ImportError:  # no wheel for this Python
    coincurve = None  # type: ignore[assignment]

_keys = KeyAPI()
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@lru_cache(maxsize=65_536)
def checksum(address: bytes) -> str:
    """EIP-55 text of a 20-byte address."""
    plain = address.hex()
    digest = keccak(plain.encode()).hex()
    return "0x" + "".join(c.upper() if digest[i] >= "8" else c for i, c in enumerate(plain))


@lru_cache(maxsize=65_536)
def canonical(address: str) -> bytes:
    """The 20 bytes of an address text. Raises Problem `ledger_bad_address`; a wrong EIP-55 checksum is refused too."""
    plain = address[2:] if address.startswith(("0x", "0X")) else address
    try:
        raw = bytes.fromhex(plain)
    except ValueError as error:
        raise Problem("ledger_bad_address", text=address[:60]) from error
    mixed = plain != plain.lower() and plain != plain.upper()
    if len(raw) != 20 or (mixed and checksum(raw)[2:] != plain):
        raise Problem("ledger_bad_address", text=address[:60])
    return raw


@lru_cache(maxsize=4_096)
def address_of(key: bytes) -> str:
    """Checksummed address of a 32-byte private key."""
    public = _keys.PrivateKey(key).public_key
    return checksum(public.to_canonical_address())


def sign_digest(key: bytes, digest: bytes) -> bytes:
    """65-byte signature r ‖ s ‖ v of a 32-byte digest, s in the lower half, v = 27 or 28; deterministic (RFC 6979)."""
    if coincurve is not None:
        plain = _private(key).sign_recoverable(digest, hasher=None)
    else:
        plain = _keys.PrivateKey(key).sign_msg_hash(digest).to_bytes()
    return bytes(plain[:64]) + bytes((plain[64] + 27,))


def recover_digest(digest: bytes, signature: bytes) -> str:
    """Address whose key signed `digest`. Raises Problem `ledger_bad_signature`."""
    return checksum(recover_canonical(digest, signature))


def recover_canonical(digest: bytes, signature: bytes) -> bytes:
    """20-byte address whose key signed `digest`, from r ‖ s ‖ v (v 0, 1, 27 or 28).

    Malleable signatures (s in the upper half, EIP-2) are refused. Raises Problem `ledger_bad_signature`.
    """
    if len(signature) != 65 or int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise Problem("ledger_bad_signature")
    v = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if v > 1:
        raise Problem("ledger_bad_signature")
    plain = signature[:64] + bytes((v,))
    signer = recover_precompile(digest, plain)
    if signer is None:
        raise Problem("ledger_bad_signature")
    return signer


def recover_precompile(digest: bytes, plain: bytes) -> bytes | None:
    """What EVM precompile 1 recovers from r ‖ s ‖ recovery id: any s below the order is taken; None for no signer."""
    try:
        if coincurve is not None:
            public = coincurve.PublicKey.from_signature_and_message(plain, digest, hasher=None).format(compressed=False)
            return keccak(public[1:])[12:]
        return _keys.Signature(plain).recover_public_key_from_msg_hash(digest).to_canonical_address()
    except Exception:  # every kind of unusable signature means the same: no signer
        return None


@lru_cache(maxsize=4_096)
def _private(key: bytes) -> coincurve.PrivateKey:
    return coincurve.PrivateKey(key)
