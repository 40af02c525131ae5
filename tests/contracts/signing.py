"""EIP-712 written a second time, from the interfaces' text alone, so that the service's table is not its own judge."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import coincurve
import eth_abi
from eth_hash.auto import keccak
from eth_utils import to_checksum_address

ENROLMENT = (
    "Enrolment(address member,address key,uint32 organisation,uint32 roles,uint64 limit,address payingBank,"
    "bytes32 identity)"
)
STAGE = "Stage(address payee,bytes32 payeeAccount,uint64 amount,bytes32 rule,uint40 deadline)"
ACTS = {
    "Members": [
        "Enrol(Enrolment e,uint256 nonce)" + ENROLMENT,
        "EnrolMany(Enrolment[] e,uint256 nonce)" + ENROLMENT,
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
    ],
    "Receivables": [
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
    ],
    "EntrustedAccounts": [
        "Opening(address payer,address beneficiary,address bank,uint16 currency,bytes32 account,bytes32 purpose,"
        "bytes32 consent,Stage[] stages,address[] attestors,address[] approvers,bytes32 salt,uint40 deadline)" + STAGE,
        "ConfirmLocked(uint64 accountId,uint64 amount,bytes32 bankReference,uint40 deadline)",
        "Attest(uint64 accountId,uint8 stage,address attestor,uint64 upTo,bytes32 evidence,uint40 deadline)",
        "Approve(uint64 accountId,uint8 stage,address approver,uint64 upTo,bytes32 decision,uint40 deadline)",
        "ConfirmReleased(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline)",
        "ConfirmRefunded(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline)",
        "ConfirmReturned(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline)",
        "Dispute(uint64 accountId,uint8 stage,address by,uint64 amount,bytes32 reason,uint40 deadline)",
        "Resolve(uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint40 deadline)",
        "ResolveByQuorum(uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint256 nonce)",
    ],
    "EvidenceLog": ["Anchor(uint64 size,bytes32 root,uint64 previousSize,address operator,uint40 deadline)"],
}


@cache
def _fields(contract: str, primary: str) -> tuple[bytes, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    whole = next(t for t in ACTS[contract] if t.startswith(primary + "("))
    groups = re.findall(r"(\w+)\(([^)]*)\)", whole)
    parsed = [tuple((p.split(" ")[0], p.split(" ")[1]) for p in body.split(",")) for _, body in groups]
    return keccak(whole.encode()), parsed[0], (parsed[1] if len(parsed) > 1 else ())


@cache
def domain(contract: str, chain_id: int, address: str) -> bytes:
    """The EIP-712 domain separator."""
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    name = keccak(f"scf {contract}".encode())
    return keccak(
        eth_abi.encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [keccak(kind), name, keccak(b"1"), chain_id, address],
        )
    )


def struct_hash(contract: str, primary: str, values: tuple[Any, ...]) -> bytes:
    """hashStruct of an act whose fields are given in order; nested structs are tuples."""
    type_hash, fields, inner = _fields(contract, primary)
    words = [type_hash]
    for (kind, _), value in zip(fields, values, strict=True):
        if kind[0].isupper():
            inner_hash = keccak((ENROLMENT if kind.startswith("Enrolment") else STAGE).encode())
            kinds = [k for k, _ in inner]
            if kind.endswith("[]"):
                hashes = [keccak(eth_abi.encode(["bytes32", *kinds], [inner_hash, *v])) for v in value]
                words.append(keccak(b"".join(hashes)))
            else:
                words.append(keccak(eth_abi.encode(["bytes32", *kinds], [inner_hash, *value])))
        elif kind.endswith("[]"):
            words.append(keccak(b"".join(eth_abi.encode([kind[:-2]], [v]) for v in value)))
        else:
            words.append(eth_abi.encode([kind], [value]))
    return keccak(b"".join(words))


def digest(contract: str, chain_id: int, address: str, primary: str, values: tuple[Any, ...]) -> bytes:
    """What is signed."""
    return keccak(b"\x19\x01" + domain(contract, chain_id, address) + struct_hash(contract, primary, values))


@cache
def key(name: str) -> coincurve.PrivateKey:
    """The private key of a made-up person."""
    return coincurve.PrivateKey(keccak(f"key of {name}".encode()))


@cache
def address(name: str) -> str:
    """The account of that key."""
    return to_checksum_address(keccak(key(name).public_key.format(compressed=False)[1:])[12:])


def sign(name: str, message: bytes) -> bytes:
    """65 bytes r, s, v."""
    raw = key(name).sign_recoverable(message, hasher=None)
    return raw[:64] + bytes([raw[64] + 27])
