"""The list of a mass pass: read from a file, each row checked as the ledger will check it, written as it is filed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlmodel import Session, col

from scf.kernel.money import format_money, parse_minor
from scf.kernel.problems import Problem
from scf.ledger.sumtree import MOST_LEAVES
from scf.parties.models import Member, Organisation, Seat
from scf.receivables.models import Note, Receivable
from scf.standards import csvlist

MOST_BYTES = 16_000_000
"""Largest list that is read; 131,072 rows take about 8 MB."""
_COLUMNS = {"recipient": ("recipient", "收款方"), "amount": ("amount", "金额")}
_OUT_OF_STANDING = 3
_WHY: Mapping[str, Mapping[str, str]] = {
    "unknown": {"en": "is not a participant here yet", "zh-CN": "尚未登记为参与方"},
    "standing": {"en": "is suspended or blacklisted", "zh-CN": "已被停用或列入黑名单"},
    "back": {"en": "is the giver itself or the one who owes", "zh-CN": "是流转方本身或付款方"},
    "twice": {"en": "stands on the list twice", "zh-CN": "在清单中重复出现"},
    "amount": {"en": "is not an amount above zero", "zh-CN": "不是大于零的金额"},
}


def check_list(session: Session, raw: bytes, note: Note, receivable: Receivable) -> list[tuple[str, int]]:
    """Address and amount of every row, each of which the ledger would take.

    Raises Problem `mass_list_unreadable`, or `mass_row_refused` and `mass_share_too_small` with the line.
    """
    known = directory(session)
    rows: list[tuple[str, int]] = []
    seen: set[str] = set()
    for line, name, text in read_list(raw):
        found = known.get(name.lower())
        if found is None:
            raise Problem("mass_row_refused", line=line, reason=_WHY["unknown"], who=name[:80])
        address, standing = found
        if standing & _OUT_OF_STANDING:
            raise Problem("mass_row_refused", line=line, reason=_WHY["standing"], who=name[:80])
        if address in (note.holder, receivable.obligor):
            raise Problem("mass_row_refused", line=line, reason=_WHY["back"], who=name[:80])
        if address in seen:
            raise Problem("mass_row_refused", line=line, reason=_WHY["twice"], who=name[:80])
        seen.add(address)
        try:
            amount_minor = parse_minor(text, receivable.currency)
        except Problem as problem:
            raise Problem("mass_row_refused", line=line, reason=_WHY["amount"], who=text[:40]) from problem
        if amount_minor <= 0:
            raise Problem("mass_row_refused", line=line, reason=_WHY["amount"], who=text[:40])
        if amount_minor < receivable.min_minor:
            least = format_money(receivable.min_minor, receivable.currency)
            raise Problem("mass_share_too_small", line=line, minimum=least)
        rows.append((address, amount_minor))
    return rows


def read_list(raw: bytes) -> list[tuple[int, str, str]]:
    """Line, recipient and amount of each row of a CSV with the columns `recipient` and `amount`; others are ignored.

    A recipient is an address on the ledger, a unified social credit code, or a registered name nobody else has.
    Raises Problem `mass_list_unreadable`.
    """
    found = csvlist.read_list(raw, _COLUMNS, most_bytes=MOST_BYTES, most_rows=MOST_LEAVES, code="mass_list_unreadable")
    return [(line, cells["recipient"], cells["amount"]) for line, cells in found]


def list_bytes(rows: Sequence[tuple[str, int]]) -> bytes:
    """The list as it is filed: place, address and amount in minor units, a row a recipient. Its tree is the root."""
    lines = [f"{leaf},{to},{amount}" for leaf, (to, amount) in enumerate(rows)]
    return ("leaf,recipient,amount_minor\n" + "\n".join(lines) + "\n").encode()


def directory(session: Session) -> dict[str, tuple[str, int]]:
    """Address and standing of members by address, credit code and name (lower case); a name of two firms is none."""
    rows = session.execute(
        sa.select(
            col(Member.address), col(Member.standing), col(Organisation.uscc), col(Organisation.name), col(Seat.duty)
        )
        .join(Seat, col(Seat.address) == col(Member.address))
        .join(Organisation, col(Organisation.id) == col(Seat.organisation_id))
    ).all()
    found: dict[str, tuple[str, int]] = {}
    names: dict[str, set[str]] = {}
    for address, standing, uscc, name, duty in rows:
        found[address.lower()] = (address, standing)
        if duty == "account":
            for alias in (uscc, name):
                if alias:
                    names.setdefault(alias.strip().lower(), set()).add(address)
    known = {address: standing for address, standing, *_ in rows}
    for alias, addresses in names.items():
        if len(addresses) == 1:
            (address,) = addresses
            found.setdefault(alias, (address, known[address]))
    return found
