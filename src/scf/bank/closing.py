"""Closing a day at the simulated bank: one statement an account, opening carried on from the last closing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import sqlalchemy as sa
from sqlmodel import Session

from scf.bank import answers
from scf.bank.accounts import Accounts, Booking, accounts, booking_of, bookings, legs
from scf.bank.chaos import Chaos
from scf.bank.mail import closed_day, statements
from scf.standards.bank_records import Statement

_STATEMENTS_PER_FILE = 200


def first_open_day(session: Session, today: date) -> date:
    """The earliest day not yet closed; a new bank begins today."""
    closed = session.execute(sa.select(closed_day.c.day)).scalar_one_or_none()
    if closed is None:
        closed = today - timedelta(days=1)
        session.execute(sa.insert(closed_day).values(id=1, day=closed))
    return closed + timedelta(days=1)


def close_day(session: Session, bic: str, day: date, chaos: Chaos | None) -> list[tuple[str, bytes]]:
    """Close `day` and return its statement files (name, bytes): of accounts that moved or want one every day."""
    session.execute(sa.update(closed_day).values(day=day))
    records = list(_statements(session, bic, day))
    written: list[tuple[str, bytes]] = []
    for start in range(0, len(records), _STATEMENTS_PER_FILE):
        chunk = records[start : start + _STATEMENTS_PER_FILE]
        letter = answers.letter_id(bic, "statements", day, start)
        written.append((f"camt.053-{letter}.xml", answers.statement_file(letter, day, chunk)))
        if chaos is not None and chaos.reissues(letter):
            copy = answers.letter_id(bic, "statement copies", day, start)
            written.append((f"camt.053-{copy}.xml", answers.statement_file(copy, day, chunk, is_copy=True)))
    return written


def lines_of(session: Session, day: date) -> dict[str, list[tuple[Booking, int]]]:
    """Every account's bookings of a day with the amount on that account, in booking order."""
    query = sa.select(bookings, legs.c.account, legs.c.amount_minor).join(legs, legs.c.booking_id == bookings.c.id)
    found: dict[str, list[tuple[Booking, int]]] = {}
    for row in session.execute(query.where(bookings.c.booked_on == day).order_by(bookings.c.id)).mappings():
        found.setdefault(row["account"], []).append((booking_of(row, ()), row["amount_minor"]))
    return found


def _statements(session: Session, bic: str, day: date) -> Iterator[Statement]:
    moved = lines_of(session, day)
    daily = session.execute(sa.select(accounts.c.number).where(accounts.c.daily_statement))
    books = Accounts(session, day, 0)
    numbers = sorted({*moved, *daily.scalars()})
    books.load(numbers)
    latest = _latest_closings(session)
    rows = []
    for number in numbers:
        account = books.need(number)
        if account.is_own:
            continue
        sequence, opening = latest.get(number, (0, 0))
        record = answers.statement(bic, account, day, sequence + 1, opening, moved.get(number, []))
        row = {"account": number, "sequence": sequence + 1, "day": day, "opening_minor": opening}
        rows.append(row | {"closing_minor": record.closing_minor})
        yield record
    if rows:
        session.connection().execute(sa.insert(statements), rows)


def _latest_closings(session: Session) -> dict[str, tuple[int, int]]:
    """Sequence number and closing balance of each account's last statement."""
    last = sa.select(statements.c.account, sa.func.max(statements.c.sequence).label("sequence"))
    ends = last.group_by(statements.c.account).subquery()
    same = sa.and_(statements.c.account == ends.c.account, statements.c.sequence == ends.c.sequence)
    query = sa.select(statements.c.account, statements.c.sequence, statements.c.closing_minor).join(ends, same)
    return {number: (sequence, closing) for number, sequence, closing in session.execute(query).tuples()}
