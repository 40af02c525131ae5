"""One document of every kind, made by our own writers or by hand, to be mutated with or without the samples."""

from __future__ import annotations

from tests.standards import (
    test_camt,
    test_cn_einvoice,
    test_csvmap,
    test_dcsa,
    test_epcis,
    test_pain,
    test_ubl,
    test_ubl_orders,
    test_x12,
)

from scf.standards import camt, epcis, pain, ubl, ubl_orders
from scf.standards.bank_records import PaymentStatus, PaymentStatusReport


def all_documents() -> list[tuple[str, bytes]]:
    """Name and content of every document."""
    now = test_camt.NOW
    booked = test_camt.statement(
        test_camt.entry(10_050, "E-1", counterparty="Buyer", counterparty_account="1", detail_index=0, remittance="x"),
        test_camt.entry(-50, "E-2", entry_index=1, detail_index=0),
        test_camt.entry(-60, "E-3", entry_index=1, detail_index=1),
    )
    status = PaymentStatus("E2E-1", "RJCT", "AC04", "closed", "INS-1", "PAY-1", test_pain.ONE.uetr, "BK-9")
    report = PaymentStatusReport("ST-1", now, "MSG-1", "pain.001.001.09", "PART", (status,))
    event = test_epcis.shipping()
    return [
        ("own-camt053.xml", camt.write_053("M", now, [booked])),
        ("own-camt054.xml", camt.write_054("M", now, [booked])),
        ("own-pain001.xml", pain.write_001("M", now, "scf", [test_pain.ONE])),
        ("own-pain002.xml", pain.write_002(report)),
        ("own-invoice.xml", ubl.write_invoice(test_ubl.invoice())),
        ("own-credit-note.xml", ubl.write_invoice(test_ubl.invoice(kind="credit_note", type_code="381"))),
        ("own-order.xml", ubl_orders.write_order(test_ubl_orders.ORDER)),
        ("own-order-response.xml", test_ubl_orders.ANSWER),
        ("own-despatch.xml", ubl_orders.write_despatch_advice(test_ubl_orders.ADVICE)),
        ("own-response.xml", ubl_orders.write_invoice_response(test_ubl_orders.RESPONSE)),
        ("own-einvoice.xml", test_cn_einvoice.DIGITAL.encode()),
        ("own-einvoice-2019.xml", test_cn_einvoice.OLD.encode()),
        ("own-einvoice.ofd", test_cn_einvoice.ofd(("Doc_0/Attachs/original_invoice.xml", test_cn_einvoice.OLD))),
        ("own-epcis.json", epcis.write([event, test_epcis.shipping(biz_step="receiving")], now)),
        ("own-epcis.xml", test_epcis.XML.format(major="2", before="", after="").encode()),
        ("own-dcsa.json", test_dcsa.raw(test_dcsa.EVENT)),
        ("own-order.edi", test_x12.interchange(test_x12.ORDER).encode()),
        ("own-deliveries.csv", test_csvmap.table(test_csvmap.GOOD, test_csvmap.GOOD.replace("1,DN", "2,DN", 1))),
    ]
