"""Files of a bulk run as people have them: other encodings and numbers, wrong ones, and runs that are stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from scf.kernel.problems import Problem
from scf.reconciliation import bulk_duckdb
from scf.reconciliation.bulk import reconcile_files
from scf.reconciliation.rule import Terms

HEAD = "order_reference,supplier,amount,date"
ORDERS = f"{HEAD}\nPO-1,Mill,1050.00,2026-01-02\nPO-2,Mill,50.00,2026-01-02\n"


def run(tmp_path: Path, payments: str | bytes, *, orders: str = ORDERS, **more: Any) -> dict[str, Any]:
    """Orders and payments, without deliveries."""
    raw = payments if isinstance(payments, bytes) else payments.encode()
    (tmp_path / "orders.csv").write_text(orders, encoding="utf-8")
    (tmp_path / "payments.csv").write_bytes(raw)
    terms = Terms(as_of_day=20_500, invoices_expected=0, deliveries_expected=0)
    files = tmp_path / "orders.csv", None, None, tmp_path / "payments.csv"
    return reconcile_files(*files, tmp_path / "out", **({"terms": terms} | more))


@pytest.mark.parametrize(
    ("first", "second", "delimiter"),
    [
        ("1050.00", "50.00", ","),
        ('"1,050.00"', "50", ","),
        ("1.050,00", "50,00", ";"),
        ("1050,0", "50", ";"),
        ('"1.050,00"', "50", ","),
    ],
)
def test_a_decimal_point_and_a_decimal_comma_are_read_as_meant(
    tmp_path: Path, first: str, second: str, delimiter: str
) -> None:
    rows = [HEAD, f"PO-1,Mill,{first},2026-02-02", f"PO-2,Mill,{second},2026-02-02"]
    text = "\n".join(rows) if delimiter == "," else "\n".join(
        [HEAD.replace(",", ";"), f"PO-1;Mill;{first};2026-02-02", f"PO-2;Mill;{second};2026-02-02"]
    )  # fmt: skip
    summary = run(tmp_path, text)
    assert summary["inputs"]["payments"]["amount_minor"] == 110_000
    assert summary["references"] == {"matches": 2, "exceptions": 0, "expected": 0}


@pytest.mark.parametrize("odd", ["1,05.00", "10,5000,000", "1.050,00 CNY", "1,0500"])
def test_a_number_whose_separators_stand_elsewhere_is_refused(tmp_path: Path, odd: str) -> None:
    with pytest.raises(Problem, match=r"data row 2, column amount: .* is not a number"):
        run(tmp_path, f'{HEAD}\nPO-1,Mill,1050.00,2026-02-02\nPO-2,Mill,"{odd}",2026-02-02\n')
    assert not list((tmp_path / "out").iterdir())


def test_numbers_of_one_table_in_two_styles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"1050\.00” is not a number"):
        run(tmp_path, f'{HEAD}\nPO-1,Mill,1050.00,2026-02-02\nPO-2,Mill,"50,00",2026-02-02\n')


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_references_in_chinese_are_read_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    rows = "\n".join(f"采购单-{n},上海钢铁有限公司,{n}.00,2026-01-02" for n in range(1, 40))
    text = f"{HEAD}\n{rows}\n"
    summary = run(tmp_path, text.encode(encoding), orders=text)
    assert summary["references"] == {"matches": 39, "exceptions": 0, "expected": 0}
    found = duckdb.execute(f"SELECT min(order_reference) FROM '{tmp_path}/out/matches.parquet'").fetchone()
    assert found == ("采购单-1",)


def test_what_cannot_be_a_table_is_refused_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="payments: the file is empty"):
        run(tmp_path, "")
    with pytest.raises(Problem, match="orders: no column with the order reference"):
        run(tmp_path, ORDERS, orders="supplier,amount,date\nMill,1.00,2026-01-02\n")
    with pytest.raises(Problem, match=r"orders: there is no file .*nowhere\.csv"):
        reconcile_files(tmp_path / "nowhere.csv", None, None, tmp_path / "payments.csv", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_wrong_settings_are_refused_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="“lots” is no amount of memory"):
        run(tmp_path, ORDERS, memory_limit="lots")
    with pytest.raises(Problem, match="There is no engine “flink”"):
        run(tmp_path, ORDERS, engine="flink")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(Problem, match="cannot be written"):
        reconcile_files(tmp_path / "orders.csv", None, None, tmp_path / "payments.csv", tmp_path / "taken")


def test_too_little_memory_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="1MB of memory are too little"):
        run(tmp_path, ORDERS, memory_limit="1MB")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("step", ["settle", "find_open", "gather_open", "match_loosely", "judge_open", "settled"])
def test_a_run_that_is_stopped_leaves_nothing(tmp_path: Path, monkeypatch: Any, step: str) -> None:
    def stop(self: Any) -> None:
        (self.out / "matches.parquet").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(bulk_duckdb.DuckRun, step, stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, ORDERS)
    assert not list((tmp_path / "out").iterdir())


def test_a_join_that_somebody_stops_is_not_taken_for_one_that_outgrew_its_room(
    tmp_path: Path, monkeypatch: Any
) -> None:
    class Stopped:
        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self.connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self.connection, name)

        def execute(self, query: str, *values: Any) -> Any:
            if "first_pass AS" in query:
                raise duckdb.InterruptException("stopped")
            return self.connection.execute(query, *values)

    connect = bulk_duckdb.connect
    monkeypatch.setattr("scf.reconciliation.bulk.connect", lambda *given: Stopped(connect(*given)))
    with pytest.raises(Problem):
        run(tmp_path, ORDERS)
    assert not list((tmp_path / "out").iterdir())


def test_an_account_that_was_not_agreed_is_said_without_figures(tmp_path: Path) -> None:
    orders = f"{HEAD},account\nPO-1,Mill,10.00,2026-01-02,CN01\n"
    run(tmp_path, f"{HEAD},account\nPO-1,Mill,10.00,2026-02-02,XX66\n", orders=orders)
    query = f"SELECT reason, sentence_en FROM '{tmp_path}/out/exceptions.parquet'"
    said = "PO-1: money goes, or is asked, to another account than was agreed."
    assert duckdb.execute(query).fetchall() == [("WRONG_PAYEE_ACCOUNT", said)]
    page = (tmp_path / "out" / "summary.html").read_text(encoding="utf-8")
    assert "1 exceptions" in page and "1 个异常" in page and "付款或请款的账户与约定的不一致" in page


def test_an_interrupt_of_the_engine_is_an_interrupt_of_the_run(tmp_path: Path, monkeypatch: Any) -> None:
    def stop(self: Any) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(bulk_duckdb.DuckRun, "settle", stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, ORDERS)
    assert not list((tmp_path / "out").iterdir())


def test_two_files_in_each_others_place_are_noticed_by_their_days(tmp_path: Path) -> None:
    paid = "order_reference,supplier,amount,payment_date\nPO-1,Mill,1050.00,2026-02-02\n"
    with pytest.raises(Problem, match="orders: column payment_date is one of payments: were two files swapped"):
        run(tmp_path, ORDERS.replace("date", "order_date"), orders=paid)
    named = run(tmp_path, paid, columns={"payments": {"day": "payment_date"}})
    assert named["references"] == {"matches": 1, "exceptions": 0, "expected": 1}
