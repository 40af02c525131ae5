"""The month page as files for an accountant: CSV, XML and camt.053. The PDF is in `month_pdf`. Same numbers in each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from lxml import etree

from scf.kernel.dates import BEIJING
from scf.kernel.money import format_plain
from scf.standards.bank_records import Balance, Entry, Statement
from scf.standards.camt_write import write_053
from scf.standards.csvcells import harmless
from scf.web.i18n import N_
from scf.web.month import ACCOUNTS, KINDS, Line, Month, Sheet, Sums

NAMESPACE = "urn:scf:month:1"
Say = Callable[[str], str]
_HEADS = (N_("Part"), N_("Day"), N_("What"), N_("With"), N_("Reference"), N_("Amount"), N_("VAT"), N_("Currency"))
SUM_WORDS = {
    "vat_in": N_("VAT in"),
    "vat_out": N_("VAT out"),
    "discount": N_("Discount"),
    "fees": N_("Fees"),
    "net_cash": N_("Net cash"),
}


def sums_of(sums: Sums) -> dict[str, int]:
    """The numbers of a month by name, in minor units."""
    return {name: int(getattr(sums, f"{name}_minor")) for name in SUM_WORDS}


def month_csv(month: Month, say: Say) -> bytes:
    """Every line of the page as one table in UTF-8 with the mark spreadsheets look for; no cell can start a formula.

    The first column keeps its codes in every language, so that a saved import keeps working.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([say(head) for head in _HEADS])

    def put(*cells: object) -> None:
        writer.writerow([harmless(cell) for cell in cells])

    for sums in month.sums:
        for name, minor in sums_of(sums).items():
            put(
                "total", month.name, say(SUM_WORDS[name]), "", "", format_plain(minor, sums.currency), "", sums.currency
            )
    for sheet in month.sheets:
        code = sheet.currency
        put(sheet.account, month.first, say(N_("Opening")), "", "", format_plain(sheet.opening_minor, code), "", code)
        for line in sheet.lines:
            shown = format_plain(line.amount_minor, code)
            put(sheet.account, line.on, say(KINDS[line.kind]), line.other, line.reference, shown, "", code)
        put(sheet.account, month.last, say(N_("Closing")), "", "", format_plain(sheet.closing_minor, code), "", code)
    for row in month.taxes:
        net, tax = format_plain(row.net_minor, row.currency), format_plain(row.tax_minor, row.currency)
        put(f"vat_{row.direction}", row.on, row.number, row.other, row.evidence_id, net, tax, row.currency)
    return ("\ufeff" + buffer.getvalue()).encode()


def month_xml(month: Month) -> bytes:
    """The page as XML: totals, accounts with opening and closing, and the invoices."""
    root = etree.Element("month", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    _set(root, name=month.name, first=month.first, last=month.last, firm=month.firm, complete=month.complete)
    for sums in month.sums:
        item = etree.SubElement(root, "totals", currency=sums.currency)
        for name, minor in sums_of(sums).items():
            etree.SubElement(item, name).text = format_plain(minor, sums.currency)
    for sheet in month.sheets:
        code = sheet.currency
        item = etree.SubElement(root, "account", name=sheet.account, currency=code)
        _set(item, opening=format_plain(sheet.opening_minor, code), closing=format_plain(sheet.closing_minor, code))
        for line in sheet.lines:
            entry = etree.SubElement(item, "entry")
            _set(
                entry,
                day=line.on,
                kind=line.kind,
                reference=line.reference,
                amount=format_plain(line.amount_minor, code),
            )
            entry.set("with", line.other)
    for row in month.taxes:
        item = etree.SubElement(root, "invoice")
        _set(item, direction=row.direction, day=row.on, number=row.number, other=row.other, currency=row.currency)
        for name in ("net", "tax", "gross"):
            item.set(name, format_plain(getattr(row, f"{name}_minor"), row.currency))
        item.set("document", row.evidence_id)
    for element in root.iter():
        element.tag = f"{{{NAMESPACE}}}{element.tag}"
    etree.cleanup_namespaces(root, top_nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    text: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return text


def month_camt(month: Month, organisation: int, now: int) -> bytes:
    """The two accounts as camt.053.001.08: one statement for each account and currency, opening and closing booked."""
    statements = [_statement(month, sheet, organisation) for sheet in month.sheets]
    created = datetime.fromtimestamp(now, UTC)
    return write_053(f"SCF-{organisation}-{month.name}", created, statements)


def account_number(organisation: int, account: str, currency: str) -> str:
    """How the camt export names one of the two accounts of a firm."""
    return f"SCF-{organisation}-{account.upper()}-{currency}"


def _statement(month: Month, sheet: Sheet, organisation: int) -> Statement:
    number = account_number(organisation, sheet.account, sheet.currency)
    start = datetime.combine(month.first, time(0), BEIJING)
    end = datetime.combine(month.last, time(23, 59, 59), BEIJING)
    return Statement(
        id=f"{number}-{month.name}"[:35],
        kind="camt.053",
        account=number,
        currency=sheet.currency,
        created_at=None,
        from_at=start,
        to_at=end,
        opening_minor=sheet.opening_minor,
        closing_minor=sheet.closing_minor,
        balances=(
            Balance("OPBD", sheet.opening_minor, sheet.currency, month.first),
            Balance("CLBD", sheet.closing_minor, sheet.currency, month.last),
        ),
        entries=tuple(_entry(line, place) for place, line in enumerate(sheet.lines)),
        message_id=month.name,
        account_name=f"{month.firm} · {ACCOUNTS[sheet.account]}",
    )


def _entry(line: Line, place: int) -> Entry:
    return Entry(
        booked_on=line.on,
        value_on=line.on,
        amount_minor=line.amount_minor,
        currency=line.currency,
        end_to_end_id=None,
        reference=line.reference[-16:],
        structured_reference=None,
        remittance=f"{KINDS[line.kind]} {line.reference}",
        counterparty=line.other or None,
        counterparty_account=None,
        is_reversal=False,
        bank_transaction_id=None,
        uetr=None,
        status="BOOK",
        bank_code=f"SCF-{line.kind.upper()}"[:35],
        entry_index=place,
    )


def _set(element: etree._Element, **values: Any) -> None:
    for name, value in values.items():
        element.set(name, str(value).lower() if isinstance(value, bool) else str(value))
