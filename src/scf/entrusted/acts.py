"""The acts on an entrusted account: which typed data each party signs and which call carries it to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scf.ledger.contracts import Contracts
from scf.ledger.types import Call

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ActKind:
    """One kind of act: its EIP-712 primary type, the fields after the message in the call, how many sign apart."""

    primary_type: str
    function: str
    fields: tuple[str, ...]
    signatures: int = 1

    def call(self, contracts: Contracts, message: Message, signatures: Sequence[bytes]) -> Call:
        """The ledger call of a signed act."""
        arguments: list[Any] = [message[name] for name in self.fields] if self.fields else [message]
        return contracts.entrusted.call(self.function, *arguments, *signatures)


_STAGE = ("accountId", "stage")

ACTS: dict[str, ActKind] = {
    "open": ActKind("Opening", "open", (), signatures=2),
    "confirm_locked": ActKind("ConfirmLocked", "confirmLocked", ("accountId", "amount", "bankReference", "deadline")),
    "attest": ActKind("Attest", "attest", (*_STAGE, "attestor", "upTo", "evidence", "deadline")),
    "approve": ActKind("Approve", "approve", (*_STAGE, "approver", "upTo", "decision", "deadline")),
    "confirm_released": ActKind(
        "ConfirmReleased", "confirmReleased", (*_STAGE, "amount", "paymentId", "bankReference", "deadline")
    ),
    "confirm_refunded": ActKind(
        "ConfirmRefunded", "confirmRefunded", (*_STAGE, "amount", "paymentId", "bankReference", "deadline")
    ),
    "confirm_returned": ActKind(
        "ConfirmReturned", "confirmReturned", (*_STAGE, "amount", "paymentId", "bankReference", "deadline")
    ),
    "dispute": ActKind("Dispute", "dispute", (*_STAGE, "by", "amount", "reason", "deadline")),
    "resolve": ActKind("Resolve", "resolve", (*_STAGE, "toRelease", "toRefund", "reason", "deadline"), signatures=2),
}
"""Acts by name; `open` and `resolve` carry the payer's and the beneficiary's signature, in this order."""

ActBuilder = Callable[[], Call]
