"""Fixtures of the bank room: one bank, one platform, one virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time

import pytest
from tests.bank.town import HOLDERS, MONDAY, Town, start_bank

from scf.bank.gateway import SimulatedGateway
from scf.bank.simulator import SimulatedBank
from scf.kernel.clock import VirtualClock
from scf.kernel.dates import to_unix
from scf.store.engine import open_engine
from scf.store.session import create_schema


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(to_unix(MONDAY, time(10)))


@pytest.fixture
def bank(clock: VirtualClock) -> SimulatedBank:
    return start_bank(clock)


@pytest.fixture
def make_town(clock: VirtualClock) -> Callable[..., Town]:
    def make(**options: object) -> Town:
        engine = open_engine("sqlite://")
        create_schema(engine)
        bank = start_bank(clock, **options)
        town = Town(clock, bank, engine, SimulatedGateway(bank))
        town.mirror(*HOLDERS)
        return town

    return make


@pytest.fixture
def town(make_town: Callable[..., Town]) -> Town:
    return make_town()
