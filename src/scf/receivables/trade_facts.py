"""What is known of the trade behind a commitment: how far its documents can be trusted, and the dates they name."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlmodel import Session

from scf.kernel.problems import Problem
from scf.receivables.models import Dossier, TradeTerms
from scf.standards import cii, ubl
from scf.standards.detect import detect
from scf.standards.records import DocumentKind, Invoice
from scf.store import evidence

_READERS = {DocumentKind.UBL_INVOICE: ubl.read_invoice, DocumentKind.CII_INVOICE: cii.read_invoice}
_DATES = ("accepted_on", "payment_due_on")


def trust_level(session: Session, dossier: Dossier) -> int | None:
    """Highest trust among the documents of a dossier; None when none of them is on file."""
    known = [evidence.trust_of(session, one) for one in dossier.evidence_ids.split(",")]
    return max((int(trust) for trust in known if trust is not None), default=None)


def trade_facts(session: Session, dossier: Dossier) -> dict[str, Any]:
    """Facts about the trade behind a dossier, by the names the rulebook uses; what nobody knows is left out.

    What was filed with the dossier comes first; an invoice among its documents adds the day on which it is due and
    whether it names another payee than its seller.
    """
    facts: dict[str, Any] = {"has_trade_evidence": True, "trust_level": trust_level(session, dossier)}
    if dossier.delivered_on:
        facts["delivered_on"] = date.fromisoformat(dossier.delivered_on)
        facts["prepayment"] = False
    invoices = _invoices(session, dossier)
    due = [one.due_date for one in invoices if one.due_date is not None]
    if due:
        facts["payment_due_on"] = max(due)
    if invoices:
        facts["invoice_assigned"] = any(_is_assigned(one) for one in invoices)
    filed = session.get(TradeTerms, dossier.document)
    if filed is not None:
        facts |= {
            name: date.fromisoformat(value) if name in _DATES else value
            for name, value in filed.model_dump(exclude={"document"}).items()
            if value is not None
        }
    return {name: value for name, value in facts.items() if value is not None}


def _invoices(session: Session, dossier: Dossier) -> list[Invoice]:
    found: list[Invoice] = []
    for one in dossier.evidence_ids.split(","):
        if not evidence.records_of(session, one):
            continue
        raw = evidence.raw_bytes(session, one)
        if not raw.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            continue
        try:
            reader = _READERS.get(detect(raw))
            if reader is not None:
                found.append(reader(raw))
        except Problem:
            continue  # a document nobody can read says nothing about the trade
    return found


def _is_assigned(invoice: Invoice) -> bool:
    return invoice.payee is not None and _folded(invoice.payee.name) != _folded(invoice.seller.name)


def _folded(name: str | None) -> str:
    return " ".join((name or "").upper().split())
