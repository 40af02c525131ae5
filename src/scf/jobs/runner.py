"""Runs the jobs of a serving installation beside its requests, in one thread, until it is told to stop.

The embedded ledger has one writing process, so that jobs run where the pages are served.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from scf.jobs.service import Jobs

PAUSE_SECONDS = 30
_log = logging.getLogger(__name__)


class JobRunner:
    """A context manager: jobs run from its beginning to its end. A run that fails is logged and the next one comes."""

    def __init__(self, jobs: Jobs, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._jobs = jobs
        self._pause = pause_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scf jobs", daemon=True)

    def __enter__(self) -> JobRunner:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._once()
            self._ended.wait(self._pause)

    def _once(self) -> None:
        try:
            self._jobs.start()
            for one in self._jobs.run_due():
                if not one.succeeded:
                    _log.warning("job %s failed: %s", one.name, one.outcome)
        except Exception:
            _log.exception("jobs stopped in the middle; they go on with the next round")
