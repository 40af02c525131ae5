"""Merkle proofs of accounts and storage slots (EIP-1186), made from the stored nodes and checked by anyone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trie.hexary import HexaryTrie

from scf.ledger.embedded.store import NodeReader
from scf.ledger.encoding import rlp_decode, rlp_encode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import EMPTY_ROOT
from scf.ledger.signing import canonical, checksum
from scf.ledger.types import Header, Proof, SlotProof

EMPTY_CODE = keccak(b"")


class _Nodes(dict[bytes, bytes]):
    """The node store as the read-only mapping that `trie` expects."""

    def __init__(self, reader: NodeReader) -> None:
        super().__init__()
        self._reader = reader

    def __missing__(self, key: bytes) -> bytes:
        body = self._reader.get(key)
        if body is None:
            raise KeyError(key)
        return body

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self._reader.get(key) is not None


def prove(reader: NodeReader, header: Header, address: str, slots: Sequence[int]) -> Proof:
    """Proof of an account (also of its absence) and of some of its slots under the state root of `header`."""
    plain = canonical(address)
    nodes = _Nodes(reader)
    body, account_proof = _path(nodes, header.state_root, keccak(plain))
    nonce, balance, storage_root, code_hash = 0, 0, EMPTY_ROOT, EMPTY_CODE
    if body:
        fields = rlp_decode(body)
        nonce, balance = (int.from_bytes(field, "big") for field in fields[:2])
        storage_root, code_hash = fields[2], fields[3]
    proofs = []
    for slot in slots:
        value, nodes_of_slot = _path(nodes, storage_root, keccak(slot.to_bytes(32, "big")))
        number = int.from_bytes(rlp_decode(value), "big") if value else 0
        proofs.append(SlotProof(slot, number, nodes_of_slot))
    return Proof(
        address=checksum(plain),
        block_number=header.number,
        state_root=header.state_root,
        nonce=nonce,
        balance=balance,
        storage_root=storage_root,
        code_hash=code_hash,
        account_proof=account_proof,
        slots=tuple(proofs),
    )


def _path(nodes: dict[bytes, bytes], root: bytes, key: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    if root == EMPTY_ROOT:
        return b"", ()
    trie: Any = HexaryTrie(nodes, root)
    proof = tuple(rlp_encode(node) for node in trie.get_proof(key))
    return trie.get(key), proof
