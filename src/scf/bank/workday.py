"""What the simulated bank does inside one transaction: take orders in, judge them, book them, answer them.

Refusals carry ISO 20022 external status reason codes: AC01/AC03 account unknown, AC06 locked, AM03 currency, AM04
funds, AM05 duplicate, AG01 not possible, DT01 date, DT06 moved to another day, FF01 file, MS03 no reason given.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta

import sqlalchemy as sa
from sqlmodel import Session

from scf.bank import answers, closing, mail
from scf.bank.accounts import Account, Accounts, Booking, accounts
from scf.bank.calendar import BankCalendar, business_day_from, execution_day
from scf.bank.chaos import Chaos
from scf.bank.mail import Handling
from scf.kernel.dates import day_of, to_unix
from scf.kernel.problems import Problem
from scf.standards.bank_records import PaymentInstruction, PaymentOrder

OPENS = time(9, 0)
_OLDEST_ORDER_DAYS = 30


@dataclass(frozen=True, slots=True)
class House:
    """The rules of one bank: its BIC, its calendar, when a day's orders end, and what goes wrong on purpose."""

    bic: str
    calendar: BankCalendar
    cut_off: time
    chaos: Chaos | None


class Workday:
    """One day's work of a bank within one database transaction; `now` in unix seconds, `day` in Beijing."""

    def __init__(self, session: Session, house: House, now: int, day: date | None = None) -> None:
        self.session = session
        self.now = now
        self.day = day or max(day_of(now), closing.first_open_day(session, day_of(now)))
        self.books = Accounts(session, self.day, now)
        self._house = house

    def catch_up(self) -> None:
        """Live through the days since the last act, as a bank that never sleeps would have, and begin this one."""
        day = closing.first_open_day(self.session, self.day)
        while day < self.day:
            Workday(self.session, self._house, to_unix(day, OPENS), day).execute_due()
            for name, raw in closing.close_day(self.session, self._house.bic, day, self._house.chaos):
                self._post(name, raw, to_unix(day + timedelta(days=1)))
            day += timedelta(days=1)
            if self._house.chaos is not None:
                Workday(self.session, self._house, to_unix(day, OPENS), day).bounce(day - timedelta(days=1))
        self.execute_due()

    def execute_due(self) -> None:
        """Execute what was waiting for this day."""
        waiting = mail.due(self.session, self.day)
        if waiting:
            booked = self._execute(waiting)
            mail.update(self.session, waiting)
            for message_id, items in mail.grouped(waiting).items():
                self._report(message_id, items, ("executed", self.day))
            self.notify(booked)

    def bounce(self, day: date) -> None:
        """Bring back payments of `day` to other banks that chaos wants back."""
        chaos = self._house.chaos
        own = set(self.session.execute(sa.select(accounts.c.number).where(accounts.c.is_own)).scalars())
        for number, lines in closing.lines_of(self.session, day).items():
            for booking, _ in lines if number in own and chaos is not None else ():
                if booking.kind == "payment" and chaos is not None and chaos.bounces(booking.reference):
                    self.undo(booking.reference, "return", "AC04")

    def take(self, order: PaymentOrder, digest: str) -> None:
        """Take in a payment order. The same message again is only answered again."""
        known = mail.message_of(self.session, order.message_id)
        if known is not None and known["digest"] == digest:
            again = sa.update(mail.files).where(mail.files.c.id == known["answer_file"])
            self.session.execute(again.values(delivered=0))
            return
        if known is not None:
            self.refuse(order.message_id, digest, "AM05", "This message id was used before for another content")
            return
        message = {"message_id": order.message_id, "digest": digest, "received_at": self.now}
        self.session.execute(sa.insert(mail.messages).values(message))
        handled = self._judge(order)
        booked = self._execute([item for item in handled if item.scheduled_on == self.day])
        mail.keep(self.session, handled)
        answer = self._report(order.message_id, handled, ("taken",))
        mine = sa.update(mail.messages).where(mail.messages.c.message_id == order.message_id)
        self.session.execute(mine.values(answer_file=answer))
        self.notify(booked)

    def refuse(self, message_id: str, digest: str, code: str, reason: str) -> None:
        """Answer a message as a whole with a refusal; nothing of it is kept."""
        letter = answers.letter_id(self._house.bic, "refused", message_id, digest)
        whole = (code, reason)
        raw = answers.status_report(letter, self.now, message_id, (), group_status="RJCT", group_reason=whole)
        self._post(f"pain.002-{letter}.xml", raw, self.now)

    def book_once(self, booking: Booking) -> str:
        """Book and notify, once per reference. Raises Problem `bank_reference_reused` for another content under it."""
        known = self.books.booking(booking.reference)
        if known is None:
            self.books.post([booking])
            self.notify([booking])
        elif sorted(known[0].legs) != sorted(booking.legs) or known[0].end_to_end_id != booking.end_to_end_id:
            raise Problem("bank_reference_reused", reference=booking.reference)
        return booking.reference

    def undo(self, reference: str, kind: str, reason: str | None) -> str:
        """Book the opposite of a booking, once. See `SimulatedBank.reverse` and `return_payment`."""
        found = self.books.booking(reference)
        if found is None:
            raise Problem("bank_booking_unknown", reference=reference)
        original = found[0]
        undoing = self.reference(kind, reference)
        done_by = self.books.undone_by(reference)
        if done_by == undoing:
            return undoing
        if done_by is not None or original.undoes is not None:
            raise Problem("bank_booking_undone", reference=reference)
        back = tuple((number, -amount_minor) for number, amount_minor in original.legs)
        for number, amount_minor in back:
            if amount_minor < 0 and self.books.need(number).lock_reference is not None:
                raise Problem("bank_account_locked", account=number)
        booking = replace(original, reference=undoing, kind=kind, legs=back, undoes=reference, reason=reason)
        self.books.post([booking])
        self.notify([booking])
        return undoing

    def settlement(self, code: str) -> str:
        """Number of the bank's own account through which money enters and leaves, opened when first needed."""
        number = f"{self._house.bic}-{code}"
        self.books.open(number, "Settlement", code, is_own=True)
        return number

    def reference(self, kind: str, *about: object) -> str:
        """The bank's own reference (AcctSvcrRef) of a booking: the same whenever the same thing is booked."""
        return answers.letter_id(self._house.bic, f"booking {kind}", *about)

    def notify(self, booked: Sequence[Booking]) -> None:
        """Leave a camt.054 for the customers these bookings touch."""
        if not booked:
            return
        letter = answers.letter_id(self._house.bic, "notification", booked[0].reference)
        self.books.load(number for booking in booked for number, _ in booking.legs)
        holders = {number: self.books.need(number) for booking in booked for number, _ in booking.legs}
        raw = answers.notifications(letter, self.now, self.day, booked, holders)
        if raw is not None:
            self._post(f"camt.054-{letter}.xml", raw, self.now)

    def _judge(self, order: PaymentOrder) -> list[Handling]:
        """Refuse what can be refused at the counter, give the rest a day; funds are looked at on execution."""
        self.books.load(number for item in order.instructions for number in _sides(item))
        before = mail.taken_before(self.session, order.instructions)
        handled = []
        for place, item in enumerate(order.instructions):
            uetr = item.uetr or uetr_of(self._house.bic, order.message_id, item.end_to_end_id)
            one = Handling(order.message_id, place, replace(item, uetr=uetr))
            handled.append(one)
            pair = (item.debtor.account or "", item.end_to_end_id)
            if pair in before:
                one.refuse("AM05", "This end-to-end id was instructed before")
                continue
            self._judge_accounts(one)
            if one.status != "RJCT":
                self._schedule(one)
            if one.status != "RJCT":
                before.add(pair)
        return handled

    def _judge_accounts(self, one: Handling) -> None:
        item = one.instruction
        debtor = self.books.find(item.debtor.account or "")
        creditor = self._creditor(item)
        chaos = self._house.chaos
        if debtor is None or debtor.is_own:
            one.refuse("AC01", "The debtor's account is not one of this bank")
        elif creditor is None and not self._is_elsewhere(item):
            one.refuse("AC03", "The creditor's account is not one of this bank")
        elif creditor is not None and (creditor.is_own or creditor.number == debtor.number):
            one.refuse("AG01", "A payment to this account is not possible")
        elif debtor.currency != item.currency or (creditor is not None and creditor.currency != item.currency):
            one.refuse("AM03", "The account is not in this currency")
        elif not _permitted(debtor, item):
            one.refuse(*_LOCKED)
        elif chaos is not None and chaos.rejects(item.end_to_end_id):
            one.refuse("MS03", "Refused without a reason given")

    def _schedule(self, one: Handling) -> None:
        wanted, calendar, chaos = one.instruction.execute_on, self._house.calendar, self._house.chaos
        if wanted < self.day - timedelta(days=_OLDEST_ORDER_DAYS):
            one.refuse("DT01", "The execution day lies too far in the past")
            return
        try:
            day = execution_day(calendar, wanted, self.day, answers.moment(self.now).time(), self._house.cut_off)
            if chaos is not None and chaos.delays(one.instruction.end_to_end_id):
                day = business_day_from(calendar, day + timedelta(days=1))
            if chaos is not None and chaos.stalls(one.instruction.end_to_end_id):
                day = business_day_from(calendar, day + timedelta(days=chaos.stall_days))
        except Problem as problem:
            one.refuse("DT01", problem.sentence("en"))
            return
        one.status, one.scheduled_on = "PDNG", day
        doubt = "" if calendar.is_published(day) else f" The holidays of {day.year} are not published."
        if day != max(wanted, self.day):
            one.reason_code, one.reason = "DT06", f"To be executed on {day}.{doubt}"
        elif doubt:
            one.reason = doubt.strip()

    def _execute(self, items: Sequence[Handling]) -> list[Booking]:
        """Book what funds and locks allow, in order, and refuse the rest; one instruction never stops another."""
        self.books.load(number for one in items for number in _sides(one.instruction))
        entries: list[Booking] = []
        planned: dict[str, int] = {}
        for one in items:
            item = one.instruction
            debtor = self.books.need(item.debtor.account or "")
            if not _permitted(debtor, item):
                one.refuse(*_LOCKED)
                continue
            if debtor.available_minor + planned.get(debtor.number, 0) < item.amount_minor:
                one.refuse("AM04", "The funds on the account are not sufficient")
                continue
            booking = self._payment(one)
            for number, amount_minor in booking.legs:
                planned[number] = planned.get(number, 0) + amount_minor
            entries.append(booking)
            one.status, one.reason_code, one.booking_reference = "ACSC", None, booking.reference
        self.books.post(entries)
        return entries

    def _payment(self, one: Handling) -> Booking:
        item = one.instruction
        creditor = self._creditor(item)
        receiving = creditor.number if creditor is not None else self.settlement(item.currency)
        return Booking(
            reference=self.reference("payment", one.message_id, one.place, item.end_to_end_id),
            kind="payment",
            legs=((item.debtor.account or "", -item.amount_minor), (receiving, item.amount_minor)),
            debtor=item.debtor.name,
            debtor_account=item.debtor.account,
            creditor=item.creditor.name,
            creditor_account=item.creditor.account,
            end_to_end_id=item.end_to_end_id,
            instruction_id=item.instruction_id,
            payment_information_id=item.payment_information_id,
            uetr=item.uetr,
            remittance=item.remittance[:140],
            structured_reference=item.structured_reference,
        )

    def _is_elsewhere(self, item: PaymentInstruction) -> bool:
        return item.creditor_agent not in (None, "NOTPROVIDED", self._house.bic)

    def _creditor(self, item: PaymentInstruction) -> Account | None:
        return None if self._is_elsewhere(item) else self.books.find(item.creditor.account or "")

    def _report(self, message_id: str, handled: Sequence[Handling], occasion: tuple[object, ...]) -> int:
        letter = answers.letter_id(self._house.bic, "status", message_id, *occasion)
        raw = answers.status_report(letter, self.now, message_id, handled)
        return self._post(f"pain.002-{letter}.xml", raw, self.now)

    def _post(self, name: str, raw: bytes, at: int) -> int:
        chaos = self._house.chaos
        wanted, late = (1, 0) if chaos is None else (chaos.deliveries(name), chaos.seconds_held_back(name))
        return mail.put_file(self.session, name, raw, at, wanted=wanted, late_seconds=late)


_LOCKED = ("AC06", "The account is locked; release reference or payee do not fit the lock")


def uetr_of(*about: object) -> str:
    """A version-4 UUID that is the same whenever the same payment is meant."""
    digest = hashlib.sha256("|".join(str(item) for item in about).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _permitted(debtor: Account, item: PaymentInstruction) -> bool:
    references = {item.structured_reference, *item.remittance.split()}
    return debtor.permits(references, item.creditor.account or "")


def _sides(item: PaymentInstruction) -> tuple[str, str]:
    return item.debtor.account or "", item.creditor.account or ""
