"""Fixtures every room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES = REPOSITORY.parent / "shared" / "samples"


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of real files nobody here wrote; tests that need it skip where it is absent."""
    if not SAMPLES.is_dir():
        pytest.skip("the shared samples folder is not beside this checkout")
    return SAMPLES
