"""The ledger over JSON-RPC: sends to every node, follows until mined, survives nodes that die, lag or talk nonsense."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.protocol import NotAccepted, Reverted
from scf.ledger.rpc.formats import block_of, header_of, log_of, number, proof_of, quantity, raw
from scf.ledger.rpc.heads import Heads
from scf.ledger.rpc.nodes import Nodes
from scf.ledger.rpc.receipts import FEW, Receipts
from scf.ledger.rpc.transport import HttpTransport, RpcError, SocketTransport, Transport, TransportError
from scf.ledger.signing import checksum
from scf.ledger.types import Block, Call, Header, Log, Proof, Receipt

A = TypeVar("A")
_KNOWN = ("already known", "known transaction", "alreadyknown", "already imported", "transaction already")
_LATER = ("txpool is full", "pool is full", "limit exceeded", "too many", "timeout")
_LOG_SPAN = 2_000


class RpcLedger:
    """A network of Ethereum nodes behind the ledger protocol.

    Args:
        places: URLs (or ready transports) of nodes of one network, in order of preference. Nodes behind http:// are
            polled; those behind ws:// tell of new blocks.
        clock: not used for blocks, which take their time from the network; kept so that engines open alike.
        chain_id: expected chain id; None takes what the first node says.
        confirmations: blocks that must follow a block before `submit` answers; 0 for networks with finality.
        patience_s: seconds to go on trying when no node answers.
        mining_s: seconds to wait for a transaction to be mined before `ledger_not_mined_yet`.
        resend_s: seconds after which what is still unmined is offered to the nodes again.
        fees: what a relayer offers a unit of gas in wei, at first and at most; nothing on free networks.

    Raises Problem `ledger_unreachable`, `ledger_wrong_chain`.
    """

    def __init__(
        self,
        places: Sequence[str | Transport],
        clock: Clock | None = None,
        *,
        chain_id: int | None = None,
        confirmations: int = 0,
        patience_s: float = 10.0,
        mining_s: float = 60.0,
        poll_s: float = 0.05,
        resend_s: float = 2.0,
        fees: tuple[int, int] = (0, 0),
    ) -> None:
        transports = [_transport(place) if isinstance(place, str) else place for place in places]
        self._expected = chain_id
        self._genesis: bytes | None = None
        self._nodes = Nodes(transports, self._check_node, patience_s=patience_s)
        self._receipts = Receipts(self._nodes, self.call)
        self._confirmations = confirmations
        self._mining_s = mining_s
        self._poll_s = poll_s
        self._resend_s = resend_s
        self.fees = fees
        self._seen = -1
        self._identity = threading.RLock()
        self._chain_id = number(self._nodes.ask("eth_chainId"))
        if chain_id is not None and self._chain_id != chain_id:
            raise Problem("ledger_wrong_chain", found=self._chain_id, expected=chain_id)
        self._expected = self._chain_id
        self._heads = Heads([place for place in places if isinstance(place, str) and _is_socket(place)])

    def _check_node(self, transport: Transport) -> None:
        """A node is used only if it has our chain id and our genesis."""
        found, genesis = transport.ask([("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False])])
        if isinstance(found, RpcError) or isinstance(genesis, RpcError) or not genesis:
            raise TransportError("the node does not tell its chain id and genesis")
        with self._identity:
            if self._genesis is None:
                self._genesis = raw(genesis["hash"])
                return
            if number(found) != self._expected or raw(genesis["hash"]) != self._genesis:
                raise TransportError("the node belongs to another chain")

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id."""
        return self._chain_id

    @property
    def genesis_hash(self) -> bytes:
        """Hash of block 0."""
        return self._genesis or self.header(0).hash

    def request(self, method: str, *params: Any) -> Any:
        """Any JSON-RPC request, for what the protocol does not cover. Raises RpcError or Problem."""
        return self._nodes.ask(method, *params)

    def status(self) -> list[dict[str, Any]]:
        """How each node is doing."""
        self._nodes.survey()
        return self._nodes.status()

    def now(self) -> int:
        """See `Ledger.now`: a network keeps its own time, which is that of its newest block."""
        return self.head().timestamp

    def head(self) -> Header:
        """See `Ledger.head`. A node that fell behind what was already seen is passed over where another is not."""
        block = self._nodes.ask("eth_getBlockByNumber", "latest", False)
        if block is None or (number(block["number"]) < self._seen and len(self._nodes.nodes) > 1):
            self._nodes.survey()
            self._nodes.prefer(self._seen)
            block = self._nodes.ask("eth_getBlockByNumber", "latest", False)
        header = header_of(block)
        self._seen = max(self._seen, header.number)
        return header

    def _catch_up(self) -> None:
        """Read from no node that is behind a block already seen, where another one is not behind."""
        if len(self._nodes.nodes) > 1 and number(self._nodes.ask("eth_blockNumber")) < self._seen:
            self._nodes.survey()
            self._nodes.prefer(self._seen)

    def header(self, number: int) -> Header:
        """See `Ledger.header`."""
        block = self._nodes.ask("eth_getBlockByNumber", quantity(number), False)
        if block is None:
            raise Problem("ledger_unknown_block", number=number)
        return header_of(block)

    def block(self, number: int) -> Block:
        """See `Ledger.block`. What the node says is checked against the header's roots."""
        block = self._nodes.ask("eth_getBlockByNumber", quantity(number), True)
        if block is None:
            raise Problem("ledger_unknown_block", number=number)
        hashes = [item["hash"] for item in block["transactions"]]
        receipts = self._receipts.of_block(block["number"]) if len(hashes) > FEW else None
        if receipts is None or len(receipts) != len(hashes):
            receipts = self._nodes.answers([("eth_getTransactionReceipt", [key]) for key in hashes])
        return block_of(block, receipts)

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """See `Ledger.receipt`."""
        found = self.receipts([transaction_hash]).get(transaction_hash)
        if found is None and self._nodes.another():  # the node asked first may lag
            found = self.receipts([transaction_hash]).get(transaction_hash)
        return found

    def receipts(self, transaction_hashes: Sequence[bytes]) -> dict[bytes, Receipt]:
        """Receipts of those transactions that are mined, by hash; the newest of their blocks counts as seen."""
        found = self._receipts.of(transaction_hashes)
        self._seen = max([self._seen, *(receipt.block_number for receipt in found.values())])
        return found

    def submit(self, raws: Sequence[bytes]) -> list[Receipt]:
        """See `Ledger.submit`. Every node gets every transaction; what stays unmined is sent again.

        Raises Problem `ledger_not_mined_yet` (money moved: unknown) when the network does not mine in time.
        """
        by_hash = {keccak(item): item for item in raws}
        try:
            reasons = self._send(by_hash)
        except Problem as problem:  # some may have arrived before the nodes fell silent
            raise Problem(problem.code, money_moved="unknown", **problem.facts) from problem
        found = self._follow(by_hash, reasons)
        if reasons:
            raise NotAccepted(found, reasons)
        return [found[keccak(item)] for item in raws]

    def offer(self, raws: Sequence[bytes]) -> None:
        """Hand raw transactions to the nodes without waiting. Raises `NotAccepted` when one is not taken."""
        reasons = self._send({keccak(item): item for item in raws})
        if reasons:
            raise NotAccepted({}, reasons)

    def _send(self, by_hash: dict[bytes, bytes]) -> dict[bytes, str]:
        """Offer transactions to all nodes; reasons of those that no node takes and that are not mined either."""
        keys = list(by_hash)
        requests = [("eth_sendRawTransaction", ["0x" + by_hash[key].hex()]) for key in keys]
        offers = self._nodes.broadcast(requests)
        refused: dict[bytes, str] = {}
        for at, key in enumerate(keys):
            answers = [offer[at] for offer in offers]
            errors = [answer for answer in answers if isinstance(answer, RpcError)]
            texts = [error.message.lower() for error in errors]
            if len(errors) == len(answers) and not any(part in text for text in texts for part in (*_KNOWN, *_LATER)):
                refused[key] = errors[0].message
        mined = self.receipts(list(refused))
        return {key: reason for key, reason in refused.items() if key not in mined}

    def _follow(self, by_hash: dict[bytes, bytes], reasons: dict[bytes, str]) -> dict[bytes, Receipt]:
        """Wait for receipts and confirmations, sending again what the network may have lost."""
        give_up = time.monotonic() + self._mining_s
        resend_at, pause = time.monotonic() + self._resend_s, self._poll_s
        found: dict[bytes, Receipt] = {}
        nudged = False
        while True:
            told = self._heads.seen()
            missing = [key for key in by_hash if key not in found and key not in reasons]
            if not missing:
                found = self._confirmed(found)
                if len(found) + len(reasons) == len(by_hash):
                    return found
                continue
            fresh = self._patiently(partial(self.receipts, missing)) or {}
            found.update(fresh)
            if fresh:
                give_up = time.monotonic() + self._mining_s
                continue
            if time.monotonic() > give_up:
                raise Problem("ledger_not_mined_yet", money_moved="unknown", seconds=int(self._mining_s))
            if not nudged:
                self._patiently(self._nudge)
                nudged = True
            elif time.monotonic() > resend_at:
                again = partial(self._send, {key: by_hash[key] for key in missing})
                reasons.update(self._patiently(again) or {})
                self._patiently(self._nodes.another)  # the node asked first may have stopped following
                resend_at, nudged = time.monotonic() + self._resend_s, False
            self._heads.wait(told, pause, 1.0)
            pause = min(pause * 1.5, 1.0)

    @staticmethod
    def _patiently(ask: Callable[[], A]) -> A | None:
        """While following sent transactions, nodes that fall silent are waited for like blocks that do not come."""
        try:
            return ask()
        except Problem as problem:
            if problem.code != "ledger_unreachable":
                raise
            return None

    def _nudge(self) -> None:
        """Development nodes can miss the wake-up of a fast sender: ask them to mine; others do not know this."""
        if not hasattr(self, "_development"):
            try:
                self._development = str(self._nodes.ask("web3_clientVersion")).lower().startswith(("anvil", "hardhat"))
            except RpcError:
                self._development = False
        if self._development:
            self._nodes.ask("evm_mine")

    def _confirmed(self, found: dict[bytes, Receipt]) -> dict[bytes, Receipt]:
        """Receipts whose block still is in the chain once enough blocks follow it; the others must be found again."""
        if not self._confirmations or not found:
            return found
        newest = max(receipt.block_number for receipt in found.values())
        give_up = time.monotonic() + self._mining_s
        told = self._heads.seen()
        while self.head().number < newest + self._confirmations:
            if time.monotonic() > give_up:
                raise Problem("ledger_not_mined_yet", money_moved="unknown", seconds=int(self._mining_s))
            self._heads.wait(told, self._poll_s, 1.0)
            told = self._heads.seen()
        hashes = {n: self.header(n).hash for n in {receipt.block_number for receipt in found.values()}}
        return {key: receipt for key, receipt in found.items() if hashes[receipt.block_number] == receipt.block_hash}

    def call(
        self, call: Call, *, sender: str | None = None, at: int | None = None, timestamp: int | None = None
    ) -> bytes:
        """See `Ledger.call`. Without `at` the node answers at its newest block, time included.

        `timestamp` gives the call another time, on nodes that know block overrides.
        """
        request: dict[str, Any] = {"data": "0x" + call.data.hex()}
        if call.to:
            request["to"] = call.to
        if sender:
            request["from"] = sender
        overrides = [] if timestamp is None else [{}, {"time": quantity(timestamp)}]
        try:
            if at is None:
                self._catch_up()
            return raw(self._nodes.ask("eth_call", request, "latest" if at is None else quantity(at), *overrides))
        except RpcError as error:
            data = _revert_data(error)
            if data is None:
                raise Problem("ledger_bad_answer", function=call.function, detail=str(error)) from error
            raise Reverted(data) from error

    def logs(self, first: int, last: int, addresses: Collection[str] | None = None) -> Iterator[Log]:
        """See `Ledger.logs`. Spans that a node finds too long are halved."""
        chosen = None if addresses is None else [checksum(bytes.fromhex(a[2:])) for a in addresses]
        if chosen is not None and not chosen:
            return
        last = min(last, self.head().number)
        start, span = first, _LOG_SPAN
        while start <= last:
            end = min(start + span - 1, last)
            request: dict[str, Any] = {"fromBlock": quantity(start), "toBlock": quantity(end)}
            if chosen is not None:
                request["address"] = chosen
            try:
                items = self._nodes.ask("eth_getLogs", request)
            except RpcError as error:
                if span == 1:
                    raise Problem("ledger_bad_answer", function="eth_getLogs", detail=str(error)) from error
                span = max(1, span // 2)
                continue
            times = self._receipts.times_of({raw(item["blockHash"]) for item in items})
            items.sort(key=lambda item: (number(item["blockNumber"]), number(item["logIndex"])))
            for item in items:
                yield log_of(item, times[raw(item["blockHash"])])
            start = end + 1

    def proof(self, address: str, slots: Sequence[int] = (), at: int | None = None) -> Proof:
        """See `Ledger.proof`."""
        header = self.head() if at is None else self.header(at)
        keys = ["0x" + slot.to_bytes(32, "big").hex() for slot in slots]
        try:
            return proof_of(self._nodes.ask("eth_getProof", address, keys, quantity(header.number)), header)
        except RpcError as error:
            raise Problem("ledger_network_unsupported", method="eth_getProof", detail=str(error)) from error

    def code(self, address: str) -> bytes:
        """See `Ledger.code`."""
        return raw(self._nodes.ask("eth_getCode", address, "latest"))

    def nonce(self, address: str) -> int:
        """See `Ledger.nonce`."""
        return number(self._nodes.ask("eth_getTransactionCount", address, "latest"))

    def close(self) -> None:
        """See `Ledger.close`."""
        self._heads.close()
        self._nodes.close()

    def __enter__(self) -> RpcLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_socket(url: str) -> bool:
    return url.startswith(("ws://", "wss://"))


def _transport(url: str) -> Transport:
    return SocketTransport(url) if _is_socket(url) else HttpTransport(url)


def _revert_data(error: RpcError) -> bytes | None:
    """Revert data of an `eth_call` error as geth, anvil and Besu give it; None when it was no revert."""
    data = error.data
    if isinstance(data, dict):
        data = data.get("data", data.get("result"))
    if isinstance(data, str) and data.startswith(("0x", "Reverted 0x")):
        return bytes.fromhex(data.removeprefix("Reverted ")[2:])
    return b"" if "revert" in error.message.lower() else None
