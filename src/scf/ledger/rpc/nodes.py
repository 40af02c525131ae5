"""Several nodes of one network: ask the first that works, pass over those that fail, return to them with back-off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.rpc.transport import Request, RpcError, Transport, TransportError

_BATCH = 100
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 15.0


@dataclass
class Node:
    """One node and how it has been doing."""

    transport: Transport
    failures: int = 0
    retry_at: float = 0.0
    error: str = ""
    checked: bool = False
    head: int = -1
    lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, error: str) -> None:
        """Note a failure; the next attempt waits twice as long as the one before."""
        self.failures += 1
        self.error = error
        self.checked = False
        self.retry_at = time.monotonic() + min(_FIRST_PAUSE_S * 2 ** (self.failures - 1), _LONGEST_PAUSE_S)

    def worked(self) -> None:
        """Note an answer."""
        self.failures, self.error, self.retry_at = 0, "", 0.0


class Nodes:
    """All nodes of a network.

    Args:
        transports: in order of preference.
        check: called once for a node before it is used and after each failure; raises TransportError for a node that
            belongs to another network.
        patience_s: how long to go on trying when no node answers.
    """

    def __init__(
        self, transports: Sequence[Transport], check: Callable[[Transport], None], *, patience_s: float = 10.0
    ) -> None:
        self.nodes = [Node(transport) for transport in transports]
        self._check = check
        self._patience_s = patience_s
        self._preferred = 0

    def ask(self, method: str, *params: Any) -> Any:
        """Result of one request. Raises RpcError, or Problem `ledger_unreachable` when nobody answers."""
        answer = self.ask_all([(method, params)])[0]
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def ask_all(self, requests: Sequence[Request]) -> list[Any]:
        """Results (or RpcErrors) of many requests, sent as batches to one node after the other until one answers."""
        found: list[Any] = []
        for start in range(0, len(requests), _BATCH):
            found += self._ask(requests[start : start + _BATCH])
        return found

    def answers(self, requests: Sequence[Request]) -> list[Any]:
        """Results of many requests. Raises the first RpcError among them."""
        found = self.ask_all(requests)
        for answer in found:
            if isinstance(answer, RpcError):
                raise answer
        return found

    def broadcast(self, requests: Sequence[Request]) -> list[list[Any]]:
        """The same requests to every node that works; answers of each. Raises Problem `ledger_unreachable`."""
        answers: list[list[Any]] = []
        for node in self.nodes:
            if node.failures and time.monotonic() < node.retry_at:
                continue
            try:
                one: list[Any] = []
                for start in range(0, len(requests), _BATCH):
                    one += self._ask_node(node, requests[start : start + _BATCH])
                answers.append(one)
            except TransportError as error:
                node.failed(str(error))
        if not answers:
            answers.append(self.ask_all(requests))
        return answers

    def prefer(self, number: int) -> None:
        """Pass over a node whose head is behind a block already seen, when another node is not behind."""
        for at, node in enumerate(self.nodes):
            if node.head >= number and not node.failures:
                self._preferred = at
                return

    def another(self) -> bool:
        """Turn to the working node whose head is highest; False when that is the one already preferred."""
        if len(self.nodes) == 1:
            return False
        self.survey()
        best = max(range(len(self.nodes)), key=lambda at: (not self.nodes[at].failures, self.nodes[at].head))
        changed, self._preferred = best != self._preferred, best
        return changed

    def survey(self) -> list[Node]:
        """Ask every node for its head; afterwards each node knows how far it is."""
        for node in self.nodes:
            if node.failures and time.monotonic() < node.retry_at:
                continue
            try:
                self._ask_node(node, [("eth_blockNumber", [])])
            except TransportError as error:
                node.failed(str(error))
        return self.nodes

    def status(self) -> list[dict[str, Any]]:
        """Each node's name, whether it works, its head and its last error."""
        return [
            {"node": node.transport.name, "works": node.failures == 0, "head": node.head, "error": node.error}
            for node in self.nodes
        ]

    def close(self) -> None:
        """Close all connections."""
        for node in self.nodes:
            node.transport.close()

    def _ask(self, requests: Sequence[Request]) -> list[Any]:
        give_up = time.monotonic() + self._patience_s
        while True:
            for step in range(len(self.nodes)):
                at = (self._preferred + step) % len(self.nodes)
                node = self.nodes[at]
                if node.failures and time.monotonic() < node.retry_at:
                    continue
                try:
                    answers = self._ask_node(node, requests)
                except TransportError as error:
                    node.failed(str(error))
                    continue
                self._preferred = at
                return answers
            if time.monotonic() >= give_up:
                detail = "; ".join(f"{node.transport.name}: {node.error}" for node in self.nodes)
                raise Problem("ledger_unreachable", detail=detail)
            time.sleep(max(0.05, min(node.retry_at for node in self.nodes) - time.monotonic()))

    def _ask_node(self, node: Node, requests: Sequence[Request]) -> list[Any]:
        if not node.checked:
            with node.lock:
                self._check(node.transport)
                node.checked = True
        answers = node.transport.ask(requests)
        node.worked()
        for (method, _), answer in zip(requests, answers, strict=True):
            if method == "eth_blockNumber" and isinstance(answer, str):
                node.head = int(answer, 16)
        return answers
