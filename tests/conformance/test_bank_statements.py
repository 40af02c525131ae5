"""Statements nobody here wrote, against the fields they must yield."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scf.kernel.problems import Problem
from scf.standards import camt

NAMES = (
    "camt052.v6",
    "camt053.v2.all-balance-types",
    "camt053.v2.minimal",
    "camt053.v2.multi.statement",
    "camt053.v2.with-party-ids",
    "camt053.v4",
    "camt053.v8",
    "camt054.v4",
    "camt054.v8",
)
BALANCES = {
    "opening": ("OPBD", "PRCD"),
    "closing": ("CLBD",),
    "opening_available": ("OPAV",),
    "closing_available": ("CLAV",),
    "interim": ("ITBD",),
}


def money(value: dict[str, Any]) -> tuple[int, str]:
    return int(value["getAmount"]), value["getCurrency"]["getCode"]


@pytest.mark.parametrize("name", NAMES)
def test_the_expected_fields_are_read(samples: Path, name: str) -> None:
    folder = samples / "bank-statements"
    statements = camt.read((folder / f"{name}.xml").read_bytes())
    wanted_all = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    assert {item.message_id for item in statements} == {wanted_all["getGroupHeader"]["getMessageId"]}
    for wanted in wanted_all["getEntries"]:
        record = wanted["getRecord"]
        statement = next(item for item in statements if item.id == record["getId"])
        assert statement.account == record["getAccount"]["getIdentification"]
        balances = {(item.kind, item.amount_minor, item.currency) for item in statement.balances}
        for balance in record.get("getBalances") or []:
            kinds = BALANCES.get(balance["getType"], ())
            assert not kinds or balances & {(kind, *money(balance["getAmount"])) for kind in kinds}
        entries = [item for item in statement.entries if item.entry_index == wanted["getIndex"]]
        check_entry(wanted, entries)


def check_entry(wanted: dict[str, Any], entries: list[Any]) -> None:
    first = entries[0]
    assert (first.bank_transaction_id, first.is_reversal) == (
        wanted["getAccountServicerReference"],
        wanted["getReversalIndicator"],
    )
    assert first.status == wanted["getStatus"]
    assert str(first.booked_on) == wanted["getBookingDate"]["0"][:10]
    assert str(first.value_on) == wanted["getValueDate"]["0"][:10]
    details = [wanted["getTransactionDetail"], *wanted["getTransactionDetails"][1:]]
    assert len(entries) == len(details)
    if len(details) == 1:
        assert (first.amount_minor, first.currency) == money(wanted["getAmount"])
    for entry, detail in zip(entries, details, strict=True):
        if len(details) > 1:
            assert (entry.amount_minor, entry.currency) == money(detail["getAmount"])
        assert entry.end_to_end_id == detail["getReference"]["getEndToEndId"]
        assert entry.uetr == detail["getReference"]["getUuidEndToEndReference"]
        blocks = list(detail["getRemittanceInformation"]["getStructuredBlocks"])
        if blocks and blocks[0] == "__RECURSIVITY__":
            blocks[0] = detail["getRemittanceInformation"]["getStructuredBlock"]
        if all(isinstance(item.get("getCreditorReferenceInformation"), dict) for item in blocks):
            assert entry.structured_references == tuple(
                item["getCreditorReferenceInformation"]["getRef"] for item in blocks
            )


def test_a_statement_without_statements_is_refused(samples: Path) -> None:
    with pytest.raises(Problem) as caught:
        camt.read((samples / "bank-statements" / "camt053.v2.wrong.xml").read_bytes())
    assert caught.value.code == "document_element_missing"
    assert "BkToCstmrStmt/Stmt" in str(caught.value.facts["place"])
