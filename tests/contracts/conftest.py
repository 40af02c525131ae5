"""A world built once a module; every test works on a scratch copy of its chain."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from tests.contracts.world import World


@pytest.fixture(scope="module")
def base() -> World:
    return World()


@pytest.fixture
def world(base: World) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(base.chain.scratch())
        base.log = []
        yield base
