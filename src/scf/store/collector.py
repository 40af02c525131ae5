"""Python's cycle collector, told to come by less often while sets of rows stream in.

A replay keeps hundreds of thousands of rows that hold no cycles; looking through them again and again took a third of
its time. The setting is the process's own, so the last one to leave puts it back.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = (50_000, 20, 50)
_lock = threading.Lock()
_inside = 0
_usual = gc.get_threshold()


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Inside, the collector looks at new objects after 50,000 of them instead of 700, and at old ones rarely."""
    global _inside, _usual
    with _lock:
        if not _inside:
            _usual = gc.get_threshold()
            gc.set_threshold(*_SELDOM)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.set_threshold(*_usual)
