"""Statements people sign that no contract reads: EIP-712 documents of their own domain, so that a wallet can show them.

The domain has no contract address: a statement can never be taken for an act of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak

TYPES: Mapping[str, Sequence[tuple[str, str]]] = {
    "Reading": (("bytes32", "reading"), ("bytes32", "acts")),
    "Confirmation": (
        ("bytes32", "question"),
        ("address", "respondent"),
        ("string", "about"),
        ("string", "currency"),
        ("uint64", "asOf"),
        ("uint64", "answer"),
        ("string", "remark"),
    ),
}
"""Fields of every statement: (type, name)."""
_DOMAIN = (("string", "name"), ("string", "version"), ("uint256", "chainId"))


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person signs: the document a wallet shows, and the 32 bytes of it."""

    typed_data: dict[str, Any]
    digest: bytes


def statement(chain_id: int, primary_type: str, message: Mapping[str, Any]) -> Statement:
    """A statement for signing. Raises Problem `ledger_bad_message` when the message does not fit the type."""
    typed = {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for kind, name in _DOMAIN],
            primary_type: [{"name": name, "type": kind} for kind, name in TYPES[primary_type]],
        },
        "primaryType": primary_type,
        "domain": {"name": "scf statements", "version": "1", "chainId": chain_id},
        "message": dict(message),
    }
    return Statement(typed, digest_of(typed))


def digest_of(typed_data: Mapping[str, Any]) -> bytes:
    """The 32 bytes a wallet signs for any EIP-712 document. Raises Problem `ledger_bad_message`."""
    from eth_account.messages import encode_typed_data  # late: slow to import, and only signing needs it

    try:
        made = encode_typed_data(full_message=dict(typed_data))
    except Exception as error:  # the library raises many kinds
        name = str(typed_data.get("primaryType", "—"))
        raise Problem("ledger_bad_message", type=name, field="—", detail=str(error)[:120]) from error
    return keccak(b"\x19" + made.version + made.header + made.body)
