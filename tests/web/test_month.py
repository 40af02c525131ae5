"""The month of a firm: opening and movements make the closing, and every file says what the page says."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from pathlib import Path
from unittest.mock import Mock

import pytest
import reportlab
from lxml import etree
from pypdf import PdfReader
from sqlmodel import select
from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, PINE, RIVER, STONE, Installation

from scf.demo.cast import firm
from scf.demo.papers import invoice
from scf.kernel.clock import today
from scf.kernel.money import format_money, format_plain, parse_minor
from scf.kernel.problems import Problem
from scf.receivables.models import Note, NoteState
from scf.standards import camt
from scf.web import month_pdf, month_tax
from scf.web.month import CLAIMS, MONEY, Month, month_bounds, month_of
from scf.web.month_tax import tax_rows

FIRMS = [CORE, LOTUS, PINE, RIVER, STONE, "steel", "harbour", "farhill"]


def month_at(demo: Installation, code: str, name: str = "") -> Month:
    """The running month of a firm as the pages compute it."""
    now = today(demo.app.clock)
    name = name or f"{now:%Y-%m}"
    mine = frozenset({demo.at(code)})
    with demo.app.reading() as session:
        names = [firm(code).name]
        organisation = demo.app.parties.organisation_of(session, demo.at(code))
        if organisation and organisation.uscc:
            names.append(organisation.uscc)
        taxes = tax_rows(session, names, *month_bounds(name))
        return month_of(session, names[0], mine, lambda who: demo.app.parties.name_of(session, who), name, taxes, now)


def owned_minor(demo: Installation, code: str) -> int:
    """What a firm owns by the books: its accepted notes, and what it gave away that nobody took up yet."""
    me = demo.at(code)
    with demo.app.reading() as session:
        notes = session.exec(select(Note).where((Note.holder == me) | (Note.giver == me))).all()
    held = [n for n in notes if n.holder == me and n.state in (NoteState.HELD, NoteState.MASS)]
    waiting = [n for n in notes if n.giver == me and n.holder != me and n.parent_id is not None]
    waiting = [n for n in waiting if n.state in (NoteState.OFFERED, NoteState.LOCKED)]
    return sum(n.amount_minor for n in [*held, *waiting])


@pytest.mark.parametrize("code", FIRMS)
def test_what_the_statement_ends_with_is_what_the_books_say_the_firm_owns(code: str, demo: Installation) -> None:
    month = month_at(demo, code)
    closing = sum(sheet.closing_minor for sheet in month.sheets if sheet.account == CLAIMS)
    assert closing == owned_minor(demo, code)


@pytest.mark.parametrize("code", [LOTUS, PINE, "harbour"])
def test_a_month_opens_where_the_one_before_closed(code: str, demo: Installation) -> None:
    now = month_at(demo, code)
    later = month_at(demo, code, f"{now.last.year + (now.last.month == 12)}-{now.last.month % 12 + 1:02d}")
    for sheet in now.sheets:
        after = [one for one in later.sheets if (one.account, one.currency) == (sheet.account, sheet.currency)]
        assert (after[0].opening_minor if after else 0) == sheet.closing_minor


def test_what_early_money_cost_is_what_was_quoted(demo: Installation) -> None:
    month = month_at(demo, PINE)
    with demo.app.reading() as session:
        sold = demo.app.financing.financing(session, demo.financed)
    sums = month.sums[0]
    assert (sums.discount_minor, sums.fees_minor) == (sold.discount_minor, sold.fees_minor)
    claims = [line for sheet in month.sheets if sheet.account == CLAIMS for line in sheet.lines if line.kind == "sold"]
    money = [line for sheet in month.sheets if sheet.account == MONEY for line in sheet.lines if line.kind == "locked"]
    assert [line.amount_minor for line in claims] == [-sold.amount_minor]
    assert [line.amount_minor for line in money] == [sold.net_minor]
    assert sold.net_minor + sums.cost_minor == sold.amount_minor


def test_vat_comes_from_the_invoices_on_both_sides(demo: Installation) -> None:
    out = [row for row in month_at(demo, LOTUS).taxes if row.number == "INV-LP-3301"]
    received = [row for row in month_at(demo, CORE).taxes if row.number == "INV-LP-3301"]
    assert [row.direction for row in out] == ["out"] and [row.direction for row in received] == ["in"]
    assert out[0].gross_minor == out[0].net_minor + out[0].tax_minor == 1_000_000_00
    assert out[0].tax_minor == received[0].tax_minor > 0
    assert month_at(demo, STONE).sums[0].vat_in_minor == sum(
        row.tax_minor for row in month_at(demo, STONE).taxes if row.direction == "in"
    )


def test_an_invoice_that_cannot_be_read_is_said_to_be_missing_from_the_sums(
    demo: Installation, act_as: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "could not be read" not in act_as(LOTUS).get("/month").text
    missed = Problem("file_unreadable", name="invoice.xml")
    monkeypatch.setattr(month_tax, "read_whole", Mock(side_effect=missed))
    client = act_as(LOTUS)
    page, pdf = client.get("/month").text, client.get(f"/month/{month_at(demo, LOTUS).name}.pdf").content
    said = re.search(r"(\d+) invoice files of this month could not be read and are not in these sums", page)
    assert said and int(said.group(1)) > 0
    assert "could not be read" in "".join(one.extract_text() for one in PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("code", [PINE, "harbour"])
def test_every_file_says_what_the_page_says(
    code: str, language: str, demo: Installation, act_as: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(month_pdf, "_USUAL", ())
    monkeypatch.delenv("SCF_PDF_FONT", raising=False)
    month, client = month_at(demo, code), act_as(code, language=language)
    page = client.get("/month").text.replace("\u00a0", " ")
    name = month.name
    for sums in month.sums:
        for minor in (sums.vat_in_minor, sums.vat_out_minor, sums.cost_minor, sums.net_cash_minor):
            assert format_money(minor, sums.currency) in page
    table = list(csv.reader(io.StringIO(client.get(f"/month/{name}.csv").text.removeprefix("\ufeff"))))
    tree = etree.fromstring(client.get(f"/month/{name}.xml").content)
    space = {"m": "urn:scf:month:1"}
    statements = {one.account: one for one in camt.read(client.get(f"/month/{name}.camt").content)}
    assert len(statements) == len(month.sheets)
    for sheet in month.sheets:
        code_ = sheet.currency
        own = [row for row in table if row[0] == sheet.account and row[7] == code_]
        assert (own[0][2], own[-1][2]) == (("期初余额", "期末余额") if language == "zh-CN" else ("Opening", "Closing"))
        amounts = [parse_minor(row[5], code_) for row in own[1:-1]]
        assert amounts == [line.amount_minor for line in sheet.lines]
        assert parse_minor(own[0][5], code_) + sum(amounts) == parse_minor(own[-1][5], code_) == sheet.closing_minor
        item = tree.xpath(f"m:account[@name='{sheet.account}'][@currency='{code_}']", namespaces=space)[0]
        assert item.get("closing") == format_plain(sheet.closing_minor, code_)
        assert len(item) == len(sheet.lines)
        said = next(one for account, one in statements.items() if sheet.account.upper() in account)
        assert said.adds_up and (said.opening_minor, said.closing_minor) == (sheet.opening_minor, sheet.closing_minor)
        assert [entry.amount_minor for entry in said.entries] == [line.amount_minor for line in sheet.lines]
        assert format_money(sheet.closing_minor, code_) in page
    document = client.get(f"/month/{name}.pdf")
    assert document.headers["content-type"] == "application/pdf" and document.content.startswith(b"%PDF")
    assert client.get(f"/month/{name}.pdf").content == document.content
    assert b"STSong-Light" in document.content and b"FontFile" not in document.content
    monkeypatch.setenv("SCF_PDF_FONT", str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"))
    assert b"FontFile2" in client.get(f"/month/{name}.pdf").content


def test_a_name_on_an_invoice_starts_no_formula_in_the_table(demo: Installation, act_as: As) -> None:
    on = date(2025, 11, 3)
    paper = invoice("=HYPERLINK(1)", PINE, LOTUS, "PO-EVIL", "Parts", 1_130_00, on, date(2025, 12, 30))
    name = firm(PINE).name
    demo.app.documents.import_file(paper.raw, paper.name, source=name, sender=name, trust=1)
    text = act_as(PINE).get("/month/2025-11.csv").text
    assert "HYPERLINK" in text
    for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))):
        for cell in row:
            assert re.fullmatch(r"-?[\d.]+", cell) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), row


def test_nobody_sees_the_month_of_another(demo: Installation, act_as: As) -> None:
    page = act_as(STONE).get("/month").text
    assert "INV-LP-3301" not in page and format_money(150_000_00, "CNY") not in page.replace("\u00a0", " ")


@pytest.mark.parametrize("text", ["2026-13", "x", "2026", "0000-01", "26-1", "9999-12"])
def test_what_is_no_month_is_refused_in_a_sentence(text: str, act_as: As) -> None:
    answer = act_as(LOTUS).get(f"/month?of={text}")
    assert answer.status_code == 422 and "No money moved" in answer.text
    assert act_as(LOTUS).get("/month/2026-01.exe").status_code == 404
