"""Receivables and notes: what their events change, with lineage, limits and conservation checked at every event."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .financing_book import financing_completed, financing_locked
from .hashing import keccak
from .limits_book import give_back, owe, pay, sell
from .note_tree import change, offer_ok, parts, put, require, spend
from .register import (
    FINANCED,
    FROZEN,
    LEAF,
    LOCKED,
    MASS,
    MOVED,
    OBLIGOR,
    OFFERED,
    PENDING,
    Event,
    Note,
    Receivable,
    Register,
    name_of,
)
from .settlement import closed, payment_recorded, settled, settlement_held

LAPSED = 3
_HOUR = 3600


def apply(register: Register, event: Event) -> None:
    """Change the register by one event of `Receivables`, then see that nothing was lost or made."""
    receivable = _HANDLERS[event.name](register, event)
    check = register.report.check("conservation")
    check.count()
    sums = receivable.sums
    total = sums["held"] + sums["offered"] + sums["locked"] + sums["settled"]
    face = 0 if receivable.cancelled else receivable.face
    if total != face or min(sums.values()) < 0:
        check.fail("not_conserved", f"{event.record} receivable {receivable.id}", face, sums)


def _issued(register: Register, event: Event) -> Receivable:
    args, check = event.args, register.report.check("terms")
    check.count()
    obligor = register.members.get(args["obligor"])
    require(
        check,
        "not_allowed",
        event,
        register.is_good(args["obligor"], OBLIGOR),
        "an obligor in good standing",
        args["obligor"],
    )
    require(check, "halted", event, not register.is_halted(args["obligor"]), "not halted", args["obligor"])
    require(
        check, "not_allowed", event, register.is_good(args["creditor"]), "a member in good standing", args["creditor"]
    )
    receivable = Receivable(
        id=args["receivableId"],
        obligor=args["obligor"],
        creditor=args["creditor"],
        face=args["face"],
        currency=args["currency"],
        maturity=args["maturity"],
        max_tier=args["maxTier"],
        min_amount=args["minAmount"],
        fingerprint=args["fingerprint"],
        outstanding=args["face"],
        issued_hour=event.timestamp // _HOUR,
    )
    sound = (
        args["creditor"] != args["obligor"]
        and args["minAmount"] <= args["face"]
        and args["face"] > 0
        and args["maturity"] > event.timestamp
        and 1 <= args["maxTier"] <= 250
        and offer_ok(receivable, args["offerUntil"], event)
    )
    require(check, "terms", event, sound, "terms the contract allows", args["face"])
    require(
        check,
        "receivable_id",
        event,
        receivable.id == len(register.receivables) + 1,
        len(register.receivables) + 1,
        receivable.id,
    )
    earlier = register.fingerprints.get(args["fingerprint"])
    if earlier is not None and not register.receivables[earlier].cancelled:
        check.fail("fingerprint_twice", event.record, f"receivable {earlier}", args["fingerprint"])
    register.fingerprints[args["fingerprint"]] = receivable.id
    if obligor is not None:
        owe(register, event, obligor, receivable)
    register.receivables[receivable.id] = receivable
    root = Note(
        args["noteId"], receivable.id, 0, 0, args["creditor"], args["face"], 1, OFFERED, until=args["offerUntil"]
    )
    put(register, receivable, root, args["noteId"], args["document"], event)
    return receivable


def _accepted(register: Register, event: Event) -> Receivable:
    receivable, note = parts(register, event.args["noteId"])
    check = register.report.check("notes")
    check.count()
    require(
        check, "not_offered", event, note.flags & (OFFERED | LOCKED | FROZEN) == OFFERED, "an open offer", note.flags
    )
    require(check, "offer_closed", event, event.timestamp < note.until, f"before {note.until}", event.timestamp)
    require(check, "other_holder", event, event.args["holder"] == note.holder, note.holder, event.args["holder"])
    require(check, "not_allowed", event, register.is_good(note.holder), "a member in good standing", note.holder)
    if note.parent == 0:
        receivable.accepted = True
    require(check, "not_open", event, receivable.is_open, "an open receivable", receivable.id)
    change(receivable, note, flags=note.flags & ~PENDING)
    return receivable


def _passed(register: Register, event: Event) -> Receivable:
    args, check = event.args, register.report.check("notes")
    receivable, giver = spend(register, event, args["parentId"], args["amount"], args["childIndex"], capped=True)
    to_self = args["to"] == giver.holder
    require(check, "not_allowed", event, register.is_good(args["to"]), "a member in good standing", args["to"])
    if giver.flags & FINANCED:
        other_house = register.organisation(args["to"]) != register.organisation(giver.holder)
        require(check, "not_independent", event, other_house, "another organisation", args["to"])
    sound = args["offerUntil"] == 0 if to_self else offer_ok(receivable, args["offerUntil"], event)
    require(check, "bad_offer", event, sound, "a whole hour ahead, not after maturity", args["offerUntil"])
    child = Note(
        args["noteId"], receivable.id, giver.id, args["childIndex"], args["to"], args["amount"], giver.tier + 1,
        0 if to_self else OFFERED, until=args["offerUntil"],
    )  # fmt: skip
    put(register, receivable, child, args["noteId"], args["evidence"], event)
    return receivable


def _mass_passed(register: Register, event: Event) -> Receivable:
    args, amount = event.args, event.args["root"] & (2**64 - 1)
    receivable, giver = spend(register, event, args["parentId"], amount, args["childIndex"], capped=True)
    check = register.report.check("notes")
    require(check, "not_movable", event, not giver.flags & FINANCED, "a note nobody bought", giver.flags)
    require(
        check,
        "bad_offer",
        event,
        offer_ok(receivable, args["offerUntil"], event),
        "a whole hour ahead",
        args["offerUntil"],
    )
    require(check, "bad_tree", event, 1 <= args["count"] <= 2**17, "1 to 131072 leaves", args["count"])
    mass = Note(
        args["massId"], receivable.id, giver.id, args["childIndex"], giver.holder, amount, giver.tier + 1, MASS,
        until=args["offerUntil"], mass_root=args["root"], mass_count=args["count"],
    )  # fmt: skip
    put(register, receivable, mass, args["massId"], args["evidence"], event)
    return receivable


def _materialised(register: Register, event: Event) -> Receivable:
    args, check = event.args, register.report.check("notes")
    receivable, mass = parts(register, args["massId"])
    check.count()
    require(check, "not_movable", event, mass.flags == MASS, "an open mass pass", mass.flags)
    require(check, "offer_closed", event, event.timestamp < mass.until, f"before {mass.until}", event.timestamp)
    require(check, "overspent", event, args["amount"] <= mass.amount, f"<= {mass.amount}", args["amount"])
    require(
        check,
        "too_small",
        event,
        args["amount"] >= max(1, receivable.min_amount),
        f">= {receivable.min_amount}",
        args["amount"],
    )
    require(check, "not_allowed", event, register.is_good(args["to"]), "a member in good standing", args["to"])
    change(receivable, mass, amount=mass.amount - args["amount"])
    evidence = keccak(mass.mass_root.to_bytes(32, "big") + args["leaf"].to_bytes(32, "big"))
    leaf = Note(args["noteId"], receivable.id, mass.id, args["leaf"], args["to"], args["amount"], mass.tier, LEAF)
    put(register, receivable, leaf, args["noteId"], evidence, event)
    return receivable


def _returned(register: Register, event: Event) -> Receivable:
    args, check = event.args, register.report.check("notes")
    receivable, note = parts(register, args["noteId"])
    check.count()
    require(
        check,
        "not_movable",
        event,
        bool(note.flags & PENDING) and not note.flags & FROZEN,
        "a pending note",
        note.flags,
    )
    require(
        check, "other_parent", event, args["parentId"] == note.parent, name_of(note.parent), name_of(args["parentId"])
    )
    require(check, "other_amount", event, args["amount"] == note.amount > 0, note.amount, args["amount"])
    if args["cause"] == LAPSED:
        require(check, "offer_open", event, event.timestamp >= note.until, f"from {note.until}", event.timestamp)
    amount = note.amount
    sell(register, note, receivable, amount)
    change(receivable, note, amount=0, flags=0)
    if note.parent == 0:
        receivable.cancelled, receivable.outstanding = True, 0
        pay(register.members[receivable.obligor], receivable, amount)
        return receivable
    parent = register.notes[note.parent]
    if receivable.rounds:
        if parent.amount == 0:
            parent.settled_rounds = note.settled_rounds
        require(
            check,
            "unequally_settled",
            event,
            parent.settled_rounds == note.settled_rounds,
            parent.settled_rounds,
            note.settled_rounds,
        )
    change(receivable, parent, amount=parent.amount + amount)
    give_back(register, parent, receivable, amount)
    return receivable


def _frozen(register: Register, event: Event) -> Receivable:
    receivable, note = parts(register, event.args["tokenId"])
    check = register.report.check("notes")
    check.count()
    require(check, "other_holder", event, event.args["account"] == note.holder, note.holder, event.args["account"])
    frozen = event.args["frozenStatus"]
    change(receivable, note, flags=note.flags | FROZEN if frozen else note.flags & ~FROZEN)
    return receivable


def _forced(register: Register, event: Event) -> Receivable:
    args, check = event.args, register.report.check("notes")
    receivable, note = parts(register, args["tokenId"])
    check.count()
    require(check, "not_movable", event, not note.flags & PENDING and note.amount > 0, "a note in hand", note.flags)
    require(check, "other_holder", event, args["from"] == note.holder, note.holder, args["from"])
    require(
        check,
        "not_allowed",
        event,
        register.is_good(args["to"]) and args["to"] != note.holder,
        "another member",
        args["to"],
    )
    child = Note(args["noteId"], receivable.id, note.id, note.children, args["to"], note.amount, note.tier + 1, 0)
    if receivable.rounds:
        child.flags, child.settled_rounds = MOVED, note.settled_rounds
        child.moved_from = note.moved_from if note.flags & MOVED else note.id
    sell(register, note, receivable, note.amount)
    change(receivable, note, amount=0)
    note.children += 1
    put(register, receivable, child, args["noteId"], args["reason"], event)
    return receivable


def check_sums(register: Register) -> None:
    """At the end, add up every tree afresh: held + offered + locked + settled = face, and what is held is owed."""
    check = register.report.check("conservation")
    check.ran = True  # also where there is no receivable yet
    for receivable in register.receivables.values():
        check.count()
        fresh = {"held": 0, "offered": 0, "locked": 0, "settled": receivable.sums["settled"]}
        for id_ in receivable.notes:
            note = register.notes[id_]
            fresh[note.bucket] += note.amount
        face = 0 if receivable.cancelled else receivable.face
        if fresh != receivable.sums or sum(fresh.values()) != face:
            check.fail("not_conserved", f"receivable {receivable.id}", face, fresh)
        if receivable.sums["settled"] > receivable.paid:
            check.fail(
                "settled_unpaid", f"receivable {receivable.id}", f"<= {receivable.paid}", receivable.sums["settled"]
            )
        if not receivable.cancelled and receivable.outstanding + receivable.paid != receivable.face:
            check.fail(
                "not_conserved",
                f"receivable {receivable.id}",
                receivable.face,
                receivable.outstanding + receivable.paid,
            )


_HANDLERS: Mapping[str, Callable[[Register, Event], Receivable]] = {
    "Issued": _issued,
    "Accepted": _accepted,
    "Passed": _passed,
    "Returned": _returned,
    "MassPassed": _mass_passed,
    "Materialised": _materialised,
    "FinancingLocked": financing_locked,
    "FinancingCompleted": financing_completed,
    "PaymentRecorded": payment_recorded,
    "Settled": settled,
    "SettlementHeld": settlement_held,
    "Closed": closed,
    "Frozen": _frozen,
    "ForcedTransfer": _forced,
}
