"""Automatic quotes: what each financier's policy gives for any amount of a note, and the firm quotes signed from it.

The figures are a pure function of policy, amount and day. A firm quote is signed with the financier's own key where
that key is kept here (`Signer`); without it the policy gives figures and the financier signs where its key is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from scf.desk.service import Desk
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.policy import Offered, Policies, Terms, offered
from scf.financing.price import Price, price
from scf.financing.sealing import ASK_OPEN_SECONDS
from scf.financing.service import FinancingDesk
from scf.kernel.clock import today
from scf.kernel.dates import day_of, days_between, next_day
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Financing, Note, NoteState, Receivable
from scf.receivables.programmes import Programmes

LATEST_FUNDING_DAYS = 2
"""How many days ahead money can be wanted at least: the lock of an accepted price must not end before it comes."""
Signer = Callable[[str, bytes], Sequence[bytes]]
"""Signature parts of a financier's address over a digest; none where its key is not kept here."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one financier's policy gives for an amount: a price, or the name of what it refuses for."""

    financier: str
    price: Price | None
    recourse: bool
    refusal: str | None
    paying_bank: str


class AutomaticQuotes:
    """The door to automatic quotes."""

    def __init__(
        self,
        desk: Desk,
        parties: Parties,
        financing: FinancingDesk,
        policies: Policies,
        programmes: Programmes,
        signer: Signer,
    ) -> None:
        self._desk = desk
        self._parties = parties
        self._financing = financing
        self._policies = policies
        self._programmes = programmes
        self._signer = signer

    def figures(self, session: Session, note_id: str, amount_minor: int, funded_on: date | None = None) -> list[Figure]:
        """What every policy in force gives for an amount of a note today, most money first, refusals last.

        `funded_on` is the day the money shall come (see `funding_days`); a later one costs less. Raises
        Problem `unknown_note`, `note_not_movable`, `amount_above_note`, `funding_day_not_offered`.
        """
        note, row = self._movable(session, note_id, amount_minor)
        funded = self._funding_day(session, row, funded_on)
        programme = self._programmes.of_receivable(session, row)
        allowed = set(filter(None, programme.financiers.split(","))) if programme else set()
        found = []
        for policy, terms in self._policies.in_force(session, row.currency):
            if allowed and policy.financier not in allowed:
                continue
            found.append(self._figure(session, terms, note, row, amount_minor, funded))
        return sorted(found, key=lambda one: (one.price is None, -(one.price.net_minor if one.price else 0)))

    def firm(
        self,
        note_id: str,
        amount_minor: int,
        *,
        single_reason: str | None = None,
        funded_on: date | None = None,
    ) -> tuple[str, list[QuoteOffer]]:
        """Ask everybody whose policy gives a price and have the quotes signed: (ask, firm quotes, most money first).

        Raises Problem `no_automatic_price` when no policy gives one, and what `FinancingDesk.ask` raises (one financier
        alone needs a reason).
        """
        with self._desk.session() as session:
            shown = self.figures(session, note_id, amount_minor, funded_on)
            priced = [one for one in shown if one.price is not None]
            if not priced:
                raise Problem("no_automatic_price")
            invited = sorted(one.financier for one in priced)
            ask = self._financing.ask(session, note_id, amount_minor, invited, single_reason=single_reason).id
        return ask, self.answer(ask, funded_on)

    def answer(self, ask_id: str, funded_on: date | None = None) -> list[QuoteOffer]:
        """Sign what the invited financiers' policies give for an ask, once each; returns their valid quotes."""
        with self._desk.session() as session:
            ask = session.get(FinancingAsk, ask_id)
            if ask is None:
                raise Problem("unknown_ask", ask=ask_id)
            known = self._financing.quotes(session, ask_id)
            wanted = [
                one
                for one in self.figures(session, ask.note_id, ask.amount_minor, funded_on)
                if one.price is not None and one.financier in ask.invited.split(",") and not _same(known, one)
            ]
        for one in wanted:
            self._sign(ask_id, one)
        with self._desk.session() as session:
            return list(self._financing.quotes(session, ask_id))

    def answer_open(self) -> int:
        """Answer every ask that is open and whose note can still be sold; returns how many quotes are new."""
        since = self._desk.clock.now() - ASK_OPEN_SECONDS
        with self._desk.session() as session:
            asks = session.exec(select(FinancingAsk.id).where(col(FinancingAsk.asked_at) > since)).all()
        new = 0
        for ask_id in asks:
            with self._desk.session() as session:
                before = len(self._financing.quotes(session, ask_id))
            try:
                new += len(self.answer(ask_id)) - before
            except Problem as problem:
                if problem.code not in ("note_not_movable", "amount_above_note", "quotes_opened", "ask_over"):
                    raise
        return new

    # Inside ----------------------------------------------------------------------------------------------------------

    def _movable(self, session: Session, note_id: str, amount_minor: int) -> tuple[Note, Receivable]:
        note = queries.note(session, note_id)
        row = queries.receivable(session, note.receivable_id)
        if note.state != NoteState.HELD or note.frozen:
            raise Problem("note_not_movable", state=note.standing())
        if not 0 < amount_minor <= note.amount_minor:
            raise Problem(
                "amount_above_note",
                carries=format_money(note.amount_minor, row.currency),
                amount=format_money(amount_minor, row.currency),
            )
        return note, row

    def funding_days(self, session: Session, row: Receivable) -> tuple[date, date, date]:
        """(first, usual, last) day on which money can be wanted: today, by rule or programme, the last in a lock."""
        funding = self._financing.funding
        now, usual = today(self._desk.clock), funding.usual_day(funding.days_of(session, row))
        return now, usual, max(usual, next_day(now, LATEST_FUNDING_DAYS))

    def _funding_day(self, session: Session, row: Receivable, wanted: date | None) -> date:
        now, usual, last = self.funding_days(session, row)
        if wanted is not None and not now <= wanted <= last:
            raise Problem(
                "funding_day_not_offered", day=wanted.isoformat(), first=now.isoformat(), last=last.isoformat()
            )
        return wanted or usual

    def _figure(
        self, session: Session, terms: Terms, note: Note, row: Receivable, amount_minor: int, funded: date
    ) -> Figure:
        due = day_of(row.maturity)
        days = days_between(funded, due)
        if days <= 0:
            said = Offered(refusal="past_due")
        else:
            said = offered(
                terms,
                obligor=row.obligor,
                amount_minor=amount_minor,
                days=days,
                used_minor=self._used(session, terms.financier, row, note),
                payee=self._parties.name_of(session, terms.financier),
            )
        figures = None
        if said.refusal is None:
            try:
                figures = price(amount_minor, row.currency, said.rate_ppm, funded, due, fees=said.fees)
            except Problem as problem:
                return Figure(terms.financier, None, terms.recourse, problem.code, terms.paying_bank)
        return Figure(terms.financier, figures, terms.recourse, said.refusal, terms.paying_bank)

    def _used(self, session: Session, financier: str, row: Receivable, about: Note) -> int:
        """What a financier holds or is about to hold of an obligor, and what it has firmly quoted on other notes."""
        held = session.exec(
            select(Note.amount_minor)
            .join(Financing, col(Financing.note_id) == col(Note.id))
            .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
            .where(
                Financing.financier == financier,
                Receivable.obligor == row.obligor,
                Receivable.currency == row.currency,
                col(Note.state).in_((NoteState.HELD, NoteState.LOCKED)),
            )
        )
        taken = select(Financing.quote_hash)
        quoted = session.exec(
            select(FinancingAsk.amount_minor)
            .join(QuoteOffer, col(QuoteOffer.ask_id) == col(FinancingAsk.id))
            .join(Note, col(Note.id) == col(FinancingAsk.note_id))
            .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
            .where(
                QuoteOffer.financier == financier,
                QuoteOffer.expires_at > self._desk.clock.now(),
                col(QuoteOffer.quote_hash).not_in(taken),
                Receivable.obligor == row.obligor,
                Receivable.currency == row.currency,
                FinancingAsk.note_id != about.id,
            )
        )
        return sum(held) + sum(quoted)

    def _sign(self, ask_id: str, one: Figure) -> None:
        assert one.price is not None
        prepared, figures = self._financing.prepare_quote(
            ask_id,
            one.financier,
            rate_ppm=one.price.rate_ppm,
            paying_bank=one.paying_bank,
            fees=one.price.fees,
            recourse=one.recourse,
            funded_on=one.price.funded_on,
        )
        parts = self._signer(one.financier, prepared.digest)
        if parts:
            self._financing.submit_quote(ask_id, prepared.message, parts, figures)


def _same(known: Sequence[QuoteOffer], one: Figure) -> bool:
    """Whether a valid quote of this financier says these figures already."""
    if one.price is None:
        return False
    said = [json.loads(offer.price) for offer in known if offer.financier == one.financier]
    figures = (one.price.net_minor, one.price.apr_ppm, one.price.funded_on.isoformat())
    return any((row["net_minor"], row["apr_ppm"], row["funded_on"]) == figures for row in said)
