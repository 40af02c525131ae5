"""The queue of exceptions from the command line: listed, shown, decided once with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.installation import demo_settings
from tests.reconciliation.conftest import fact
from typer.testing import CliRunner

from scf.app import open_app
from scf.cli import app
from scf.kernel.problems import Problem
from scf.reconciliation import service
from scf.store.session import transaction


def test_an_exception_is_listed_shown_and_decided_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCF_LANG", "en")
    data = tmp_path / "data"
    with open_app(demo_settings(data)) as installation, transaction(installation.engine) as session:
        told = [fact("order", "PO-1", 10, 100_000), fact("delivery", "PO-1", 10, reference="DN-1"),
                fact("invoice", "PO-1", 10, 130_000, reference="INV-1")]  # fmt: skip
        service.take(session, told, clock=installation.clock)
        (number,) = (row.id for row in service.exceptions(session).rows if row.code == "PRICE_DIFFERENCE")

    def say(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["exceptions", *arguments, "--data", str(data)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "PRICE_DIFFERENCE" in say("list") and str(number) in say("list", "--order", "PO-1")
    assert "PO-1" in say("show", str(number)) and "open" in say("show", str(number))
    assert f"Exception {number}: Lin Fang decides by 2030-01-31" in say(
        "assign", str(number), "--owner", "Lin Fang", "--until", "2030-01-31"
    )
    assert "Lin Fang" in say("list", "--owner", "Lin Fang") and str(number) not in say("list", "--overdue").split()
    first = say("list", "--limit", "1")
    place = first.rsplit("--after ", 1)[1].strip()
    assert first.splitlines()[1] not in say("list", "--limit", "1", "--after", place)
    decision = ("decide", str(number), "--decision", "accept", "--reason", "agreed surcharge", "--by", "Lin Fang")
    assert "accept" in say(*decision)
    assert "agreed surcharge" in say("show", str(number))
    assert "PRICE_DIFFERENCE" not in say("list")
    with pytest.raises(Problem, match="already decided"):
        say(*decision)
    with pytest.raises(Problem, match="no exception 99"):
        say("show", "99")
