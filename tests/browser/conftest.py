"""A real browser on a real server: Playwright drives Debian's Chromium where it is installed."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from tests.api.installation import Installation, installation

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PHONE, DESK = (320, 640), (1200, 800)


@dataclass
class Visit:
    """One browser context signed in as a seat, with everything the browser complained about."""

    page: Any
    base: str
    demo: Installation
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, path: str) -> Any:
        """Go to a page of ours."""
        return self.page.goto(self.base + path)

    def sideways(self) -> int:
        """Pixels one can scroll sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def quiet(self) -> None:
        """Fail on console errors, policy violations and requests to other hosts."""
        assert self.complaints == []
        assert self.foreign == []


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """Address of a server of the shared installation."""
    import uvicorn

    from scf.web.server import create_server

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(create_server(installation().app, reading_speed=1e9), port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def until_loaded(click: Callable[..., None]) -> Callable[..., None]:
    """A click that ends when the page it leads to is there; Chromium's own ends when that page begins."""

    @wraps(click)
    def clicked(self: Any, *args: Any, **options: Any) -> None:
        click(self, *args, **options)
        getattr(self, "page", self).wait_for_load_state("load")

    return clicked


def once_there(all_of: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """All that a locator finds, once there is one and its page has come."""

    @wraps(all_of)
    def found(self: Any) -> list[Any]:
        self.first.wait_for(state="attached")
        self.page.wait_for_load_state("load")
        return all_of(self)

    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, or a skip that says what is missing."""
    if not Path(CHROMIUM).exists() and shutil.which("chromium") is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    for kind in (playwright.Locator, playwright.Page):
        kind.click = until_loaded(kind.click)
    playwright.Locator.all = once_there(playwright.Locator.all)
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=shutil.which("chromium") or CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def visit(browser: Any, base: str) -> Iterator[Callable[..., Visit]]:
    """Open the browser as a seat: size, language, JavaScript and colours as wished."""
    demo, contexts = installation(), []

    def start(
        code: str = "",
        seat: str = "account",
        *,
        size: tuple[int, int] = DESK,
        language: str = "en",
        javascript: bool = True,
        dark: bool = False,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            has_touch=size == PHONE,
        )
        contexts.append(context)
        if code:
            context.request.post(base + "/sign-in", form={"address": demo.at(code, seat)})
        one = Visit(context.new_page(), base, demo)
        one.page.on("console", lambda message: message.type == "error" and one.complaints.append(message.text))
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.on("request", lambda request: request.url.startswith(base) or one.foreign.append(request.url))
        return one

    yield start
    for context in contexts:
        context.close()
