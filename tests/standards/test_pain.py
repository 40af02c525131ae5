"""Payment orders and their status: written to the schema, read back the same, refused when sums contradict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from pyiso20022.pain.pain_001_001_09 import Document as Document001
from pyiso20022.pain.pain_002_001_10 import Document as Document002
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig

from scf.kernel.problems import Problem
from scf.standards import pain
from scf.standards.bank_records import PaymentInstruction, PaymentStatus, PaymentStatusReport
from scf.standards.records import Identifier, Party

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ONE = PaymentInstruction(
    end_to_end_id="E2E-1",
    amount_minor=1_000_050,
    currency="CNY",
    execute_on=date(2026, 11, 24),
    debtor=Party("受托支付专户", (), "CN", "6222000000000001"),
    creditor=Party("Tier Two Castings", (Identifier("USCC", "91310000MA1FL0000X"),), "CN", "6222000000000002"),
    debtor_agent="ICBKCNBJXXX",
    creditor_agent="102290000001",
    remittance="Stage 1",
    structured_reference="RF18539007547034",
    instruction_id="INS-1",
    uetr="174b2d8d-8b39-4d2c-b4ff-4c9b2f0a7c11",
    purpose="SUPP",
    payment_information_id="PAY-1",
)


def strict(raw: bytes, document: type) -> None:
    XmlParser(config=ParserConfig(fail_on_unknown_properties=True, fail_on_converter_warnings=True)).from_bytes(
        raw, document
    )


def order(*items: PaymentInstruction) -> bytes:
    return pain.write_001("MSG-1", NOW, "scf operator", items)


def test_an_order_fits_the_schema_and_comes_back_the_same() -> None:
    other = replace(ONE, end_to_end_id="E2E-2", amount_minor=1, payment_information_id="PAY-2", creditor_agent=None)
    raw = order(ONE, other)
    strict(raw, Document001)
    read = pain.read_001(raw)
    assert (read.message_id, read.created_at, read.initiator) == ("MSG-1", NOW, "scf operator")
    assert read.instructions == (ONE, other)


def test_the_same_order_has_the_same_bytes() -> None:
    assert order(ONE) == order(ONE)


def test_currencies_without_cents_are_written_without() -> None:
    raw = order(replace(ONE, currency="JPY", amount_minor=500))
    assert b'<InstdAmt Ccy="JPY">500</InstdAmt>' in raw
    assert pain.read_001(raw).instructions[0].amount_minor == 500


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"<NbOfTxs>1</NbOfTxs>", b"<NbOfTxs>2</NbOfTxs>", "payment_count_differs"),
        (b"<CtrlSum>10000.50<", b"<CtrlSum>10000.51<", "payment_sum_differs"),
        (b'Ccy="CNY">10000.50<', b'Ccy="CNY">0.00<', "payment_amount_not_positive"),
        (b'Ccy="CNY">10000.50<', b'Ccy="CNY">10000.501<', "document_amount_too_fine"),
        (b"<PmtMtd>TRF", b"<PmtMtd>CHK", "payment_method_unsupported"),
        (b"<EndToEndId>E2E-1", b"<EndToEndId>", "document_element_missing"),
        (b"CdtTrfTxInf>", b"CdtTrfTxInfo>", "document_element_unknown"),
        (b"2026-11-24", b"2026-11-31", "document_date_wrong"),
    ],
)
def test_a_contradicting_order_is_refused(old: bytes, new: bytes, code: str) -> None:
    raw = order(ONE)
    assert old in raw
    with pytest.raises(Problem) as caught:
        pain.read_001(raw.replace(old, new))
    assert caught.value.code == code
    assert caught.value.facts["place"]


def test_an_amount_stated_in_the_payers_currency_is_kept_with_the_currency_it_shall_arrive_in() -> None:
    stated = b'<InstdAmt Ccy="CNY">10000.50</InstdAmt>'
    equivalent = b'<EqvtAmt><Amt Ccy="CNY">10000.50</Amt><CcyOfTrf>USD</CcyOfTrf></EqvtAmt>'
    raw = order(ONE)
    assert stated in raw
    (read,) = pain.read_001(raw.replace(stated, equivalent)).instructions
    assert (read.amount_minor, read.currency, read.transfer_currency) == (1_000_050, "CNY", "USD")
    with pytest.raises(Problem) as caught:
        pain.read_001(raw.replace(stated, equivalent.replace(b"USD", b"XXY")))
    assert caught.value.code == "document_currency_unknown"


def test_an_order_needs_amounts_and_accounts() -> None:
    for broken in (replace(ONE, amount_minor=0), replace(ONE, creditor=Party("X"))):
        with pytest.raises(ValueError, match="needs"):
            order(broken)


def test_a_status_report_fits_the_schema_and_comes_back_the_same() -> None:
    report = PaymentStatusReport(
        message_id="ST-1",
        created_at=NOW,
        original_message_id="MSG-1",
        original_message_name="pain.001.001.09",
        group_status="PART",
        statuses=(
            PaymentStatus("E2E-1", "ACSC", None, None, "INS-1", "PAY-1", ONE.uetr, "BK-9"),
            PaymentStatus("E2E-2", "RJCT", "AC04", "account closed", None, "PAY-1"),
        ),
    )
    raw = pain.write_002(report)
    strict(raw, Document002)
    assert pain.read_002(raw) == report


def test_a_refused_message_names_its_reason() -> None:
    report = PaymentStatusReport("ST-2", NOW, "MSG-1", "pain.001.001.09", "RJCT", (), "FF01", "sum wrong")
    read = pain.read_002(pain.write_002(report))
    assert (read.group_status, read.group_reason_code, read.group_reason) == ("RJCT", "FF01", "sum wrong")
