"""From which amount on an act of a firm needs two of its people, and the refusal of what only one of them signed.

The installation sets amounts for all (`TWO_PEOPLE_FROM_MINOR`, `SCF_TWO_PEOPLE`); a firm may ask for two people
earlier, never later, and changes that by two people itself. The ledger asks again where a firm's account has two keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, select

from scf.desk.service import Desk
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.intents import digest
from scf.ledger.signing import recover_digest
from scf.parties.approvals import PendingAct
from scf.parties.changes import Asked, ChangeKind
from scf.parties.service import Parties
from scf.store.session import reading

LARGE_MINOR = 5_000_000_00
"""From 5 million (in the hundredth part of a currency) on a single payment or price is large."""
TWO_PEOPLE_FROM_MINOR: Mapping[str, int] = {
    "issue": 0,
    "payment": LARGE_MINOR,
    "accept_quote": LARGE_MINOR,
    "quote": LARGE_MINOR,
    "complete_financing": LARGE_MINOR,
    "confirm_locked": LARGE_MINOR,
    "confirm_released": LARGE_MINOR,
    "confirm_refunded": LARGE_MINOR,
    "confirm_returned": LARGE_MINOR,
}
"""Acts that need two people of one firm, from this amount on; an act not named needs one. A release is approved by two
people whatever its amount: the ledger asks for them."""
_SIGNATURE_BYTES = 65


class TwoPeopleRule(SQLModel, table=True):
    """A firm's own, lower amount for one act; in minor units of a currency with two decimals."""

    __tablename__ = "two_people_rule"

    organisation_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    act: str = Field(primary_key=True, max_length=40)
    from_minor: int = Field(sa_type=BigInteger)
    set_by: str = Field(max_length=42)
    agreed_by: str = Field(max_length=42)
    set_at: int = Field(sa_type=BigInteger)


class TwoPeople:
    """Asked before any signed act is carried to the ledger."""

    def __init__(self, desk: Desk, parties: Parties, *, amounts: Mapping[str, int] | None = None) -> None:
        self._desk = desk
        self._parties = parties
        self._amounts = {**TWO_PEOPLE_FROM_MINOR, **(amounts or {})}

    def from_minor(self, session: Session, act: str, account: str) -> int | None:
        """The amount from which an act of this account needs two people; None when one is enough."""
        general = self._amounts.get(act)
        firm = self._parties.organisation_of(session, account)
        own = session.get(TwoPeopleRule, (firm.id, act)) if firm else None
        amounts = [amount for amount in (general, own.from_minor if own else None) if amount is not None]
        return min(amounts, default=None)

    def amounts(self, session: Session, account: str) -> dict[str, int]:
        """From which amount on each act of this account needs two people, in minor units."""
        found = {act: self.from_minor(session, act, account) for act in self._all_acts(session)}
        return {act: amount for act, amount in sorted(found.items()) if amount is not None}

    def needed(self, session: Session, act: str, account: str, amount_minor: int) -> bool:
        """Whether this act of this account needs two people."""
        limit = self.from_minor(session, act, account)
        return limit is not None and amount_minor >= limit

    def require(
        self,
        act: str,
        account: str,
        amount_minor: int,
        currency: str,
        typed: tuple[str, str, Mapping[str, Any]],
        parts: Sequence[bytes],
    ) -> None:
        """Let an act pass that one person may sign, or that two did: two keys' signatures, or a checked pending act.

        `typed` is contract, primary type and message. Raises Problem `second_person_needed`.
        """
        signed = digest(self._desk.contracts, *typed)
        with reading(self._desk.engine) as session:
            limit = self.from_minor(session, act, account)
            if limit is None or amount_minor < limit or len(_signers(signed, parts)) > 1:
                return
            checked = session.get(PendingAct, "0x" + signed.hex())
            if checked is not None and checked.state in ("approved", "done") and checked.checker != checked.maker:
                return
            who = self._parties.name_of(session, account)
        code = currency_of(currency).code
        raise Problem(
            "second_person_needed", who=who, amount=format_money(amount_minor, code), limit=format_money(limit, code)
        )

    def kind(self) -> ChangeKind:
        """The change `set_two_people`: body `account`, `act`, `from_minor`."""
        return ChangeKind("set_two_people", self._look, self._apply)

    def _look(self, session: Session, body: Mapping[str, Any]) -> Asked:
        account, act, wanted = str(body["account"]), str(body["act"]), int(body["from_minor"])
        general = self._amounts.get(act)
        if wanted < 0 or (general is not None and wanted > general):
            raise Problem("two_people_amount", act=act, limit=format_money(general or 0, "CNY"))
        shown = format_money(wanted, "CNY")
        return Asked(
            {
                "en": f"From {shown} on, “{act}” needs two people.",
                "zh-CN": f"“{act}”自 {shown} 起须两人复核。",
            },
            account,
            self.from_minor(session, act, account),
        )

    def _apply(self, session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        firm = self._parties.organisation_of(session, str(body["account"]))
        assert firm is not None  # looked at before
        session.merge(
            TwoPeopleRule(
                organisation_id=firm.id,
                act=str(body["act"]),
                from_minor=int(body["from_minor"]),
                set_by=maker,
                agreed_by=checker,
                set_at=self._desk.clock.now(),
            )
        )
        session.flush()

    def _all_acts(self, session: Session) -> set[str]:
        return set(self._amounts) | set(session.exec(select(TwoPeopleRule.act)))


def amounts_of(text: str) -> dict[str, int]:
    """Amounts by act from `issue=0,payment=500000000` (minor units). Raises Problem `unreadable_amount`."""
    found: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        act, _, amount = part.partition("=")
        if not amount.strip().isdigit():
            raise Problem("unreadable_amount", text=part)
        found[act.strip()] = int(amount)
    return found


def _signers(signed: bytes, parts: Sequence[bytes]) -> set[str]:
    """Who signed, one by one; parts may come joined as a contract account takes them."""
    found: set[str] = set()
    for part in parts:
        for start in range(0, len(part) - len(part) % _SIGNATURE_BYTES, _SIGNATURE_BYTES):
            try:
                found.add(recover_digest(signed, bytes(part[start : start + _SIGNATURE_BYTES])))
            except Problem:
                continue
    return found
