"""Gas of every act: within the promised figures, and not more than 2 % above what was committed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("gas-snapshot.json")
SPEC = importlib.util.spec_from_file_location("gas_bench", ROOT / "scripts" / "bench" / "gas.py")
assert SPEC is not None
assert SPEC.loader is not None
bench = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bench)


@pytest.fixture(scope="module")
def gas() -> dict[str, int]:
    return bench.measure_ours()


@pytest.mark.parametrize("act", sorted(bench.TARGETS))
def test_within_the_promise(gas: dict[str, int], act: str) -> None:
    assert gas[act] <= bench.TARGETS[act]


def test_no_growth_beyond_two_percent(gas: dict[str, int]) -> None:
    """Rewrite it on purpose: python scripts/bench/gas.py --ours --json-all > tests/contracts/gas-snapshot.json"""
    committed = json.loads(SNAPSHOT.read_text())
    grown = {a: (committed[a], g) for a, g in gas.items() if g > committed.get(a, 0) * 1.02}
    assert not grown


def test_the_json_holds_the_promised_figures_and_nothing_else(
    gas: dict[str, int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "measure_ours", lambda: gas)
    monkeypatch.setattr("sys.argv", ["gas.py", "--json"])
    assert bench.main() == 0
    assert json.loads(capsys.readouterr().out) == {act: gas[act] for act in bench.TARGETS}


def test_the_same_at_any_depth(gas: dict[str, int]) -> None:
    assert abs(gas["pass_1_signed_tier_6"] - gas["pass_1_signed"]) < 200
