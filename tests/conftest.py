"""Fixtures every room's tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.installation import Installation

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES = REPOSITORY.parent / "shared" / "samples"


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of real files nobody here wrote; tests that need it skip where it is absent."""
    if not SAMPLES.is_dir():
        pytest.skip("the shared samples folder is not beside this checkout")
    return SAMPLES


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed demo installation with the cast enrolled; tests copy it and never open it."""
    from tests.installation import enrolled_template

    return enrolled_template(tmp_path_factory.mktemp("enrolled") / "data")


@pytest.fixture
def installation(enrolled: Path, tmp_path: Path) -> Iterator[Installation]:
    """An installation of one test's own."""
    from tests.installation import Installation

    shutil.copytree(enrolled, tmp_path / "data")
    with Installation(tmp_path / "data") as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_installation(enrolled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for all tests of a module: for tests that leave nothing behind."""
    from tests.installation import Installation

    folder = tmp_path_factory.mktemp("shared") / "data"
    shutil.copytree(enrolled, folder)
    with Installation(folder) as opened:
        yield opened
