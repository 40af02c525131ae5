"""Blocks, transactions, receipts, logs and proofs of the embedded ledger in the JSON form Ethereum nodes use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.encoding import rlp_decode
from scf.ledger.signing import checksum
from scf.ledger.transactions import Transaction, decode_transaction
from scf.ledger.types import Header, Log, Proof, Receipt

Json = dict[str, Any]
_HEADER = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
    "baseFeePerGas",
)
_QUANTITIES = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"}


def text(data: bytes) -> str:
    """0x-text of bytes."""
    return "0x" + data.hex()


def block_json(ledger: EmbeddedLedger, at: int, *, full: bool) -> Json:
    """A block with its transactions, or with their hashes."""
    block = ledger.block(at)
    fields = rlp_decode(block.header.rlp)
    found: Json = {
        name: hex(int.from_bytes(field, "big")) if name in _QUANTITIES else text(field)
        for name, field in zip(_HEADER, fields, strict=True)
    }
    found["miner"] = checksum(fields[2])
    found["hash"] = text(block.header.hash)
    found["uncles"] = []
    found["totalDifficulty"] = "0x0"
    found["size"] = hex(len(block.header.rlp) + sum(len(raw) + 3 for raw in block.transactions) + 4)
    read = [decode_transaction(raw) for raw in block.transactions]
    found["transactions"] = [
        transaction_json(item, block.header, place) if full else text(item.hash) for place, item in enumerate(read)
    ]
    return found


def transaction_json(item: Transaction, header: Header, place: int) -> Json:
    """A mined transaction."""
    found: Json = {
        "blockHash": text(header.hash),
        "blockNumber": hex(header.number),
        "transactionIndex": hex(place),
        "hash": text(item.hash),
        "from": checksum(item.sender),
        "to": checksum(item.to) if item.to else None,
        "nonce": hex(item.nonce),
        "gas": hex(item.gas),
        "value": hex(item.value),
        "input": text(item.data),
        "type": hex(item.type_id),
        "chainId": hex(item.chain_id),
        "r": hex(item.r),
        "s": hex(item.s),
        "gasPrice": hex(
            item.max_fee_per_gas if item.type_id != 2 else min(item.max_fee_per_gas, item.max_priority_fee_per_gas)
        ),
    }
    if item.type_id:
        found["accessList"] = [
            {"address": checksum(address), "storageKeys": [text(slot.to_bytes(32, "big")) for slot in slots]}
            for address, slots in item.access_list
        ]
        found["yParity"] = found["v"] = hex(item.y_parity)
    else:
        found["v"] = hex(35 + 2 * item.chain_id + item.y_parity)
    if item.type_id == 2:
        found["maxFeePerGas"] = hex(item.max_fee_per_gas)
        found["maxPriorityFeePerGas"] = hex(item.max_priority_fee_per_gas)
    return found


def receipt_json(receipt: Receipt, canonical: bytes, item: Transaction) -> Json:
    """A receipt; `canonical` is its consensus encoding, for the bloom and the cumulative gas."""
    _, cumulative, bloom, _ = rlp_decode(canonical if canonical[0] >= 0xC0 else canonical[1:])
    return {
        "transactionHash": text(receipt.transaction_hash),
        "transactionIndex": hex(receipt.transaction_index),
        "blockHash": text(receipt.block_hash),
        "blockNumber": hex(receipt.block_number),
        "from": checksum(item.sender),
        "to": checksum(item.to) if item.to else None,
        "cumulativeGasUsed": hex(int.from_bytes(cumulative, "big")),
        "gasUsed": hex(receipt.gas_used),
        "effectiveGasPrice": "0x0",
        "contractAddress": receipt.contract_address,
        "logs": [log_json(log) for log in receipt.logs],
        "logsBloom": text(bloom),
        "status": "0x1" if receipt.succeeded else "0x0",
        "type": hex(item.type_id),
    }


def log_json(log: Log) -> Json:
    """A log."""
    return {
        "address": log.address,
        "topics": [text(topic) for topic in log.topics],
        "data": text(log.data),
        "blockNumber": hex(log.block_number),
        "blockHash": text(log.block_hash),
        "blockTimestamp": hex(log.timestamp),
        "transactionHash": text(log.transaction_hash),
        "transactionIndex": hex(log.transaction_index),
        "logIndex": hex(log.log_index),
        "removed": False,
    }


def proof_json(proof: Proof, keys: Sequence[Any]) -> Json:
    """An `eth_getProof` answer; slots keep the form they were asked in."""
    return {
        "address": proof.address,
        "accountProof": [text(node) for node in proof.account_proof],
        "balance": hex(proof.balance),
        "codeHash": text(proof.code_hash),
        "nonce": hex(proof.nonce),
        "storageHash": text(proof.storage_root),
        "storageProof": [
            {"key": key, "value": hex(slot.value), "proof": [text(node) for node in slot.proof]}
            for key, slot in zip(keys, proof.slots, strict=True)
        ],
    }
