"""How requests reach a node: batched on kept-alive HTTP or a WebSocket, or through any provider of web3.py."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

Request = tuple[str, Sequence[Any]]
"""Method and parameters."""


class TransportError(Exception):
    """The node did not answer, or not with what was asked for: try another one, or later."""


class RpcError(Exception):
    """The node answered with an error of its own."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(f"{message} ({code})")


class Transport(Protocol):
    """Sends requests to one node."""

    name: str

    def ask(self, requests: Sequence[Request]) -> list[Any]:
        """One result or RpcError for each request, in order. Raises TransportError when the node fails as a whole."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class HttpTransport:
    """JSON-RPC 2.0 over HTTP; several requests go as one batch. No proxy of the environment is used."""

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        address = httpx.URL(url)
        self.name = f"{address.scheme}://{address.netloc.decode()}"  # without password, or key in the path
        self._url = address.copy_with(username="", password="")
        auth = (address.username, address.password) if address.userinfo else None
        self._client = httpx.Client(auth=auth, timeout=httpx.Timeout(timeout_s, connect=3.0), trust_env=False)

    def ask(self, requests: Sequence[Request]) -> list[Any]:
        """See `Transport.ask`."""
        body = _body(requests)
        try:
            response = self._client.post(self._url, json=body if len(body) != 1 else body[0])
            response.raise_for_status()
            answers = response.json()
        except httpx.HTTPStatusError as error:
            raise TransportError(f"HTTP status {error.response.status_code}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise TransportError(f"{type(error).__name__}: {error}"[:200]) from error
        return _in_order(answers if isinstance(answers, list) else [answers], len(body))

    def close(self) -> None:
        """See `Transport.close`."""
        self._client.close()


class SocketTransport:
    """JSON-RPC 2.0 over a WebSocket that is opened when it is first needed, and again after it broke."""

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        address = httpx.URL(url)
        self.name = f"{address.scheme}://{address.netloc.decode()}"  # without password, or key in the path
        self._url = url
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._socket: ClientConnection | None = None

    def ask(self, requests: Sequence[Request]) -> list[Any]:
        """See `Transport.ask`."""
        body = _body(requests)
        with self._lock:
            try:
                if self._socket is None:
                    self._socket = open_socket(self._url)
                self._socket.send(json.dumps(body if len(body) != 1 else body[0]))
                answers = json.loads(self._socket.recv(timeout=self._timeout_s))
            except (OSError, ValueError, WebSocketException) as error:
                self._drop()
                raise TransportError(f"{type(error).__name__}: {error}"[:200]) from error
            try:
                return _in_order(answers if isinstance(answers, list) else [answers], len(body))
            except TransportError:
                self._drop()  # what comes next on this socket might answer an older question
                raise

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """See `Transport.close`."""
        with self._lock:
            self._drop()


def open_socket(url: str) -> ClientConnection:
    """A WebSocket to a node, without the proxy of the environment. Raises OSError or WebSocketException."""
    return connect(url, open_timeout=3, max_size=2**28, proxy=None)


class ProviderTransport:
    """A provider of web3.py as transport, for example its eth-tester or IPC provider."""

    def __init__(self, provider: Any) -> None:
        from web3 import Web3  # late: a second of imports that plain HTTP does not need

        self.name = str(provider)
        self._provider = provider
        self._web3: Any = Web3(provider)

    def ask(self, requests: Sequence[Request]) -> list[Any]:
        """See `Transport.ask`."""
        return [self._one(method, params) for method, params in requests]

    def _one(self, method: str, params: Sequence[Any]) -> Any:
        try:
            answer = self._provider.request_func(self._web3, self._web3.middleware_onion)(method, list(params))
        except Exception as error:
            return RpcError(-32000, str(error), getattr(error, "data", None))
        return _result(answer)

    def close(self) -> None:
        """See `Transport.close`."""


def _body(requests: Sequence[Request]) -> list[dict[str, Any]]:
    return [
        {"jsonrpc": "2.0", "id": at, "method": method, "params": list(params)}
        for at, (method, params) in enumerate(requests)
    ]


def _in_order(answers: list[Any], count: int) -> list[Any]:
    by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
    if len(by_id) == 1 and None in by_id and "error" in by_id[None]:
        raise TransportError(str(by_id[None]["error"])[:200])
    if set(by_id) != set(range(count)):
        raise TransportError("the answers do not fit the questions")
    return [_result(by_id[at]) for at in range(count)]


def _result(answer: Any) -> Any:
    error = answer.get("error")
    if error is not None:
        return RpcError(int(error.get("code", -32000)), str(error.get("message", "")), error.get("data"))
    if "result" not in answer:
        raise TransportError("an answer carries neither result nor error")
    return answer["result"]
