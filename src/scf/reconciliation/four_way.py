"""The question a release asks: do goods, invoice, contract and money agree, by sources the applicant cannot write?

Clear, flag or unknown, with reasons and the rows they rest on. A contradiction flags; what is missing is unknown and
never a pass. Facts the applicant could have written cannot clear anything, but they can still contradict.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, col, select

from scf.kernel.clock import Clock
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.kernel.sentences import sentence
from scf.reconciliation import service
from scf.reconciliation.exceptions import HANDLING, explain
from scf.reconciliation.facts import Fact, Kind, normalise_account
from scf.reconciliation.fold import Folded, Part, fold
from scf.reconciliation.models import Allocation, ExceptionRow, FactRow
from scf.reconciliation.rule import Disagreement, Reason, Terms, Verdict, judge

CLEARING_TRUST = 2
"""Lowest trust that may clear a trade."""
RELEASING_TRUST = 3
"""One source of this trust may release money; of the level below it takes two independent ones."""


@dataclass(frozen=True, slots=True)
class StageAsk:
    """What is to be paid: `amount_minor` more than was paid before, to `payee_account`, on the evidence it needs."""

    amount_minor: int
    currency: str
    payee_account: str | None = None
    needs_goods: bool = True
    needs_invoice: bool = True
    name: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """One reason: whether it flags or leaves unknown, its code, and the sentence in two languages."""

    answer: Literal["clear", "flag", "unknown"]
    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Row:
    """A fact that was looked at, and whether it could count: `refused_because` names what speaks against it."""

    step: service.Step
    refused_because: Literal["applicant", "trust"] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Clear, flag or unknown; with reasons, and the rows looked at, oldest first."""

    answer: Literal["clear", "flag", "unknown"]
    reasons: tuple[Why, ...]
    rows: tuple[Row, ...]


def four_way(
    session: Session,
    order_reference: str,
    ask: StageAsk,
    *,
    applicants: Collection[str],
    clock: Clock,
    release: bool = True,
    terms: Terms | None = None,
) -> Answer:
    """Answer the four-way question for an order and a stage.

    `applicants` are the organisations that ask for the money: what they say of themselves does not count. With
    `release` the goods need one T3 source or two independent T2; without it T2 is enough.
    """
    try:
        belonging = service.belonging(session, order_reference)
    except Problem:
        return Answer("unknown", (_why("unknown", "fourway_no_order", needed=CLEARING_TRUST),), ())
    rows = tuple(Row(service.step(*item), _refusal(item[0], applicants)) for item in belonging)
    everything = [_part(*item) for item in belonging]
    usable = [part for part, row in zip(everything, rows, strict=True) if row.refused_because is None]
    at = service.terms_of(clock, terms)
    court = _Court(ask, fold(usable), usable, at)
    court.hear_contract()
    court.hear_goods(release)
    court.hear_invoice_and_money()
    accepted = _accepted(session, belonging)
    court.hear_disagreements(order_reference, fold(everything), judge(fold(everything).case, at), accepted)
    found = {why.answer for why in court.reasons}
    answer: Literal["clear", "flag", "unknown"] = "flag" if "flag" in found else "unknown" if found else "clear"
    reasons = tuple(court.reasons) or (_why("clear", "fourway_consistent"),)
    return Answer(answer, reasons, rows)


class _Court:
    """Hears one leg after the other and keeps the reasons."""

    def __init__(self, ask: StageAsk, folded: Folded, usable: list[Part], terms: Terms) -> None:
        self.ask, self.folded, self.usable, self.terms = ask, folded, usable, terms
        self.case = folded.case
        self.reasons: list[Why] = []
        self.total_minor = ask.amount_minor + max(self.case.paid_minor or 0, 0)

    def say(self, answer: Literal["flag", "unknown"], code: str, **facts: object) -> None:
        """Add a reason."""
        self.reasons.append(_why(answer, code, **facts))

    def hear_contract(self) -> None:
        """Is there a contract, and is it in the currency asked for?"""
        if self.case.orders == 0:
            self.say("unknown", "fourway_no_order", needed=CLEARING_TRUST)
        elif self.folded.currency is not None and self.folded.currency != self.ask.currency:
            pair = {"reference": self.ask.name, "left": self.ask.currency, "right": self.folded.currency}
            self.say("flag", "exception_currency_difference", **pair)
        ordered = self.case.ordered_minor
        if not self.ask.needs_invoice and ordered is not None and self._beyond(self.total_minor, ordered):
            money = {"ordered": self._money(ordered), "asked": self._money(self.total_minor)}
            self.say("flag", "fourway_over_contract", **money)

    def hear_goods(self, release: bool) -> None:
        """Did enough goods arrive, and who says so?"""
        if not self.ask.needs_goods:
            return
        told = [p.fact for p in self.usable if p.fact.kind == Kind.DELIVERY or p.fact.passed]
        if self.case.deliveries == 0:
            self.say("unknown", "fourway_no_goods", needed=CLEARING_TRUST)
            return
        best = max(fact.trust for fact in told)
        if release and best < RELEASING_TRUST and len({fact.source for fact in told}) < 2:
            self.say("unknown", "fourway_one_source", trust=best)
        goods = self.case.delivered_minor
        if goods is None:
            self.say("unknown", "fourway_goods_unvalued")
        elif self._beyond(self._net(self.total_minor), goods):
            money = {"goods": self._money(goods), "asked": self._money(self._net(self.total_minor))}
            self.say("flag", "fourway_goods_short", **money)

    def hear_invoice_and_money(self) -> None:
        """Is it invoiced, not paid already, and does it go to the agreed account?"""
        payable, paid = self.case.payable_minor, max(self.case.paid_minor or 0, 0)
        if self.ask.needs_invoice:
            if self.case.invoices == 0 or payable is None:
                self.say("unknown", "fourway_no_invoice", needed=CLEARING_TRUST)
            elif self._beyond(self.total_minor, payable) and paid:
                money = {"paid": self._money(paid), "asked": self._money(self.ask.amount_minor)}
                self.say("flag", "fourway_already_paid", payable=self._money(payable), **money)
            elif self._beyond(self.total_minor, payable):
                money = {"invoiced": self._money(payable), "asked": self._money(self.total_minor)}
                self.say("flag", "fourway_invoice_short", **money)
        if self.ask.payee_account is not None:
            agreed, asked = self.folded.account, normalise_account(self.ask.payee_account)
            if agreed is None:
                self.say("unknown", "fourway_account_unknown")
            elif agreed != asked:
                self.say("flag", "fourway_wrong_account", account=asked, agreed=agreed)

    def hear_disagreements(
        self, reference: str, everything: Folded, verdict: Verdict, accepted: set[tuple[object, ...]]
    ) -> None:
        """What the rule says of all facts, whoever wrote them; an exception somebody accepted flags no more."""
        for said in verdict.disagreements:
            if said.reason == Reason.UNKNOWN_REFERENCE or said.reason not in HANDLING:
                continue
            if HANDLING[said.reason].severity != "stop" or _signature(said) in accepted:
                continue
            texts = everything.notes.get(said.field, (None, None))
            values = (said.reason.name, said.field, said.left, said.right, said.limit_milli)
            english, chinese = (
                explain(
                    *values,
                    reference=reference,
                    currency=everything.currency,
                    left_text=texts[0],
                    right_text=texts[1],
                    language=language,
                )
                for language in ("en", "zh-CN")
            )
            self.reasons.append(Why("flag", said.reason.name, english, chinese))

    def _net(self, amount_minor: int) -> int:
        """The part of a sum to be paid that goods must cover: tax is paid for, but not delivered."""
        net, gross = self.case.invoiced_minor, self.case.payable_minor
        if not self.ask.needs_invoice or net is None or not gross or net >= gross:
            return amount_minor
        return -(-amount_minor * net // gross)

    def _beyond(self, asked: int, have: int) -> bool:
        allowed = max(self.terms.amount_fixed_minor * 1000, self.terms.amount_per_mille * have)
        return (asked - have) * 1000 > allowed

    def _money(self, amount_minor: int) -> str:
        return format_money(amount_minor, self.ask.currency)


def _refusal(fact: Fact, applicants: Collection[str]) -> Literal["applicant", "trust"] | None:
    if fact.applicant_can_write or fact.source in applicants:
        return "applicant"
    return "trust" if fact.trust < CLEARING_TRUST else None


def _part(fact: Fact, row: FactRow, allocation: Allocation) -> Part:
    return Part(row.id, fact, allocation.amount_minor, allocation.payable_minor, allocation.confidence)


def _accepted(session: Session, belonging: list[tuple[Fact, FactRow, Allocation]]) -> set[tuple[object, ...]]:
    """Disagreements that somebody looked at and accepted, as they were."""
    cases = {allocation.case_id for _, _, allocation in belonging}
    query = select(ExceptionRow).where(col(ExceptionRow.case_id).in_(cases), col(ExceptionRow.decision) == "accept")
    return {(row.code, row.field, row.left_value, row.right_value) for row in session.exec(query)}


def _signature(said: Disagreement) -> tuple[object, ...]:
    return said.reason.name, said.field, said.left, said.right


def _why(answer: Literal["clear", "flag", "unknown"], code: str, **facts: object) -> Why:
    return Why(answer, code, sentence(code, "en", **facts), sentence(code, "zh-CN", **facts))


__all__ = ["Answer", "Row", "StageAsk", "Why", "four_way"]
