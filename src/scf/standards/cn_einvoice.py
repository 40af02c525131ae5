"""China's e-invoices: fully digital XML (root `EInvoice`), the 2019 form (`eInvoice`) and OFD files that hold either.

Known traps: the invoice's total is `TotalTax-includedAmount`, a line's `TotaltaxIncludedAmount`; rates come as `0.06`
and as `6%`; a red invoice has negative amounts and names the invoice it takes back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from lxml import etree

from scf.kernel.money import format_plain, round_half_up
from scf.standards import archive, tree, xml
from scf.standards.records import Identifier, Invoice, Line, Notice, Party, TaxSubtotal
from scf.standards.refusals import quote, refusal

_CURRENCY = "CNY"
_NUMBER = re.compile(r"\d{20}")
_DATE = re.compile(r"(\d{4})[-/年.]?(\d{1,2})[-/月.]?(\d{1,2})日?(?:[ T].{0,20})?")
_RED = re.compile(r"(?:红冲|红字|蓝字|对应)(?:(?!确认单|通知单|信息表)[^0-9]){0,30}(\d{20}|\d{8,12})(?!\d)")
"""The invoice taken back, not the confirmation or request under which it is."""
_ORIGINS = ("RedInvoiceInformation/OriginalInvoiceNumber", "BasicInformation/OriginalInvoiceNumber")
_EXEMPT = {"免税": "E", "不征税": "O", "零税率": "Z", "出口零税率": "Z", "***": "E", "*": "E"}
_TOLERANCE_MINOR = 6
"""Tax of a line may differ from amount x rate by 0.06, as the tax authority's own check allows."""
_LINE_NAMES = {
    "name": ("ItemName", "Item"),
    "quantity": ("Quantity",),
    "unit": ("MeaUnits", "MeasurementDimension"),
    "price": ("UnPrice", "Price"),
    "amount": ("Amount",),
    "rate": ("TaxRate", "TaxScheme"),
    "tax": ("ComTaxAm", "TaxAmount"),
    "gross": ("TotaltaxIncludedAmount", "TotalTaxIncludedAmount"),
}


def read(raw: bytes) -> Invoice:
    """An e-invoice from XML or OFD; a red one as credit note with positive amounts.

    Raises Problem (see `xml.parse`, `archive.members`; `document_not_this_kind`, `document_element_missing`,
    `document_element_repeated`, `document_value_wrong`, `document_number_wrong`, `document_date_wrong`,
    `cn_einvoice_totals_contradict`).
    """
    if raw[:4] == b"PK\x03\x04":
        return _read_ofd(raw)
    root = xml.parse(raw)
    return _read_root(root)


def _read_ofd(raw: bytes) -> Invoice:
    found: list[tuple[str, etree._Element]] = []
    is_ofd = False
    for name, content in archive.members(raw, lambda name: name.lower().endswith(".xml")):
        is_ofd = is_ofd or name == "OFD.xml"
        if b"nvoice" in content and "attach" in name.lower():
            root = xml.parse(content)
            if etree.QName(root).localname in ("EInvoice", "eInvoice"):
                found.append((name, root))
    if not is_ofd:
        raise refusal("document_not_this_kind", "archive", found="zip")
    if not found:
        raise refusal("document_element_missing", "Doc_0/Attachs", element="EInvoice")
    if len(found) > 1:
        raise refusal("document_element_repeated", found[1][0], element="EInvoice")
    return _read_root(found[0][1])


def _read_root(root: etree._Element) -> Invoice:
    name = etree.QName(root)
    if name.localname not in ("EInvoice", "eInvoice"):
        raise refusal("document_not_this_kind", tree.place(root), found=str(name.localname))
    if name.namespace:
        xml.strip_namespaces(root, name.namespace)
    return _digital(root) if name.localname == "EInvoice" else _of_2019(root)


def _digital(root: etree._Element) -> Invoice:
    data = tree.need(root, "EInvoiceData")
    basic = tree.need(data, "BasicInformation")
    issued = root.find("TaxSupervisionInfo/IssueTime")
    issued = basic.find("RequestTime") if issued is None else issued
    if issued is None:
        raise refusal("document_element_missing", tree.place(basic, "RequestTime"), element="RequestTime")
    remark = tree.text(data, "AdditionalInformation/Remark", "BasicInformation/Remark")
    lines = [_line(item, index) for index, item in enumerate(data.findall("IssuItemInformation"), start=1)]
    return _invoice(
        root,
        number=_number(root),
        issue_date=_day(issued),
        seller=_party(data, "SellerInformation", "Seller"),
        buyer=_party(data, "BuyerInformation", "Buyer"),
        lines=lines,
        net=tree.need(basic, "TotalAmWithoutTax"),
        tax=tree.need(basic, "TotalTaxAm"),
        gross=tree.need(basic, "TotalTax-includedAmount"),
        remark=remark,
        corrects=tree.text(
            data, "RedInvoiceInformation/OriginalInvoiceNumber", "BasicInformation/OriginalInvoiceNumber"
        ),
    )


def _number(root: etree._Element) -> str:
    """The twenty digits, the same wherever they stand."""
    places = [item for path in ("TaxSupervisionInfo/InvoiceNumber", "Header/EIid") for item in root.findall(path)]
    numbers = {text for item in places if (text := tree.text_of(item))}
    if not numbers:
        raise refusal("document_element_missing", tree.place(root, "TaxSupervisionInfo"), element="InvoiceNumber")
    stated = [tree.text_of(item) or "" for item in places]
    number = next((text for text in stated if text), "")
    if not _NUMBER.fullmatch(number) or len(numbers) > 1:
        raise refusal("document_value_wrong", tree.place(places[0]), text=" / ".join(sorted(numbers)), expected="20")
    return number


def _of_2019(root: etree._Element) -> Invoice:
    code, number = tree.need_text(root, "InvoiceCode"), tree.need_text(root, "InvoiceNo")
    if not re.fullmatch(r"\d{10}|\d{12}", code, re.ASCII) or not re.fullmatch(r"\d{8}", number, re.ASCII):
        raise refusal("document_value_wrong", tree.place(root, "InvoiceNo"), text=f"{code} {number}", expected="12 + 8")
    lines = [_line(item, index) for index, item in enumerate(root.findall("GoodsInfos/GoodsInfo"), start=1)]
    return _invoice(
        root,
        number=code + number,
        issue_date=_day(tree.need(root, "IssueDate")),
        seller=_party(root, "Seller", "Seller"),
        buyer=_party(root, "Buyer", "Buyer"),
        lines=lines,
        net=tree.need(root, "TaxExclusiveTotalAmount"),
        tax=tree.need(root, "TaxTotalAmount"),
        gross=tree.need(root, "TaxInclusiveTotalAmount"),
        remark=tree.text(root, "Note"),
        corrects=None,
    )


def _day(element: etree._Element) -> date:
    text = tree.text_of(element) or ""
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        return date(int(found.group(1)), int(found.group(2)), int(found.group(3)))
    except ValueError as error:
        raise refusal("document_date_wrong", tree.place(element), text=text) from error


def _party(parent: etree._Element, path: str, role: str) -> Party:
    element = tree.need(parent, path)
    number = tree.text(element, f"{role}IdNum", f"{role}TaxID")
    return Party(
        name=tree.need_text(element, f"{role}Name"),
        identifiers=(Identifier("USCC", number),) if number else (),
        country="CN",
        account=tree.text(element, f"{role}BankAccNum", f"{role}FinancialAccount"),
        address=tree.text(element, f"{role}Addr", f"{role}AddrTel"),
    )


def _find(element: etree._Element, field: str) -> etree._Element | None:
    found = [item for name in _LINE_NAMES[field] for item in element.findall(name) if tree.text_of(item)]
    if len(found) > 1:
        raise refusal("document_element_repeated", tree.place(found[1]), element=str(found[1].tag))
    return found[0] if found else None


def _rate(element: etree._Element | None) -> tuple[str, Decimal | None]:
    """Category and rate in percent of `0.06`, `6%`, `免税` and the like."""
    text = tree.text_of(element) if element is not None else None
    if text is None or text in _EXEMPT:
        return _EXEMPT.get(text or "", "E"), None if text is None else Decimal(0)
    found = re.fullmatch(r"(\d{1,2}(?:\.\d{1,4})?)(%?)", text, re.ASCII)
    if found is None:
        raise refusal("document_value_wrong", tree.place(element), text=text, expected="0.06, 6%")  # type: ignore[arg-type]
    value = Decimal(found.group(1))
    percent = value if found.group(2) or value >= 1 else value * 100
    return ("S" if percent else "Z"), percent.normalize() + 0


def _line(element: etree._Element, index: int) -> tuple[Line, int, str, etree._Element]:
    """The line, its tax, its tax category and where it stands."""
    amount, tax, gross = (_find(element, field) for field in ("amount", "tax", "gross"))
    quantity, price = _find(element, "quantity"), _find(element, "price")
    category, rate = _rate(_find(element, "rate"))
    net_minor = tree.money(amount, _CURRENCY) if amount is not None else None
    tax_minor = 0
    if tax is not None and (tree.text_of(tax) or "").strip("*"):
        tax_minor = tree.money(tax, _CURRENCY)
    if net_minor is not None:
        _agree(element, abs(tax_minor), round_half_up(abs(net_minor) * Fraction(rate or 0) / 100), _TOLERANCE_MINOR)
        if gross is not None:
            _agree(gross, tree.money(gross, _CURRENCY), net_minor + tax_minor, 0)
    name = _find(element, "name")
    unit = _find(element, "unit")
    line = Line(
        id=str(index),
        description=tree.text_of(name) or "",
        item_id=None,
        quantity=tree.number(quantity) if quantity is not None else None,
        unit=tree.text_of(unit),
        price=tree.number(price) if price is not None else None,
        net_minor=net_minor,
        tax_rate_percent=rate,
    )
    return line, tax_minor, category, element


def _agree(element: etree._Element, stated: int, found: int, tolerance: int) -> None:
    if abs(stated - found) > tolerance:
        raise refusal(
            "cn_einvoice_totals_contradict",
            tree.place(element),
            stated=format_plain(stated, _CURRENCY),
            found=format_plain(found, _CURRENCY),
        )


def _invoice(
    root: etree._Element,
    *,
    number: str,
    issue_date: date,
    seller: Party,
    buyer: Party,
    lines: Sequence[tuple[Line, int, str, etree._Element]],
    net: etree._Element,
    tax: etree._Element,
    gross: etree._Element,
    remark: str | None,
    corrects: str | None,
) -> Invoice:
    """The record, totals checked; signs turned for a red invoice."""
    tax_text = tree.text_of(tax) or ""
    net_minor, gross_minor = tree.money(net, _CURRENCY), tree.money(gross, _CURRENCY)
    tax_minor = tree.money(tax, _CURRENCY) if tax_text.strip("*") else 0
    _agree(gross, gross_minor, net_minor + tax_minor, 0)
    notices: list[Notice] = []
    for who, path in ((seller, "Seller"), (buyer, "Buyer")):
        if not who.identifiers:
            notices.append(
                Notice("cn_einvoice_party_unidentified", tree.place(root, path), (("name", quote(who.name)),))
            )
    if not lines or any(line.net_minor is None for line, *_ in lines):
        notices.append(Notice("cn_einvoice_lines_unchecked", tree.place(root)))
    else:
        _agree(net, net_minor, sum(line.net_minor or 0 for line, *_ in lines), 0)
        _agree(tax, tax_minor, sum(item[1] for item in lines), 0)
    is_red = gross_minor < 0
    sign = -1 if is_red else 1
    named = _RED.search(remark or "") if is_red else None
    origin = corrects or (named.group(1) if named else None)
    made = tuple(_turned(line) if is_red else line for line, *_ in lines)
    return Invoice(
        kind="credit_note" if is_red else "invoice",
        number=number,
        issue_date=issue_date,
        due_date=None,
        currency=_CURRENCY,
        seller=seller,
        buyer=buyer,
        payee=None,
        order_reference=None,
        despatch_reference=None,
        contract_reference=None,
        lines=made,
        net_minor=sign * net_minor,
        tax_minor=sign * tax_minor,
        gross_minor=sign * gross_minor,
        payable_minor=sign * gross_minor,
        tax_breakdown=_breakdown(lines, sign),
        payment_reference=None,
        payee_account=seller.account,
        syntax="CN-EINVOICE",
        line_total_minor=sign * net_minor,
        type_code="381" if is_red else "380",
        payee_accounts=(seller.account,) if seller.account else (),
        corrects=(origin,) if origin else (),
        notes=(remark,) if remark else (),
        notices=tuple(notices),
    )


def _turned(line: Line) -> Line:
    return replace(
        line,
        quantity=-line.quantity if line.quantity is not None else None,
        net_minor=-line.net_minor if line.net_minor is not None else None,
    )


def _breakdown(lines: Sequence[tuple[Line, int, str, etree._Element]], sign: int) -> tuple[TaxSubtotal, ...]:
    rows: dict[tuple[str, Decimal | None], tuple[int, int]] = {}
    for line, tax, category, _ in lines:
        if line.net_minor is not None:
            base, held = rows.get((category, line.tax_rate_percent), (0, 0))
            rows[category, line.tax_rate_percent] = (base + line.net_minor, held + tax)
    return tuple(TaxSubtotal(*key, sign * base, sign * tax) for key, (base, tax) in rows.items())
