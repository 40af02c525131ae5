"""How much an act is about, for the acts that from some amount on need two people of a firm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from scf.kernel.money import currency as currency_of
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.books import hex32

_SUM_OF_ROOT = (1 << 64) - 1
_NOTE_FIELDS = {"pass": "parentId", "accept": "noteId", "mass_pass": "parentId", "claim": "massId"}


def size_of(session: Session, parties: Parties, act: str, message: Mapping[str, Any]) -> tuple[str, int, str] | None:
    """Account, amount in minor units and currency of an act that may need two people; None for any other."""
    if act == "issue":
        return str(message["obligor"]), int(message["face"]), currency_of(int(message["currency"])).code
    if act == "payment":
        row = queries.receivable(session, int(message["receivableId"]))
        bank = parties.member(session, row.obligor).paying_bank or ""
        return bank, int(message["principal"]) + int(message["interest"]), row.currency
    if act not in _NOTE_FIELDS:
        return None
    note = queries.note(session, hex32(int(message[_NOTE_FIELDS[act]])))
    code = queries.receivable(session, note.receivable_id).currency
    if act == "mass_pass":
        return note.holder, int(message["root"]) & _SUM_OF_ROOT, code
    who = str(message["to"]) if act == "claim" else note.holder
    return who, int(message.get("amount", note.amount_minor)), code
