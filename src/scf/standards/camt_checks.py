"""What a statement says about itself, held against what it holds: counts, sums, balances, and what is told twice.

A count or a sum that the bank wrote and that does not fit refuses the file: an entry was lost, or came twice, on the
way. Banks differ in whether pending and reversed entries count, so every reading that is in use is allowed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lxml import etree

from scf.kernel.money import format_plain
from scf.kernel.problems import Problem
from scf.standards import tree
from scf.standards.bank_records import Balance, Entry, Statement
from scf.standards.records import Notice
from scf.standards.refusals import refusal

_STATUSES: tuple[frozenset[str] | None, ...] = (None, frozenset(("BOOK",)), frozenset(("BOOK", "INFO")))
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)


@dataclass(frozen=True, slots=True)
class Held:
    """One entry as the file holds it: its exact amount without sign, its side, and how many transactions it tells."""

    amount: Decimal
    currency: str
    is_credit: bool
    is_reversal: bool
    status: str
    details: int


def check_summary(record: etree._Element, held: Sequence[Held]) -> None:
    """Refuse a summary that the entries do not bear out.

    Raises Problem `statement_entry_count_differs` or `statement_sum_differs`.
    """
    sides: tuple[tuple[str, bool | None], ...] = (("TtlNtries", None), ("TtlCdtNtries", True), ("TtlDbtNtries", False))
    is_one_currency = len({item.currency for item in held}) <= 1
    for name, is_credit in sides:
        part = record.find(f"TxsSummry/{name}")
        if part is None:
            continue
        chosen = list(_chosen(held, is_credit))
        counts = [Decimal(len(some)) for some in chosen]
        counts += [Decimal(sum(item.details for item in some)) for some in chosen]
        _check(part.find("NbOfNtries"), counts, "statement_entry_count_differs")
        if is_one_currency:
            _check(part.find("Sum"), [_sum(some) for some in chosen], "statement_sum_differs")


def net_notice(record: etree._Element, held: Sequence[Held]) -> Notice | None:
    """A notice where the net total does not fit; banks reckon it in too many ways to refuse the file for it."""
    net = next(
        (i for path in ("TtlNetNtry/Amt", "TtlNetNtryAmt") for i in record.findall(f"TxsSummry/TtlNtries/{path}")), None
    )
    if net is None or len({item.currency for item in held}) > 1:
        return None
    try:
        _check(net, [abs(_net(some)) for some in _chosen(held, None)], "statement_sum_differs")
    except Problem as problem:
        facts = tuple((name, str(problem.facts[name])) for name in ("stated", "found"))
        return Notice("statement_sum_differs", tree.place(net), facts)
    return None


def _chosen(held: Sequence[Held], is_credit: bool | None) -> Iterator[list[Held]]:
    """The entries a bank may mean: of one side or both, with or without what is pending, reversals on either side."""
    for turned in (False, True):
        side = [i for i in held if is_credit is None or (i.is_credit ^ (turned and i.is_reversal)) is is_credit]
        for statuses in _STATUSES:
            yield [item for item in side if statuses is None or item.status in statuses]


def _sum(some: Sequence[Held]) -> Decimal:
    return sum((item.amount for item in some), Decimal(0))


def _net(some: Sequence[Held]) -> Decimal:
    return sum((item.amount if item.is_credit else -item.amount for item in some), Decimal(0))


def _check(element: etree._Element | None, possible: Sequence[Decimal], code: str) -> None:
    if element is None or tree.text_of(element) is None:
        return
    stated = tree.number(element)
    if stated not in possible:
        raise refusal(code, tree.place(element), stated=f"{stated:f}", found=f"{possible[0]:f}")


def opening(balances: Sequence[Balance]) -> int | None:
    """The balance the entries start from: the earliest, where a statement over several days has one for each."""
    return _ends(balances, _OPENING, is_last=False)


def closing(balances: Sequence[Balance]) -> int | None:
    """The balance the entries lead to: the latest."""
    return _ends(balances, _CLOSING, is_last=True)


def _ends(balances: Sequence[Balance], kinds: Sequence[str], *, is_last: bool) -> int | None:
    for kind in kinds:
        found = [item for item in balances if item.kind == kind]
        dated = sorted((item for item in found if item.day), key=lambda item: item.day, reverse=is_last)  # type: ignore[arg-type,return-value]
        if found:
            return (dated or found)[0].amount_minor
    return None


def balances_notice(statement: Statement, place: str) -> Notice | None:
    """A notice with the three figures where opening and booked entries do not give the closing balance."""
    if statement.adds_up is not False:
        return None
    code = next(item.currency for item in statement.balances if item.kind in (*_OPENING, *_CLOSING))
    figures = {
        "opening": statement.opening_minor or 0,
        "booked": statement.booked_minor,
        "closing": statement.closing_minor or 0,
    }
    facts = tuple((name, format_plain(minor, code)) for name, minor in figures.items())
    return Notice("statement_balances_differ", place, (("account", statement.account), *facts))


@dataclass(slots=True)
class Tellings:
    """What one statement said so far, to the letter, so that a second telling is seen."""

    whole: Any = field(default_factory=hashlib.sha256)
    entries: Counter[bytes] = field(default_factory=Counter)

    def hear(self, element: etree._Element, entries: Sequence[Entry]) -> Notice | None:
        """A notice where an entry stands in the statement the second time under one reference of the bank.

        Two like entries without such a reference are two movements that look alike, as fees do.
        """
        digest = hashlib.sha256(_text(element)).digest()
        self.whole.update(digest)
        reference = next((r for entry in entries if (r := entry.bank_transaction_id or entry.uetr)), None)
        if reference is None:
            return None
        self.entries[digest] += 1
        if self.entries[digest] != 2:
            return None
        return Notice("statement_entry_repeated", tree.place(element), (("reference", reference),))

    def digest(self, record: etree._Element) -> bytes:
        """Digest of the statement: of `record`, whose entries were heard and are empty now, and of these."""
        self.whole.update(_text(record))
        return bytes(self.whole.digest())


def told_twice(record: etree._Element) -> Notice:
    """The notice that a statement stands in its file a second time, to the letter."""
    return Notice("statement_repeated", tree.place(record), (("statement", tree.text(record, "Id") or ""),))


def _text(element: etree._Element) -> bytes:
    """What an element says, without the blanks between elements."""
    return b"".join(etree.tostring(element, encoding="utf-8", with_tail=False).split())
