"""Tables as banks and spreadsheets in China write them: read without a mapping, or told what is still to decide."""

from __future__ import annotations

from datetime import date

import pytest

from scf.kernel.problems import Problem
from scf.standards import csvcells, csvguess, csvmap
from scf.standards.csvmapping import TableMapping
from scf.standards.detect import detect
from scf.standards.records import DocumentKind

TITLES = "交易日期,交易金额,币种,对方户名,对方账号,摘要,交易流水号"
DAY = date(2026, 3, 5)


def table(*rows: str, titles: str = TITLES) -> str:
    return "\r\n".join((titles, *rows)) + "\r\n"


def read(raw: bytes) -> csvmap.Preview:
    assert detect(raw, "明细.csv") == DocumentKind.CSV
    look = csvguess.look(raw)
    assert look.missing == (), look.missing
    return csvmap.preview(raw, TableMapping.from_dict(look.suggestion))


def amount_of(cell: str, code: str = "CNY") -> int | str:
    quoted = '"' + cell.replace('"', '""') + '"'
    found = read(table(f"2026-03-05,{quoted},{code},甲公司,1,货款,L1").encode())
    return found.rejected[0].problem.code if found.rejected else found.rows[0].values["amount_minor"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_every_encoding_and_delimiter_spreadsheets_save_in(encoding: str, delimiter: str) -> None:
    text = table(
        "2026/3/5,1234.50,CNY,上海甲公司,62220202,货款,L001", "2026/3/6,-88.00,CNY,乙公司,62220203,手续费,L002"
    )
    found = read(text.replace(",", delimiter).encode(encoding))
    assert not found.rejected
    assert [row.values["amount_minor"] for row in found.rows] == [123_450, -8_800]
    assert found.rows[0].values["counterparty"] == "上海甲公司"


@pytest.mark.parametrize(
    "cell",
    [
        "2026/3/5",
        "2026-03-05",
        "20260305",
        "2026年3月5日",
        "２０２６-０３-０５",
        "2026-03-05 10:11:12",
        "2026/3/5 9:05",
    ],
)
def test_a_day_however_it_is_written(cell: str) -> None:
    (row,) = read(table(f"{cell},1.00,CNY,甲公司,1,货款,L1").encode()).rows
    assert row.values["booked_on"] == DAY


@pytest.mark.parametrize("cell", ["2026111", "202635", "2026-3-5-1"])
def test_a_day_that_could_be_two_is_never_chosen(cell: str) -> None:
    raw = table(f"{cell},1.00,CNY,甲公司,1,货款,L1").encode()
    assert csvguess.look(raw).missing == ("formats of 交易日期",)
    assert not csvcells.reads_as_date(cell, "%Y%m%d")


@pytest.mark.parametrize(
    ("cell", "minor"),
    [
        ("¥1,234.50", 123_450),
        ("￥1234.50", 123_450),
        ("-¥1,234.50", -123_450),
        ("¥-1,234.50", -123_450),
        ("1,234.50元", 123_450),
        ("CNY 1,234.50", 123_450),
        ("RMB1234.5", 123_450),
        ("１，２３４．５０", 123_450),
        ("－１２３４．５０", -123_450),
        ("（1,234.50）", -123_450),
        ('="1234.50"', 123_450),
        ("'1234.50", 123_450),
        ("1234.50\t", 123_450),
        ("€1,234.50", "cell_sign_differs"),
        ("USD 1,234.50", "cell_sign_differs"),
        ("-¥-5.00", "cell_number_wrong"),
        ("¥", "cell_number_wrong"),
        ("10²", "cell_number_wrong"),
        ("1,23.50", "cell_number_wrong"),
        ("1E5", "cell_number_wrong"),
    ],
)
def test_an_amount_with_its_sign_reads_as_written_or_not_at_all(cell: str, minor: int | str) -> None:
    assert amount_of(cell) == minor


@pytest.mark.parametrize(("cell", "code"), [("€5.00", "EUR"), ("$5.00", "USD"), ("HK$5.00", "HKD"), ("5.00 €", "EUR")])
def test_a_sign_of_the_currency_the_row_names(cell: str, code: str) -> None:
    assert amount_of(cell, code) == 500


def test_the_names_of_currencies_in_chinese() -> None:
    assert amount_of("5.00", "人民币") == 500
    assert amount_of("5.00", "某币") == "document_currency_unknown"


def test_what_keeps_a_number_a_text_is_no_part_of_it() -> None:
    (row,) = read(table('2026-03-05,1.00,CNY,甲公司,"=""0062220""",货款,"=""001"""').encode()).rows
    assert (row.values["counterparty_account"], row.values["bank_transaction_id"]) == ("0062220", "001")


@pytest.mark.parametrize("cell", ['=""=1+1""', "=1+1", '=HYPERLINK(""http://a"")', "@SUM(A1)"])
def test_a_formula_is_rejected_also_behind_a_guard(cell: str) -> None:
    (rejected,) = read(table(f'2026-03-05,1.00,CNY,甲公司,1,"{cell}",L1').encode()).rejected
    assert (rejected.number, rejected.column, rejected.problem.code) == (2, "摘要", "cell_formula")


def test_the_titles_are_found_below_what_a_bank_writes_above_them() -> None:
    above = "中国工商银行交易明细\r\n账号：6222020200001234567,户名：东方铸件\r\n\r\n"
    found = read((above + table("2026-03-05,1.00,CNY,甲公司,1,货款,L1")).encode("gb18030"))
    assert [row.values["amount_minor"] for row in found.rows] == [100]
    assert found.rows[0].number == 5


@pytest.mark.parametrize(("out", "into"), [("借方发生额", "贷方发生额"), ("支出", "收入")])
def test_money_out_and_money_in_columns_of_their_own(out: str, into: str) -> None:
    titles = f"交易日期,{out},{into},币种,对方户名,摘要,流水号"
    rows = ("2026-03-05,,100.00,CNY,甲,x,1", "2026-03-06,50.00,0.00,CNY,乙,y,2", "2026-03-07,1.00,1.00,CNY,乙,y,3")
    found = read(table(*rows, "2026-03-08,,,CNY,乙,z,4", titles=titles).encode())
    assert [row.values["amount_minor"] for row in found.rows] == [10_000, -5_000]
    assert [(item.number, item.problem.code) for item in found.rejected] == [
        (4, "row_sides_wrong"),
        (5, "row_sides_wrong"),
    ]


def test_a_mapping_cannot_take_the_amount_twice() -> None:
    columns = [{"field": name, "source": name} for name in ("booked_on", "amount_minor", "debit_minor", "currency")]
    with pytest.raises(Problem) as refused:
        TableMapping.from_dict({"name": "t", "record": "payment", "columns": columns})
    assert refused.value.code == "mapping_invalid"


def test_bytes_that_are_no_text_are_no_table() -> None:
    raw = bytes(range(256)) * 20
    with pytest.raises(Problem) as refused:
        detect(raw, "a.csv")
        csvguess.look(raw)
    assert refused.value.code in ("document_kind_unknown", "table_unreadable", "document_encoding_unreadable")
