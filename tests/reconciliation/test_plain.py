"""What pass one of a bulk run settles: only what the whole rule would call matched, on every engine alike."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import astuple, fields, replace

import duckdb
import pytest

from scf.reconciliation.portable import plain_sql
from scf.reconciliation.rule import Case, Terms, judge

COLUMNS = [f.name for f in fields(Case)]
TODAY = 20_500
SAYS = {
    "deliveries": ("delivered_quantity", "delivered_minor", "first_delivered_day", "last_delivered_day"),
    "invoices": ("invoiced_quantity", "invoiced_minor", "payable_minor", "invoiced_price", "due_day"),
    "payments": ("paid_minor", "first_paid_day", "last_paid_day"),
}
"""What a case knows from each side; nothing where nothing came."""


def nearly_agreeing(r: random.Random) -> Case:
    """A case that agrees in most of what it says."""
    worth, pieces, day = r.choice([100_000, 99_950, 1, 0, 5_000_000]), r.choice([None, 10_000, 0]), TODAY - 60
    price = r.choice([None, 7])

    def near(value: int | None, *steps: int) -> int | None:
        if value is None or r.random() < 0.75:
            return value
        return r.choice([None, *(value + step for step in steps)])

    def rarely() -> int:
        return int(r.random() < 0.03)

    amounts = {
        name: near(worth, 1, 100, 101, -500, 500)
        for name in ("ordered_minor", "delivered_minor", "invoiced_minor", "payable_minor", "paid_minor")
    }
    quantities = {f"{name}_quantity": near(pieces, -5_000) for name in ("ordered", "delivered", "invoiced")}
    counts = {name: r.choice([1, 1, 1, 1, 1, 0, 2]) for name in ("orders", "deliveries", "invoices", "payments")}
    conflicts = {name: rarely() for name in COLUMNS if name.endswith("_conflicts") or name == "contradictions"}
    case = Case(
        **counts, **amounts, **quantities, **conflicts,  # type: ignore[arg-type]
        ordered_price=price, invoiced_price=near(price, 1), order_day=day - 30, promised_day=near(day, 1),
        first_delivered_day=near(day, -1, 1), last_delivered_day=near(day, -1, 1), due_day=near(day + 30, -30),
        first_paid_day=near(day + 10, -11), last_paid_day=near(day + 20, 11, 200), duplicate_invoices=rarely(),
        equal_invoices=rarely(), weakest_trust=r.choice([None, 3]),
    )  # fmt: skip
    absent = [name for side, names in SAYS.items() if not counts[side] for name in names]
    return replace(case, **dict.fromkeys(absent))  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
@pytest.mark.parametrize("seed", range(8))
def test_what_is_settled_at_first_sight_is_matched_by_the_whole_rule(engine: str, seed: int) -> None:
    r = random.Random(seed)
    terms = Terms(
        as_of_day=TODAY, amount_fixed_minor=r.choice([0, 100]), amount_per_mille=r.choice([0, 5]),
        late_days=r.choice([0, 3]), early_days=r.choice([0, 3]), invoices_expected=seed % 2,
        deliveries_expected=int(seed % 3 > 0), payments_expected=int(seed % 5 > 0), required_trust=3 * (seed == 7),
    )  # fmt: skip
    batch = [nearly_agreeing(r) for _ in range(400)]
    connection = sqlite3.connect(":memory:") if engine == "sqlite" else duckdb.connect()
    connection.execute(f"CREATE TABLE cases ({', '.join(f'{name} BIGINT' for name in COLUMNS)})")
    marks = ", ".join("?" for _ in COLUMNS)
    connection.executemany(f"INSERT INTO cases VALUES ({marks})", [astuple(case) for case in batch])
    query = f"SELECT {', '.join(COLUMNS)} FROM ({plain_sql('cases', terms)}) WHERE flags = 0"
    settled = [Case(*row) for row in connection.execute(query).fetchall()]
    assert [case for case in settled if judge(case, terms).flags] == []
    assert bool(settled) == (terms.required_trust == 0)
