"""Invoices nobody here wrote: all load, both syntaxes of one invoice agree, factored ones are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from scf.standards import cii, ubl
from scf.standards.detect import detect
from scf.standards.records import DocumentKind, Invoice

ASSIGNED = {"BIS_Billing_30-Factoring", "ubl-tc434-example2", "CII_business_example_01", "CII_example5"}
XRECHNUNG = ("01.01a", "01.03a", "01.05a", "01.10a", "02.01a", "03.01a")


def read(path: Path) -> Invoice:
    raw = path.read_bytes()
    kind = detect(raw, path.name)
    if kind == DocumentKind.CII_INVOICE:
        return cii.read_invoice(raw)
    assert kind in (DocumentKind.UBL_INVOICE, DocumentKind.UBL_CREDIT_NOTE)
    return ubl.read_invoice(raw)


@pytest.mark.parametrize(
    ("name", "number", "due", "code", "net", "tax", "payable", "lines"),
    [
        ("ubl/BIS_Billing_30-Factoring", "7023708", "2017-09-29", "EUR", 9_200_000, 2_300_000, 11_500_000, 2),
        ("ubl/guide-example1", "12115118", "2015-01-09", "EUR", 22_960, 2_073, 25_033, 20),
        ("ubl/sample-discount-price", "test decimal 1", "2018-02-28", "EUR", 1_212, 303, 1_515, 1),
        ("ubl/ubl-tc434-creditnote1", "018304 / 28865", "None", "EUR", 10_011, 0, 10_011, 1),
        ("ubl/ubl-tc434-example1", "12115118", "2015-01-09", "EUR", 22_960, 2_073, 25_033, 20),
        ("ubl/ubl-tc434-example2", "TOSL108", "2013-07-20", "NOK", 143_650, 36_528, 80_178, 5),
        ("ubl/ubl-tc434-example4", "TOSL110", "2013-05-10", "DKK", 400_000, 67_500, 467_500, 3),
        ("ubl/ubl-tc434-example6", "TOSL110", "2013-05-10", "DKK", 400_000, 67_500, 467_500, 3),
        ("ubl/ubl-tc434-example8", "1100512149", "2014-11-24", "EUR", 90_891, 19_087, 109_978, 10),
        ("cii/CII_business_example_01", "TOSL108", "2013-07-20", "NOK", 143_650, 36_528, 80_178, 5),
        ("cii/CII_example1", "12115118", "2015-01-09", "EUR", 22_960, 2_073, 25_033, 20),
        ("cii/CII_example3", "TOSL108", "2013-05-10", "DKK", 90_000, 22_500, 112_500, 1),
        ("cii/CII_example5", "TOSL110", "2013-05-10", "DKK", 400_000, 67_500, 233_750, 3),
    ],
)
def test_en16931_examples_load_with_their_totals(
    samples: Path, name: str, number: str, due: str, code: str, net: int, tax: int, payable: int, lines: int
) -> None:
    found = read(samples / "invoices" / "en16931" / f"{name}.xml")
    assert (found.number, str(found.due_date), found.currency) == (number, due, code)
    assert (found.net_minor, found.tax_minor, found.payable_minor, len(found.lines)) == (net, tax, payable, lines)
    assert found.is_assigned is (name.split("/")[1] in ASSIGNED)
    assert found.kind == ("credit_note" if "creditnote" in name else "invoice")


@pytest.mark.parametrize("case", XRECHNUNG)
def test_both_syntaxes_of_one_invoice_agree(samples: Path, case: str) -> None:
    folder = samples / "invoices" / "xrechnung"
    one, other = (read(folder / f"{case}-INVOICE_{syntax}.xml") for syntax in ("ubl", "uncefact"))
    for name in [
        "kind",
        "number",
        "issue_date",
        "due_date",
        "currency",
        "net_minor",
        "tax_minor",
        "gross_minor",
        "payable_minor",
        "payee_account",
        "payee_accounts",
        "is_assigned",
        "tax_breakdown",
        "prepaid_minor",
        "contract_reference",
        "payment_reference",
        "delivered_on",
    ]:
        assert getattr(one, name) == getattr(other, name), name
    assert (one.seller.name, one.buyer.name) == (other.seller.name, other.buyer.name)
    assert [(x.id, x.quantity, x.price, x.net_minor) for x in one.lines] == [
        (x.id, x.quantity, x.price, x.net_minor) for x in other.lines
    ]


def test_every_invoice_survives_being_written(samples: Path) -> None:
    for path in sorted((samples / "invoices").rglob("*.xml")):
        found = read(path)
        again = ubl.read_invoice(ubl.write_invoice(found))
        for name in [
            "kind",
            "number",
            "issue_date",
            "due_date",
            "net_minor",
            "tax_minor",
            "payable_minor",
            "tax_breakdown",
            "is_assigned",
        ]:
            assert getattr(again, name) == getattr(found, name), (path.name, name)
