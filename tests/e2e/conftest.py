"""What the end-to-end tests run on: the command line as a process, and a PostgreSQL cluster where there is one."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.store.conftest import postgresql_cluster  # noqa: F401  a fixture

SCF = [sys.executable, "-c", "from scf.cli import main; main()"]
_numbers = itertools.count()

Scf = Callable[..., subprocess.CompletedProcess[str]]


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process, without settings of whoever runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCF_")}
    return own | {"SCF_LANG": "en", **extra}


@pytest.fixture
def scf(tmp_path: Path) -> Scf:
    """Runs `scf` to its end in a process of its own; settings are keyword arguments."""

    def run(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        command = [*SCF, *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment(settings), capture_output=True, text=True, timeout=600, check=False
        )

    return run


@pytest.fixture
def postgresql(request: pytest.FixtureRequest) -> str:
    """URL of an empty PostgreSQL database; skips with a reason where its server programs are not installed."""
    cluster: str = request.getfixturevalue("postgresql_cluster")
    name = f"scf_e2e_{next(_numbers)}"
    admin = sa.create_engine(cluster.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
    admin.dispose()
    return cluster.rsplit("/", 1)[0] + "/" + name
