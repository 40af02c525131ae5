"""`scf simulate year`: wrong settings are one line and nothing begins; the file says what a year is judged by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scf import cli
from scf.demo.simulate import JUDGED, write_figures


@pytest.mark.parametrize(
    "words",
    [
        ["--firms", "0"],
        ["--firms", "-5"],
        ["--seed", "-1"],
        ["--days", "1"],
        ["--json", "{folder}/missing/year.json"],
        ["--json", "{folder}"],
        ["--data", "{folder}"],
    ],
)
def test_a_wrong_setting_is_one_line_before_anything_begins(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "something").write_text("kept")
    monkeypatch.setattr("scf.demo.simulate.simulate_year", lambda *_, **__: pytest.fail("it began"))
    monkeypatch.setattr("sys.argv", ["scf", "simulate", "year", *(one.format(folder=tmp_path) for one in words)])
    monkeypatch.setenv("SCF_LANG", "en")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 1 and said.out == ""
    assert said.err.startswith("✗") and said.err.count("\n") == 1 and "Money moved: no" in said.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["something"]


def test_the_file_says_what_a_year_is_judged_by_and_nothing_else(tmp_path: Path) -> None:
    found = dict.fromkeys((*JUDGED, "passes", "seconds"), 0)
    write_figures(found, tmp_path / "year.json")
    keys = list(json.loads((tmp_path / "year.json").read_text()))
    assert keys == ["issued", "settled", "overdue", "cents_missing", "quote_differences", "locked_differences"]
