"""Where a firm's money goes: the account it states itself, in its own name, one for each currency.

The first account holds at once. Another one in its place holds after `WAIT_SECONDS`, so that whoever borrowed a phone
cannot send the next payment elsewhere before the firm read the notice and stopped it. Where several people act for a
firm, one states the account and another agrees (`scf.parties.changes`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from scf.bank.models import BankAccount, PayoutAccount
from scf.desk.service import Desk
from scf.kernel.dates import BEIJING, from_unix
from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem
from scf.parties.changes import Asked, ChangeKind
from scf.parties.models import Organisation, Seat
from scf.parties.service import Parties
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

WAIT_SECONDS = 2 * 86_400
"""How long an account stated in place of another waits before money goes there."""
CHANGE = "set_payout_account"
"""Kind of the change by which two people of a firm state its account."""
Tell = Callable[[Session, str, str, str, Mapping[str, str], str], None]
"""Session, key, recipient, kind, words by language, evidence id."""
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_CNAPS = re.compile(r"\d{12}")
_DOMESTIC = re.compile(r"\d{8,32}")


@dataclass(frozen=True, slots=True)
class Payee:
    """An account money is sent to: the name on it, its number, and its bank (BIC or CNAPS number)."""

    holder: str
    number: str
    bank: str

    @property
    def bic(self) -> str | None:
        """The bank where it is named by a BIC; a CNAPS number joins the order when that is written."""
        return self.bank if _BIC.fullmatch(self.bank) else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a firm is paid on in one currency, and what waits to take its place."""

    currency: str
    now: Payee | None
    waiting: PayoutAccount | None


def check_number(text: str) -> str:
    """An account number without blanks: an IBAN with right check digits, or 8 to 32 digits.

    Raises Problem `iban_mistyped` or `account_number_unreadable`.
    """
    plain = "".join(unicodedata.normalize("NFKC", text).split()).replace("-", "").upper()
    if _DOMESTIC.fullmatch(plain):
        return plain
    if not _IBAN.fullmatch(plain):
        raise Problem("account_number_unreadable", given=text.strip()[:40])
    if int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 != 1:
        raise Problem("iban_mistyped", given=plain)
    return plain


def check_bank(text: str, number: str) -> str:
    """A bank's BIC or CNAPS number; an IBAN needs a BIC. Raises Problem `bank_code_unreadable` or `iban_needs_bic`."""
    plain = "".join(unicodedata.normalize("NFKC", text).split()).upper()
    if _BIC.fullmatch(plain):
        return plain
    if not _CNAPS.fullmatch(plain):
        raise Problem("bank_code_unreadable", given=text.strip()[:40])
    if _IBAN.fullmatch(number):
        raise Problem("iban_needs_bic")
    return plain


def bank_of(session: Session, number: str) -> str | None:
    """The bank of an account some firm stated, as an order names it; None where no firm did."""
    query = select(PayoutAccount.bank).where(PayoutAccount.number == number)
    return session.exec(query.order_by(col(PayoutAccount.id).desc()).limit(1)).first()


def paid_on(session: Session, parties: Parties, address: str, currency: str, now: int) -> Payee | None:
    """The account a firm is paid on: what it stated, else the mirror that names it as owner or, at last, as holder."""
    firm = parties.organisation_of(session, address)
    stated = _in_force(session, firm.id, currency, now) if firm else None
    if stated is not None:
        return Payee(stated.holder, stated.number, stated.bank)
    rows = session.exec(
        select(BankAccount)
        .where(
            BankAccount.currency == currency,
            BankAccount.purpose == "current",
            col(BankAccount.lock_reference).is_(None),
            (col(BankAccount.owner) == address) | (col(BankAccount.holder) == (firm.name if firm else "")),
        )
        .order_by(col(BankAccount.opened_at), col(BankAccount.number))
    ).all()
    owned = [one for one in rows if one.owner == address]
    found = next(iter(owned or rows), None)
    return Payee(found.holder, found.number, found.bank) if found else None


class PayoutAccounts:
    """The door to what firms say of where their money goes."""

    def __init__(self, desk: Desk, parties: Parties, *, tell: Tell) -> None:
        self._desk = desk
        self._parties = parties
        self._tell = tell

    def standing(self, session: Session, address: str, currency: str = "CNY") -> Standing:
        """What the firm of an address is paid on now, and what takes its place. Raises Problem `unknown_currency`."""
        code, now = currency_of(currency).code, self._desk.clock.now()
        firm = self._parties.organisation_of(session, address)
        waiting = _waiting(session, firm.id, code, now) if firm else None
        return Standing(code, paid_on(session, self._parties, address, code, now), waiting)

    def needs_two(self, session: Session, organisation_id: int) -> bool:
        """Whether several people with keys of their own act for the firm, so that two of them state its account."""
        query = select(sa.func.count()).select_from(Seat)
        return session.exec(query.where(Seat.organisation_id == organisation_id, Seat.duty != "account")).one() > 1

    def state(
        self, session: Session, address: str, *, holder: str, number: str, bank: str, currency: str = "CNY"
    ) -> PayoutAccount:
        """Take down where the money of the firm of `address` goes, by its only person.

        Raises Problem `payout_needs_two`, and as `check_number`, `check_bank`; `payout_holder_other`,
        `payout_account_same`, `payout_account_taken`.
        """
        body = {"account": address, "holder": holder, "number": number, "bank": bank, "currency": currency}
        firm, payee, code = self._checked(session, body)
        if self.needs_two(session, firm.id):
            raise Problem("payout_needs_two", who=firm.name)
        return self._keep(session, firm, address, payee, code, address, None)

    def stop(self, session: Session, address: str, payout_id: int) -> PayoutAccount:
        """Stop an account that waits; the one before stays. Any person of the firm may. Raises `payout_not_waiting`."""
        row, now = session.get(PayoutAccount, payout_id), self._desk.clock.now()
        firm = self._parties.organisation_of(session, address)
        if row is None or firm is None or row.organisation_id != firm.id:
            raise Problem("payout_not_waiting")
        if row.stopped_at is not None or row.holds_from <= now:
            raise Problem("payout_not_waiting")
        row.stopped_at = now
        session.add(row)
        words = {
            "en": f"The change of your account to {masked(row.number)} was stopped. Money goes where it went before.",
            "zh-CN": f"收款账户变更（{masked(row.number)}）已停止，款项仍付至原账户。",
        }
        self._told(session, row, f"payout-stopped:{row.id}", words, address, "stopped")
        return row

    def kind(self) -> ChangeKind:
        """The change `set_payout_account`: body `account` (an address), `holder`, `number`, `bank`, `currency`."""
        return ChangeKind(CHANGE, self._look, self._apply)

    # Inside ----------------------------------------------------------------------------------------------------------

    def _look(self, session: Session, body: Mapping[str, Any]) -> Asked:
        firm, payee, code = self._checked(session, body)
        before = paid_on(session, self._parties, str(body["account"]), code, self._desk.clock.now())
        return Asked(
            {
                "en": f"{code} for {firm.name} goes to account {payee.number} at {payee.bank}.",
                "zh-CN": f"{firm.name} 的{code}款项付至账户 {payee.number}（开户行 {payee.bank}）。",
            },
            str(body["account"]),
            before.number if before else None,
        )

    def _apply(self, session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        firm, payee, code = self._checked(session, body)
        self._keep(session, firm, str(body["account"]), payee, code, maker, checker)

    def _checked(self, session: Session, body: Mapping[str, Any]) -> tuple[Organisation, Payee, str]:
        address, code = str(body["account"]), currency_of(str(body.get("currency", "CNY"))).code
        firm = self._parties.organisation_of(session, address)
        if firm is None:
            raise Problem("unknown_participant", who=address)
        number = check_number(str(body["number"]))
        bank = check_bank(str(body["bank"]), number)
        if _plain_name(str(body["holder"])) != _plain_name(firm.name):
            raise Problem("payout_holder_other", firm=firm.name)
        now = self._desk.clock.now()
        before, waiting = paid_on(session, self._parties, address, code, now), _waiting(session, firm.id, code, now)
        if (number, bank) in [(one.number, one.bank) for one in (before, waiting) if one]:
            raise Problem("payout_account_same", account=masked(number))
        mirror = session.get(BankAccount, number)
        others = select(PayoutAccount.id).where(
            PayoutAccount.number == number,
            PayoutAccount.organisation_id != firm.id,
            col(PayoutAccount.stopped_at).is_(None),
        )
        is_foreign = mirror is not None and (
            mirror.purpose != "current"
            or mirror.currency != code
            or _plain_name(mirror.holder) != _plain_name(firm.name)
        )
        if is_foreign or session.exec(others.limit(1)).first() is not None:
            raise Problem("payout_account_taken", account=masked(number))
        return firm, Payee(firm.name[:140], number, bank), code

    def _keep(
        self,
        session: Session,
        firm: Organisation,
        address: str,
        payee: Payee,
        code: str,
        maker: str,
        checker: str | None,
    ) -> PayoutAccount:
        now = self._desk.clock.now()
        before, waiting = paid_on(session, self._parties, address, code, now), _waiting(session, firm.id, code, now)
        if waiting is not None:
            waiting.stopped_at = now
            session.add(waiting)
        row = PayoutAccount(
            organisation_id=firm.id,
            currency=code,
            holder=payee.holder,
            number=payee.number,
            bank=payee.bank,
            stated_by=maker,
            agreed_by=checker,
            stated_at=now,
            holds_from=now + (WAIT_SECONDS if before else 0),
        )
        session.add(row)
        session.flush()
        shown, since = masked(row.number), f"{from_unix(row.holds_from).astimezone(BEIJING):%Y-%m-%d %H:%M}"
        if before is None:
            words = {
                "en": f"Your money ({code}) goes to account {shown} now. If it was none of you, tell the operator.",
                "zh-CN": f"自即日起，贵司款项（{code}）付至账户 {shown}。如非本企业操作，请立即联系运营方。",
            }
        else:
            words = {
                "en": f"From {since} on your money ({code}) goes to account {shown}. If it was none of you, stop it.",
                "zh-CN": f"自 {since} 起，贵司款项（{code}）改付至账户 {shown}。如非本企业操作，请立即停止变更。",
            }
        self._told(session, row, f"payout-stated:{row.id}", words, address, "stated")
        return row

    def _told(
        self, session: Session, row: PayoutAccount, key: str, words: Mapping[str, str], address: str, what: str
    ) -> None:
        kept = evidence.record(
            session,
            canonical_json({**row.model_dump(), "what": what}),
            kind="payout_account",
            source="scf",
            sender=address,
            trust=Trust.T0,
            received_at=self._desk.clock.now(),
            name=f"payout account {what}",
        )
        firm_seats = session.exec(select(Seat.address).where(Seat.organisation_id == row.organisation_id)).all()
        for seat in sorted(firm_seats):
            self._tell(session, f"{key}:{seat}", seat, "payout_account", words, kept.evidence_id)


def masked(number: str) -> str:
    """The last four characters of an account number, as notices show it."""
    return f"…{number[-4:]}"


def _in_force(session: Session, organisation_id: int, code: str, now: int) -> PayoutAccount | None:
    return session.exec(_rows(organisation_id, code, col(PayoutAccount.holds_from) <= now)).first()


def _waiting(session: Session, organisation_id: int, code: str, now: int) -> PayoutAccount | None:
    return session.exec(_rows(organisation_id, code, col(PayoutAccount.holds_from) > now)).first()


def _rows(organisation_id: int, code: str, when: sa.ColumnElement[bool]) -> SelectOfScalar[PayoutAccount]:
    return (
        select(PayoutAccount)
        .where(
            PayoutAccount.organisation_id == organisation_id,
            PayoutAccount.currency == code,
            col(PayoutAccount.stopped_at).is_(None),
            when,
        )
        .order_by(col(PayoutAccount.holds_from).desc(), col(PayoutAccount.id).desc())
        .limit(1)
    )


def _plain_name(name: str) -> str:
    """A firm's name without what banks and people write differently: width, case, blanks and punctuation."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(one for one in plain if unicodedata.category(one)[0] in "LN")
