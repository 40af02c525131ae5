"""Receipts of a network's transactions, with the time of their blocks and the reason of what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.protocol import Reverted
from scf.ledger.rpc.formats import number, raw, receipt_of
from scf.ledger.rpc.nodes import Nodes
from scf.ledger.rpc.transport import RpcError
from scf.ledger.signing import checksum
from scf.ledger.types import Call, Receipt

_TIMES_KEPT = 50_000
FEW = 8
"""Up to so many receipts are asked for one by one; more are asked for by the block."""


class Receipts:
    """Reads receipts from nodes in as few requests as they allow.

    `call` runs a call as a sender on the state after a block; it tells why a mined transaction reverted.
    """

    def __init__(self, nodes: Nodes, call: Callable[..., bytes]) -> None:
        self._nodes = nodes
        self._call = call
        self._times: dict[bytes, int] = {}
        self._whole_blocks = True

    def of(self, hashes: Sequence[bytes]) -> dict[bytes, Receipt]:
        """Receipts of those transactions that are mined, by hash."""
        items = self._found(hashes)
        known = [item for item in items if item is not None and not isinstance(item, RpcError) and item["blockHash"]]
        times = self.times_of({raw(item["blockHash"]) for item in known})
        found = {}
        for item in known:
            key, block = raw(item["transactionHash"]), raw(item["blockHash"])
            if block in times:
                data = b"" if number(item["status"]) else self._reason(key, number(item["blockNumber"]))
                found[key] = receipt_of(item, times[block], data)
        return found

    def _found(self, hashes: Sequence[bytes]) -> list[Any]:
        """Receipts as nodes give them; many by the block, because a node reads the whole block for each receipt."""
        wanted = {"0x" + key.hex(): key for key in hashes}
        items: list[Any] = []
        while len(wanted) > FEW:
            (first,) = self._nodes.ask_all([("eth_getTransactionReceipt", [next(iter(wanted))])])
            mined = first is not None and not isinstance(first, RpcError) and first["blockHash"]
            together = self.of_block(first["blockNumber"]) if mined else None
            some = [item for item in together or () if item["transactionHash"] in wanted]
            items += some
            for item in some:
                del wanted[item["transactionHash"]]
            if len(some) < FEW:
                break
        return items + self._nodes.ask_all([("eth_getTransactionReceipt", [key]) for key in wanted])

    def of_block(self, number: Any) -> list[Any] | None:
        """All receipts of a block at once; None where a node does not offer that."""
        if not self._whole_blocks:
            return None
        try:
            found: list[Any] | None = self._nodes.ask("eth_getBlockReceipts", number)
        except RpcError:
            self._whole_blocks = False
            return None
        return found

    def _reason(self, transaction_hash: bytes, block: int) -> bytes:
        """Why a mined transaction reverted: run again on the state before its block. Empty where that tells nothing."""
        try:
            item = self._nodes.ask("eth_getTransactionByHash", "0x" + transaction_hash.hex())
            to = checksum(raw(item["to"])) if item["to"] else ""
            call = Call(to, raw(item.get("input", item.get("data"))), "", "")
            self._call(call, sender=checksum(raw(item["from"])), at=block - 1)
        except Reverted as error:
            return error.data
        except (RpcError, Problem):
            return b""
        return b""

    def times_of(self, block_hashes: set[bytes]) -> dict[bytes, int]:
        """Unix seconds of blocks that the nodes still have, by hash; what was asked once is kept."""
        unknown = [key for key in block_hashes if key not in self._times]
        if unknown:
            if len(self._times) > _TIMES_KEPT:
                self._times.clear()
                unknown = list(block_hashes)
            blocks = self._nodes.answers([("eth_getBlockByHash", ["0x" + key.hex(), False]) for key in unknown])
            self._times.update({raw(b["hash"]): number(b["timestamp"]) for b in blocks if b is not None})
        return {key: self._times[key] for key in block_hashes if key in self._times}
