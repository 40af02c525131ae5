"""A bank in one database: takes pain.001, keeps real double-entry accounts, answers with pain.002 and camt files.

It behaves like the counterparty it stands for: cut-off times and holidays, refusals with ISO reason codes, locked
accounts, returns and reversals, statements whose balances add up. A message or instruction that comes twice is executed
once. Every act is one transaction together with the files it causes; after `kill -9` the next call goes on from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import time
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session

from scf.bank import mail
from scf.bank.accounts import METADATA, Accounts, Booking
from scf.bank.calendar import BankCalendar, ChinaCalendar
from scf.bank.chaos import Chaos
from scf.bank.workday import House, Workday, uetr_of
from scf.kernel.clock import Clock
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.standards import pain
from scf.standards.bank_records import PaymentOrder
from scf.store.session import reading, run

T = TypeVar("T")
CUT_OFF = time(17, 0)
_LONGEST_REFERENCE = 35
_LONGEST_ACCOUNT = 34
_UETR_CHARACTERS = 36


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file the bank has for its customer; `id` acknowledges it."""

    id: int
    name: str
    raw: bytes


def account_number_of(key: str) -> str:
    """A made-up account number of 18 digits for `key`, the same every time, the last digit a check digit (Luhn)."""
    body = f"62{int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], 'big') % 10**15:015d}"
    doubled = [int(char) * (2 - place % 2) for place, char in enumerate(reversed(body))]
    return f"{body}{-sum(value // 10 + value % 10 for value in doubled) % 10}"


class SimulatedBank:
    """One bank with its customers. Safe for several threads and processes: each act is one write transaction."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        bic: str = "SIMBCNBJXXX",
        calendar: BankCalendar | None = None,
        cut_off: time = CUT_OFF,
        chaos: Chaos | None = None,
    ) -> None:
        self.bic = bic
        self._engine = engine
        self._clock = clock
        self._house = House(bic, calendar or ChinaCalendar(beyond="weekdays"), cut_off, chaos)
        METADATA.create_all(engine)

    # Counter and back office

    def open_account(
        self, number: str, holder: str, currency: str, *, overdraft_minor: int = 0, daily_statement: bool = False
    ) -> None:
        """Open an empty account; again changes nothing. Raises Problem `bank_account_exists`, `unknown_currency`.

        `daily_statement` asks for a statement on every calendar day, not only on days with movements.
        """
        self._write(
            lambda work: work.books.open(
                number, holder, currency, overdraft_minor=overdraft_minor, daily_statement=daily_statement
            )
        )

    def open_accounts(self, wanted: Iterable[tuple[str, str, str]]) -> None:
        """Open many accounts (number, holder, currency) in one transaction."""
        listed = list(wanted)
        self._write(lambda work: [work.books.open(*one) for one in listed])

    def deposit(
        self,
        number: str,
        amount_minor: int,
        *,
        reference: str,
        debtor: str = "Cash",
        debtor_account: str | None = None,
        end_to_end_id: str | None = None,
        remittance: str = "",
        structured_reference: str | None = None,
    ) -> str:
        """Money from outside: cash over the counter or a payment from another bank, through the settlement account.

        The same `reference` again books nothing. Returns the bank's own reference. Raises Problem
        `bank_account_unknown`, `bank_reference_reused`, `bank_amount_not_positive`.
        """
        if amount_minor <= 0:
            raise Problem("bank_amount_not_positive", amount_minor=amount_minor)

        def act(work: Workday) -> str:
            account = work.books.need(number)
            booking = Booking(
                reference=work.reference("deposit", reference),
                kind="deposit",
                legs=((work.settlement(account.currency), -amount_minor), (number, amount_minor)),
                debtor=debtor,
                debtor_account=debtor_account,
                creditor=account.holder,
                creditor_account=number,
                end_to_end_id=end_to_end_id,
                uetr=uetr_of(self.bic, "deposit", reference),
                remittance=remittance,
                structured_reference=structured_reference,
            )
            return work.book_once(booking)

        return self._write(act)

    def lock_account(self, number: str, reference: str, payees: Collection[str] | None = None) -> None:
        """Lock an account: debits only by instructions naming `reference`, and only to `payees` where given.

        An instruction names the reference as its structured reference or as a word of its remittance text.
        """
        self._write(lambda work: work.books.lock(number, reference, payees))

    def unlock_account(self, number: str, reference: str) -> None:
        """End a lock by its own reference. Raises Problem `bank_account_locked` for another."""
        self._write(lambda work: work.books.unlock(number, reference))

    def hold(self, number: str, amount_minor: int, reference: str) -> None:
        """Set money aside on an account. Raises Problem `bank_funds_insufficient`, `bank_reference_reused`."""
        self._write(lambda work: work.books.hold(number, amount_minor, reference))

    def release_hold(self, reference: str) -> None:
        """Give money set aside back to its account. Raises Problem `bank_booking_unknown`."""
        self._write(lambda work: work.books.release_hold(reference))

    def reverse(self, bank_reference: str) -> str:
        """Undo a booking the bank made in error; again returns the same reversal.

        Raises Problem `bank_booking_unknown`, `bank_booking_undone`, `bank_funds_insufficient`, `bank_account_locked`
        when it would debit a locked account.
        """
        return self._write(lambda work: work.undo(bank_reference, "reversal", None))

    def return_payment(self, bank_reference: str, reason: str = "AC04") -> str:
        """Bring back a payment that the other bank could not credit; `reason` is an ISO return reason."""
        return self._write(lambda work: work.undo(bank_reference, "return", reason))

    def balance_minor(self, number: str) -> int:
        """Booked balance now. Raises Problem `bank_account_unknown`."""
        return self._read(lambda books: books.need(number).balance_minor)

    def is_locked(self, number: str) -> bool:
        """Whether the account is locked. Raises Problem `bank_account_unknown`."""
        return self._read(lambda books: books.need(number).lock_reference is not None)

    def faults(self) -> list[str]:
        """What is wrong with the bank's own books; empty in a sound bank."""
        return self._read(lambda books: books.faults())

    # Files

    def receive(self, raw: bytes) -> None:
        """Take in a pain.001 file. Whatever the file says, the answer is among `files`, never an exception."""
        digest = hashlib.sha256(raw).hexdigest()
        try:
            order = pain.read_001(raw)
        except Problem as problem:
            sentence = problem.sentence("en")
            self._write(lambda work: work.refuse("NOTPROVIDED", digest, "FF01", sentence))
            return
        if _too_long(order):
            name = order.message_id[:_LONGEST_REFERENCE]
            self._write(lambda work: work.refuse(name, digest, "FF01", "A reference or account number is too long"))
            return
        self._write(lambda work: work.take(order, digest))

    def tick(self) -> None:
        """Do what time asks for: execute instructions that are due, close days that are over with their statements."""
        self._write(lambda work: None)

    def files(self) -> list[OutgoingFile]:
        """Files waiting to be collected, each until it was acknowledged as often as it is to be delivered."""
        table, chaos = mail.files, self._house.chaos
        waiting = sa.select(table).where(table.c.delivered < table.c.wanted, table.c.not_before <= self._clock.now())
        with reading(self._engine) as session:
            rows = list(session.execute(waiting.order_by(table.c.id)).mappings())
        if chaos is not None:
            rows.sort(key=lambda row: chaos.place(row["id"], row["delivered"]))
        return [OutgoingFile(row["id"], row["name"], row["raw"]) for row in rows]

    def acknowledge(self, file_id: int) -> None:
        """The customer has this file."""
        table = mail.files
        mine = sa.update(table).where(table.c.id == file_id, table.c.delivered < table.c.wanted)
        run(self._engine, lambda session: session.execute(mine.values(delivered=table.c.delivered + 1)))

    def _write(self, act: Callable[[Workday], T]) -> T:
        def work(session: Session) -> T:
            workday = Workday(session, self._house, self._clock.now())
            workday.catch_up()
            return act(workday)

        return run(self._engine, work)

    def _read(self, question: Callable[[Accounts], T]) -> T:
        now = self._clock.now()
        with reading(self._engine) as session:
            return question(Accounts(session, day_of(now), now))


def _too_long(order: PaymentOrder) -> bool:
    references = [order.message_id]
    accounts: list[str] = []
    for item in order.instructions:
        own = (item.end_to_end_id, item.instruction_id, item.payment_information_id, item.structured_reference)
        references += [name for name in (*own, item.creditor_agent) if name is not None]
        accounts += [item.debtor.account or "", item.creditor.account or ""]
    return (
        max(map(len, references)) > _LONGEST_REFERENCE
        or max(map(len, accounts)) > _LONGEST_ACCOUNT
        or any(len(item.uetr or "") > _UETR_CHARACTERS for item in order.instructions)
    )
