"""A world built once a module; every test works on a scratch copy of its chain.

Where the fast EVM has no wheel (Python 3.13), these tests skip: the other one turns its clock only by mining and cannot
turn it back. The story, the gas of every act and the artifacts are tested there all the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from tests.contracts.chain import pyrevm
from tests.contracts.world import World


@pytest.fixture(scope="module")
def base() -> World:
    if pyrevm is None:
        pytest.skip("needs pyrevm, which has no wheel for this Python")
    return World()


@pytest.fixture
def world(base: World) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(base.chain.scratch())
        base.log = []
        yield base
