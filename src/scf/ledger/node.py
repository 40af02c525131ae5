"""The embedded ledger as an ordinary JSON-RPC node on 127.0.0.1, so that web3.py, cast or an explorer can read it.

Reads of the `eth_`, `net_` and `web3_` families, and `eth_sendRawTransaction`: it holds no keys and signs nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.filters import filter_methods
from scf.ledger.hashing import keccak
from scf.ledger.jsonform import block_json, log_json, proof_json, receipt_json, transaction_json
from scf.ledger.protocol import NotAccepted
from scf.ledger.rpc.formats import number, quantity, raw
from scf.ledger.transactions import UnreadableTransactionError, decode_transaction
from scf.ledger.types import Header

_MOST_BODY_BYTES = 5_000_000
_MOST_LOGS = 20_000
_BLOCK_TAGS = {"latest", "pending", "safe", "finalized"}

Json = dict[str, Any]


class InvalidRequestError(Exception):
    """The request asks for something that cannot be answered; `code` is JSON-RPC's."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(message)


class Methods:
    """JSON-RPC methods over an embedded ledger."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self._ledger = ledger
        self._methods: Mapping[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "scf-ledger/1",
            "web3_sha3": lambda data: "0x" + keccak(raw(data)).hex(),
            "net_version": lambda: str(ledger.chain_id),
            "net_listening": lambda: True,
            "net_peerCount": lambda: "0x0",
            "eth_chainId": lambda: quantity(ledger.chain_id),
            "eth_syncing": lambda: False,
            "eth_mining": lambda: False,
            "eth_accounts": list,
            "eth_gasPrice": lambda: "0x0",
            "eth_maxPriorityFeePerGas": lambda: "0x0",
            "eth_feeHistory": self._fee_history,
            "eth_blockNumber": lambda: quantity(ledger.head().number),
            "eth_getBalance": lambda address, tag="latest": quantity(self._proof(address, (), tag).balance),
            "eth_getTransactionCount": lambda address, tag="latest": quantity(self._proof(address, (), tag).nonce),
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_getProof": self._get_proof,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockTransactionCountByNumber": self._count,
            "eth_getBlockTransactionCountByHash": lambda key: self._count({"blockHash": key}),
            "eth_getUncleCountByBlockNumber": lambda tag: quantity(0 * self._block_at(tag)),
            "eth_getUncleCountByBlockHash": lambda key: quantity(0 * self._block_at({"blockHash": key})),
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionByBlockNumberAndIndex": self._transaction_at,
            "eth_getTransactionByBlockHashAndIndex": lambda key, at: self._transaction_at({"blockHash": key}, at),
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
            "eth_sendRawTransaction": self._send,
            **filter_methods(ledger.head, self._block_at, self._logs, self._block_hash),
        }

    def answer(self, request: Any) -> Json:
        """The JSON-RPC 2.0 answer to one request."""
        identity = request.get("id") if isinstance(request, dict) else None
        try:
            return {"jsonrpc": "2.0", "id": identity, "result": self._result(request)}
        except InvalidRequestError as error:
            told: Json = {"code": error.code, "message": error.message}
            if error.data is not None:
                told["data"] = error.data
        except Problem as problem:
            told = {"code": -32000, "message": problem.sentence("en"), "data": {"code": problem.code}}
        except TypeError:
            told = {"code": -32602, "message": "invalid params: missing, too many or of the wrong type"}
        except (ValueError, KeyError, IndexError) as error:
            told = {"code": -32602, "message": f"invalid params: {str(error)[:200]}"}
        return {"jsonrpc": "2.0", "id": identity, "error": told}

    def _result(self, request: Any) -> Any:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            raise InvalidRequestError(-32600, "invalid request")
        method = self._methods.get(request["method"])
        if method is None:
            raise InvalidRequestError(-32601, f"the method {request['method']} is not available")
        params = request.get("params") or []
        if not isinstance(params, list):
            raise InvalidRequestError(-32602, "params must be a list")
        return method(*params)

    def _at(self, tag: Any) -> int | None:
        """Block number of a tag; None for a block that does not exist."""
        if isinstance(tag, dict):
            return self._ledger.number_of(raw(tag["blockHash"])) if "blockHash" in tag else self._at(tag["blockNumber"])
        if tag in _BLOCK_TAGS or tag is None:
            return self._ledger.head().number
        if tag == "earliest":
            return 0
        found = number(tag)
        return found if found <= self._ledger.head().number else None

    def _block_at(self, tag: Any) -> int:
        found = self._at(tag)
        if found is None:
            raise InvalidRequestError(-32000, "header not found")
        return found

    def _proof(self, address: str, slots: tuple[int, ...], tag: Any) -> Any:
        return self._ledger.proof(address, slots, self._block_at(tag))

    def _code(self, address: str, tag: Any = "latest") -> str:
        self._block_at(tag)  # contracts of this ledger never change or disappear
        return "0x" + self._ledger.code(address).hex()

    def _storage(self, address: str, slot: Any, tag: Any = "latest") -> str:
        proof = self._proof(address, (number(slot),), tag)
        return "0x" + int(proof.slots[0].value).to_bytes(32, "big").hex()

    def _get_proof(self, address: str, slots: list[Any], tag: Any = "latest") -> Json:
        return proof_json(self._proof(address, tuple(number(slot) for slot in slots), tag), slots)

    def _call(self, request: Json, tag: Any = "latest", *_: Any) -> str:
        succeeded, output, _gas = self._run(request, tag)
        if not succeeded:
            raise InvalidRequestError(3, "execution reverted", "0x" + output.hex())
        return "0x" + output.hex()

    def _estimate(self, request: Json, tag: Any = "latest") -> str:
        succeeded, output, gas = self._run(request, tag)
        if not succeeded:
            raise InvalidRequestError(3, "execution reverted", "0x" + output.hex())
        data = raw(request.get("data") or request.get("input") or "0x")
        base = 21_000 + (0 if request.get("to") else 32_000 + 200 * len(output)) + 16 * len(data)
        return quantity((base + gas) * 5 // 4)

    def _run(self, request: Json, tag: Any) -> tuple[bool, bytes, int]:
        data = raw(request.get("data") or request.get("input") or "0x")
        at = None if tag in ("latest", "pending", None) else self._block_at(tag)
        return self._ledger.try_call(request.get("to") or "", data, sender=request.get("from"), at=at)

    def _block_by_number(self, tag: Any, full: bool = False) -> Json | None:
        at = self._at(tag)
        return None if at is None else block_json(self._ledger, at, full=full)

    def _block_by_hash(self, block_hash: str, full: bool = False) -> Json | None:
        at = self._ledger.number_of(raw(block_hash))
        return None if at is None else block_json(self._ledger, at, full=full)

    def _count(self, tag: Any) -> str:
        return quantity(len(self._ledger.block(self._block_at(tag)).transactions))

    def _block_receipts(self, tag: Any) -> list[Json] | None:
        at = self._at(tag)
        if at is None:
            return None
        hashes = [decode_transaction(item).hash for item in self._ledger.block(at).transactions]
        return [self._receipt("0x" + key.hex()) or {} for key in hashes]

    def _transaction(self, transaction_hash: str) -> Json | None:
        found = self._ledger.transaction(raw(transaction_hash))
        if found is None:
            return None
        return transaction_json(decode_transaction(found[2]), self._header(found[0]), found[1])

    def _transaction_at(self, tag: Any, index: Any) -> Json | None:
        at = self._block_at(tag)
        items = self._ledger.block(at).transactions
        place = number(index)
        return (
            transaction_json(decode_transaction(items[place]), self._header(at), place) if place < len(items) else None
        )

    def _receipt(self, transaction_hash: str) -> Json | None:
        key = raw(transaction_hash)
        receipt, found = self._ledger.receipt(key), self._ledger.transaction(key)
        if receipt is None or found is None:
            return None
        canonical = self._ledger.block(found[0]).receipts[found[1]]
        return receipt_json(receipt, canonical, decode_transaction(found[2]))

    def _block_hash(self, at: int) -> str:
        return "0x" + self._header(at).hash.hex()

    def _header(self, at: int) -> Header:
        return self._ledger.header(at)

    def _logs(self, request: Json) -> list[Json]:
        if "blockHash" in request:
            at = self._ledger.number_of(raw(request["blockHash"]))
            if at is None:
                raise InvalidRequestError(-32000, "unknown block")
            first = last = at
        else:
            first = self._block_at(request.get("fromBlock", "latest"))
            ending = self._at(request.get("toBlock", "latest"))
            last = self._ledger.head().number if ending is None else ending
        chosen = request.get("address")
        addresses = [chosen] if isinstance(chosen, str) else chosen
        wanted = [_topics(item) for item in request.get("topics") or ()]
        found = []
        for log in self._ledger.logs(first, last, addresses or None):
            if _fits(log.topics, wanted):
                found.append(log_json(log))
                if len(found) > _MOST_LOGS:
                    raise InvalidRequestError(-32005, f"more than {_MOST_LOGS} logs; ask for fewer blocks")
        return found

    def _send(self, item: str) -> str:
        try:
            transaction = decode_transaction(raw(item))
            self._ledger.submit([transaction.raw])
        except UnreadableTransactionError as error:
            raise InvalidRequestError(-32000, str(error)) from error
        except NotAccepted as error:
            raise InvalidRequestError(-32000, next(iter(error.reasons.values()))) from error
        return "0x" + transaction.hash.hex()

    def _fee_history(self, count: Any, newest: Any, percentiles: list[float] | None = None) -> Json:
        last = self._block_at(newest)
        blocks = min(number(count), last + 1)
        rewards = {"reward": [["0x0"] * len(percentiles)] * blocks} if percentiles else {}
        return {
            "oldestBlock": quantity(last - blocks + 1),
            "baseFeePerGas": ["0x0"] * (blocks + 1),
            "gasUsedRatio": [
                self._header(at).gas_used / self._ledger.gas_limit for at in range(last - blocks + 1, last + 1)
            ],
            **rewards,
        }


def _topics(item: Any) -> set[bytes] | None:
    if item is None:
        return None
    return {raw(topic) for topic in ([item] if isinstance(item, str) else item)}


def _fits(topics: tuple[bytes, ...], wanted: list[set[bytes] | None]) -> bool:
    return len(topics) >= len(wanted) and all(
        choice is None or topic in choice for topic, choice in zip(topics, wanted, strict=False)
    )


class LedgerNode:
    """Serves a ledger as JSON-RPC over HTTP on the loopback interface alone.

    Requests whose Host header names another host are refused, so that no web page reaches it by a name of its own.
    """

    def __init__(self, ledger: EmbeddedLedger, port: int = 0) -> None:
        methods = Methods(ledger)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                host = (self.headers.get("host") or "").rsplit(":", 1)[0]
                if host not in ("127.0.0.1", "localhost") or not 0 < size <= _MOST_BODY_BYTES:
                    self.send_error(403 if host not in ("127.0.0.1", "localhost") else 413)
                    return
                self._tell(_answer(methods, self.rfile.read(size)))

            def _tell(self, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Requests are not logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def serve(self) -> None:
        """Answer until `close` is called from another thread."""
        self._server.serve_forever()

    def start(self) -> LedgerNode:
        """Answer in a thread of its own."""
        threading.Thread(target=self._server.serve_forever, daemon=True, name="ledger-node").start()
        return self

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> LedgerNode:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def _answer(methods: Methods, body: bytes) -> Any:
    try:
        request = json.loads(body)
    except ValueError:
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}
    if isinstance(request, list):
        if not request:
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "an empty batch"}}
        return [methods.answer(item) for item in request]
    return methods.answer(request)
