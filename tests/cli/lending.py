"""Commands run on an installation the test holds open, under its clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.installation import Installation

from scf import cli
from scf.app import App


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    said: str


class Lent:
    """An installation that a command opens and does not close."""

    def __init__(self, at: Installation) -> None:
        self._at = at

    def __enter__(self) -> App:
        return self._at.app

    def __exit__(self, *_: object) -> None: ...


def lend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], at: Installation, *doors: str
) -> Callable[..., Ran]:
    """Run `scf …` with the functions named in `doors` handing out this installation."""
    monkeypatch.setenv("SCF_LANG", "en")
    monkeypatch.setenv("COLUMNS", "400")
    for door in doors:
        monkeypatch.setattr(door, lambda data, read_only=False: Lent(at))

    def run(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["scf", *words])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return Ran(int(str(code or 0)), " ".join((said.out + said.err).split()))

    return run
