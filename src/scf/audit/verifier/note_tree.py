"""A receivable's tree of notes: adding a node, spending from one, moving the sums along."""

from __future__ import annotations

from .limits_book import sell
from .register import FROZEN, PENDING, Event, Note, Receivable, Register, name_of, note_id
from .report import Check

_HOUR = 3600


def change(receivable: Receivable, note: Note, *, amount: int | None = None, flags: int | None = None) -> None:
    """Set a note's amount or flags and move the receivable's sums along."""
    receivable.sums[note.bucket] -= note.amount
    if amount is not None:
        note.amount = amount
    if flags is not None:
        note.flags = flags
    receivable.sums[note.bucket] += note.amount


def put(register: Register, receivable: Receivable, note: Note, claimed: int, evidence: bytes, event: Event) -> None:
    """Add a node: its id must prove its descent, and must be new."""
    check = register.report.check("lineage")
    check.expect(
        "note_id", event.record, name_of(note_id(note.receivable, note.parent, note.index, evidence)), name_of(claimed)
    )
    if claimed in register.notes:
        check.fail("note_twice", event.record, "a new id", name_of(claimed))
    register.notes[claimed] = note
    receivable.notes.append(claimed)
    receivable.sums[note.bucket] += note.amount


def parts(register: Register, note: int) -> tuple[Receivable, Note]:
    """A note and its receivable. Raises KeyError."""
    return register.receivables[note >> 192], register.notes[note]


def require(check: Check, key: str, event: Event, holds: bool, expected: object, found: object) -> None:
    """Fail the check unless it holds."""
    if not holds:
        check.fail(key, event.record, expected, found)


def offer_ok(receivable: Receivable, until: int, event: Event) -> bool:
    """Whether an offer may end then: a whole hour ahead, not after maturity."""
    return event.timestamp < until <= receivable.maturity and until % _HOUR == 0


def spend(
    register: Register, event: Event, parent: int, amount: int, index: int, *, capped: bool
) -> tuple[Receivable, Note]:
    """What every pass and financing has in common: the parent may give, and gives no more than it has."""
    receivable, giver = parts(register, parent)
    check, lineage = register.report.check("notes"), register.report.check("lineage")
    check.count()
    require(check, "not_movable", event, not giver.flags & (PENDING | FROZEN), "a note in hand", giver.flags)
    require(check, "not_open", event, receivable.is_open, "an open receivable", receivable.id)
    require(
        check, "matured", event, event.timestamp < receivable.maturity, f"before {receivable.maturity}", event.timestamp
    )
    require(check, "halted", event, not register.is_halted(receivable.obligor), "not halted", receivable.obligor)
    require(check, "not_allowed", event, register.is_good(giver.holder), "a member in good standing", giver.holder)
    require(check, "overspent", event, amount <= giver.amount, f"<= {giver.amount}", amount)
    require(check, "too_small", event, amount >= max(1, receivable.min_amount), f">= {receivable.min_amount}", amount)
    lineage.expect("child_index", event.record, giver.children, index)
    if capped:
        require(
            lineage, "too_deep", event, giver.tier < receivable.max_tier, f"<= {receivable.max_tier}", giver.tier + 1
        )
    sell(register, giver, receivable, amount)
    change(receivable, giver, amount=giver.amount - amount)
    giver.children += 1
    return receivable, giver
