"""China's e-invoices: both spellings of the total, both spellings of the rate, red ones turned into credit notes."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from decimal import Decimal

import pytest

from scf.kernel.problems import Problem
from scf.standards import cn_einvoice
from scf.standards.detect import detect
from scf.standards.records import DocumentKind

NUMBER = "26312000000012345678"
DIGITAL = f"""<?xml version="1.0" encoding="UTF-8"?>
<EInvoice><Header><EIid>{NUMBER}</EIid><EIVersion>0.1</EIVersion></Header><EInvoiceData>
<SellerInformation><SellerIdNum>91310000MA1FL0000X</SellerIdNum><SellerName>东方铸件有限公司</SellerName>
<SellerBankName>某银行</SellerBankName><SellerBankAccNum>6222000000000002</SellerBankAccNum></SellerInformation>
<BuyerInformation><BuyerIdNum>91310000MA1FL0001Y</BuyerIdNum><BuyerName>华东装备股份有限公司</BuyerName></BuyerInformation>
<BasicInformation><TotalAmWithoutTax>1100.00</TotalAmWithoutTax><TotalTaxAm>136.00</TotalTaxAm>
<TotalTax-includedAmount>1236.00</TotalTax-includedAmount><TotalTax-includedAmountInChinese>壹仟贰佰叁拾陆圆整</TotalTax-includedAmountInChinese>
<RequestTime>2026-11-20 10:11:12</RequestTime></BasicInformation>
<IssuItemInformation><ItemName>*黑色金属*壳体</ItemName><MeaUnits>件</MeaUnits><Quantity>10</Quantity><UnPrice>100</UnPrice>
<Amount>1000.00</Amount><TaxRate>0.13</TaxRate><ComTaxAm>130.00</ComTaxAm><TotaltaxIncludedAmount>1130.00</TotaltaxIncludedAmount></IssuItemInformation>
<IssuItemInformation><ItemName>*运输服务*运费</ItemName><Amount>100.00</Amount><TaxRate>6%</TaxRate><ComTaxAm>6.00</ComTaxAm></IssuItemInformation>
<AdditionalInformation><Remark>订单 PO-1</Remark></AdditionalInformation></EInvoiceData>
<TaxSupervisionInfo><InvoiceNumber>{NUMBER}</InvoiceNumber><IssueTime>2026-11-20</IssueTime></TaxSupervisionInfo></EInvoice>"""
OLD = """<fp:eInvoice xmlns:fp="http://www.edrm.org.cn/schema/e-invoice/2019"><fp:InvoiceCode>031002000111</fp:InvoiceCode>
<fp:InvoiceNo>12345678</fp:InvoiceNo><fp:IssueDate>2020年08月05日</fp:IssueDate>
<fp:Buyer><fp:BuyerName>买方</fp:BuyerName><fp:BuyerTaxID>91310000MA1FL0001Y</fp:BuyerTaxID></fp:Buyer>
<fp:Seller><fp:SellerName>卖方</fp:SellerName><fp:SellerTaxID>91310000MA1FL0000X</fp:SellerTaxID></fp:Seller>
<fp:TaxInclusiveTotalAmount>113.00</fp:TaxInclusiveTotalAmount><fp:TaxExclusiveTotalAmount>100.00</fp:TaxExclusiveTotalAmount>
<fp:TaxTotalAmount>13.00</fp:TaxTotalAmount><fp:GoodsInfos><fp:GoodsInfo><fp:Item>货物</fp:Item><fp:Amount>100.00</fp:Amount>
<fp:TaxScheme>13%</fp:TaxScheme><fp:TaxAmount>13.00</fp:TaxAmount></fp:GoodsInfo></fp:GoodsInfos></fp:eInvoice>"""


def ofd(*members: tuple[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("OFD.xml", "<ofd:OFD xmlns:ofd='http://www.ofdspec.org/2016'/>")
        for name, text in members:
            archive.writestr(name, text)
    return out.getvalue()


def red() -> str:
    text = DIGITAL.replace("订单 PO-1", f"被红冲蓝字数电发票号码：{NUMBER}")
    for amount in ("1100.00", "136.00", "1236.00", "1000.00", "130.00", "1130.00", "100.00", "6.00"):
        text = text.replace(f">{amount}<", f">-{amount}<")
    return (
        text.replace("<Quantity>10<", "<Quantity>-10<")
        .replace(NUMBER[:19] + "8</EIid>", NUMBER[:19] + "9</EIid>")
        .replace(NUMBER + "</InvoiceNumber>", NUMBER[:19] + "9</InvoiceNumber>")
    )


def test_a_digital_invoice_is_read() -> None:
    found = cn_einvoice.read(DIGITAL.encode())
    assert detect(DIGITAL.encode()) == DocumentKind.CN_EINVOICE
    assert (found.number, found.issue_date, found.currency) == (NUMBER, date(2026, 11, 20), "CNY")
    assert (found.net_minor, found.tax_minor, found.gross_minor, found.payable_minor) == (
        110_000,
        13_600,
        123_600,
        123_600,
    )
    assert [line.tax_rate_percent for line in found.lines] == [Decimal(13), Decimal(6)]
    assert (found.seller.identifier("USCC"), found.payee_account) == ("91310000MA1FL0000X", "6222000000000002")
    assert [(row.rate_percent, row.base_minor, row.tax_minor) for row in found.tax_breakdown] == [
        (13, 100_000, 13_000),
        (6, 10_000, 600),
    ]
    assert (found.kind, found.syntax, found.is_assigned) == ("invoice", "CN-EINVOICE", False)


def test_a_red_invoice_is_a_credit_note_that_names_the_blue_one() -> None:
    found = cn_einvoice.read(red().encode())
    assert (found.kind, found.gross_minor, found.corrects) == ("credit_note", 123_600, (NUMBER,))
    assert found.lines[0].quantity == 10


@pytest.mark.parametrize(
    "before", ["红字发票信息确认单编号：33010126031000012345 ", "红字信息表编号3301061903012345；"]
)
def test_the_number_of_the_confirmation_is_not_the_invoice_taken_back(before: str) -> None:
    raw = red().replace("被红冲", f"{before}被红冲")
    assert cn_einvoice.read(raw.encode()).corrects == (NUMBER,)


@pytest.mark.parametrize(("text", "percent"), [("0.03", 3), ("3%", 3), ("13", 13), ("0", 0), ("免税", 0), ("1%", 1)])
def test_every_spelling_of_a_rate(text: str, percent: int) -> None:
    tax = f"{Decimal(100) * percent / 100:.2f}"
    raw = DIGITAL.replace("<TaxRate>6%", f"<TaxRate>{text}").replace("<ComTaxAm>6.00", f"<ComTaxAm>{tax}")
    total = 130 + Decimal(tax)
    raw = raw.replace(">136.00<", f">{total}<").replace(">1236.00<", f">{1100 + total}<")
    assert cn_einvoice.read(raw.encode()).lines[1].tax_rate_percent == percent


def test_gb18030_text_is_read() -> None:
    raw = DIGITAL.replace("UTF-8", "GB18030").encode("gb18030")
    assert cn_einvoice.read(raw).buyer.name == "华东装备股份有限公司"


def test_an_ofd_yields_the_invoice_inside() -> None:
    raw = ofd(("Doc_0/Attachs/original_invoice.xml", OLD), ("Doc_0/Document.xml", "<Document/>"))
    assert detect(raw) == DocumentKind.CN_OFD
    found = cn_einvoice.read(raw)
    assert (found.number, found.issue_date, found.gross_minor) == ("03100200011112345678", date(2020, 8, 5), 11_300)
    assert cn_einvoice.read(ofd(("Doc_0/Attachs/einvoice.xml", DIGITAL))).number == NUMBER


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (">1236.00<", ">1236.01<", "cn_einvoice_totals_contradict"),
        (">1100.00<", ">1100.01<", "cn_einvoice_totals_contradict"),
        (">1130.00<", ">1131.00<", "cn_einvoice_totals_contradict"),
        ("<TaxRate>6%", "<TaxRate>9%", "cn_einvoice_totals_contradict"),
        ("<TaxRate>6%", "<TaxRate>six", "document_value_wrong"),
        (f"<EIid>{NUMBER}", f"<EIid>{NUMBER[::-1]}", "document_value_wrong"),
        (NUMBER, NUMBER[:19], "document_value_wrong"),
        ("<IssueTime>2026-11-20", "<IssueTime>2026-13-20", "document_date_wrong"),
        ("<SellerName>东方铸件有限公司", "<SellerName>", "document_element_missing"),
        ("TotalTaxAm>", "TotalTxAm>", "document_element_missing"),
        ("EInvoice>", "Invoice>", "document_not_this_kind"),
    ],
)
def test_a_wrong_invoice_is_refused(old: str, new: str, code: str) -> None:
    assert old in DIGITAL
    with pytest.raises(Problem) as caught:
        cn_einvoice.read(DIGITAL.replace(old, new).encode())
    assert caught.value.code == code
    assert caught.value.facts["place"]


def test_two_invoices_in_one_ofd_are_refused() -> None:
    with pytest.raises(Problem) as caught:
        cn_einvoice.read(ofd(("Doc_0/Attachs/a.xml", DIGITAL), ("Doc_0/Attachs/b.xml", DIGITAL)))
    assert caught.value.code == "document_element_repeated"


@pytest.mark.timeout(20)
def test_a_zip_bomb_is_refused() -> None:
    bomb = "<EInvoice>" + "0" * (40 * 2**20) + "</EInvoice>"
    with pytest.raises(Problem) as caught:
        cn_einvoice.read(ofd(("Doc_0/Attachs/a.xml", bomb)))
    assert caught.value.code == "document_too_large"


def test_a_lie_in_the_archives_directory_is_refused() -> None:
    raw = bytearray(ofd(("Doc_0/Attachs/a.xml", DIGITAL)))
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (5).to_bytes(4, "little")
    with pytest.raises(Problem):
        cn_einvoice.read(bytes(raw))
