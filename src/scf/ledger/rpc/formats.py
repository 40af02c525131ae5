"""JSON of nodes to our types and back, each block checked against its own hash and roots before it is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.encoding import integer, rlp_decode, rlp_encode
from scf.ledger.hashing import keccak
from scf.ledger.merkle import ordered_root
from scf.ledger.signing import canonical, checksum
from scf.ledger.types import Block, Header, Log, Proof, Receipt, SlotProof

Json = Mapping[str, Any]
_HEADER = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
)
_NUMBERS = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
_LATER = (
    ("baseFeePerGas", True),
    ("withdrawalsRoot", False),
    ("blobGasUsed", True),
    ("excessBlobGas", True),
    ("parentBeaconBlockRoot", False),
    ("requestsHash", False),
)


def raw(text: Any) -> bytes:
    """Bytes of 0x-text; web3.py's own providers also hand out bytes, and blooms as integers."""
    if isinstance(text, int):
        return text.to_bytes(256, "big")
    return bytes.fromhex(text[2:]) if isinstance(text, str) else bytes(text)


def number(value: Any) -> int:
    """Integer of 0x-text or of an integer."""
    return int(value, 16) if isinstance(value, str) else int(value)


def quantity(value: int) -> str:
    """0x-text of an integer."""
    return hex(value)


def header_of(block: Json) -> Header:
    """Header of a node's block. Raises Problem `ledger_bad_answer` when it does not hash to its hash."""
    fields: list[bytes] = [raw(block[name]) for name in _HEADER]
    fields += [integer(number(block[name])) for name in _NUMBERS]
    fields += [raw(block["extraData"]), raw(block.get("mixHash") or bytes(32)), raw(block.get("nonce") or bytes(8))]
    for name, is_number in _LATER:
        if block.get(name) is None:
            continue
        fields.append(integer(number(block[name])) if is_number else raw(block[name]))
    encoded = rlp_encode(fields)
    claimed = raw(block["hash"])
    if keccak(encoded) != claimed and keccak(_without_seals(fields)) != claimed:
        raise Problem(
            "ledger_bad_answer", function="block", detail=f"header {number(block['number'])} has another hash"
        )
    return Header(
        number=number(block["number"]),
        hash=claimed,
        parent_hash=fields[0],
        state_root=fields[3],
        transactions_root=fields[4],
        receipts_root=fields[5],
        timestamp=number(block["timestamp"]),
        gas_used=number(block["gasUsed"]),
        rlp=encoded,
    )


def _without_seals(fields: Sequence[bytes]) -> bytes:
    """QBFT hashes a header without the commit seals at the end of its extra data."""
    try:
        extra = rlp_decode(fields[12])
        return rlp_encode([*fields[:12], rlp_encode([*extra[:4], []]), *fields[13:]])
    except Exception:
        return b""


def block_of(block: Json, receipts: Sequence[Json]) -> Block:
    """Block with raw transactions and canonical receipts. Raises Problem `ledger_bad_answer` when a root differs."""
    header = header_of(block)
    transactions = tuple(transaction_of(item) for item in block["transactions"])
    encoded = tuple(encode_receipt(item) for item in receipts)
    if ordered_root(transactions) != header.transactions_root or ordered_root(encoded) != header.receipts_root:
        raise Problem("ledger_bad_answer", function="block", detail=f"body of block {header.number} has other roots")
    return Block(header, transactions, encoded)


def transaction_of(item: Json) -> bytes:
    """Raw signed transaction of a node's transaction (types 0, 1, 2)."""
    kind = number(item.get("type") or 0)
    to = raw(item["to"]) if item.get("to") else b""
    body = [integer(number(item["gas"])), to, integer(number(item["value"])), raw(item.get("input", item.get("data")))]
    nonce = integer(number(item["nonce"]))
    signature = [integer(number(item["r"])), integer(number(item["s"]))]
    v = integer(number(item["v"]))
    if kind == 0:
        return rlp_encode([nonce, integer(number(item["gasPrice"])), *body, v, *signature])
    access = [
        [raw(entry["address"]), [raw(key) for key in entry["storageKeys"]]] for entry in item.get("accessList") or ()
    ]
    parity = integer(number(item["yParity"])) if item.get("yParity") is not None else v
    chain = integer(number(item["chainId"]))
    if kind == 1:
        fees = [integer(number(item["gasPrice"]))]
    elif kind == 2:
        fees = [integer(number(item["maxPriorityFeePerGas"])), integer(number(item["maxFeePerGas"]))]
    else:
        raise Problem("ledger_bad_answer", function="block", detail=f"transaction type {kind}")
    return bytes((kind,)) + rlp_encode([chain, nonce, *fees, *body, access, parity, *signature])


def encode_receipt(item: Json) -> bytes:
    """Canonical receipt (EIP-2718) of a node's receipt."""
    logs = [[raw(log["address"]), [raw(topic) for topic in log["topics"]], raw(log["data"])] for log in item["logs"]]
    body = rlp_encode(
        [integer(number(item["status"])), integer(number(item["cumulativeGasUsed"])), raw(item["logsBloom"]), logs]
    )
    kind = number(item.get("type") or 0)
    return bytes((kind,)) + body if kind else body


def receipt_of(item: Json, timestamp: int, revert_data: bytes = b"") -> Receipt:
    """Receipt of a node's receipt; nodes do not put the time into it."""
    created = item.get("contractAddress")
    succeeded = number(item["status"]) == 1
    return Receipt(
        transaction_hash=raw(item["transactionHash"]),
        block_number=number(item["blockNumber"]),
        block_hash=raw(item["blockHash"]),
        transaction_index=number(item["transactionIndex"]),
        succeeded=succeeded,
        gas_used=number(item["gasUsed"]),
        logs=tuple(log_of(log, timestamp) for log in item["logs"]),
        contract_address=checksum(raw(created)) if created and succeeded else None,
        timestamp=timestamp,
        revert_data=revert_data,
    )


def log_of(item: Json, timestamp: int) -> Log:
    """Log of a node's log."""
    return Log(
        address=checksum(raw(item["address"])),
        topics=tuple(raw(topic) for topic in item["topics"]),
        data=raw(item["data"]),
        block_number=number(item["blockNumber"]),
        block_hash=raw(item["blockHash"]),
        transaction_hash=raw(item["transactionHash"]),
        transaction_index=number(item["transactionIndex"]),
        log_index=number(item["logIndex"]),
        timestamp=timestamp,
    )


def proof_of(item: Json, header: Header) -> Proof:
    """Proof of a node's `eth_getProof`."""
    return Proof(
        address=checksum(canonical(item["address"]) if isinstance(item["address"], str) else raw(item["address"])),
        block_number=header.number,
        state_root=header.state_root,
        nonce=number(item["nonce"]),
        balance=number(item["balance"]),
        storage_root=raw(item["storageHash"]),
        code_hash=raw(item["codeHash"]),
        account_proof=tuple(raw(node) for node in item["accountProof"]),
        slots=tuple(
            SlotProof(number(entry["key"]), number(entry["value"]), tuple(raw(node) for node in entry["proof"]))
            for entry in item["storageProof"]
        ),
    )
