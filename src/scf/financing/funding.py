"""When the money of a sale has to come: T+1 unless a rule says otherwise, and how long the note waits for it.

The number of business days is data: the parameter of the rule on `business_days_to_payment` in the ruleset in force.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from scf.bank.calendar import BankCalendar, ChinaCalendar, business_day_from
from scf.kernel.clock import Clock, today
from scf.kernel.dates import day_of, next_day, to_unix
from scf.receivables import queries
from scf.receivables.models import Financing, Note, NoteState, Receivable
from scf.rulebook.service import Rulebook

DEFAULT_BUSINESS_DAYS = 1
"""T+1: the bank pays on the business day after the price was taken, where no rule sets another day."""
GRACE_BUSINESS_DAYS = 1
"""The lock outlasts the day of payment by so much: a line booked on that day is told on the next."""
_FACT = "business_days_to_payment"


@dataclass(frozen=True, slots=True)
class Late:
    """A sale whose money did not come on its day; `terms.lock_until` says when the note goes back by itself."""

    terms: Financing
    currency: str
    pay_by: date


def pay_day(taken_on: date, calendar: BankCalendar, days: int) -> date:
    """The `days`th business day after a price was taken; for 0 that day itself, or the next on which banks work."""
    day = business_day_from(calendar, taken_on) if days == 0 else taken_on
    for _ in range(days):
        day = business_day_from(calendar, next_day(day))
    return day


class FundingTerms:
    """The days of payment as the rules in force and the bank's calendar set them."""

    def __init__(self, clock: Clock, rulebook: Rulebook, ruleset: str, calendar: BankCalendar | None = None) -> None:
        self._clock = clock
        self._rulebook = rulebook
        self._ruleset = ruleset
        self.agreed: Callable[[Session, Receivable], int | None] = lambda *_: None
        self.calendar = calendar or ChinaCalendar(beyond="weekdays")

    def days(self) -> int:
        """Business days from taking a price to its payment, by the rule in force today."""
        return self.rule()[1]

    def rule(self) -> tuple[str, int]:
        """The rule on the day of payment in force today ("-" for none) and its business days."""
        for rule in self._rulebook.list(today(self._clock), self._ruleset):
            if rule.parameters.get("fact") == _FACT and "maximum" in rule.parameters:
                return f"{rule.id}, {rule.article.en}", int(rule.parameters["maximum"])
        return "-", DEFAULT_BUSINESS_DAYS

    def days_of(self, session: Session, row: Receivable) -> int:
        """The same for one receivable: its programme may ask for less, never for more than the rule."""
        agreed = self.agreed(session, row)
        return self.days() if agreed is None else min(agreed, self.days())

    def days_of_note(self, session: Session, note_id: str) -> int:
        """The same for the receivable of a note. Raises Problem `unknown_note`."""
        return self.days_of(session, queries.receivable(session, queries.note(session, note_id).receivable_id))

    def usual_day(self, days: int | None = None) -> date:
        """The day on which the money of a price taken today has to come; discount is counted from it."""
        return self.pay_day(today(self._clock), days)

    def pay_day(self, taken_on: date, days: int | None = None) -> date:
        """The day on which the money of a price taken on `taken_on` has to come; `days` as its programme says."""
        return pay_day(taken_on, self.calendar, self.days() if days is None else days)

    def days_waited(self, taken_on: date, paid_on: date) -> int:
        """Business days from taking a price to the day it was paid."""
        count, day = 0, taken_on
        while day < paid_on:
            day = next_day(day)
            count += self.calendar.is_business_day(day)
        return count

    def lock_end(self, last_taken_at: int) -> int:
        """Until when a note waits for its money if the price is taken at its very last moment; unix, whole hours.

        The end of the business day after the day of payment, counted over weekends and holidays.
        """
        last = pay_day(day_of(last_taken_at), self.calendar, self.days() + GRACE_BUSINESS_DAYS)
        return to_unix(next_day(last))

    def late(self, session: Session) -> Sequence[Late]:
        """Sales under way whose day of payment is over and whose note is still locked, the oldest first."""
        rows = session.exec(
            select(Financing, Note, Receivable)
            .join(Note, col(Note.id) == col(Financing.note_id))
            .join(Receivable, col(Receivable.id) == col(Financing.receivable_id))
            .where(Note.state == NoteState.LOCKED, col(Financing.completed_at).is_(None))
            .order_by(col(Note.made_at), col(Note.id))
        )
        now, found = today(self._clock), []
        for terms, note, row in rows:
            due = self.pay_day(day_of(note.made_at), self.days_of(session, row))
            if due < now:
                found.append(Late(terms, row.currency, due))
        return found
