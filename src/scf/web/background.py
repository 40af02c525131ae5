"""What a serving process does beside answering: it sends webhooks that are due."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import structlog

from scf.app import App
from scf.kernel.problems import Problem

_PAUSE_SECONDS = 2.0
_log = structlog.get_logger("scf.background")


@contextmanager
def webhooks_sent(app: App, *, pause_seconds: float = _PAUSE_SECONDS) -> Iterator[None]:
    """While this lasts, what is due to webhooks is sent every few seconds; nothing runs where none may be called."""
    stop = Event()

    def work() -> None:
        while not stop.wait(pause_seconds):
            try:
                app.webhooks.deliver()
            except Problem as problem:  # the database is busy or full: the next round tries again
                _log.warning("webhooks wait", code=problem.code)

    thread = Thread(target=work, name="webhooks", daemon=True)
    if app.webhooks.are_on:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if thread.is_alive():
            thread.join(pause_seconds + 1)
