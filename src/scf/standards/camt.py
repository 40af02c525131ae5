"""Bank statements: camt.052 (intraday), camt.053 (statement) and camt.054 (notification), versions 01 to 13.

One reader by local names serves all versions. What the standard has no room for is refused rather than skipped: a
misspelt entry must not make money disappear. Source: ISO 20022 Bank-to-Customer Cash Management.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, cast

from lxml import etree

from scf.kernel.money import currency, parse_minor
from scf.kernel.problems import Problem
from scf.standards import camt_checks, tree, xml
from scf.standards import iso20022 as iso
from scf.standards.bank_records import Balance, Entry, Statement
from scf.standards.camt_write import write_053, write_054
from scf.standards.records import Notice, Party
from scf.standards.refusals import quote, refusal

__all__ = ["read", "write_053", "write_054"]

_MESSAGES = {"BkToCstmrAcctRpt": "camt.052", "BkToCstmrStmt": "camt.053", "BkToCstmrDbtCdtNtfctn": "camt.054"}
_RECORD = {"camt.052": "Rpt", "camt.053": "Stmt", "camt.054": "Ntfctn"}
_PLACED = 200
"""So many notices name the whole path; those after them the line, which a large file tells faster."""
_STATUSES = ("BOOK", "PDNG", "INFO", "FUTR")


def read(raw: bytes) -> list[Statement]:
    """Every statement, report or notification of a camt.052/053/054 file, in file order.

    A batch entry yields one Entry per transaction with the transaction's amount; its direction is the entry's. Raises
    Problem (see `xml.parse`; `document_element_missing`, `document_element_unknown`, `document_number_wrong`,
    `document_date_wrong`, `document_value_wrong`, `document_currency_unknown`, `statement_entry_count_differs`).
    """
    entries = _Entries()
    body, name, version = iso.opened(xml.stream(raw, ("Ntry",), entries.take), _MESSAGES)
    tree.need(body, "GrpHdr")
    message_id = tree.need_text(body, "GrpHdr/MsgId")
    records = body.findall(_RECORD[name])
    if not records:
        raise refusal("document_element_missing", tree.place(body, _RECORD[name]), element=_RECORD[name])
    kind = cast(Literal["camt.052", "camt.053", "camt.054"], name)
    heard: set[bytes] = set()
    return [_statement(record, kind, message_id, version, entries.of(record), heard) for record in records]


@dataclass(slots=True)
class _Reading:
    """What is gathered while one statement is read."""

    account: str
    notices: list[Notice] = field(default_factory=list)
    held: list[camt_checks.Held] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    repeated: list[Notice] = field(default_factory=list)
    told: camt_checks.Tellings = field(default_factory=camt_checks.Tellings)
    count: int = 0

    def notice(self, code: str, element: etree._Element, **facts: object) -> None:
        is_short = len(self.notices) < _PLACED
        place = tree.place(element) if is_short else f"{element.tag} (line {element.sourceline})"
        self.notices.append(Notice(code, place, tuple((k, quote(str(v))) for k, v in facts.items())))


class _Entries:
    """Entries of a file, each read when the parser has come to its end, so that a large file is never held whole."""

    def __init__(self) -> None:
        self._records: list[tuple[etree._Element, _Reading]] = []

    def take(self, element: etree._Element) -> bool:
        """Read an entry; False for an element of that name elsewhere, which is judged with the rest of the file."""
        record = element.getparent()
        body = None if record is None else record.getparent()
        if record is None or body is None:
            return False
        namespace = etree.QName(body).namespace or ""
        message = _MESSAGES.get(iso.plain_name(body))
        is_own = {etree.QName(item).namespace or "" for item in (element, record)} == {namespace}
        if message is None or etree.QName(record).localname != _RECORD[message] or not is_own:
            return False
        if namespace:
            xml.strip_namespaces(element, namespace)
        reading = self.of(record, element)
        iso.check_words(element, message)
        found = tuple(_entries(element, reading.count, reading))
        again = reading.told.hear(element, found)
        reading.repeated += [again] if again is not None else []
        reading.entries += found
        reading.count += 1
        return True

    def of(self, record: etree._Element, first: etree._Element | None = None) -> _Reading:
        """What was read of a statement so far, and its account, which stands before its `first` entry.

        Raises Problem `document_element_missing`.
        """
        for known, reading in self._records:
            if known is record:
                return reading
        namespace = etree.QName(record).namespace
        for holder in record.findall(f"{{{namespace}}}Acct") if namespace else ():
            xml.strip_namespaces(holder, namespace or "")
        holder = tree.need(record, "Acct")
        if first is not None and holder not in first.itersiblings(preceding=True):
            raise refusal("document_element_missing", tree.place(first), element="Acct")
        account = iso.account(holder)
        if account is None:
            raise refusal("document_element_missing", tree.place(holder, "Id"), element="Id")
        self._records.append((record, _Reading(account)))
        return self._records[-1][1]


def _statement(
    record: etree._Element,
    kind: Literal["camt.052", "camt.053", "camt.054"],
    message_id: str,
    version: int | None,
    reading: _Reading,
    heard: set[bytes],
) -> Statement:
    holder = tree.need(record, "Acct")
    said = reading.told.digest(record)
    if said in heard:
        reading.notices.insert(0, camt_checks.told_twice(record))
    heard.add(said)
    balances = tuple(_balance(item, reading) for item in record.findall("Bal"))
    entries = tuple(reading.entries)
    page = next((item for item in record if item.tag in ("StmtPgntn", "RptPgntn", "NtfctnPgntn")), None)
    page_number = tree.text(page, "PgNb") if page is not None else None
    last = tree.text(page, "LastPgInd") if page is not None else None
    if page is None or (page_number == "1" and last in ("true", "1")):
        camt_checks.check_summary(record, reading.held)
        net = camt_checks.net_notice(record, reading.held)
        reading.notices += [net] if net is not None else []
    reading.notices += reading.repeated
    stated = tree.text(holder, "Ccy")
    codes = [*(item.currency for item in balances), *(item.currency for item in entries)]
    code = stated or next(iter(codes), None)
    if stated is not None:
        tree.known_currency(stated, tree.place(holder, "Ccy"))
    created = record.find("CreDtTm")
    created = record.getparent().find("GrpHdr/CreDtTm") if created is None else created  # type: ignore[union-attr]
    statement = Statement(
        id=tree.need_text(record, "Id"),
        kind=kind,
        account=reading.account,
        currency=code,
        created_at=None if created is None else tree.moment(created),
        from_at=_moment(record, "FrToDt/FrDtTm", "FrToDt/FrDt"),
        to_at=_moment(record, "FrToDt/ToDtTm", "FrToDt/ToDt"),
        opening_minor=camt_checks.opening(balances),
        closing_minor=camt_checks.closing(balances),
        balances=balances,
        entries=entries,
        message_id=message_id,
        account_name=tree.text(holder, "Nm", "Ownr/Nm"),
        sequence=tree.text(record, "ElctrncSeqNb", "LglSeqNb"),
        page=page_number,
        is_last_page=None if last is None else last in ("true", "1"),
        copy_or_duplicate=tree.text(record, "CpyDplctInd"),
        version=version,
        notices=tuple(reading.notices),
    )
    contradiction = camt_checks.balances_notice(statement, tree.place(record))
    return statement if contradiction is None else replace(statement, notices=(*statement.notices, contradiction))


def _moment(record: etree._Element, with_time: str, only_day: str) -> datetime | None:
    element = record.find(with_time)
    if element is not None:
        return tree.moment(element)
    element = record.find(only_day)
    return None if element is None else datetime.combine(tree.day(element), datetime.min.time())


def _balance(element: etree._Element, reading: _Reading) -> Balance:
    kind = tree.text(element, "Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry", "Tp/Cd", "Tp/Prtry")
    if kind is None:
        raise refusal("document_element_missing", tree.place(element, "Tp"), element="Tp")
    _, minor, code = _amount(tree.need(element, "Amt"), reading)
    days = tree.need(element, "Dt")
    return Balance(kind, minor * _direction(element), code, _day(days))


def _direction(element: etree._Element) -> int:
    indicator = tree.need(element, "CdtDbtInd")
    written = tree.text_of(indicator)
    if written not in ("CRDT", "DBIT"):
        raise refusal("document_value_wrong", tree.place(indicator), text=written or "", expected="CRDT, DBIT")
    return 1 if written == "CRDT" else -1


def _day(element: etree._Element | None) -> date | None:
    """Day of a Dt/DtTm choice; banks also put a date-time into Dt."""
    if element is None:
        return None
    inner = element.find("Dt")
    inner = element.find("DtTm") if inner is None else inner
    if inner is None:
        raise refusal("document_element_missing", tree.place(element, "Dt"), element="Dt")
    return tree.day(inner)


def _amount(element: etree._Element, reading: _Reading) -> tuple[Decimal, int, str]:
    """Exact value, minor units (half up; ISO allows five decimals, a currency may have two) and currency."""
    code = tree.known_currency(element.get("Ccy"), element)
    exact = tree.number(element)
    if exact < 0:
        raise refusal("document_number_wrong", tree.place(element), text=element.text or "")
    try:
        minor = parse_minor(exact, code, exact=False)
    except Problem as problem:
        raise refusal("document_amount_too_large", tree.place(element), text=element.text or "") from problem
    if Decimal(minor).scaleb(-currency(code).digits) != exact:
        reading.notice("statement_amount_rounded", element, text=str(exact), currency=code)
    return exact, minor, code


def _entries(element: etree._Element, index: int, reading: _Reading) -> Iterator[Entry]:
    exact, minor, code = _amount(tree.need(element, "Amt"), reading)
    sign = _direction(element)
    details = element.findall("TxDtls")
    batches = element.findall("Btch")
    for group in element.findall("NtryDtls"):
        details += group.findall("TxDtls")
        batches += group.findall("Btch")
    status = tree.text(element, "Sts/Cd", "Sts/Prtry", "Sts")
    if status is None or (status not in _STATUSES and element.find("Sts/Prtry") is None):
        raise refusal(
            "document_value_wrong", tree.place(element, "Sts"), text=status or "", expected=", ".join(_STATUSES)
        )
    whole = Entry(
        booked_on=_day(element.find("BookgDt")),
        value_on=_day(element.find("ValDt")),
        amount_minor=sign * minor,
        currency=code,
        end_to_end_id=None,
        reference=tree.text(element, "NtryRef"),
        structured_reference=None,
        remittance="",
        counterparty=None,
        counterparty_account=None,
        is_reversal=_is_true(element.find("RvslInd")),
        bank_transaction_id=tree.text(element, "AcctSvcrRef"),
        uetr=None,
        status=status,
        exact_amount=sign * exact,
        payment_information_id=next((found for item in batches if (found := tree.text(item, "PmtInfId"))), None),
        bank_code=_bank_code(element),
        entry_index=index,
        batch_count=_batch_count(batches, details, reading),
        information=tree.text(element, "AddtlNtryInf"),
        charges_minor=_charges(element, code),
        booked_minor=sign * minor,
    )
    reading.held.append(camt_checks.Held(exact, code, sign > 0, whole.is_reversal, status, max(len(details), 1)))
    if not details:
        yield whole
        return
    yield from _transactions(whole, element, details, reading)


def _is_true(element: etree._Element | None) -> bool:
    if element is None:
        return False
    written = tree.text_of(element)
    if written not in ("true", "false", "1", "0"):
        raise refusal("document_value_wrong", tree.place(element), text=written or "", expected="true, false")
    return written in ("true", "1")


def _batch_count(batches: list[etree._Element], details: list[etree._Element], reading: _Reading) -> int:
    stated = 0
    for batch in batches:
        count = batch.find("NbOfTxs")
        if count is not None:
            written = tree.text_of(count) or ""
            if not written.isdecimal() or len(written) > 15:
                raise refusal("document_number_wrong", tree.place(count), text=written)
            stated += int(written)
    if stated and details and stated != len(details):
        reading.notice("statement_batch_count_differs", batches[0], stated=stated, found=len(details))
    return max(len(details), stated, 1)


def _transactions(
    whole: Entry, element: etree._Element, details: list[etree._Element], reading: _Reading
) -> Iterator[Entry]:
    """One Entry per transaction. A sole transaction keeps the amount booked; several take their own amounts."""
    amounts = [_detail_amount(detail, whole.currency, reading) for detail in details]
    sign = 1 if whole.amount_minor >= 0 and tree.text(element, "CdtDbtInd") == "CRDT" else -1
    signs = [sign] * len(details)
    if len(details) == 1:
        entry = _described(whole, details[0], 0, reading)
        amount = amounts[0]
        if amount is not None and (amount[1], amount[2]) != (abs(whole.amount_minor), whole.currency):
            entry = replace(entry, instructed_minor=amount[1], instructed_currency=amount[2])
        yield entry
        return
    known = [amount for amount in amounts if amount is not None]
    if len(known) < len(details):
        # The bank told who, but not how much each: the batch stays one movement.
        reading.notice("statement_details_without_amount", element, found=len(details))
        yield whole
        return
    # Banks book a batch with or without the charges they keep from it.
    booked = {whole.amount_minor + turn * (whole.charges_minor or 0) for turn in (-1, 0, 1)}
    own = [_direction(item) if item.find("CdtDbtInd") is not None else sign for item in details]
    is_sum = [sum(each * amount[1] for each, amount in zip(way, known, strict=True)) in booked for way in (signs, own)]
    if not any(is_sum) or any(amount[2] != whole.currency for amount in known):
        reading.notice("statement_details_differ", element, found=len(details))
        whole = replace(whole, whole=whole)
    signs = own if is_sum[1] and not is_sum[0] else signs
    for index, (detail, amount) in enumerate(zip(details, known, strict=True)):
        exact, minor, code = amount
        entry = replace(whole, amount_minor=signs[index] * minor, currency=code, exact_amount=signs[index] * exact)
        yield _described(entry, detail, index, reading)


def _detail_amount(detail: etree._Element, booked: str, reading: _Reading) -> tuple[Decimal, int, str] | None:
    """The transaction's amount, in the entry's currency where the bank states one in it."""
    paths = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/CntrValAmt/Amt", "AmtDtls/InstdAmt/Amt")
    stated = [found for path in paths if (found := detail.find(path)) is not None]
    for element in stated:
        if element.get("Ccy") == booked:
            return _amount(element, reading)
    for element in stated:
        try:
            return _amount(element, reading)
        except Problem as problem:
            if problem.code != "document_currency_unknown":
                raise
    return None


def _charges(element: etree._Element, booked: str) -> int | None:
    """Charges in the booked currency: their stated total, else the sum of the single ones."""
    total = element.findall("Chrgs/TtlChrgsAndTaxAmt")
    found = total or [*element.findall("Chrgs/Amt"), *element.findall("Chrgs/Rcrd/Amt")]
    if not found or any(item.get("Ccy") != booked for item in found):
        return None
    return sum(parse_minor(tree.number(item), booked, exact=False) for item in found)


def _bank_code(element: etree._Element) -> str | None:
    domain = [
        tree.text(element, path) for path in ("BkTxCd/Domn/Cd", "BkTxCd/Domn/Fmly/Cd", "BkTxCd/Domn/Fmly/SubFmlyCd")
    ]
    if domain[0]:
        return "/".join(part for part in domain if part)
    return tree.text(element, "BkTxCd/Prtry/Cd")


def _described(entry: Entry, detail: etree._Element, index: int, reading: _Reading) -> Entry:
    """`entry` with what the transaction says of references, parties and purpose."""
    debtor = _party(detail, "Dbtr")
    creditor = _party(detail, "Cdtr")
    other = _counterparty(entry, debtor, creditor, reading.account)
    free = [text for item in detail.findall("RmtInf/Ustrd") if (text := tree.text_of(item))]
    free = free or [text for item in detail.findall("RmtInf/Strd/AddtlRmtInf") if (text := tree.text_of(item))]
    references = tuple(text for item in detail.findall("RmtInf/Strd/CdtrRefInf/Ref") if (text := tree.text_of(item)))
    documents = tuple(text for item in detail.findall("RmtInf/Strd/RfrdDocInf/Nb") if (text := tree.text_of(item)))
    uetr = iso.reference(detail, "Refs/UETR")
    return replace(
        entry,
        end_to_end_id=iso.reference(detail, "Refs/EndToEndId"),
        structured_reference=references[0] if references else None,
        structured_references=references,
        document_references=documents,
        remittance=" ".join(free),
        counterparty=(other.name or None) if other else None,
        counterparty_account=other.account if other else None,
        bank_transaction_id=tree.text(detail, "Refs/AcctSvcrRef") or entry.bank_transaction_id,
        uetr=uetr.lower() if uetr else None,
        instruction_id=iso.reference(detail, "Refs/InstrId"),
        payment_information_id=iso.reference(detail, "Refs/PmtInfId") or entry.payment_information_id,
        transaction_id=iso.reference(detail, "Refs/TxId"),
        debtor=debtor,
        creditor=creditor,
        charges_minor=_charges(detail, entry.currency) or entry.charges_minor,
        return_reason=tree.text(detail, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry"),
        bank_code=entry.bank_code or _bank_code(detail),
        detail_index=index,
        information=tree.text(detail, "AddtlTxInf") or entry.information,
    )


def _party(detail: etree._Element, role: str) -> Party | None:
    number = iso.account(detail.find(f"RltdPties/{role}Acct"))
    found = iso.party(detail.find(f"RltdPties/{role}"), number)
    if found is None or not found.name:
        ultimate = iso.party(detail.find(f"RltdPties/Ultmt{role}"), number)
        found = ultimate if ultimate is not None and ultimate.name else found
    return found


def _counterparty(entry: Entry, debtor: Party | None, creditor: Party | None, own: str) -> Party | None:
    """The other side: whoever does not hold this account; else by direction, turned round for a reversal."""
    packed = own.replace(" ", "")
    sides = [side for side in (debtor, creditor) if side is not None]
    foreign = [side for side in sides if side.account and side.account.replace(" ", "") != packed]
    if len(sides) == 2 and len(foreign) == 1 and any(side.account for side in sides if side not in foreign):
        return foreign[0]
    paid_in = (entry.amount_minor >= 0) is not entry.is_reversal
    expected = debtor if paid_in else creditor
    return expected or (foreign[0] if len(foreign) == 1 else None)
