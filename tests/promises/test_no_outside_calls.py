"""No call leaves the installation: the whole demonstration, its pages and its audit run with the network walled off."""

from __future__ import annotations

import ipaddress
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scf.app import App, open_app
from scf.audit import service as audit
from scf.demo import run
from scf.demo.cast import CORE, address
from scf.demo.play import Silence
from scf.installation import Settings
from scf.web.server import create_server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

_LEAVING = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")
_ABSOLUTE = re.compile(
    r"""(?:\b(?:src|href|action|formaction|poster|srcset|data|cite|background|ping)\s*=\s*["']?|url\(\s*["']?|@import\s+["']?)
    \s*(?:[a-z][a-z0-9+.-]*:)?//[^"'\s)>]+""",
    re.IGNORECASE | re.VERBOSE,
)


class Wall:
    """An audit hook of the interpreter: it hears every connection and every name looked up, in any library."""

    def __init__(self) -> None:
        self.up = False
        self.heard: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.up or event not in _LEAVING:
            return
        if not _is_here(arguments[0] if event.startswith(("socket.getaddr", "socket.gethost")) else arguments[1]):
            self.heard.append(f"{event} {arguments[1:]}")
            raise PermissionError(f"{event} {arguments[1:]}")


def _is_here(where: Any) -> bool:
    host = where[0] if isinstance(where, tuple) else where
    if host is None or isinstance(host, bytes) or not isinstance(where, tuple | str):
        return True  # a socket of this machine's file system, or none
    try:
        return host in ("localhost", "") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.startswith("/")


WALL = Wall()


@contextmanager
def walled_off() -> Iterator[Wall]:
    WALL.heard.clear()
    WALL.up = True
    try:
        yield WALL
    finally:
        WALL.up = False


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The demonstration, told behind the wall."""
    folder = tmp_path_factory.mktemp("walled") / "data"
    with walled_off() as wall:
        run.story(folder, Silence())
        assert wall.heard == []
    with open_app(Settings.from_environment(folder)) as app:
        yield app


def test_the_wall_stands() -> None:
    import socket

    for reach in (
        lambda: socket.create_connection(("192.0.2.1", 80), 1),
        lambda: socket.getaddrinfo("example.org", 80),
    ):
        with walled_off() as wall, pytest.raises(PermissionError):
            reach()
        assert len(wall.heard) == 1


def test_the_whole_demonstration_and_its_audit_call_nobody(told: App, tmp_path: Path) -> None:
    with walled_off() as wall:
        audit.export(told.ledger, told.contracts, tmp_path / "bundle.zip", engine=told.engine, sources=True)
        assert audit.verify(tmp_path / "bundle.zip").exit_code == 0
        assert wall.heard == []


def test_without_settings_an_installation_knows_no_address_at_all(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert settings.ledger_setting.startswith("embedded:")
    assert settings.database_url.startswith("sqlite:///")


@pytest.mark.parametrize("seat", [(CORE, "account"), ("harbour", "account"), ("audit", "account")], ids="-".join)
def test_pages_and_what_they_load_name_no_other_host(told: App, seat: tuple[str, str]) -> None:
    """Every page reachable from the home page in three steps, and every style and script they name."""
    client = TestClient(create_server(told), raise_server_exceptions=False)
    client.post("/api/v1/session", json={"address": address(told, *seat)})
    seen: set[str] = set()
    fresh = {"/", "/sign-in", "/verify", "/developers"}
    with walled_off() as wall:
        for _ in range(3):
            found: set[str] = set()
            for path in sorted(fresh)[:60]:
                seen.add(path)
                answer = client.get(path)
                text = answer.text if "text" in answer.headers["content-type"] else ""
                assert not _ABSOLUTE.search(text), (path, _ABSOLUTE.findall(text))
                assert "connect-src 'self'" in answer.headers["content-security-policy"]
                found |= set(re.findall(r'(?:href|src)="(/[^"#]*)"', text))
            fresh = {path for path in found if not path.startswith(("/language", "/sign-out", "/act/"))} - seen
        assert wall.heard == []
    assert len(seen) > 12 and any(path.startswith("/static/") for path in seen)
