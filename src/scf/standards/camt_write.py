"""Writers of camt.053.001.08 and camt.054.001.08, for the simulated bank and for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from scf.standards import iso20022 as iso
from scf.standards.bank_records import Balance, Entry, Statement
from scf.standards.records import Party

_NS_053 = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_NS_054 = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"


def write_053(message_id: str, created_at: datetime, statements: Sequence[Statement]) -> bytes:
    """A camt.053.001.08 file with one Stmt per statement.

    Takes the balances as they are, or makes opening and closing ones for the first and last booking day.
    """
    document, body = iso.new_document(_NS_053, "BkToCstmrStmt")
    _header(body, message_id, created_at)
    for statement in statements:
        _record(iso.add(body, "Stmt"), statement, created_at, with_balances=True)
    return iso.to_bytes(document)


def write_054(message_id: str, created_at: datetime, notifications: Sequence[Statement]) -> bytes:
    """A camt.054.001.08 file with one Ntfctn per record; balances have no place in it and are left out."""
    document, body = iso.new_document(_NS_054, "BkToCstmrDbtCdtNtfctn")
    _header(body, message_id, created_at)
    for notification in notifications:
        _record(iso.add(body, "Ntfctn"), notification, created_at, with_balances=False)
    return iso.to_bytes(document)


def _header(body: etree._Element, message_id: str, created_at: datetime) -> None:
    header = iso.add(body, "GrpHdr")
    iso.add(header, "MsgId", message_id)
    iso.add(header, "CreDtTm", iso.stamp(created_at))


def _record(element: etree._Element, statement: Statement, created_at: datetime, *, with_balances: bool) -> None:
    iso.add(element, "Id", statement.id)
    if statement.page is not None:
        pages = iso.add(element, "StmtPgntn" if with_balances else "NtfctnPgntn")
        iso.add(pages, "PgNb", statement.page)
        iso.add(pages, "LastPgInd", "false" if statement.is_last_page is False else "true")
    iso.add_if(element, "ElctrncSeqNb", statement.sequence)
    iso.add(element, "CreDtTm", iso.stamp(statement.created_at or created_at))
    if statement.from_at is not None and statement.to_at is not None:
        span = iso.add(element, "FrToDt")
        iso.add(span, "FrDtTm", iso.stamp(statement.from_at))
        iso.add(span, "ToDtTm", iso.stamp(statement.to_at))
    iso.add_if(element, "CpyDplctInd", statement.copy_or_duplicate)
    account = iso.add_account(element, "Acct", statement.account)
    iso.add_if(account, "Ccy", statement.currency)
    iso.add_if(account, "Nm", (statement.account_name or "")[:70])
    if with_balances:
        for balance in statement.balances or _plain_balances(statement, created_at):
            _balance(element, balance, created_at)
    groups: dict[int, list[Entry]] = {}
    for entry in statement.entries:
        groups.setdefault(entry.entry_index if entry.detail_index is not None else -len(groups) - 1, []).append(entry)
    for group in groups.values():
        _entry(element, group)


def _plain_balances(statement: Statement, created_at: datetime) -> list[Balance]:
    days = [entry.booked_on for entry in statement.entries if entry.booked_on]
    code = statement.currency or "CNY"
    opening, closing = statement.opening_minor or 0, statement.closing_minor or 0
    first = (statement.from_at or created_at).date()
    last = (statement.to_at or created_at).date()
    return [
        Balance("OPBD", opening, code, min(days, default=first)),
        Balance("CLBD", closing, code, max(days, default=last)),
    ]


def _balance(element: etree._Element, balance: Balance, created_at: datetime) -> None:
    item = iso.add(element, "Bal")
    iso.add(item, "Tp/CdOrPrtry/Cd", balance.kind)
    iso.add_amount(item, "Amt", balance.amount_minor, balance.currency)
    iso.add(item, "CdtDbtInd", "CRDT" if balance.amount_minor >= 0 else "DBIT")
    iso.add(item, "Dt/Dt", (balance.day or created_at.date()).isoformat())


def _entry(element: etree._Element, group: list[Entry]) -> None:
    """One Ntry; several records of one entry index become its transaction details."""
    first = group[0]
    item = iso.add(element, "Ntry")
    iso.add_if(item, "NtryRef", first.reference)
    iso.add_amount(item, "Amt", sum(entry.amount_minor for entry in group), first.currency)
    iso.add(item, "CdtDbtInd", "CRDT" if sum(entry.amount_minor for entry in group) >= 0 else "DBIT")
    if first.is_reversal:
        iso.add(item, "RvslInd", "true")
    iso.add(item, "Sts/Cd", first.status)
    if first.booked_on is not None:
        iso.add(item, "BookgDt/Dt", first.booked_on.isoformat())
    if first.value_on is not None:
        iso.add(item, "ValDt/Dt", first.value_on.isoformat())
    iso.add_if(item, "AcctSvcrRef", first.bank_transaction_id)
    _bank_code(iso.add(item, "BkTxCd"), first)
    details = iso.add(item, "NtryDtls")
    if len(group) > 1:
        batch = iso.add(details, "Btch")
        iso.add_if(batch, "PmtInfId", first.payment_information_id)
        iso.add(batch, "NbOfTxs", str(len(group)))
    for entry in group:
        _transaction(iso.add(details, "TxDtls"), entry, in_batch=len(group) > 1)
    iso.add_if(item, "AddtlNtryInf", first.information)


def _bank_code(element: etree._Element, entry: Entry) -> None:
    parts = (entry.bank_code or "").split("/")
    if len(parts) == 3:
        domain = iso.add(element, "Domn")
        iso.add(domain, "Cd", parts[0])
        family = iso.add(domain, "Fmly")
        iso.add(family, "Cd", parts[1])
        iso.add(family, "SubFmlyCd", parts[2])
    else:
        iso.add(element, "Prtry/Cd", entry.bank_code or "NTRF")


def _transaction(element: etree._Element, entry: Entry, *, in_batch: bool) -> None:
    references = iso.add(element, "Refs")
    if in_batch:
        iso.add_if(references, "AcctSvcrRef", entry.bank_transaction_id)
    iso.add_if(references, "PmtInfId", entry.payment_information_id)
    iso.add_if(references, "InstrId", entry.instruction_id)
    iso.add(references, "EndToEndId", entry.end_to_end_id or iso.NOT_PROVIDED)
    iso.add_if(references, "UETR", entry.uetr)
    iso.add_if(references, "TxId", entry.transaction_id)
    iso.add_amount(element, "Amt", entry.amount_minor, entry.currency)
    iso.add(element, "CdtDbtInd", "CRDT" if entry.amount_minor >= 0 else "DBIT")
    debtor, creditor = entry.debtor, entry.creditor
    if debtor is None and creditor is None and (entry.counterparty or entry.counterparty_account):
        other = Party(entry.counterparty or "", account=entry.counterparty_account)
        paid_in = (entry.amount_minor >= 0) is not entry.is_reversal
        debtor, creditor = (other, None) if paid_in else (None, other)
    if debtor is not None or creditor is not None:
        parties = iso.add(element, "RltdPties")
        _party(parties, "Dbtr", debtor)
        _party(parties, "Cdtr", creditor)
    _remittance(element, entry)
    if entry.return_reason:
        iso.add(element, "RtrInf/Rsn/Cd", entry.return_reason)


def _party(parties: etree._Element, role: str, who: Party | None) -> None:
    if who is None:
        return
    if who.name or who.identifiers:
        iso.add_party(iso.add(parties, f"{role}/Pty"), who)
    if who.account:
        iso.add_account(parties, f"{role}Acct", who.account)


def _remittance(element: etree._Element, entry: Entry) -> None:
    references = entry.structured_references or ((entry.structured_reference,) if entry.structured_reference else ())
    if not entry.remittance and not references:
        return
    information = iso.add(element, "RmtInf")
    for start in range(0, len(entry.remittance), 140):
        iso.add(information, "Ustrd", entry.remittance[start : start + 140])
    for reference in references:
        structured = iso.add(information, "Strd/CdtrRefInf")
        iso.add(structured, "Tp/CdOrPrtry/Cd", "SCOR")
        iso.add(structured, "Ref", reference)
