"""A first mapping for a table nobody has mapped, by its titles and the look of its cells, for a person to check.

A guess never decides what could be read two ways: dates that fit day first and month first alike are left to people.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from scf.kernel.problems import Problem
from scf.standards import csvcells
from scf.standards.csvmapping import FIELDS, SIDES, Kind, TableMapping
from scf.standards.csvtext import Dialect, parse_rows, sniff

SAMPLE_ROWS = 200
HEADER_ROWS = 20
"""So many rows are looked at for the titles."""
SHOWN_ROWS = 5
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日", "%d.%m.%Y", "%d-%b-%Y", "%d-%b-%y")
AMBIGUOUS = (("%d/%m/%Y", "%m/%d/%Y"), ("%d-%m-%Y", "%m-%d-%Y"), ("%d/%m/%y", "%m/%d/%y"))
_STYLES = ((".", ","), (",", "."), (".", ""), (",", ""), (",", " "), (".", " "), (".", "'"))
_TITLES: dict[str, tuple[str, ...]] = {
    "line_id": ("line id", "line", "line no", "行号", "行项目", "id"),
    "reference": ("delivery note", "dn", "asn", "despatch", "送货单号", "发货单号", "交货单号", "asn/dn #"),
    "order_reference": ("order", "order no", "po", "po no", "purchase order", "订单号", "采购订单", "po / so #"),
    "despatch_reference": ("delivery note", "despatch", "送货单号", "发货单号"),
    "number": ("number", "no", "invoice no", "invoice number", "order no", "po", "发票号码", "发票号", "订单号"),
    "vendor": ("vendor", "supplier", "seller", "供应商"),
    "seller": ("seller", "supplier", "vendor", "供应商", "销售方", "卖方"),
    "buyer": ("buyer", "customer", "购买方", "买方", "客户"),
    "site": ("site", "plant", "工厂", "地点"),
    "country": ("country", "国家"),
    "product": ("product", "item", "description", "item description", "物料", "品名", "产品", "货物名称"),
    "quantity": ("quantity", "qty", "数量", "line item quantity"),
    "value_minor": ("value", "amount", "total", "金额", "line item value"),
    "net_minor": ("net", "net amount", "不含税金额", "金额"),
    "tax_minor": ("tax", "vat", "税额"),
    "payable_minor": ("payable", "total", "amount due", "gross", "价税合计", "应付金额"),
    "amount_minor": ("amount", "betrag", "金额", "交易金额", "发生额"),
    "debit_minor": (
        "debit",
        "money out",
        "withdrawal",
        "withdrawals",
        "借方",
        "借方发生额",
        "借方金额",
        "支出",
        "支出金额",
        "转出金额",
    ),
    "credit_minor": (
        "credit",
        "money in",
        "deposit",
        "deposits",
        "贷方",
        "贷方发生额",
        "贷方金额",
        "收入",
        "收入金额",
        "转入金额",
    ),
    "currency": ("currency", "ccy", "币种", "währung"),
    "scheduled_on": ("scheduled", "due", "promised", "计划交货日期", "scheduled delivery date"),
    "shipped_on": ("shipped", "ship date", "发货日期"),
    "delivered_on": ("delivered", "delivery date", "received", "收货日期", "到货日期", "delivered to client date"),
    "recorded_on": ("recorded", "记录日期", "delivery recorded date"),
    "ordered_on": ("ordered", "order date", "下单日期", "订单日期"),
    "deliver_by": ("deliver by", "due date", "需求日期", "交货日期"),
    "issue_date": ("issue date", "invoice date", "date", "开票日期"),
    "due_date": ("due date", "due", "到期日", "付款日期"),
    "booked_on": ("booking date", "booked", "date", "buchungstag", "交易日期", "记账日期", "交易时间", "日期"),
    "value_on": ("value date", "valuta", "valutadatum", "起息日"),
    "end_to_end_id": ("end to end id", "endtoendid", "e2e", "端到端标识"),
    "structured_reference": ("structured reference", "creditor reference", "结构化附言"),
    "remittance": ("remittance", "purpose", "verwendungszweck", "text", "附言", "摘要", "用途", "备注"),
    "counterparty": ("counterparty", "payee", "name", "对方户名", "对方名称", "对方单位", "收款人"),
    "counterparty_account": ("counterparty account", "iban", "account", "对方账号", "收款账号"),
    "payee_account": ("payee account", "iban", "account", "收款账号"),
    "bank_transaction_id": ("transaction id", "bank reference", "流水号", "交易流水号"),
}


@dataclass(frozen=True, slots=True)
class TableLook:
    """What a table looks like before anybody mapped it.

    `suggestion` has the form of `TableMapping.to_dict` and may lack what `missing` names: fields no column was found
    for, `formats of TITLE` where dates, and `separators` where numbers could be read two ways.
    """

    dialect: Dialect
    header: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    suggestion: dict[str, Any]
    missing: tuple[str, ...]


def look(raw: bytes, record: str | None = None) -> TableLook:
    """Encoding, delimiter, titles, first rows and a suggested mapping of `record` (else of the kind that fits best).

    Raises Problem of `csvtext.sniff` and `csvtext.parse_rows`.
    """
    dialect = sniff(raw)
    number = _header_row(raw, dialect)
    header, rows = parse_rows(raw, dialect, number)
    cells = [row for _, row in itertools.islice(rows, SAMPLE_ROWS) if len(row) == len(header)]
    kinds = [record] if record in FIELDS else list(FIELDS)
    found = [_suggest(kind, header, cells) for kind in kinds]
    suggestion, missing = min(
        found, key=lambda pair: (sum(name in FIELDS[pair[0]["record"]] for name in pair[1]), -len(pair[0]["columns"]))
    )
    if number > 1:
        suggestion["header_row"] = number
    samples = tuple(tuple(row) for row in cells[:SHOWN_ROWS])
    return TableLook(dialect, header, samples, suggestion, missing)


def _header_row(raw: bytes, dialect: Dialect) -> int:
    """The row with the most titles we know, of the first rows: banks write the account and the period above it."""
    known = {_plain(title) for titles in _TITLES.values() for title in titles}
    best, most = 1, 1
    try:
        first, rows = parse_rows(raw, dialect, 1)
        for number, row in itertools.chain([(1, list(first))], itertools.islice(rows, HEADER_ROWS - 1)):
            count = len({_plain(cell) for cell in row} & known)
            if count > most:
                best, most = number, count
    except Problem:
        return 1
    return best


def _suggest(
    record: str, header: Sequence[str], cells: Sequence[Sequence[str]]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    used: set[int] = set()
    columns: list[dict[str, Any]] = []
    missing: list[str] = []
    numbers: list[list[str]] = []
    for name, (kind, is_required) in FIELDS[record].items():
        place = None if name in SIDES and "amount_minor" not in missing else _column(name, header, used)
        if place is None:
            missing += [name] if is_required else []
            continue
        texts = [csvcells.plain(row[place]) for row in cells]
        column: dict[str, Any] = {"field": name, "source": header[place]}
        if kind == "date":
            formats = _formats([text for text in texts if text])
            missing += [f"formats of {header[place]}"] if formats is None else []
            column["formats"] = list(formats or ())
        if kind in ("decimal", "money", "integer"):
            numbers.append([text for text in texts if text])
        if not is_required or not all(texts):
            column["unknown"] = [""]
        used.add(place)
        columns.append(column)
    if SIDES.keys() <= {column["field"] for column in columns}:
        missing = [name for name in missing if name != "amount_minor"]
    found = _style(numbers)
    missing += ["separators"] if found is None else []
    style = dict(zip(("decimal_separator", "thousands_separator"), found or (".", ","), strict=True))
    return {"name": f"{record} table", "record": record, "columns": columns, **style}, tuple(missing)


def _column(name: str, header: Sequence[str], used: set[int]) -> int | None:
    """The column whose title is one of a field's: its own name first, then the known titles."""
    titles = [_plain(title) for title in header]
    for wanted in (name, name.removesuffix("_minor"), *_TITLES.get(name, ())):
        places = [place for place, title in enumerate(titles) if title == _plain(wanted) and place not in used]
        if len(places) == 1:
            return places[0]
    return None


def _plain(title: str) -> str:
    return re.sub(r"[\W_]+", " ", title).strip().lower()


def _formats(texts: Sequence[str]) -> tuple[str, ...] | None:
    """The one format that reads every cell; None when none does, or when day and month could be exchanged."""
    for pattern in DATE_FORMATS:
        if texts and all(csvcells.reads_as_date(text, pattern) for text in texts):
            return (pattern,)
    for pair in AMBIGUOUS:
        fitting = [
            pattern for pattern in pair if texts and all(csvcells.reads_as_date(text, pattern) for text in texts)
        ]
        if len(fitting) == 1:
            return (fitting[0],)
    return None if texts else ("%Y-%m-%d",)


def _style(numbers: Sequence[Sequence[str]]) -> tuple[str, str] | None:
    """Decimal and thousands separator under which every number reads; None when two of them give other numbers."""
    texts = [text for column in numbers for text in column]
    fitting: dict[tuple[str, str], list[Decimal]] = {}
    for point, comma in _STYLES:
        values = [_number(text, point, comma) for text in texts]
        if all(value is not None for value in values):
            fitting[point, comma] = [value for value in values if value is not None]
    if len({tuple(values) for values in fitting.values()}) > 1:
        return None
    return next(iter(fitting), (".", ","))


def _number(text: str, point: str, comma: str) -> Decimal | None:
    mapping = TableMapping("guess", "order", (), decimal_separator=point, thousands_separator=comma)
    kind: Kind = "decimal"
    try:
        value = csvcells.read(csvcells.unsigned(text, None, "guess"), kind, None, mapping, None, "guess")
    except Problem:
        return None
    return value if isinstance(value, Decimal) else None
