"""Who signed: a member's key, a quorum account behind a key (ERC-1271), or the quorum of operators.

A quorum account is a contract whose owners and threshold stand in the transaction that created it; they cannot change,
so its answer to a signature can be computed without running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .hashing import keccak, recover_from_65
from .interface import INTENTS
from .register import Register
from .transactions import Transaction
from .typed_data import digest, domain_separator

VALID, INVALID, UNKNOWN = "valid", "invalid", "unknown"
_MOST_OWNERS = 16


@dataclass(frozen=True, slots=True)
class QuorumAccount:
    """Owners of a contract account and how many of them must sign."""

    owners: frozenset[bytes]
    threshold: int
    code: bytes  # keccak-256 of the creation code without arguments

    def answers(self, digest_: bytes, signature: bytes) -> bool:
        """Whether the account would answer that `signature` is valid: 65-byte signatures, signers ascending."""
        if len(signature) % 65 or len(signature) // 65 < self.threshold:
            return False
        last = b""
        for at in range(0, len(signature), 65):
            signer = recover_from_65(digest_, signature[at : at + 65])
            if signer is None or signer <= last or signer not in self.owners:
                return False
            last = signer
        return True


def people(signature: bytes) -> list[bytes]:
    """The signatures of people that a signature is made of; none may stand for two parties of one act."""
    return [signature[at : at + 65] for at in range(0, len(signature) - 64, 65)]


def constructor_tail(operators: list[bytes], threshold: int) -> bytes:
    """ABI encoding of (address[], uint8), the arguments of `Members` and of a quorum account."""
    words = [(64).to_bytes(32, "big"), threshold.to_bytes(32, "big"), len(operators).to_bytes(32, "big")]
    return b"".join(words) + b"".join(address.rjust(32, b"\0") for address in operators)


def read_quorum_account(creation: bytes) -> QuorumAccount | None:
    """Owners and threshold from creation code, when it ends with them; None otherwise."""
    for count in range(2, _MOST_OWNERS + 1):
        tail = creation[-(96 + 32 * count) :]
        if len(tail) < 96 + 32 * count or int.from_bytes(tail[64:96], "big") != count:
            continue
        owners = [tail[at + 12 : at + 32] for at in range(96, len(tail), 32)]
        threshold = int.from_bytes(tail[32:64], "big")
        if constructor_tail(owners, threshold) == tail and 2 <= threshold <= count and owners == sorted(set(owners)):
            return QuorumAccount(frozenset(owners), threshold, keccak(creation[: -len(tail)]))
    return None


@dataclass(slots=True)
class Authority:
    """Answers whether an act was signed by whom it had to be."""

    register: Register
    separators: dict[str, bytes] = field(default_factory=dict)
    created: dict[bytes, QuorumAccount | None] = field(default_factory=dict)
    signatures: int = 0

    def __post_init__(self) -> None:
        """Compute the four domains once."""
        register = self.register
        for name, address in register.contracts.items():
            self.separators[name] = domain_separator(name, register.chain_id, address)

    def note_creation(self, transaction: Transaction) -> None:
        """Remember a contract that came to be, with its owners when it is a quorum account."""
        self.created[transaction.created] = read_quorum_account(transaction.data)

    def digest(self, contract: str, intent: str, values: Mapping[str, Any]) -> bytes:
        """EIP-712 digest of an intent."""
        return digest(self.separators[contract], INTENTS[intent].struct_hash(values))

    def verdict(self, key: bytes | None, signed: bytes, signature: bytes, sender: bytes | None) -> str:
        """`valid`, `invalid`, or `unknown` when only running a foreign contract could tell."""
        if not key or not any(key):
            return INVALID
        self.signatures += 1
        if not signature:
            return VALID if sender == key else INVALID
        if len(signature) == 65 and recover_from_65(signed, signature) == key:
            return VALID
        if key not in self.created:
            return INVALID
        account = self.created[key]
        if account is None:
            return UNKNOWN
        return VALID if account.answers(signed, signature) else INVALID

    def quorum(self, signed: bytes, signatures: list[bytes]) -> bool:
        """Whether at least `threshold` operators signed, each once, in ascending order."""
        register, last = self.register, b""
        if len(signatures) < max(1, register.threshold):
            return False
        for signature in signatures:
            self.signatures += 1
            signer = self._operator(signed, signature)
            if signer is None or signer <= last or signer not in register.operators:
                return False
            last = signer
        parts = (signature[20:] if len(signature) > 65 else signature for signature in signatures)
        heard = [person for part in parts for person in people(part)]
        return len(heard) == len(set(heard))

    def _operator(self, signed: bytes, signature: bytes) -> bytes | None:
        """Signer of one operator's signature: 65 bytes, or the address of an ERC-1271 account and its signature."""
        if len(signature) <= 65:
            return recover_from_65(signed, signature)
        account = self.created.get(signature[:20])
        return signature[:20] if account is not None and account.answers(signed, signature[20:]) else None
