"""The question a release asks: do goods, invoice, contract and money agree, by sources the applicant cannot write?

Clear, flag or unknown, with reasons and the rows they rest on. A contradiction flags; what is missing is unknown and
never a pass. Facts the applicant could have written cannot clear anything, but they can still contradict, and count
where they speak against it: its own credit note, money that is said to have reached it already.
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
from scf.reconciliation.facts import Fact, Kind, normalise_account, normalise_party
from scf.reconciliation.fold import Folded, Part, fold
from scf.reconciliation.models import Allocation, ExceptionRow, FactRow
from scf.reconciliation.proof import RELEASING_TRUST, proved, source_of
from scf.reconciliation.rule import Case, Disagreement, Reason, Terms, Verdict, judge
from scf.reconciliation.shelf import Shelf
from scf.reconciliation.twins import Twins
from scf.reconciliation.unplaced import perhaps_paid

CLEARING_TRUST = 2
"""Lowest trust that may clear a trade."""
_DATED = (Kind.DELIVERY, Kind.INSPECTION, Kind.INVOICE, Kind.CREDIT_NOTE)
"""Kinds that say something has happened; dated after today they prove nothing yet. Money may be valued tomorrow."""


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


Refusal = Literal["applicant", "trust", "future"]


@dataclass(frozen=True, slots=True)
class Row:
    """A fact that was looked at, and whether it could count: `refused_because` names what speaks against it."""

    step: service.Step
    refused_because: Refusal | None


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
    at = service.terms_of(clock, terms)
    names = {normalise_party(name) or name for name in applicants}
    rows = tuple(Row(service.step(*item), _refusal(item[0], names, at.as_of_day)) for item in belonging)
    parts = [_part(*item) for item in belonging]
    usable = [part for part, row in zip(parts, rows, strict=True) if row.refused_because is None]
    cases = {allocation.case_id for _, _, allocation in belonging}
    twins = Twins(Shelf(session))
    twins.load(cases)
    everything = twins.count(fold(parts), (part.fact_id for part in parts))
    court = _Court(ask, fold(usable), usable, everything, at)
    court.hear_contract(order_reference)
    court.hear_goods(release, any(row.refused_because == "future" for row in rows))
    court.hear_invoice_and_money()
    court.hear_waiting(session, cases)
    accepted = _accepted(session, cases)
    court.hear_disagreements(order_reference, judge(everything.case, at), accepted)
    found = {why.answer for why in court.reasons}
    answer: Literal["clear", "flag", "unknown"] = "flag" if "flag" in found else "unknown" if found else "clear"
    reasons = tuple(court.reasons) or (_why("clear", "fourway_consistent"),)
    return Answer(answer, reasons, rows)


class _Court:
    """Hears one leg after the other and keeps the reasons."""

    def __init__(self, ask: StageAsk, folded: Folded, usable: list[Part], everything: Folded, terms: Terms) -> None:
        self.ask, self.folded, self.usable, self.terms = ask, folded, usable, terms
        self.everything = everything
        self.case = folded.case
        self.reasons: list[Why] = []
        self.paid_minor = max(self.case.paid_minor or 0, everything.case.paid_minor or 0, 0)
        self.total_minor = ask.amount_minor + self.paid_minor

    def say(self, answer: Literal["flag", "unknown"], code: str, **facts: object) -> None:
        """Add a reason."""
        self.reasons.append(_why(answer, code, **facts))

    def hear_contract(self, reference: str) -> None:
        """Is there a contract, does it say how much, and is it in the currency asked for?"""
        ordered = self.case.ordered_minor
        if self.case.orders == 0:
            self.say("unknown", "fourway_no_order", needed=CLEARING_TRUST)
        elif self.folded.currency is not None and self.folded.currency != self.ask.currency:
            pair = {"reference": self.ask.name, "left": self.ask.currency, "right": self.folded.currency}
            self.say("flag", "exception_currency_difference", **pair)
        elif ordered is None and (self.case.ordered_quantity is None or not self.ask.needs_invoice):
            self.say("unknown", "exception_missing_evidence_ordered_minor", reference=reference)
        if not self.ask.needs_invoice and ordered is not None and self._beyond(self.total_minor, ordered):
            money = {"ordered": self._money(ordered), "asked": self._money(self.total_minor)}
            self.say("flag", "fourway_over_contract", **money)

    def hear_goods(self, release: bool, some_later: bool) -> None:
        """Did enough goods arrive, and who says so? `some_later`: a fact is dated after today."""
        if not self.ask.needs_goods:
            return
        if some_later and (self.case.deliveries == 0 or self.case.invoices == 0):
            self.say("unknown", "fourway_future")
        told = [p for p in self.usable if p.fact.kind == Kind.DELIVERY or p.fact.passed]
        if self.case.deliveries == 0:
            self.say("unknown", "fourway_no_goods", needed=CLEARING_TRUST)
            return
        asked = self._net(self.total_minor)
        goods = _worth(self.case)
        sure = proved(self.usable) if release else None
        surely = _worth(fold(sure.parts).case) if sure else goods
        best = max(part.fact.trust for part in told)
        if release and best < RELEASING_TRUST and len({source_of(part) for part in told}) < 2:
            self.say("unknown", "fourway_one_source", trust=best)
        if goods is None:
            self.say("unknown", "fourway_goods_unvalued")
        elif self._beyond(asked, goods):
            self.say("flag", "fourway_goods_short", goods=self._money(goods), asked=self._money(asked))
        elif surely is None or self._beyond(asked, surely):
            shown = self._money(max(surely or 0, 0))
            if sure is not None and sure.counted_once:
                self.say("unknown", "fourway_goods_perhaps_same", goods=shown, asked=self._money(asked))
            elif best >= RELEASING_TRUST or len({source_of(part) for part in told}) > 1:
                self.say("unknown", "fourway_goods_partly_proved", goods=shown, asked=self._money(asked))

    def hear_invoice_and_money(self) -> None:
        """Is it invoiced, not paid already, and does it go to the agreed account?"""
        payable, paid = self._payable(), self.paid_minor
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

    def hear_waiting(self, session: Session, case_ids: Collection[int]) -> None:
        """Is there money that may have been meant for this order and that nobody has placed?"""
        account = normalise_account(self.ask.payee_account) or self.folded.account
        seller = normalise_party(self.folded.seller)
        waiting = perhaps_paid(session, case_ids, seller=seller, account=account, currency=self.ask.currency)
        for payment in waiting:
            alike = abs(payment.amount_minor - self.ask.amount_minor) * 1000 <= self._allowed(self.ask.amount_minor)
            if payment.suggested or (payment.nameless and alike):
                self.say("unknown", "fourway_payment_waiting", paid=self._money(payment.amount_minor))
                return

    def hear_disagreements(self, reference: str, verdict: Verdict, accepted: set[tuple[object, ...]]) -> None:
        """What the rule says of all facts, whoever wrote them; an exception somebody accepted flags no more."""
        for said in verdict.disagreements:
            if said.reason == Reason.UNKNOWN_REFERENCE or said.reason not in HANDLING:
                continue
            texts = self.everything.notes.get(said.field, (None, None))
            if HANDLING[said.reason].severity != "stop" or _signature(said, texts) in accepted:
                continue
            values = (said.reason.name, said.field, said.left, said.right, said.limit_milli)
            english, chinese = (
                explain(
                    *values,
                    reference=reference,
                    currency=self.everything.currency,
                    left_text=texts[0],
                    right_text=texts[1],
                    language=language,
                )
                for language in ("en", "zh-CN")
            )
            self.reasons.append(Why("flag", said.reason.name, english, chinese))

    def _payable(self) -> int | None:
        """What is due: as confirmed, or less where somebody, be it the applicant, says that less is due."""
        confirmed, said = self.case.payable_minor, self.everything.case.payable_minor
        if confirmed is None or said is None or self.everything.currency != self.folded.currency:
            return confirmed
        return min(confirmed, said)

    def _net(self, amount_minor: int) -> int:
        """The part of a sum to be paid that goods must cover: tax is paid for, but not delivered."""
        net, gross = self.case.invoiced_minor, self.case.payable_minor
        if not self.ask.needs_invoice or net is None or not gross or net >= gross:
            return amount_minor
        return -(-amount_minor * net // gross)

    def _beyond(self, asked: int, have: int) -> bool:
        return (asked - have) * 1000 > self._allowed(have)

    def _allowed(self, around: int) -> int:
        return max(self.terms.amount_fixed_minor * 1000, self.terms.amount_per_mille * around)

    def _money(self, amount_minor: int) -> str:
        return format_money(amount_minor, self.ask.currency)


def _refusal(fact: Fact, applicants: Collection[str], today: int) -> Refusal | None:
    if fact.applicant_can_write or (normalise_party(fact.source) or fact.source) in applicants:
        return "applicant"
    if fact.trust < CLEARING_TRUST:
        return "trust"
    return "future" if fact.kind in _DATED and fact.day > today else None


def _worth(case: Case) -> int | None:
    """What the goods are worth: as stated, but a part of the goods is never worth more than its part of the order."""
    stated, ordered = case.delivered_minor, case.ordered_minor
    if stated is None or ordered is None or case.delivered_quantity is None or not case.ordered_quantity:
        return stated
    return min(stated, -(-ordered * case.delivered_quantity // case.ordered_quantity))


def _part(fact: Fact, row: FactRow, allocation: Allocation) -> Part:
    return Part(row.id, fact, allocation.amount_minor, allocation.payable_minor, allocation.confidence)


def _accepted(session: Session, cases: Collection[int]) -> set[tuple[object, ...]]:
    """Disagreements that somebody looked at and accepted, as they were."""
    query = select(ExceptionRow).where(col(ExceptionRow.case_id).in_(cases), col(ExceptionRow.decision) == "accept")
    return {
        (row.code, row.field, row.left_value, row.right_value, row.left_text, row.right_text)
        for row in session.exec(query)
    }


def _signature(said: Disagreement, texts: tuple[str | None, str | None]) -> tuple[object, ...]:
    return said.reason.name, said.field, said.left, said.right, *texts


def _why(answer: Literal["clear", "flag", "unknown"], code: str, **facts: object) -> Why:
    return Why(answer, code, sentence(code, "en", **facts), sentence(code, "zh-CN", **facts))


__all__ = ["Answer", "Row", "StageAsk", "Why", "four_way"]
