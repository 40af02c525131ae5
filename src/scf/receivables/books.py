"""How ledger events become rows of the books of receivables and notes. A rebuild gives the same rows."""

from __future__ import annotations

from typing import Any

from scf.kernel.money import currency
from scf.ledger.contracts import Event
from scf.ledger.hashing import keccak
from scf.receivables.models import (
    Financing,
    MassPass,
    Note,
    NoteHold,
    NoteState,
    Payment,
    Receivable,
    ReceivableState,
    Settlement,
)
from scf.store.books import Batch, Row
from scf.store.projection import Handler

RETURN_CAUSES = {1: "refused", 2: "withdrawn", 3: "lapsed"}
ZERO_NOTE = "0x" + "0" * 64


def hex32(value: int | bytes) -> str:
    """A 256-bit value as the books write it: 0x and 64 hex digits."""
    number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
    return f"0x{number:064x}"


def leaf_evidence(root: int, leaf: int) -> bytes:
    """Evidence inside a materialised note's id: keccak256 of the committed root and the leaf's number, as ABI words."""
    return keccak(root.to_bytes(32, "big") + leaf.to_bytes(32, "big"))


def _issued(books: Batch, event: Event) -> None:
    args, now = event.args, event.timestamp
    note_id = hex32(args["noteId"])
    books.insert(
        Receivable,
        id=args["receivableId"],
        obligor=args["obligor"],
        creditor=args["creditor"],
        root_note_id=note_id,
        face_minor=args["face"],
        outstanding_minor=args["face"],
        currency=currency(args["currency"]).code,
        maturity=args["maturity"],
        max_tier=args["maxTier"],
        min_minor=args["minAmount"],
        fingerprint=hex32(args["fingerprint"]),
        document=hex32(args["document"]),
        state=ReceivableState.OFFERED,
        issued_at=now,
        state_since=now,
    )
    books.insert(
        Note,
        id=note_id,
        receivable_id=args["receivableId"],
        child_index=0,
        evidence=hex32(args["document"]),
        tier=1,
        giver=args["obligor"],
        holder=args["creditor"],
        original_minor=args["face"],
        amount_minor=args["face"],
        state=NoteState.OFFERED,
        offer_until=args["offerUntil"],
        made_at=now,
        state_since=now,
    )


def _accepted(books: Batch, event: Event) -> None:
    _accept(books, event, books.require(Note, hex32(event.args["noteId"])))


def _accept(books: Batch, event: Event, note: Row) -> None:
    """An offered note becomes held, by its acceptance or by the recipient's first act on it."""
    if note["state"] != NoteState.OFFERED:
        return
    now = event.timestamp
    books.update(Note, note["id"], state=NoteState.HELD, state_since=now, accepted_at=now)
    if note["parent_id"] is None:
        books.update(Receivable, note["receivable_id"], state=ReceivableState.LIVE, state_since=now)


def _child(books: Batch, event: Event, parent_id: str, **child: Any) -> Row:
    """Take a child's value out of its parent and write the child."""
    parent = books.require(Note, parent_id)
    _accept(books, event, parent)
    amount_minor = child["original_minor"]
    child.setdefault("tier", parent["tier"] + 1)
    accepted_at = event.timestamp if child["state"] == NoteState.HELD else None
    books.update(Note, parent_id, amount_minor=parent["amount_minor"] - amount_minor, children=parent["children"] + 1)
    return books.insert(
        Note,
        receivable_id=parent["receivable_id"],
        parent_id=parent_id,
        giver=parent["holder"],
        amount_minor=amount_minor,
        made_at=event.timestamp,
        accepted_at=accepted_at,
        state_since=event.timestamp,
        **child,
    )


def _passed(books: Batch, event: Event) -> None:
    args = event.args
    parent_id = hex32(args["parentId"])
    to_self = books.require(Note, parent_id)["holder"] == args["to"]
    _child(
        books,
        event,
        parent_id,
        id=hex32(args["noteId"]),
        child_index=args["childIndex"],
        evidence=hex32(args["evidence"]),
        holder=args["to"],
        original_minor=args["amount"],
        offer_until=args["offerUntil"],
        state=NoteState.HELD if to_self else NoteState.OFFERED,
    )


def _mass_passed(books: Batch, event: Event) -> None:
    args = event.args
    parent_id = hex32(args["parentId"])
    mass = _child(
        books,
        event,
        parent_id,
        id=hex32(args["massId"]),
        child_index=args["childIndex"],
        evidence=hex32(args["evidence"]),
        holder=books.require(Note, parent_id)["holder"],
        original_minor=args["root"] & (2**64 - 1),
        offer_until=args["offerUntil"],
        state=NoteState.MASS,
    )
    books.insert(
        MassPass,
        mass_id=mass["id"],
        receivable_id=mass["receivable_id"],
        root=hex32(args["root"]),
        recipients=args["count"],
    )


def _materialised(books: Batch, event: Event) -> None:
    args = event.args
    mass = books.require(Note, hex32(args["massId"]))
    root = int(books.require(MassPass, mass["id"])["root"], 16)
    _child(
        books,
        event,
        mass["id"],
        id=hex32(args["noteId"]),
        child_index=args["leaf"],
        tier=mass["tier"],  # the mass note counts as the hop
        evidence=hex32(leaf_evidence(root, args["leaf"])),
        holder=args["to"],
        original_minor=args["amount"],
        offer_until=mass["offer_until"],
        state=NoteState.HELD,
    )


def _returned(books: Batch, event: Event) -> None:
    args, now = event.args, event.timestamp
    note = books.require(Note, hex32(args["noteId"]))
    books.update(
        Note,
        note["id"],
        amount_minor=note["amount_minor"] - args["amount"],
        state=NoteState.RETURNED,
        state_since=now,
    )
    if note["parent_id"] is None:
        books.update(
            Receivable,
            note["receivable_id"],
            state=ReceivableState.CANCELLED,
            state_since=now,
            outstanding_minor=0,
        )
    else:
        parent = books.require(Note, note["parent_id"])
        again = {"state": NoteState.HELD, "state_since": now} if parent["state"] == NoteState.SETTLED else {}
        books.update(Note, parent["id"], amount_minor=parent["amount_minor"] + args["amount"], **again)


def _financing_locked(books: Batch, event: Event) -> None:
    args, quote = event.args, event.args["quote"]
    parent_id = hex32(args["parentId"])
    seller = books.require(Note, parent_id)["holder"]
    child = _child(
        books,
        event,
        parent_id,
        id=hex32(args["noteId"]),
        child_index=args["childIndex"],
        evidence=hex32(quote["evidence"]),
        holder=args["financier"],
        original_minor=quote["amount"],
        offer_until=quote["lockUntil"],
        recourse=quote["recourse"],
        state=NoteState.LOCKED,
    )
    books.insert(
        Financing,
        note_id=child["id"],
        receivable_id=child["receivable_id"],
        quote_hash=hex32(args["quoteHash"]),
        seller=seller,
        financier=args["financier"],
        paying_bank=quote["payingBank"],
        amount_minor=quote["amount"],
        net_minor=quote["net"],
        discount_minor=quote["discount"],
        fees_minor=quote["fees"],
        apr_ppm=quote["aprPpm"],
        recourse=quote["recourse"],
        terms=hex32(quote["terms"]),
        reading=hex32(args["reading"]),
        entrusted_account=quote["entrustedAccount"],
        lock_until=quote["lockUntil"],
    )


def _financing_completed(books: Batch, event: Event) -> None:
    args, now = event.args, event.timestamp
    note_id = hex32(args["noteId"])
    books.update(Note, note_id, state=NoteState.HELD, state_since=now, accepted_at=now, financed=True)
    books.update(
        Financing,
        note_id,
        registration=args["registration"].rstrip(b"\0").decode("ascii", "replace"),
        bank_reference=hex32(args["bankReference"]),
        completed_at=now,
    )


def _payment_recorded(books: Batch, event: Event) -> None:
    args = event.args
    receivable = books.require(Receivable, args["receivableId"])
    books.insert(
        Payment,
        receivable_id=receivable["id"],
        round=args["round"],
        bank=args["bank"],
        principal_minor=args["principal"],
        interest_minor=args["interest"],
        base_minor=receivable["outstanding_minor"],
        bank_reference=hex32(args["bankReference"]),
        paid_at=event.timestamp,
    )
    books.update(
        Receivable,
        receivable["id"],
        outstanding_minor=args["outstanding"],
        paid_minor=receivable["paid_minor"] + args["principal"],
        interest_paid_minor=receivable["interest_paid_minor"] + args["interest"],
    )


def _settled(books: Batch, event: Event) -> None:
    args = event.args
    note = books.require(Note, hex32(args["noteId"]))
    left_minor = note["amount_minor"] - args["principal"]
    done = {"state": NoteState.SETTLED, "state_since": event.timestamp} if left_minor == 0 else {}
    books.update(
        Note,
        note["id"],
        amount_minor=left_minor,
        settled_minor=note["settled_minor"] + args["principal"],
        interest_minor=note["interest_minor"] + args["interest"],
        **done,
    )
    earlier = books.get(Settlement, note["id"], args["round"])
    if earlier is not None:  # what came back to it after the whole debt was paid is paid in the same round
        books.update(
            Settlement,
            note["id"],
            args["round"],
            principal_minor=earlier["principal_minor"] + args["principal"],
            interest_minor=earlier["interest_minor"] + args["interest"],
            settled_at=event.timestamp,
        )
        return
    books.insert(
        Settlement,
        note_id=note["id"],
        round=args["round"],
        receivable_id=note["receivable_id"],
        payee=args["payee"],
        principal_minor=args["principal"],
        interest_minor=args["interest"],
        settled_at=event.timestamp,
    )


def _closed(books: Batch, event: Event) -> None:
    books.update(Receivable, event.args["receivableId"], state=ReceivableState.CLOSED, state_since=event.timestamp)


def _hold(books: Batch, event: Event, note_id: str, kind: str) -> None:
    books.insert(
        NoteHold,
        id=f"{event.block_number}:{event.log_index}",
        note_id=note_id,
        kind=kind,
        reason=hex32(event.args["reason"]),
        ordered_at=event.timestamp,
    )


def _frozen(books: Batch, event: Event) -> None:
    note_id, frozen = hex32(event.args["tokenId"]), event.args["frozenStatus"]
    books.update(Note, note_id, frozen=frozen)
    _hold(books, event, note_id, "frozen" if frozen else "released")


def _forced_transfer(books: Batch, event: Event) -> None:
    args = event.args
    parent = books.require(Note, hex32(args["tokenId"]))
    _child(
        books,
        event,
        parent["id"],
        id=hex32(args["noteId"]),
        child_index=parent["children"],
        evidence=hex32(args["reason"]),
        holder=args["to"],
        original_minor=parent["amount_minor"],
        offer_until=0,
        state=NoteState.HELD,
    )
    _hold(books, event, parent["id"], "moved")


HANDLERS: dict[str, Handler[Event]] = {
    "Receivables.Issued": _issued,
    "Receivables.Accepted": _accepted,
    "Receivables.Passed": _passed,
    "Receivables.MassPassed": _mass_passed,
    "Receivables.Materialised": _materialised,
    "Receivables.Returned": _returned,
    "Receivables.FinancingLocked": _financing_locked,
    "Receivables.FinancingCompleted": _financing_completed,
    "Receivables.PaymentRecorded": _payment_recorded,
    "Receivables.Settled": _settled,
    "Receivables.Closed": _closed,
    "Receivables.Frozen": _frozen,
    "Receivables.ForcedTransfer": _forced_transfer,
}
