"""A simulated year added up again from its files alone: the bank's own statements, the bank's books, and plain SQL.

Nothing of the program is asked: not its tally, not its matching, not its prices. Run on a year kept with `--data`:

    python tests/simulate/adding_up.py DATA
"""

from __future__ import annotations

import json
import sqlite3
import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from eth_utils import keccak

CAPITAL_MINOR = 10**12
YEAR_DAYS, BASIS_DAYS, MILLION = 365, 360, 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a statement, as the bank's file says it."""

    account: str
    day: date
    amount_minor: int


@dataclass(slots=True)
class Added:
    """What did not add up, in the three kinds a year is judged by, and in words."""

    cents: int = 0
    quotes: int = 0
    locked: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    words: list[str] = field(default_factory=list)

    def wrong(self, kind: str, by: int, words: str) -> None:
        """Note a difference of `by`; 0 is none."""
        if by:
            setattr(self, kind, getattr(self, kind) + abs(by))
            self.words.append(words)


class Year:
    """A year's folder."""

    def __init__(self, folder: Path) -> None:
        self.books = sqlite3.connect(f"file:{folder / 'scf.db'}?mode=ro", uri=True)
        self.bank = sqlite3.connect(f"file:{folder / 'bank.db'}?mode=ro", uri=True)
        self.found = Added()
        self.closings: dict[str, dict[date, tuple[int, int]]] = defaultdict(dict)
        self.entries: dict[str, list[Entry]] = defaultdict(list)
        self._read_statements()

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the installation's database."""
        return self.books.execute(query, values).fetchall()

    def _read_statements(self) -> None:
        query = "select raw from evidence join evidence_bytes using (evidence_id) where kind like 'camt.053%'"
        for (raw,) in self.ask(query):
            root = ET.fromstring(raw)
            ns = {"n": root.tag[1:].partition("}")[0]}
            for one in root.iter(f"{{{ns['n']}}}Stmt"):
                self._read_one(one, ns)
        for account, days in self.closings.items():
            last = 0
            for day in sorted(days):
                opening, closing = days[day]
                self.found.wrong("cents", opening - last, f"{account} {day}: opens with {opening}, closed with {last}")
                last = closing

    def _read_one(self, one: ET.Element, ns: dict[str, str]) -> None:
        account = str(one.findtext("n:Acct/n:Id/n:Othr/n:Id", namespaces=ns))
        balances = {str(b.findtext("n:Tp/n:CdOrPrtry/n:Cd", namespaces=ns)): b for b in one.findall("n:Bal", ns)}
        day = date.fromisoformat(str(balances["CLBD"].findtext("n:Dt/n:Dt", namespaces=ns)))
        pair = (_signed(balances["OPBD"], ns), _signed(balances["CLBD"], ns))
        if day in self.closings[account]:  # a copy, or the same day under another id
            told = self.closings[account][day]
            self.found.wrong("cents", int(told != pair), f"{account} {day}: stated as {told} and as {pair}")
            return
        self.closings[account][day] = pair
        total = pair[0]
        for line in one.findall("n:Ntry", ns):
            amount = _signed(line, ns)
            total += amount
            reference = str(line.findtext("n:AcctSvcrRef", namespaces=ns))
            self.entries["0x" + keccak(reference.encode()).hex()].append(Entry(account, day, amount))
        self.found.wrong("cents", total - pair[1], f"{account} {day}: the lines do not lead to the balance")

    # The questions ---------------------------------------------------------------------------------------------------

    def the_bank_itself(self) -> None:
        """Every booking balances, every balance is the sum of its bookings, the last statement says it."""
        for number, total in self.bank.execute("select booking_id, sum(amount_minor) from sim_leg group by 1"):
            self.found.wrong("cents", total, f"booking {number} is out of balance by {total}")
        for number, balance, own in self.bank.execute("select number, balance_minor, is_own from sim_account"):
            self.found.wrong("cents", balance - self.balance(number), f"{number}: balance and bookings differ")
            days = self.closings.get(number)
            if days and not own:
                said = days[max(days)][1]
                self.found.wrong("cents", balance - said, f"{number}: has {balance}, last stated {said}")

    def balance(self, account: str) -> int:
        """Sum of all bookings on an account."""
        query = "select coalesce(sum(amount_minor), 0) from sim_leg where account = ?"
        return int(self.bank.execute(query, (account,)).fetchone()[0])

    def conservation(self) -> None:
        """Held + offered + locked + settled = face; each payment is what was settled and what the bank booked."""
        for number, face, open_, paid in self.ask(
            "select id, face_minor, outstanding_minor, paid_minor from book_receivable"
        ):
            [(carried,)] = self.ask(
                "select sum(amount_minor + settled_minor) from book_note where receivable_id = ?", number
            )
            self.found.wrong("cents", carried - face, f"receivable {number}: {carried} of {face}")
            self.found.wrong("cents", face - paid - open_, f"receivable {number}: {paid} paid, {open_} open of {face}")
        for number, round_, principal, interest, reference in self.ask(
            "select receivable_id, round, principal_minor, interest_minor, bank_reference from book_payment"
        ):
            [parts] = self.ask(
                "select coalesce(sum(principal_minor), 0), coalesce(sum(interest_minor), 0) from book_settlement "
                "where receivable_id = ? and round = ?", number, round_,
            )  # fmt: skip
            missing = abs(parts[0] - principal) + abs(parts[1] - interest)
            self.found.wrong(
                "cents", missing, f"payment {number}/{round_}: {principal} + {interest} settled as {parts}"
            )
            came = sum(one.amount_minor for one in self.entries[reference] if one.amount_minor > 0)
            self.found.wrong("cents", max(0, principal + interest - came), f"payment {number}/{round_}: {came} came in")
            self.found.compared["payments"] += 1

    def accounts(self) -> None:
        """What each firm has at the bank is what the ledger says it paid and got."""
        due: Counter[str] = Counter()
        names = dict(
            self.ask("select m.address, o.name from book_member m join organisation o on o.id = organisation_id")
        )
        numbers = dict(self.ask("select holder, number from bank_account"))
        for address, name in names.items():
            due[address] += CAPITAL_MINOR if name.startswith(("core", "financier")) else 0
        for query, sign in (
            ("select obligor, sum(principal_minor + interest_minor) from book_payment p "
             "join book_receivable r on r.id = p.receivable_id group by 1", -1),
            ("select payee, sum(principal_minor + interest_minor) from book_settlement group by 1", 1),
            ("select financier, sum(net_minor) from book_financing where completed_at is not null "
             "and entrusted_account = 0 group by 1", -1),
            ("select seller, sum(net_minor) from book_financing where completed_at is not null "
             "and entrusted_account = 0 group by 1", 1),
            ("select payer, sum(refunded_minor - locked_minor) from book_entrusted_account group by 1", 1),
            ("select payee, sum(released_minor) from book_stage group by 1", 1),
        ):  # fmt: skip
            for who, minor in self.ask(query):
                due[who] += sign * minor
        for address, name in names.items():
            if name in numbers:
                differs = self.balance(numbers[name]) - due[address]
                self.found.wrong("cents", differs, f"{name}: {differs} more at the bank than on the ledger")
                self.found.compared["accounts"] += 1
        self.found.wrong("cents", self.balance(numbers["Repayment account"]), "the repayment account keeps money")

    def prices(self) -> None:
        """Each quote computed again from amount, rate and days; on the ledger and at the bank the same."""
        shown = {}
        for quote, price, message in self.ask("select quote_hash, price, message from quote_offer"):
            told, signed = json.loads(price), json.loads(message)
            days = (date.fromisoformat(told["due_on"]) - date.fromisoformat(told["funded_on"])).days
            face = told["face_minor"]
            discount = _half_up(Decimal(face * told["rate_ppm"] * days) / (MILLION * BASIS_DAYS))
            fees = sum(fee["amount_minor"] for fee in told["fees"])
            net = face - discount - fees
            apr = _half_up(Decimal((face - net) * YEAR_DAYS * MILLION) / (net * days))
            mine = (face, net, discount, fees, apr)
            said = tuple(told[name] for name in ("face_minor", "net_minor", "discount_minor", "fees_minor", "apr_ppm"))
            written = tuple(signed[name] for name in ("amount", "net", "discount", "fees", "aprPpm"))
            self.found.wrong(
                "quotes", int(not mine == said == written), f"quote {quote[:12]}: {mine}, {said}, {written}"
            )
            shown[quote] = mine
        for quote, *terms, reference, completed in self.ask(
            "select quote_hash, amount_minor, net_minor, discount_minor, fees_minor, apr_ppm, bank_reference, "
            "completed_at from book_financing"
        ):
            self.found.wrong("quotes", int(tuple(terms) != shown[quote]), f"quote {quote[:12]}: on the ledger {terms}")
            if completed is not None:
                paid = {abs(one.amount_minor) for one in self.entries[reference]}
                self.found.wrong(
                    "quotes", int(paid != {terms[1]}), f"quote {quote[:12]}: {terms[1]} was paid as {paid}"
                )
                self.found.compared["quotes"] += 1

    def locked_accounts(self) -> None:
        """On every day the ledger's balance of each locked account is what the bank's statement says."""
        end = max(max(days) for days in self.closings.values())
        for account, number, locked, released, refunded, reference in self.ask(
            "select e.id, p.account, locked_minor, released_minor, refunded_minor, bank_reference "
            "from book_entrusted_account e join payee_account p on p.commitment = e.account"
        ):
            changes: Counter[date] = Counter()
            moves = [(reference, locked)] if locked else []
            moves += [
                (one, -minor) for one, minor in
                self.ask("select bank_reference, amount_minor from book_movement where account_id = ?", account)
            ]  # fmt: skip
            for one, minor in moves:
                lines = [line for line in self.entries[one] if line.account == number]
                self.found.wrong(
                    "locked", int([x.amount_minor for x in lines] != [minor]), f"EA{account}: {minor}, {lines}"
                )
                changes[lines[0].day if lines else end] += minor
            self.found.wrong(
                "locked", locked - released - refunded - sum(changes.values()), f"EA{account}: sums differ"
            )
            for day, held, said in _days(changes, self.closings.get(number, {}), end):
                self.found.compared["locked days"] += 1
                self.found.wrong("locked", int(held != said), f"EA{account} {day}: ledger {held}, bank {said}")

    def counts(self) -> dict[str, int]:
        """What happened, by the ledger's events."""
        names = dict(self.ask("select name, count(*) from book_event group by 1"))
        return {
            "issued": names.get("Issued", 0),
            "settled": names.get("Closed", 0),
            "overdue": names.get("Halted", 0),
            "cents_missing": self.found.cents,
            "quote_differences": self.found.quotes,
            "locked_differences": self.found.locked,
        }


def add_up(folder: Path) -> tuple[dict[str, int], Added]:
    """The six figures of a year, and what was compared for them."""
    year = Year(folder)
    for question in (year.the_bank_itself, year.conservation, year.accounts, year.prices, year.locked_accounts):
        question()
    return year.counts(), year.found


def _signed(element: ET.Element, ns: dict[str, str]) -> int:
    minor = int(Decimal(str(element.findtext("n:Amt", namespaces=ns))) * 100)
    return minor if element.findtext("n:CdtDbtInd", namespaces=ns) == "CRDT" else -minor


def _half_up(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


def _days(changes: Counter[date], closings: dict[date, tuple[int, int]], end: date) -> Iterator[tuple[date, int, int]]:
    if not changes and not closings:
        return
    day, held, said = min([*changes, *closings]), 0, 0
    while day <= end:
        held += changes[day]
        said = closings[day][1] if day in closings else said
        yield day, held, said
        day += timedelta(days=1)


if __name__ == "__main__":
    figures, found = add_up(Path(sys.argv[1]))
    print(json.dumps({**figures, **found.compared}))
    print("\n".join(found.words[:30]))
