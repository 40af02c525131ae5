"""News of new blocks by subscription (`eth_subscribe`), for nodes named by a ws:// URL; everybody else is polled."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress

from websockets.exceptions import WebSocketException

from scf.ledger.rpc.transport import open_socket

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 15.0
_LISTEN_S = 0.5


class Heads:
    """Wakes whoever waits for a block as soon as one of the nodes tells of one.

    A subscription is a hint, never a fact: who is woken asks the node as it would have done anyway, and while no node
    can be listened to, `wait` is a plain pause. A broken connection is opened again, with back-off.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = list(urls)
        self._news = threading.Condition()
        self._count = 0
        self._ended = threading.Event()
        self._listening: set[str] = set()
        self._threads = [threading.Thread(target=self._listen, args=(url,), daemon=True) for url in self._urls]
        for thread in self._threads:
            thread.start()

    @property
    def listening(self) -> bool:
        """Whether some node tells of its blocks right now."""
        return bool(self._listening)

    def seen(self) -> int:
        """How many blocks were told of so far; ask before looking, and give it to `wait`."""
        return self._count

    def wait(self, seen: int, pause_s: float, longest_s: float) -> None:
        """Return once a block was told of after `seen`, or after `longest_s`; without subscription after `pause_s`."""
        with self._news:
            self._news.wait_for(lambda: self._count != seen, longest_s if self.listening else pause_s)

    def close(self) -> None:
        """Stop listening."""
        self._ended.set()
        for thread in self._threads:
            thread.join(2)

    def _listen(self, url: str) -> None:
        pause = _FIRST_PAUSE_S
        while not self._ended.is_set():
            with suppress(OSError, ValueError, WebSocketException):
                self._follow(url)
            heard = url in self._listening
            self._listening.discard(url)
            pause = _FIRST_PAUSE_S if heard else min(pause * 2, _LONGEST_PAUSE_S)
            self._ended.wait(pause)

    def _follow(self, url: str) -> None:
        with open_socket(url) as socket:
            socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}))
            if "result" not in json.loads(socket.recv(timeout=5)):
                raise ValueError("the node has no subscriptions")
            self._listening.add(url)
            while not self._ended.is_set():
                try:
                    socket.recv(timeout=_LISTEN_S)
                except TimeoutError:
                    continue
                with self._news:
                    self._count += 1
                    self._news.notify_all()
