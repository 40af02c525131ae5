"""Files and folders of an installation that are for its own user alone."""

from __future__ import annotations

import os
from pathlib import Path


def private_folder(path: Path) -> None:
    """Make a folder that is closed to others; one that is there already stays as its owner made it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def private_file(path: Path) -> None:
    """Make sure a file is there and closed to others before anybody writes into it; an open one of ours is closed."""
    path.touch(mode=0o600)
    state = path.stat()
    if state.st_mode & 0o077 and state.st_uid == os.geteuid():
        path.chmod(0o600)
