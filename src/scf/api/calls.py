"""The last calls of each firm's programs, so that whoever integrates sees what arrived and what was answered.

Kept are method, path, status and duration: no query, no body, no header. Calls are written a few at a time; those of
the last seconds before a crash may be missing here, and only here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from threading import Lock

import sqlalchemy as sa
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scf.api.models import ApiCall
from scf.app import App

KEPT = 50
_AT_ONCE = 20
_SECONDS = 3.0


class CallLog:
    """Notes the calls of programs and keeps the last 50 of each seat."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting: deque[ApiCall] = deque(maxlen=1000)
        self._lock = Lock()
        self._written = time.monotonic()

    def note(self, address: str, token: str, method: str, path: str, status: int, millis: int) -> bool:
        """Note one call; True when it is time to write."""
        self._waiting.append(
            ApiCall(
                address=address,
                token=token,
                method=method[:8],
                path=path[:200],
                status=status,
                millis=millis,
                at=self._app.clock.now(),
            )
        )
        return len(self._waiting) >= _AT_ONCE or time.monotonic() - self._written > _SECONDS

    def write(self) -> None:
        """Write what was noted and drop what is older than the last 50 of a seat."""
        with self._lock:
            self._written = time.monotonic()
            rows = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if not rows:
                return
            with self._app.desk.session() as session:
                session.add_all(rows)
                session.flush()
                for address in {row.address for row in rows}:
                    last = select(ApiCall.id).where(ApiCall.address == address).order_by(col(ApiCall.id).desc())
                    oldest = session.exec(last.offset(KEPT - 1).limit(1)).one_or_none()
                    if oldest is not None:
                        session.exec(
                            sa.delete(ApiCall).where(col(ApiCall.address) == address, col(ApiCall.id) < oldest)
                        )

    def of(self, session: Session, address: str) -> Sequence[ApiCall]:
        """The last calls of a seat's programs, newest first."""
        query = select(ApiCall).where(ApiCall.address == address)
        return session.exec(query.order_by(col(ApiCall.id).desc()).limit(KEPT)).all()


class LogCalls:
    """Notes every call that came with a token, as plain ASGI."""

    def __init__(self, app: ASGIApp, log: CallLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        state = scope["state"] = dict(scope.get("state") or {})

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            program = state.get("program")
            if program is not None:
                millis = round((time.perf_counter() - began) * 1000)
                address, token = program
                if self._log.note(address, token, scope["method"], scope["path"], status, millis):
                    await run_in_threadpool(self._log.write)
