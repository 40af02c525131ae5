"""Documents in: whole or not at all, once, with source and trust; their facts meet goods, invoices and money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import select
from tests.installation import START, Installation

from scf.bank import service as bank
from scf.bank.models import BankLine
from scf.bank.statements import bank_source
from scf.demo.bankside import BIC, BankSide
from scf.demo.cast import CORE, FAIRWAY, LOTUS, firm
from scf.demo.papers import invoice, logistics_event, order
from scf.documents.service import ImportReport
from scf.kernel.clock import today
from scf.kernel.dates import next_day, to_unix
from scf.reconciliation import service as reconciliation
from scf.store import evidence
from scf.store.evidence import Trust

DAY = date(2026, 3, 2)


def take(
    at: Installation, raw: bytes, name: str, *, source: str = "Lotus", trust: int = Trust.T1, mapping: str | None = None
) -> ImportReport:
    return at.app.documents.import_file(raw, name, source=source, sender=source, trust=trust, mapping=mapping)


def some_invoice(number: str = "INV-1", gross_minor: int = 113_00) -> bytes:
    return invoice(number, LOTUS, CORE, "PO-1", "Parts", gross_minor, DAY, next_day(DAY, 30)).raw


KINDS: dict[str, Callable[[], bytes]] = {
    "UBL invoice": some_invoice,
    "UBL order": lambda: order("PO-1", CORE, LOTUS, "Parts", 100_00, 1, DAY).raw,
    "EPCIS": lambda: logistics_event("PO-1", "receiving", START, quantity=1, goods="parts", despatch="DN-1").raw,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_and_the_same_again(installation: Installation, kind: str) -> None:
    raw = KINDS[kind]()
    first = take(installation, raw, "file")
    assert (first.is_new, first.accepted, first.rejected) == (True, 1, 0)
    assert first.kind.upper().startswith(kind.split()[0].upper())
    with installation.nothing_written():
        again = take(installation, raw, "another name")
    assert (again.is_new, again.evidence_id) == (False, first.evidence_id)
    with installation.app.reading() as session:
        assert evidence.raw_bytes(session, first.evidence_id) == raw
        assert [row.evidence_id for row in installation.app.documents.imported(session)] == [first.evidence_id]


def test_the_same_file_from_another_source_is_another_witness(installation: Installation) -> None:
    raw = some_invoice()
    one = take(installation, raw, "file", source="Lotus", trust=Trust.T1)
    two = take(installation, raw, "file", source="Northbridge", trust=Trust.T2)
    assert two.is_new and two.evidence_id == one.evidence_id
    with installation.app.reading() as session:
        records = evidence.records_of(session, one.evidence_id)
        assert [(row.source, row.trust) for row in records] == [("Lotus", 1), ("Northbridge", 2)]
        assert evidence.trust_of(session, one.evidence_id) == Trust.T2


@pytest.mark.parametrize("trust", list(Trust))
def test_trust_is_kept_as_given(installation: Installation, trust: Trust) -> None:
    found = take(installation, some_invoice(), "file", trust=trust)
    with installation.app.reading() as session:
        assert evidence.trust_of(session, found.evidence_id) == trust


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_file_leaves_nothing(installation: Installation, kind: str) -> None:
    raw = KINDS[kind]()
    for broken in (raw[: len(raw) // 2], raw.replace(b"2026", b"20x6"), b"", raw[:20]):
        with installation.nothing_written(), pytest.raises(Exception) as caught:
            take(installation, broken, "file")
        assert type(caught.value).__name__ == "Problem", repr(caught.value)
        assert caught.value.money_moved == "no"  # type: ignore[attr-defined]


def test_a_payment_order_is_no_document_to_import(installation: Installation) -> None:
    """Instructions go out; a file of them that comes in is refused and instructs nobody."""
    at = installation
    side = BankSide(at.play)
    side.open_accounts()
    side._pay("P1", firm(CORE).account, firm(LOTUS).account, 100)
    with at.app.reading() as session:
        raw = next(
            evidence.raw_bytes(session, row.evidence_id)
            for row in session.exec(select(evidence.Evidence))
            if "pain.001" in row.kind
        )
    at.refused("document_not_importable", lambda: take(at, raw, "orders.xml"))


# Tables ---------------------------------------------------------------------------------------------------------------


def test_a_table_with_bad_rows_is_refused_whole(installation: Installation, samples: Path) -> None:
    whole = (samples / "deliveries" / "scms_delivery_history.csv").read_bytes()
    lines = whole.split(b"\r")[:40]
    good = b"\r".join(lines)
    spoilt = b"\r".join([*lines[:7], b"only,three,cells", *lines[7:]])
    problem = installation.refused(
        "table_rows_rejected", lambda: take(installation, spoilt, "list.csv", mapping="scms")
    )
    assert "1 of" in problem.sentence("en")
    report = take(installation, good, "list.csv", mapping="scms")
    assert report.is_new and report.accepted > 30


def test_a_table_needs_a_mapping_somebody_saved(installation: Installation) -> None:
    at = installation
    at.refused("table_mapping_missing", lambda: take(at, b"a,b\n1,2\n", "list.csv"))
    at.refused("table_mapping_missing", lambda: take(at, b"a,b\n1,2\n", "list.csv", mapping="nobody's"))
    with at.nothing_written(), pytest.raises(Exception) as caught, at.app.desk.session() as session:
        at.app.documents.save_mapping(session, "bad", "this is [no mapping")
    assert type(caught.value).__name__ == "Problem"


# Statements -----------------------------------------------------------------------------------------------------------


def a_statement(at: Installation) -> bytes:
    """A camt file of a deposit, as the bank would send it; nobody collected it."""
    side = BankSide(at.play)
    number = firm(LOTUS).account
    side.simulator.open_account(number, "Lotus", "CNY")
    side.simulator.deposit(number, 500_00, reference="cash", remittance="INV-1", end_to_end_id="CUSTOMER-1")
    with at.app.desk.session() as session:
        bank.open_account(session, number=number, bank=BIC, currency="CNY", holder="Lotus", now=at.clock.now())
    return next(file.raw for file in side.simulator.files() if b"camt.05" in file.raw)


def test_a_statement_twice(installation: Installation) -> None:
    at = installation
    raw = a_statement(at)
    first = take(at, raw, "statement.xml", source=bank_source(BIC), trust=Trust.T3)
    assert first.is_new and first.accepted == 1
    with at.nothing_written():
        assert not take(at, raw, "statement.xml", source=bank_source(BIC), trust=Trust.T3).is_new
    with at.app.reading() as session:
        assert [line.amount_minor for line in bank.lines(session, firm(LOTUS).account)] == [500_00]


def test_an_uploaded_statement_is_not_the_banks_word(installation: Installation) -> None:
    """A copy anyone could have written proves no money until the bank's own feed says the same, in one line."""
    at = installation
    raw = a_statement(at)
    take(at, raw, "statement.xml", source="Lotus", trust=Trust.T1)
    with at.app.reading() as session:
        assert bank.lines(session, firm(LOTUS).account) == []
        assert [line.trust for line in session.exec(select(BankLine))] == [Trust.T1]
    take(at, raw, "statement.xml", source=bank_source(BIC), trust=Trust.T3)
    with at.app.reading() as session:
        assert [line.amount_minor for line in bank.lines(session, firm(LOTUS).account)] == [500_00]
        assert len(session.exec(select(BankLine)).all()) == 1


# The join -------------------------------------------------------------------------------------------------------------


def test_the_banks_lines_join_the_trade_they_pay_for(installation: Installation) -> None:
    """Order, goods, invoice and the bank's line end in one case; funding and other money belong to none."""
    at = installation
    side = BankSide(at.play)
    side.open_accounts()
    day = today(at.clock)
    for raw, code, trust in (
        (order("PO-1", CORE, LOTUS, "Parts", 100_00, 1, day).raw, CORE, Trust.T2),
        (KINDS["EPCIS"](), FAIRWAY, Trust.T3),
        (invoice("INV-1", LOTUS, CORE, "PO-1", "Parts", 113_00, day, next_day(day, 30)).raw, LOTUS, Trust.T2),
    ):
        take(at, raw, "file", source=firm(code).name, trust=trust)
    side._pay("TRADE1", firm(CORE).account, firm(LOTUS).account, 113_00, order="PO-1")
    side._pay("OTHER1", firm(CORE).account, firm(LOTUS).account, 999_00)
    at.clock.move_to(to_unix(next_day(today(at.clock), 3)))
    at.app.documents.exchange(side.gateway)
    with at.app.reading() as session:
        kinds = {str(step.kind) for step in reconciliation.timeline(session, "PO-1")}
        assert {"order", "delivery", "invoice", "payment"} <= kinds
        case = reconciliation.case_of(session, "PO-1")
        assert case.paid_minor == 113_00
        assert bank.contradicting_lines(session) == []


def test_a_payment_is_tied_to_its_order_once(installation: Installation) -> None:
    at = installation
    side = BankSide(at.play)
    side.open_accounts()
    side._pay("TRADE1", firm(CORE).account, firm(LOTUS).account, 113_00, order="PO-1")
    with at.nothing_written():
        side._pay("TRADE1", firm(CORE).account, firm(LOTUS).account, 113_00, order="PO-1")
