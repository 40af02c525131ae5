"""Payments out and their status: pain.001.001.09 written and read (03 to 12 read), pain.002.001.10 written and read.

Source: ISO 20022 Payments Initiation. A control sum or count that contradicts the instructions refuses the whole file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby

from lxml import etree

from scf.standards import iso20022 as iso
from scf.standards import tree
from scf.standards.bank_records import PaymentInstruction, PaymentOrder, PaymentStatus, PaymentStatusReport
from scf.standards.records import Party
from scf.standards.refusals import refusal

_NS_001 = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_NS_002 = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"


def write_001(
    message_id: str, created_at: datetime, initiator: str, instructions: Sequence[PaymentInstruction]
) -> bytes:
    """A pain.001.001.09 file; instructions of one debtor account, bank and day share one PmtInf.

    Raises ValueError without instructions, for an amount below one minor unit or a debtor or creditor without account.
    """
    if not instructions or any(
        item.amount_minor <= 0 or not item.debtor.account or not item.creditor.account for item in instructions
    ):
        raise ValueError("a payment order needs instructions with amount, debtor account and creditor account")
    document, body = iso.new_document(_NS_001, "CstmrCdtTrfInitn")
    header = iso.add(body, "GrpHdr")
    iso.add(header, "MsgId", message_id)
    iso.add(header, "CreDtTm", iso.stamp(created_at))
    iso.add(header, "NbOfTxs", str(len(instructions)))
    iso.add(header, "CtrlSum", iso.total([(item.amount_minor, item.currency) for item in instructions]))
    iso.add(header, "InitgPty/Nm", initiator[:140])

    def group_of(item: PaymentInstruction) -> tuple[str, str, str, str]:
        return (
            item.payment_information_id or "",
            item.debtor.account or "",
            item.debtor_agent or "",
            item.execute_on.isoformat(),
        )

    for index, (key, group) in enumerate(groupby(sorted(instructions, key=group_of), key=group_of), start=1):
        _payment(body, key[0] or f"{message_id[:28]}-{index}", list(group))
    return iso.to_bytes(document)


def _payment(body: etree._Element, payment_id: str, group: list[PaymentInstruction]) -> None:
    first = group[0]
    payment = iso.add(body, "PmtInf")
    iso.add(payment, "PmtInfId", payment_id)
    iso.add(payment, "PmtMtd", "TRF")
    iso.add(payment, "NbOfTxs", str(len(group)))
    iso.add(payment, "CtrlSum", iso.total([(item.amount_minor, item.currency) for item in group]))
    iso.add(payment, "ReqdExctnDt/Dt", first.execute_on.isoformat())
    iso.add_party(iso.add(payment, "Dbtr"), first.debtor)
    iso.add_account(payment, "DbtrAcct", first.debtor.account or "")
    iso.add_agent(payment, "DbtrAgt", first.debtor_agent)
    iso.add(payment, "ChrgBr", "SLEV")
    for item in group:
        transfer = iso.add(payment, "CdtTrfTxInf")
        identifiers = iso.add(transfer, "PmtId")
        iso.add_if(identifiers, "InstrId", item.instruction_id)
        iso.add(identifiers, "EndToEndId", item.end_to_end_id)
        iso.add_if(identifiers, "UETR", item.uetr)
        iso.add_amount(iso.add(transfer, "Amt"), "InstdAmt", item.amount_minor, item.currency)
        if item.creditor_agent:
            iso.add_agent(transfer, "CdtrAgt", item.creditor_agent)
        iso.add_party(iso.add(transfer, "Cdtr"), item.creditor)
        iso.add_account(transfer, "CdtrAcct", item.creditor.account or "")
        iso.add_if(transfer, "Purp/Cd", item.purpose)
        if item.remittance or item.structured_reference:
            remittance = iso.add(transfer, "RmtInf")
            iso.add_if(remittance, "Ustrd", item.remittance[:140])
            if item.structured_reference:
                reference = iso.add(remittance, "Strd/CdtrRefInf")
                iso.add(reference, "Tp/CdOrPrtry/Cd", "SCOR")
                iso.add(reference, "Ref", item.structured_reference)


def read_001(raw: bytes) -> PaymentOrder:
    """A pain.001 message of any version from 03.

    Raises Problem (see `xml.parse`; `document_element_missing`, `document_element_unknown`, `document_number_wrong`,
    `document_amount_too_fine`, `document_currency_unknown`, `payment_count_differs`, `payment_sum_differs`,
    `payment_amount_not_positive`, `payment_method_unsupported`).
    """
    body, _, _ = iso.open_message(raw, {"CstmrCdtTrfInitn": "pain.001"})
    header = tree.need(body, "GrpHdr")
    payments = body.findall("PmtInf")
    if not payments:
        raise refusal("document_element_missing", tree.place(body, "PmtInf"), element="PmtInf")
    found: list[PaymentInstruction] = []
    values: list[Decimal] = []
    for payment in payments:
        items, amounts = _read_payment(payment)
        found += items
        values += amounts
    tree.need(header, "NbOfTxs")
    _check_sums(header, len(found), sum(values, Decimal(0)))
    return PaymentOrder(
        message_id=tree.need_text(header, "MsgId"),
        created_at=tree.moment(tree.need(header, "CreDtTm")),
        initiator=(iso.party(header.find("InitgPty")) or Party("")).name,
        instructions=tuple(found),
    )


def _check_sums(element: etree._Element, count: int, total: Decimal) -> None:
    stated = element.find("NbOfTxs")
    if stated is not None and tree.number(stated) != count:
        raise refusal("payment_count_differs", tree.place(stated), stated=stated.text or "", found=count)
    stated = element.find("CtrlSum")
    if stated is not None and tree.number(stated) != total:
        raise refusal("payment_sum_differs", tree.place(stated), stated=stated.text or "", found=f"{total:f}")


def _read_payment(payment: etree._Element) -> tuple[list[PaymentInstruction], list[Decimal]]:
    method = tree.need_text(payment, "PmtMtd")
    if method not in ("TRF", "TRA"):  # TRA is a transfer of which the beneficiary is advised
        raise refusal("payment_method_unsupported", tree.place(payment, "PmtMtd"), text=method)
    number = iso.account(tree.need(payment, "DbtrAcct"))
    debtor = iso.party(tree.need(payment, "Dbtr"), number)
    if number is None or debtor is None:
        raise refusal("document_element_missing", tree.place(payment, "DbtrAcct/Id"), element="Id")
    day = payment.find("ReqdExctnDt/Dt")
    day = payment.find("ReqdExctnDt/DtTm") if day is None else day
    execute_on = tree.day(tree.need(payment, "ReqdExctnDt") if day is None else day)
    transfers = payment.findall("CdtTrfTxInf")
    if not transfers:
        raise refusal("document_element_missing", tree.place(payment, "CdtTrfTxInf"), element="CdtTrfTxInf")
    pairs = [_transfer(item, payment, debtor, execute_on) for item in transfers]
    values = [value for _, value in pairs]
    _check_sums(payment, len(pairs), sum(values, Decimal(0)))
    return [item for item, _ in pairs], values


def _transfer(
    item: etree._Element, payment: etree._Element, debtor: Party, execute_on: date
) -> tuple[PaymentInstruction, Decimal]:
    equivalent = item.find("Amt/EqvtAmt")
    amount = tree.need(item, "Amt/InstdAmt" if equivalent is None else "Amt/EqvtAmt/Amt")
    transfer = None if equivalent is None else tree.need(equivalent, "CcyOfTrf")
    code = tree.known_currency(amount.get("Ccy"), amount)
    minor = tree.money(amount, code)
    if minor <= 0:
        raise refusal("payment_amount_not_positive", tree.place(amount), text=amount.text or "")
    number = iso.account(tree.need(item, "CdtrAcct"))
    creditor = iso.party(item.find("Cdtr"), number)
    if number is None or creditor is None:
        raise refusal("document_element_missing", tree.place(item, "CdtrAcct/Id"), element="Id")
    instruction = PaymentInstruction(
        end_to_end_id=tree.need_text(item, "PmtId/EndToEndId"),
        amount_minor=minor,
        currency=code,
        execute_on=execute_on,
        debtor=debtor,
        creditor=creditor,
        debtor_agent=iso.agent(payment.find("DbtrAgt")),
        creditor_agent=iso.agent(item.find("CdtrAgt")),
        remittance=" ".join(text for part in item.findall("RmtInf/Ustrd") if (text := tree.text_of(part))),
        structured_reference=tree.text(item, "RmtInf/Strd/CdtrRefInf/Ref"),
        instruction_id=tree.text(item, "PmtId/InstrId"),
        uetr=tree.text(item, "PmtId/UETR"),
        purpose=tree.text(item, "Purp/Cd", "Purp/Prtry"),
        payment_information_id=tree.need_text(payment, "PmtInfId"),
        transfer_currency=(None if transfer is None else tree.known_currency(tree.text_of(transfer), transfer)),
    )
    return instruction, tree.number(amount)


def write_002(report: PaymentStatusReport) -> bytes:
    """A pain.002.001.10 file; statuses of one payment information id share one OrgnlPmtInfAndSts."""
    document, body = iso.new_document(_NS_002, "CstmrPmtStsRpt")
    header = iso.add(body, "GrpHdr")
    iso.add(header, "MsgId", report.message_id)
    iso.add(header, "CreDtTm", iso.stamp(report.created_at))
    original = iso.add(body, "OrgnlGrpInfAndSts")
    iso.add(original, "OrgnlMsgId", report.original_message_id)
    iso.add(original, "OrgnlMsgNmId", report.original_message_name)
    iso.add_if(original, "GrpSts", report.group_status)
    _reason(original, report.group_reason_code, report.group_reason)

    def payment_of(item: PaymentStatus) -> str:
        return item.payment_information_id or iso.NOT_PROVIDED

    for payment_id, group in groupby(sorted(report.statuses, key=payment_of), key=payment_of):
        payment = iso.add(body, "OrgnlPmtInfAndSts")
        iso.add(payment, "OrgnlPmtInfId", payment_id)
        for item in group:
            status = iso.add(payment, "TxInfAndSts")
            iso.add_if(status, "OrgnlInstrId", item.instruction_id)
            iso.add_if(status, "OrgnlEndToEndId", item.end_to_end_id)
            iso.add_if(status, "OrgnlUETR", item.uetr)
            iso.add(status, "TxSts", item.status)
            _reason(status, item.reason_code, item.reason)
            iso.add_if(status, "AcctSvcrRef", item.bank_transaction_id)
    return iso.to_bytes(document)


def _reason(parent: etree._Element, code: str | None, text: str | None) -> None:
    if not code and not text:
        return
    element = iso.add(parent, "StsRsnInf")
    if code:
        iso.add(element, "Rsn/Cd" if len(code) <= 4 else "Rsn/Prtry", code)
    for start in range(0, len(text or ""), 105):
        iso.add(element, "AddtlInf", (text or "")[start : start + 105])


def read_002(raw: bytes) -> PaymentStatusReport:
    """A pain.002 message of any version from 03.

    A payment-level status without transactions yields one PaymentStatus with that payment information id and no
    end-to-end id. Raises Problem (see `xml.parse`; `document_element_missing`, `document_element_unknown`).
    """
    body, _, _ = iso.open_message(raw, {"CstmrPmtStsRpt": "pain.002"})
    original = tree.need(body, "OrgnlGrpInfAndSts")
    statuses: list[PaymentStatus] = []
    for payment in body.findall("OrgnlPmtInfAndSts"):
        payment_id = iso.reference(payment, "OrgnlPmtInfId")
        transactions = payment.findall("TxInfAndSts")
        inherited = tree.text(payment, "PmtInfSts")
        statuses += [_status(item, payment_id, inherited) for item in transactions]
        if not transactions:
            tree.need(payment, "PmtInfSts")
            statuses.append(_status(payment, payment_id, tree.need_text(payment, "PmtInfSts")))
    group = tree.text(original, "GrpSts")
    if group is None and not statuses:
        raise refusal("document_element_missing", tree.place(original, "GrpSts"), element="GrpSts")
    code, reason = _read_reason(original)
    return PaymentStatusReport(
        message_id=tree.need_text(body, "GrpHdr/MsgId"),
        created_at=tree.moment(tree.need(body, "GrpHdr/CreDtTm")),
        original_message_id=tree.need_text(original, "OrgnlMsgId"),
        original_message_name=tree.need_text(original, "OrgnlMsgNmId"),
        group_status=group,
        statuses=tuple(statuses),
        group_reason_code=code,
        group_reason=reason,
    )


def _status(item: etree._Element, payment_id: str | None, inherited: str | None) -> PaymentStatus:
    status = tree.text(item, "TxSts") or inherited
    if status is None:
        raise refusal("document_element_missing", tree.place(item, "TxSts"), element="TxSts")
    code, reason = _read_reason(item)
    return PaymentStatus(
        end_to_end_id=iso.reference(item, "OrgnlEndToEndId"),
        status=status,
        reason_code=code,
        reason=reason,
        instruction_id=iso.reference(item, "OrgnlInstrId"),
        payment_information_id=payment_id,
        uetr=tree.text(item, "OrgnlUETR"),
        bank_transaction_id=tree.text(item, "AcctSvcrRef"),
    )


def _read_reason(element: etree._Element) -> tuple[str | None, str | None]:
    code = tree.text(element, "StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry")
    texts = [text for item in element.findall("StsRsnInf/AddtlInf") if (text := tree.text_of(item))]
    return code, "".join(texts) or None
