"""A price beside its two alternatives: wait until maturity, and the cash the payment-term law asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from scf.bank.calendar import BankCalendar
from scf.financing.collecting import due_day
from scf.financing.price import Price
from scf.kernel.clock import Clock, today
from scf.kernel.dates import days_between
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.judging import SMALL_FIRMS
from scf.receivables.models import Dossier
from scf.receivables.trade_facts import trade_facts
from scf.rulebook.service import Rulebook


@dataclass(frozen=True, slots=True)
class Comparison:
    """Amounts in minor units. `lawful_on` is None where no law sets a day or no delivery is on file; `why_not` says so.

    `cost_of_early_minor` is what the price takes; `early_days` how many days earlier than maturity the money comes.
    """

    amount_minor: int
    early_minor: int
    early_on: date
    cost_of_early_minor: int
    early_days: int
    wait_minor: int
    wait_until: date
    lawful_on: date | None
    lawful_rule: str | None
    lawful_minor: int
    why_not: str | None


def compare(
    session: Session,
    parties: Parties,
    rulebook: Rulebook,
    clock: Clock,
    calendar: BankCalendar,
    note_id: str,
    figures: Price,
    *,
    ruleset: str = "CN",
) -> Comparison:
    """Put a price for a part of a note beside waiting and beside cash by law. Raises Problem `unknown_note`."""
    note = queries.note(session, note_id)
    row = queries.receivable(session, note.receivable_id)
    wait_until = due_day(row.maturity, calendar)
    lawful_on, rule, why_not = _lawful(session, parties, rulebook, clock, note_id, ruleset)
    return Comparison(
        amount_minor=figures.face_minor,
        early_minor=figures.net_minor,
        early_on=figures.funded_on,
        cost_of_early_minor=figures.cost_minor,
        early_days=days_between(figures.funded_on, wait_until),
        wait_minor=figures.face_minor,
        wait_until=wait_until,
        lawful_on=lawful_on,
        lawful_rule=rule,
        lawful_minor=figures.face_minor if lawful_on else 0,
        why_not=why_not,
    )


def _lawful(
    session: Session, parties: Parties, rulebook: Rulebook, clock: Clock, note_id: str, ruleset: str
) -> tuple[date | None, str | None, str | None]:
    """The latest day the law lets the giver of a note pay the trade behind it in cash."""
    note = queries.note(session, note_id)
    dossier = session.get(Dossier, note.evidence)
    if dossier is None:
        return None, None, "no_documents"
    facts = trade_facts(session, dossier)
    if "delivered_on" not in facts:
        return None, None, "no_delivery"
    owes, is_owed = (parties.organisation_of(session, who) for who in (note.giver, note.holder))
    facts |= {
        "maturity_date": date.max,  # only the latest lawful day is wanted
        "payment_due_on": date.max,
        "obligor_size": owes.size if owes else None,
        "creditor_is_small": is_owed.size in SMALL_FIRMS if is_owed else None,
    }
    facts.setdefault("term_agreed", False)
    known = {name: value for name, value in facts.items() if value is not None}
    said = rulebook.judge("payment_term", known, as_of=today(clock), ruleset=ruleset)
    days = [(one.facts["latest"], one.rule_id) for one in said.findings if isinstance(one.facts.get("latest"), date)]
    if not days:
        return None, None, "no_law"
    day, rule = min(days)
    return day, rule, None
