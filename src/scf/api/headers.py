"""Headers that every answer carries, added as plain ASGI: a visitor who leaves before the answer is no error."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AddHeaders:
    """Adds what `headers_of(scope)` says to each answer, where the answer does not say it itself."""

    def __init__(self, app: ASGIApp, headers_of: Callable[[Scope], Mapping[str, str]]) -> None:
        self._app = app
        self._headers_of = headers_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers_of(scope).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
