"""The demonstration served on a free port and looked at in Chromium: what pictures and page timings share."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

START_SECONDS = 300


@contextmanager
def demo_server(data: Path) -> Iterator[str]:
    """Address of `scf demo` on `data`, which is made first where it is not there yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-c", "from scf.cli import main; main()"]
    child = subprocess.Popen(
        [*program, "demo", "--data", str(data), "--port", str(port)], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                urlopen(address + "/sign-in", timeout=5).close()
                break
            except (URLError, OSError):
                if child.poll() is not None or time.monotonic() > until:
                    raise SystemExit("the demonstration did not start") from None
                time.sleep(0.3)
        yield address
    finally:
        child.terminate()
        child.wait(20)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser. Exits with a sentence where none is installed."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("no Chromium is installed (Debian: apt-get install chromium fonts-noto-cjk)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def sign_in(context: Any, address: str, firm: str, seat: int = 0) -> None:
    """Sign a context in as one seat (from 0) of the firm whose name on the demo sign-in page contains `firm`."""
    page = context.new_page()
    page.goto(address + "/sign-in")
    with page.expect_navigation():
        page.locator("section.card", has_text=firm).locator("form[action='/sign-in'] button").nth(seat).click()
    page.close()
