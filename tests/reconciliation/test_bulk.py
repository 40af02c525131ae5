"""Bulk reconciliation: files in, files out, everything adds up, and the same answer as online."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts.bench.reconcile_data import EXPECTED_REASON, KINDS, LAST_DAY, generate, quality
from tests.reconciliation.conftest import DAY, Desk, fact
from tests.reconciliation.order_to_cash import write_log

from scf.kernel.problems import Problem
from scf.reconciliation.bulk import reconcile_files
from scf.reconciliation.portable import SIDES, cases_sql, rule_sql
from scf.reconciliation.rule import Terms

TERMS = Terms(as_of_day=LAST_DAY, invoices_expected=0, early_days=60)


def run(folder: Path, out: Path, **more: Any) -> dict[str, Any]:
    files = {side: folder / f"{side}.parquet" for side in ("orders", "deliveries", "payments")}
    return reconcile_files(
        files["orders"], files["deliveries"], None, files["payments"], out, **({"terms": TERMS} | more)
    )


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(out: Path, name: str) -> list[dict[str, Any]]:
    result = duckdb.execute(f"SELECT * FROM read_parquet('{out / name}.parquet')")
    columns = [column[0] for column in result.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    generate(folder, 12_000, per_100k=400)
    return folder


def test_planted_disturbances_are_found_kind_by_kind(planted: Path, tmp_path: Path) -> None:
    summary = run(planted, tmp_path)
    found = quality(planted, tmp_path)
    for side in ("deliveries", "payments"):
        assert found["links"][side]["precision"] >= 0.999, found["links"]
        assert found["links"][side]["recall"] >= 0.98, found["links"]
    for kind in KINDS:
        assert found["reasons"][kind]["recall"] >= 0.98, (kind, found["reasons"][kind])
    for kind in EXPECTED_REASON:
        assert found["reasons"][kind]["precision_of_reason"] >= 0.97, (kind, found["reasons"][kind])
    assert summary["checked_by_python_rule"] > 500
    assert {"normalised", "slip of the pen", "sole combination"} <= summary["moved"].keys()


def test_rows_and_amounts_add_up_to_the_input(planted: Path, tmp_path: Path) -> None:
    summary = run(planted, tmp_path)
    found = [row for name in ("matches", "exceptions", "expected") for row in read(tmp_path, name)]
    assert len(found) == sum(summary["references"].values())
    for side, name in (("orders", "order"), ("deliveries", "delivery"), ("payments", "payment")):
        divided = summary["payments_divided"] if side == "payments" else 0
        assert sum(row[f"{name}_rows"] for row in found) == summary["inputs"][side]["rows"] + divided
        assert sum(row[f"{name}_sum"] for row in found) == summary["inputs"][side]["amount_minor"]
    assert len({row["order_reference"] for row in found}) == len(found)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    page = (tmp_path / "summary.html").read_text()
    assert "<svg" in page and "http://" not in page.replace("http://www.w3.org", "") and "<script" not in page


def test_the_same_files_give_the_same_rows(planted: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    run(planted, first)
    run(planted, second, memory_limit="200MB", threads=1)
    for name in ("matches", "exceptions", "expected", "moves"):
        key = lambda row: json.dumps(row, sort_keys=True, default=str)  # noqa: E731
        assert sorted(read(first, name), key=key) == sorted(read(second, name), key=key)


def test_an_input_that_does_not_add_up_leaves_nothing_behind(planted: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from scf.reconciliation import bulk_duckdb

    monkeypatch.setattr(bulk_duckdb.DuckRun, "gather_open", _lose_a_row(bulk_duckdb.DuckRun.gather_open))
    with pytest.raises(Problem, match="payments: rows"):
        run(planted, tmp_path)
    assert list(tmp_path.iterdir()) == []


def _lose_a_row(gather: Any) -> Any:
    def losing(self: Any) -> None:
        gather(self)
        self.connection.execute("DELETE FROM open_payments WHERE row_id = (SELECT max(row_id) FROM open_payments)")

    return losing


small = st.integers(0, 3)
sides = st.fixed_dictionaries(
    {
        side: st.lists(
            st.tuples(
                st.sampled_from(["A", "B", "C", "D"]),
                st.sampled_from(["d1", "d2", None]),
                st.none() | st.sampled_from([1000, 2000]),
                st.none() | st.sampled_from([100_000, 200_000, 300_000]),
                st.sampled_from(["CNY", "CNY", "EUR", None]),
                st.sampled_from(["X", "Y", None]),
                st.sampled_from([20_400, 20_450, 20_500]),
            ),
            max_size=4,
            unique_by=lambda row: row[0],
        )
        for side in SIDES
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables=sides)
def test_adding_up_unique_keys_changes_nothing(tables: dict[str, list[tuple[Any, ...]]]) -> None:
    """The cheap gathering and the full one agree wherever keys do not repeat."""
    con = duckdb.connect()
    for side, rows in tables.items():
        con.execute(
            f"CREATE TABLE {side} (row_id BIGINT, k VARCHAR, doc VARCHAR, quantity_milli BIGINT, amount_minor BIGINT, "
            "payable_minor BIGINT, price_micro BIGINT, currency VARCHAR, party VARCHAR, account VARCHAR, day INTEGER, "
            "promised_day INTEGER, due_day INTEGER)"
        )
        for n, (k, doc, quantity, amount, currency, account, day) in enumerate(rows):
            payable = amount if side == "invoices" else None
            values = (n, k, doc or f"row {n}", quantity, amount, payable, None, currency, "P", account, day, None, None)
            con.execute(f"INSERT INTO {side} VALUES ({', '.join('?' * 13)})", values)
    answers = [
        con.execute(f"SELECT * FROM ({rule_sql(f'({gathered})', TERMS)}) ORDER BY order_reference").fetchall()
        for gathered in (cases_sql({s: s for s in SIDES}, unique=unique) for unique in (True, False))
    ]
    assert answers[0] == answers[1]


def test_csv_with_decimals_dates_and_other_names(tmp_path: Path) -> None:
    orders = write(tmp_path, "o", [{"PO": "1", "Vendor": "Mill", "Amount": "1,000.10", "Date": "2026-01-02"},
                                   {"PO": "2", "Vendor": "Mill", "Amount": "5.00", "Date": "2026-01-02"}])  # fmt: skip
    goods = write(tmp_path, "d", [{"PO": "1", "Vendor": "Mill", "Amount": "1000.10", "Date": "2026-01-20"}])
    money = write(tmp_path, "p", [{"PO": "1", "Vendor": "Mill", "sum": "990.00", "Date": "2026-02-01"}])
    out = tmp_path / "out"
    summary = reconcile_files(orders, goods, None, money, out, columns={"payments": {"amount": "sum"}},
                              terms=Terms(as_of_day=LAST_DAY, invoices_expected=0))  # fmt: skip
    assert summary["inputs"]["orders"] == {"file": "o.csv", "rows": 2, "amount_minor": 100_510}
    rows = {row["order_reference"]: row for row in read(out, "exceptions")}
    assert rows["1"]["reason"] == "PAYMENT_DIFFERENCE"
    assert (rows["1"]["left_value"], rows["1"]["right_value"]) == (99_000, 100_010)
    assert rows["1"]["sentence_en"] == "1: paid 990.00, but 1,000.10 is due: a difference of -10.10 (allowed 5.00)."
    assert rows["2"]["reason"] == "NOT_DELIVERED"
    assert "2026-01-02" in rows["2"]["sentence_zh"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Amount": "ten"}, "data row 1, column Amount: “ten” is not a number"),
        ({"Date": "31.12.2026"}, "data row 1, column Date: “31.12.2026” is not a date"),
    ],
)
def test_unreadable_values_are_refused(tmp_path: Path, change: dict[str, str], reason: str) -> None:
    row = {"PO": "1", "Amount": "1.00", "Date": "2026-01-02"}
    good, bad = write(tmp_path, "good", [row]), write(tmp_path, "bad", [row | change])
    with pytest.raises(Problem, match=reason):
        reconcile_files(good, bad, None, good, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_floats_and_files_without_a_reference_are_refused(tmp_path: Path) -> None:
    duckdb.execute(f"COPY (SELECT 'x' AS po, CAST(1.1 AS DOUBLE) AS amount) TO '{tmp_path}/f.parquet'")
    file = tmp_path / "f.parquet"
    with pytest.raises(Problem, match="binary float"):
        reconcile_files(file, file, None, file, tmp_path / "out")
    nothing = write(tmp_path, "n", [{"a": 1}])
    with pytest.raises(Problem, match="order reference"):
        reconcile_files(nothing, nothing, None, nothing, tmp_path / "out")


def test_many_rows_a_key_are_added_up_first(tmp_path: Path) -> None:
    row = {"po": "A", "amount": "1000.00", "date": "2026-01-02"}
    orders = write(tmp_path, "o", [row])
    goods = write(tmp_path, "d", [row | {"amount": "10.00", "grn": n} for n in range(100)])
    money = write(tmp_path, "p", [row | {"amount": "20.00", "payment_id": n} for n in range(50)])
    summary = reconcile_files(orders, goods, None, money, tmp_path / "out")
    assert summary["references"] == {"matches": 1, "exceptions": 0, "expected": 0}
    (match,) = read(tmp_path / "out", "matches")
    assert (match["delivery_rows"], match["payment_rows"], match["payment_sum"]) == (100, 50, 100_000)


def test_one_reference_on_thousands_of_rows_does_not_outgrow_the_machine(tmp_path: Path) -> None:
    """6,000 rows of one reference on each side would be joined into 216 billion."""
    for name, document in (("orders", "note"), ("deliveries", "delivery_id"), ("payments", "payment_id")):
        duckdb.execute(
            f"COPY (SELECT 'X' || CASE WHEN i < 6000 THEN 0 ELSE i END AS order_reference, i AS {document}, "
            f"100000::BIGINT AS amount_minor, 20000 AS day FROM range(9000) t(i)) TO '{tmp_path / name}.parquet'"
        )
    orders, deliveries, payments = (tmp_path / f"{name}.parquet" for name in ("orders", "deliveries", "payments"))
    found = reconcile_files(
        orders, deliveries, None, payments, tmp_path / "out", terms=Terms(as_of_day=20_500, invoices_expected=0)
    )
    assert found["references"] == {"matches": 3_001, "exceptions": 0, "expected": 0}


def test_an_order_of_several_rows_of_which_one_agrees_with_everything_is_one_order(tmp_path: Path) -> None:
    tables = {
        "orders": ["ref,amount,date", "PO-1,100.00,2026-01-01", "PO-1,200.00,2026-01-01", "PO-2,200.00,2026-01-01"],
        "deliveries": ["ref,delivery_id,amount,date", "PO-1,D1,100.00,2026-01-02", "PO-2,D2,200.00,2026-01-02"],
        "payments": ["ref,payment_id,amount,date", "PO-1,P1,100.00,2026-01-03", "PO-2,P2,200.00,2026-01-03"],
    }
    for name, lines in tables.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    orders, deliveries, payments = (tmp_path / f"{name}.csv" for name in tables)
    found = reconcile_files(
        orders, deliveries, None, payments, tmp_path / "out", terms=Terms(as_of_day=20_500, invoices_expected=0)
    )
    assert found["references"] == {"matches": 1, "exceptions": 1, "expected": 0}
    assert found["exceptions"] == {"PARTIAL": 1}


def test_online_and_bulk_agree(desk: Desk, tmp_path: Path) -> None:
    """The same trades as facts and as files, invoices included: the same reason for every order."""
    trades: dict[str, list[Any]] = {}
    for n in range(60):
        order, amount = f"PO-{n:03d}", 100_000 + n * 1_317
        kind = n % 10
        parts = [fact("order", order, 10, amount)]
        if kind != 1:
            parts.append(
                fact(
                    "delivery",
                    order,
                    10 if kind != 2 else 9,
                    amount if kind != 2 else amount * 9 // 10,
                    reference=f"D{n}",
                )
            )
        if kind != 3:
            parts.append(
                fact(
                    "invoice",
                    order,
                    10,
                    amount + (amount // 10 if kind == 4 else 0),
                    reference=f"I{n}",
                    account="CN01",
                    due_day=DAY - 1,
                )
            )
        if kind != 5:
            paid = amount - (3_000 if kind == 6 else 0) + (amount // 10 if kind == 4 else 0)
            account, day = "XX" if kind == 7 else "CN01", DAY - 40 if kind == 8 else DAY - 1
            name = f"P{n}"
            parts.append(fact("payment", order, None, paid, reference=name, key=name, account=account, day=day))
        trades[order] = parts
    desk.take(*(f for parts in trades.values() for f in parts))
    names = {"order": "orders", "delivery": "deliveries", "invoice": "invoices", "payment": "payments"}
    docs = {"delivery": "delivery_reference", "invoice": "invoice_reference", "payment": "payment_reference"}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
    for one in (f for parts in trades.values() for f in parts):
        row = {"order_reference": one.order_reference, "amount_minor": one.amount_minor, "currency": one.currency,
               "quantity_milli": one.quantity_milli, "seller": one.seller, "day": one.day,
               "account": one.account}  # fmt: skip
        if one.kind == "order":
            row["promised_day"] = one.promised_day
        elif one.kind == "invoice":
            row["due_day"] = one.due_day
        rows[names[one.kind]].append(row | ({docs[one.kind]: one.reference} if one.kind in docs else {}))
    files = {name: write(tmp_path, name, listed) for name, listed in rows.items()}
    out = tmp_path / "out"
    reconcile_files(files["orders"], files["deliveries"], files["invoices"], files["payments"], out,
                    terms=Terms(as_of_day=DAY))  # fmt: skip
    bulk = {row["order_reference"]: row["reason"] for row in read(out, "exceptions")}
    bulk |= {row["order_reference"]: "MATCHED" for row in read(out, "matches")}
    bulk |= {row["order_reference"]: "EXPECTED" for row in read(out, "expected")}
    assert {order: desk.reason(order) for order in trades} == bulk
    assert len(set(bulk.values())) >= 7


@pytest.mark.slow
def test_spark_gives_the_same_rows(planted: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed; it is an extra")
    run(planted, tmp_path / "duck")
    run(planted, tmp_path / "spark", engine="spark")
    for name in ("matches", "exceptions", "expected", "moves"):
        key = lambda row: json.dumps(row, sort_keys=True, default=str)  # noqa: E731
        assert sorted(read(tmp_path / "duck", name), key=key) == sorted(read(tmp_path / "spark", name), key=key)


@pytest.mark.slow
def test_spark_gives_the_same_rows_with_invoices_and_restyled_references(tmp_path: Path) -> None:
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed; it is an extra")
    write_log(tmp_path, 300)
    with (tmp_path / "payments.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows.append({**rows[0], "payment_id": "PAY-AGAIN", "invoice_id": rows[0]["invoice_id"].lower()})
    invoices = list(csv.DictReader((tmp_path / "invoices.csv").open(encoding="utf-8")))
    again = {**invoices[0], "invoice_id": "INV-AGAIN", "order_id": invoices[0]["order_id"].lower().replace("-", "/")}
    payments, bills = write(tmp_path, "payments", rows), write(tmp_path, "invoices", [*invoices, again])
    for engine in ("duckdb", "spark"):
        reconcile_files(
            tmp_path / "orders.csv", tmp_path / "deliveries.csv", bills, payments, tmp_path / engine,
            engine=engine, as_of_day=LAST_DAY,
        )  # fmt: skip
    assert read(tmp_path / "duckdb", "moves")
    for name in ("matches", "exceptions", "expected", "moves"):
        key = lambda row: json.dumps(row, sort_keys=True, default=str)  # noqa: E731
        assert sorted(read(tmp_path / "duckdb", name), key=key) == sorted(read(tmp_path / "spark", name), key=key)


def test_spark_that_is_not_installed_is_named(planted: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("pyspark") is not None:
        pytest.skip("pyspark is installed here")
    with pytest.raises(Problem, match="spark is not installed"):
        run(planted, tmp_path, engine="spark")
    assert list(tmp_path.iterdir()) == []
