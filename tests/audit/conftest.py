"""One story and its bundle for all tests of the room; each test that changes something works on a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.audit.forge import Forge
from tests.audit.story import Story, tell

from scf.audit.bundle import write


@pytest.fixture(scope="session")
def story() -> Story:
    return tell()


@pytest.fixture(scope="session")
def bundle(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audit") / "bundle"
    world = story.world
    write(world.ledger, world.contracts, out, evidence=story.leaves, sources=story.sources, nonce="challenge-7")
    return out


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


@pytest.fixture
def forge(copy: Path) -> Forge:
    return Forge(copy)
