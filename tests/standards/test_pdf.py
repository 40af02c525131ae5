"""Factur-X and ZUGFeRD: the invoice attached to a PDF is the invoice; a picture of one is none."""

from __future__ import annotations

import io
import zlib

import pytest
from pypdf import PdfWriter
from tests.standards.test_cii import invoice, line

from scf.kernel.problems import Problem
from scf.standards import pdf, reading
from scf.standards.records import DocumentKind, Invoice

XML = invoice(line("1", "100.00"))


def document(*attached: tuple[str, bytes], password: str | None = None) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    for name, content in attached:
        writer.add_attachment(name, content)
    if password is not None:
        writer.encrypt(password, algorithm="AES-256")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def refusal_of(raw: bytes) -> Problem:
    with pytest.raises(Problem) as refused:
        reading.read(raw, "invoice.pdf")
    assert refused.value.facts["place"] and refused.value.facts["reason"]
    return refused.value


@pytest.mark.parametrize("name", ["factur-x.xml", "ZUGFeRD-invoice.xml", "xrechnung.xml", "rechnung.xml"])
def test_the_attached_invoice_is_read(name: str) -> None:
    read = reading.read(document((name, XML), ("terms.txt", b"net 30")), "invoice.pdf")
    assert read.kind == DocumentKind.CII_INVOICE
    (record,) = read.records
    assert isinstance(record, Invoice) and (record.number, record.payable_minor) == ("RE-1", 12_000)


def test_the_standard_name_goes_before_other_xml_and_one_content_counts_once() -> None:
    read = reading.read(document(("other.xml", b"<a/>"), ("factur-x.xml", XML), ("xrechnung.xml", XML)))
    assert isinstance(read.records[0], Invoice)


def test_two_different_invoices_in_one_pdf_are_refused() -> None:
    other = XML.replace(b"RE-1", b"RE-2")
    assert refusal_of(document(("factur-x.xml", XML), ("xrechnung.xml", other))).code == "pdf_several_invoices"


def test_a_picture_of_an_invoice_says_what_to_ask_for() -> None:
    problem = refusal_of(document())
    assert problem.code == "pdf_without_invoice"
    assert "factur-x.xml" in problem.sentence("en") and "数电票 XML" in problem.sentence("zh-CN")


def test_broken_and_locked_files_are_refused() -> None:
    whole = document(("factur-x.xml", XML))
    for broken in (b"%PDF-1.7", b"%PDF-1.7\n%%EOF", whole[: len(whole) // 2], whole[:200] + whole[400:]):
        assert refusal_of(broken).code in ("pdf_unreadable", "pdf_without_invoice")
    assert refusal_of(document(("factur-x.xml", XML), password="secret")).code == "pdf_unreadable"


def test_a_bomb_in_an_attachment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = zlib.compress(b"<a>" + b" " * 200_000_000 + b"</a>", 9)
    plain = document(("factur-x.xml", b"@" * len(content)))
    start = plain.rindex(b"<<", 0, plain.index(b"@" * len(content)))
    bomb = plain[:start] + b"<< /Filter /FlateDecode " + plain[start + 2 :].replace(b"@" * len(content), content)
    assert len(bomb) < 500_000
    assert refusal_of(bomb).code in ("document_too_large", "pdf_unreadable")
    monkeypatch.setattr(pdf, "MAX_BYTES", 100)
    assert refusal_of(document(("factur-x.xml", XML))).code == "document_too_large"


def test_entities_in_the_attachment_are_refused() -> None:
    hostile = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]>' + XML[XML.index(b"<rsm:Cross") :]
    assert refusal_of(document(("factur-x.xml", hostile))).code == "document_has_doctype"
