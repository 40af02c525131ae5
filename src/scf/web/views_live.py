"""New facts as server-sent events: a page learns that something changed and fetches its own part again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from scf.app import App
from scf.store import evidence
from scf.web.doors import PagesDoor, Signed

router = APIRouter()
STREAM_SECONDS = 4
"""A stream is short, and the browser opens the next: a server that is asked to stop never waits long for one."""
_LOOK_SECONDS = 1.0


@router.get("/live")
async def live(request: Request, pages: PagesDoor, caller: Signed, seen: str = "") -> Response:
    """One event whenever ledger, evidence or notices grew; its id says what the browser has seen."""
    last = request.headers.get("last-event-id") or seen
    return StreamingResponse(
        _events(request, pages.app, last), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _events(request: Request, app: App, last: str) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    for _ in range(round(STREAM_SECONDS / _LOOK_SECONDS)):
        now = await run_in_threadpool(_mark, app)
        if now != last:
            kind = "news" if last else "start"
            last = now
            yield f"id: {now}\nevent: {kind}\ndata: {now}\n\n"
        if await request.is_disconnected():
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _mark(app: App) -> str:
    """Where ledger, evidence and notices stand; reveals nothing but that they grew."""
    with app.reading() as session:
        return f"{app.desk.head().number}-{evidence.size(session)}-{app.notices.count(session)}"
