"""The same installation and clients as the tests of the API."""

from __future__ import annotations

import pytest
from tests.api.conftest import act_as, demo, server

from scf.api.limits import Doorkeeper

__all__ = ["act_as", "demo"]


@pytest.fixture(autouse=True)
def knocks_are_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests come from one address; what one of them tried must not shut the next one out."""
    monkeypatch.setattr(server().state.pages, "doorkeeper", Doorkeeper())
