"""Jobs speak with the banks an installation is configured for, and run while pages are served."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.installation import Installation

from scf.app import open_app
from scf.bank import service as bank
from scf.bank.gateway import FolderBank
from scf.bank.simulator import SimulatedBank
from scf.jobs.banks import REPAYMENT, exchange_all, gateways_from, repayment_accounts
from scf.jobs.runner import JobRunner
from scf.kernel.problems import Problem
from scf.store.engine import open_engine

BIC = "HOUSCNBJXXX"


def test_a_bank_that_speaks_in_folders_is_heard_by_the_job(installation: Installation, tmp_path: Path) -> None:
    at, folder = installation, tmp_path / "spool"
    settings = replace(at.app.settings, banks=f"{BIC}={folder}")
    simulator = SimulatedBank(open_engine(f"sqlite:///{tmp_path / 'bank.db'}"), at.clock, bic=BIC)
    house = FolderBank(simulator, folder / "out", folder / "in")
    at.close()
    with open_app(settings, at.clock) as app:
        simulator.open_account("6200000000000000011", "Repayment account", "CNY")
        with app.desk.session() as session:
            bank.open_account(
                session,
                number="6200000000000000011",
                bank=BIC,
                currency="CNY",
                holder="Repayment account",
                now=at.clock.now(),
                purpose=REPAYMENT,
            )
            assert repayment_accounts(session) == ["6200000000000000011"]
        simulator.deposit("6200000000000000011", 77_00, reference="a", end_to_end_id="DUE99")
        house.work()
        app.jobs.start()
        said = next(one for one in app.jobs.run_due() if one.name == "bank")
        assert said.succeeded and said.outcome.startswith("1 bank lines, 1 on repayment accounts"), said
        at.clock.advance(days=1)
        said = next(one for one in app.jobs.run_due() if one.name == "bank")
        assert said.outcome.startswith("0 bank lines")
        with app.desk.session() as session:
            assert [line.amount_minor for line in app.maturity.exceptions(session)] == [77_00]


def test_an_installation_without_a_bank_says_so(installation: Installation) -> None:
    installation.app.jobs.start()
    said = next(one for one in installation.app.jobs.run_due() if one.name == "bank")
    assert "SCF_BANKS" in said.outcome


@pytest.mark.parametrize("text", ["CIVIC=/x", "CIVBCNBJXXX", "CIVBCNBJXXX="])
def test_a_setting_that_names_no_bank_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        gateways_from(text)
    assert caught.value.code == "bank_setting_unreadable"


def test_a_bank_that_cannot_be_reached_stops_no_other(tmp_path: Path) -> None:
    gateways = gateways_from(f"AAAACNBJ={tmp_path / 'a'},BBBBCNBJ={tmp_path / 'b'}")

    def exchange(gateway: object) -> int:
        heard.append(gateway)
        if gateway is gateways[0]:
            raise Problem("bank_folder_unusable", reason="gone")
        return 3

    heard: list[object] = []
    with pytest.raises(Problem):
        exchange_all(gateways, exchange)
    assert heard == gateways


class Restless:
    """Jobs of which every second round fails."""

    def __init__(self) -> None:
        self.rounds = 0

    def start(self) -> None: ...

    def run_due(self) -> list[object]:
        self.rounds += 1
        if self.rounds % 2:
            raise RuntimeError("the disk was full for a moment")
        return []


def test_jobs_run_beside_the_server_and_go_on_after_a_failure() -> None:
    jobs = Restless()
    with JobRunner(jobs, pause_seconds=0.01):  # type: ignore[arg-type]
        _until(lambda: jobs.rounds >= 4)
    rounds = jobs.rounds
    time.sleep(0.05)
    assert jobs.rounds == rounds, "none runs after the end"


def _until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")
