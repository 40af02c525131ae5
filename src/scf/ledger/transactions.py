"""Signed Ethereum transactions: made, read and checked without a web3 stack (EIP-155, EIP-2718, EIP-2930, EIP-1559)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scf.ledger.encoding import integer, rlp_decode, rlp_encode
from scf.ledger.hashing import keccak
from scf.ledger.signing import checksum, recover_canonical, sign_digest

_MAX_U64 = 2**64 - 1


class UnreadableTransactionError(ValueError):
    """The bytes are not a signed transaction this ledger takes."""


@dataclass(slots=True)
class Transaction:
    """A decoded, signature-checked transaction, with the attribute names py-evm's executor reads."""

    raw: bytes
    hash: bytes
    type_id: int
    chain_id: int
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas: int
    to: bytes
    value: int
    data: bytes
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...]
    y_parity: int
    r: int
    s: int
    sender: bytes
    intrinsic_gas: int = field(default=0)

    @property
    def gas_price(self) -> int:
        """Price a unit of gas when the base fee is zero."""
        return self.max_fee_per_gas

    def validate(self) -> None:
        """Everything was checked when it was read."""


def sign_transaction(
    key: bytes, *, chain_id: int, nonce: int, to: bytes, data: bytes, gas: int, max_fee: int = 0, tip: int = 0
) -> bytes:
    """Raw signed type-2 transaction (EIP-1559) without value; `to` empty creates a contract; fees in wei a unit."""
    fields = [integer(chain_id), integer(nonce), integer(tip), integer(max_fee), integer(gas), to, b"", data, []]
    signature = sign_digest(key, keccak(b"\x02" + rlp_encode(fields)))
    tail = [integer(signature[64] - 27), signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")]
    return b"\x02" + rlp_encode(fields + tail)


def decode_transaction(raw: bytes) -> Transaction:
    """Read a raw transaction and recover its sender. Raises UnreadableTransactionError."""
    try:
        if raw[:1] == b"\x02":
            return _typed(raw, 2)
        if raw[:1] == b"\x01":
            return _typed(raw, 1)
        if raw[:1] >= b"\xc0":
            return _legacy(raw)
    except UnreadableTransactionError:
        raise
    except Exception as error:
        raise UnreadableTransactionError("the bytes are not a signed transaction") from error
    raise UnreadableTransactionError("unknown kind of transaction")


def created_address(sender: bytes, nonce: int) -> str:
    """Address of the contract that `sender` creates with its transaction number `nonce`."""
    return checksum(keccak(rlp_encode([sender, integer(nonce)]))[12:])


def intrinsic_gas(data: bytes, creates: bool, access_list: tuple[tuple[bytes, tuple[int, ...]], ...]) -> int:
    """Gas a transaction costs before it runs (Yellow Paper, EIP-2028, EIP-2930)."""
    zeros = data.count(0)
    slots = sum(len(keys) for _, keys in access_list)
    return (
        21_000
        + (32_000 if creates else 0)
        + 4 * zeros
        + 16 * (len(data) - zeros)
        + 2_400 * len(access_list)
        + 1_900 * slots
    )


def _typed(raw: bytes, kind: int) -> Transaction:
    items: list[Any] = rlp_decode(raw[1:])
    if kind == 2:
        chain, nonce, tip, fee, gas, to, value, data, access, parity, r, s = items
    else:
        chain, nonce, fee, gas, to, value, data, access, parity, r, s = items
        tip = fee
    digest = keccak(raw[:1] + rlp_encode(items[:-3]))
    chain_id, y_parity = _number(chain), _number(parity)
    return _build(raw, kind, chain_id, digest, nonce, tip, fee, gas, to, value, data, access, y_parity, r, s)


def _legacy(raw: bytes) -> Transaction:
    items: list[Any] = rlp_decode(raw)
    nonce, price, gas, to, value, data, v_raw, r, s = items
    v = _number(v_raw)
    if v < 35:
        raise UnreadableTransactionError("a transaction without chain id (EIP-155) is not taken")
    chain_id, parity = (v - 35) // 2, (v - 35) % 2
    digest = keccak(rlp_encode([*items[:6], integer(chain_id), b"", b""]))
    return _build(raw, 0, chain_id, digest, nonce, price, price, gas, to, value, data, [], parity, r, s)


def _build(
    raw: bytes,
    kind: int,
    chain_id: int,
    digest: bytes,
    nonce: bytes,
    tip: bytes,
    fee: bytes,
    gas: bytes,
    to: bytes,
    value: bytes,
    data: bytes,
    access: list[Any],
    parity: int,
    r: bytes,
    s: bytes,
) -> Transaction:
    if len(to) not in (0, 20) or parity > 1 or len(r) > 32 or len(s) > 32 or not isinstance(data, bytes):
        raise UnreadableTransactionError("a field has the wrong length")
    access_list = tuple(
        (bytes(address), tuple(_number(slot, strict=False) for slot in slots)) for address, slots in access
    )
    if any(len(address) != 20 for address, _ in access_list) or _number(tip) > _number(fee):
        raise UnreadableTransactionError("the tip is above the fee or an access list is malformed")
    signature = r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes((parity,))
    sender = recover_canonical(digest, signature)
    if _number(nonce) >= _MAX_U64 or _number(gas) > _MAX_U64:
        raise UnreadableTransactionError("nonce or gas limit is out of range")
    return Transaction(
        raw=raw,
        hash=keccak(raw),
        type_id=kind,
        chain_id=chain_id,
        nonce=_number(nonce),
        max_priority_fee_per_gas=_number(tip),
        max_fee_per_gas=_number(fee),
        gas=_number(gas),
        to=to,
        value=_number(value),
        data=data,
        access_list=access_list,
        y_parity=parity,
        r=_number(r),
        s=_number(s),
        sender=sender,
        intrinsic_gas=intrinsic_gas(data, not to, access_list),
    )


def _number(raw: bytes, *, strict: bool = True) -> int:
    if strict and raw[:1] == b"\0":
        raise UnreadableTransactionError("a number has leading zeros")
    if len(raw) > 32:
        raise UnreadableTransactionError("a number is too long")
    return int.from_bytes(raw, "big")
