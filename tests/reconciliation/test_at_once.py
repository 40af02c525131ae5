"""Several processes importing at one moment, and one that dies at any step: everything once, nothing twice."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, event
from tests.reconciliation.conftest import DAY, START, Desk, fact, trade

from scf.kernel.clock import VirtualClock
from scf.reconciliation import service
from scf.reconciliation.facts import Fact
from scf.store.engine import open_engine
from scf.store.session import create_schema, run, transaction

WORTH = [100_000 + n * 1_300 for n in range(40)]
PLACES = (
    "SELECT f.digest, c.order_reference, a.amount_minor, a.method FROM recon_allocation a "
    "JOIN recon_fact f ON f.id = a.fact_id JOIN recon_case c ON c.id = a.case_id WHERE a.ended_by IS NULL ORDER BY 1, 2"
)
CASES = "SELECT order_reference, reason, paid_minor, open_minor FROM recon_case ORDER BY 1"
QUEUE = "SELECT code, reference, left_value, right_value FROM recon_exception WHERE state = 'open' ORDER BY 1, 2"


def everything() -> list[Fact]:
    """Forty trades, paid by name; ten more paid two by two without one."""
    facts = [one for n, worth in enumerate(WORTH) for one in trade(f"PO-{n:03d}-7", 10, worth)]
    for n in range(40, 50):
        worth = 7_000 + 11 * 2 ** (n - 40)
        goods = trade(f"PO-{n:03d}-7", 10, worth, seller=f"Firm {n // 2}")[:3]
        facts += [replace(one, account=one.account and f"CN{n // 2}") for one in goods]
        if n % 2:
            both = worth + 7_000 + 11 * 2 ** (n - 41)
            facts.append(
                fact("payment", None, None, both, key=f"two {n}", seller=f"Firm {n // 2}", account=f"CN{n // 2}")
            )
    return facts


def told(engine: Engine) -> list[list[Any]]:
    with engine.connect() as connection:
        return [connection.execute(sa.text(query)).all() for query in (PLACES, CASES, QUEUE)]  # type: ignore[misc]


def importer(path: str, seed: int, dies_after: int) -> None:
    """A process that imports all there is, in an order of its own; perhaps it dies on the way."""
    engine = open_engine(f"sqlite:///{path}")
    facts = everything()
    random.Random(seed).shuffle(facts)
    for place in range(0, len(facts), 30):
        if place // 30 == dies_after:
            os._exit(9)
        batch = facts[place : place + 30]
        run(engine, lambda s, batch=batch: service.take(s, batch, clock=VirtualClock(START)), attempts=100)


def test_processes_that_import_at_once_place_everything_once(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/at_once.db")
    create_schema(engine)
    context = multiprocessing.get_context("spawn")
    people = [
        context.Process(target=importer, args=(f"{tmp_path}/at_once.db", seed, dies))
        for seed, dies in ((1, -1), (2, 3), (3, -1))
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert [person.exitcode for person in people] == [0, 9, 0]
    with engine.connect() as connection:
        count = connection.execute(sa.text("SELECT count(*), count(DISTINCT digest) FROM recon_fact")).one()
        paid = connection.execute(
            sa.text(
                "SELECT f.id, sum(a.amount_minor) AS placed, json_extract(f.content, '$.amount_minor') AS moved "
                "FROM recon_fact f JOIN recon_allocation a ON a.fact_id = f.id AND a.ended_by IS NULL "
                "WHERE f.kind = 'payment' GROUP BY 1, 3"
            )
        ).all()
        reasons = dict(
            connection.execute(sa.text("SELECT reason, count(*) FROM recon_case GROUP BY 1")).all()  # type: ignore[arg-type]
        )
    assert tuple(count) == (len(everything()), len(everything()))
    assert len(paid) == 45 and all(placed == moved for _, placed, moved in paid)
    assert reasons == {"MATCHED": 50}


def test_killed_between_any_two_steps_and_done_again_is_done_once() -> None:
    """The statement that dies takes its batch with it; the same batch again gives what an undisturbed run gives."""
    first, second = batches()
    undisturbed = fresh()
    for batch in (first, second):
        take(undisturbed, batch)
    wanted = told(undisturbed)
    steps = statements(undisturbed, first, second)
    for step in range(0, steps, 3):
        engine = fresh()
        take(engine, first)
        before = told(engine)
        with pytest.raises(RuntimeError, match="killed"):
            dying(engine, second, step)
        assert told(engine) == before
        take(engine, second)
        assert told(engine) == wanted
        engine.dispose()


def batches() -> tuple[list[Fact], list[Fact]]:
    """Goods and bills first; then money by name, without one and for two at once, a correction, and a contradiction."""
    goods = [one for n in range(4) for one in trade(f"PO-{n:03d}-7", 10, 50_000 + n * 9_000)[:3]]
    paid = [
        trade("PO-000-7", 10, 50_000)[3],
        fact("payment", None, None, 59_000, key="sole", account="CN01"),
        fact("payment", "PO-002-7", None, 68_000 + 77_000, key="two", account="CN01"),
        fact("delivery", "PO-000-7", 9, reference="DN-PO-000-7", evidence_id="f" * 64),
        fact("delivery", "PO-003-7", 7, reference="DN-PO-003-7", source="depot", trust=1, day=DAY - 30),
    ]
    return goods, paid


def fresh() -> Engine:
    engine = open_engine("sqlite://")
    create_schema(engine)
    return engine


def take(engine: Engine, facts: Sequence[Fact]) -> None:
    with transaction(engine) as session:
        service.take(session, facts, clock=VirtualClock(START))


def statements(engine: Engine, *before: list[Fact]) -> int:
    """How many statements the second batch takes."""
    again = fresh()
    take(again, before[0])
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    event.listen(again, "before_cursor_execute", counted)
    take(again, before[1])
    again.dispose()
    return count


def dying(engine: Engine, facts: Sequence[Fact], step: int) -> None:
    """Take facts, and die before the statement `step`."""
    count = 0

    def die(*_: object) -> None:
        nonlocal count
        count += 1
        if count > step:
            raise RuntimeError("killed")

    event.listen(engine, "before_cursor_execute", die)
    try:
        take(engine, facts)
    finally:
        event.remove(engine, "before_cursor_execute", die)


@pytest.mark.parametrize("how", ["order", "sole_candidate", "sole_combination", "several", "mistyped"])
def test_a_later_fact_that_contradicts_reopens_every_kind_of_match(desk: Desk, how: str) -> None:
    goods = {n: trade(f"PO-{n:03d}-7", 10, worth)[:3] for n, worth in ((12, 50_000), (21, 70_000), (33, 90_000))}
    desk.take(*(one for facts in goods.values() for one in facts))
    money: dict[str, list[tuple[str | None, int]]] = {
        "order": [("PO-012-7", 50_000), ("PO-021-7", 70_000)],
        "sole_candidate": [(None, 50_000), (None, 70_000)],
        "sole_combination": [(None, 120_000)],
        "several": [(None, 65_000), (None, 55_000)],
        "mistyped": [("PO-021-7", 50_000), ("PO-012-7", 70_000)],
    }
    paid = [
        fact("payment", order, None, amount, key=f"b{n}", account="CN01")
        for n, (order, amount) in enumerate(money[how])
    ]
    desk.take(*paid)
    orders = ["PO-012-7", "PO-021-7"]
    assert [desk.reason(order) for order in orders] == ["MATCHED", "MATCHED"]
    desk.take(fact("delivery", "PO-012-7", 8, reference="DN-PO-012-7", source="depot", trust=2))
    desk.take(fact("credit_note", "PO-021-7", None, -20_000, reference="CN-1"))
    assert [desk.reason(order) for order in orders] == ["CONTRADICTING_SOURCES", "PAYMENT_DIFFERENCE"]
    assert desk.codes("PO-012-7") and desk.codes("PO-021-7")
    back = fact("payment", None, None, -money[how][0][1], key="b0:reversal", end_to_end_id=None, account="CN01",
                invoice_references=("INV-PO-012-7",))  # fmt: skip
    desk.take(back)
    assert desk.do(lambda s: service.case_of(s, "PO-012-7")).open_minor > 0
