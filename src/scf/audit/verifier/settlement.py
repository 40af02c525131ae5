"""Payments and settlements: each round's shares recomputed, note by note and over all notes together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .limits_book import pay, sell
from .register import BANK, FROZEN, LEAF, PENDING, BankLine, Event, Note, Receivable, Register, Round
from .shares import by_cut, largest_remainder, rank_of, take


def payment_recorded(register: Register, event: Event) -> Receivable:
    """A payment the paying bank attests opens a round."""
    args, check = event.args, register.report.check("settlement")
    receivable = register.receivables[args["receivableId"]]
    check.count()
    obligor = register.members[receivable.obligor]
    if args["bank"] != obligor.paying_bank or not register.is_good(args["bank"], BANK):
        check.fail("other_bank", event.record, obligor.paying_bank, args["bank"])
    if register.organisation(args["bank"]) == obligor.organisation:
        check.fail("not_independent", event.record, "another organisation", args["bank"])
    if not receivable.is_open:
        check.fail("not_open", event.record, "an open receivable", receivable.id)
    if args["round"] != len(receivable.rounds):
        check.fail("round", event.record, len(receivable.rounds), args["round"])
    base = receivable.outstanding
    if args["principal"] > base or not args["principal"] + args["interest"]:
        check.fail("overpaid", event.record, f"<= {base}", args["principal"])
    if (args["principal"] < base or args["interest"]) and event.timestamp < receivable.maturity:
        check.fail("not_matured", event.record, f"from {receivable.maturity}", event.timestamp)
    receivable.outstanding = base - args["principal"]
    receivable.paid += args["principal"]
    was_reported = receivable.overdue_reported and not receivable.outstanding
    pay(obligor, receivable, args["principal"], was_reported=was_reported)
    if args["outstanding"] != receivable.outstanding:
        check.fail("outstanding", event.record, receivable.outstanding, args["outstanding"])
    receivable.rounds.append(
        Round(args["round"], args["principal"], args["interest"], base, base, args["principal"], args["interest"])
    )
    register.use_reference("Receivables", args["bank"], args["bankReference"], event.record)
    amount = args["principal"] + args["interest"]
    register.bank_lines.append(BankLine(event.record, "paid", args["bankReference"], None, amount, receivable.currency))
    return receivable


def check_cuts(register: Register, receivable: Receivable, payment: Mapping[str, Any], record: str) -> None:
    """The cuts the bank signed give every live note the share of the largest remainder."""
    round_ = receivable.rounds[-1]
    round_.cuts = payment
    check = register.report.check("settlement")
    notes = [register.notes[id_] for id_ in receivable.notes if register.notes[id_].amount]
    weights = [(rank_of(note), note.amount) for note in notes]
    check.expect("base", record, round_.base, sum(weight for _, weight in weights) - _unsettled_before(receivable))
    for pot, cut in ((round_.principal, "principal"), (round_.interest, "interest")):
        if not pot or (cut == "principal" and round_.is_full) or _unsettled_before(receivable):
            continue
        exact = largest_remainder(pot, weights)
        for (rank, weight), share in zip(weights, exact, strict=True):
            found = by_cut(weight, pot, round_.base, payment[f"{cut}Cut"], payment[f"{cut}CutNote"], rank)
            check.expect("pro_rata", f"{record} {cut} note 0x{rank:064x}", share, found)


def _unsettled_before(receivable: Receivable) -> int:
    """Principal of earlier rounds that is not yet handed on: it is still in the notes but no longer owed."""
    return sum(round_.principal_left for round_ in receivable.rounds[:-1])


def closed(register: Register, event: Event) -> Receivable:
    """Everything that was owed is paid."""
    receivable = register.receivables[event.args["receivableId"]]
    register.report.check("settlement").expect("outstanding", event.record, 0, receivable.outstanding)
    receivable.closed = True
    return receivable


def outcome(receivable: Receivable, number: int, note: Note) -> str:
    """What settling the note in that round must do: `nothing`, `held` or `settled`."""
    round_ = receivable.rounds[number]
    if note.amount == 0:
        return "nothing"
    if (number or not round_.is_full) and note.settled_rounds > number:
        return "nothing"
    return "held" if note.flags & FROZEN else "settled"


def settled(register: Register, event: Event) -> Receivable:
    """A note got its share; the share is recomputed."""
    args, check = event.args, register.report.check("settlement")
    note = register.notes[args["noteId"]]
    receivable = register.receivables[note.receivable]
    round_ = receivable.rounds[args["round"]]
    check.count()
    payee = register.notes[note.parent].holder if note.flags & PENDING and note.parent else note.holder
    if args["payee"] != payee:
        check.fail("other_holder", event.record, payee, args["payee"])
    if outcome(receivable, args["round"], note) != "settled":
        check.fail("settled_twice", event.record, "not settled in this round", note.settled_rounds)
    if (args["round"] or not round_.is_full) and note.settled_rounds < args["round"]:
        check.fail("earlier_round", event.record, args["round"], note.settled_rounds)
    if round_.cuts is None:
        check.unprovable("no_cuts", event.record)
    else:
        expected = take(round_, note, round_.cuts)
        if expected != (args["principal"], args["interest"]):
            check.fail("share", event.record, expected, (args["principal"], args["interest"]))
    if not round_.is_full:
        note.settled_rounds = args["round"] + 1
    if args["principal"] > note.amount:
        check.fail("overspent", event.record, f"<= {note.amount}", args["principal"])
    sell(register, note, receivable, args["principal"])
    receivable.sums[note.bucket] -= args["principal"]
    receivable.sums["settled"] += args["principal"]
    receivable.interest_settled += args["interest"]
    note.amount -= args["principal"]
    if not note.amount and note.flags & PENDING:
        note.flags = 0
    elif not note.amount and round_.is_full and not note.children and not note.flags & LEAF:
        note.erased = True
    return receivable


def settlement_held(register: Register, event: Event) -> Receivable:
    """A frozen note keeps its share where it is."""
    note = register.notes[event.args["noteId"]]
    register.report.check("settlement").expect("not_frozen", event.record, FROZEN, note.flags & FROZEN)
    return register.receivables[note.receivable]
