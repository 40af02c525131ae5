"""Tables through a saved mapping: every row is accounted for, every doubt has row, column and reason."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.kernel.problems import Problem
from scf.standards import csvmap

FORMATS = ["%Y-%m-%d", "%d-%b-%y", "excel"]
MAPPING = {
    "name": "Works 2 delivery list",
    "record": "delivery",
    "key": ["line_id"],
    "constants": {"currency": "CNY"},
    "skip": [{"column": "行号", "starts_with": "合计"}],
    "columns": [
        {"field": "line_id", "source": "行号"},
        {"field": "reference", "source": "送货单号"},
        {"field": "order_reference", "source": "订单号"},
        {"field": "vendor", "source": "供应商"},
        {"field": "product", "source": "物料"},
        {"field": "quantity", "source": "数量"},
        {"field": "value_minor", "source": "金额"},
        {"field": "delivered_on", "source": "收货日期", "formats": FORMATS, "unknown": ["", "待定"]},
    ],
}  # fmt: skip
HEADER = "行号,送货单号,订单号,供应商,物料,数量,金额,收货日期"
GOOD = '1,DN-1,PO-1,东方铸件,"壳体, 大号",3,"1,234.50",2026-11-20'


def mapping(**more: object) -> csvmap.TableMapping:
    return csvmap.TableMapping.from_dict({**MAPPING, **more})


def table(*rows: str, ending: str = "\n", header: str = HEADER) -> bytes:
    return ending.join((header, *rows)).encode()


def test_a_row_becomes_a_delivery() -> None:
    found = csvmap.preview(table(GOOD), mapping())
    (delivery,) = csvmap.deliveries(found)
    assert (delivery.product, delivery.quantity, delivery.value_minor) == ("壳体, 大号", Decimal(3), 123_450)
    assert (delivery.delivered_on, delivery.currency, delivery.row) == (date(2026, 11, 20), "CNY", 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_line_ending_and_delimiter_are_detected(encoding: str, ending: str, delimiter: str) -> None:
    text = ending.join((HEADER, GOOD.replace('"壳体, 大号"', "壳体").replace('"1,234.50"', "1234.50")))
    found = csvmap.preview(text.replace(",", delimiter).encode(encoding), mapping())
    assert [row.values["vendor"] for row in found.rows] == ["东方铸件"]
    assert (found.dialect.delimiter, found.dialect.line_ending) == (delimiter, ending)


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        (GOOD.replace("2026-11-20", "20/11/2026"), "收货日期", "cell_date_wrong"),
        (GOOD.replace("2026-11-20", "2026-02-30"), "收货日期", "cell_date_wrong"),
        (GOOD.replace("1,234.50", "1.234,50"), "金额", "cell_number_wrong"),
        (GOOD.replace("1,234.50", "1,23.50"), "金额", "cell_number_wrong"),
        (GOOD.replace("1,234.50", "1,234.505"), "金额", "cell_amount_wrong"),
        (GOOD.replace("1,234.50", ""), "金额", "cell_missing"),
        (GOOD.replace(",3,", ",three,"), "数量", "cell_number_wrong"),
        (GOOD.replace("东方铸件", "=cmd|' /C calc'!A0"), "供应商", "cell_formula"),
        (GOOD.replace("东方铸件", "@SUM(A1)"), "供应商", "cell_formula"),
        (GOOD.replace("东方铸件", "+1+cmd"), "供应商", "cell_formula"),
        (GOOD.replace("东方铸件", "-2+3+cmd"), "供应商", "cell_formula"),
        (GOOD.replace("PO-1", "9.13100E+17"), "订单号", "cell_shortened"),
        (GOOD.replace("PO-1", "1e+12"), "订单号", "cell_shortened"),
        (GOOD.replace("东方铸件", ""), "供应商", "cell_missing"),
        (GOOD + ",x", None, "row_width_differs"),
        ("1,DN-1", None, "row_width_differs"),
    ],
)
def test_a_wrong_row_is_rejected_with_row_column_and_reason(row: str, column: str | None, code: str) -> None:
    found = csvmap.preview(table(row, GOOD.replace("1,DN", "2,DN", 1)), mapping())
    assert [(item.number, item.column, item.problem.code) for item in found.rejected] == [(2, column, code)]
    assert found.rejected[0].problem.facts["place"]
    assert [item.number for item in found.rows] == [3]
    assert found.total == 2


@pytest.mark.parametrize("text", ["+86 21 5555 0000", "-5", "A-1", "3=4", "+12.5"])
def test_text_that_is_no_formula_is_taken(text: str) -> None:
    found = csvmap.preview(table(GOOD.replace("东方铸件", text)), mapping())
    assert found.rows[0].values["vendor"] == text


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-11-20", date(2026, 11, 20)), ("5-Mar-07", date(2007, 3, 5)), ("46346", date(2026, 11, 20)), ("待定", None)],
)
def test_dates_in_the_mappings_formats(text: str, day: date | None) -> None:
    found = csvmap.preview(table(GOOD.replace("2026-11-20", text)), mapping())
    assert found.rows[0].values["delivered_on"] == day


def test_totals_blank_and_repeated_rows_are_accounted_for() -> None:
    found = csvmap.preview(table(GOOD, "", GOOD, "合计,,,,,3,1234.50,", GOOD.replace("DN-1", "DN-9")), mapping())
    assert (len(found.rows), found.skipped, found.repeated) == (1, (3, 5), (4,))
    assert [(item.number, item.problem.code) for item in found.rejected] == [(6, "row_key_repeated")]
    assert found.total == 5


def test_new_changed_and_duplicate_against_what_is_known() -> None:
    first = csvmap.preview(table(GOOD), mapping())
    known = {row.key: row.digest for row in first.rows}
    again = csvmap.preview(table(GOOD, GOOD.replace("1,DN", "2,DN", 1)), mapping())
    assert again.standing(known) == {2: "duplicate", 3: "new"}
    changed = csvmap.preview(table(GOOD.replace("1,234.50", "1,234.51")), mapping())
    assert changed.standing(known) == {2: "changed"}


def test_european_numbers_by_mapping() -> None:
    styled = mapping(decimal_separator=",", thousands_separator=".")
    found = csvmap.preview(table(GOOD.replace("1,234.50", "1.234,50")), styled)
    assert found.rows[0].values["value_minor"] == 123_450


def test_a_mapping_survives_json_and_toml_names_its_faults() -> None:
    made = mapping()
    assert csvmap.load_mapping(json.dumps(made.to_dict())) == made
    for broken in (
        {**MAPPING, "record": "poem"},
        {**MAPPING, "columns": MAPPING["columns"][1:]},  # type: ignore[index]
        {**MAPPING, "columns": [*MAPPING["columns"], {"field": "vendor", "source": "x"}]},  # type: ignore[misc]
        {**MAPPING, "thousands_separator": "."},
        {**MAPPING, "colour": "red"},
        {**MAPPING, "columns": [{"source": "x"}]},
    ):
        with pytest.raises(Problem) as caught:
            csvmap.TableMapping.from_dict(broken)
        assert caught.value.code == "mapping_invalid"
    with pytest.raises(Problem):
        csvmap.load_mapping("= not toml")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (table(GOOD, header=HEADER.replace("金额", "价款")), "table_column_missing"),
        (table(GOOD + ",1", header=HEADER + ",金额"), "table_column_repeated"),
        (table(GOOD, '2,"open'), "table_unreadable"),
        (table(GOOD, '2,"a"b,c,d,e,f,g,h'), "table_unreadable"),
        (table(GOOD, "2,a\x00,c,d,e,f,g,h"), "table_unreadable"),
        (table('1,"' + "x" * 200_000 + '"'), "table_unreadable"),
        (b"", "document_empty"),
        (b"\xef\xbb\xbf\r\n", "document_empty"),
        (b"\xff\xfe\x00", "document_encoding_unreadable"),
    ],
)
def test_a_broken_table_is_refused_whole(raw: bytes, code: str) -> None:
    with pytest.raises(Problem) as caught:
        csvmap.preview(raw, mapping())
    assert caught.value.code == code
    assert caught.value.facts["place"]


def test_written_tables_hold_no_formula() -> None:
    raw = csvmap.write_csv(
        ["name", "amount"], [["=1+1", 5], ["@x", Decimal("-1.50")], ["-2+3", None], ["-7", True], ["＝a", 0]]
    )
    text = raw.decode("utf-8-sig")
    assert text.split("\r\n")[1:6] == ["'=1+1,5", "'@x,-1.50", "'-2+3,", "-7,True", "'＝a,0"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_no_written_cell_begins_like_a_formula(cells: list[str]) -> None:
    text = csvmap.write_csv(["h"] * len(cells), [cells]).decode("utf-8-sig")
    row = list(csv.reader(io.StringIO(text, newline="")))[1]
    assert len(row) == len(cells)
    assert not any(
        cell[:1] in "=+-@\t\r\n" and not cell[1:].replace(".", "").replace(",", "").isdigit() for cell in row if cell
    )


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("(1,234.50)", -123_450),
        ("（88.00）", -8_800),
        ("( 7 )", -700),
        ("(-1.00)", None),
        ("(1.00", None),
        ("()", None),
    ],
)
def test_an_accountants_brackets_are_below_zero(written: str, wanted: int | None) -> None:
    made = csvmap.TableMapping.from_dict(
        {
            "name": "payments",
            "record": "payment",
            "key": ["bank_transaction_id"],
            "decimal_separator": ".",
            "thousands_separator": ",",
            "constants": {"currency": "CNY"},
            "columns": [
                {"field": "bank_transaction_id", "source": "id"},
                {"field": "booked_on", "source": "day", "formats": ["%Y-%m-%d"]},
                {"field": "amount_minor", "source": "amount"},
            ],
        }
    )
    found = csvmap.preview(f"id;day;amount\nB-1;2026-11-20;{written}\n".encode(), made)
    assert [row.values["amount_minor"] for row in found.rows] == ([] if wanted is None else [wanted])
    assert len(found.rejected) == (1 if wanted is None else 0)
