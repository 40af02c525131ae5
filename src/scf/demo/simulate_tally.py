"""What a simulated year adds up to: every cent from the books, the bank and the quotes, compared with each other."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlmodel import col, func, select

from scf.app import App
from scf.entrusted.models import EntrustedAccount, Stage
from scf.financing.models import QuoteOffer
from scf.receivables import queries
from scf.receivables.models import Financing, Payment, Receivable, Settlement

if TYPE_CHECKING:
    from scf.demo.simulate_year import Year


@dataclass(slots=True)
class Tally:
    """Counts of the run, what was paid out to whom, and a note on every difference."""

    counts: Counter[str] = field(default_factory=Counter)
    paid_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def compare_quote(self, app: App, quote_hash: str, note_id: str, paid_minor: int) -> None:
        """The quote as shown, as locked on the ledger and as the bank paid it out must be one amount."""
        with app.desk.session() as session:
            offer, terms = session.get(QuoteOffer, quote_hash), session.get(Financing, note_id)
        self.counts["quotes_compared"] += 1
        if offer is None or terms is None:
            self.counts["quote_differences"] += 1
            return
        shown: dict[str, Any] = json.loads(offer.price)
        figures = ("net_minor", "discount_minor", "fees_minor", "apr_ppm")
        equal = all(shown[name] == getattr(terms, name) for name in figures)
        whole = terms.net_minor + terms.discount_minor + terms.fees_minor == terms.amount_minor == shown["face_minor"]
        if not (equal and whole and paid_minor == terms.net_minor):
            self.counts["quote_differences"] += 1
            self.notes.append(f"quote {quote_hash[:12]}: shown {shown['net_minor']}, paid {paid_minor}")


def figures(year: Year, capital_minor: int) -> dict[str, int]:
    """The last lines of a year; `cents_missing` is the sum of every difference found, in minor units."""
    counts = year.tally.counts
    with year.app.desk.session() as session:
        settled = session.exec(select(func.count()).where(col(Receivable.state) == "closed")).one()
        numbers = list(session.exec(select(Receivable.id)))
        missing = sum(abs(held - face) for held, face in (queries.conservation(session, one) for one in numbers))
        paid = {
            (one.receivable_id, one.round): one.principal_minor + one.interest_minor
            for one in session.exec(select(Payment))
        }
        for one in session.exec(select(Settlement)):
            paid[(one.receivable_id, one.round)] -= one.principal_minor + one.interest_minor
            year.tally.paid_out[one.payee] -= one.principal_minor + one.interest_minor
        open_lines = len(year.app.maturity.exceptions(session))
        unproved = [one.number for one in year.locked.accounts if not year.bank.proved(session, one.number)]
    missing += sum(map(abs, paid.values())) + sum(map(abs, year.tally.paid_out.values()))
    year.locked.prove_all()
    missing += _at_the_bank(year, capital_minor)
    return {
        "issued": counts["issued"],
        "settled": int(settled),
        "overdue": counts["overdue"],
        "cents_missing": missing,
        "quote_differences": counts["quote_differences"],
        "locked_differences": counts["locked_differences"] + len(unproved),
        "passes": counts["passes"],
        "refused": counts["refused"],
        "financed": counts["financed"],
        "quotes_compared": counts["quotes_compared"],
        "locked_accounts": counts["locked_accounts"],
        "locked_proofs": counts["locked_proofs"],
        "released_minor": counts["released_minor"],
        "refunded_minor": counts["refunded_minor"],
        "late_interest_minor": counts["interest_minor"],
        "buy_back_demands": counts["buy_backs"],
        "cures": counts["cures"],
        "reversals": counts["reversals"],
        "rejections": counts["rejections"],
        "returns": counts["returns"],
        "paid_before_instruction": counts["paid_before_instruction"],
        "lapsed_sales": counts["lapsed_sales"],
        "sent_back_minor": counts["sent_back_minor"],
        "lines_unexplained": open_lines,
        "locked_alarms_open": counts["locked_alarms_open"],
        "transactions": counts["transactions"],
    }


def _at_the_bank(year: Year, capital_minor: int) -> int:
    """Every account's balance against what the ledger says its owner paid and got; the sum of all differences."""
    cast, simulator = year.cast, year.bank.simulator
    means = capital_minor // (len(cast.cores) + len(cast.financiers))
    due: Counter[str] = Counter({one.address: means for one in (*cast.cores, *cast.financiers)})
    with year.app.desk.session() as session:
        obligors = {row.id: row.obligor for row in session.exec(select(Receivable))}
        for paid in session.exec(select(Payment)):
            due[obligors[paid.receivable_id]] -= paid.principal_minor + paid.interest_minor
        for one in session.exec(select(Settlement)):
            due[one.payee] += one.principal_minor + one.interest_minor
        for sale in session.exec(select(Financing).where(col(Financing.completed_at).is_not(None))):
            if not sale.entrusted_account:
                due[sale.financier] -= sale.net_minor
                due[sale.seller] += sale.net_minor
        for account in session.exec(select(EntrustedAccount)):
            due[account.payer] += account.refunded_minor - account.locked_minor
        for stage in session.exec(select(Stage)):
            due[stage.payee] += stage.released_minor
    wrong, elsewhere = abs(simulator.balance_minor(year.bank.repayment)) + len(simulator.faults()), 0
    for actor in cast.everybody:
        if actor.elsewhere is not None:
            elsewhere += due[actor.address]
            continue
        differs = simulator.balance_minor(actor.account) - due[actor.address]
        wrong += abs(differs)
        if differs:
            year.tally.notes.append(f"{actor.name}: the bank has {differs} more than the ledger says")
    wrong += abs(year.bank.gone_elsewhere_minor(capital_minor) - elsewhere)
    return wrong
