"""A real installation: keys of its own, made once, opened only with its passphrase."""

from __future__ import annotations

from pathlib import Path

import pytest

from scf.app import open_app
from scf.demo.run import demo_settings
from scf.installation import Settings, set_up
from scf.kernel.problems import Problem


def code_of(settings: Settings) -> str:
    with pytest.raises(Problem) as caught:
        set_up(settings)
    return caught.value.code


@pytest.mark.slow
def test_it_is_made_once_and_opened_with_its_passphrase(tmp_path: Path):
    settings = Settings(tmp_path / "real", passphrase="correct horse battery staple")
    made = set_up(settings)
    assert set_up(settings).addresses == made.addresses
    with open_app(settings) as app:
        assert not app.settings.demo
        assert app.keys.names() == ["operator-1", "operator-2", "operator-3", "relayer"]
        assert app.contracts.members.read(app.ledger, "quorumNonce") == 2
        assert app.relayer.address == app.keys.address("relayer")
    with pytest.raises(Problem) as caught:
        open_app(Settings(tmp_path / "real", passphrase="something else"))
    assert caught.value.code == "wrong_passphrase"


def test_not_without_a_passphrase_and_not_over_a_demonstration(tmp_path: Path):
    assert code_of(Settings(tmp_path / "real")) == "passphrase_missing"
    assert not (tmp_path / "real").exists()
    assert code_of(demo_settings(tmp_path / "demo")) == "installation_is_demo"
