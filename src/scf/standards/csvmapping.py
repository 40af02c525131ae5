"""The saved column mapping of a CSV table: plain data that can be kept as TOML or JSON and shown to a person."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any, Literal

from scf.standards.refusals import refusal

Kind = Literal["text", "date", "decimal", "integer", "money", "currency"]

FIELDS: dict[str, dict[str, tuple[Kind, bool]]] = {
    "delivery": {
        "line_id": ("text", True),
        "reference": ("text", True),
        "order_reference": ("text", True),
        "vendor": ("text", True),
        "site": ("text", False),
        "country": ("text", False),
        "product": ("text", True),
        "quantity": ("decimal", True),
        "value_minor": ("money", True),
        "currency": ("currency", True),
        "scheduled_on": ("date", False),
        "shipped_on": ("date", False),
        "delivered_on": ("date", False),
        "recorded_on": ("date", False),
        "ordered_on": ("date", False),
    },
    "order": {
        "number": ("text", True),
        "line_id": ("text", False),
        "buyer": ("text", False),
        "seller": ("text", True),
        "product": ("text", False),
        "quantity": ("decimal", False),
        "value_minor": ("money", True),
        "currency": ("currency", True),
        "ordered_on": ("date", False),
        "deliver_by": ("date", False),
    },
    "invoice": {
        "number": ("text", True),
        "seller": ("text", True),
        "buyer": ("text", False),
        "order_reference": ("text", False),
        "despatch_reference": ("text", False),
        "issue_date": ("date", True),
        "due_date": ("date", False),
        "net_minor": ("money", False),
        "tax_minor": ("money", False),
        "payable_minor": ("money", True),
        "currency": ("currency", True),
        "payee_account": ("text", False),
    },
    "payment": {
        "booked_on": ("date", True),
        "value_on": ("date", False),
        "amount_minor": ("money", True),
        "debit_minor": ("money", False),
        "credit_minor": ("money", False),
        "currency": ("currency", True),
        "end_to_end_id": ("text", False),
        "structured_reference": ("text", False),
        "remittance": ("text", False),
        "counterparty": ("text", False),
        "counterparty_account": ("text", False),
        "bank_transaction_id": ("text", False),
    },
}
"""Record kinds a mapping can yield: field to (kind of value, whether it must be there)."""
SIDES = {"debit_minor": -1, "credit_minor": 1}
"""Columns of a statement that write money out and money in apart; together they feed `amount_minor`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the field it feeds, its title in the table, date formats in order, and texts that mean "unknown"."""

    field: str
    source: str
    formats: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """Rows to leave out: those whose `column` equals one of `equals` or begins with `starts_with`."""

    column: str
    equals: tuple[str, ...] = ()
    starts_with: str = ""

    def matches(self, text: str) -> bool:
        """Whether a row with this text is left out."""
        return text in self.equals or bool(self.starts_with and text.startswith(self.starts_with))


@dataclass(frozen=True, slots=True)
class TableMapping:
    """How a table becomes records. None for encoding or delimiter means: detect it."""

    name: str
    record: str
    columns: tuple[Column, ...]
    constants: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    skip: tuple[Skip, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    decimal_separator: str = "."
    thousands_separator: str = ","
    header_row: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TableMapping:
        """A checked mapping from plain data. Raises Problem `mapping_invalid`."""
        try:
            plain = dict(data)
            columns = tuple(_record(Column, item) for item in plain.pop("columns"))
            skip = tuple(_record(Skip, item) for item in plain.pop("skip", ()))
            plain["key"] = tuple(plain.get("key", ()))
            plain["constants"] = {str(name): str(value) for name, value in plain.get("constants", {}).items()}
            made = cls(columns=columns, skip=skip, **plain)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise refusal("mapping_invalid", "mapping", detail=str(error)) from error
        made._check()
        return made

    def _check(self) -> None:
        known = FIELDS.get(self.record)
        if known is None:
            raise refusal("mapping_invalid", "record", detail=f"{self.record} is not one of {', '.join(FIELDS)}")
        fed = [item.field for item in self.columns] + list(self.constants)
        for name in (*fed, *self.key):
            if name not in known:
                raise refusal("mapping_invalid", str(name), detail=f"{self.record} has no such field")
        if len(set(fed)) != len(fed) or ("amount_minor" in fed and not SIDES.keys().isdisjoint(fed)):
            raise refusal("mapping_invalid", "columns", detail="a field is fed twice")
        for name, (_, is_required) in known.items():
            is_fed = name in fed or (name == "amount_minor" and SIDES.keys() <= set(fed))
            if is_required and not is_fed:
                raise refusal("mapping_invalid", name, detail="no column or constant feeds it")
        if self.decimal_separator not in (".", ",") or self.thousands_separator not in ("", ",", ".", " ", "'"):
            raise refusal("mapping_invalid", "separators", detail="decimal . or , and thousands , . blank '")
        if self.decimal_separator == self.thousands_separator or self.header_row < 1:
            raise refusal("mapping_invalid", "separators", detail="must differ")


def _record(kind: type[Any], item: Mapping[str, Any]) -> Any:
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}
    return kind(**plain)


def load_mapping(source: str) -> TableMapping:
    """A mapping from TOML or JSON text, or one that ships with the product by its name (`scms`).

    Raises Problem `mapping_invalid`.
    """
    shipped = resources.files("scf.standards").joinpath("mappings", f"{source}.toml") if source.isidentifier() else None
    if shipped is not None and shipped.is_file():
        source = shipped.read_text(encoding="utf-8")
    try:
        data = json.loads(source) if source.lstrip().startswith("{") else tomllib.loads(source)
    except (ValueError, RecursionError) as error:
        raise refusal("mapping_invalid", "mapping", detail=str(error)) from error
    return TableMapping.from_dict(data)
