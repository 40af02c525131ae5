"""Bank statements as received (ISO 20022 camt.052, 053, 054): booked lines by the hash of the bank's reference.

Read here again, apart from the platform's own reader, so that the platform's reading proves nothing by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from .faults import Malformed
from .hashing import keccak

_NAMESPACE = re.compile(rb"urn:iso:std:iso:20022:tech:xsd:camt\.05([234])\.001\.\d\d")
_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3, "IQD": 3}
NUMERIC = {
    156: "CNY", 840: "USD", 978: "EUR", 826: "GBP", 344: "HKD", 356: "INR", 702: "SGD", 756: "CHF", 752: "SEK",
    578: "NOK", 208: "DKK", 985: "PLN", 203: "CZK", 36: "AUD", 124: "CAD", 392: "JPY", 410: "KRW", 48: "BHD",
    414: "KWD",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One booked amount on a statement; amount in minor units, `debit` seen from the account."""

    place: str
    account: str
    kind: str  # 052, 053, 054
    reference: str
    end_to_end: str
    amount: int
    currency: str
    debit: bool
    reversal: bool


def is_statement(data: bytes) -> bool:
    """Whether the bytes look like one of the three messages."""
    return bool(_NAMESPACE.search(data[:4096]))


def reference_hash(reference: str) -> bytes:
    """How the ledger names a bank's reference: keccak-256 of its UTF-8 text."""
    return keccak(reference.encode("utf-8"))


def read_lines(data: bytes, place: str) -> Iterator[Line]:
    """Booked lines of a statement. Raises Malformed for XML that is broken or brings its own document type."""
    from lxml import etree

    match = _NAMESPACE.search(data[:4096])
    if match is None:
        raise Malformed(place, "not a camt message")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Malformed(place, f"XML: {error}") from None
    if _has_doctype(root):
        raise Malformed(place, "XML with a document type")
    kind = f"05{match[1].decode()}"
    for name in ("Stmt", "Rpt", "Ntfctn"):
        for statement in root.iterfind(f".//{{*}}{name}"):
            account = _text(statement, "Acct/Id/IBAN") or _text(statement, "Acct/Id/Othr/Id")
            for entry in statement.iterfind("{*}Ntry"):
                yield from _entry_lines(entry, place, account, kind)


def _has_doctype(root: Any) -> bool:
    return bool(root.getroottree().docinfo.doctype)


def _text(element: Any, path: str) -> str:
    found = element.find("/".join("{*}" + part for part in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def _minor(element: Any, place: str) -> tuple[int, str]:
    currency = element.get("Ccy", "")
    try:
        scaled = Decimal((element.text or "").strip()).scaleb(_DIGITS.get(currency, 2))
    except InvalidOperation:
        raise Malformed(place, "an amount that cannot be read") from None
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) >= 2**63:
        raise Malformed(place, "an amount that cannot be read")
    return int(scaled), currency


def _entry_lines(entry: Any, place: str, account: str, kind: str) -> Iterator[Line]:
    """Lines of one entry, by the bank's reference; where there is none, by UETR or the clearing's transaction id."""
    status = _text(entry, "Sts/Cd") or _text(entry, "Sts")
    whole = entry.find("{*}Amt")
    if status not in ("BOOK", "") or whole is None:
        return
    amount, currency = _minor(whole, place)
    debit = _text(entry, "CdtDbtInd") == "DBIT"
    reversal = _text(entry, "RvslInd") in ("true", "1")
    own = _text(entry, "AcctSvcrRef")
    details = entry.findall("{*}NtryDtls/{*}TxDtls")
    seen = False
    for detail in details:
        only = own if len(details) == 1 else ""
        reference = (
            _text(detail, "Refs/AcctSvcrRef") or only or _text(detail, "Refs/UETR") or _text(detail, "Refs/TxId")
        )
        part = detail.find("{*}Amt")
        if part is None:
            part = detail.find("{*}AmtDtls/{*}TxAmt/{*}Amt")
        part_amount, part_currency = _minor(part, place) if part is not None else (amount, currency)
        if len(details) == 1:
            part_amount, part_currency = amount, currency
        side = _text(detail, "CdtDbtInd")
        seen = seen or reference == own
        yield Line(
            place, account, kind, reference, _text(detail, "Refs/EndToEndId"), part_amount, part_currency,
            side == "DBIT" if side else debit, reversal,
        )  # fmt: skip
    if not details or not seen:
        yield Line(place, account, kind, own, "", amount, currency, debit, reversal)
