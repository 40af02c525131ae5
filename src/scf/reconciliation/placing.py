"""Placing a fact: which case, or which cases, does it belong to?

By reference first, exactly as written, then normalised; each way takes an answer only when there is one. Where several
cases could be meant the fact stays unplaced and the rivals are listed: a machine settles only what is unique.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scf.reconciliation.facts import (
    SHORTEST_MENTION,
    Fact,
    Kind,
    normalise,
    normalise_account,
    normalise_party,
)
from scf.reconciliation.shelf import Name, Shelf

PLACING_VERSION = 1
EXACT, NORMALISED, MENTIONED = 1000, 950, 900


@dataclass(frozen=True, slots=True)
class Found:
    """Cases found for a fact: the method, how sure (thousandths), and the rivals when nothing could be settled."""

    case_ids: tuple[int, ...]
    method: str
    confidence: int
    rivals: tuple[int, ...] = ()


NOTHING = Found((), "none", 0)


def order_of(fact: Fact) -> str | None:
    """The order a fact belongs to, as it is written; an order belongs to itself."""
    return fact.order_reference or (fact.reference if fact.kind == Kind.ORDER else None)


def wanted(fact: Fact) -> Iterator[tuple[str, str]]:
    """References by which a fact can be placed, as (role, text), the surest first."""
    order = order_of(fact)
    if order:
        yield "order", order
    if fact.kind == Kind.ORDER:
        return
    if fact.kind in (Kind.PAYMENT, Kind.INSTRUCTION):
        if fact.kind == Kind.PAYMENT and fact.end_to_end_id:
            yield "end_to_end", fact.end_to_end_id
        if fact.structured_reference:
            yield "structured", fact.structured_reference
        for reference in fact.invoice_references:
            yield "invoice", reference
    if fact.despatch_reference:
        yield "despatch", fact.despatch_reference
    if fact.kind == Kind.CREDIT_NOTE:
        for reference in fact.invoice_references:
            yield "invoice", reference
    for word in fact.mentions:
        yield "mention", word


def owned(fact: Fact) -> Iterator[tuple[str, str]]:
    """References by which others can find this fact's case."""
    order = order_of(fact)
    if order:
        yield "order", order
    if fact.kind in (Kind.DESPATCH, Kind.DELIVERY):
        for reference in dict.fromkeys((fact.reference, fact.despatch_reference)):
            if reference:
                yield "despatch", reference
    if fact.kind == Kind.INVOICE:
        if fact.reference:
            yield "invoice", fact.reference
        if fact.structured_reference:
            yield "structured", fact.structured_reference
    if fact.kind == Kind.INSTRUCTION and fact.end_to_end_id:
        yield "end_to_end", fact.end_to_end_id


def place(fact: Fact, shelf: Shelf) -> Found:
    """Find the case or cases of a fact among the names on the shelf. An order reference nobody knows finds nothing."""
    best = NOTHING
    for role, group in _by_role(wanted(fact)):
        found = _several(fact, role, group, shelf)
        if found.case_ids:
            return found
        if found.rivals and not best.rivals:
            best = found
        if role == "order":
            return found
    return best


def _by_role(references: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for role, text in references:
        groups.setdefault(role, []).append(text)
    yield from groups.items()


def _several(fact: Fact, role: str, texts: list[str], shelf: Shelf) -> Found:
    """All cases that references of one role lead to; a reference with rivals spoils nothing but itself."""
    cases: dict[int, int] = {}
    rivals: set[int] = set()
    for text in texts:
        found = _one(fact, role, text, shelf)
        for case_id in found.case_ids:
            cases[case_id] = max(cases.get(case_id, 0), found.confidence)
        rivals.update(found.rivals)
    if role == "mention" and len(cases) > 1 and fact.kind != Kind.PAYMENT:
        return Found((), role, 0, tuple(sorted(cases)))
    return Found(tuple(sorted(cases)), role, min(cases.values(), default=0), tuple(sorted(rivals - set(cases))))


def _one(fact: Fact, role: str, text: str, shelf: Shelf) -> Found:
    norm = normalise(text)
    if norm is None or (role == "mention" and len(norm) < SHORTEST_MENTION):
        return NOTHING
    roles: tuple[str, ...] = (
        ("order", "invoice", "structured", "despatch", "end_to_end") if role == "mention" else (role,)
    )
    if role == "structured":
        roles = ("structured", "invoice")
    if role == "invoice":
        roles = ("invoice", "structured", "order")
    names = _agreeing(shelf, fact, [n for r in roles for n in shelf.names.get((r, norm), ()) if n.case_id is not None])
    exact = {n.case_id for n in names if n.raw == text and n.case_id is not None}
    if len(exact) == 1:
        return Found((exact.pop(),), role, MENTIONED if role == "mention" else EXACT)
    alike = exact or {n.case_id for n in names if n.case_id is not None}
    if fact.kind == Kind.ORDER and not exact:
        # Two orders may differ in punctuation only; an order joins a case written differently when that has no order.
        alike = {i for i in alike if i is not None and shelf.cases[i]["reason"] == "UNKNOWN_REFERENCE"}
    if len(alike) == 1:
        return Found((alike.pop(),), role, MENTIONED - 50 if role == "mention" else NORMALISED)
    return Found((), role, 0, tuple(sorted(i for i in alike if i is not None)))


def _payee(fact: Fact, names: list[Name], shelf: Shelf) -> list[Name]:
    """Where several firms use one number, those of the firm, or of the account, that is paid; else of that amount."""
    if len({name.case_id for name in names}) < 2:
        return names
    seller, account = normalise_party(fact.seller), normalise_account(fact.account)
    own = [
        name
        for name in names
        if (seller and name.seller == seller) or (account and shelf.cases[name.case_id or 0].get("account") == account)
    ]
    return own or [n for n in names if shelf.cases[n.case_id or 0].get("open_minor") == fact.amount_minor] or names


def _agreeing(shelf: Shelf, fact: Fact, names: list[Name]) -> list[Name]:
    """The names whose parties agree best with the fact's.

    Parties are written differently from document to document, so a difference counts against a name only when nothing
    speaks for it; two orders, though, are never one when a party differs. A bank line's own words are no proof.
    """
    if not names:
        return names
    if fact.kind == Kind.PAYMENT:
        return _payee(fact, names, shelf)
    buyer, seller = normalise_party(fact.buyer), normalise_party(fact.seller)
    scored: list[tuple[int, Name]] = []
    for name in names:
        pairs = [(a, b) for a, b in ((buyer, name.buyer), (seller, name.seller)) if a and b]
        equal = sum(a == b for a, b in pairs)
        differing = len(pairs) - equal
        if differing and (equal == 0 or fact.kind == Kind.ORDER):
            continue
        scored.append((equal - differing, name))
    best = max((score for score, _ in scored), default=0)
    return [name for score, name in scored if score == best]
