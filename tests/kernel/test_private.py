"""What an installation keeps is closed to other users of the machine."""

from __future__ import annotations

import os
from pathlib import Path

from tests.installation import START

from scf.app import open_app
from scf.demo.run import demo_settings
from scf.kernel.clock import VirtualClock


def test_databases_are_for_the_service_alone(tmp_path: Path) -> None:
    """Also where the umask is open, and where an older version left them open to all."""
    folder, before = tmp_path / "new" / "data", os.umask(0o000)
    try:
        with open_app(demo_settings(folder), VirtualClock(START)):
            found = {one.name: one.stat().st_mode & 0o777 for one in folder.glob("*.db*")}
        assert {"scf.db", "ledger.db"} <= set(found) and set(found.values()) == {0o600}, found
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "ledger.db").chmod(0o644)
        with open_app(demo_settings(folder), VirtualClock(START)):
            assert (folder / "ledger.db").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
