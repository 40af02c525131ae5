"""A month of one firm for its accounts: what its notes did, what money moved and cost, and the VAT of its invoices.

Two accounts, each with opening, movements and closing: `claims` (value of the notes it owns) and `money` (cash through
notes, financing and entrusted accounts). A note counts from the moment its recipient accepted it. All amounts are minor
units, positive when they come in; days are Beijing days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlmodel import Session, col, or_, select

from scf.entrusted.models import EntrustedAccount, Movement, Stage
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.receivables.models import Financing, Note, Payment, Receivable, Settlement
from scf.web.i18n import N_
from scf.web.month_tax import TaxRow

CLAIMS, MONEY = "claims", "money"
ACCOUNTS = {CLAIMS: N_("Notes (claims)"), MONEY: N_("Money")}
KINDS = {
    "accepted": N_("note accepted"),
    "bought": N_("note bought"),
    "passed": N_("note passed on"),
    "sold": N_("note sold"),
    "settled": N_("paid at maturity"),
    "payout": N_("money for a note sold"),
    "locked": N_("money for a note sold, into an entrusted account"),
    "spent": N_("paid from the entrusted account"),
    "returned": N_("entrusted account: paid back to the financier"),
    "stage": N_("received from an entrusted account"),
    "refund": N_("refund from an entrusted account"),
    "interest": N_("late interest received"),
    "paid": N_("payment of a receivable"),
    "paid_interest": N_("late interest paid"),
    "price": N_("price of a note bought"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One movement: on which account, what it was, with whom, about which record; `at` in unix seconds."""

    account: str
    at: int
    kind: str
    other: str
    reference: str
    currency: str
    amount_minor: int

    @property
    def on(self) -> date:
        """The Beijing day it counts for."""
        return day_of(self.at)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One account in one currency over the month: opening + lines = closing."""

    account: str
    currency: str
    opening_minor: int
    lines: tuple[Line, ...]

    @property
    def closing_minor(self) -> int:
        """Where the account stands at the end of the month."""
        return self.opening_minor + sum(line.amount_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class Sums:
    """The four numbers of a month in one currency, and what they are made of. Minor units."""

    currency: str
    vat_in_minor: int
    vat_out_minor: int
    discount_minor: int
    fees_minor: int
    net_cash_minor: int

    @property
    def cost_minor(self) -> int:
        """Discount and fees together."""
        return self.discount_minor + self.fees_minor


@dataclass(frozen=True, slots=True)
class Month:
    """The statement of one firm for one month."""

    firm: str
    first: date
    last: date
    sums: tuple[Sums, ...]
    sheets: tuple[Sheet, ...]
    taxes: tuple[TaxRow, ...]
    complete: bool = True
    """False for the running month."""
    unread: int = field(default=0)
    """Invoices on file that nobody could read again; their VAT is not in the sums."""

    @property
    def name(self) -> str:
        """The month as `2026-01`."""
        return f"{self.first:%Y-%m}"


def month_bounds(name: str) -> tuple[date, date]:
    """First and last day of a month written `2026-01`. Raises Problem `month_unreadable`."""
    try:
        year, _, month = name.partition("-")
        if len(year) != 4 or len(month) != 2 or not (year + month).isascii():
            raise ValueError
        first = date(int(year), int(month), 1)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    except ValueError as error:
        raise Problem("month_unreadable", text=name[:20]) from error
    return first, after - timedelta(days=1)


def month_of(
    session: Session,
    firm: str,
    mine: frozenset[str],
    name_of: Callable[[str], str],
    month: str,
    taxes: tuple[tuple[TaxRow, ...], int],
    today: date,
) -> Month:
    """The statement of the firm behind the addresses `mine`. Raises Problem `month_unreadable`."""
    first, last = month_bounds(month)
    lines = sorted(_lines(session, mine, name_of), key=lambda one: (one.at, one.account, one.reference, one.kind))
    codes = sorted({line.currency for line in lines} | {row.currency for row in taxes[0]}) or ["CNY"]
    sheets = [_sheet(account, code, lines, first, last) for code in codes for account in ACCOUNTS]
    costs = list(_costs(session, mine, first, last))
    sums = tuple(_sums(code, taxes[0], sheets, costs) for code in codes)
    kept = tuple(sheet for sheet in sheets if sheet.lines or sheet.opening_minor or len(codes) == 1)
    return Month(firm, first, last, sums, kept, taxes[0], last < today, taxes[1])


def _sheet(account: str, code: str, lines: list[Line], first: date, last: date) -> Sheet:
    own = [line for line in lines if line.account == account and line.currency == code]
    opening = sum(line.amount_minor for line in own if line.on < first)
    return Sheet(account, code, opening, tuple(line for line in own if first <= line.on <= last))


def _sums(code: str, taxes: Iterable[TaxRow], sheets: list[Sheet], costs: list[tuple[str, int, int]]) -> Sums:
    rows = [row for row in taxes if row.currency == code]
    money = [line for sheet in sheets if (sheet.account, sheet.currency) == (MONEY, code) for line in sheet.lines]
    return Sums(
        code,
        sum(row.tax_minor for row in rows if row.direction == "in"),
        sum(row.tax_minor for row in rows if row.direction == "out"),
        sum(discount for currency, discount, _ in costs if currency == code),
        sum(fees for currency, _, fees in costs if currency == code),
        sum(line.amount_minor for line in money),
    )


def _costs(session: Session, mine: frozenset[str], first: date, last: date) -> Iterator[tuple[str, int, int]]:
    """Currency, discount and fees of each note the firm sold and was paid for in the month."""
    for row, code in _financings(session, col(Financing.seller).in_(mine)):
        if row.completed_at is not None and first <= day_of(row.completed_at) <= last:
            yield code, row.discount_minor, row.fees_minor


def _lines(session: Session, mine: frozenset[str], name_of: Callable[[str], str]) -> Iterator[Line]:
    yield from _note_lines(session, mine, name_of)
    yield from _financing_lines(session, mine, name_of)
    yield from _settlement_lines(session, mine, name_of)
    yield from _payment_lines(session, mine)
    yield from _entrusted_lines(session, mine, name_of)


def _note_lines(session: Session, mine: frozenset[str], name_of: Callable[[str], str]) -> Iterator[Line]:
    query = (
        select(Note, Receivable.currency)
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(or_(col(Note.holder).in_(mine), col(Note.giver).in_(mine)))
    )
    rows = session.exec(query).all()
    sold = set(session.exec(select(Financing.note_id).where(or_(*_sides(mine)))).all())
    settled = _first_settled(session, [note.id for note, _ in rows if note.accepted_at is None])
    for note, code in rows:
        at = note.accepted_at or (None if note.id in sold else settled.get(note.id))
        if at is None or (note.holder in mine) is (note.giver in mine and note.parent_id is not None):
            continue
        if note.holder in mine:
            kind = "bought" if note.id in sold else "accepted"
            yield Line(CLAIMS, at, kind, name_of(note.giver), note.id, code, note.original_minor)
        elif note.parent_id is not None:
            kind = "sold" if note.id in sold else "passed"
            yield Line(CLAIMS, at, kind, name_of(note.holder), note.id, code, -note.original_minor)


def _first_settled(session: Session, note_ids: list[str]) -> dict[str, int]:
    """When notes that nobody accepted were first paid: by then they count as their holder's."""
    found: dict[str, int] = {}
    for row in session.exec(select(Settlement).where(col(Settlement.note_id).in_(note_ids))):
        found[row.note_id] = min(row.settled_at, found.get(row.note_id, row.settled_at))
    return found


def _sides(mine: frozenset[str]) -> tuple[Any, Any]:
    return col(Financing.seller).in_(mine), col(Financing.financier).in_(mine)


def _financings(session: Session, where: Any) -> Iterable[tuple[Financing, str]]:
    query = select(Financing, Receivable.currency).join(Receivable, col(Receivable.id) == col(Financing.receivable_id))
    return session.exec(query.where(where, col(Financing.completed_at).is_not(None))).all()


def _financing_lines(session: Session, mine: frozenset[str], name_of: Callable[[str], str]) -> Iterator[Line]:
    for row, code in _financings(session, or_(*_sides(mine))):
        at = int(row.completed_at or 0)
        if row.seller in mine:
            kind = "locked" if row.entrusted_account else "payout"
            yield Line(MONEY, at, kind, name_of(row.financier), row.note_id, code, row.net_minor)
        if row.financier in mine:
            yield Line(MONEY, at, "price", name_of(row.seller), row.note_id, code, -row.net_minor)


def _settlement_lines(session: Session, mine: frozenset[str], name_of: Callable[[str], str]) -> Iterator[Line]:
    query = (
        select(Settlement, Receivable.currency, Receivable.obligor)
        .join(Receivable, col(Receivable.id) == col(Settlement.receivable_id))
        .where(col(Settlement.payee).in_(mine))
    )
    for row, code, obligor in session.exec(query):
        payer, at, note = name_of(obligor), row.settled_at, row.note_id
        yield Line(CLAIMS, at, "settled", payer, note, code, -row.principal_minor)
        yield Line(MONEY, at, "settled", payer, note, code, row.principal_minor)
        if row.interest_minor:
            yield Line(MONEY, at, "interest", payer, note, code, row.interest_minor)


def _payment_lines(session: Session, mine: frozenset[str]) -> Iterator[Line]:
    query = (
        select(Payment, Receivable.currency)
        .join(Receivable, col(Receivable.id) == col(Payment.receivable_id))
        .where(col(Receivable.obligor).in_(mine))
    )
    for row, code in session.exec(query):
        reference = f"{row.receivable_id}/{row.round}"
        yield Line(MONEY, row.paid_at, "paid", "", reference, code, -row.principal_minor)
        if row.interest_minor:
            yield Line(MONEY, row.paid_at, "paid_interest", "", reference, code, -row.interest_minor)


def _entrusted_lines(session: Session, mine: frozenset[str], name_of: Callable[[str], str]) -> Iterator[Line]:
    """Money that left entrusted accounts: to the firm as payee, for it as beneficiary, back to it as payer."""
    query = (
        select(Movement, EntrustedAccount, Stage.payee)
        .join(EntrustedAccount, col(EntrustedAccount.id) == col(Movement.account_id))
        .join(Stage, (col(Stage.account_id) == col(Movement.account_id)) & (col(Stage.stage) == col(Movement.stage)))
        .where(
            or_(
                col(Stage.payee).in_(mine),
                col(EntrustedAccount.beneficiary).in_(mine),
                col(EntrustedAccount.payer).in_(mine),
            )
        )
    )
    for row, account, payee in session.exec(query):
        reference, code, at = f"{row.account_id}/{row.stage + 1}", account.currency, row.executed_at
        refund = row.kind == "refund"
        if account.beneficiary in mine:
            kind, other = ("returned", account.payer) if refund else ("spent", payee)
            yield Line(MONEY, at, kind, name_of(other), reference, code, -row.amount_minor)
        if refund and account.payer in mine:
            yield Line(MONEY, at, "refund", name_of(account.beneficiary), reference, code, row.amount_minor)
        if not refund and payee in mine:
            yield Line(MONEY, at, "stage", name_of(account.payer), reference, code, row.amount_minor)
