"""One writer process a file: an operating-system lock beside it, released by the kernel even after a kill."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from scf.kernel.problems import Problem


class FileLock:
    """Exclusive lock on `PATH.lock`. Raises Problem `ledger_in_use` while another process (or ledger) holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._handle, 20, 0).decode(errors="replace").strip() or "?"
            os.close(self._handle)
            raise Problem("ledger_in_use", path=str(path), process=holder) from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give the file free."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
