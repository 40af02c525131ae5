"""New facts as server-sent events: a page learns that something changed and fetches its own part again."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from scf.app import App
from scf.store import evidence
from scf.web.doors import Signed

router = APIRouter()
STREAM_SECONDS = 4
"""A stream is short, and the browser opens the next: a server that is asked to stop never waits long for one."""
_LOOK_SECONDS = 1.0


class Pulse:
    """Looks once a second for all streams of a server together, and only while there are any.

    A mark tells nobody anything but that it is another one: a digest with a salt of this process. After a restart every
    page therefore fetches its part once more, with whatever happened meanwhile.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._salt = secrets.token_bytes(16)
        self._seen, self._at = "", float("-inf")
        self._looking: asyncio.Future[str] | None = None

    async def mark(self) -> str:
        """The mark of where ledger, evidence and notices stand, at most a second old."""
        if time.monotonic() - self._at >= _LOOK_SECONDS * 0.9:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(run_in_threadpool(self._look))
            self._seen = await asyncio.shield(self._looking)
        return self._seen

    def _look(self) -> str:
        with self._app.reading() as session:
            stands = f"{self._app.desk.head().number}-{evidence.size(session)}-{self._app.notices.count(session)}"
        self._at = time.monotonic()
        return hashlib.sha256(self._salt + stands.encode()).hexdigest()[:24]


@router.get("/live")
async def live(request: Request, caller: Signed, seen: str = "") -> Response:
    """One event whenever ledger, evidence or notices grew; its id says what the browser has seen."""
    last = request.headers.get("last-event-id") or seen
    pulse: Pulse = request.app.state.pulse
    return StreamingResponse(
        _events(request, pulse, last), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _events(request: Request, pulse: Pulse, last: str) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    for _ in range(round(STREAM_SECONDS / _LOOK_SECONDS)):
        now = await pulse.mark()
        if now != last:
            kind = "news" if last else "start"
            last = now
            yield f"id: {now}\nevent: {kind}\ndata: {now}\n\n"
        if await request.is_disconnected():
            return
        await asyncio.sleep(_LOOK_SECONDS)
