"""EIP-712 intents: what a party signs, from one table of types.

The table repeats the structs of `contracts/interfaces`; a test compares digests with the contracts' own behaviour and
with an independent implementation of EIP-712.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.contracts import Contracts
from scf.ledger.hashing import keccak
from scf.ledger.signing import address_of, canonical, checksum, recover_digest, sign_digest

_ENROLMENT = (
    "Enrolment(address member,address key,uint32 organisation,uint32 roles,uint64 limit,address payingBank,"
    "bytes32 identity)"
)
_STAGE = "Stage(address payee,bytes32 payeeAccount,uint64 amount,bytes32 rule,uint40 deadline)"

TYPES: Mapping[str, tuple[str, ...]] = {
    "Members": (
        "Enrol(Enrolment e,uint256 nonce)" + _ENROLMENT,
        "EnrolMany(Enrolment[] e,uint256 nonce)" + _ENROLMENT,
        "SetStanding(address member,uint8 standing,bytes32 reason,uint256 nonce)",
        "SetLimit(address obligor,uint64 limit,uint256 nonce)",
        "SetGroup(address obligor,uint24 group,uint256 nonce)",
        "SetGroupLimit(uint24 group,uint16 currency,uint64 limit,uint256 nonce)",
        "SetFinancierLimit(address financier,uint16 currency,uint64 limit,uint256 nonce)",
        "SetPayingBank(address obligor,address payingBank,uint256 nonce)",
        "Halt(address obligor,bytes32 reason,uint256 nonce)",
        "Cure(address obligor,bytes32 evidence,uint256 nonce)",
        "Connect(address target,uint256 nonce)",
        "SetOperators(address[] operators,uint8 threshold,uint256 nonce)",
        "RotateKey(address member,address newKey,uint40 deadline)",
    ),
    "Receivables": (
        "Issue(address obligor,address creditor,uint64 face,uint16 currency,uint40 maturity,uint8 maxTier,"
        "uint48 minAmount,bytes32 fingerprint,bytes32 document,uint40 offerUntil,uint40 deadline)",
        "Pass(uint256 parentId,uint16 childIndex,address to,uint64 amount,bytes32 evidence,uint40 offerUntil,"
        "uint40 deadline)",
        "PassMany(uint256 parentId,uint16 childIndex,address[] to,uint64[] amounts,bytes32[] evidence,"
        "uint40 offerUntil,uint40 deadline)",
        "MassPass(uint256 parentId,uint16 childIndex,uint256 root,uint32 count,bytes32 evidence,uint40 offerUntil,"
        "uint40 deadline)",
        "Quote(uint256 parentId,address financier,address payingBank,uint64 amount,uint64 net,uint64 discount,"
        "uint64 fees,uint32 aprPpm,bool recourse,bytes32 terms,bytes32 evidence,uint64 entrustedAccount,"
        "uint40 lockUntil,uint40 expiry)",
        "Payment(uint64 receivableId,uint16 round,uint64 principal,uint64 interest,uint64 principalCut,"
        "uint256 principalCutNote,uint64 interestCut,uint256 interestCutNote,bytes32 bankReference,uint40 deadline)",
        "Accept(uint256 noteId,uint40 deadline)",
        "AcceptMany(uint256[] noteIds,uint40 deadline)",
        "Refuse(uint256 noteId,bytes32 reason,uint40 deadline)",
        "Withdraw(uint256 noteId,uint40 deadline)",
        "Materialise(uint256 massId,uint32 leaf,address to,uint64 amount,uint40 deadline)",
        "FinanceAccept(bytes32 quoteHash,bytes32 reading,uint40 deadline)",
        "CompleteFinancing(uint256 noteId,uint64 net,bytes32 registration,bytes32 bankReference,uint40 deadline)",
        "SetFrozen(uint256 noteId,bool frozenStatus,bytes32 reason,uint256 nonce)",
        "ForcedTransfer(uint256 noteId,address to,bytes32 reason,uint256 nonce)",
    ),
    "EntrustedAccounts": (
        "Opening(address payer,address beneficiary,address bank,uint16 currency,bytes32 account,bytes32 purpose,"
        "bytes32 consent,Stage[] stages,address[] attestors,address[] approvers,bytes32 salt,uint40 deadline)" + _STAGE,
        "ConfirmLocked(uint64 accountId,uint64 amount,bytes32 bankReference,uint40 deadline)",
        "Attest(uint64 accountId,uint8 stage,address attestor,uint64 upTo,bytes32 evidence,uint40 deadline)",
        "Approve(uint64 accountId,uint8 stage,address approver,uint64 upTo,bytes32 decision,uint40 deadline)",
        "ConfirmReleased(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline)",
        "Dispute(uint64 accountId,uint8 stage,address by,uint64 amount,bytes32 reason,uint40 deadline)",
        "Resolve(uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint40 deadline)",
        "ResolveByQuorum(uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint256 nonce)",
        "ConfirmRefunded(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline)",
        "ConfirmReturned(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline)",
    ),
    "EvidenceLog": ("Anchor(uint64 size,bytes32 root,uint64 previousSize,address operator,uint40 deadline)",),
}
"""encodeType of every intent, by contract."""

VERSION = "1"
"""Version in every EIP-712 domain."""

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_LARGEST_JSON_INTEGER = 2**53 - 1
_STRUCT = re.compile(r"(\w+)\(([^)]*)\)")

Fields = tuple[tuple[str, str], ...]
Encode = Callable[[Any], bytes]


def typed_data(
    contracts: Contracts, contract_name: str, primary_type: str, message: Mapping[str, Any]
) -> dict[str, Any]:
    """The EIP-712 document a wallet signs (`eth_signTypedData_v4`): JSON-able, large integers as decimal text.

    Raises Problem `ledger_bad_message` when the message does not fit the type.
    """
    structs = _structs(contract_name, primary_type)
    struct_hash(contract_name, primary_type, message)  # refuse what cannot be signed
    types = {name: [{"name": field, "type": kind} for kind, field in fields] for name, fields in structs.items()}
    types["EIP712Domain"] = [{"name": field, "type": kind} for kind, field in _fields(_DOMAIN_TYPE)]
    return {
        "types": types,
        "primaryType": primary_type,
        "domain": {
            "name": f"scf {contract_name}",
            "version": VERSION,
            "chainId": contracts.chain_id,
            "verifyingContract": contracts.handle(contract_name).address,
        },
        "message": _json(structs, primary_type, message),
    }


def digest(contracts: Contracts, contract_name: str, primary_type: str, message: Mapping[str, Any]) -> bytes:
    """The 32 bytes that are signed. Raises Problem `ledger_bad_message`."""
    domain = _domain(contract_name, contracts.chain_id, contracts.handle(contract_name).address)
    return keccak(b"\x19\x01" + domain + struct_hash(contract_name, primary_type, message))


def struct_hash(contract_name: str, primary_type: str, message: Mapping[str, Any]) -> bytes:
    """EIP-712 hashStruct; for a `Quote` this is the quote hash its acceptance refers to."""
    return _encoder(contract_name, primary_type)(message)


def sign(key: bytes, contracts: Contracts, contract_name: str, primary_type: str, message: Mapping[str, Any]) -> bytes:
    """65-byte signature (r, s, v) of an intent by a private key."""
    return sign_digest(key, digest(contracts, contract_name, primary_type, message))


def recover(
    contracts: Contracts, contract_name: str, primary_type: str, message: Mapping[str, Any], signature: bytes
) -> str:
    """Address whose key signed an intent. Raises Problem `ledger_bad_signature`."""
    return recover_digest(digest(contracts, contract_name, primary_type, message), signature)


def quorum(
    keys: Iterable[bytes], contracts: Contracts, contract_name: str, primary_type: str, message: Mapping[str, Any]
) -> list[bytes]:
    """Signatures of several operators, sorted by signer as the contracts ask for them."""
    return quorum_digest(keys, digest(contracts, contract_name, primary_type, message))


def quorum_digest(keys: Iterable[bytes], signed: bytes) -> list[bytes]:
    """Signatures of several keys over a digest, sorted by signer."""
    ordered = sorted(set(keys), key=lambda key: canonical(address_of(key)))
    return [sign_digest(key, signed) for key in ordered]


def sort_signatures(signed: bytes, signatures: Iterable[bytes]) -> list[bytes]:
    """Signatures collected from several people, sorted by signer, one a signer."""
    by_signer = {canonical(recover_digest(signed, signature)): signature for signature in signatures}
    return [by_signer[signer] for signer in sorted(by_signer)]


def contract_of(primary_type: str) -> str:
    """Name of the contract whose intent `primary_type` is. Raises Problem `ledger_bad_message`."""
    for contract, texts in TYPES.items():
        if any(text.startswith(primary_type + "(") for text in texts):
            return contract
    raise Problem("ledger_bad_message", type=primary_type, field="—", detail="unknown type")


@cache
def _domain(contract_name: str, chain_id: int, address: str) -> bytes:
    words = (
        keccak(_DOMAIN_TYPE.encode()),
        keccak(f"scf {contract_name}".encode()),
        keccak(VERSION.encode()),
        chain_id.to_bytes(32, "big"),
        canonical(address).rjust(32, b"\0"),
    )
    return keccak(b"".join(words))


@cache
def _text(contract_name: str, primary_type: str) -> str:
    for text in TYPES.get(contract_name, ()):
        if text.startswith(primary_type + "("):
            return text
    raise Problem("ledger_bad_message", type=f"{contract_name}.{primary_type}", field="—", detail="unknown type")


def _fields(struct: str) -> Fields:
    inner = struct[struct.index("(") + 1 : struct.index(")")]
    return tuple((kind, name) for kind, name in (part.split(" ") for part in inner.split(",")))


@cache
def _structs(contract_name: str, primary_type: str) -> Mapping[str, Fields]:
    text = _text(contract_name, primary_type)
    return {found.group(1): _fields(found.group(0)) for found in _STRUCT.finditer(text)}


@cache
def _encoder(contract_name: str, primary_type: str) -> Encode:
    structs = _structs(contract_name, primary_type)
    return _struct_encoder(structs, primary_type, _text(contract_name, primary_type))


def _struct_encoder(structs: Mapping[str, Fields], name: str, text: str) -> Encode:
    type_hash = keccak(text.encode())
    fields = [(field, _value_encoder(structs, kind)) for kind, field in structs[name]]
    names = {field for field, _ in fields}

    def encode(message: Any) -> bytes:
        if not isinstance(message, Mapping) or set(message) != names:
            given = set(message) if isinstance(message, Mapping) else set()
            odd = ", ".join(sorted(names ^ given)) or "—"
            raise Problem("ledger_bad_message", type=name, field=odd, detail="missing or unknown field")
        words = [type_hash]
        for field, encode_value in fields:
            try:
                words.append(encode_value(message[field]))
            except Problem:
                raise
            except Exception as error:
                raise Problem("ledger_bad_message", type=name, field=field, detail=str(error)) from error
        return keccak(b"".join(words))

    return encode


def _value_encoder(structs: Mapping[str, Fields], kind: str) -> Encode:
    if kind.endswith("[]"):
        inner = _value_encoder(structs, kind[:-2])
        return lambda values: keccak(b"".join(inner(value) for value in values))
    if kind in structs:
        fields = ",".join(f"{inner_kind} {field}" for inner_kind, field in structs[kind])
        return _struct_encoder(structs, kind, f"{kind}({fields})")
    if kind == "address":
        return lambda value: (value if isinstance(value, bytes) else canonical(value)).rjust(32, b"\0")
    if kind == "bytes32":
        return _bytes32
    if kind == "bool":
        return lambda value: bytes(31) + bytes((_integer(value, 1),))
    bits = int(kind.removeprefix("uint"))
    return lambda value: _integer(value, 2**bits - 1).to_bytes(32, "big")


def _integer(value: Any, most: int) -> int:
    if isinstance(value, str):
        value = int(value, 0)
    if not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{value!r} is not a whole number from 0 to {most}")
    return value


def _bytes32(value: Any) -> bytes:
    raw = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
    if len(raw) != 32:
        raise ValueError(f"{len(raw)} bytes where 32 are needed")
    return raw


def _json(structs: Mapping[str, Fields], kind: str, value: Any) -> Any:
    if kind.endswith("[]"):
        return [_json(structs, kind[:-2], inner) for inner in value]
    if kind in structs:
        return {field: _json(structs, inner, value[field]) for inner, field in structs[kind]}
    if kind == "address":
        return checksum(value if isinstance(value, bytes) else canonical(value))
    if kind == "bytes32":
        return "0x" + _bytes32(value).hex()
    if kind == "bool":
        return bool(value)
    number = _integer(value, 2**256 - 1)
    return number if number <= _LARGEST_JSON_INTEGER else str(number)
