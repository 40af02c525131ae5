"""What the rulebook is asked before early money is asked for, quoted and paid: each act's facts, and its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import Session

from scf.financing.funding import FundingTerms
from scf.financing.models import FinancingAsk
from scf.financing.price import Fee
from scf.kernel.dates import day_of
from scf.receivables import queries
from scf.receivables.judging import paper_facts
from scf.receivables.models import Dossier, Financing, Note, Receivable
from scf.receivables.trade_facts import trade_facts, trust_level
from scf.rulebook.decisions import Decisions
from scf.rulebook.service import Judgement

FEES_PAID_BY = "holder"
"""Every fee of a quote comes off what the holder receives, whoever gets it."""


class FinancingRules:
    """Turns the acts of financing into facts. Each method raises Problem of the rule that refuses."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions

    def asking(
        self,
        session: Session,
        note: Note,
        receivable: Receivable,
        amount_minor: int,
        *,
        invited: Sequence[str],
        reason: str | None,
        overdue: bool,
    ) -> Judgement:
        """A holder asks invited financiers for a price."""
        facts = {
            **self._paper(session, note, receivable, amount_minor),
            "financiers_invited": len(set(invited)),
            "single_financier_reason": reason,
            "obligor_overdue": overdue,
        }
        return self._decisions.require("finance", facts)

    def quoting(
        self,
        session: Session,
        note: Note,
        receivable: Receivable,
        ask: FinancingAsk,
        *,
        fees: Iterable[Fee],
        recourse: bool,
    ) -> list[Judgement]:
        """A financier quotes, and each fee it names."""
        paper = self._paper(session, note, receivable, ask.amount_minor)
        made = [self._decisions.require("quote", {**paper, "recourse": recourse})]
        for fee in fees:
            facts = {"fee_kind": fee.code, "fee_payer": FEES_PAID_BY, "amount_minor": fee.amount_minor}
            made.append(self._decisions.require("fee", {**facts, "currency": receivable.currency}))
        return made

    def completing(
        self, session: Session, financing: Financing, registration: str, code: str, funding: FundingTerms
    ) -> list[Judgement]:
        """The paying bank attests that the net amount was paid."""
        locked_on, paid_on = day_of(queries.note(session, financing.note_id).made_at), self._decisions.today()
        facts = {
            "registration_number": registration,
            "recourse": financing.recourse,
            "bid_accepted_on": locked_on,
            "settled_on": paid_on,
            "business_days_to_payment": funding.days_waited(locked_on, paid_on),
            "entrusted": bool(financing.entrusted_account),
            "currency": code,
        }
        paid = {**facts, "amount_minor": financing.net_minor}
        return [
            self._decisions.require("complete_financing", {**facts, "amount_minor": financing.amount_minor}),
            self._decisions.require("drawdown", paid),
        ]

    def keep(self, session: Session, decisions: Iterable[Judgement], about: str) -> None:
        """Keep what was decided; an act no rule is about leaves nothing."""
        for decision in decisions:
            if decision.findings:
                self._decisions.keep(session, decision, about)

    def _paper(self, session: Session, note: Note, receivable: Receivable, amount_minor: int) -> dict[str, Any]:
        return {
            "invoice_assigned": False,  # the ledger takes an invoice once; its own words may still say it was
            **self._trade(session, note, receivable),
            **paper_facts(receivable),
            "amount_minor": amount_minor,
            "obligor_accepted": True,  # its own signature issued the receivable
        }

    def _trade(self, session: Session, note: Note, receivable: Receivable) -> dict[str, Any]:
        """What is known of the trades behind receivable and note; without a dossier, that there is none on file.

        The trust of both counts: the lower one, and unknown where one of them is.
        """
        dossier = session.get(Dossier, receivable.document)
        if dossier is None:
            return {"has_trade_evidence": False}
        facts = trade_facts(session, dossier)
        own = session.get(Dossier, note.evidence)
        levels = [facts.pop("trust_level", None), trust_level(session, own) if own else None]
        if None not in levels:
            facts["trust_level"] = min(level for level in levels if level is not None)
        return facts
