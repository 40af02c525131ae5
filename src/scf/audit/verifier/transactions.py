"""Signed transactions: legacy (EIP-155), access list (EIP-2930) and dynamic fee (EIP-1559)."""

from __future__ import annotations

from dataclasses import dataclass

from . import rlp_codec as rlp
from .faults import Malformed
from .hashing import keccak, recover_address

_FIELDS = {1: 11, 2: 12}
_PLACE = "chain/bodies.rlp"


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction with its recovered sender; `to` is empty for the creation of a contract."""

    hash: bytes
    kind: int
    chain_id: int | None
    nonce: int
    to: bytes
    value: int
    data: bytes
    sender: bytes | None

    @property
    def created(self) -> bytes:
        """Address of the contract this transaction creates."""
        if self.sender is None:
            return b""
        return keccak(rlp.wrap_list([rlp.encode(self.sender), rlp.encode_int(self.nonce)]))[12:]


def read_transaction(raw: bytes) -> Transaction:
    """A transaction from its envelope. Raises Malformed for unreadable bytes and kinds that are not known."""
    if raw[0] >= 0xC0:
        return _legacy(raw)
    kind = raw[0]
    if kind not in _FIELDS:
        raise Malformed(_PLACE, f"transaction type {kind} is not supported")
    fields = rlp.decode_list(raw[1:])
    if len(fields) != _FIELDS[kind]:
        raise Malformed(_PLACE, "a transaction with missing or additional fields")
    nonce, to = (1, 4) if kind == 1 else (1, 5)
    payload = bytes((kind,)) + rlp.encode(fields[:-3])
    parity, r, s = (rlp.as_int(item) for item in fields[-3:])
    return Transaction(
        hash=keccak(raw),
        kind=kind,
        chain_id=rlp.as_int(fields[0]),
        nonce=rlp.as_int(fields[nonce]),
        to=_to(fields[to]),
        value=rlp.as_int(fields[to + 1]),
        data=rlp.as_bytes(fields[to + 2]),
        sender=recover_address(keccak(payload), r, s, parity),
    )


def _to(item: rlp.Item) -> bytes:
    to = rlp.as_bytes(item)
    if len(to) not in (0, 20):
        raise Malformed(_PLACE, "a transaction to something that is no address")
    return to


def _legacy(raw: bytes) -> Transaction:
    fields = rlp.decode_list(raw)
    if len(fields) != 9:
        raise Malformed(_PLACE, "a transaction with missing or additional fields")
    v, r, s = (rlp.as_int(item) for item in fields[6:])
    unsigned = fields[:6]
    chain_id: int | None = None
    if v >= 35:
        chain_id, parity = divmod(v - 35, 2)
        unsigned = [*unsigned, rlp.as_bytes(chain_id.to_bytes((chain_id.bit_length() + 7) // 8, "big")), b"", b""]
    else:
        parity = v - 27
    return Transaction(
        hash=keccak(raw),
        kind=0,
        chain_id=chain_id,
        nonce=rlp.as_int(fields[0]),
        to=_to(fields[3]),
        value=rlp.as_int(fields[4]),
        data=rlp.as_bytes(fields[5]),
        sender=recover_address(keccak(rlp.encode(unsigned)), r, s, parity),
    )
