"""Two hundred browsers that listen at once: one look a second for all of them, and pages still come."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from tests.api.installation import LOTUS, Installation

from scf.store import evidence
from scf.store.evidence import Trust
from scf.web import views_live
from scf.web.server import create_server

STREAMS = 200


@pytest.fixture
def base(demo: Installation) -> Iterator[str]:
    """A server of its own on the test's installation."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(create_server(demo.app), port=port, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


def test_two_hundred_streams_share_one_look_and_hold_up_nobody(
    demo: Installation, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    look = views_live.Pulse._look
    monkeypatch.setattr(views_live.Pulse, "_look", lambda self: looks.append(time.monotonic()) or look(self))

    async def listen(client: httpx.AsyncClient, opened: asyncio.Semaphore) -> list[str]:
        async with client.stream("GET", "/live") as stream:
            assert stream.status_code == 200
            opened.release()
            return [line async for line in stream.aiter_lines() if line.startswith(("event", "data"))]

    async def walk() -> list[list[str]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=base, limits=limits, timeout=60) as client:
            await client.post("/sign-in", data={"address": demo.at(LOTUS)})
            opened = asyncio.Semaphore(0)
            streams = [asyncio.create_task(listen(client, opened)) for _ in range(STREAMS)]
            for _ in range(STREAMS):
                await opened.acquire()
            page = await client.get("/")
            assert page.status_code == 200 and not any(one.done() and one.exception() for one in streams)
            with demo.app.desk.session() as session:
                evidence.record(session, b"new while many listen", kind="reminder", source="scf", sender="scf",
                                trust=Trust.T2, received_at=1)  # fmt: skip
            return list(await asyncio.gather(*streams))

    heard = asyncio.run(walk())
    assert len(heard) == STREAMS and all(lines[0] == "event: start" for lines in heard)
    assert any("event: news" in lines for lines in heard)
    lasted = looks[-1] - looks[0]
    assert len(looks) <= lasted / 0.8 + 2, "one look a second, however many listen"


def test_a_stream_says_nothing_about_what_happened(demo: Installation, base: str) -> None:
    with httpx.Client(base_url=base, timeout=30) as client:
        client.post("/sign-in", data={"address": demo.at(LOTUS)})
        said = client.get("/live").text
    marks = {line.removeprefix("data: ") for line in said.splitlines() if line.startswith("data")}
    height, size = demo.app.desk.head().number, 0
    with demo.app.reading() as session:
        size = evidence.size(session)
    assert marks and all(len(mark) == 24 and int(mark, 16) for mark in marks)
    assert f"{height}-" not in said and f"-{size}" not in said
