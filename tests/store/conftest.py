"""Databases to test on: an SQLite file each, and one throw-away PostgreSQL cluster where its programs are installed."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from tests.store import small_ledger  # noqa: F401  its books are part of every schema here

from scf.store.engine import open_engine
from scf.store.session import create_schema

_numbers = itertools.count()


def _postgresql_programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


def _demote() -> Callable[[], None] | None:
    """PostgreSQL refuses to run as root: become its own user, or nobody."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue

        def become(uid: int = user.pw_uid, gid: int = user.pw_gid) -> None:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)

        return become
    pytest.skip("running as root and there is no unprivileged user for PostgreSQL")


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[str]:
    """URL of the maintenance database of a fresh cluster on 127.0.0.1, stopped and removed at the end."""
    programs = _postgresql_programs()
    if programs is None:
        pytest.skip("the PostgreSQL server programs are not installed")
    pytest.importorskip("psycopg")
    become = _demote()
    folder = Path(tempfile.mkdtemp(prefix="scf-postgresql-"))
    folder.chmod(0o777)
    data = folder / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(programs / program), "-D", str(data), *arguments],
            preexec_fn=become,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )

    try:
        made = call("initdb", "--auth=trust", "--username=scf", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        if made.returncode:
            pytest.skip(f"initdb failed: {made.stderr.strip()[-200:]}")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        started = call("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        if started.returncode:
            pytest.skip(f"PostgreSQL did not start: {started.stdout.strip()[-200:]}")
        try:
            yield f"postgresql://scf@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _create_database(cluster: str, template: str) -> str:
    name = f"scf_test_{next(_numbers)}"
    admin = sa.create_engine(cluster.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    admin.dispose()
    return cluster.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(scope="session")
def postgresql_template(postgresql_cluster: str) -> str:
    """Name of a database that has the schema, to be copied: faster than making it for every test."""
    url = _create_database(postgresql_cluster, "template0")
    made = open_engine(url)
    create_schema(made)
    made.dispose()
    return url.rsplit("/", 1)[1]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file that has the schema, to be copied."""
    file = tmp_path_factory.mktemp("template") / "scf.db"
    made = open_engine(f"sqlite:///{file}")
    create_schema(made)
    made.dispose()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/scf.db"
    return _create_database(request.getfixturevalue("postgresql_cluster"), "template0")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database with the schema, of each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "scf.db")
        made = open_engine(f"sqlite:///{tmp_path}/scf.db")
    else:
        template = request.getfixturevalue("postgresql_template")
        made = open_engine(_create_database(request.getfixturevalue("postgresql_cluster"), template))
    yield made
    made.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/scf.db"
