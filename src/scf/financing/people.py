"""How large an act of financing is and whose it is: what decides whether one person of a firm is enough to sign it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

from scf.desk.service import Desk
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.receivables import queries
from scf.receivables.models import Financing, Note
from scf.store.session import reading


def require_people(
    desk: Desk, act: str, primary_type: str, message: Mapping[str, Any], signatures: Sequence[bytes]
) -> None:
    """Raises Problem `second_person_needed` for what a firm signs by two people and only one did."""
    with reading(desk.engine) as session:
        sized = _size(session, act, message)
    if sized is not None:
        desk.require_people(act, *sized, ("Receivables", primary_type, message), signatures)


def _size(session: Session, act: str, message: Mapping[str, Any]) -> tuple[str, int, str] | None:
    """Account, amount in minor units, currency; None for what is not known here (and is refused for that later)."""
    if act == "quote":
        note = session.get(Note, f"0x{int(message['parentId']):064x}")
        if note is None:
            return None
        code = queries.receivable(session, note.receivable_id).currency
        return str(message["financier"]), int(message["net"]), code
    if act == "accept_quote":
        offer = session.get(QuoteOffer, str(message["quoteHash"]))
        ask = session.get(FinancingAsk, offer.ask_id) if offer else None
        if offer is None or ask is None:
            return None
        return ask.asker, int(json.loads(offer.message)["amount"]), str(json.loads(offer.price)["currency"])
    terms = session.get(Financing, f"0x{int(message['noteId']):064x}")
    if terms is None:
        return None
    return terms.paying_bank, terms.net_minor, queries.receivable(session, terms.receivable_id).currency
