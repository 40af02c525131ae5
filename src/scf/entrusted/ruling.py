"""What the rulebook is asked before money is locked, paid out or held back: the facts of each act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from scf.bank.calendar import BankCalendar, ChinaCalendar
from scf.entrusted import queries
from scf.entrusted.models import Stage, StageRule
from scf.entrusted.shapes import OpenRequest, StagePlan
from scf.kernel.clock import Clock, today
from scf.kernel.dates import day_of, next_day
from scf.parties.service import Parties
from scf.reconciliation.facts import normalise, normalise_party
from scf.reconciliation.four_way import Answer
from scf.reconciliation.models import CaseRow
from scf.rulebook.decisions import Decisions
from scf.rulebook.service import Judgement

LOAN, SALE_PROCEEDS = "loan", "sale_proceeds"


class EntrustedRules:
    """Turns acts on locked money into facts. Each method raises Problem of the rule that refuses."""

    def __init__(
        self, decisions: Decisions, parties: Parties, clock: Clock, *, calendar: BankCalendar | None = None
    ) -> None:
        self._decisions = decisions
        self._parties = parties
        self._clock = clock
        self._calendar = calendar or ChinaCalendar(beyond="weekdays")

    def opening(self, session: Session, request: OpenRequest) -> Judgement:
        """Payer and beneficiary agree on payees, purpose and stages."""
        facts = {
            "account_purpose": request.funds,
            "separate_consent": request.consent.strip() or None,
            "payee_is_counterparty": all(self._is_payee(session, request, stage) for stage in request.stages),
            "use_matches": bool(request.purpose.strip()),  # the use is what both sign
            "currency": request.currency,
            "amount_minor": sum(stage.amount_minor for stage in request.stages),
        }
        return self._decisions.require("open_entrusted", facts)

    def releasing(
        self,
        session: Session,
        stage: Stage,
        amount_minor: int,
        answer: Answer | None,
        *,
        held_minor: int,
        risk_note: str | None = None,
        urgent: bool = False,
    ) -> Judgement:
        """The bank is told to pay `amount_minor` of a stage out; `held_minor` of it stays back."""
        account = queries.account(session, stage.account_id)
        order = _order_of(session, stage)
        seller = named_seller(session, order)
        agreed = {"clear": True, "flag": False}.get(answer.answer) if answer is not None else True
        facts: dict[str, Any] = {
            "payee_is_counterparty": stage.payee != account.payer
            and (seller is None or self._is(session, stage.payee, seller)),
            "use_matches": agreed,
            "entrusted": True,
            "held_minor": held_minor,
            "disputed_minor": stage.disputed_minor,
            "urgent": urgent,
            "bank_risk_note": risk_note,
            "working_days_waited": self._waited(session, stage),
            "currency": account.currency,
            "amount_minor": amount_minor,
        }
        return self._decisions.require("release", facts)

    def disputing(self, session: Session, stage: Stage, amount_minor: int) -> Judgement:
        """A party says that `amount_minor` is in dispute: so much may be held, up to what is not paid out or back."""
        unpaid = stage.amount_minor - stage.released_minor - stage.refunded_minor
        facts = {
            "held_minor": stage.disputed_minor + amount_minor,
            "disputed_minor": min(unpaid, stage.disputed_minor + amount_minor),
            "currency": queries.account(session, stage.account_id).currency,
        }
        return self._decisions.require("dispute", facts)

    def keep(self, session: Session, decision: Judgement, about: str) -> None:
        """Keep what was decided."""
        if decision.findings:
            self._decisions.keep(session, decision, about)

    def _is_payee(self, session: Session, request: OpenRequest, stage: StagePlan) -> bool:
        """Whether a payee may be the contract's counterparty: both sides sign it, the order's own papers agree."""
        seller = named_seller(session, stage.order_reference)
        return stage.payee != request.payer and (seller is None or self._is(session, stage.payee, seller))

    def _is(self, session: Session, address: str, party: str) -> bool:
        organisation = self._parties.organisation_of(session, address)
        names = (organisation.name, organisation.uscc) if organisation else ()
        return party in {normalise_party(name) for name in names if name}

    def _waited(self, session: Session, stage: Stage) -> int:
        """Working days since the last evidence or approval the release needs came, 0 where it only just did."""
        times: Sequence[int] = [
            *(row.attested_at for row in queries.attestations(session, stage.account_id, stage.stage)),
            *(row.approved_at for row in queries.approvals(session, stage.account_id, stage.stage)),
        ]
        if not times:
            return 0
        day, until, waited = day_of(max(times)), today(self._clock), 0
        while day < until:
            day = next_day(day)
            waited += self._calendar.is_business_day(day)
        return waited


def named_seller(session: Session, order_reference: str | None) -> str | None:
    """Whom the papers of an order name as its seller, for comparing; None where no order or no paper says."""
    norm = normalise(order_reference or "")
    if norm is None:
        return None
    sellers = session.exec(select(CaseRow.seller).where(CaseRow.norm == norm, col(CaseRow.seller).is_not(None))).all()
    return sellers[0] if len(set(sellers)) == 1 else None


def _order_of(session: Session, stage: Stage) -> str | None:
    rule = session.get(StageRule, stage.rule)
    return rule.order_reference if rule else None
