"""What the rulebook is asked before money is locked, paid out or held back: the facts of each act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from scf.bank.calendar import BankCalendar, ChinaCalendar
from scf.entrusted import queries
from scf.entrusted.models import Stage, StageRule
from scf.entrusted.stating import CONSENT_MARK, CONTRACT_MARK, words_behind
from scf.kernel.clock import Clock, today
from scf.kernel.dates import day_of, next_day
from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem
from scf.parties.service import Parties
from scf.receivables.judging import hex_text
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

    def opening(
        self, session: Session, message: Mapping[str, Any], *, funds: str | None = None, separate: str = ""
    ) -> Judgement:
        """Payer and beneficiary agree on payees, purpose and stages, in words that are on file.

        `funds` and `separate` are what was asked for; without them, what the signed words say. Raises Problem
        `consent_missing` for words nobody filed, `account_funds_unknown`, or of the rule that refuses.
        """
        purpose, agreed = (words_behind(session, hex_text(message[name])) for name in ("purpose", "consent"))
        if purpose is None or agreed is None:
            raise Problem("consent_missing")
        if funds is None:
            funds, separate = (SALE_PROCEEDS, agreed) if agreed.startswith(CONSENT_MARK) else (LOAN, "")
        if funds not in (LOAN, SALE_PROCEEDS):
            raise Problem("account_funds_unknown", funds=funds[:40])
        named = CONTRACT_MARK in purpose
        beneficiary, stages = str(message["beneficiary"]), message["stages"]
        uses = [(str(one["payee"]), self._order_behind(session, hex_text(one["rule"]))) for one in stages]
        payees = [self._is_payee(session, message, funds, payee, order, named) for payee, order in uses]
        facts = {
            "account_purpose": funds,
            "separate_consent": separate or None,
            "payee_is_counterparty": _all(payees),
            "use_matches": _all([self._is_own(session, beneficiary, payee, order, named) for payee, order in uses]),
            "currency": currency_of(int(message["currency"])).code,
            "amount_minor": sum(int(stage["amount"]) for stage in stages),
        }
        return self._decisions.require("open_entrusted", facts)

    def funds_of(self, session: Session, account_id: int) -> str:
        """Whose money an account holds, by the consent its two sides signed."""
        consent = words_behind(session, queries.account(session, account_id).consent) or ""
        return SALE_PROCEEDS if consent.startswith(CONSENT_MARK) else LOAN

    def funds_in(self, session: Session, message: Mapping[str, Any]) -> str:
        """Whose money an opening that is not on the ledger yet would hold."""
        consent = words_behind(session, hex_text(message["consent"])) or ""
        return SALE_PROCEEDS if consent.startswith(CONSENT_MARK) else LOAN

    def require_proceeds(self, session: Session, account_id: int, seller: str) -> None:
        """The price of a sale may be paid into this account: its seller consented to that, separately; 0 is none.

        Raises Problem `proceeds_without_consent`, `unknown_entrusted_account`.
        """
        if not account_id:
            return
        row = queries.account(session, account_id)
        if row.beneficiary != seller or self.funds_of(session, account_id) != SALE_PROCEEDS:
            raise Problem("proceeds_without_consent", account=account_id)

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
        seller = named_party(session, order, CaseRow.seller)
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

    def _is_payee(
        self, session: Session, message: Mapping[str, Any], funds: str, payee: str, order: str | None, named: bool
    ) -> bool | None:
        """Whether a payee is the contract's counterparty: the order's own papers say so, else what both sides sign.

        A borrower is not its own counterparty, a payer nobody's; without order and contract nobody knows.
        """
        if payee == message["payer"] or (funds == LOAN and payee == message["beneficiary"]):
            return False
        seller = named_party(session, order, CaseRow.seller)
        if seller is not None:
            return self._is(session, payee, seller)
        return True if order or named else None

    def _is_own(self, session: Session, beneficiary: str, payee: str, order: str | None, named: bool) -> bool | None:
        """Whether what is paid for is the beneficiary's own order: its papers say so, else what both sides sign."""
        buyer = named_party(session, order, CaseRow.buyer)
        if buyer is not None and payee != beneficiary:
            return self._is(session, beneficiary, buyer)
        return True if order or named else None

    def _order_behind(self, session: Session, rule: str) -> str | None:
        found = session.get(StageRule, rule)
        return found.order_reference if found else None

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


def named_party(session: Session, order_reference: str | None, side: Any) -> str | None:
    """Whom the papers of an order name as its seller or buyer (a column of `CaseRow`), for comparing.

    None where no order or no paper says, or where they do not agree.
    """
    norm = normalise(order_reference or "")
    if norm is None:
        return None
    found = session.exec(select(side).where(CaseRow.norm == norm, col(side).is_not(None))).all()
    return found[0] if len(set(found)) == 1 else None


def _all(found: Sequence[bool | None]) -> bool | None:
    if False in found:
        return False
    return None if None in found else True


def _order_of(session: Session, stage: Stage) -> str | None:
    rule = session.get(StageRule, stage.rule)
    return rule.order_reference if rule else None
