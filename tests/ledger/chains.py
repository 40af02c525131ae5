"""What several ledger tests need: keys, and a handle of the counting contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scf.ledger.artifacts import Artifact
from scf.ledger.contracts import Handle
from scf.ledger.protocol import Ledger
from scf.ledger.signing import address_of, canonical
from scf.ledger.transactions import sign_transaction
from scf.ledger.types import Receipt

KEYS = [bytes(31) + bytes((number,)) for number in range(1, 12)]


@dataclass
class Tally:
    """The counting contract on some ledger."""

    ledger: Ledger
    handle: Handle
    key: bytes

    @classmethod
    def deploy(cls, ledger: Ledger, artifact: Artifact, key: bytes) -> Tally:
        raw = sign_transaction(
            key,
            chain_id=ledger.chain_id,
            nonce=ledger.nonce(address_of(key)),
            to=b"",
            data=artifact.bytecode,
            gas=3_000_000,
        )
        receipt = ledger.submit([raw])[0]
        assert receipt.succeeded
        assert receipt.contract_address
        return cls(ledger, Handle(artifact, receipt.contract_address), key)

    def raw(self, function: str, *args: Any, nonce: int, key: bytes | None = None, gas: int = 1_000_000) -> bytes:
        return sign_transaction(
            key or self.key,
            chain_id=self.ledger.chain_id,
            nonce=nonce,
            to=canonical(self.handle.address),
            data=self.handle.call(function, *args).data,
            gas=gas,
        )

    def add(self, amounts: list[int], *, first_nonce: int | None = None) -> list[bytes]:
        """Raw transactions that add `amounts` one after the other."""
        nonce = self.ledger.nonce(address_of(self.key)) if first_nonce is None else first_nonce
        return [self.raw("add", amount, bytes(32), nonce=nonce + at) for at, amount in enumerate(amounts)]

    def send(self, amounts: list[int]) -> list[Receipt]:
        return self.ledger.submit(self.add(amounts))

    @property
    def total(self) -> int:
        total: int = self.handle.read(self.ledger, "total")
        return total
