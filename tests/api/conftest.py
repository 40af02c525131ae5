"""The shared installation and clients that act as its firms."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from fastapi import FastAPI
from tests.api.installation import Installation, installation

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

As = Callable[..., TestClient]


@cache
def server() -> FastAPI:
    """Pages and API of the shared installation, with confirmations as fast as a test."""
    from scf.web.server import create_server

    return create_server(installation().app, reading_speed=1e9)


@pytest.fixture(scope="module")
def demo() -> Iterator[Installation]:
    """An installation of the file's own: what one file's tests change, no other file's tests see."""
    installation.cache_clear()
    server.cache_clear()
    made = installation()
    yield made
    made.app.close()
    installation.cache_clear()
    server.cache_clear()


@pytest.fixture(scope="module")
def act_as(demo: Installation) -> As:
    """A client signed in as a seat of the cast; without arguments, nobody."""

    def client(code: str = "", seat: str = "account", language: str = "en") -> TestClient:
        made = TestClient(server(), raise_server_exceptions=False, headers={"Accept-Language": language})
        if code:
            answer = made.post("/api/v1/session", json={"address": demo.at(code, seat)})
            assert answer.status_code == 200, answer.text
        return made

    return client
