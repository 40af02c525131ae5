"""The simulated bank's accounts: double entry, one database transaction a booking, nothing ever overdrawn unnoticed.

Each booking is a set of legs that sum to zero; a customer's balance may fall to its overdraft limit less what is held,
which the database itself enforces. A locked account is debited only by an instruction that names the lock's release
reference, and only to the payees agreed when it was locked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session

from scf.kernel.money import currency
from scf.kernel.problems import Problem
from scf.store.engine import BIG

METADATA = sa.MetaData()
"""Tables of the simulated bank; they live in a database of its own, apart from the platform's."""

accounts = sa.Table(
    "sim_account",
    METADATA,
    sa.Column("number", sa.String(34), primary_key=True),
    sa.Column("holder", sa.String(140), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("is_own", sa.Boolean, nullable=False),
    sa.Column("balance_minor", BIG, nullable=False),
    sa.Column("held_minor", BIG, nullable=False),
    sa.Column("overdraft_minor", BIG, nullable=False),
    sa.Column("lock_reference", sa.String(35)),
    sa.Column("payees", sa.Text),
    sa.Column("daily_statement", sa.Boolean, nullable=False),
    sa.Column("opened_at", BIG, nullable=False),
    sa.Column("closed_at", BIG),
    sa.CheckConstraint("held_minor >= 0 AND overdraft_minor >= 0", name="sim_account_signs"),
    sa.CheckConstraint("is_own OR balance_minor + overdraft_minor >= held_minor", name="sim_account_covered"),
)
bookings = sa.Table(
    "sim_booking",
    METADATA,
    sa.Column("id", BIG, primary_key=True),
    sa.Column("reference", sa.String(35), nullable=False, unique=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("booked_on", sa.Date, nullable=False, index=True),
    sa.Column("booked_at", BIG, nullable=False),
    sa.Column("end_to_end_id", sa.String(35)),
    sa.Column("instruction_id", sa.String(35)),
    sa.Column("payment_information_id", sa.String(35)),
    sa.Column("uetr", sa.String(36)),
    sa.Column("remittance", sa.String(140), nullable=False),
    sa.Column("structured_reference", sa.String(35)),
    sa.Column("debtor", sa.String(140), nullable=False),
    sa.Column("debtor_account", sa.String(34)),
    sa.Column("creditor", sa.String(140), nullable=False),
    sa.Column("creditor_account", sa.String(34)),
    sa.Column("undoes", sa.String(35), unique=True),
    sa.Column("reason", sa.String(4)),
)
legs = sa.Table(
    "sim_leg",
    METADATA,
    sa.Column("booking_id", BIG, sa.ForeignKey("sim_booking.id"), primary_key=True),
    sa.Column("account", sa.String(34), sa.ForeignKey("sim_account.number"), primary_key=True),
    sa.Column("booked_on", sa.Date, nullable=False),
    sa.Column("amount_minor", BIG, nullable=False),
    sa.CheckConstraint("amount_minor <> 0", name="sim_leg_amount"),
    sa.Index("ix_sim_leg_day", "account", "booked_on"),
)
holds = sa.Table(
    "sim_hold",
    METADATA,
    sa.Column("reference", sa.String(35), primary_key=True),
    sa.Column("account", sa.String(34), sa.ForeignKey("sim_account.number"), nullable=False),
    sa.Column("amount_minor", BIG, nullable=False),
    sa.Column("released_at", BIG),
    sa.CheckConstraint("amount_minor > 0", name="sim_hold_amount"),
)


@dataclass(slots=True)
class Account:
    """An account as it stands in this transaction; amounts in minor units, customer's credit positive."""

    number: str
    holder: str
    currency: str
    is_own: bool
    balance_minor: int
    held_minor: int
    overdraft_minor: int
    lock_reference: str | None
    payees: frozenset[str] | None
    daily_statement: bool
    closed_at: int | None

    @property
    def available_minor(self) -> int:
        """What can be debited now, locks aside."""
        return self.balance_minor + self.overdraft_minor - self.held_minor

    def permits(self, references: Collection[str | None], creditor_account: str) -> bool:
        """Whether a debit naming `references` to this creditor is allowed by the lock; True where there is none."""
        if self.lock_reference is None:
            return True
        return self.lock_reference in references and (self.payees is None or creditor_account in self.payees)


@dataclass(frozen=True, slots=True)
class Booking:
    """One booking: legs (account, signed minor units) that sum to zero, and what its notifications say."""

    reference: str
    kind: str
    legs: tuple[tuple[str, int], ...]
    debtor: str
    creditor: str
    debtor_account: str | None = None
    creditor_account: str | None = None
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    payment_information_id: str | None = None
    uetr: str | None = None
    remittance: str = ""
    structured_reference: str | None = None
    undoes: str | None = None
    reason: str | None = None


class Accounts:
    """The accounts of one bank inside one database transaction."""

    def __init__(self, session: Session, booked_on: date, booked_at: int) -> None:
        self._session = session
        self._booked_on = booked_on
        self._booked_at = booked_at
        self._loaded: dict[str, Account] = {}

    def open(
        self,
        number: str,
        holder: str,
        code: str,
        *,
        is_own: bool = False,
        overdraft_minor: int = 0,
        daily_statement: bool = False,
    ) -> Account:
        """Open an account, empty. The same opening again changes nothing; another holder or currency is refused.

        Raises Problem `bank_account_exists`, `unknown_currency`.
        """
        known = self.find(number)
        if known is not None:
            if (known.holder, known.currency) != (holder, currency(code).code):
                raise Problem("bank_account_exists", account=number)
            return known
        row = {
            "number": number,
            "holder": holder,
            "currency": currency(code).code,
            "is_own": is_own,
            "balance_minor": 0,
            "held_minor": 0,
            "overdraft_minor": overdraft_minor,
            "lock_reference": None,
            "payees": None,
            "daily_statement": daily_statement,
            "opened_at": self._booked_at,
            "closed_at": None,
        }
        self._session.execute(sa.insert(accounts).values(row))
        return self.need(number)

    def load(self, numbers: Iterable[str]) -> None:
        """Read many accounts at once."""
        missing = sorted({number for number in numbers if number not in self._loaded})
        for start in range(0, len(missing), 500):
            chunk = missing[start : start + 500]
            query = sa.select(accounts).where(accounts.c.number.in_(chunk))
            for row in self._session.execute(query).mappings():
                self._loaded[row["number"]] = _account(row)

    def find(self, number: str) -> Account | None:
        """The account, or None."""
        self.load([number])
        return self._loaded.get(number)

    def need(self, number: str) -> Account:
        """The account. Raises Problem `bank_account_unknown`."""
        found = self.find(number)
        if found is None:
            raise Problem("bank_account_unknown", account=number)
        return found

    def lock(self, number: str, reference: str, payees: Collection[str] | None = None) -> None:
        """Lock an account: from now on only debits naming `reference`, and only to `payees` where given.

        The same lock again changes nothing. Raises Problem `bank_account_locked` under another reference.
        """
        account = self.need(number)
        if account.lock_reference not in (None, reference):
            raise Problem("bank_account_locked", account=number)
        if account.lock_reference == reference:
            return
        text = None if payees is None else json.dumps(sorted(payees))
        self._update(account, lock_reference=reference, payees=text)

    def unlock(self, number: str, reference: str) -> None:
        """End a lock by its own reference. Raises Problem `bank_account_locked` for another reference."""
        account = self.need(number)
        if account.lock_reference not in (None, reference):
            raise Problem("bank_account_locked", account=number)
        self._update(account, lock_reference=None, payees=None)

    def hold(self, number: str, amount_minor: int, reference: str) -> None:
        """Set money aside under `reference`; the same hold again changes nothing.

        Raises Problem `bank_funds_insufficient`, `bank_reference_reused` (another amount under this reference).
        """
        account = self.need(number)
        known = self._session.execute(sa.select(holds).where(holds.c.reference == reference)).mappings().one_or_none()
        if known is not None:
            if (known["account"], known["amount_minor"]) != (number, amount_minor):
                raise Problem("bank_reference_reused", reference=reference)
            return
        if amount_minor > account.available_minor:
            raise Problem("bank_funds_insufficient", account=number)
        row = {"reference": reference, "account": number, "amount_minor": amount_minor}
        self._session.execute(sa.insert(holds).values(row))
        self._update(account, held_minor=account.held_minor + amount_minor)

    def release_hold(self, reference: str) -> None:
        """Give held money back to its account; again changes nothing. Raises Problem `bank_booking_unknown`."""
        row = self._session.execute(sa.select(holds).where(holds.c.reference == reference)).mappings().one_or_none()
        if row is None:
            raise Problem("bank_booking_unknown", reference=reference)
        if row["released_at"] is None:
            account = self.need(row["account"])
            done = sa.update(holds).where(holds.c.reference == reference).values(released_at=self._booked_at)
            self._session.execute(done)
            self._update(account, held_minor=account.held_minor - row["amount_minor"])

    def post(self, entries: Sequence[Booking]) -> None:
        """Book all entries in order, or none.

        Raises Problem `bank_booking_unbalanced` (legs do not sum to zero in one currency), `bank_funds_insufficient`,
        `bank_account_unknown`.
        """
        if not entries:
            return
        self.load(number for entry in entries for number, _ in entry.legs)
        moved: dict[str, int] = {}
        for entry in entries:
            _check_balanced(entry, {self.need(number).currency for number, _ in entry.legs})
            for number, amount_minor in sorted(entry.legs, key=lambda leg: leg[1]):
                account = self.need(number)
                if amount_minor < 0 and not account.is_own and account.available_minor < -amount_minor:
                    raise Problem("bank_funds_insufficient", account=number)
                account.balance_minor += amount_minor
                moved[number] = moved.get(number, 0) + amount_minor
        self._write(entries)
        change = (
            sa.update(accounts)
            .where(accounts.c.number == sa.bindparam("of"))
            .values(balance_minor=accounts.c.balance_minor + sa.bindparam("by"))
        )
        self._session.connection().execute(change, [{"of": number, "by": by} for number, by in moved.items() if by])

    def booking(self, reference: str) -> tuple[Booking, int] | None:
        """The booking under the bank's own reference and its id, or None."""
        row = (
            self._session.execute(sa.select(bookings).where(bookings.c.reference == reference)).mappings().one_or_none()
        )
        if row is None:
            return None
        query = sa.select(legs.c.account, legs.c.amount_minor).where(legs.c.booking_id == row["id"])
        sides = tuple((number, amount) for number, amount in self._session.execute(query).tuples())
        return booking_of(row, sides), int(row["id"])

    def undone_by(self, reference: str) -> str | None:
        """Reference of the return or reversal that undid a booking, or None."""
        found = self._session.execute(sa.select(bookings.c.reference).where(bookings.c.undoes == reference))
        return found.scalar_one_or_none()

    def faults(self) -> list[str]:
        """What is wrong with the books: empty when bookings sum to zero and balances are the sums of their legs."""
        wrong: list[str] = []
        unbalanced = (
            sa.select(legs.c.booking_id).group_by(legs.c.booking_id).having(sa.func.sum(legs.c.amount_minor) != 0)
        )
        wrong += [f"booking {number} does not sum to zero" for number in self._session.execute(unbalanced).scalars()]
        total = sa.func.coalesce(sa.func.sum(legs.c.amount_minor), 0)
        joined = accounts.outerjoin(legs, legs.c.account == accounts.c.number)
        off = sa.select(accounts.c.number).select_from(joined).group_by(accounts.c.number, accounts.c.balance_minor)
        wrong += [
            f"balance of {number} is not the sum of its legs"
            for number in self._session.execute(off.having(accounts.c.balance_minor != total)).scalars()
        ]
        return wrong

    def _update(self, account: Account, **values: object) -> None:
        self._session.execute(sa.update(accounts).where(accounts.c.number == account.number).values(**values))
        self._loaded.pop(account.number)

    def _write(self, entries: Sequence[Booking]) -> None:
        last = self._session.execute(sa.select(sa.func.coalesce(sa.func.max(bookings.c.id), 0))).scalar_one()
        rows = []
        sides = []
        for place, entry in enumerate(entries, start=int(last) + 1):
            names = (column.name for column in bookings.columns if column.name not in ("id", "booked_on", "booked_at"))
            row = {name: getattr(entry, name) for name in names}
            rows.append(row | {"id": place, "booked_on": self._booked_on, "booked_at": self._booked_at})
            for number, amount_minor in entry.legs:
                sides.append(
                    {"booking_id": place, "account": number, "booked_on": self._booked_on, "amount_minor": amount_minor}
                )
        connection = self._session.connection()
        connection.execute(sa.insert(bookings), rows)
        connection.execute(sa.insert(legs), sides)


def booking_of(row: sa.RowMapping, sides: tuple[tuple[str, int], ...]) -> Booking:
    """A booking from its row and legs."""
    names = [name for name in Booking.__slots__ if name != "legs"]
    return Booking(legs=sides, **{name: row[name] for name in names})


def _account(row: sa.RowMapping) -> Account:
    payees = None if row["payees"] is None else frozenset(json.loads(row["payees"]))
    return Account(payees=payees, **{name: row[name] for name in Account.__slots__ if name != "payees"})


def _check_balanced(entry: Booking, currencies: set[str]) -> None:
    distinct = {number for number, _ in entry.legs}
    if (
        sum(amount for _, amount in entry.legs)
        or len(currencies) != 1
        or len(distinct) != len(entry.legs)
        or not distinct
    ):
        raise Problem("bank_booking_unbalanced", reference=entry.reference)
