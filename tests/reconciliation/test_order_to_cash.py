"""An order-to-cash log of 2,000 orders through the command, and the answers known order by order."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from tests.reconciliation.order_to_cash import PLANTED, write_log
from typer.testing import CliRunner

from scf.cli import app
from scf.kernel.problems import Problem
from scf.reconciliation.bulk import reconcile_files


def command(folder: Path, out: Path, *tables: str, more: tuple[str, ...] = ()) -> str:
    arguments = ["reconcile", "run", "--out", str(out), *more]
    for name in tables:
        arguments += [f"--{name}", str(folder / f"{name}.csv")]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def reasons(out: Path) -> dict[str, str]:
    found = dict(duckdb.execute(f"SELECT order_reference, reason FROM '{out}/exceptions.parquet'").fetchall())
    for name, said in (("matches", "MATCHED"), ("expected", "EXPECTED")):
        found |= {k: said for (k,) in duckdb.execute(f"SELECT order_reference FROM '{out}/{name}.parquet'").fetchall()}
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("log")
    return folder, write_log(folder, 2_000)


ALL = ("orders", "deliveries", "invoices", "payments")


def test_two_thousand_orders_end_as_known(log: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, truth = log
    said = command(folder, tmp_path, *ALL, more=("--as-of", "2025-12-31"))
    assert "add up" in said
    found = reasons(tmp_path)
    wrong = Counter((kind, found[order]) for order, kind in truth.items() if found[order] != PLANTED[kind])
    right, planted = Counter(), Counter(truth.values())
    for order, kind in truth.items():
        right[kind] += found[order] == PLANTED[kind]
    assert all(right[kind] >= 0.98 * planted[kind] for kind in planted), wrong
    assert sum(right.values()) >= 0.999 * len(truth), wrong
    flagged = [order for order, reason in found.items() if reason != "MATCHED" and order in truth]
    false_alarms = [order for order in flagged if PLANTED[truth[order]] == "MATCHED"]
    assert len(false_alarms) <= 0.001 * len(truth), wrong


def test_every_row_and_every_cent_is_found_again(log: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, truth = log
    command(folder, tmp_path, *ALL, more=("--as-of", "2025-12-31"))
    summary = json.loads((tmp_path / "summary.json").read_text())
    for side, name in (
        ("orders", "order"),
        ("deliveries", "delivery"),
        ("invoices", "invoice"),
        ("payments", "payment"),
    ):
        query = f"SELECT count(*), sum(CAST(amount AS DECIMAL(18, 2)) * 100) FROM '{folder}/{side}.csv'"
        rows, cents = duckdb.execute(query).fetchone() or (0, 0)
        assert summary["inputs"][side] == {"file": f"{side}.csv", "rows": rows, "amount_minor": int(cents)}
        parts = " UNION ALL ".join(
            f"SELECT {name}_rows AS n, {name}_sum AS s FROM '{tmp_path}/{part}.parquet'"
            for part in ("matches", "exceptions", "expected")
        )
        divided = summary["payments_divided"] if side == "payments" else 0
        assert duckdb.execute(f"SELECT sum(n), sum(s) FROM ({parts})").fetchone() == (rows + divided, int(cents))
    assert set(truth) <= reasons(tmp_path).keys()


@pytest.mark.parametrize(
    ("tables", "kind", "reason"),
    [
        (("orders", "deliveries", "payments"), "no_delivery", "PAID_BEFORE_DELIVERY"),
        (("orders", "deliveries"), "short_delivery", "QUANTITY_DIFFERENCE"),
        (("orders", "invoices"), "dearer", "PRICE_DIFFERENCE"),
        (("orders", "invoices", "payments"), "short_payment", "PAYMENT_DIFFERENCE"),
    ],
)
def test_a_table_that_is_not_there_is_not_expected(
    tables: tuple[str, ...], kind: str, reason: str, log: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, truth = log
    more: tuple[str, ...] = ("--as-of", "2025-12-31")
    if "payments" in tables and "invoices" not in tables:
        for name in tables[:2]:
            (tmp_path / f"{name}.csv").write_bytes((folder / f"{name}.csv").read_bytes())
        paid = f"SELECT replace(invoice_id, 'INV-', '') AS po, * EXCLUDE (invoice_id) FROM '{folder}/payments.csv'"
        duckdb.execute(f"COPY ({paid}) TO '{tmp_path}/payments.csv' (HEADER)")
        folder = tmp_path
    command(folder, tmp_path / "out", *tables, more=more)
    found = reasons(tmp_path / "out")
    mine = [order for order, befell in truth.items() if befell == kind]
    assert mine and {found[order] for order in mine} == {reason}
    clean = [order for order, befell in truth.items() if befell == "clean"]
    assert {found[order] for order in clean} == {"MATCHED"}


def test_wrong_columns_are_refused_with_place_and_reason(log: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, _ = log
    bad = tmp_path / "payments.csv"
    lines = (folder / "payments.csv").read_text().splitlines()
    cells = lines[7].split(",")
    bad.write_text("\n".join([*lines[:7], ",".join([*cells[:2], "12 yuan", *cells[3:]]), *lines[8:]]))
    orders, out = folder / "orders.csv", tmp_path / "out"
    with pytest.raises(Problem, match="payments: data row 7, column amount: “12 yuan” is not a number"):
        reconcile_files(orders, None, folder / "invoices.csv", bad, out)
    bad.write_text("\n".join([lines[0].replace("value_date", "when"), *lines[1:]]))
    with pytest.raises(Problem, match="there is no column value_date"):
        reconcile_files(orders, None, folder / "invoices.csv", bad, out, columns={"payments": {"day": "value_date"}})
    bad.write_text("\n".join([lines[0].replace("amount", "betrag"), *lines[1:]]))
    with pytest.raises(Problem, match=r"payments: no column with the amount .* --column payments.amount=NAME"):
        reconcile_files(orders, None, folder / "invoices.csv", bad, out)
    assert not list(out.iterdir())
    named = {"payments": {"amount": "betrag"}}
    assert reconcile_files(orders, None, folder / "invoices.csv", bad, out, columns=named)["references"]["matches"] > 0
