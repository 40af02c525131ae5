"""Headers of every answer, and visitors who leave early."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.api.installation import installation

from scf.web.server import create_server


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/openapi.json", "/static/app.css"])
def test_a_visitor_who_leaves_before_the_answer_is_no_error(path: str) -> None:
    """Browsers leave all the time; it must not show as a fault of the program."""
    server = create_server(installation().app)
    sent: list[Any] = []

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
    }
    asyncio.run(server(scope, gone, send))
    assert {name for message in sent for name, _ in message.get("headers", ())} >= (
        {b"x-content-type-options"} if sent else set()
    )
