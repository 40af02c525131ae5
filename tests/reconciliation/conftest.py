"""A database with the room's tables, a clock, and short ways to write facts down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from scf.kernel.clock import VirtualClock
from scf.reconciliation import service
from scf.reconciliation.facts import Fact, Kind
from scf.store.engine import open_engine
from scf.store.session import create_schema, transaction

START = datetime(2026, 3, 1, 4, tzinfo=UTC)
DAY = 20_513  # 2026-03-01


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = open_engine("sqlite://")
    create_schema(made)
    yield made
    made.dispose()


class Desk:
    """Takes facts and answers questions, each in its own transaction."""

    def __init__(self, engine: Engine, clock: VirtualClock) -> None:
        self.engine, self.clock = engine, clock

    def take(self, *facts: Fact) -> service.Taken:
        return self.do(lambda s: service.take(s, facts, clock=self.clock))

    def do(self, work: Callable[[Session], Any]) -> Any:
        with transaction(self.engine) as session:
            return work(session)

    def reason(self, order: str) -> str:
        return str(self.do(lambda s: service.case_of(s, order).reason))

    def codes(self, order: str | None = None, state: str = "open") -> list[str]:
        page = self.do(lambda s: service.exceptions(s, order_reference=order, state=state))
        return sorted(row.code for row in page.rows)

    def sentences(self) -> list[str]:
        return [row.sentence_en for row in self.do(lambda s: service.exceptions(s)).rows]


@pytest.fixture
def desk(engine: Engine, clock: VirtualClock) -> Desk:
    return Desk(engine, clock)


_DEFAULTS: dict[Kind, dict[str, Any]] = {
    Kind.ORDER: {"source": "buyer", "trust": 2, "day": DAY - 60, "promised_day": DAY - 30},
    Kind.DESPATCH: {"source": "seller", "trust": 1, "day": DAY - 33},
    Kind.DELIVERY: {"source": "carrier", "trust": 3, "day": DAY - 30},
    Kind.INSPECTION: {"source": "inspector", "trust": 3, "day": DAY - 29},
    Kind.INVOICE: {"source": "seller", "trust": 2, "day": DAY - 28, "due_day": DAY + 30},
    Kind.CREDIT_NOTE: {"source": "seller", "trust": 2, "day": DAY - 20},
    Kind.PAYMENT: {"source": "bank", "trust": 3, "day": DAY - 1, "unit": None},
    Kind.INSTRUCTION: {"source": "us", "trust": 3, "day": DAY - 2, "unit": None},
}


def fact(kind: str, order: str | None, quantity: int | None = None, amount: int | None = None, **more: Any) -> Fact:
    """A fact with sensible defaults; `quantity` in whole units."""
    values: dict[str, Any] = {
        "evidence_id": "e" * 64,
        "order_reference": order,
        "buyer": "Core",
        "seller": "Mill",
        "currency": "CNY" if amount is not None else None,
        "unit": "EA",
        "amount_minor": amount,
        "quantity_milli": None if quantity is None else quantity * 1000,
        "applicant_can_write": kind in ("invoice", "credit_note", "despatch"),
        **_DEFAULTS[Kind(kind)],
    }
    if kind == "order":
        values["reference"] = order
    if kind in ("invoice", "credit_note"):
        values["payable_minor"] = amount
    return Fact(kind=Kind(kind), **(values | more))


def trade(order: str, quantity: int = 10, amount: int = 100_000, **more: Any) -> list[Fact]:
    """Order, delivery, invoice and payment that agree."""
    return [
        fact("order", order, quantity, amount, **more),
        fact("delivery", order, quantity, reference=f"DN-{order}", **more),
        fact("invoice", order, quantity, amount, reference=f"INV-{order}", account="CN01", **more),
        fact(
            "payment",
            None,
            None,
            amount,
            invoice_references=(f"INV-{order}",),
            key=f"bank-{order}",
            account="CN01",
            **more,
        ),
    ]
